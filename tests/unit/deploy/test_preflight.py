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
