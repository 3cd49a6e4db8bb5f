"""The pre-flight on real repositories: what git has, what it ignores, each version of its index."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from buildtools.deploy.gitindex import repository_of

CORPUS = Path(__file__).resolve().parents[1] / "corpus" / "binaries"
MODULES = 300


def git(root: Path, *words: str) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(root), "GIT_CONFIG_NOSYSTEM": "1"}
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"]
    return subprocess.run(
        ["git", "-C", root, *identity, *words],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    ).stdout


def doctor(root: Path) -> tuple[int, dict[str, list[str]]]:
    """The exit code, and severity and cause by path."""
    done = subprocess.run(
        [sys.executable, "-m", "buildtools", "doctor", ".", "--target", "render", "--json"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    findings: dict[str, list[str]] = {}
    for one in json.loads(done.stdout)["findings"]:
        findings.setdefault(one["path"], []).append(f"{one['severity']} {one['cause']}")
    return done.returncode, findings


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout with 300 modules of a Mac in a virtual environment, none of it in git yet."""
    root = tmp_path / "shop"
    site = root / ".venv/lib/python3.14/site-packages/drv"
    site.mkdir(parents=True)
    (root / ".venv/pyvenv.cfg").write_text("home = /opt/homebrew/bin\nversion = 3.14.0\n")
    for number in range(MODULES):
        shutil.copy(
            CORPUS / "macho-arm64-macos11.so", site / f"m{number}.cpython-314-x86_64-linux-gnu.so"
        )
    (root / "app.py").write_text("import drv.m1\n")
    git(root, "init", "--quiet")
    return root


def test_a_venv_is_judged_by_what_git_does_with_it(project: Path) -> None:
    module = ".venv/lib/python3.14/site-packages/drv/m7.cpython-314-x86_64-linux-gnu.so"
    (project / ".gitignore").write_text(".venv/\n")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "first")
    code, findings = doctor(project)
    assert code == 0
    assert findings[module] == ["info foreign-format"]
    assert findings[".venv"] == ["info wheel-tag-mismatch"]

    (project / ".gitignore").write_text("*.log\n")
    code, findings = doctor(project)
    assert code == 1
    assert findings[module] == ["error foreign-format"]
    assert findings[".venv"] == ["warning wheel-tag-mismatch"]

    # What is in git is deployed, ignored or not.
    git(project, "add", ".")
    (project / ".gitignore").write_text(".venv/\n")
    code, findings = doctor(project)
    assert code == 1
    assert findings[module] == ["error foreign-format"]
    assert findings[".venv"] == ["warning wheel-tag-mismatch"]


@pytest.mark.parametrize("version", ["2", "3", "4"])
def test_the_index_is_read_as_git_reads_it(tmp_path: Path, version: str) -> None:
    for name in ("a.py", "deep/er/b.py", "deep/er/bb.py", "späte.txt", "sp ace/c"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "a.py", "deep", "sp ace")
    git(tmp_path, "add", "--intent-to-add", "späte.txt")  # needs the extended flags of version 3
    git(tmp_path, "update-index", "--index-version", version)
    found = repository_of(tmp_path)
    assert found is not None
    assert found.tracked == frozenset(git(tmp_path, "ls-files", "-z").rstrip("\0").split("\0"))
    assert found.left_out(["späte.txt", "new.txt"]) == frozenset()


def test_a_repository_of_sha_256_and_a_split_index_are_read_too(tmp_path: Path) -> None:
    for name, words in (("long", ["--object-format=sha256"]), ("split", [])):
        root = tmp_path / name
        root.mkdir()
        git(root, "init", "--quiet", *words)
        (root / "one.py").write_text("1")
        git(root, "add", ".")
        if name == "split":
            git(root, "update-index", "--split-index")
            (root / "two.py").write_text("2")
            git(root, "add", ".")
        found = repository_of(root)
        assert found is not None
        assert found.tracked == frozenset(git(root, "ls-files").split())
