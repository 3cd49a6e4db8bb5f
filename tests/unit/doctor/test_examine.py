"""What an examination says of trees made of small real binaries."""

import shutil
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from buildtools.doctor import Report, examine
from buildtools.environment import scan
from buildtools.findings import Cause, Finding, Severity
from buildtools.host import Interpreter, interpreter_facts
from buildtools.recipes import load_recipes
from buildtools.targets import Target, parse_target

CORPUS = Path(__file__).resolve().parents[2] / "corpus" / "binaries"
SUFFIX = ".cpython-311-x86_64-linux-gnu.so"
GOOD = "elf-x86_64-glibc2.17.so"
LINUX = parse_target("linux/x86_64/glibc2.28/cp311", {})
MACOS = parse_target("darwin/arm64/macos11/cp311", {})
ALPINE = parse_target("linux/x86_64/musl/cp311", {})
RECIPES = load_recipes()


def put(path: Path, name: str = GOOD) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(CORPUS / name, path)
    return path


def look(root: Path, target: Target = LINUX, **settings: object) -> Report:
    return examine(scan(root), target, RECIPES, **settings)  # type: ignore[arg-type]


def told(report: Report) -> list[tuple[Cause, Severity]]:
    return [(one.cause, one.severity) for one in report.findings]


def causes(findings: Iterable[Finding]) -> set[Cause]:
    return {one.cause for one in findings}


def test_a_healthy_tree_has_nothing_to_say(tmp_path: Path) -> None:
    put(tmp_path / "pkg" / f"_mod{SUFFIX}")
    report = look(tmp_path)
    assert report.findings == ()
    assert report.scanned.modules == 1
    assert report.scanned.bytes == (CORPUS / GOOD).stat().st_size
    assert [one.name for one in report.providers] == ["pkg"]


@pytest.mark.parametrize(
    ("file", "name", "target", "cause"),
    [
        ("macho-arm64-macos11.so", f"m{SUFFIX}", LINUX, Cause.FOREIGN_FORMAT),
        ("pe-x86_64.pyd", "m.cp311-win_amd64.pyd", LINUX, Cause.FOREIGN_FORMAT),
        (GOOD, "m.cpython-311-darwin.so", MACOS, Cause.FOREIGN_FORMAT),
        ("elf-aarch64-glibc2.28.so", f"m{SUFFIX}", LINUX, Cause.FOREIGN_ARCH),
        ("macho-x86_64-macos10.13.so", "m.cpython-311-darwin.so", MACOS, Cause.FOREIGN_ARCH),
        (GOOD, "m.cpython-310-x86_64-linux-gnu.so", LINUX, Cause.ABI_MISMATCH),
        (GOOD, "m.cpython-311t-x86_64-linux-gnu.so", LINUX, Cause.ABI_MISMATCH),
        ("elf-x86_64-musl.so", f"m{SUFFIX}", LINUX, Cause.LIBC_MISMATCH),
        (GOOD, "m.cpython-311-x86_64-linux-musl.so", ALPINE, Cause.LIBC_MISMATCH),
        ("elf-needs-future-glibc.so", f"m{SUFFIX}", LINUX, Cause.LIBC_TOO_OLD),
        ("elf-needs-future-glibcxx.so", f"m{SUFFIX}", LINUX, Cause.LIBSTDCXX_TOO_OLD),
        ("macho-arm64-macos14.so", "m.cpython-311-darwin.so", MACOS, Cause.MACOS_TOO_OLD),
        ("elf-needs-libsample-runpath.so", f"m{SUFFIX}", LINUX, Cause.MISSING_LIBRARY),
        ("elf-program.so", f"m{SUFFIX}", LINUX, Cause.CORRUPT_BINARY),
        ("elf-aarch64-glibc2.28.so", "addon.node", LINUX, Cause.FOREIGN_ARCH),
        ("macho-arm64-macos11.so", "addon.node", LINUX, Cause.FOREIGN_FORMAT),
        ("elf-x86_64-musl.so", "addon.node", LINUX, Cause.LIBC_MISMATCH),
    ],
)
def test_each_cause_is_an_error_named_alone(
    tmp_path: Path, file: str, name: str, target: Target, cause: Cause
) -> None:
    put(tmp_path / "pkg" / name, file)
    report = look(tmp_path, target)
    assert told(report) == [(cause, Severity.ERROR)]
    (finding,) = report.findings
    assert finding.path == f"pkg/{name}"
    assert finding.evidence
    assert finding.remedy.endswith(".")


def test_a_node_addon_that_fits_is_healthy(tmp_path: Path) -> None:
    put(tmp_path / "node_modules" / "x" / "build" / "addon.node", "elf-node-addon.node")
    assert look(tmp_path).findings == ()


def test_a_library_beside_the_package_is_found_and_a_module_may_be_in_a_wheel(
    tmp_path: Path,
) -> None:
    wheel = tmp_path / "thing-1-cp311-cp311-linux_x86_64.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, file in (
            (f"pkg/_mod{SUFFIX}", "elf-needs-libsample-runpath.so"),
            ("sample.libs/libsample.so.1", "elf-libsample-1.1.so.1"),
        ):
            archive.writestr(name, (CORPUS / file).read_bytes())
    tree = scan(wheel)
    report = examine(tree, LINUX, RECIPES)
    assert report.findings == ()
    assert report.scanned.bytes == sum(
        (CORPUS / file).stat().st_size
        for file in ("elf-needs-libsample-runpath.so", "elf-libsample-1.1.so.1")
    )
    tree.files.close()


def test_a_library_that_is_too_old_lacks_the_version(tmp_path: Path) -> None:
    put(tmp_path / "pkg" / f"_mod{SUFFIX}", "elf-needs-libsample-runpath.so")
    put(tmp_path / "sample.libs" / "libsample.so.1", "elf-libsample-1.0.so.1")
    assert told(look(tmp_path)) == [(Cause.MISSING_SYMBOL, Severity.ERROR)]


def test_a_library_somewhere_else_in_the_tree_may_be_loaded_first(tmp_path: Path) -> None:
    put(tmp_path / "pkg" / f"_mod{SUFFIX}", "elf-needs-libsample-runpath.so")
    put(tmp_path / "pkg" / "native" / "libsample.so.1", "elf-libsample-1.1.so.1")
    assert told(look(tmp_path)) == [(Cause.MISSING_LIBRARY, Severity.INFO)]


def test_what_stands_beside_a_file_of_another_interpreter_decides_how_bad_it_is(
    tmp_path: Path,
) -> None:
    put(tmp_path / "a" / "m.cpython-310-x86_64-linux-gnu.so")
    put(tmp_path / "a" / f"m{SUFFIX}")
    put(tmp_path / "b" / "m.cpython-310-x86_64-linux-gnu.so")
    (tmp_path / "b" / "m.py").touch()
    put(tmp_path / "c" / "m.cpython-310-x86_64-linux-gnu.so")
    by_folder = {one.path.partition("/")[0]: one.severity for one in look(tmp_path).findings}
    assert by_folder == {"a": Severity.INFO, "b": Severity.WARNING, "c": Severity.ERROR}


def test_a_twin_of_a_healthy_module_in_another_folder_is_still_judged_by_its_libraries(
    tmp_path: Path,
) -> None:
    put(tmp_path / "a" / "pkg" / f"m{SUFFIX}", "elf-needs-libsample-runpath.so")
    put(tmp_path / "a" / "sample.libs" / "libsample.so.1", "elf-libsample-1.1.so.1")
    put(tmp_path / "b" / "pkg" / f"m{SUFFIX}", "elf-needs-libsample-rpath.so")
    report = look(tmp_path)
    assert [(one.path.partition("/")[0], one.cause) for one in report.findings] == [
        ("b", Cause.MISSING_LIBRARY)
    ]


def test_a_link_to_nothing_says_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / f"m{SUFFIX}").symlink_to("gone.so")
    (finding,) = look(tmp_path).findings
    assert finding.cause is Cause.CORRUPT_BINARY
    assert finding.evidence == "found a link to gone.so, which is not there"


def test_the_test_data_of_a_checkout_is_only_worth_knowing(tmp_path: Path) -> None:
    put(tmp_path / "tests" / "corpus" / f"m{SUFFIX}", "elf-aarch64-glibc2.28.so")
    put(tmp_path / "app" / f"m{SUFFIX}", "elf-aarch64-glibc2.28.so")
    by_path = {one.path.partition("/")[0]: one.severity for one in look(tmp_path).findings}
    assert by_path == {"app": Severity.ERROR, "tests": Severity.INFO}


def test_a_committed_venv_is_named(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "pyvenv.cfg").touch()
    (finding,) = look(tmp_path).findings
    assert (finding.severity, finding.path) == (Severity.INFO, ".venv")


def installed(site: Path, name: str, *files: str, tag: str = "cp311-cp311-linux_x86_64") -> None:
    info = site / f"{name}-1.dist-info"
    info.mkdir(parents=True)
    (info / "WHEEL").write_text(f"Root-Is-Purelib: false\nTag: {tag}\n")
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in ("x.py", *files)))


def test_a_driver_without_its_native_part_is_a_fallback_where_it_works_without(
    tmp_path: Path,
) -> None:
    installed(tmp_path, "mysql_connector_python", tag="py3-none-any")
    (tmp_path / "mysql").mkdir()
    (finding,) = look(tmp_path).findings
    assert (finding.cause, finding.severity) == (Cause.PURE_FALLBACK, Severity.WARNING)
    assert finding.command == f"buildtools wheel mysql-connector-python --target {LINUX.name}"


def test_a_driver_that_needs_its_native_part_is_missing_it(tmp_path: Path) -> None:
    installed(tmp_path, "mysqlclient")
    put(tmp_path / "MySQLdb" / "_mysql.cpython-310-x86_64-linux-gnu.so")
    report = look(tmp_path)
    assert causes(report.findings) == {Cause.MISSING_NATIVE_MODULE, Cause.ABI_MISMATCH}
    missing = next(one for one in report.findings if one.cause is Cause.MISSING_NATIVE_MODULE)
    assert "_mysql.cpython-310-x86_64-linux-gnu.so" in missing.evidence
    put(tmp_path / "MySQLdb" / f"_mysql{SUFFIX}")
    assert causes(look(tmp_path).findings) == {Cause.ABI_MISMATCH}


@pytest.mark.parametrize(
    ("name", "severity"),
    [("_samplepool", Severity.INFO), ("_other", Severity.WARNING)],
)
def test_a_module_for_a_library_that_few_have_is_no_fault_of_a_package(
    tmp_path: Path, name: str, severity: Severity
) -> None:
    site = tmp_path / "site-packages"
    files = [f"many/{part}{SUFFIX}" for part in ("_a", "_b", "_c", name)]
    for file in files[:3]:
        put(site / file)
    put(site / files[3], "elf-needs-libsample-runpath.so")
    installed(site, "many", *files)
    told_of = [one for one in look(tmp_path).findings if one.cause is Cause.MISSING_LIBRARY]
    assert [one.severity for one in told_of] == [severity]


@pytest.mark.parametrize(
    ("name", "severity"),
    [("plugin.so", Severity.INFO), ("_sample.so", Severity.ERROR), (f"m{SUFFIX}", Severity.ERROR)],
)
def test_a_plugin_in_a_package_is_no_module_that_misses_its_library(
    tmp_path: Path, name: str, severity: Severity
) -> None:
    """As those of MySQL's client in mysql-connector-python, of which most servers load none."""
    put(tmp_path / "pkg" / name, "elf-needs-libsample-runpath.so")
    assert told(look(tmp_path)) == [(Cause.MISSING_LIBRARY, severity)]


def test_an_old_sqlite_is_told_by_its_bytes(tmp_path: Path) -> None:
    installed(tmp_path, "pysqlite3")
    module = put(tmp_path / "pysqlite3" / f"_sqlite3{SUFFIX}")
    with module.open("ab") as stream:
        stream.write(b"SQLite format 3\x00-- 13.34.1\x00 3.34.1\x00")
    (finding,) = look(tmp_path).findings
    assert (finding.cause, finding.severity) == (Cause.SQLITE_TOO_OLD, Severity.WARNING)
    assert "found SQLite 3.34.1" in finding.evidence
    module.write_bytes(module.read_bytes().replace(b" 3.34.1", b" 3.45.1"))
    assert look(tmp_path).findings == ()


def test_a_client_library_without_its_login_plugin_is_told(tmp_path: Path) -> None:
    installed(tmp_path, "mysqlclient", f"MySQLdb/_mysql{SUFFIX}")
    module = put(tmp_path / "MySQLdb" / f"_mysql{SUFFIX}")
    with module.open("ab") as stream:
        stream.write(b"\0MARIADB_PLUGIN_DIR\0/usr/lib/nowhere/libmariadb3/plugin\0")
    (finding,) = look(tmp_path).findings
    assert (finding.cause, finding.severity) == (Cause.AUTH_PLUGIN_MISSING, Severity.WARNING)
    assert "/usr/lib/nowhere/libmariadb3/plugin" in finding.evidence
    put(tmp_path / "mysqlclient.libs" / "plugin" / "dialog.so")
    (finding,) = look(tmp_path).findings
    assert "mysqlclient.libs/plugin, where" in finding.evidence
    put(tmp_path / "mysqlclient.libs" / "plugin" / "caching_sha2_password.so")
    assert look(tmp_path).findings == ()


def test_a_client_library_with_the_plugin_compiled_in_is_healthy(tmp_path: Path) -> None:
    installed(tmp_path, "mysqlclient", f"MySQLdb/_mysql{SUFFIX}")
    module = put(tmp_path / "MySQLdb" / f"_mysql{SUFFIX}")
    with module.open("ab") as stream:
        stream.write(b"\0MARIADB_PLUGIN_DIR\0/x/plugin\0caching_sha2_password\0")
    assert look(tmp_path).findings == ()


def interpreter(root: Path, *folders: Path) -> Interpreter:
    """This interpreter's facts with folders of the test's own on its path."""
    stdlib = root / "lib" / "python3.11"
    put(stdlib / "os.so")
    return replace(
        interpreter_facts(),
        executable=root / "absent",
        prefix=root / "prefix",
        base_prefix=root / "prefix",
        stdlib=stdlib,
        purelib=root / "site",
        platlib=root / "site",
        user_site=root / "user",
        target=LINUX.with_python(interpreter_facts().abi),
        sys_path=(*(str(folder) for folder in folders if folder.name == "path"), str(stdlib),
                  *(str(folder) for folder in folders if folder.name != "path")),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("content", "told_of"), [(b"\0_sqlite3\0", 1), (b"\0PyInit__sqlite3\0", 0)]
)
def test_a_python_without_sqlite_is_told_unless_it_is_compiled_in(
    tmp_path: Path, content: bytes, told_of: int
) -> None:
    python = interpreter(tmp_path, tmp_path / "site")
    executable = put(tmp_path / "python")
    with executable.open("ab") as stream:
        stream.write(content)
    report = examine(scan(replace(python, executable=executable)), python.target, RECIPES)
    missing = [one for one in report.findings if one.cause is Cause.MISSING_NATIVE_MODULE]
    assert len(missing) == told_of
    for one in missing:
        assert one.severity is Severity.WARNING
        assert one.path.endswith("/_sqlite3")


def shadows(root: Path, first: str, second: str, broken: str = "") -> list[Finding]:
    """Two copies of a package in two places; ``broken`` is the place whose copy doesn't load."""
    suffix = interpreter_facts().abi.ext_suffixes[0]
    for place in (first, second):
        name = "elf-aarch64-glibc2.28.so" if place == broken else GOOD
        put(root / place / "pkg" / f"_m{suffix}", name)
        (root / place / "pkg" / "__init__.py").touch()
    python = interpreter(root, root / first, root / second)
    report = examine(scan(python), python.target, RECIPES)
    (provider,) = (one for one in report.providers if one.name == "pkg")
    assert provider.path == f"{root}/{first}/pkg/__init__.py"
    assert provider.hidden == (f"{root}/{second}/pkg/__init__.py",)
    return list(report.findings)


@pytest.mark.parametrize(
    ("first", "broken", "severity"),
    [
        ("user", "", Severity.WARNING),
        ("path", "", Severity.WARNING),
        ("user", "user", Severity.ERROR),
        ("user", "site", Severity.WARNING),
    ],
)
def test_a_copy_that_hides_the_environments_own(
    tmp_path: Path, first: str, broken: str, severity: Severity
) -> None:
    findings = shadows(tmp_path, first, "site", broken)
    (shadow,) = (one for one in findings if one.cause is Cause.SHADOWED)
    assert shadow.severity is severity
    foreign = [one.severity for one in findings if one.cause is Cause.FOREIGN_ARCH]
    assert foreign == {"": [], "user": [Severity.ERROR], "site": [Severity.INFO]}[broken]


def test_one_finding_more_than_once_is_told_once_and_errors_come_first(tmp_path: Path) -> None:
    put(tmp_path / "a" / "m.cpython-310-x86_64-linux-gnu.so")
    (tmp_path / "a" / "m.py").touch()
    put(tmp_path / "z" / f"m{SUFFIX}", "elf-aarch64-glibc2.28.so")
    report = look(tmp_path)
    assert [one.severity for one in report.findings] == [Severity.ERROR, Severity.WARNING]
    assert report.worst() is Severity.ERROR
