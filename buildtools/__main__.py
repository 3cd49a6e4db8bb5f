"""``python -m buildtools`` and the ``buildtools`` command."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; the exit code is one of :class:`buildtools.errors.ExitCode`."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        # Answered before anything is imported: it must cost what a bare Python costs.
        from buildtools import __version__

        sys.stdout.write(f"buildtools {__version__}\n")
        return 0
    try:
        from buildtools.cli import run_command_line

        return run_command_line(sys.argv[1:])
    except KeyboardInterrupt:
        # Before a command had begun, or while its end was told: no traceback is of use to anyone.
        sys.stderr.write("error: interrupted\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
