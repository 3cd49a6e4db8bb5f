"""Every Python on the machine as the oracle: which names of its interface it gives to a module."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from buildtools.binaries import module_name, read_binary
from buildtools.compatibility import judge
from buildtools.compatibility.interface import interface_names
from buildtools.findings import Cause
from buildtools.host import interpreter_facts
from buildtools.processes import run
from buildtools.targets import Version
from tests.interpreters import INTERPRETERS

NAMES = interface_names()
GROUPS = [
    *(("since", release) for release in sorted(set(NAMES.since.values()))),
    *(("until", release) for release in sorted(set(NAMES.until.values()))),
]


def public(kind: str, release: Version) -> list[str]:
    """The group's names without those that CPython may change in any patch release."""
    table = NAMES.since if kind == "since" else NAMES.until
    return sorted(name for name, one in table.items() if one == release and name[0] == "P")


def build(names: list[str], file: Path) -> None:
    """A module that takes the address of every name, as one that was compiled elsewhere would."""
    lines = [f"extern void {name}(void);" for name in names]
    lines += ["void *PyInit_wants(void) { static void (*all[])(void) = {", ", ".join(names), "};"]
    lines += ["return (void *)all; }"]
    source = file.with_suffix(".c")
    source.write_text("\n".join(lines))
    compiler = shutil.which("gcc")
    assert compiler is not None
    done = run([compiler, "-shared", "-fPIC", "-w", "-o", str(file), str(source)], timeout=60)
    assert done.ok, done.tail()


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, Version], Path]:
    made = {}
    for kind, release in GROUPS:
        file = tmp_path_factory.mktemp(f"{kind}-{release}") / "wants.abi3.so"
        build(public(kind, release), file)
        made[kind, release] = file
    return made


@pytest.mark.parametrize("python", INTERPRETERS, ids=str)
def test_a_module_for_any_release_loads_exactly_where_the_names_are(
    python: Path, modules: dict[tuple[str, Version], Path]
) -> None:
    interpreter = interpreter_facts(python)
    for group, file in modules.items():
        with file.open("rb") as stream:
            found = judge(
                read_binary(stream, symbols=True), module_name(file.name), interpreter.target
            )
        code = f"import ctypes, os; ctypes.CDLL({str(file)!r}, os.RTLD_NOW)"
        done = run([interpreter.executable, "-I", "-c", code], timeout=60)
        assert done.ok == (not found), (group, found, done.tail())
        if found:
            assert found[0].cause is Cause.ABI_MISMATCH
            assert "undefined symbol: Py" in done.stderr
