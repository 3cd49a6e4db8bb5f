"""What healthy wheels of the index show and is no fault, by kind; each beside its real fault."""

import argparse
import io
import zipfile
from pathlib import Path

import pytest

from buildtools.commands import doctor
from buildtools.doctor import Beside, Report, examine
from buildtools.environment import scan
from buildtools.findings import Cause, Severity
from buildtools.recipes import load_recipes
from buildtools.report import Screen
from buildtools.targets import parse_target

CORPUS = Path(__file__).resolve().parents[2] / "corpus" / "binaries"
RECIPES = load_recipes()
LINUX = "linux/x86_64/glibc2.28/cp311"
MACOS = "darwin/arm64/macos11/cp311"
LINUX_TAG = "cp311-cp311-manylinux_2_17_x86_64"
NEEDS = "elf-needs-libsample-runpath.so"
GOOD = "elf-x86_64-glibc2.17.so"
Told = set[tuple[Cause, Severity]]


def wheel(
    folder: Path, files: dict[str, str | bytes], tag: str = LINUX_TAG, requires: str = ""
) -> Path:
    """A wheel ``drv`` with these files: names of the corpus, or bytes."""
    path = folder / f"drv-1.0-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            given = (CORPUS / content).read_bytes() if isinstance(content, str) else content
            archive.writestr(name, given)
        info = "drv-1.0.dist-info"
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: drv\n{requires}\n")
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
        archive.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in files))
    return path


def look(path: Path, target: str = LINUX, beside: Beside | None = None) -> Report:
    tree = scan(path)
    try:
        return examine(tree, parse_target(target, {}), RECIPES, beside=beside or Beside())
    finally:
        tree.files.close()


def told(path: Path, target: str = LINUX, beside: Beside | None = None) -> Told:
    return {(one.cause, one.severity) for one in look(path, target, beside).findings}


MISSING = {(Cause.MISSING_LIBRARY, Severity.ERROR)}


def test_a_library_of_another_wheel_may_come_with_it(tmp_path: Path) -> None:
    needing: dict[str, str | bytes] = {
        "drv/_m.abi3.so": NEEDS
    }  # its runpath is $ORIGIN/../sample.libs
    requires = "Requires-Dist: Drv_Libs (>=1)\nRequires-Dist: x ; extra == 'y'\n"
    path = wheel(tmp_path, needing, requires=requires)
    (finding,) = look(path).findings
    assert (finding.cause, finding.severity) == (Cause.MISSING_LIBRARY, Severity.INFO)
    assert "requires drv-libs, which may bring it" in finding.evidence
    # In a set with that wheel nothing is left to hope for.
    assert told(path, beside=Beside(distributions=frozenset({"drv-libs"}))) == MISSING
    brought = Beside(files=frozenset({"libsample.so.1"}), distributions=frozenset({"drv-libs"}))
    assert told(path, beside=brought) == {(Cause.MISSING_LIBRARY, Severity.INFO)}


@pytest.mark.parametrize(
    ("files", "requires"),
    [
        ({"drv/_m.abi3.so": NEEDS}, ""),
        ({"drv/_m.abi3.so": NEEDS}, "Requires-Dist: drv-libs ; extra == 'all'\n"),
        # Its folder is there, and the library is not in it.
        ({"drv/_m.abi3.so": NEEDS, "sample.libs/x.txt": b"x"}, "Requires-Dist: drv-libs\n"),
    ],
    ids=["requires nothing", "an extra", "a folder of its own"],
)
def test_a_library_that_nothing_brings_is_an_error(
    tmp_path: Path, files: dict[str, str | bytes], requires: str
) -> None:
    assert told(wheel(tmp_path, files, requires=requires)) == MISSING


def test_a_wheel_for_another_place_is_an_error_whatever_it_holds(tmp_path: Path) -> None:
    mere = wheel(tmp_path, {"drv/libx.so": GOOD}, "py3-none-manylinux_2_17_x86_64")
    error = (Cause.WHEEL_TAG_MISMATCH, Severity.ERROR)
    assert told(mere) == set()
    assert error in told(mere, MACOS)
    assert error in told(mere, "linux/aarch64/glibc2.28/cp311")
    # What an installer goes by is the file's name, whatever WHEEL says.
    lying = wheel(tmp_path, {"drv/x.txt": b""}, "py3-none-any")
    renamed = lying.rename(tmp_path / "drv-1.0-py3-none-macosx_11_0_arm64.whl")
    assert told(renamed) == {error}
    assert told(renamed, MACOS) == set()
    program = wheel(tmp_path, {"drv-1.0.data/scripts/drv": GOOD}, "py3-none-macosx_11_0_arm64")
    assert told(program) == {error}
    assert told(program, MACOS) == set()


def test_a_wheel_for_any_system_may_carry_files_of_several(tmp_path: Path) -> None:
    assorted: dict[str, str | bytes] = {
        "drv/_m.cp311-win_amd64.pyd": "pe-x86_64.pyd",
        "drv/_m.cpython-311-darwin.so": "macho-arm64-macos11.so",
        "drv/attach.so": "elf-needs-future-glibc.so",
    }
    found = told(wheel(tmp_path, assorted, "py3-none-any"))
    assert {severity for _, severity in found} == {Severity.INFO, Severity.WARNING}
    mac = {name: file for name, file in assorted.items() if "darwin" in name}
    assert told(wheel(tmp_path, mac, "py2.py3-none-any")) == {
        (Cause.FOREIGN_FORMAT, Severity.ERROR)
    }


def test_a_newer_macos_than_the_tag_says_is_a_warning(tmp_path: Path) -> None:
    newer: dict[str, str | bytes] = {"drv/_m.abi3.so": "macho-arm64-macos14.so"}
    honest = wheel(tmp_path, newer, "cp311-abi3-macosx_14_0_arm64")
    assert (Cause.MACOS_TOO_OLD, Severity.ERROR) in told(honest, MACOS)
    lying = wheel(tmp_path, newer, "cp311-abi3-macosx_11_0_arm64")
    assert told(lying, MACOS) == {(Cause.MACOS_TOO_OLD, Severity.WARNING)}


def test_what_macos_writes_beside_a_file_is_no_library(tmp_path: Path) -> None:
    fork = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X"
    files: dict[str, str | bytes] = {"drv/libx.so": GOOD, "drv/._libx.so": fork}
    assert told(wheel(tmp_path, files)) == set()
    files = {"drv/libx.so": GOOD, "drv/libfork.so": fork}
    assert told(wheel(tmp_path, files)) == {(Cause.CORRUPT_BINARY, Severity.ERROR)}


def test_a_driver_published_as_a_pure_wheel_works_so(tmp_path: Path) -> None:
    path = wheel(tmp_path, {"mariadb/__init__.py": b""}, "py3-none-any")
    named = tmp_path / "mariadb-2.0-py3-none-any.whl"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(named, "w") as new:
        for name in old.namelist():
            new.writestr(name.replace("drv-1.0", "mariadb-2.0"), old.read(name))
    assert told(named) == {(Cause.PURE_FALLBACK, Severity.WARNING)}


def test_people_read_findings_of_one_kind_once(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        f"drv/m{number}.abi3.so": "macho-arm64-macos11.so" for number in range(40)
    }
    out = io.StringIO()
    parser = argparse.ArgumentParser()
    parser.add_argument("--python")
    doctor.add_arguments(parser)
    args = parser.parse_args([str(wheel(tmp_path, files)), "--target", LINUX])
    assert doctor.run(args, Screen(out=out, err=io.StringIO())) == 1
    lines = out.getvalue().splitlines()
    assert len(lines) < 12
    assert "and 38 more of this kind: m10.abi3.so, m11.abi3.so, " in out.getvalue()
    assert lines[-1].endswith("40 errors, 0 warnings")


def test_what_others_of_a_kind_say_is_not_hidden(tmp_path: Path) -> None:
    kinds = ["elf-aarch64-glibc2.28.so", "elf-i686-glibc2.17.so", "elf-s390x-glibc2.28.so"]
    files: dict[str, str | bytes] = {
        f"drv/m{number:02}.abi3.so": kinds[0] if number < 9 else kinds[number % 3]
        for number in range(20)
    }
    out = io.StringIO()
    parser = argparse.ArgumentParser()
    parser.add_argument("--python")
    doctor.add_arguments(parser)
    args = parser.parse_args([str(wheel(tmp_path, files)), "--target", LINUX])
    assert doctor.run(args, Screen(out=out, err=io.StringIO())) == 1
    assert "and 18 more of this kind: m02.abi3.so, " in out.getvalue()
    assert "  m10.abi3.so, m13.abi3.so, m16.abi3.so, m19.abi3.so: found machine" in out.getvalue()
    assert "m11.abi3.so, m14.abi3.so, m17.abi3.so: found machine code for s390x" in out.getvalue()
