"""The command's document, its table and its exit codes."""

import argparse
import io
import json
import shutil
import zipfile
from pathlib import Path

import jsonschema
import pytest

from buildtools.commands import doctor
from buildtools.errors import CannotLookError, ExitCode, UsageError
from buildtools.findings import Cause
from buildtools.report import Screen

ROOT = Path(__file__).resolve().parents[3]
CORPUS = ROOT / "tests" / "corpus" / "binaries"
LINUX_SUFFIX = ".cpython-311-x86_64-linux-gnu.so"
SCHEMA = ROOT / "buildtools" / "schemas" / "doctor.schema.json"
LINUX = ("--target", "linux/x86_64/glibc2.28/cp311")


def run(*words: str | Path, as_json: bool = False) -> tuple[ExitCode, str]:
    parser = argparse.ArgumentParser()
    parser.add_argument("--python")
    doctor.add_arguments(parser)
    out = io.StringIO()
    screen = Screen(as_json=as_json, out=out, err=io.StringIO())
    code = doctor.run(parser.parse_args([str(word) for word in words]), screen)
    return code, out.getvalue()


def broken(tmp_path: Path, file: str = "elf-aarch64-glibc2.28.so", name: str = "m.abi3.so") -> Path:
    folder = tmp_path / "app"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(CORPUS / file, folder / name)
    return folder


def test_the_document_is_as_its_schema_says(tmp_path: Path) -> None:
    code, text = run(broken(tmp_path), *LINUX, as_json=True)
    document = json.loads(text)
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert next(iter(document)) == "schema"
    assert document["target"]["arch"] == "x86_64"
    assert [one["cause"] for one in document["findings"]] == ["foreign-arch"]
    assert code is ExitCode.NO


def test_the_documents_causes_are_the_loading_causes_and_a_lock_that_misses() -> None:
    schema = json.loads(SCHEMA.read_text())
    named = schema["properties"]["findings"]["items"]["properties"]["cause"]["enum"]
    every = [cause.value for cause in Cause]
    # The one building cause is the pre-flight's: a lock that misses the target.
    assert named == [*every[: every.index("missing-compiler")], "no-matching-distribution"]


def test_several_paths_are_told_apart(tmp_path: Path) -> None:
    one, two = (
        broken(tmp_path),
        broken(tmp_path / "other"),
    )
    _, text = run(one, two, *LINUX, as_json=True)
    document = json.loads(text)
    assert [entry["path"] for entry in document["findings"]] == [
        f"{one}: m.abi3.so",
        f"{two}: m.abi3.so",
    ]
    assert document["scanned"]["modules"] == 2


def test_a_folder_of_wheels_stands_for_its_wheels(tmp_path: Path) -> None:
    for name, binary in (("good", "elf-x86_64-glibc2.17.so"), ("bad", "macho-arm64-macos11.so")):
        with zipfile.ZipFile(tmp_path / f"{name}-1.0-cp311-cp311-linux_x86_64.whl", "w") as wheel:
            wheel.write(CORPUS / binary, f"{name}.cpython-311-x86_64-linux-gnu.so")
    code, text = run(tmp_path, *LINUX, as_json=True)
    document = json.loads(text)
    assert code is ExitCode.NO
    assert document["scanned"]["modules"] == 2
    assert [
        (one["cause"], Path(one["path"].split(": ")[0]).name) for one in document["findings"]
    ] == [("foreign-format", "bad-1.0-cp311-cp311-linux_x86_64.whl")]
    # Beside a project's file they are a part of it.
    (tmp_path / "pyproject.toml").touch()
    assert run(tmp_path, *LINUX)[0] is ExitCode.OK


def artefacts(folder: Path) -> Path:
    """A wheel that fits, one that does not, and four archives that cannot be read."""
    for name, binary in (("good", "elf-x86_64-glibc2.17.so"), ("bad", "macho-arm64-macos11.so")):
        with zipfile.ZipFile(folder / f"{name}-1.0-cp311-cp311-linux_x86_64.whl", "w") as wheel:
            wheel.write(CORPUS / binary, f"{name}{LINUX_SUFFIX}")
    whole = (folder / "good-1.0-cp311-cp311-linux_x86_64.whl").read_bytes()
    (folder / "cut-1.0-cp311-cp311-linux_x86_64.whl").write_bytes(whole[:-30])
    # Its list of entries is whole, the content of the module is not: found out when it is read.
    middle = len(whole) // 2
    spoilt = whole[:middle] + bytes(byte ^ 0xFF for byte in whole[middle : middle + 64])
    (folder / "spoilt-1.0-cp311-cp311-linux_x86_64.whl").write_bytes(spoilt + whole[middle + 64 :])
    (folder / "page.zip").write_text("<!DOCTYPE html>404")
    (folder / "layer.tar.gz").write_bytes(b"\x1f\x8b\x08\0cut")
    return folder


def test_a_damaged_artefact_of_a_set_is_a_finding_and_the_rest_is_judged(tmp_path: Path) -> None:
    code, text = run(artefacts(tmp_path), *LINUX, as_json=True)
    document = json.loads(text)
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    told = {
        (Path(one["path"].partition(": ")[0]).name, one["cause"]) for one in document["findings"]
    }
    damaged = {"cut-1.0-cp311-cp311-linux_x86_64.whl", "page.zip", "layer.tar.gz"}
    assert told == {
        ("bad-1.0-cp311-cp311-linux_x86_64.whl", "foreign-format"),
        ("spoilt-1.0-cp311-cp311-linux_x86_64.whl", "corrupt-binary"),
        *((name, "corrupt-binary") for name in damaged),
    }
    assert code is ExitCode.NO
    _, words = run(tmp_path, *LINUX)
    assert "good-1.0-cp311-cp311-linux_x86_64.whl: 1 native files" in words
    assert "could not look: the archive is damaged" in words


def test_a_set_of_which_nothing_can_be_read_could_not_be_looked_at(tmp_path: Path) -> None:
    whole = artefacts(tmp_path)
    with pytest.raises(CannotLookError, match="damaged"):
        run(whole / "page.zip", whole / "layer.tar.gz", *LINUX)
    code, _ = run(whole / "page.zip", whole / "good-1.0-cp311-cp311-linux_x86_64.whl", *LINUX)
    assert code is ExitCode.NO
    with pytest.raises(CannotLookError, match="nothing at this path"):  # a slip of the pen
        run(whole / "page.zip", whole / "goof.whl", *LINUX)


def test_a_folder_that_holds_nothing_but_archives_stands_for_them(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "function.zip", "w") as package:
        package.write(CORPUS / "macho-arm64-macos11.so", f"m{LINUX_SUFFIX}")
    assert run(tmp_path, *LINUX)[0] is ExitCode.NO
    (tmp_path / "app.py").touch()  # sources: what is packed beside them is not what is deployed
    assert run(tmp_path, *LINUX)[0] is ExitCode.OK


def test_the_wheels_of_a_set_are_installed_together(tmp_path: Path) -> None:
    """As PyQt6 and PyQt6-Qt6 are: one brings the libraries that the other needs."""
    module = f"app{LINUX_SUFFIX}"
    for name, binary, file in (
        ("app", "elf-needs-libsample-runpath.so", module),
        ("sample", "elf-libsample-1.1.so.1", "sample/lib/libsample.so.1"),
    ):
        with zipfile.ZipFile(tmp_path / f"{name}-1.0-cp311-cp311-linux_x86_64.whl", "w") as wheel:
            wheel.write(CORPUS / binary, file)
    code, text = run(tmp_path, *LINUX, as_json=True)
    assert code is ExitCode.OK, text
    (tmp_path / "sample-1.0-cp311-cp311-linux_x86_64.whl").unlink()
    code, text = run(tmp_path, *LINUX, as_json=True)
    assert code is ExitCode.NO
    assert {one["cause"] for one in json.loads(text)["findings"]} == {"missing-library"}


def test_the_trees_own_python_is_the_targets_where_it_names_none(tmp_path: Path) -> None:
    (tmp_path / ".python-version").write_text("3.12.1\n")
    _, text = run(tmp_path, "--target", "render", as_json=True)
    document = json.loads(text)
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert document["target"]["abi"] == "cp312"
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "darwin-arm64-cp312.txt").touch()
    _, text = run(tmp_path, "--target", "render", as_json=True)
    document = json.loads(text)
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert [one["cause"] for one in document["findings"]] == ["no-matching-distribution"]


def test_people_read_evidence_remedy_and_a_summary(tmp_path: Path) -> None:
    code, text = run(broken(tmp_path), *LINUX)
    assert code is ExitCode.NO
    assert "error  foreign-arch  m.abi3.so" in text
    assert "found machine code for aarch64" in text
    assert "1 native files" in text
    assert "1 errors, 0 warnings" in text


def test_a_healthy_folder_ends_with_ok_and_says_so(tmp_path: Path) -> None:
    code, text = run(broken(tmp_path, "elf-x86_64-glibc2.17.so"), *LINUX)
    assert code is ExitCode.OK
    assert "everything would load" in text


def test_warnings_fail_only_when_strict(tmp_path: Path) -> None:
    folder = broken(tmp_path, "elf-x86_64-glibc2.17.so", "m.cpython-310-x86_64-linux-gnu.so")
    (folder / "m.py").touch()
    assert run(folder, *LINUX)[0] is ExitCode.OK
    assert run(folder, *LINUX, "--strict")[0] is ExitCode.NO


def test_names_that_are_no_text_or_move_a_terminal_are_written_out(tmp_path: Path) -> None:
    folder = broken(tmp_path, name="m\x1b[31m\udcff.abi3.so")
    _, text = run(folder, *LINUX)
    assert "m\\x1b[31m\\udcff.abi3.so" in text
    _, text = run(folder, *LINUX, as_json=True)
    document = json.loads(text.encode("utf-8"))
    assert document["findings"][0]["path"] == "m\x1b[31m\\udcff.abi3.so"


def test_providers_are_listed_when_asked_for(tmp_path: Path) -> None:
    folder = broken(tmp_path, "elf-x86_64-glibc2.17.so", "drv.abi3.so")
    assert "drv.abi3.so" not in run(folder, *LINUX)[1]
    assert "drv.abi3.so" in run(folder, *LINUX, "--imports")[1]


def test_what_cannot_be_looked_at_and_a_bad_target_are_errors_of_their_own(tmp_path: Path) -> None:
    with pytest.raises(CannotLookError):
        run(tmp_path / "absent")
    with pytest.raises(UsageError):
        run(tmp_path, "--target", "amiga/68k")


def test_every_cause_is_described() -> None:
    text = (ROOT / "docs" / "causes.md").read_text()
    every = [cause.value for cause in Cause]
    loading = every[: every.index("missing-compiler")]
    assert [line[5:-1] for line in text.splitlines() if line.startswith("### `")] == loading
    for cause in every:
        assert f"`{cause}`" in text
