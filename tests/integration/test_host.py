"""Every CPython on the machine is described as it describes itself."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.tags import sys_tags

from buildtools.errors import CannotLookError, UsageError
from buildtools.host import interpreter_facts, require_supported
from buildtools.targets import wheel_tags
from tests.interpreters import INTERPRETERS


@pytest.mark.parametrize("python", INTERPRETERS, ids=lambda path: path.parent.parent.name)
def test_suffixes_and_tags_are_the_interpreters_own(python: Path) -> None:
    facts = interpreter_facts(python)
    code = "import importlib.machinery as m; print('\\n'.join(m.EXTENSION_SUFFIXES))"
    own = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    assert facts.abi.ext_suffixes == tuple(own.stdout.split())
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    if str(facts.abi.version) == here:
        assert ["-".join(tag) for tag in wheel_tags(facts.target)] == [str(t) for t in sys_tags()]


def test_a_venv_is_known_by_its_folder(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "v"], check=True)
    facts = interpreter_facts(tmp_path / "v")
    assert facts.is_venv
    assert not facts.has_pip
    assert facts.platlib.is_relative_to(tmp_path / "v")
    assert not facts.externally_managed


def test_pythonpath_is_seen_where_an_application_would_see_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert interpreter_facts(INTERPRETERS[0]).sys_path[0] == str(tmp_path)


def test_an_environment_whose_python_is_gone_says_so(tmp_path: Path) -> None:
    (tmp_path / "v" / "bin").mkdir(parents=True)
    (tmp_path / "v" / "bin" / "python").symlink_to(tmp_path / "gone")
    with pytest.raises(CannotLookError) as caught:
        interpreter_facts(tmp_path / "v" / "bin" / "python")
    assert "gone" in caught.value.why


def test_what_is_no_interpreter_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotLookError, match="does not answer"):
        interpreter_facts(shutil.which("true") or "")
    with pytest.raises(CannotLookError, match="no Python in this folder"):
        interpreter_facts(tmp_path)
    with pytest.raises(CannotLookError, match="on PATH"):
        interpreter_facts("no-such-python-9")


def test_an_old_python_is_named_but_not_mended() -> None:
    old = next((path for path in _pyenv() if path.parent.parent.name.startswith("3.9")), None)
    if old is None:
        pytest.skip("no CPython older than 3.11 on this machine")
    facts = interpreter_facts(old)
    assert facts.version.startswith("3.9")
    with pytest.raises(UsageError, match="not supported"):
        require_supported(facts)


def _pyenv() -> list[Path]:
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    return sorted(root.glob("*/bin/python"))
