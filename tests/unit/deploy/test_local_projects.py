"""Folders that pip installed are installed again only when something of them has changed."""

from pathlib import Path

import pytest

from buildtools.deploy.local_projects import LocalProjects
from buildtools.deploy.own_copy import own_requirement


@pytest.fixture
def projects(tmp_path: Path) -> LocalProjects:
    """A project in ``worker``, installed as pip leaves it."""
    worker, site = tmp_path / "worker", tmp_path / "site"
    (worker / "package").mkdir(parents=True)
    (worker / "package" / "__init__.py").write_text("VALUE = 1\n")
    info = site / "worker-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "direct_url.json").write_text(f'{{"url": "{worker.as_uri()}", "dir_info": {{}}}}')
    (info / "RECORD").write_text("package/__init__.py,,\n")
    return LocalProjects(site=site, root=tmp_path)


def test_a_folder_is_due_once(projects: LocalProjects) -> None:
    assert projects.due(["./worker", "iniconfig"]) == ("./worker", "iniconfig")
    projects.keep(["./worker", "iniconfig"])
    assert projects.due(["./worker", "iniconfig"]) == ("iniconfig",)
    assert projects.due(["./worker[mysql]"]) == ("./worker[mysql]",)


def test_a_changed_file_makes_it_due(projects: LocalProjects) -> None:
    projects.keep(["./worker"])
    (projects.root / "worker" / "package" / "__init__.py").write_text("VALUE = 2\n")
    assert projects.due(["./worker"]) == ("./worker",)


@pytest.mark.parametrize("name", ["RECORD", "direct_url.json"])
def test_another_install_makes_it_due(projects: LocalProjects, name: str) -> None:
    projects.keep(["./worker"])
    (projects.site / "worker-1.0.dist-info" / name).write_text("{}")
    assert projects.due(["./worker"]) == ("./worker",)


def test_what_was_never_seen_installed_stays_due(projects: LocalProjects) -> None:
    (projects.site / "worker-1.0.dist-info" / "direct_url.json").unlink()
    projects.keep(["./worker"])
    assert projects.due(["./worker"]) == ("./worker",)


def test_what_a_build_leaves_behind_makes_nothing_due(projects: LocalProjects) -> None:
    projects.keep(["./worker"])
    for name in ("build", "package/__pycache__", ".git", "worker.egg-info"):
        folder = projects.root / "worker" / name
        folder.mkdir()
        (folder / "made").write_text("x")
    assert projects.due(["./worker"]) == ()


def test_keeping_the_same_again_writes_nothing(projects: LocalProjects) -> None:
    projects.keep(["./worker"])
    kept = projects.site / ".buildtools" / "local-projects.json"
    before = kept.stat().st_mtime_ns
    projects.keep(["./worker"])
    assert kept.stat().st_mtime_ns == before


def test_a_damaged_note_counts_as_none(projects: LocalProjects) -> None:
    projects.keep(["./worker"])
    (projects.site / ".buildtools" / "local-projects.json").write_text("[")
    assert projects.due(["./worker"]) == ("./worker",)


def test_this_tool_is_a_version_or_the_folder_that_it_came_from() -> None:
    requirement = own_requirement()
    assert requirement.startswith("native-buildtools==") or Path(requirement).is_dir()
