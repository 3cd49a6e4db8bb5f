"""Runs pip-tools for a platform that is not this one; started as a child, by its path.

pip-tools asks pip, and pip asks the running interpreter, what platform it is: which wheels fit and
which environment markers hold. Here those answers are the target's, given as JSON in a file. The
result of the resolution is pip-tools' own; afterwards the files that the index has for each pin are
written down, so that the parent can tell what the target would be missing.
"""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

REFUSED = "lock refused: "
"""What the line begins with that says why there is no lock; JSON follows."""

SOURCES = (".c", ".cc", ".cpp", ".pyx", ".rs", ".f", ".f90", ".go", ".m")
LARGEST_SDIST = 512 << 20
"""Bytes read of an sdist; a longer one reads as damaged, and so as compiled."""


def main(request_path: str, words: list[str]) -> None:
    """Answer as the target would, then compile; raises ``SystemExit`` with pip-tools' exit code."""
    request = json.loads(Path(request_path).read_text(encoding="utf-8"))
    try:
        import piptools  # noqa: F401 - told apart from what it raises
    except ImportError:
        refuse("no-pip-tools", "")
    listener = Listener()
    pretend(request["environment"], request["version"], request["tags"])
    remember_candidates(Path(request["candidates"]))
    from pip._internal.exceptions import InstallationError
    from piptools.exceptions import PipToolsError
    from piptools.scripts.compile import cli

    try:
        cli(words)
    except (InstallationError, PipToolsError) as error:
        said = first_words(str(error)) or type(error).__name__
        if listener.unreached:
            refuse("unreached", listener.unreached)
        kind = "invalid" if said.startswith(("Invalid", "Could not open")) else "conflict"
        refuse(kind, "\n".join((said, *listener.said)))


def first_words(said: str) -> str:
    """The first line of what was said, with the place in a file that a later line names."""
    first = said.partition("\n")[0]
    place = re.search(r"\(from line \d+ of [^()\n]*\)", said)
    return first if place is None or place[0] in first else f"{first} {place[0]}"


def refuse(kind: str, said: str) -> NoReturn:
    """Tell the parent why there is no lock, on one line, and end."""
    sys.stderr.write(REFUSED + json.dumps({"kind": kind, "said": said}) + "\n")
    sys.exit(1)


class Listener(logging.Handler):
    """Hears what pip says of addresses that did not answer and of versions that conflict."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.unreached = ""
        self.said: list[str] = []
        for name, level in (
            ("pip._internal.index.collector", logging.DEBUG),
            ("pip._internal.resolution.resolvelib.factory", logging.INFO),
        ):
            logger = logging.getLogger(name)
            logger.setLevel(level)
            logger.addHandler(self)
            logger.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the words; of an address its project alone: it may hold a password."""
        said = record.getMessage()
        if said.startswith("Could not fetch URL"):
            address = said.removeprefix("Could not fetch URL ").split(": ")[0]
            project = urlsplit(address).path.rstrip("/").rpartition("/")[2]
            if "404" not in said:
                self.unreached = f"no answer about {project}"
        elif record.levelno >= logging.INFO and "conflict" in said:
            self.said += [line for line in said.splitlines() if line.strip()]


def pretend(environment: dict[str, str], version: list[int], tags: list[list[str]]) -> None:
    """Make pip see the target's markers, wheel tags and Python version."""
    from pip._internal.models import target_python
    from pip._internal.resolution.resolvelib import candidates
    from pip._vendor.packaging import markers
    from pip._vendor.packaging.tags import Tag

    supported = [Tag(*tag) for tag in tags]
    asked: Any = markers
    asked.default_environment = lambda: dict(environment)
    kind: Any = target_python.TargetPython
    given = tuple(version)

    def sorted_tags(_self: Any) -> list[Tag]:
        return supported

    def unsorted_tags(_self: Any) -> set[Tag]:
        return set(supported)

    for name, answer in (
        ("get_tags", sorted_tags),
        ("get_sorted_tags", sorted_tags),
        ("get_unsorted_tags", unsorted_tags),
    ):
        if hasattr(kind, name):
            setattr(kind, name, answer)
    original = kind.__init__

    def target_init(self: Any, *_args: Any, **_named: Any) -> None:
        original(self, py_version_info=given)

    kind.__init__ = target_init
    python: Any = candidates.RequiresPythonCandidate
    python_original = python.__init__

    def python_init(self: Any, _version: Any = None) -> None:
        python_original(self, given)

    python.__init__ = python_init


def remember_candidates(file: Path) -> None:
    """As pip-tools asks for a project's hashes, write down its files at that version."""
    from piptools.repositories import pypi

    repository: Any = pypi.PyPIRepository
    hashes_of, hash_of_file = repository.get_hashes, repository._get_file_hash  # noqa: SLF001
    seen: dict[str, dict[str, Any]] = {}

    def get_hashes(self: Any, ireq: Any) -> Any:
        hashes = hashes_of(self, ireq)
        version = next(iter(ireq.specifier)).version if ireq.specifier else ""
        found = [
            item.link
            for item in self.find_all_candidates(ireq.name)
            if str(item.version) == version
        ]
        names = sorted({link.filename for link in found})
        wheels = any(name.endswith(".whl") for name in names)
        seen[f"{ireq.name.lower()}=={version}"] = {
            "files": names,
            "compiled": not wheels and any(has_sources(self, link) for link in found[:1]),
        }
        file.write_text(json.dumps(seen), encoding="utf-8")
        return hashes

    def file_hash(self: Any, link: Any) -> Any:
        # Without the index's JSON interface pip-tools would download every file to hash it.
        if link.hash_name == "sha256" and link.hash:
            return f"sha256:{link.hash}"
        return hash_of_file(self, link)

    repository.get_hashes = get_hashes
    repository._get_file_hash = file_hash  # noqa: SLF001 - the index has said it already


def has_sources(repository: Any, link: Any) -> bool:
    """Whether an sdist holds sources that a compiler must turn into a module."""
    from piptools.repositories.pypi import open_local_or_remote_file

    with open_local_or_remote_file(link, repository.session) as opened:
        content = io.BytesIO(opened.stream.read(LARGEST_SDIST))
    try:
        if link.filename.endswith(".zip"):
            with zipfile.ZipFile(content) as archive:
                names = archive.namelist()
        else:
            with tarfile.open(fileobj=content) as archive:
                names = archive.getnames()
    except (tarfile.TarError, zipfile.BadZipFile, EOFError):
        return True
    return any(name.endswith(SOURCES) for name in names)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
