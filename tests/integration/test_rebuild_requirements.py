"""What a driver's wheel requires comes with it, offline too, and nothing else is touched."""

import subprocess
import sys
from pathlib import Path

import pytest

from buildtools.configuration import load_configuration
from buildtools.errors import NoWheelError
from buildtools.host import Interpreter, interpreter_facts
from buildtools.install import Installation, Scheme
from buildtools.planning import Choices
from buildtools.rebuild import RebuildRequest
from buildtools.rebuild.dependencies import add_missing
from tests.unit.wheels.making import Making


@pytest.fixture
def interpreter(tmp_path: Path) -> Interpreter:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "v"], check=True)
    return interpreter_facts(tmp_path / "v")


def request(interpreter: Interpreter, tmp_path: Path, *, offline: bool) -> RebuildRequest:
    return RebuildRequest(
        interpreter=interpreter,
        configuration=load_configuration(tmp_path),
        wheelhouse=tmp_path / "house",
        choices=Choices(offline=offline),
    )


def add(asked: RebuildRequest, wheel: Path) -> tuple[str, ...]:
    with Installation(Scheme.of(asked.interpreter)) as installation:
        return add_missing(asked, installation, wheel, "thing")


@pytest.mark.network
def test_what_is_missing_is_added_once_and_then_had_offline(
    interpreter: Interpreter, tmp_path: Path
) -> None:
    wanted = ("iniconfig>=2", 'appnope; sys_platform == "nowhere"', 'idna; extra == "more"')
    wheel = Making(requires_dist=wanted).write(tmp_path)
    first = add(request(interpreter, tmp_path, offline=False), wheel)
    assert [name.split()[0] for name in first] == ["iniconfig"]
    assert (interpreter.purelib / "iniconfig" / "__init__.py").is_file()
    assert add(request(interpreter, tmp_path, offline=False), wheel) == ()
    other = tmp_path / "w"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", other], check=True)
    again = add(request(interpreter_facts(other), tmp_path, offline=True), wheel)
    assert again == first


def test_offline_without_it_the_missing_one_is_named(
    interpreter: Interpreter, tmp_path: Path
) -> None:
    wheel = Making(requires_dist=("iniconfig>=2",)).write(tmp_path)
    with pytest.raises(NoWheelError, match="iniconfig>=2, which thing requires"):
        add(request(interpreter, tmp_path, offline=True), wheel)
    assert not list(interpreter.platlib.glob("iniconfig*"))
