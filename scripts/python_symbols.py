"""Make ``buildtools/data/python-symbols.txt``: which CPython exports which of its names.

    python scripts/python_symbols.py 3.11=/usr/bin/python3.11 3.12=…/libpython3.12.so.1.0 … > FILE

Each word is a release and the file that exports its interface: the program, or libpython where it
is built shared. Several builds of one release are worth having: a name counts for a release when
every build of it has the name, and as absent when none has. Free-threaded and debug builds do not
belong.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from buildtools.binaries import read_binary

HEAD = """\
# Names of CPython's interface that some of its releases export and others do not, by the release
# that was the first to (since) or the last (until), as the symbol tables of its builds say.
# Made by scripts/python_symbols.py; covers {first} to {last}.
"""


def exported(file: Path) -> frozenset[str]:
    """The names of the interface in one build; how a module starts is no part of it."""
    with file.open("rb") as stream:
        (facts,) = read_binary(stream, symbols=True).slices
    return frozenset(
        name
        for name in facts.defined or ()
        if name.startswith(("Py", "_Py")) and not name.startswith("PyInit_")
    )


def changes(
    releases: Mapping[tuple[int, int], list[frozenset[str]]],
) -> tuple[dict[tuple[int, int], list[str]], dict[tuple[int, int], list[str]]]:
    """The names that came with each release, and those that ended with each."""
    order = sorted(releases)
    always = {one: frozenset.intersection(*releases[one]) for one in order}
    ever = {one: frozenset.union(*releases[one]) for one in order}
    since: dict[tuple[int, int], list[str]] = {}
    until: dict[tuple[int, int], list[str]] = {}
    for at in range(1, len(order)):
        last, first = order[at - 1], order[at]
        since[first] = sorted(always[first] - frozenset().union(*(ever[one] for one in order[:at])))
        until[last] = sorted(always[last] - frozenset().union(*(ever[one] for one in order[at:])))
    return since, until


def section(word: str, names: Mapping[tuple[int, int], Iterable[str]]) -> Iterator[str]:
    """The lines of one kind: a release, and below it its names."""
    for (major, minor), found in sorted(names.items()):
        yield f"{word} {major}.{minor}"
        yield from (f"  {name}" for name in found)


def main(words: list[str]) -> None:
    """Read the builds that are named and print the file."""
    releases: dict[tuple[int, int], list[frozenset[str]]] = {}
    for word in words:
        version, _, file = word.partition("=")
        major, minor = version.split(".")
        releases.setdefault((int(major), int(minor)), []).append(exported(Path(file)))
    since, until = changes(releases)
    first, last = (".".join(map(str, end)) for end in (min(releases), max(releases)))
    print(HEAD.format(first=first, last=last), end="")
    print("\n".join([*section("since", since), *section("until", until)]))


if __name__ == "__main__":
    main(sys.argv[1:])
