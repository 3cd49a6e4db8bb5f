"""`python -m database_consumer`."""

from database_consumer.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
