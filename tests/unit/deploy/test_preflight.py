"""What the pre-flight says of checkouts and zips: venvs, modules, locks, the Python."""

import shutil
import zipfile
from pathlib import Path

import pytest

from buildtools.configuration import shipped_targets
from buildtools.deploy.locks import lock_name
from buildtools.deploy.preflight import preflight, target_for
from buildtools.doctor import examine
from buildtools.environment import scan
from buildtools.findings import Cause, Finding, Severity
from buildtools.recipes import load_recipes
from buildtools.targets import Target, parse_target

CORPUS = Path(__file__).resolve().parents[2] / "corpus" / "binaries"
RECIPES = load_recipes()
SUFFIX = ".cpython-314-x86_64-linux-gnu.so"
NAMED = shipped_targets()
RENDER = parse_target("render", NAMED)
BLUEPRINT = """\
services:
  - type: web
    name: shop
    runtime: python
    envVars:
      - key: PYTHON_VERSION
        value: {version}
  - type: worker
    name: other
    runtime: python
    envVars:
      - key: PYTHON_VERSION
        value: 3.11.9
"""
CONFIGURATION = '[tool.buildtools.render]\nname = "shop"\nstart = "run"\n'


def look(root: Path, written: str = "render") -> tuple[Target, list[Finding]]:
    tree = scan(root, outside=False)
    target = target_for(parse_target(written, NAMED), written, tree)
    report = preflight(tree, examine(tree, target, RECIPES))
    tree.files.close()
    return target, list(report.findings)


def told(root: Path, written: str = "render") -> list[tuple[Cause, Severity, str]]:
    return [(one.cause, one.severity, one.path) for one in look(root, written)[1]]


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def mac_venv(root: Path, name: str = ".venv") -> Path:
    venv = root / name
    put(venv / "pyvenv.cfg", "home = /opt/homebrew/bin\nversion = 3.14.0\n")
    site = venv / "lib" / "python3.14" / "site-packages" / "drv"
    site.mkdir(parents=True)
    shutil.copy(CORPUS / "macho-arm64-macos11.so", site / "m.cpython-314-darwin.so")
    return venv


def test_a_plain_project_has_nothing_wrong(tmp_path: Path) -> None:
    put(tmp_path / "pyproject.toml", CONFIGURATION + 'python = "3.13.4"\n')
    put(tmp_path / ".python-version", "# the service's\n3.13.4\n")
    put(tmp_path / "render.yaml", BLUEPRINT.format(version="3.13.4"))
    put(tmp_path / "app.py", "print()\n")
    put(tmp_path / "requirements.in", "idna\n")
    target = parse_target("render/cp313", NAMED)
    put(tmp_path / "locks" / lock_name(target), "idna==3.7 \\\n    --hash=sha256:0\n")
    found_target, findings = look(tmp_path)
    assert findings == []
    assert str(found_target.python) == "cp313"


@pytest.mark.parametrize("name", [".venv", "deploy/env"])
def test_a_venv_in_the_tree_is_a_warning_of_its_own(tmp_path: Path, name: str) -> None:
    mac_venv(tmp_path, name)
    venv = [one for one in look(tmp_path)[1] if one.path == name]
    assert [(one.cause, one.severity) for one in venv] == [
        (Cause.WHEEL_TAG_MISMATCH, Severity.WARNING)
    ]
    assert "/opt/homebrew/bin" in venv[0].evidence
    assert ("Render makes its own" in venv[0].evidence) is (name == ".venv")
    # Its modules are judged beside it.
    assert (Cause.FOREIGN_FORMAT, Severity.ERROR) in {entry[:2] for entry in told(tmp_path)}


def test_a_committed_environment_of_condas_is_one_too(tmp_path: Path) -> None:
    put(tmp_path / "env" / "conda-meta" / "history", "")
    put(tmp_path / "environment.yml", "name: shop\n")
    site = tmp_path / "env" / "lib" / "python3.14" / "site-packages" / "drv"
    name = "m.cpython-314-darwin.so"
    site.mkdir(parents=True)
    shutil.copy(CORPUS / "macho-arm64-macos11.so", site / name)
    shutil.copy(CORPUS / "macho-arm64-macos11.so", tmp_path / "env" / "lib" / "libz.1.dylib")
    findings = look(tmp_path)[1]
    assert [(one.cause, one.severity, one.path) for one in findings] == [
        (Cause.FOREIGN_FORMAT, Severity.ERROR, f"env/{site.relative_to(tmp_path / 'env')}/{name}"),
        (Cause.WHEEL_TAG_MISMATCH, Severity.WARNING, "env"),
        (Cause.FOREIGN_FORMAT, Severity.INFO, "env/lib/libz.1.dylib"),
        (Cause.NO_MATCHING_DISTRIBUTION, Severity.INFO, "environment.yml"),
    ]
    assert findings[1].evidence.startswith("found an environment of conda's")
    put(tmp_path / "requirements.txt", "idna\n")
    assert [one.path for one in look(tmp_path)[1]][-1] == "env/lib/libz.1.dylib"


def test_native_modules_among_the_sources_are_worth_knowing(tmp_path: Path) -> None:
    package = tmp_path / "shop"
    package.mkdir()
    for name in "abcd":
        shutil.copy(CORPUS / "elf-x86_64-glibc2.17.so", package / f"{name}.abi3.so")
    shutil.copy(CORPUS / "macho-arm64-macos11.so", package / f"mac{SUFFIX}")
    findings = look(tmp_path)[1]
    assert [(one.cause, one.severity, one.path) for one in findings] == [
        (Cause.FOREIGN_FORMAT, Severity.ERROR, f"shop/mac{SUFFIX}"),
        (Cause.ABI_MISMATCH, Severity.INFO, "shop"),
    ]
    assert "a.abi3.so, b.abi3.so, c.abi3.so and 1 more" in findings[1].evidence


def test_what_a_zip_was_built_with_belongs_there(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        archive.write(CORPUS / "elf-x86_64-glibc2.17.so", "top/shop/a.abi3.so")
        archive.writestr("top/.python-version", "3.6.1\n")
        archive.writestr("top/.venv/pyvenv.cfg", "home = /usr/bin\n")
    assert told(tmp_path / "app.zip") == [
        (Cause.ABI_MISMATCH, Severity.ERROR, ".python-version"),
        (Cause.WHEEL_TAG_MISMATCH, Severity.WARNING, "top/.venv"),
    ]


def test_a_lock_for_other_targets_only_misses_this_one(tmp_path: Path) -> None:
    put(tmp_path / "locks" / "darwin-arm64-cp314.txt", "")
    put(tmp_path / "locks" / "notes.txt", "")
    (finding,) = look(tmp_path)[1]
    assert (finding.cause, finding.severity) == (Cause.NO_MATCHING_DISTRIBUTION, Severity.WARNING)
    assert finding.path == "locks"
    assert "darwin-arm64-cp314.txt" in finding.evidence
    assert "notes" not in finding.evidence
    assert lock_name(RENDER) in finding.evidence
    assert finding.command == f"buildtools lock --target {RENDER.spec}"
    put(tmp_path / "locks" / lock_name(RENDER), "")
    assert look(tmp_path)[1] == []


def test_a_lock_that_the_service_installs_must_be_there(tmp_path: Path) -> None:
    lock = f"locks/{lock_name(RENDER)}"
    put(tmp_path / "pyproject.toml", f'{CONFIGURATION}requirements = ["{lock}"]\n')
    assert told(tmp_path) == [(Cause.NO_MATCHING_DISTRIBUTION, Severity.ERROR, lock)]
    put(tmp_path / lock, "")
    assert told(tmp_path) == []


def test_a_lock_older_than_its_requirements_is_named(tmp_path: Path) -> None:
    put(
        tmp_path / "requirements.in",
        "-r base.in\nPyMySQL>=1  # pure\nappnope; sys_platform == 'darwin'\nmysqlclient\n",
    )
    put(tmp_path / "locks" / lock_name(RENDER), "pymysql==1.1.1 \\\n")
    (finding,) = look(tmp_path)[1]
    assert finding.evidence == "requirements.in asks for mysqlclient, not locked here"


@pytest.mark.parametrize(
    ("text", "severity", "words"),
    [
        ("3.7.2", Severity.ERROR, "older than 3.7.3"),
        ("2.7.18", Severity.ERROR, "no Python that Render has"),
        ("pypy3.10", Severity.ERROR, "no Python that Render has"),
        ("3", Severity.ERROR, "no Python that Render has"),
        ("3.9.1", Severity.WARNING, "requires 3.11"),
        ("3.99.0", Severity.WARNING, "no Python newer than"),
        ("3.13", Severity.INFO, "patch version"),
    ],
)
def test_a_python_that_the_service_does_not_have(
    tmp_path: Path, text: str, severity: Severity, words: str
) -> None:
    put(tmp_path / ".python-version", f"{text}\n")
    (finding,) = look(tmp_path)[1]
    assert (finding.cause, finding.severity) == (Cause.ABI_MISMATCH, severity)
    assert finding.path == ".python-version"
    assert words in finding.evidence
    assert repr(text) in finding.evidence


@pytest.mark.parametrize(
    ("content", "severity", "words"),
    [
        (b"\xef\xbb\xbf3.13.4\n", Severity.ERROR, "byte order mark"),
        ("\ufeff3.13.4\r\n".encode("utf-16-le"), Severity.ERROR, "UTF-16, as PowerShell"),
        (b"3.13.4\r\n\r\n# pyenv's\r\n", None, ""),
        (b"3.13.4\n3.12.1\n3.13.4\n", Severity.WARNING, "2 versions"),
        (b"3.13.4 3.12.1\n", Severity.WARNING, "2 versions"),
        (b"pypy3.10-7.3.17\n", Severity.ERROR, "not CPython"),
        (b"miniconda3-3.12-24.9\n", Severity.ERROR, "conda's"),
        (b"shop-3.12\n", Severity.ERROR, "one of pyenv's environments"),
        (b"system\n", Severity.ERROR, "the Python of one machine"),
        (b"3.13.0t\n", Severity.ERROR, "without a GIL"),
        (b"3.15.0rc1\n", Severity.ERROR, "no release"),
        (b"3.14-dev\n", Severity.ERROR, "no release"),
        (b">=3.12\n", Severity.ERROR, "a range"),
        (b'"3.13.4"\n', Severity.ERROR, "in quotes"),
        (b"# 3.13.4\n\n", None, ""),
        (b"", None, ""),
    ],
)
def test_a_python_version_file_is_read_whatever_wrote_it(
    tmp_path: Path, content: bytes, severity: Severity | None, words: str
) -> None:
    (tmp_path / ".python-version").write_bytes(content)
    found = look(tmp_path)[1]
    assert [one.severity for one in found] == ([severity] if severity else [])
    assert not found or words in found[0].evidence


@pytest.mark.parametrize(("written", "number"), [("3.10", "3.1"), ("0x3", "3"), ("3.20", "3.2")])
def test_a_blueprints_version_without_quotes_may_be_a_number(
    tmp_path: Path, written: str, number: str
) -> None:
    put(tmp_path / "pyproject.toml", CONFIGURATION)
    put(tmp_path / "render.yaml", BLUEPRINT.format(version=written))
    (finding,) = look(tmp_path)[1]
    assert (finding.severity, finding.path) == (Severity.ERROR, "render.yaml")
    assert number in finding.evidence


@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_whole_version_is_one_with_quotes_or_without(tmp_path: Path, quote: str) -> None:
    put(tmp_path / "pyproject.toml", CONFIGURATION)
    put(tmp_path / "render.yaml", BLUEPRINT.format(version=f"{quote}3.13.4{quote}"))
    assert look(tmp_path)[1] == []
    assert str(look(tmp_path)[0].python) == "cp313"


@pytest.mark.parametrize(
    ("beside", "severity"), [("3.12.1", Severity.INFO), ("3.13.4", Severity.WARNING)]
)
def test_runtime_txt_is_another_services_file(
    tmp_path: Path, beside: str, severity: Severity
) -> None:
    put(tmp_path / "runtime.txt", "python-3.12.1\n")
    put(tmp_path / ".python-version", f"{beside}\n")
    target, findings = look(tmp_path)
    assert [(one.severity, one.path) for one in findings] == [(severity, "runtime.txt")]
    assert str(target.python) == f"cp{beside.replace('.', '')[:3]}"
    (tmp_path / ".python-version").unlink()
    assert str(look(tmp_path)[0].python) == "cp314"  # Render's own: it does not read the file
    assert told(tmp_path) == [(Cause.ABI_MISMATCH, Severity.WARNING, "runtime.txt")]
    assert str(look(tmp_path, "linux/x86_64")[0].python) == "cp312"


def test_a_python_too_old_for_the_build_command_is_an_error(tmp_path: Path) -> None:
    put(tmp_path / "pyproject.toml", CONFIGURATION + 'python = "3.10.2"\n')
    assert told(tmp_path) == [(Cause.ABI_MISMATCH, Severity.ERROR, "pyproject.toml")]


def test_the_blueprints_python_must_be_whole_and_wins(tmp_path: Path) -> None:
    put(tmp_path / "pyproject.toml", CONFIGURATION)
    put(tmp_path / "render.yaml", BLUEPRINT.format(version='"3.12"'))
    put(tmp_path / ".python-version", "3.13.4\n")
    target, findings = look(tmp_path)
    assert [(one.severity, one.path) for one in findings] == [
        (Severity.ERROR, "render.yaml"),
        (Severity.WARNING, ".python-version"),
    ]
    assert "'3.12'" in findings[0].evidence
    assert (
        "says 3.13.4, PYTHON_VERSION of render.yaml says 3.12, which wins" in findings[1].evidence
    )
    assert str(target.python) == "cp312"


def test_a_broken_blueprint_and_configuration_are_left_to_their_own_checks(tmp_path: Path) -> None:
    put(tmp_path / "render.yaml", "services: [PYTHON_VERSION\n")
    put(tmp_path / "pyproject.toml", "tool.buildtools = [\n")
    assert told(tmp_path) == []


def test_the_trees_python_counts_only_where_the_target_names_none(tmp_path: Path) -> None:
    put(tmp_path / ".python-version", "3.12.7\n")
    assert str(look(tmp_path)[0].python) == "cp312"
    assert look(tmp_path)[0].python.ext_suffixes[0] == ".cpython-312-x86_64-linux-gnu.so"  # type: ignore[union-attr]
    assert str(look(tmp_path, "render/cp313")[0].python) == "cp313"
    assert str(look(tmp_path, "linux/aarch64")[0].python) == "cp312"
    assert str(look(tmp_path, "linux/aarch64/cp311")[0].python) == "cp311"


def test_other_targets_are_not_deployed_by_a_push(tmp_path: Path) -> None:
    put(tmp_path / ".python-version", "2.7.18\n")
    put(tmp_path / "locks" / "darwin-arm64-cp314.txt", "")
    assert told(tmp_path, "lambda") == []


def test_lambdas_older_pythons_run_on_an_older_linux(tmp_path: Path) -> None:
    put(tmp_path / ".python-version", "3.11.9\n")
    assert look(tmp_path, "lambda")[0].spec == "linux/x86_64/glibc2.26/cp311"
    put(tmp_path / ".python-version", "3.13.4\n")
    assert look(tmp_path, "lambda")[0].spec == "linux/x86_64/glibc2.34/cp313"


def packed(archive: Path, *names: str) -> Path:
    with zipfile.ZipFile(archive, "w") as package:
        for name in names:
            package.writestr(f"{name}/drv-1.0.dist-info/METADATA", "Name: drv\n")
            package.write(CORPUS / "elf-x86_64-glibc2.17.so", f"{name}/drv.abi3.so".lstrip("/"))
    return archive


def test_a_layer_for_another_python_is_not_looked_into(tmp_path: Path) -> None:
    site = "python/lib/python3.12/site-packages"
    layer = packed(tmp_path / "layer.zip", site, "python")
    assert told(layer, "lambda/cp312") == []
    error = (Cause.ABI_MISMATCH, Severity.ERROR, "python/lib/python3.12")
    assert told(layer, "lambda/cp313") == [error]
    assert told(layer, "linux/x86_64/cp313") == []
    shutil.unpack_archive(layer, tmp_path / "unpacked")
    assert told(tmp_path / "unpacked", "lambda/cp313") == [error]


def test_a_zip_of_a_folder_hides_its_packages(tmp_path: Path) -> None:
    wrapped = packed(tmp_path / "function.zip", "package")
    assert told(wrapped, "lambda") == [(Cause.ABI_MISMATCH, Severity.WARNING, "package")]
    assert told(packed(tmp_path / "both.zip", "package", "python"), "lambda") == []
