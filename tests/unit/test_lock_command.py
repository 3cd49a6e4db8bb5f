"""Which files ``lock`` resolves when nobody names one."""

from pathlib import Path

import pytest

from buildtools.commands.lock import found_inputs
from buildtools.configuration import load_configuration
from buildtools.errors import UsageError

PROJECT = '[project]\nname = "one"\n'
SETTINGS = "[tool.black]\nline-length = 100\n"


@pytest.mark.parametrize(
    ("files", "taken"),
    [
        ({"requirements.in": "", "pyproject.toml": PROJECT, "requirements.txt": ""}, ".in"),
        ({"pyproject.toml": PROJECT, "requirements.txt": ""}, ".toml"),
        ({"pyproject.toml": SETTINGS, "requirements.txt": ""}, ".txt"),
        ({"requirements.txt": ""}, ".txt"),
    ],
)
def test_the_file_that_says_what_is_required_is_found(
    tmp_path: Path, files: dict[str, str], taken: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert [path.suffix for path in found_inputs(load_configuration(tmp_path))] == [taken]


def test_nothing_to_lock_is_a_mistake_that_names_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(SETTINGS)
    with pytest.raises(UsageError, match="nothing to lock") as caught:
        found_inputs(load_configuration(tmp_path))
    assert "requirements.txt" in caught.value.why
