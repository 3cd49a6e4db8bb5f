"""Real servers for tests: each on 127.0.0.1, a free port and a data folder of its own."""
