"""A package says where its plugins are before anything of it is imported."""

from __future__ import annotations

import os

import pytest

from buildtools.acquire.repair import PLUGIN_FOLDER, with_plugin_folder
from buildtools.acquire.request import AcquireError

NAME = "A_PLUGIN_DIR"

SOURCES = {
    "docstring": '"""Doc.\n\nMore.\n"""\n\nimport os\nseen = os.environ.get("A_PLUGIN_DIR")\n',
    "future": (
        '"""Doc."""\nfrom __future__ import annotations\n'
        'import os\nseen = os.environ.get("A_PLUGIN_DIR")\n'
    ),
    "bare": 'import os\nseen = os.environ.get("A_PLUGIN_DIR")\n',
    "no end": '"""Doc."""',
    "empty": "",
    "string is no docstring": 'import os\n"text"\nseen = os.environ.get("A_PLUGIN_DIR")\n',
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES.keys())
def test_the_folder_is_set_before_the_packages_own_code(
    source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(NAME, raising=False)
    monkeypatch.setenv("KEEP", "x")
    namespace: dict[str, object] = {"__file__": "/site/pkg/__init__.py"}
    exec(with_plugin_folder(source, NAME), namespace)  # noqa: S102 - it is what an import does
    assert os.environ.pop(NAME) == f"/site/pkg/{PLUGIN_FOLDER}"
    if "seen" in source:
        assert namespace["seen"] == f"/site/pkg/{PLUGIN_FOLDER}"
    if source.startswith('"""'):
        assert str(namespace["__doc__"]).startswith("Doc.")
    assert "_os" not in namespace


def test_a_folder_that_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "/own")
    exec(with_plugin_folder("", NAME), {"__file__": "/p/__init__.py"})  # noqa: S102
    assert os.environ[NAME] == "/own"


@pytest.mark.parametrize("name", ['A"', "a", "", "A\nB", "A B"])
def test_a_name_that_is_no_variable_is_refused(name: str) -> None:
    with pytest.raises(AcquireError):
        with_plugin_folder("", name)
