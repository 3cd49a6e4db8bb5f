"""One module per command: ``add_arguments(parser)`` and ``run(args, screen)``."""

COMMANDS = {
    "detect": "say what this interpreter or target is",
    "doctor": "audit an environment or artefact, without importing anything",
    "verify": "use each driver in a child process",
    "plan": "say what rebuild would do and why",
    "rebuild": "mend the drivers: keep, fetch or build, atomically, and verify",
    "wheel": "build self-contained wheels for any target",
    "wheelhouse": "list, index, check or clean the store of wheels",
    "explain": "read a traceback or log, name its cause and the command that mends it",
    "lock": "write pip-tools locks with hashes, one per target, gated on wheels",
    "matrix": "print the architecture matrix for GitHub Actions",
    "render": "print the build command, write or lint the Blueprint",
    "stack": "the development stack: start, wait, look, reset, stop",
}
"""Every command and what it does, in the order in which the help lists them."""
