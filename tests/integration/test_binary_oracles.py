"""Our readers against pyelftools, readelf, LIEF, macholib and pefile, on wheels from the index."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from buildtools.binaries import (
    BinaryFacts,
    BinaryFormat,
    BinaryKind,
    VersionNeed,
    module_name,
    read_binary,
)
from buildtools.processes import run
from tests.corpus.variants import LC_SYMTAB, command_at, load_commands, patched
from tests.integration.binary_oracles import (
    Expected,
    by_lief_macho,
    by_macholib,
    by_pefile,
    by_pyelftools,
    by_readelf,
)

PLATFORMS: dict[str, tuple[str, ...]] = {
    "manylinux-x86_64": ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"),
    "manylinux-aarch64": (
        "manylinux_2_28_aarch64",
        "manylinux_2_17_aarch64",
        "manylinux2014_aarch64",
    ),
    "musllinux-x86_64": ("musllinux_1_2_x86_64",),
    "musllinux-aarch64": ("musllinux_1_2_aarch64",),
    "macosx-arm64": ("macosx_14_0_arm64", "macosx_11_0_arm64"),
    "macosx-x86_64": ("macosx_10_15_x86_64", "macosx_10_13_x86_64", "macosx_10_9_x86_64"),
    "win-amd64": ("win_amd64",),
}
EVERYWHERE = ("apsw", "hiredis", "asyncmy", "msgspec")
BESIDES = {
    "win-amd64": ("mysqlclient", "mariadb"),
    "manylinux-x86_64": ("confluent-kafka",),
    "macosx-arm64": ("confluent-kafka", "mysql-connector-python"),
}


def download(platform: str, folder: Path) -> list[Path]:
    """The wheels of a platform, as pip fetches them for CPython 3.12."""
    words = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    words += ["--only-binary=:all:", "--implementation", "cp", "--python-version", "3.12"]
    words += ["--abi", "cp312", "--abi", "abi3"]
    for tag in PLATFORMS[platform]:
        words += ["--platform", tag]
    done = run([*words, *EVERYWHERE, *BESIDES.get(platform, ())], timeout=300)
    assert done.ok, done.tail()
    return sorted(folder.glob("*.whl"))


def unpacked(wheels: list[Path], folder: Path) -> Iterator[Path]:
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for entry in archive.namelist():
                if module_name(entry.rpartition("/")[2]) is not None:
                    yield Path(archive.extract(entry, folder / wheel.stem))


@pytest.fixture(scope="module", params=sorted(PLATFORMS))
def files(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, list[Path]]:
    platform: str = request.param
    folder = tmp_path_factory.mktemp(platform)
    found = list(unpacked(download(platform, folder), folder))
    assert len(found) > len(EVERYWHERE)
    return platform, found


def ours(path: Path) -> tuple[BinaryFacts, ...]:
    with path.open("rb", buffering=0) as stream:
        return read_binary(stream, symbols=True).slices


def needs(expected: Expected) -> tuple[VersionNeed, ...]:
    return tuple(VersionNeed(library=name, versions=found) for name, found in expected.versions)


def check_elf(path: Path) -> None:
    (facts,) = ours(path)
    full, text = by_pyelftools(path.read_bytes()), by_readelf(path)
    assert facts.format is BinaryFormat.ELF
    assert facts.kind is BinaryKind.LIBRARY
    for oracle in (full, text):
        assert (facts.arch, facts.bits) == (oracle.arch, oracle.bits)
        assert facts.needed == oracle.needed
        assert (facts.rpath, facts.runpath) == (oracle.rpath, oracle.runpath)
        assert facts.soname == oracle.soname
        assert facts.version_needs == needs(oracle)
    assert facts.version_definitions == full.definitions
    assert facts.interpreter == full.interpreter
    assert facts.undefined == full.undefined
    assert facts.defined == full.defined


def check_macho(path: Path) -> None:
    slices = ours(path)
    oracles = list(by_lief_macho(path))
    assert len(slices) == len(oracles)
    for facts, oracle in zip(slices, oracles, strict=True):
        assert facts.format is BinaryFormat.MACHO
        assert facts.arch == oracle.arch
        assert facts.needed == oracle.needed
        assert facts.weak_needed == oracle.weak_needed
        assert facts.rpath == oracle.rpath
        assert facts.soname == oracle.soname
        assert facts.min_os == oracle.min_os
        assert facts.signed == oracle.signed
        assert facts.undefined == oracle.undefined
        assert facts.defined == oracle.defined
    for facts, (kind, libraries) in zip(slices, by_macholib(path), strict=True):
        assert facts.kind is BinaryKind.LIBRARY
        assert kind in {"dylib", "bundle"}
        assert sorted((*facts.needed, *facts.weak_needed)) == sorted(libraries)


LC_FUNCTION_STARTS, LC_CHAINED_FIXUPS = 0x26, 0x80000034


def has_chained_fixups(data: bytes) -> bool:
    thin = data[:4] == b"\xcf\xfa\xed\xfe"
    return thin and any(number == LC_CHAINED_FIXUPS for _, number, _ in load_commands(data))


def check_chained_fixups(path: Path) -> None:
    """Apple's linker writes the names twice: without its symbol table the others are read."""
    data = path.read_bytes()
    bare = patched(data, "<I", command_at(data, LC_SYMTAB), LC_FUNCTION_STARTS)
    (whole,), (told,) = ours(path), read_binary(io.BytesIO(bare), symbols=True).slices
    assert told.undefined == whole.undefined
    assert told.defined == whole.defined


def check_pe(path: Path) -> None:
    (facts,) = ours(path)
    oracle = by_pefile(path)
    assert facts.format is BinaryFormat.PE
    assert (facts.arch, facts.bits) == (oracle.arch, oracle.bits)
    assert facts.kind is BinaryKind.LIBRARY
    assert facts.soname == oracle.soname
    assert facts.needed == oracle.needed
    assert facts.weak_needed == oracle.weak_needed
    assert facts.undefined == oracle.undefined
    assert facts.defined is None or facts.defined == oracle.defined


@pytest.mark.network
def test_wheels_of_every_platform_give_the_oracles_facts(files: tuple[str, list[Path]]) -> None:
    platform, paths = files
    check = {"macosx": check_macho, "win": check_pe}.get(platform.partition("-")[0], check_elf)
    for path in paths:
        check(path)
    if platform == "macosx-arm64":
        chained = [path for path in paths if has_chained_fixups(path.read_bytes())]
        assert chained
        for path in chained:
            check_chained_fixups(path)


CORPUS = Path(__file__).resolve().parents[1] / "corpus" / "binaries"
UNREADABLE_BY_SECTIONS = {"elf-object.so", "elf-no-section-headers.so"}


def corpus_names(prefix: str) -> list[str]:
    names = sorted(path.name for path in CORPUS.glob(f"{prefix}-*"))
    return [name for name in names if name not in UNREADABLE_BY_SECTIONS]


@pytest.mark.parametrize("name", corpus_names("elf"))
def test_the_elf_corpus_gives_the_oracles_facts(name: str) -> None:
    if name == "elf-program.so":
        (facts,) = ours(CORPUS / name)
        assert facts.version_needs == needs(by_readelf(CORPUS / name))
        assert facts.interpreter == by_pyelftools((CORPUS / name).read_bytes()).interpreter
    else:
        check_elf(CORPUS / name)


@pytest.mark.parametrize(
    "name", [n for n in corpus_names("macho") if "program" not in n and "object" not in n]
)
def test_the_macho_corpus_gives_the_oracles_facts(name: str) -> None:
    if name == "macho-fat64.so":  # LIEF and macholib do not read 64-bit fat headers alike
        assert ours(CORPUS / name) == ours(CORPUS / "macho-fat.so")
    else:
        check_macho(CORPUS / name)


@pytest.mark.parametrize("name", corpus_names("pe"))
def test_the_pe_corpus_gives_the_oracles_facts(name: str) -> None:
    check_pe(CORPUS / name)
