"""Libraries are found where the target's loader finds them, in its order."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pytest

from buildtools.archives import DiskFiles, Files
from buildtools.archives.entries import Entry
from buildtools.archives.files import ArchiveFiles
from buildtools.binaries import BinaryFacts, BinaryFormat, BinaryInvalid, BinaryKind, read_binary
from buildtools.compatibility import Resolved
from buildtools.loader import Loader, System, foreign_system, host_system
from buildtools.targets import Target, parse_target

CORPUS = Path(__file__).resolve().parents[2] / "corpus" / "binaries"
LINUX = parse_target("linux/x86_64/glibc2.28", {})
MUSL = parse_target("linux/x86_64/musl", {})
MACOS = parse_target("darwin/arm64/macos11", {})


def read(files: Files, path: str) -> BinaryFacts | None:
    with files.open(path) as stream:
        try:
            return read_binary(stream).slices[0]
        except BinaryInvalid:
            return None


def put(name: str, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(CORPUS / name, path)
    return path


def module(root: Path, name: str = "elf-needs-libsample-runpath.so") -> Path:
    return put(name, root / "pkg" / "mod.so")


def system(root: Path, target: Target = LINUX, **settings: object) -> System:
    """A machine whose root is a folder of the test's own."""
    base = System(target=target, files=DiskFiles(), root=str(root), default=("/lib",))
    return replace(base, **settings)  # type: ignore[arg-type]


def resolve(
    path: Path, on: System, *, inside: tuple[Path, ...] = (), **changes: object
) -> Resolved:
    files = DiskFiles()
    facts = read(files, str(path))
    assert facts is not None
    within = inside or (path.parent, path.parents[1] / "sample.libs", path.parents[1] / "conda")
    loader = Loader(artefact=files, system=on, read=read, inside=tuple(map(str, within)))
    return loader.resolve(str(path), replace(facts, **changes))  # type: ignore[arg-type]


def found(resolved: Resolved) -> dict[str, tuple[str | None, str]]:
    return {library.name: (library.path, library.how) for library in resolved.libraries}


def test_runpath_with_origin_is_expanded_against_the_module(tmp_path: Path) -> None:
    library = put("elf-libsample-1.1.so.1", tmp_path / "sample.libs" / "libsample.so.1")
    resolved = resolve(module(tmp_path), system(tmp_path / "root"))
    assert found(resolved) == {"libsample.so.1": (str(library), "runpath")}
    assert resolved.missing == ()


def test_what_is_nowhere_is_missing_and_says_who_wants_it(tmp_path: Path) -> None:
    resolved = resolve(module(tmp_path), system(tmp_path / "root"))
    assert resolved.missing == (("libsample.so.1", "mod.so"),)


def test_rpath_comes_before_library_path_and_runpath_behind_it(tmp_path: Path) -> None:
    own = put("elf-libsample-1.1.so.1", tmp_path / "sample.libs" / "libsample.so.1")
    other = put("elf-libsample-1.0.so.1", tmp_path / "root" / "opt" / "libsample.so.1")
    on = system(tmp_path / "root", library_path=("/opt",))
    rpath = resolve(module(tmp_path, "elf-needs-libsample-rpath.so"), on)
    runpath = resolve(module(tmp_path, "elf-needs-libsample-runpath.so"), on)
    assert found(rpath) == {"libsample.so.1": (str(own), "rpath")}
    assert found(runpath) == {"libsample.so.1": (str(other), "LD_LIBRARY_PATH")}


def test_rpath_is_ignored_where_runpath_is(tmp_path: Path) -> None:
    put("elf-libsample-1.1.so.1", tmp_path / "sample.libs" / "libsample.so.1")
    path = module(tmp_path, "elf-needs-libsample-rpath.so")
    assert resolve(path, system(tmp_path / "root"), runpath=("/nowhere",)).missing


def test_the_main_programs_rpath_counts_for_modules_without_runpath(tmp_path: Path) -> None:
    library = put("elf-libsample-1.1.so.1", tmp_path / "conda" / "lib" / "libsample.so.1")
    on = system(tmp_path / "root", main_rpath=(str(library.parent),))
    plain = resolve(module(tmp_path), on, runpath=())
    assert found(plain) == {"libsample.so.1": (str(library), "rpath")}
    assert resolve(module(tmp_path), on).missing


def test_rpath_is_passed_on_to_what_a_library_needs() -> None:
    """libA is found by the module's RPATH and needs libB, which lies beside it: found as well."""
    facts = {
        "/app/mod.so": elf(needed=("libA.so",), rpath=("$ORIGIN/libs",)),
        "/app/libs/libA.so": elf(needed=("libB.so",)),
        "/app/libs/libB.so": elf(needed=("libA.so",)),
    }
    resolved = resolve_made(facts, LINUX)
    assert [library.name for library in resolved.libraries] == ["libA.so", "libB.so"]
    assert resolved.missing == ()


def test_runpath_is_not_passed_on() -> None:
    facts = {
        "/app/mod.so": elf(needed=("libA.so",), runpath=("$ORIGIN/libs",)),
        "/app/libs/libA.so": elf(needed=("libB.so",)),
        "/app/libs/libB.so": elf(),
    }
    assert resolve_made(facts, LINUX).missing == (("libB.so", "libA.so"),)


def test_musl_passes_both_on_and_looks_in_library_path_first() -> None:
    facts = {
        "/app/mod.so": elf(needed=("libA.so", "libc.so"), runpath=("$ORIGIN/libs",)),
        "/app/libs/libA.so": elf(needed=("libB.so",)),
        "/app/libs/libB.so": elf(),
        "/first/libA.so": elf(),
    }
    resolved = resolve_made(facts, MUSL)
    assert resolved.missing == ()
    assert {library.name: library.how for library in resolved.libraries} == {
        "libA.so": "rpath", "libB.so": "rpath", "libc.so": "known",
    }  # fmt: skip
    assert resolve_made(facts, MUSL, library_path=("/first",)).libraries[0].path == "/first/libA.so"


def test_a_library_of_another_machine_is_passed_over(tmp_path: Path) -> None:
    put("elf-aarch64-glibc2.28.so", tmp_path / "sample.libs" / "libsample.so.1")
    good = put("elf-libsample-1.1.so.1", tmp_path / "root" / "lib" / "libsample.so.1")
    resolved = resolve(module(tmp_path), system(tmp_path / "root"))
    assert found(resolved) == {"libsample.so.1": (str(good), "default")}


def test_a_file_that_is_no_binary_stops_the_search(tmp_path: Path) -> None:
    libraries = tmp_path / "sample.libs"
    libraries.mkdir()
    (libraries / "libsample.so.1").write_text("GROUP ( libsample.so.2 )")
    put("elf-libsample-1.1.so.1", tmp_path / "root" / "lib" / "libsample.so.1")
    resolved = resolve(module(tmp_path), system(tmp_path / "root"))
    assert found(resolved)["libsample.so.1"][1] == "corrupt"


def test_the_cache_comes_before_the_default_folders(tmp_path: Path) -> None:
    cached = put("elf-libsample-1.0.so.1", tmp_path / "root" / "usr" / "local" / "libsample.so.1")
    put("elf-libsample-1.1.so.1", tmp_path / "root" / "lib" / "libsample.so.1")
    on = system(tmp_path / "root", cache={"libsample.so.1": ("/usr/local/libsample.so.1",)})
    assert found(resolve(module(tmp_path), on)) == {"libsample.so.1": (str(cached), "cache")}


def test_what_the_interpreter_has_loaded_is_taken_first(tmp_path: Path) -> None:
    put("elf-libsample-1.1.so.1", tmp_path / "sample.libs" / "libsample.so.1")
    loaded = put("elf-libsample-1.0.so.1", tmp_path / "python" / "libsample.so.1")
    on = system(tmp_path / "root", loaded={"libsample.so.1": str(loaded)})
    assert found(resolve(module(tmp_path), on)) == {"libsample.so.1": (str(loaded), "loaded")}


@pytest.mark.parametrize(
    "path",
    ["$ORIGIN/x", "${ORIGIN}/x", "/app/$LIB", "/app/${LIB}", "/app/$PLATFORM", "$ORIGIN/../app/x"],
)
def test_tokens_are_filled_in(path: str) -> None:
    facts = {"/app/mod.so": elf(needed=("libA.so",), runpath=(path,))} | {
        f"/app/{folder}/libA.so": elf() for folder in ("x", "lib64", "x86_64")
    }
    assert resolve_made(facts, LINUX).missing == ()


def test_relative_and_empty_run_paths_mean_the_working_directory_and_are_left_out() -> None:
    facts = {
        "/app/mod.so": elf(needed=("libA.so",), runpath=("", ".", "libs")),
        "/app/libs/libA.so": elf(),
        "/app/libA.so": elf(),
    }
    assert resolve_made(facts, LINUX).missing == (("libA.so", "mod.so"),)


def test_of_a_foreign_target_only_the_artefact_and_what_is_known_counts(tmp_path: Path) -> None:
    elsewhere = put("elf-libsample-1.1.so.1", tmp_path / "elsewhere" / "libsample.so.1")
    path = module(tmp_path / "app")
    on = foreign_system(LINUX, frozenset())
    run_path = (str(elsewhere.parent),)
    inside = (tmp_path / "app",)
    assert resolve(path, on, inside=inside, runpath=run_path).missing
    put("elf-libsample-1.1.so.1", tmp_path / "app" / "sample.libs" / "libsample.so.1")
    assert not resolve(path, on, inside=inside).missing
    known = foreign_system(LINUX, frozenset({"libsample.so.1"}))
    assert found(resolve(path, known, inside=inside, runpath=())) == {
        "libsample.so.1": (None, "known")
    }


def test_inside_an_archive_origin_is_relative_to_its_root() -> None:
    facts = {
        "mod.so": elf(needed=("libA.so",), runpath=("$ORIGIN/x.libs",)),
        "pkg/mod.so": elf(needed=("libA.so",), runpath=("$ORIGIN/../x.libs",)),
        "pkg/out.so": elf(needed=("libA.so",), runpath=("$ORIGIN/../../x.libs",)),
        "x.libs/libA.so": elf(),
    }
    for path, missing in (("mod.so", 0), ("pkg/mod.so", 0), ("pkg/out.so", 1)):
        assert len(resolve_made(facts, LINUX, path=path, foreign=True).missing) == missing


MACHO = {
    "app/mod.so": (
        "@rpath/libA.dylib",
        "@loader_path/.dylibs/libC.dylib",
        "/usr/lib/libSystem.B.dylib",
    ),
    "app/.dylibs/libA.dylib": ("@loader_path/libC.dylib",),
    "app/.dylibs/libC.dylib": (
        "/System/Library/Frameworks/CoreFoundation.framework/CoreFoundation",
    ),
}


def test_install_names_are_found_by_run_path_and_loader_path() -> None:
    facts = {
        path: macho(needed, rpath=("@loader_path/.dylibs",) if path.endswith("mod.so") else ())
        for path, needed in MACHO.items()
    }
    resolved = resolve_made(facts, MACOS, path="app/mod.so", foreign=True)
    assert resolved.missing == ()
    assert {library.path for library in resolved.libraries if library.path} == {
        "app/.dylibs/libA.dylib",
        "app/.dylibs/libC.dylib",
    }


def test_a_weak_library_may_be_missing_and_homebrews_may_not() -> None:
    facts = {
        "mod.so": replace(
            macho(("/opt/homebrew/lib/libmariadb.3.dylib",)), weak_needed=("@rpath/libW.dylib",)
        )
    }
    resolved = resolve_made(facts, MACOS, path="mod.so", foreign=True)
    assert resolved.missing == (("/opt/homebrew/lib/libmariadb.3.dylib", "mod.so"),)


def test_a_real_macho_module_finds_its_library(tmp_path: Path) -> None:
    path = put("macho-needs-libsample.so", tmp_path / "pkg" / "_sample.so")
    on = foreign_system(MACOS, frozenset())
    assert resolve(path, on, inside=(tmp_path,)).missing
    library = put("macho-libsample.1.dylib", tmp_path / "sample.libs" / "libsample.1.dylib")
    assert str(library) in [one.path for one in resolve(path, on, inside=(tmp_path,)).libraries]


def test_musls_path_file_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "ld-musl-x86_64.path").write_text("/a:/b\n/c\nrelative\n")
    assert host_system(MUSL, root=str(tmp_path)).default == ("/a", "/b", "/c")
    (folder / "ld-musl-x86_64.path").unlink()
    assert host_system(MUSL, root=str(tmp_path)).default == ("/lib", "/usr/local/lib", "/usr/lib")


def elf(**facts: object) -> BinaryFacts:
    base = BinaryFacts(
        format=BinaryFormat.ELF,
        arch="x86_64",
        bits=64,
        little_endian=True,
        kind=BinaryKind.LIBRARY,
    )
    return replace(base, **facts)  # type: ignore[arg-type]


def macho(needed: tuple[str, ...], **facts: object) -> BinaryFacts:
    return replace(elf(**facts), format=BinaryFormat.MACHO, arch="arm64", needed=needed)


class Made:
    """An archive of names alone."""

    def __init__(self, names: Mapping[str, object]) -> None:
        self.entries = {name: Entry(name=name, size=0) for name in names}

    def open(self, name: str) -> BinaryIO:
        return BytesIO(self.entries[name].name.encode())

    def close(self) -> None:
        pass


class MadeDisk(ArchiveFiles):
    """The same as a disk: paths begin with ``/``."""

    on_disk = True

    def names(self, folder: str) -> frozenset[str]:
        return super().names(folder.strip("/"))

    def open(self, path: str) -> BinaryIO:
        return super().open(path.lstrip("/"))


def resolve_made(
    facts: Mapping[str, BinaryFacts],
    target: Target,
    *,
    path: str = "/app/mod.so",
    foreign: bool = False,
    library_path: tuple[str, ...] = (),
) -> Resolved:
    """Resolve in a tree of which only the facts are there."""
    by_name = {name.lstrip("/"): fact for name, fact in facts.items()}
    files: Files = (ArchiveFiles if foreign else MadeDisk)(Made(by_name))
    on = (
        foreign_system(target, frozenset())
        if foreign
        else System(target=target, files=files, library_path=library_path)
    )

    def read_made(_: Files, at: str) -> BinaryFacts | None:
        if at.lstrip("/") not in by_name:
            raise FileNotFoundError(at)
        return by_name[at.lstrip("/")]

    return Loader(artefact=files, system=on, read=read_made).resolve(path, facts[path])
