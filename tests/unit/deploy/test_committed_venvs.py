"""Environments of another machine in a project: what is removed, and what is left alone."""

import shutil
from pathlib import Path

from buildtools.deploy.committed_venvs import disarm_strays, remake
from buildtools.host import interpreter_facts

CORPUS = Path(__file__).resolve().parents[2] / "corpus" / "binaries"
HERE = interpreter_facts()
LACKING = "elf-needs-libsample-rpath"
"""Of the right kind, but without a library that it needs: that may come yet."""


def venv(root: Path, *modules: str) -> Path:
    site = root / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    (root / "pyvenv.cfg").write_text("home = /opt/homebrew/bin\nversion = 3.11.9\n")
    for name in modules:
        shutil.copy(CORPUS / f"{name}.so", site / f"{name.replace('-', '_')}.so")
    return root


def left(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*.so"))


def test_modules_of_the_wrong_kind_go_and_fitting_ones_stay(tmp_path: Path) -> None:
    said: list[str] = []
    one = venv(tmp_path / "venv", "macho-arm64-macos11", "elf-x86_64-glibc2.17", LACKING)
    two = venv(tmp_path / "deploy" / "env", "elf-aarch64-glibc2.28")
    disarm_strays(tmp_path, HERE, said.append)
    assert left(one) == [f"{LACKING.replace('-', '_')}.so", "elf_x86_64_glibc2.17.so"]
    assert left(two) == []
    assert (one / "pyvenv.cfg").exists()
    assert len(said) == 2
    assert said[0].startswith("removed: 1 native modules of the wrong kind in venv,")
    disarm_strays(tmp_path, HERE, said.append)
    assert len(said) == 2, "a second time there is nothing to do"


def test_links_the_services_own_and_what_is_no_environment_are_left(tmp_path: Path) -> None:
    project = tmp_path / "project"
    own = venv(project / ".venv", "macho-arm64-macos11")
    outside = venv(tmp_path / "outside", "macho-arm64-macos11")
    (project / "linked").symlink_to(outside)
    (project / "vendor").mkdir()
    shutil.copy(CORPUS / "macho-arm64-macos11.so", project / "vendor")
    disarm_strays(project, HERE, print)
    assert left(own)
    assert left(outside)
    assert left(project / "vendor")


def test_a_link_out_of_a_stray_environment_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "kept.so"
    shutil.copy(CORPUS / "macho-arm64-macos11.so", secret)
    stray = venv(tmp_path / "project" / "venv")
    link = stray / "lib/python3.11/site-packages/linked.so"
    link.symlink_to(secret)
    disarm_strays(tmp_path / "project", HERE, print)
    assert link.exists()
    assert secret.exists()


def test_without_an_environment_the_interpreter_is_the_services(tmp_path: Path) -> None:
    said: list[str] = []
    assert remake(tmp_path, HERE, said.append) is HERE
    assert not said
