from __future__ import annotations

from pathlib import Path

import pytest

from buildtools.errors import CannotLookError, UsageError
from buildtools.stack.settings import load_settings, make_env, project_name, read_env
from tests.unit.stack.values import settings


def test_credentials_are_made_once_random_and_for_the_owner_alone(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for root in (one, other):
        root.mkdir()
        assert make_env(root, "Shop App").stat().st_mode & 0o777 == 0o600
    first, second = load_settings(one, {}), load_settings(other, {})
    assert first.db_password != second.db_password
    assert len(first.db_password) >= 20
    assert first.project == "shop-app"
    make_env(one, "another")
    assert load_settings(one, {}) == first


def test_what_an_older_release_did_not_write_is_added_and_the_rest_stays(tmp_path: Path) -> None:
    file = make_env(tmp_path, "shop")
    kept = [line for line in file.read_text().splitlines() if "DB_ROOT_PASSWORD" not in line]
    file.write_text("\n".join([*kept, "MINE=1"]))
    with pytest.raises(UsageError, match=r"it is not there\n.*stack env"):
        load_settings(tmp_path, {})
    make_env(tmp_path, "shop")
    assert file.read_text().splitlines()[:-1] == [*kept, "MINE=1"]
    assert len(load_settings(tmp_path, {}).db_root_password) >= 20
    assert file.stat().st_mode & 0o777 == 0o600


def test_git_ignores_the_folder(tmp_path: Path) -> None:
    make_env(tmp_path, "shop")
    assert (tmp_path / ".stack" / ".gitignore").read_text() == "*\n"


def test_the_environment_wins(tmp_path: Path) -> None:
    assert settings(tmp_path, KAFKA_PORT="19092").kafka_port == 19092
    assert settings(tmp_path, DB_NAME="x").db_name == "x"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KAFKA_PORT", "0"),
        ("KAFKA_PORT", "65536"),
        ("DB_PORT", "x"),
        ("DB_USER", "a'b"),
        ("DB_NAME", "a`b"),
        ("REDIS_PASSWORD", 'a"b'),
        ("DB_PASSWORD", "a\nb"),
        ("STACK_PROJECT", "../up"),
        ("KAFKA_ADVERTISED_HOST", "a b"),
    ],
)
def test_what_cannot_be_is_a_usage_error(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(UsageError) as caught:
        settings(tmp_path, **{name: value})
    assert name in str(caught.value)
    if "PASSWORD" in name:
        assert value not in str(caught.value)


def test_without_a_stack_the_next_step_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotLookError, match="no stack"):
        load_settings(tmp_path, {})


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = make_env(tmp_path, "shop")
    file.write_bytes(file.read_bytes() + b"X=\xff\n")
    for look in (lambda: load_settings(tmp_path, {}), lambda: make_env(tmp_path, "shop")):
        with pytest.raises(CannotLookError, match=r"no UTF-8 text(.|\n)*that line"):
            look()


@pytest.mark.parametrize("place", [".stack", ".stack/.env"])
def test_what_is_in_the_place_of_the_folder_is_named(tmp_path: Path, place: str) -> None:
    if place == ".stack":
        (tmp_path / place).write_text("")
    else:
        (tmp_path / place).mkdir(parents=True)
    with pytest.raises(CannotLookError, match=r"\.stack(.|\n)*move away"):
        make_env(tmp_path, "shop")


def test_env_lines_are_read_as_compose_does() -> None:
    text = "# no=1\nA=1\nexport B = 'two words'\nC=\"3\"\nD=x=y\nnonsense\n"
    assert read_env(text) == {"A": "1", "B": "two words", "C": "3", "D": "x=y"}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("9093 # mine", "9093"),
        ("9093\t#mine", "9093"),
        ("a#b", "a#b"),
        ("# none", ""),
        ("", ""),
        ("'a # b' # c", "a # b"),
        ('"a # b"', "a # b"),
        ("it's # so", "it's"),
    ],
)
def test_a_comment_behind_a_value_is_none_of_it(written: str, value: str) -> None:
    assert read_env(f"A={written}\n") == {"A": value}


@pytest.mark.parametrize(
    ("text", "name"), [("My App!", "my-app"), ("--", "stack"), ("a" * 80, "a" * 63)]
)
def test_a_project_name_is_one_that_compose_takes(text: str, name: str) -> None:
    assert project_name(text) == name
