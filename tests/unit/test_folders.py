"""The user's folders, and users who have none."""

from pathlib import Path

import pytest

from buildtools.errors import CannotLookError, UsageError
from buildtools.folders import cache_root, expanded, home_folder


def test_the_users_cache_folder_is_honoured(tmp_path: Path) -> None:
    assert cache_root({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "buildtools"


@pytest.mark.parametrize("passed_over", ["relative/is/ignored", "", "~/x"])
def test_without_one_it_is_in_the_home(
    passed_over: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", passed_over)
    assert cache_root() == tmp_path / ".cache" / "buildtools"


def test_a_user_with_neither_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's user that is a number has no entry in the password file."""

    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nobody)
    assert home_folder() is None
    with pytest.raises(CannotLookError, match="no folder for the cache") as caught:
        cache_root({})
    assert "XDG_CACHE_HOME" in caught.value.next_step


def test_a_tilde_is_put_in_full(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded("~/house") == tmp_path / "house"
    assert expanded("house") == Path("house")
    with pytest.raises(UsageError, match="names the home of nobody"):
        expanded("~nobody-of-that-name/house")
