"""A rebuild killed at any moment leaves the old driver or the new one, whole, and no stale lock."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.planting import make_venv, run

pytestmark = pytest.mark.network

KILLS = int(os.environ.get("BUILDTOOLS_KILLS", "200"))
SEED = int(os.environ.get("BUILDTOOLS_SEED", "2024"))
VERSIONS = ("0.6.0", "0.6.1")

USE = """
import pysqlite3
db = pysqlite3.connect(":memory:")
db.execute("create virtual table t using fts5(a)")
db.execute("insert into t values ('whole')")
assert db.execute("select a from t where t match 'whole'").fetchone() == ("whole",)
print(pysqlite3._sqlite3.__file__)
"""
"""What an application does with the driver."""


class Bench:
    """A venv, a wheelhouse with two versions of a driver, and what each version consists of."""

    def __init__(self, folder: Path) -> None:
        self.venv = make_venv(folder)
        self.house = folder / "house"
        self.home = folder / "home"
        self.home.mkdir()
        downloads = folder / "downloads"
        for version in VERSIONS:
            run(
                [
                    sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
                    "--only-binary=:all:", "--dest", downloads, f"pysqlite3=={version}",
                ]
            )  # fmt: skip
        self.contents = dict(map(self._store, sorted(downloads.glob("*.whl"))))

    def _store(self, wheel: Path) -> tuple[str, Mapping[str, str]]:
        from buildtools.wheelhouse import Provenance, Wheelhouse

        provenance = Provenance(
            driver="pysqlite3", target="", python="", backend="index", source="index"
        )
        stored = Wheelhouse(self.house).add(wheel, provenance)
        with zipfile.ZipFile(wheel) as archive:
            inside = [one.filename for one in archive.infolist() if not one.is_dir()]
            names = [name for name in inside if name.startswith("pysqlite3/")]
            digests = {name: hashlib.sha256(archive.read(name)).hexdigest() for name in names}
        return stored.version, digests

    def command(self, version: str, *words: str) -> list[str]:
        return [
            sys.executable, "-m", "buildtools", "rebuild", f"pysqlite3=={version}", "--offline",
            "--json", "--quiet", "--python", str(self.venv.python), "--wheelhouse", str(self.house),
            *words,
        ]  # fmt: skip

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.home)}

    def start(self, version: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command(version, "--force"),
            cwd=self.home,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def rebuild(self, version: str, *words: str) -> dict[str, object]:
        done = subprocess.run(
            self.command(version, *words),
            cwd=self.home,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        document: dict[str, object] = json.loads(done.stdout)
        return document

    def installed(self) -> str:
        """The version whose files lie there, every one and no other; fails when there is none."""
        site = self.venv.site
        found = {
            path.relative_to(site).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (site / "pysqlite3").rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        for version, digests in self.contents.items():
            if found == digests:
                return version
        raise AssertionError(f"neither the old nor the new driver is whole: {sorted(found)}")

    def use(self) -> None:
        """The driver imports and works, in a process of its own."""
        loaded = run([self.venv.python, "-I", "-c", USE]).strip()
        assert loaded.startswith(str(self.venv.site / "pysqlite3"))

    def leftovers(self) -> list[str]:
        hidden = self.venv.site / ".buildtools"
        return sorted(path.name for path in hidden.iterdir() if path.name.startswith("tx-"))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("kill"))


def test_killed_at_random_moments_the_driver_stays_whole(bench: Bench) -> None:
    bench.rebuild(VERSIONS[0])
    started = time.monotonic()
    bench.rebuild(VERSIONS[1], "--force")
    whole_run = time.monotonic() - started
    dice = random.Random(SEED)  # noqa: S311 - moments, no secrets
    seen = {bench.installed()}
    for at in range(KILLS):
        # Mostly where the install is at work: the first third of a run only reads.
        moment = dice.uniform(0.0 if at % 5 == 0 else whole_run / 3, whole_run)
        process = bench.start(VERSIONS[at % 2])
        time.sleep(moment)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        seen.add(bench.installed())
        bench.use()
        if at % 25 == 24:
            wanted = VERSIONS[dice.randrange(2)]
            bench.rebuild(wanted)  # no hand is needed: no lock to remove, nothing to repair
            assert bench.installed() == wanted
            assert bench.leftovers() == []
    assert seen == set(VERSIONS), "the kills never came after a swap, or always did"
    bench.rebuild(VERSIONS[0])
    assert bench.installed() == VERSIONS[0]
    assert len(list(bench.venv.site.glob("pysqlite3-*.dist-info"))) == 1


AT_EVERY_STEP = """
import os, signal, sys
limit = int(sys.argv.pop(1))
count = 0
events = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "shutil.rmtree"}
def watch(event, arguments):
    global count
    if event not in events and not (event == "open" and isinstance(arguments[2], int)
                                    and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
        return
    count += 1
    if count == limit:
        os.kill(os.getpid(), signal.SIGKILL)
from buildtools.__main__ import main
import buildtools.install.exchange as exchange
real = exchange._kernel_exchange()
def counted(one, other):
    watch("os.rename", ())
    ended = real(one, other)
    watch("os.rename", ())
    return ended
exchange._kernel_exchange = lambda: counted
sys.addaudithook(watch)
sys.exit(main())
"""
"""Runs the command line and kills itself before its n-th change to the disk."""


def test_killed_before_each_change_to_the_disk(bench: Bench) -> None:
    bench.rebuild(VERSIONS[0])
    recovered: set[str] = set()
    for limit in range(1, 400):
        target = VERSIONS[1] if bench.installed() == VERSIONS[0] else VERSIONS[0]
        words = bench.command(target, "--force")[3:]
        done = subprocess.run(
            [sys.executable, "-c", AT_EVERY_STEP, str(limit), *words],
            cwd=bench.home,
            env=bench.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        bench.installed()
        if limit % 5 == 0:
            bench.use()
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        document = bench.rebuild(target)
        endings = document["recovered"]
        assert isinstance(endings, list)
        recovered.update(str(ending).rpartition(": ")[2] for ending in endings)
        assert bench.installed() == target
        assert bench.leftovers() == []
    else:
        pytest.fail("the run never came to its end")
    assert limit > 20
    assert {"discarded", "finished"} <= recovered


def test_two_rebuilds_at_once_one_works_and_one_is_refused(bench: Bench) -> None:
    bench.rebuild(VERSIONS[0])
    processes = [
        subprocess.Popen(
            bench.command(VERSIONS[1], "--force"),
            cwd=bench.home,
            env=bench.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=120) for process in processes]
    codes = sorted(process.returncode for process in processes)
    assert codes == [0, 6], answers
    refused = next(a for a, p in zip(answers, processes, strict=True) if p.returncode == 6)
    assert "another rebuild holds this environment" in refused[1]
    assert bench.installed() == VERSIONS[1]


def test_a_running_import_is_not_disturbed(bench: Bench) -> None:
    bench.rebuild(VERSIONS[0])
    code = (
        "import sys, pysqlite3\n"
        "db = pysqlite3.connect(':memory:')\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "for n in range(1000):\n"
        "    assert db.execute('select ? + 1', (n,)).fetchone() == (n + 1,)\n"
        "print('done')\n"
    )
    running = subprocess.Popen(
        [bench.venv.python, "-I", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    bench.rebuild(VERSIONS[1], "--force")
    out, _ = running.communicate("go\n", timeout=60)
    assert running.returncode == 0
    assert out == "done\n"
    assert bench.installed() == VERSIONS[1]
