"""Judging one file on one target, from real binaries and from facts made up for the edges."""

from dataclasses import replace

import pytest

from buildtools.binaries import (
    Binary,
    BinaryFacts,
    BinaryFormat,
    BinaryKind,
    VersionNeed,
    module_name,
)
from buildtools.compatibility import Judgement, baseline_libraries, is_baseline, judge, libc_family
from buildtools.compatibility.runtimes import version_number
from buildtools.findings import Cause, Severity
from buildtools.targets import LibCFamily, PythonAbi, Target, Version, parse_target
from tests.corpus.variants import corpus_bytes
from tests.unit.binaries.corpus import read

GNU = "_sample.cpython-311-x86_64-linux-gnu.so"
MUSL = "_sample.cpython-311-x86_64-linux-musl.so"
ARM = "_sample.cpython-311-aarch64-linux-gnu.so"
MAC = "_sample.cpython-311-darwin.so"


def target(spec: str) -> Target:
    return parse_target(spec, {})


def verdicts(file: str, name: str, spec: str, *, symbols: bool = False) -> tuple[Judgement, ...]:
    return judge(read(corpus_bytes(file), symbols=symbols), module_name(name), target(spec))


def only(found: tuple[Judgement, ...]) -> Judgement:
    (judgement,) = found
    assert judgement.evidence
    assert judgement.remedy.endswith(".")
    return judgement


@pytest.mark.parametrize(
    ("file", "name", "spec"),
    [
        ("elf-x86_64-glibc2.17.so", GNU, "linux/x86_64/glibc2.17/cp311"),
        ("elf-x86_64-glibc2.17.so", "_sample.so", "linux/x86_64/glibc2.17/cp313t"),
        ("elf-x86_64-glibc2.17.so", "_sample.abi3.so", "linux/x86_64/glibc2.36/cp312"),
        ("elf-x86_64-glibc2.17.so", GNU, "linux/x86_64"),
        ("elf-x86_64-musl.so", MUSL, "linux/x86_64/musl/cp311"),
        ("elf-aarch64-glibc2.28.so", ARM, "linux/aarch64/glibc2.28/cp311"),
        ("elf-i686-glibc2.17.so", "_sample.cpython-311-i386-linux-gnu.so", "linux/i686/cp311"),
        ("elf-armv7l-glibc2.28.so", "_sample.so", "linux/armv7l/cp311"),
        ("elf-s390x-glibc2.28.so", "_sample.so", "linux/s390x/cp311"),
        ("elf-node-addon.node", "addon.node", "linux/x86_64/glibc2.17/cp311"),
        ("elf-libsample-1.1.so.1", "libsample.so.1", "linux/x86_64/cp311"),
        ("macho-arm64-macos11.so", MAC, "darwin/arm64/macos11/cp311"),
        ("macho-x86_64-macos10.13.so", MAC, "darwin/x86_64/macos11/cp311"),
        ("macho-fat.so", MAC, "darwin/arm64/macos11/cp311"),
        ("macho-fat64.so", MAC, "darwin/x86_64/macos11/cp311"),
        ("macho-libsample.1.dylib", "libsample.1.dylib", "darwin/arm64/cp311"),
    ],
)
def test_what_fits_has_no_judgement(file: str, name: str, spec: str) -> None:
    assert verdicts(file, name, spec) == ()


@pytest.mark.parametrize(
    ("file", "name", "spec", "cause", "words"),
    [
        ("macho-arm64-macos11.so", MAC, "linux/x86_64/cp311", Cause.FOREIGN_FORMAT, "Mach-O"),
        ("pe-x86_64.pyd", "_sample.pyd", "linux/x86_64/cp311", Cause.FOREIGN_FORMAT, "Windows"),
        ("elf-x86_64-glibc2.17.so", GNU, "darwin/x86_64/cp311", Cause.FOREIGN_FORMAT, "ELF"),
        ("elf-aarch64-glibc2.28.so", ARM, "linux/x86_64/cp311", Cause.FOREIGN_ARCH, "aarch64"),
        ("elf-i686-glibc2.17.so", GNU, "linux/x86_64/cp311", Cause.FOREIGN_ARCH, "i686"),
        ("macho-arm64-macos11.so", MAC, "darwin/x86_64/cp311", Cause.FOREIGN_ARCH, "arm64"),
        ("elf-x86_64-musl.so", MUSL, "linux/x86_64/cp311", Cause.LIBC_MISMATCH, "libc.so"),
        (
            "elf-x86_64-glibc2.17.so",
            GNU,
            "linux/x86_64/musl/cp311",
            Cause.LIBC_MISMATCH,
            "libc.so.6",
        ),
        (
            "elf-needs-future-glibc.so",
            GNU,
            "linux/x86_64/glibc2.36/cp311",
            Cause.LIBC_TOO_OLD,
            "GLIBC_2.99, the target has glibc2.36",
        ),
        (
            "elf-needs-future-glibcxx.so",
            GNU,
            "linux/x86_64/glibc2.28/cp311",
            Cause.LIBSTDCXX_TOO_OLD,
            "GLIBCXX_3.4.99; the libstdc++ that comes with glibc2.28 ends at GLIBCXX_3.4.24",
        ),
        (
            "macho-arm64-macos14.so",
            MAC,
            "darwin/arm64/macos11/cp311",
            Cause.MACOS_TOO_OLD,
            "needs macOS 14.0, the target has macOS 11.0",
        ),
        ("macho-unsigned.so", MAC, "darwin/arm64/cp311", Cause.CORRUPT_BINARY, "no code signature"),
        ("elf-program.so", GNU, "linux/x86_64/cp311", Cause.CORRUPT_BINARY, "a program"),
        ("elf-object.so", GNU, "linux/x86_64/cp311", Cause.CORRUPT_BINARY, "object file"),
        ("macho-program.so", MAC, "darwin/arm64/cp311", Cause.CORRUPT_BINARY, "a program"),
        ("elf-node-addon.node", "a.node", "linux/aarch64", Cause.FOREIGN_ARCH, "x86_64"),
        ("elf-node-addon.node", "a.node", "linux/x86_64/musl", Cause.LIBC_MISMATCH, "glibc"),
        ("elf-node-addon.node", "a.node", "darwin/arm64", Cause.FOREIGN_FORMAT, "ELF"),
    ],
)
def test_what_does_not_fit_has_one_cause(
    file: str, name: str, spec: str, cause: Cause, words: str
) -> None:
    judgement = only(verdicts(file, name, spec))
    assert judgement.cause is cause
    assert judgement.severity is Severity.ERROR
    assert words in judgement.evidence


@pytest.mark.parametrize(
    ("name", "spec", "words"),
    [
        (
            "_s.cpython-310-x86_64-linux-gnu.so",
            "cp311",
            "for CPython 3.10, the target is CPython 3.11",
        ),
        ("_s.cpython-313t-x86_64-linux-gnu.so", "cp311", "for free-threaded CPython 3.13"),
        ("_s.cpython-313t-x86_64-linux-gnu.so", "cp313", "for free-threaded CPython 3.13"),
        (
            "_s.cpython-313-x86_64-linux-gnu.so",
            "cp313t",
            "the target is free-threaded CPython 3.13",
        ),
        ("_s.cpython-311d-x86_64-linux-gnu.so", "cp311", "for debug CPython 3.11"),
        ("_s.pypy310-pp73-x86_64-linux-gnu.so", "cp310", "for PyPy 3.10"),
        ("_s.abi3.so", "cp313t", "limited API for builds with a GIL"),
        ("_s.abi3.so", "cp315t", "does not look for abi3"),
        ("_s.abi3t.so", "cp314", "abi3t begins with Python 3.15"),
        ("_s.abi3-x86_64-linux-gnu.so", "cp314", "a platform behind abi3 begins with Python 3.15"),
        ("_s.abi3-aarch64-linux-gnu.so", "cp315", "and not .abi3-aarch64-linux-gnu.so"),
        ("_s.abi3t.so", "cp313t", "abi3t begins with Python 3.15"),
        ("_s.cpython-311.so", "cp311", "and not .cpython-311.so"),
        ("_s.cpython-311-aarch64-linux-gnu.so", "cp311", "and not .cpython-311-aarch64"),
        ("_s.cpython-311-x86_64-linux-musl.so", "cp311", "and not .cpython-311-x86_64-linux-musl"),
    ],
)
def test_a_suffix_of_another_interpreter_is_invisible(name: str, spec: str, words: str) -> None:
    judgement = only(verdicts("elf-x86_64-glibc2.17.so", name, f"linux/x86_64/{spec}"))
    assert judgement.cause is Cause.ABI_MISMATCH
    assert judgement.severity is Severity.ERROR
    assert words in judgement.evidence


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("_s.cpython-311-x86_64-linux-gnu.so", "cp311d"),
        ("_s.cpython-311d-x86_64-linux-gnu.so", "cp311d"),
        ("_s.abi3t.so", "cp315t"),
        ("_s.abi3t.so", "cp315"),
        ("_s.abi3.so", "cp315"),
        ("_s.abi3-x86_64-linux-gnu.so", "cp315"),
        ("_s.abi3t-x86_64-linux-gnu.so", "cp315t"),
    ],
)
def test_a_suffix_that_the_interpreter_takes_is_taken(name: str, spec: str) -> None:
    assert verdicts("elf-x86_64-glibc2.17.so", name, f"linux/x86_64/{spec}") == ()


def test_an_interpreters_own_suffixes_count_where_they_are_known() -> None:
    place = target("linux/x86_64/glibc2.17")
    own = PythonAbi(version=Version(major=3, minor=11), ext_suffixes=(".cpython-311.so", ".so"))
    binary = read(corpus_bytes("elf-x86_64-glibc2.17.so"))
    assert judge(binary, module_name("_s.cpython-311.so"), place.with_python(own)) == ()
    found = judge(binary, module_name("_s.cpython-311-x86_64-linux-gnu.so"), place.with_python(own))
    assert only(found).cause is Cause.ABI_MISMATCH


def test_an_old_module_says_both_of_its_faults() -> None:
    found = verdicts(
        "elf-needs-future-glibc.so",
        "_s.cpython-310-x86_64-linux-gnu.so",
        "linux/x86_64/glibc2.36/cp311",
    )
    assert [judgement.cause for judgement in found] == [Cause.ABI_MISMATCH, Cause.LIBC_TOO_OLD]


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("macho-arm64-macos11.so", "“invalid ELF header”"),
        ("elf-aarch64-glibc2.28.so", "“cannot open shared object file: No such file or directory”"),
        ("elf-s390x-glibc2.28.so", "“cannot open shared object file: No such file or directory”"),
        ("elf-i686-glibc2.17.so", "“wrong ELF class: ELFCLASS32”"),
    ],
)
def test_the_evidence_holds_what_the_import_would_say(file: str, words: str) -> None:
    assert words in only(verdicts(file, GNU, "linux/x86_64/cp311")).evidence
    assert "“" not in only(verdicts(file, MUSL, "linux/x86_64/musl/cp311")).evidence


@pytest.mark.parametrize("name", ["libsample.so.1", "libsample.dylib"])
def test_a_plain_library_for_another_platform_may_be_there_on_purpose(name: str) -> None:
    judgement = only(verdicts("macho-libsample.1.dylib", name, "linux/x86_64/cp311"))
    assert judgement.cause is Cause.FOREIGN_FORMAT
    assert judgement.severity is Severity.INFO


def test_a_file_that_no_import_takes_is_known_by_its_symbols() -> None:
    """Debuggers ship ``attach_linux_x86.so``: a module's suffix, but no module."""
    spec, name = "linux/aarch64/cp311", "attach_linux_amd64.so"
    assert only(verdicts("elf-x86_64-glibc2.17.so", name, spec)).severity is Severity.ERROR
    told = only(verdicts("elf-x86_64-glibc2.17.so", name, spec, symbols=True))
    assert told.severity is Severity.INFO
    module = only(verdicts("elf-x86_64-glibc2.17.so", "_sample.so", spec, symbols=True))
    assert module.severity is Severity.ERROR
    macho = only(verdicts("macho-arm64-macos11.so", "_sample.so", spec, symbols=True))
    assert macho.severity is Severity.ERROR


def test_private_symbols_of_glibc_are_told_but_no_fault() -> None:
    judgement = only(verdicts("elf-needs-private-glibc.so", GNU, "linux/x86_64/cp311"))
    assert judgement.severity is Severity.INFO
    assert "GLIBC_PRIVATE of libc.so.6" in judgement.evidence


FACTS = BinaryFacts(
    format=BinaryFormat.ELF,
    arch="x86_64",
    bits=64,
    little_endian=True,
    kind=BinaryKind.LIBRARY,
    needed=("libc.so.6",),
)


def judged(facts: BinaryFacts, spec: str, **more: frozenset[str]) -> tuple[Judgement, ...]:
    binary = Binary(format=facts.format, slices=(facts,))
    return judge(binary, module_name("_s.so"), target(spec), **more)


def wanting(library: str, *versions: str) -> BinaryFacts:
    return replace(FACTS, version_needs=(VersionNeed(library=library, versions=versions),))


@pytest.mark.parametrize(
    ("versions", "spec", "cause"),
    [
        (("GLIBC_2.2.5", "GLIBC_2.28"), "linux/x86_64/glibc2.28", None),
        (("GLIBC_2.2.5", "GLIBC_2.28"), "linux/x86_64/glibc2.27", Cause.LIBC_TOO_OLD),
        (("GLIBC_2.3.4",), "linux/x86_64/glibc2.3", Cause.LIBC_TOO_OLD),
        (("GLIBC_ABI_DT_RELR",), "linux/x86_64/glibc2.36", None),
        (("GLIBC_ABI_DT_RELR",), "linux/x86_64/glibc2.35", Cause.LIBC_TOO_OLD),
        (("GLIBC_ABI_OF_TOMORROW",), "linux/x86_64/glibc2.17", None),
    ],
)
def test_glibc_versions_are_compared_as_numbers(
    versions: tuple[str, ...], spec: str, cause: Cause | None
) -> None:
    found = judged(wanting("libc.so.6", *versions), spec)
    assert [judgement.cause for judgement in found] == ([cause] if cause else [])


def test_centos_7_on_arm_has_the_versions_of_2_18() -> None:
    facts = replace(wanting("libc.so.6", "GLIBC_2.18"), arch="aarch64")
    assert judged(facts, "linux/aarch64/glibc2.17") == ()
    found = judged(replace(facts, arch="x86_64"), "linux/x86_64/glibc2.17")
    assert only(found).cause is Cause.LIBC_TOO_OLD


@pytest.mark.parametrize(
    ("library", "version", "floor", "fits"),
    [
        ("libstdc++.so.6", "GLIBCXX_3.4.19", "2.17", True),
        ("libstdc++.so.6", "GLIBCXX_3.4.20", "2.17", False),
        ("libstdc++.so.6", "CXXABI_1.3.11", "2.28", True),
        ("libstdc++.so.6", "CXXABI_1.3.12", "2.28", False),
        ("libstdc++.so.6", "CXXABI_FLOAT128", "2.28", True),
        ("libstdc++.so.6", "GLIBCXX_3.4.30", "2.36", True),
        ("libgcc_s.so.1", "GCC_4.2.0", "2.17", True),
        ("libgcc_s.so.1", "GCC_14.0.0", "2.36", False),
        ("libstdc++-1a2b3c4d.so.6.0.33", "GLIBCXX_3.4.33", "2.17", True),
    ],
)
def test_the_compilers_runtime_is_judged_by_the_glibc_that_it_comes_with(
    library: str,
    version: str,
    floor: str,
    fits: bool,  # noqa: FBT001
) -> None:
    found = judged(wanting(library, version), f"linux/x86_64/glibc{floor}")
    causes = [judgement.cause for judgement in found]
    assert causes == ([] if fits else [Cause.LIBSTDCXX_TOO_OLD])


def test_a_library_that_was_resolved_is_not_judged_by_the_tables() -> None:
    facts = wanting("libstdc++.so.6", "GLIBCXX_3.4.99")
    assert judged(facts, "linux/x86_64", resolved=frozenset({"libstdc++.so.6"})) == ()


@pytest.mark.parametrize(
    ("facts", "family"),
    [
        (FACTS, LibCFamily.GLIBC),
        (replace(FACTS, needed=("libm.so.6", "ld-linux-x86-64.so.2")), LibCFamily.GLIBC),
        (wanting("libm.so.6", "GLIBC_2.29"), LibCFamily.GLIBC),
        (replace(FACTS, needed=("libc.musl-x86_64.so.1",)), LibCFamily.MUSL),
        (replace(FACTS, needed=("libc.so",)), LibCFamily.MUSL),
        (replace(FACTS, needed=(), interpreter="/lib/ld-musl-x86_64.so.1"), LibCFamily.MUSL),
        (replace(FACTS, needed=()), None),
    ],
)
def test_the_c_library_is_known_by_what_is_needed(
    facts: BinaryFacts, family: LibCFamily | None
) -> None:
    assert libc_family(facts) is family


def test_a_module_that_needs_no_c_library_loads_under_either() -> None:
    facts = replace(FACTS, needed=())
    assert judged(facts, "linux/x86_64") == judged(facts, "linux/x86_64/musl") == ()


@pytest.mark.parametrize("library", ["libpython3.10.so.1.0", "libpython3.11t.so.1.0"])
def test_a_module_linked_to_another_python_is_told(library: str) -> None:
    facts = replace(FACTS, needed=(library, "libc.so.6"))
    judgement = only(judged(facts, "linux/x86_64/cp311"))
    assert judgement.cause is Cause.ABI_MISMATCH
    assert library in judgement.evidence


def test_a_module_linked_to_this_python_is_not() -> None:
    facts = replace(FACTS, needed=("libpython3.11.so.1.0", "libc.so.6"))
    assert judged(facts, "linux/x86_64/cp311") == ()


def test_class_and_byte_order_are_part_of_the_machine() -> None:
    x32 = only(judged(replace(FACTS, bits=32), "linux/x86_64"))
    assert x32.cause is Cause.FOREIGN_ARCH
    assert "x86_64 (32 bit)" in x32.evidence
    big = only(judged(replace(FACTS, arch="aarch64", little_endian=False), "linux/aarch64"))
    assert "aarch64 (big-endian)" in big.evidence


def test_a_mach_o_file_for_telephones_is_foreign() -> None:
    facts = replace(FACTS, format=BinaryFormat.MACHO, arch="arm64", apple_platform="ios", needed=())
    judgement = only(judged(facts, "darwin/arm64"))
    assert judgement.cause is Cause.FOREIGN_FORMAT
    assert "ios" in judgement.evidence


@pytest.mark.parametrize(
    ("version", "number"),
    [
        ("GLIBC_2.17", ("GLIBC", (2, 17))),
        ("GLIBCXX_3.4.30", ("GLIBCXX", (3, 4, 30))),
        ("libmariadb_3", ("libmariadb", (3,))),
        ("GLIBC_PRIVATE", None),
        ("GLIBC_2.x", None),
        ("2.17", None),
        ("", None),
        ("GLIBC_" + "9" * 5000, None),
    ],
)
def test_versions_are_read_or_left(
    version: str, number: tuple[str, tuple[int, ...]] | None
) -> None:
    assert version_number(version) == number


def test_the_baseline_is_that_of_the_target() -> None:
    glibc, musl = target("linux/x86_64/glibc2.17"), target("linux/aarch64/musl")
    assert {"libc.so.6", "libstdc++.so.6", "ld-linux-x86-64.so.2"} <= baseline_libraries(glibc)
    assert "libmvec.so.1" not in baseline_libraries(glibc)
    assert "libmvec.so.1" in baseline_libraries(target("linux/x86_64/glibc2.28"))
    assert "libc.musl-aarch64.so.1" in baseline_libraries(musl)
    assert "libc.so.6" not in baseline_libraries(musl)
    assert is_baseline("/usr/lib/libSystem.B.dylib", target("darwin/arm64"))
    assert is_baseline("/System/Library/Frameworks/X.framework/X", target("darwin/arm64"))
    assert not is_baseline("/opt/homebrew/lib/libmariadb.3.dylib", target("darwin/arm64"))
    assert not is_baseline("libmariadb.so.3", glibc)
    known = replace(glibc, libraries=frozenset({"libmariadb.so.3"}))
    assert is_baseline("libmariadb.so.3", known)
