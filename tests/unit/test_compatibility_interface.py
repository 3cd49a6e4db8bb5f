"""A module that every release of CPython takes, held against what the target's release exports."""

from __future__ import annotations

import pytest

from buildtools.binaries import Binary, BinaryFacts, BinaryFormat, BinaryKind, module_name
from buildtools.compatibility import Judgement, judge
from buildtools.compatibility.interface import interface_names
from buildtools.findings import Cause, Severity
from buildtools.targets import parse_target

LINUX = "linux/x86_64/glibc2.36"


def verdicts(
    *wanted: str, python: str = "cp311", name: str = "m.abi3.so", started: bool = True
) -> tuple[Judgement, ...]:
    facts = BinaryFacts(
        format=BinaryFormat.ELF,
        arch="x86_64",
        bits=64,
        little_endian=True,
        kind=BinaryKind.LIBRARY,
        undefined=frozenset({"PyModule_Create2", *wanted}),
        defined=frozenset({"PyInit_m"} if started else {"anything"}),
    )
    binary = Binary(format=facts.format, slices=(facts,))
    return judge(binary, module_name(name), parse_target(f"{LINUX}/{python}", {}))


@pytest.mark.parametrize("name", ["m.abi3.so", "m.so"])
def test_a_name_that_came_later_keeps_a_module_from_an_older_release(name: str) -> None:
    (found,) = verdicts("PyDict_GetItemRef", "PyType_GetDict", name=name)
    assert (found.cause, found.severity) == (Cause.ABI_MISMATCH, Severity.ERROR)
    assert "PyDict_GetItemRef (in CPython since 3.13)" in found.evidence
    assert "PyType_GetDict (in CPython since 3.12)" in found.evidence
    assert verdicts("PyDict_GetItemRef", "PyType_GetDict", name=name, python="cp313") == ()


def test_a_name_that_is_gone_keeps_a_module_from_a_newer_release() -> None:
    assert verdicts("PyUnicode_AsUnicode") == ()
    (found,) = verdicts("PyUnicode_AsUnicode", python="cp312")
    assert "PyUnicode_AsUnicode (in CPython until 3.11)" in found.evidence


@pytest.mark.parametrize(
    ("name", "python", "started"),
    [
        ("m.cpython-311-x86_64-linux-gnu.so", "cp311", True),  # its name has promised 3.11
        ("libm.so", "cp311", True),  # a library, loaded by what knows it
        ("m.so", "cp311", False),  # no import starts it
    ],
)
def test_what_no_import_of_this_release_starts_is_not_asked(
    name: str, python: str, *, started: bool
) -> None:
    assert verdicts("PyDict_GetItemRef", name=name, python=python, started=started) == ()


def test_what_nobody_exports_is_no_matter_of_the_release() -> None:
    assert verdicts("PyBoost_Extra", "mysql_init") == ()


def test_macos_writes_one_more_underscore() -> None:
    facts = BinaryFacts(
        format=BinaryFormat.MACHO,
        arch="arm64",
        bits=64,
        little_endian=True,
        kind=BinaryKind.LIBRARY,
        signed=True,
        undefined=frozenset({"_PyDict_GetItemRef"}),
        defined=frozenset({"_PyInit_m"}),
    )
    binary = Binary(format=facts.format, slices=(facts,))
    (found,) = judge(
        binary, module_name("m.abi3.so"), parse_target("darwin/arm64/macos11/cp312", {})
    )
    assert "PyDict_GetItemRef (in CPython since 3.13)" in found.evidence


def test_the_names_are_in_order() -> None:
    known = interface_names()
    assert len(known.since) > 500
    assert len(known.until) > 500
    both = known.since.keys() & known.until.keys()
    assert all(known.since[name] <= known.until[name] for name in both)
    assert not any(name.startswith("PyInit_") for name in (*known.since, *known.until))
