"""Environments that make it hard: full disks, read-only and system-owned ones, pip beside it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from tests.interpreters import INTERPRETERS
from tests.planting import Venv, install, make_interpreter, make_venv, run

pytestmark = pytest.mark.network

VERSIONS = ("3.4.0", "3.5.0")
Document = dict[str, list[dict[str, object]]]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheelhouse with two versions of a small native distribution without a recipe."""
    from buildtools.wheelhouse import Provenance, Wheelhouse

    folder = tmp_path_factory.mktemp("wheels")
    for version in VERSIONS:
        run(
            [
                sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder,
                "--only-binary=:all:", f"hiredis=={version}",
            ]
        )  # fmt: skip
    store = Wheelhouse(tmp_path_factory.mktemp("house"))
    provenance = Provenance(driver="hiredis", target="", python="", backend="index", source="index")
    for wheel in folder.glob("*.whl"):
        store.add(wheel, provenance)
    return store.root


@pytest.fixture
def venv(tmp_path: Path) -> Venv:
    return make_venv(tmp_path)


def call(
    words: list[str], cwd: Path, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "buildtools", *words],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), **(variables or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def rebuild(
    venv: Venv, house: Path, *words: str, code: int = 0, command: str = "rebuild"
) -> Document:
    done = call(
        [command, *words, "--offline", "--json", "--python", str(venv.python),
         "--wheelhouse", str(house)],
        venv.outside,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    document: Document = json.loads(done.stdout)
    schema = json.loads((files("buildtools") / "schemas" / f"{command}.schema.json").read_text())
    jsonschema.validate(document, schema)
    return document


def test_a_distribution_without_a_recipe_is_installed_kept_and_moved(
    venv: Venv, house: Path
) -> None:
    (planned,) = rebuild(venv, house, "hiredis==3.4.0", command="plan")["steps"]
    assert (planned["action"], planned["version"], planned["source"]) == (
        "fetch", "3.4.0", "wheelhouse",
    )  # fmt: skip
    document = rebuild(venv, house, "hiredis==3.4.0")
    assert document["drivers"][0]["status"] == "ok"
    assert document["steps"][0]["sha256"] == planned["sha256"]
    (kept,) = rebuild(venv, house, "hiredis")["steps"]
    assert (kept["outcome"], kept["version"]) == ("kept", "3.4.0")
    (moved,) = rebuild(venv, house, "hiredis>=3.5")["steps"]
    assert (moved["outcome"], moved["version"]) == ("installed", "3.5.0")
    assert "want >=3.5" in str(moved["reason"])


@pytest.mark.parametrize("python", INTERPRETERS, ids=lambda python: str(python.parents[1].name))
def test_every_interpreter_of_this_machine_is_mended_from_this_one(
    python: Path, tmp_path: Path
) -> None:
    run([python, "-m", "venv", "--without-pip", tmp_path / "venv"])
    outside = tmp_path / "outside"
    outside.mkdir()
    words = ["rebuild", "hiredis", "--json", "--python", str(tmp_path / "venv")]
    variables = {key: value for key, value in os.environ.items() if key.startswith("PIP_")}
    done = call(words, outside, variables)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["drivers"][0]["status"] == "ok"
    use = "import hiredis; hiredis.Reader(); print(hiredis.__version__)"
    assert run([tmp_path / "venv" / "bin" / "python", "-I", "-c", use]).strip()


def test_the_standard_librarys_driver_is_tried_once_and_again_when_forced(
    venv: Venv, house: Path
) -> None:
    """Nothing is written the second time: a build command run twice must change nothing."""
    rebuild(venv, house, "hiredis==3.4.0", "sqlite3")
    stamp = venv.site / ".buildtools" / "stamp.json"
    before = stamp.stat().st_mtime_ns
    (venv.outside / "pyproject.toml").write_text("[tool.buildtools]\n")
    _, step = rebuild(venv, house, "hiredis==3.4.0", "sqlite3")["steps"]
    assert step["reason"] == "nothing has changed since it was verified"
    assert stamp.stat().st_mtime_ns >= before
    (forced,) = rebuild(venv, house, "sqlite3", "--force")["steps"]
    assert forced["reason"] != "nothing has changed since it was verified"


def test_a_run_with_names_does_not_decide_what_a_run_without_is_about(
    venv: Venv, house: Path
) -> None:
    rebuild(venv, house, "sqlite3")
    rebuild(venv, house, "hiredis==3.4.0")
    (venv.outside / "requirements.txt").write_text("hiredis\n")
    for _ in range(2):
        (step,) = rebuild(venv, house)["steps"]
        assert (step["driver"], step["outcome"]) == ("hiredis", "kept")
    rebuild(venv, house, "sqlite3")
    (step,) = rebuild(venv, house)["steps"]
    assert (step["driver"], step["outcome"]) == ("hiredis", "kept")


def test_requirements_are_followed_and_their_change_makes_it_due(venv: Venv, house: Path) -> None:
    requirements = venv.outside / "requirements.txt"
    requirements.write_text("hiredis==3.4.0\n")
    (step,) = rebuild(venv, house, "hiredis")["steps"]
    assert step["version"] == "3.4.0"
    started = time.perf_counter()
    (step,) = rebuild(venv, house, "hiredis")["steps"]
    assert step["outcome"] == "kept"
    assert time.perf_counter() - started < 5
    requirements.write_text("hiredis==3.5.0\n")
    (step,) = rebuild(venv, house, "hiredis")["steps"]
    assert (step["outcome"], step["version"]) == ("installed", "3.5.0")


def test_pip_lists_checks_and_uninstalls_what_was_installed(venv: Venv, house: Path) -> None:
    before = {path for path in venv.site.rglob("*") if path.is_file()}
    rebuild(venv, house, "hiredis")
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", venv.python]
    listed = json.loads(run([*pip, "list", "--format", "json"]))
    assert {"name": "hiredis", "version": "3.5.0"} in listed
    run([*pip, "check"])
    run([*pip, "uninstall", "--yes", "hiredis"])
    after = {path for path in venv.site.rglob("*") if path.is_file()}
    assert {path for path in after - before if ".buildtools" not in path.parts} == set()


def test_what_pip_installed_is_replaced_and_pip_may_replace_it_again(
    venv: Venv, house: Path
) -> None:
    install(venv, "hiredis==3.4.0", "--only-binary=:all:")
    rebuild(venv, house, "hiredis==3.5.0")
    names = sorted(path.name for path in venv.site.glob("hiredis*"))
    assert names == ["hiredis", "hiredis-3.5.0.dist-info"]
    install(venv, "hiredis==3.4.0", "--only-binary=:all:")
    (step,) = rebuild(venv, house, "hiredis")["steps"]
    assert (step["outcome"], step["version"]) == ("kept", "3.4.0")


def test_offline_without_the_wheel_it_asks_nobody_and_names_it(venv: Venv, tmp_path: Path) -> None:
    log = tmp_path / "pip.log"
    done = call(
        ["rebuild", "mysqlclient", "--offline", "--python", str(venv.python),
         "--wheelhouse", str(tmp_path / "empty")],
        venv.outside,
        {"PIP_LOG": str(log)},
    )  # fmt: skip
    assert done.returncode == 4
    assert not log.exists()  # pip, which writes it, was not even started
    tag = f"cp{venv.version.replace('.', '')}"
    assert f"mysqlclient-*-{tag}-{tag}-" in done.stderr


def test_a_driver_that_fails_its_proof_is_never_left_installed(
    venv: Venv, house: Path, tmp_path: Path
) -> None:
    """A wheel that reads well and does not import: the audit cannot know, the probe does."""
    from buildtools.wheelhouse import Provenance, Wheelhouse
    from tests.unit.wheels.making import Making

    rebuild(venv, house, "hiredis==3.4.0")
    own = tmp_path / "own"
    shutil.copytree(house, own)
    tag = f"cp{venv.version.replace('.', '')}"
    bad = Making(
        name="hiredis",
        version="9.0",
        tag=f"{tag}-{tag}-manylinux_2_17_x86_64",
        files={"hiredis/__init__.py": b"raise SystemError('not today')\n"},
    ).write(tmp_path)
    Wheelhouse(own).add(
        bad, Provenance(driver="hiredis", target="", python="", backend="zig", source="sdist")
    )
    document = rebuild(venv, own, "hiredis==9.0", code=4)
    assert "not today" in json.dumps(document)
    use = "import hiredis; print(hiredis.__version__)"
    assert run([venv.python, "-I", "-c", use]).strip() == "3.4.0"
    assert [path.name for path in venv.site.glob("hiredis-*")] == ["hiredis-3.4.0.dist-info"]


def test_a_system_owned_python_is_refused_with_the_way_out(tmp_path: Path, house: Path) -> None:
    venv = make_interpreter(tmp_path)
    library = venv.site.parent
    (library / "EXTERNALLY-MANAGED").write_text("[externally-managed]\nError=no\n")
    done = call(
        ["rebuild", "hiredis", "--offline", "--python", str(venv.python),
         "--wheelhouse", str(house)],
        venv.outside,
    )  # fmt: skip
    assert done.returncode == 5, done.stderr
    assert "externally-managed" in done.stderr
    assert "-m venv .venv" in done.stderr
    assert not (venv.site / "hiredis").exists()
    done = call(["rebuild", "sqlite3", "--python", str(venv.python)], venv.outside)
    assert done.returncode == 0, done.stderr


def test_interrupted_it_ends_its_children_and_leaves_the_old_one(venv: Venv, house: Path) -> None:
    rebuild(venv, house, "hiredis==3.4.0")
    process = subprocess.Popen(
        [sys.executable, "-m", "buildtools", "rebuild", "hiredis", "--from-source",
         "--python", str(venv.python), "--wheelhouse", str(house)],
        cwd=venv.outside,
        env={**os.environ, "HOME": str(venv.outside), "XDG_CACHE_HOME": str(venv.outside)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if "build" in line:
            break
    time.sleep(1)
    started = time.perf_counter()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert time.perf_counter() - started < 10
    here = str(venv.outside)
    left = [
        command
        for folder in Path("/proc").iterdir()
        if folder.name.isdigit() and here in (command := _command_of(folder))
    ]
    assert left == []
    use = "import hiredis; print(hiredis.__version__)"
    assert run([venv.python, "-I", "-c", use]).strip() == "3.4.0"
    assert not list((venv.site / ".buildtools").glob("tx-*"))


def _command_of(folder: Path) -> str:
    try:
        return (folder / "cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


@contextlib.contextmanager
def mounted(words: list[str], place: Path) -> Iterator[None]:
    run(["mount", *words, str(place)])
    try:
        yield
    finally:
        run(["umount", str(place)])


root_only = pytest.mark.skipif(
    os.geteuid() != 0 and os.environ.get("CI") != "true", reason="mounting needs root"
)


@pytest.mark.root
@root_only
def test_a_full_disk_rolls_back(tmp_path: Path, house: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    with mounted(["-t", "tmpfs", "-o", "size=3m", "tmpfs"], place):
        venv = make_venv(place)
        rebuild(venv, house, "hiredis==3.4.0")
        filler = place / "filler"
        with contextlib.suppress(OSError), filler.open("wb") as stream:
            while True:
                stream.write(b"\0" * 4096)
                stream.flush()
        done = call(
            ["rebuild", "hiredis==3.5.0", "--offline", "--python", str(venv.python),
             "--wheelhouse", str(house)],
            tmp_path,
        )  # fmt: skip
        assert done.returncode == 5, done.stderr
        assert "no-space" in done.stderr
        use = "import hiredis; print(hiredis.__version__)"
        assert run([venv.python, "-B", "-I", "-c", use]).strip() == "3.4.0"
        assert not list((venv.site / ".buildtools").glob("tx-*"))
        filler.unlink()
        (step,) = rebuild(venv, house, "hiredis==3.5.0")["steps"]
        assert step["outcome"] == "installed"


@pytest.mark.root
@root_only
def test_in_a_container_images_layer_files_are_exchanged_one_by_one(
    tmp_path: Path, house: Path
) -> None:
    (tmp_path / "lower").mkdir()
    lower = make_venv(tmp_path / "lower")
    rebuild(lower, house, "hiredis==3.4.0")
    base = tmp_path / "overlay"
    for name in ("upper", "work", "merged"):
        (base / name).mkdir(parents=True)
    options = f"lowerdir={lower.root},upperdir={base}/upper,workdir={base}/work,redirect_dir=off"
    with mounted(["-t", "overlay", "-o", options, "overlay"], base / "merged"):
        merged = Venv(root=base / "merged", outside=lower.outside)
        (step,) = rebuild(merged, house, "hiredis==3.5.0")["steps"]
        assert step["outcome"] == "installed"
        use = "import hiredis; print(hiredis.__version__)"
        assert run([merged.python, "-I", "-c", use]).strip() == "3.5.0"
        assert [path.name for path in merged.site.glob("hiredis-*")] == ["hiredis-3.5.0.dist-info"]
    assert run([lower.python, "-I", "-c", use]).strip() == "3.4.0"


@pytest.mark.root
@root_only
def test_a_read_only_environment_is_refused_and_a_healthy_one_is_kept(
    tmp_path: Path, house: Path
) -> None:
    venv = make_venv(tmp_path)
    rebuild(venv, house, "hiredis==3.4.0")
    place = tmp_path / "read-only"
    place.mkdir()
    run(["mount", "--bind", str(venv.root), str(place)])
    try:
        run(["mount", "-o", "remount,ro,bind", str(place)])
        frozen = Venv(root=place, outside=venv.outside)
        (step,) = rebuild(frozen, house, "hiredis")["steps"]
        assert step["outcome"] == "kept"
        (step,) = rebuild(frozen, house, "hiredis==3.5.0", code=5)["steps"]
        assert "nothing was changed" in str(step["error"])
    finally:
        run(["umount", str(place)])
