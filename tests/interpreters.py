"""The CPythons 3.11 and newer that this machine has; the tests run over each of them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path


def _candidates() -> list[Path]:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [Path(sys.executable)]
    found += sorted(pyenv.glob("3.1[1-9]*/bin/python"))
    for minor in range(11, 20):
        path = shutil.which(f"python3.{minor}")
        if path and "shims" not in path:
            found.append(Path(path))
    return found


def _by_version() -> tuple[Path, ...]:
    seen: dict[str, Path] = {}
    for path in _candidates():
        code = "import sys; print(sys.version_info >= (3, 11), sys.version)"
        answer = subprocess.run([path, "-c", code], capture_output=True, text=True, check=False)
        if answer.returncode == 0 and answer.stdout.startswith("True"):
            seen.setdefault(answer.stdout, path)
    return tuple(seen.values())


INTERPRETERS = _by_version()
"""One executable a version, this test's own first."""
