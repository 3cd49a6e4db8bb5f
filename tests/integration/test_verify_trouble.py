"""Drivers that crash, hang, vanish or lie about why they do not load: each has its own verdict.

Long because each kind of trouble is a driver made here, planted and tried, all by the same means.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from buildtools.host import Interpreter, interpreter_facts
from buildtools.probes import Status, Verdict, parse_dsn, run_check, verify
from buildtools.recipes import NativeModule, PureKind, Recipe, derived_recipe
from tests.interpreters import INTERPRETERS

CORPUS = Path(__file__).parents[1] / "corpus" / "binaries"
GOOD = CORPUS / "elf-x86_64-glibc2.17.so"
NEEDS_LIBSAMPLE = CORPUS / "elf-needs-libsample-runpath.so"

MODULE = """
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
/* The layout of PyModuleDef with pointers of eight bytes: no header of Python is needed. */
extern void *PyModule_Create2(void *, int);
static long definition[14] = {1, 0, 0, 0, 0, (long)"_native", 0, -1};
static void late(void) { raise(SIGSEGV); }
void *PyInit__native(void) { BODY; return PyModule_Create2(definition, 1013); }
"""


@pytest.fixture(params=INTERPRETERS, ids=lambda path: path.parents[1].name, scope="module")
def interpreter(request: pytest.FixtureRequest) -> Interpreter:
    return interpreter_facts(request.param)


@pytest.fixture
def one() -> Interpreter:
    return interpreter_facts(sys.executable)


Make = Callable[..., Recipe]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Plant a driver ``demo`` with this ``__init__`` and, where C is given, ``demo._native``."""

    def plant(
        init: str = "from . import _native\n",
        *,
        body: str | None = None,
        binary: Path | None = None,
        suffix: str = ".abi3.so",
        pure: PureKind = PureKind.NEVER,
        native: str | None = "demo._native",
    ) -> Recipe:
        package = tmp_path / "site" / "demo"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(init)
        if body is not None:
            source = tmp_path / "native.c"
            source.write_text(MODULE.replace("BODY", body))
            made = package / f"_native{suffix}"
            words = ["gcc", "-shared", "-fPIC", "-w", str(source), "-o", str(made)]
            subprocess.run(words, check=True)
        if binary is not None:
            name = (native or "_native").rpartition(".")[2]
            shutil.copy(binary, package / f"{name}{suffix}")
        modules = (NativeModule(module=native, required=True),) if native else ()
        return Recipe(
            driver="demo",
            family="mysql",
            distribution="demo",
            summary="planted",
            imports=("demo",),
            native=modules,
            pure=pure,
            alternative=None,
            versions="",
            build=None,
            probe=None,
            derived=False,
        )

    return plant


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return tmp_path / "site"


def details(verdict: Verdict) -> dict[str, tuple[bool, str]]:
    return {check.name: (check.ok, check.detail) for check in verdict.checks}


def test_a_healthy_module_is_ok(interpreter: Interpreter, make: Make, site: Path) -> None:
    recipe = make("from . import _sample\n", binary=GOOD, native="demo._sample")
    verdict = verify(recipe, interpreter, path=site, timeout=30)
    assert verdict.ok, verdict
    assert verdict.path == str(site / "demo" / "_sample.abi3.so")
    assert str(site / "demo" / "_sample.abi3.so") in verdict.libraries
    assert verdict.signal is None
    assert not list(site.rglob("*.pyc")), "a trial leaves no byte code behind"


@pytest.mark.parametrize(
    ("body", "number", "name"),
    [
        ("raise(SIGSEGV)", 11, "SIGSEGV"),
        ("abort()", 6, "SIGABRT"),
        ("raise(SIGKILL)", 9, "SIGKILL"),
    ],
)
def test_a_crash_at_import_names_the_signal(
    *, interpreter: Interpreter, make: Make, site: Path, body: str, number: int, name: str
) -> None:
    verdict = verify(make(body=body), interpreter, path=site, timeout=30)
    assert verdict.status is Status.CRASHED
    assert verdict.signal == number
    assert verdict.reason == f"{name} (signal {number}) ended the process in: import demo"
    if number != 9:
        assert "Fatal Python error" in verdict.trace
        assert "demo/__init__.py" in verdict.trace.replace('"', "")


def test_a_crash_after_all_checks_is_still_a_crash(
    one: Interpreter, make: Make, site: Path
) -> None:
    verdict = verify(make(body="atexit(late)"), one, path=site, timeout=30)
    assert verdict.status is Status.CRASHED
    assert verdict.reason.endswith("in: the end of the interpreter")
    assert verdict.path is not None, "what was told before is kept"


def test_a_hang_is_ended_at_the_deadline_and_says_where(
    interpreter: Interpreter, make: Make, site: Path
) -> None:
    started = time.monotonic()
    verdict = verify(make(body="for (;;) {}"), interpreter, path=site, timeout=3)
    assert verdict.status is Status.TIMEOUT
    assert time.monotonic() - started < 15
    assert verdict.reason.startswith("no end to: import demo")
    assert verdict.signal is None
    assert "Timeout (" in verdict.trace
    assert "__init__.py" in verdict.trace


def test_garbage_on_standard_output_does_no_harm(
    interpreter: Interpreter, make: Make, site: Path
) -> None:
    body = 'puts("\\x01{}[]eyJldmVudCI6ImVuZCJ9"); fflush(stdout); write(1, "no end of line", 14)'
    init = "import os\nprint('driver v1')\nos.write(1, b'eyJldmVudCI6ICJlbmQifQ==\\n')\n"
    recipe = make(init + "from . import _native\n", body=body)
    verdict = verify(recipe, interpreter, path=site, timeout=30)
    assert verdict.ok, verdict
    assert details(verdict)["import demo"][0], "the message after the garbage came whole"


def test_what_a_driver_prints_is_kept_with_its_failure(
    one: Interpreter, make: Make, site: Path
) -> None:
    init = "import os\nos.write(1, b'license expired')\nraise RuntimeError('no')\n"
    verdict = verify(make(init, native=None), one, path=site, timeout=30)
    assert verdict.status is Status.FAILED
    assert verdict.trace == "license expired"


def test_a_process_that_ends_itself_is_no_success(
    interpreter: Interpreter, make: Make, site: Path
) -> None:
    verdict = verify(make(body="_exit(0)"), interpreter, path=site, timeout=30)
    assert verdict.status is Status.FAILED
    assert verdict.reason == "the process ended itself with 0 in: import demo"


def test_an_import_that_asks_to_exit_is_a_failure(one: Interpreter, make: Make, site: Path) -> None:
    verdict = verify(make("import sys\nsys.exit(0)\n", native=None), one, path=site, timeout=30)
    assert verdict.status is Status.FAILED
    assert verdict.reason == "import demo: SystemExit: 0"


INITS = {
    "plain": "from . import _sample\n",
    "from None": """
try:
    from . import _sample
except ImportError:
    raise RuntimeError('demo is not available') from None
""",
    "chained": """
try:
    from . import _sample
except ImportError as error:
    raise ImportError('reinstall demo') from error
""",
    "forgotten": """
try:
    from . import _sample
except ImportError:
    _sample = None
if _sample is None:
    raise SystemError('no backend')
""",
}


@pytest.mark.parametrize("init", INITS.values(), ids=INITS.keys())
def test_the_loaders_own_words_come_through_whatever_a_package_makes_of_them(
    *, interpreter: Interpreter, make: Make, site: Path, init: str
) -> None:
    recipe = make(init, binary=NEEDS_LIBSAMPLE, native="demo._sample")
    verdict = verify(recipe, interpreter, path=site, timeout=30)
    assert verdict.status is Status.FAILED
    assert "libsample.so.1: cannot open shared object file" in verdict.reason
    assert verdict.reason.startswith("import demo: ")


SWALLOWED = "try:\n    from . import _sample\nexcept ImportError:\n    _sample = None\n"


def test_a_swallowed_import_error_is_a_failure_where_nothing_pure_can_answer(
    interpreter: Interpreter, make: Make, site: Path
) -> None:
    recipe = make(SWALLOWED, binary=NEEDS_LIBSAMPLE, native="demo._sample")
    verdict = verify(recipe, interpreter, path=site, timeout=30)
    assert verdict.status is Status.FAILED
    assert "libsample.so.1" in verdict.reason
    assert details(verdict)["import demo"][0]


def test_a_swallowed_import_error_is_a_fallback_where_pure_python_answers(
    interpreter: Interpreter, make: Make, site: Path
) -> None:
    recipe = make(SWALLOWED, binary=NEEDS_LIBSAMPLE, native="demo._sample", pure=PureKind.OPTIONAL)
    verdict = verify(recipe, interpreter, path=site, timeout=30)
    assert verdict.status is Status.FALLBACK
    assert "libsample.so.1" in verdict.reason
    assert verdict.path == str(site / "demo" / "__init__.py")


def test_a_pure_file_under_the_native_name_is_found_out(
    one: Interpreter, make: Make, site: Path
) -> None:
    recipe = make("from . import _native\n", pure=PureKind.OPTIONAL)
    (site / "demo" / "_native.py").write_text("")
    verdict = verify(recipe, one, path=site, timeout=30)
    assert verdict.status is Status.FALLBACK
    assert "pure Python answers in its place" in verdict.reason


def test_a_module_of_another_interpreter_is_named(
    interpreter: Interpreter, make: Make, site: Path
) -> None:
    recipe = make("from . import _sample\n", binary=GOOD, suffix=".cpython-27-darwin.so",
                  native="demo._sample")  # fmt: skip
    verdict = verify(recipe, interpreter, path=site, timeout=30)
    assert verdict.status is Status.FAILED
    assert "only " in verdict.reason
    assert "_sample.cpython-27-darwin.so is there" in verdict.reason


@pytest.mark.parametrize(
    ("binary", "words"),
    [
        ("elf-aarch64-glibc2.28.so", "foreign-arch"),
        ("macho-arm64-macos11.so", "foreign-format"),
        ("elf-needs-future-glibc.so", "GLIBC_2.99"),
    ],
)
def test_what_the_file_is_stands_beside_the_loaders_misleading_words(
    *, one: Interpreter, make: Make, site: Path, binary: str, words: str
) -> None:
    recipe = make("from . import _sample\n", binary=CORPUS / binary, native="demo._sample")
    verdict = verify(recipe, one, path=site, timeout=30)
    assert verdict.status is Status.FAILED
    assert words in verdict.reason


@pytest.mark.parametrize("length", [40, 200, 1000])
def test_a_truncated_module_is_named_as_one_even_where_it_crashes_the_loader(
    *, one: Interpreter, make: Make, site: Path, length: int
) -> None:
    recipe = make("from . import _sample\n", binary=GOOD, native="demo._sample")
    file = site / "demo" / "_sample.abi3.so"
    file.write_bytes(file.read_bytes()[:length])
    verdict = verify(recipe, one, path=site, timeout=30)
    assert verdict.status in {Status.FAILED, Status.CRASHED}
    assert "is no whole binary" in verdict.reason


def test_a_driver_that_is_not_there_is_absent(interpreter: Interpreter) -> None:
    recipe = derived_recipe("no-such-driver", imports=["no_such_driver"], native=())
    verdict = verify(recipe, interpreter, timeout=30)
    assert verdict.status is Status.ABSENT
    assert verdict.version is None
    assert verdict.reason == "no module named 'no_such_driver' is installed"


def test_a_driver_whose_need_is_missing_is_not_absent(
    one: Interpreter, make: Make, site: Path
) -> None:
    verdict = verify(make("import no_such_need\n", native=None), one, path=site, timeout=30)
    assert verdict.status is Status.FAILED
    assert "No module named 'no_such_need'" in verdict.reason


def test_metadata_without_modules_is_a_failure(one: Interpreter, make: Make, site: Path) -> None:
    recipe = make(native=None)
    shutil.rmtree(site / "demo")
    (site / "demo-1.2.dist-info").mkdir()
    verdict = verify(recipe, one, path=site, timeout=30)
    assert verdict.status is Status.FAILED
    assert verdict.version == "1.2"


def test_a_derived_driver_with_a_broken_part_is_a_fallback(
    one: Interpreter, make: Make, site: Path
) -> None:
    make("", binary=NEEDS_LIBSAMPLE, native="demo._sample")
    recipe = derived_recipe("demo", imports=["demo"], native=["demo._sample"])
    verdict = verify(recipe, one, path=site, timeout=30)
    assert verdict.status is Status.FALLBACK
    assert "libsample.so.1" in verdict.reason


SPY = """
import json, os, sys
seen = {
    "argv": open("/proc/self/cmdline", "rb").read().decode(),
    "environ": open("/proc/self/environ", "rb").read().decode(errors="replace"),
    "stdin": sys.stdin.read(),
}
json.dump(seen, open(os.path.join(os.path.dirname(__file__), "seen.json"), "w"))
print("top-s3cret", file=sys.stderr)
raise RuntimeError("denied: top-s3cret")
"""


def test_the_password_is_on_no_command_line_and_in_no_word_that_comes_back(
    one: Interpreter, make: Make, site: Path
) -> None:
    dsn = parse_dsn("mysql://u:top-s3cret@127.0.0.1:1/d")
    verdict = verify(make(SPY, native=None), one, dsn=dsn, path=site, timeout=30)
    seen = json.loads((site / "demo" / "seen.json").read_text())
    assert "top-s3cret" not in json.dumps(seen)
    assert verdict.status is Status.FAILED
    assert "top-s3cret" not in json.dumps(verdict.as_json())
    assert "****" in verdict.reason
    assert "****" in verdict.trace


def test_the_candidate_path_comes_before_what_is_installed(
    one: Interpreter, make: Make, site: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "other" / "demo"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("raise RuntimeError('the wrong copy')\n")
    monkeypatch.setenv("PYTHONPATH", str(other.parent))
    recipe = make("", native=None)
    assert verify(recipe, one, timeout=30).status is Status.FAILED
    assert verify(recipe, one, path=site, timeout=30).path == str(site / "demo" / "__init__.py")


def test_a_prefix_stands_before_the_interpreter(one: Interpreter, make: Make, site: Path) -> None:
    recipe = make("import os\nassert os.environ['MARK'] == 'set'\n", native=None)
    env = shutil.which("env")
    assert env is not None
    assert verify(recipe, one, path=site, timeout=30, prefix=(env, "MARK=set")).ok
    shell = ("/bin/sh", "-c", '"$@"; exit $?', "sh")
    shutil.rmtree(site)
    verdict = verify(make(body="raise(SIGSEGV)"), one, path=site, timeout=30, prefix=shell)
    assert verdict.status is Status.CRASHED
    assert verdict.signal == 11


CHECKS = """
import asyncio, os, signal, time
def content(): pass
def says(): return "3 tables"
def false(): return False
def raises(): raise ValueError("no table named orders")
async def waits():
    await asyncio.sleep(0)
    return "waited"
async def refuses():
    return False
def crashes(): os.kill(os.getpid(), signal.SIGSEGV)
def hangs(): time.sleep(60)
def ends(): os._exit(0)
class Group:
    @staticmethod
    def inner(): return "inner"
"""


@pytest.mark.parametrize(
    ("function", "status", "reason"),
    [
        ("content", Status.OK, ""),
        ("says", Status.OK, "3 tables"),
        ("waits", Status.OK, "waited"),
        ("Group.inner", Status.OK, "inner"),
        ("false", Status.FAILED, "gave False"),
        ("refuses", Status.FAILED, "gave False"),
        ("raises", Status.FAILED, "ValueError: no table named orders"),
        ("missing", Status.FAILED, "AttributeError"),
        ("crashes", Status.CRASHED, "SIGSEGV"),
        ("hangs", Status.TIMEOUT, "no end to: call shop.health:hangs"),
        ("ends", Status.FAILED, "ended itself with 0"),
    ],
)
def test_an_applications_own_check_has_a_verdict(
    *, one: Interpreter, tmp_path: Path, function: str, status: Status, reason: str
) -> None:
    package = tmp_path / "src" / "shop"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "health.py").write_text(CHECKS)
    verdict = run_check(f"shop.health:{function}", one, root=tmp_path, timeout=3)
    assert verdict.status is status, verdict
    assert reason in verdict.reason


def test_a_check_of_a_module_that_is_not_there_fails(one: Interpreter, tmp_path: Path) -> None:
    verdict = run_check("gone.health:check", one, root=tmp_path, timeout=30)
    assert verdict.status is Status.FAILED
    assert "No module named 'gone'" in verdict.reason
