"""Make the binaries of this folder anew: ``python tests/corpus/make_corpus.py --zig PATH``.

Needs the compiler of the ``ziglang`` wheel (the file ``ziglang/zig`` in it) and, for the fat file
and the stripped ones, nothing but this script. The files are committed: tests read them, and only a
new kind of file is a reason to run this again.
"""

from __future__ import annotations

import argparse
import os
import struct
import tempfile
from collections.abc import Sequence
from pathlib import Path

from buildtools.processes import clean_environment, run

HERE = Path(__file__).parent
SOURCES = HERE / "sources"
BINARIES = HERE / "binaries"

ELF_MODULES = {
    "elf-x86_64-glibc2.17.so": "x86_64-linux-gnu.2.17",
    "elf-aarch64-glibc2.28.so": "aarch64-linux-gnu.2.28",
    "elf-i686-glibc2.17.so": "x86-linux-gnu.2.17",
    "elf-armv7l-glibc2.28.so": "arm-linux-gnueabihf.2.28",
    "elf-s390x-glibc2.28.so": "s390x-linux-gnu.2.28",
    "elf-riscv64-glibc2.35.so": "riscv64-linux-gnu.2.35",
    "elf-x86_64-musl.so": "x86_64-linux-musl",
    "elf-aarch64-musl.so": "aarch64-linux-musl",
}


class Compiler:
    """``zig cc`` with caches of its own, so that nothing is left behind."""

    def __init__(self, zig: Path, scratch: Path) -> None:
        self.zig = zig
        self.scratch = scratch
        cache = os.environ.get("ZIG_GLOBAL_CACHE_DIR", str(scratch / "zig"))
        self.env = clean_environment({"ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache})

    def run(self, words: Sequence[str | Path]) -> None:
        done = run([self.zig, *words], timeout=600, env=self.env, cwd=SOURCES)
        if not done.ok:
            raise SystemExit(f"{' '.join(done.argv)}\n{done.tail(40)}")

    def shared(self, out: Path, target: str, source: str, *options: str | Path) -> Path:
        flags = ["-target", target, "-shared", "-Os", "-fPIC", "-s", "-g0", "-fno-sanitize=all"]
        self.run(["cc", *flags, "-fno-stack-protector", source, "-o", out, *options])
        return out

    def stub(self, target: str, soname: str, version: str, source: str, *options: str) -> Path:
        """A stand-in for another library, to link against."""
        folder = self.scratch / f"{target}-{soname}-{version}"
        folder.mkdir(exist_ok=True)
        script = folder / "versions"
        script.write_text(f"{version} {{ global: *; }};\n")
        out = folder / "stub.so"
        soname_flag, script_flag = f"-Wl,-soname,{soname}", f"-Wl,--version-script={script}"
        return self.shared(out, target, source, "-nostdlib", soname_flag, script_flag, *options)


def make_elf(compiler: Compiler) -> None:
    """Modules for many machines, and one for each thing that a loader looks at."""
    for name, target in ELF_MODULES.items():
        compiler.shared(BINARIES / name, target, "sample.c", "-DWITH_LIBC")
    linux = "x86_64-linux-gnu.2.17"
    compiler.shared(BINARIES / "elf-node-addon.node", linux, "addon.c")
    for name, soname, version in (
        ("elf-needs-future-glibc.so", "libc.so.6", "GLIBC_2.99"),
        ("elf-needs-future-glibcxx.so", "libstdc++.so.6", "GLIBCXX_3.4.99"),
        ("elf-needs-private-glibc.so", "libc.so.6", "GLIBC_PRIVATE"),
    ):
        stub = compiler.stub(linux, soname, version, "future.c")
        compiler.shared(BINARIES / name, linux, "sample.c", "-DWITH_FUTURE", "-nostdlib", stub)
    make_elf_libraries(compiler, linux)
    for name, flags in (
        ("elf-program.so", ["-pie", "-fPIE"]),
        ("elf-object.so", ["-c"]),
    ):
        words = ["cc", "-target", linux, "-Os", "-g0", "-s", *flags, "program.c"]
        compiler.run([*words, "-o", BINARIES / name])
    whole = (BINARIES / "elf-x86_64-glibc2.17.so").read_bytes()
    (BINARIES / "elf-no-section-headers.so").write_bytes(without_section_headers(whole))


def make_elf_libraries(compiler: Compiler, linux: str) -> None:
    """A library in two releases, with and without versions, and modules that need it."""
    versions = compiler.scratch / "versions"
    versions.write_text(
        "SAMPLE_1.0 { global: sample_old; local: *; };\n"
        "SAMPLE_1.1 { global: sample_new; } SAMPLE_1.0;\n"
    )
    soname = "-Wl,-soname,libsample.so.1"
    script = f"-Wl,--version-script={versions}"
    new = compiler.shared(
        compiler.scratch / "new.so", linux, "libsample.c", "-DNEW", "-nostdlib", soname,
        script, "-Wl,--hash-style=both",
    )  # fmt: skip
    old = compiler.stub(linux, "libsample.so.1", "SAMPLE_1.0", "libsample.c")
    plain = compiler.shared(
        compiler.scratch / "plain.so", linux, "libsample.c", "-DNEW", "-nostdlib",
        soname, "-Wl,--hash-style=sysv",
    )  # fmt: skip
    old_plain = compiler.shared(
        compiler.scratch / "old.so", linux, "libsample.c", "-nostdlib", soname,
        "-Wl,--hash-style=gnu",
    )  # fmt: skip
    for made, name in (
        (new, "elf-libsample-1.1.so.1"),
        (old, "elf-libsample-1.0.so.1"),
        (plain, "elf-libsample-unversioned.so.1"),
        (old_plain, "elf-libsample-unversioned-old.so.1"),
    ):
        (BINARIES / name).write_bytes(made.read_bytes())
    for name, library, tags in (
        ("elf-needs-libsample-runpath.so", new, "--enable-new-dtags"),
        ("elf-needs-libsample-rpath.so", new, "--disable-new-dtags"),
        ("elf-needs-libsample-unversioned.so", plain, "--enable-new-dtags"),
    ):
        compiler.shared(
            BINARIES / name, linux, "sample.c", "-DWITH_SAMPLE", "-nostdlib", library,
            f"-Wl,{tags},-rpath,$ORIGIN/../sample.libs:/opt/sample/lib",
        )  # fmt: skip


def without_section_headers(data: bytes) -> bytes:
    """What ``strip --strip-section-headers`` leaves of a 64-bit little-endian file."""
    start = struct.unpack_from("<Q", data, 40)[0]
    head = bytearray(data[:start])
    struct.pack_into("<Q", head, 40, 0)
    struct.pack_into("<HHH", head, 58, 64, 0, 0)
    count = struct.unpack_from("<H", head, 56)[0]
    rows = [struct.unpack_from("<IIQQQQQQ", head, 64 + 56 * number) for number in range(count)]
    return bytes(head[: max(row[2] + row[5] for row in rows)])


def make_macho(compiler: Compiler) -> None:
    """Modules for both machines of macOS, and the two in one file."""
    bundle = ["-undefined", "dynamic_lookup"]
    for name, target in (
        ("macho-arm64-macos11.so", "aarch64-macos.11.0"),
        ("macho-x86_64-macos10.13.so", "x86_64-macos.10.13"),
        ("macho-arm64-macos14.so", "aarch64-macos.14.0"),
    ):
        flags = ["-target", target, "-Os", "-g0", "-s", "-dynamiclib", "-DWITH_LIBC", *bundle]
        rpath = ["-Wl,-rpath,@loader_path/../sample.libs", "-Wl,-headerpad_max_install_names"]
        install_name = f"-Wl,-install_name,@rpath/{name}"
        compiler.run(["cc", *flags, *rpath, install_name, "sample.c", "-o", BINARIES / name])
    x86, arm = (
        (BINARIES / name).read_bytes()
        for name in ("macho-x86_64-macos10.13.so", "macho-arm64-macos11.so")
    )
    (BINARIES / "macho-fat.so").write_bytes(fat(x86, arm, wide=False))
    (BINARIES / "macho-fat64.so").write_bytes(fat(x86, arm, wide=True))
    library = compiler.scratch / "libsample.1.dylib"
    flags = ["-target", "aarch64-macos.11.0", "-Os", "-g0", "-s", "-dynamiclib"]
    name = "-Wl,-install_name,@rpath/libsample.1.dylib"
    compiler.run(["cc", *flags, "-DNEW", name, "libsample.c", "-o", library])
    (BINARIES / "macho-libsample.1.dylib").write_bytes(library.read_bytes())
    compiler.run(
        ["cc", *flags, *bundle, "-DWITH_SAMPLE", "sample.c", library,
         "-Wl,-rpath,@loader_path/../sample.libs", "-Wl,-install_name,@rpath/_sample.so",
         "-o", BINARIES / "macho-needs-libsample.so"]
    )  # fmt: skip
    program = ["cc", "-target", "aarch64-macos.11.0", "-Os", "-g0", "-s", "program.c"]
    compiler.run([*program, "-o", BINARIES / "macho-program.so"])
    compiler.run([*program, "-c", "-o", BINARIES / "macho-object.so"])
    arm64 = bytearray(arm)
    (BINARIES / "macho-unsigned.so").write_bytes(without_signature(arm64))


def fat(*slices: bytes, wide: bool) -> bytes:
    """What ``lipo -create`` makes, with slices at multiples of 4096 bytes."""
    layout = struct.Struct(">IIQQII" if wide else ">5I")
    out = bytearray(struct.pack(">II", 0xCAFEBABF if wide else 0xCAFEBABE, len(slices)))
    at, rows = 4096, []
    for data in slices:
        machine, subtype = struct.unpack_from("<II", data, 4)
        rows.append((machine, subtype, at, len(data), 12, *([0] if wide else [])))
        at += -(-len(data) // 4096) * 4096
    for row in rows:
        out += layout.pack(*row)
    for row, data in zip(rows, slices, strict=True):
        out += bytes(row[2] - len(out)) + data
    return bytes(out)


def without_signature(data: bytearray) -> bytes:
    """The file with LC_CODE_SIGNATURE turned into a command that nobody knows."""
    count = struct.unpack_from("<I", data, 16)[0]
    at = 32
    for _ in range(count):
        command, size = struct.unpack_from("<II", data, at)
        if command == 0x1D:
            struct.pack_into("<I", data, at, 0x26)  # LC_FUNCTION_STARTS: any command with a place
        at += size
    return bytes(data)


def make_pe(compiler: Compiler) -> None:
    """Modules of Windows, linked to a Python's library that is made up for it."""
    for name, target, machine in (
        ("pe-x86_64.pyd", "x86_64-windows-gnu", "i386:x86-64"),
        ("pe-aarch64.pyd", "aarch64-windows-gnu", "arm64"),
    ):
        definition = compiler.scratch / f"{name}.def"
        definition.write_text("LIBRARY python311.dll\nEXPORTS\nPyModule_Create2\n")
        library = compiler.scratch / f"{name}.lib"
        compiler.run(["dlltool", "-m", machine, "-d", definition, "-l", library])
        flags = ["-target", target, "-shared", "-Os", "-g0", "-s", "-nostdlib"]
        entry = ["-Wl,--no-entry", "-Wl,--subsystem,windows"]
        out = BINARIES / name
        compiler.run(["cc", *flags, *entry, "sample.c", library, "-o", out])
        for left in (BINARIES / "sample.lib", out.with_suffix(".lib"), out.with_suffix(".pdb")):
            left.unlink(missing_ok=True)


def main() -> None:
    """Make every file anew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--zig", type=Path, required=True, help="the zig program")
    zig = parser.parse_args().zig.resolve()
    BINARIES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        compiler = Compiler(zig, Path(scratch))
        make_elf(compiler)
        make_macho(compiler)
        make_pe(compiler)
    for path in sorted(BINARIES.iterdir()):
        print(f"{path.stat().st_size:7} {path.name}")  # noqa: T201


if __name__ == "__main__":
    main()
