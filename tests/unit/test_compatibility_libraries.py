"""Judging what the loader would take, with real libraries in two releases."""

from dataclasses import replace

from buildtools.binaries import BinaryFacts, VersionNeed
from buildtools.compatibility import (
    Judgement,
    LibraryJudge,
    Resolved,
    ResolvedLibrary,
    judge_libraries,
)
from buildtools.findings import Cause, Severity
from buildtools.targets import Target, parse_target
from tests.unit.binaries.corpus import facts_of

LINUX: Target = parse_target("linux/x86_64/glibc2.17/cp311", {})
LIBRARY = "libsample.so.1"


def resolved(module: str, library: str, *more: ResolvedLibrary) -> tuple[Judgement, ...]:
    found = ResolvedLibrary(
        name=LIBRARY,
        path=f"/opt/sample/lib/{LIBRARY}",
        facts=facts_of(library, symbols=True),
        how="runpath",
    )
    needs = Resolved(module=facts_of(module, symbols=True), libraries=(found, *more))
    return judge_libraries(needs, LINUX)


def test_a_library_that_has_everything_is_no_matter() -> None:
    assert resolved("elf-needs-libsample-runpath.so", "elf-libsample-1.1.so.1") == ()
    assert resolved("elf-needs-libsample-unversioned.so", "elf-libsample-unversioned.so.1") == ()


def test_a_library_without_the_version_is_too_old() -> None:
    (found,) = resolved("elf-needs-libsample-runpath.so", "elf-libsample-1.0.so.1")
    assert found.cause is Cause.MISSING_SYMBOL
    assert found.severity is Severity.ERROR
    assert "SAMPLE_1.1" in found.evidence
    assert f"/opt/sample/lib/{LIBRARY}" in found.evidence


def against(library: BinaryFacts, target: Target = LINUX) -> tuple[Judgement, ...]:
    found = ResolvedLibrary(name=LIBRARY, facts=library)
    module = facts_of("elf-needs-libsample-runpath.so")
    return judge_libraries(Resolved(module=module, libraries=(found,)), target)


def test_a_library_with_no_table_of_versions_ends_the_process() -> None:
    (found,) = against(facts_of("elf-libsample-unversioned.so.1"))
    assert found.cause is Cause.MISSING_SYMBOL
    assert found.severity is Severity.ERROR


def test_a_library_that_defines_none_but_has_a_table_is_taken() -> None:
    libc = VersionNeed(library="libc.so.6", versions=("GLIBC_2.2.5",))
    plain = facts_of("elf-libsample-unversioned.so.1")
    assert against(replace(plain, version_needs=(libc,))) == ()


def test_musl_passes_over_versions() -> None:
    musl = parse_target("linux/x86_64/musl", {})
    assert against(facts_of("elf-libsample-1.0.so.1"), musl) == ()
    assert len(against(facts_of("elf-libsample-1.0.so.1"))) == 1


def test_a_library_without_the_symbol_is_too_old() -> None:
    (found,) = resolved("elf-needs-libsample-unversioned.so", "elf-libsample-unversioned-old.so.1")
    assert found.cause is Cause.MISSING_SYMBOL
    assert "undefined symbol: sample_new" in found.evidence


def test_the_interpreters_symbols_are_its_own_affair_until_it_is_read() -> None:
    module, library = "elf-needs-libsample-unversioned.so", "elf-libsample-unversioned.so.1"
    interpreter = replace(facts_of("elf-program.so"), defined=frozenset({"PyList_New"}))
    known = ResolvedLibrary(name="python", facts=interpreter, how="interpreter")
    assert resolved(module, library) == ()
    assert resolved(module, library, replace(known, facts=None)) == ()
    lacking = "elf-libsample-unversioned-old.so.1"
    assert len(resolved(module, lacking, replace(known, facts=None))) == 1
    (found,) = resolved(module, library, known)
    assert "PyModule_Create2" in found.evidence
    gives = replace(interpreter, defined=frozenset({"PyModule_Create2"}))
    assert resolved(module, library, replace(known, facts=gives)) == ()


def test_nothing_is_said_while_an_unversioned_library_is_unread() -> None:
    unread = ResolvedLibrary(name="libother.so.1", how="baseline")
    module = "elf-needs-libsample-unversioned.so"
    assert resolved(module, "elf-libsample-unversioned-old.so.1", unread) == ()


def test_an_unread_library_whose_symbols_have_versions_does_not_stand_in_the_way() -> None:
    module = facts_of("elf-needs-libsample-unversioned.so", symbols=True)
    module = replace(
        module, version_needs=(VersionNeed(library="libc.so.6", versions=("GLIBC_2.2.5",)),)
    )
    old = facts_of("elf-libsample-unversioned-old.so.1", symbols=True)
    libraries = (
        ResolvedLibrary(name=LIBRARY, facts=old),
        ResolvedLibrary(name="libc.so.6", how="baseline"),
    )
    (found,) = judge_libraries(Resolved(module=module, libraries=libraries), LINUX)
    assert "sample_new" in found.evidence


def test_symbols_are_no_matter_when_they_were_not_read() -> None:
    needs = Resolved(
        module=facts_of("elf-needs-libsample-unversioned.so"),
        libraries=(ResolvedLibrary(name=LIBRARY, facts=facts_of("elf-libsample-1.0.so.1")),),
    )
    assert judge_libraries(needs, LINUX) == ()


def test_a_missing_library_is_named_with_who_wants_it() -> None:
    module = facts_of("elf-needs-libsample-runpath.so", symbols=True)
    needs = Resolved(module=module, missing=(("libmariadb.so.3", "_mysql.so"),))
    (found,) = judge_libraries(needs, LINUX)
    assert found.cause is Cause.MISSING_LIBRARY
    assert found.severity is Severity.ERROR
    assert "_mysql.so needs libmariadb.so.3" in found.evidence


def test_a_desktop_library_may_be_there_unless_the_targets_are_known() -> None:
    module = facts_of("elf-x86_64-glibc2.17.so")
    needs = Resolved(module=module, missing=(("libGL.so.1", "cv2.abi3.so"),))
    (unsure,) = judge_libraries(needs, LINUX)
    assert unsure.severity is Severity.WARNING
    (sure,) = judge_libraries(needs, replace(LINUX, libraries=frozenset({"libssl.so.3"})))
    assert sure.severity is Severity.ERROR


def with_versions(*versions: str) -> BinaryFacts:
    return replace(facts_of("elf-libsample-1.1.so.1"), version_definitions=versions)


def test_the_families_of_versions_have_their_causes() -> None:
    module = replace(
        facts_of("elf-x86_64-glibc2.17.so"),
        version_needs=(
            VersionNeed(library="libc.so.6", versions=("GLIBC_2.17", "GLIBC_2.99")),
            VersionNeed(library="libstdc++.so.6", versions=("GLIBCXX_3.4.99", "CXXABI_9.9")),
        ),
    )
    libraries = (
        ResolvedLibrary(name="libc.so.6", facts=with_versions("GLIBC_2.17")),
        ResolvedLibrary(name="libstdc++.so.6", facts=with_versions("GLIBCXX_3.4.30")),
    )
    libc, libstdcxx = judge_libraries(Resolved(module=module, libraries=libraries), LINUX)
    assert (libc.cause, libstdcxx.cause) == (Cause.LIBC_TOO_OLD, Cause.LIBSTDCXX_TOO_OLD)
    assert "GLIBC_2.99" in libc.evidence
    assert "GLIBC_2.17" not in libc.evidence
    assert "GLIBCXX_3.4.99, CXXABI_9.9" in libstdcxx.evidence


def test_what_a_library_wants_of_another_counts_too() -> None:
    between = replace(
        facts_of("elf-libsample-1.1.so.1"),
        version_needs=(VersionNeed(library="libssl.so.3", versions=("OPENSSL_3.2.0",)),),
    )
    libraries = (
        ResolvedLibrary(name="libmariadb.so.3", facts=between),
        ResolvedLibrary(name="libssl.so.3", facts=with_versions("OPENSSL_3.0.0")),
    )
    module = facts_of("elf-x86_64-glibc2.17.so")
    (found,) = judge_libraries(Resolved(module=module, libraries=libraries), LINUX)
    assert found.evidence.startswith("libmariadb.so.3 needs OPENSSL_3.2.0 of libssl.so.3")


def test_what_libraries_lack_of_each_other_is_told_to_each_module_that_takes_them() -> None:
    """One judge for many modules says what a judge for each says, also once tuples are gone."""
    wants = replace(
        facts_of("elf-libsample-unversioned.so.1"),
        version_needs=(VersionNeed(library=LIBRARY, versions=("SAMPLE_1.1",)),),
    )
    between = ResolvedLibrary(name="libbetween.so", facts=wants)
    module = facts_of("elf-program.so")
    others = [ResolvedLibrary(name=f"libother.so.{number}") for number in range(7)]
    judge = LibraryJudge(LINUX)
    for _ in range(20):
        for version, lacking in (("1.0", 1), ("1.1", 0)):
            sample = ResolvedLibrary(name=LIBRARY, facts=facts_of(f"elf-libsample-{version}.so.1"))
            shared = Resolved(module=module, libraries=(between, sample, *others))
            said = judge.judge(shared)
            assert len(said) == lacking
            assert said == judge.judge(shared) == judge_libraries(shared, LINUX)
            del shared  # the next tuple would stand where this one stood


def test_a_long_list_of_symbols_is_cut() -> None:
    module = replace(
        facts_of("elf-x86_64-glibc2.17.so"), unversioned=frozenset({"a", "b", "c", "d", "e"})
    )
    (found,) = judge_libraries(Resolved(module=module), LINUX)
    assert "a, b, c and 2 more" in found.evidence
