"""The audit: a wheel's tags, its RECORD and its modules must all be so."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildtools.findings import Cause, Severity
from buildtools.recipes import NativeModule, Recipe, derived_recipe
from buildtools.wheels import audit
from buildtools.wheels.tags import promised_targets
from tests.unit.wheels.making import SUFFIX, Making, corpus, row, target


def causes(making: Making, folder: Path, spec: str = "linux/x86_64/glibc2.28/cp311") -> set[Cause]:
    found = audit(making.write(folder), target(spec))
    return {one.cause for one in found if one.severity is Severity.ERROR}


def demanding(module: str, *, required: bool = True) -> Recipe:
    return derived_recipe(
        "sample", imports=["sample"], native=[NativeModule(module=module, required=required)]
    )


def module(name: str, suffix: str = SUFFIX) -> dict[str, bytes]:
    return {"sample/__init__.py": b"", f"sample/_sample{suffix}": corpus(name)}


def test_a_true_wheel_gives_nothing(tmp_path: Path) -> None:
    assert audit(Making().write(tmp_path), target()) == ()
    assert audit(Making().write(tmp_path), None) == ()
    assert audit(Making().write(tmp_path), target(), demanding("sample._sample")) == ()


@pytest.mark.parametrize(
    ("binary", "cause"),
    [
        ("elf-aarch64-glibc2.28.so", Cause.FOREIGN_ARCH),
        ("elf-i686-glibc2.17.so", Cause.FOREIGN_ARCH),
        ("elf-x86_64-musl.so", Cause.LIBC_MISMATCH),
        ("macho-arm64-macos11.so", Cause.FOREIGN_FORMAT),
        ("elf-needs-future-glibc.so", Cause.LIBC_TOO_OLD),
    ],
)
def test_a_module_that_would_not_load_is_named(binary: str, cause: Cause, tmp_path: Path) -> None:
    assert cause in causes(Making(files=module(binary)), tmp_path)


def test_a_module_of_another_machine_makes_the_tag_a_lie(tmp_path: Path) -> None:
    making = Making(files=module("elf-aarch64-glibc2.28.so"))
    found = audit(making.write(tmp_path), None)
    assert [(one.cause, one.severity) for one in found] == [
        (Cause.WHEEL_TAG_MISMATCH, Severity.ERROR)
    ]


def test_too_low_a_floor_is_a_warning_where_it_loads_all_the_same(tmp_path: Path) -> None:
    making = Making(files=module("elf-needs-private-glibc.so"), tag="cp311-cp311-linux_x86_64")
    assert causes(making, tmp_path) == set()
    making = Making(files=module("elf-needs-future-glibc.so"))
    found = audit(making.write(tmp_path), None)
    assert [(one.cause, one.severity) for one in found] == [
        (Cause.WHEEL_TAG_MISMATCH, Severity.WARNING)
    ]


def test_another_pythons_suffix_is_invisible(tmp_path: Path) -> None:
    making = Making(files=module("elf-x86_64-glibc2.17.so", ".cpython-310-x86_64-linux-gnu.so"))
    assert causes(making, tmp_path) == {Cause.ABI_MISMATCH}


def test_a_module_for_another_python_beside_the_own_one_is_no_fault(tmp_path: Path) -> None:
    """asyncmy's wheels for cp314t hold each module for cp314 as well."""
    other = {"sample/_sample.cpython-310-x86_64-linux-gnu.so": corpus("elf-x86_64-glibc2.17.so")}
    wheel = Making(files={**module("elf-x86_64-glibc2.17.so"), **other}).write(tmp_path)
    found = audit(wheel, target(), demanding("sample._sample"))
    assert [(one.cause, one.severity) for one in found] == [(Cause.ABI_MISMATCH, Severity.INFO)]
    lone = {"sample/_other.cpython-310-x86_64-linux-gnu.so": corpus("elf-x86_64-glibc2.17.so")}
    making = Making(files={**module("elf-x86_64-glibc2.17.so"), **lone})
    assert causes(making, tmp_path / "lone") == {Cause.ABI_MISMATCH}


def test_a_pure_tag_over_compiled_code_is_a_lie(tmp_path: Path) -> None:
    assert causes(Making(tag="py3-none-any"), tmp_path) == {Cause.WHEEL_TAG_MISMATCH}


def test_the_wheel_file_and_the_name_must_tell_one_story(tmp_path: Path) -> None:
    lying = Making(wheel_tags=("cp312-cp312-manylinux_2_17_x86_64",))
    assert causes(lying, tmp_path) == {Cause.WHEEL_TAG_MISMATCH}
    # A build that was renamed from linux_x86_64 is only worth a word.
    renamed = Making(wheel_tags=("cp311-cp311-linux_x86_64",))
    found = audit(renamed.write(tmp_path), target())
    assert [one.severity for one in found] == [Severity.INFO]


@pytest.mark.parametrize(
    "spec",
    ["linux/aarch64/glibc2.28/cp311", "linux/x86_64/musl/cp311", "darwin/arm64/cp311",
     "linux/x86_64/glibc2.28/cp312"],
)  # fmt: skip
def test_a_wheel_for_elsewhere_does_not_fit(spec: str, tmp_path: Path) -> None:
    assert Cause.UNSUPPORTED_WHEEL in causes(Making(), tmp_path, spec)


def test_requires_python_is_held_against_the_target(tmp_path: Path) -> None:
    assert causes(Making(requires_python=">=3.12"), tmp_path) == {Cause.UNSUPPORTED_WHEEL}
    assert causes(Making(requires_python=">=3.11.4,<4"), tmp_path) == set()


def test_a_file_that_recorded_otherwise_is_named(tmp_path: Path) -> None:
    making = Making(record={"sample/__init__.py": row("sample/__init__.py", b"other")})
    assert causes(making, tmp_path) == {Cause.RECORD_MISMATCH}


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html>", b"\x7fELF"])
def test_what_only_has_a_modules_name_is_named(content: bytes, tmp_path: Path) -> None:
    files = {"sample/__init__.py": b"", f"sample/_sample{SUFFIX}": content}
    assert causes(Making(files=files), tmp_path) == {Cause.CORRUPT_BINARY}


def test_a_pure_wheel_is_refused_where_a_native_part_is_demanded(tmp_path: Path) -> None:
    pure = Making(files={"sample/__init__.py": b""}, tag="py3-none-any", purelib="true")
    path = pure.write(tmp_path)
    assert audit(path, target()) == ()
    (found,) = audit(path, target(), demanding("sample._sample"))
    assert (found.cause, found.severity) == (Cause.PURE_FALLBACK, Severity.ERROR)
    (found,) = audit(path, target(), demanding("sample._sample", required=False))
    assert found.severity is Severity.WARNING


def test_a_required_module_may_be_a_packages_own(tmp_path: Path) -> None:
    files = {f"sample/__init__{SUFFIX}": corpus()}
    assert audit(Making(files=files).write(tmp_path), target(), demanding("sample")) == ()


def test_a_library_must_be_carried_or_promised(tmp_path: Path) -> None:
    needing = module("elf-needs-libsample-runpath.so")
    assert causes(Making(files=needing), tmp_path) == {Cause.MISSING_LIBRARY}
    carried = {**needing, "sample.libs/libsample.so.1": corpus("elf-libsample-1.1.so.1")}
    assert causes(Making(files=carried), tmp_path) == set()


def test_what_a_clients_plugin_lacks_is_no_error_and_what_a_module_lacks_is(tmp_path: Path) -> None:
    needing = corpus("elf-needs-libsample-runpath.so")
    plugin = {**module("elf-x86_64-glibc2.17.so"), "sample/plugin/auth_sample.so": needing}
    (found,) = audit(Making(files=plugin).write(tmp_path), target())
    assert (found.cause, found.severity) == (Cause.MISSING_LIBRARY, Severity.WARNING)
    # The same bytes under the name that their PyInit_ starts.
    started = {"sample/__init__.py": b"", "sample/_sample.so": needing}
    assert causes(Making(files=started), tmp_path) == {Cause.MISSING_LIBRARY}


def test_promises_take_the_lowest_floor_of_each_place() -> None:
    promised = promised_targets(
        ["manylinux2014_x86_64", "manylinux_2_28_x86_64", "musllinux_1_2_x86_64",
         "macosx_11_0_universal2", "any", "win_amd64"]
    )  # fmt: skip
    assert [one.spec for one in promised] == [
        "linux/x86_64/glibc2.17",
        "linux/x86_64/musl1.2",
        "darwin/arm64/macos11",
        "darwin/x86_64/macos11",
    ]
