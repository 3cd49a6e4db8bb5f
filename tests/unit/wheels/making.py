"""Small real wheels for tests, made in memory; each fault is one argument."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from buildtools.targets import Target, parse_target

CORPUS = Path(__file__).parents[2] / "corpus" / "binaries"
GLIBC = "elf-x86_64-glibc2.17.so"
SUFFIX = ".cpython-311-x86_64-linux-gnu.so"
TAG = "cp311-cp311-manylinux_2_17_x86_64"


def corpus(name: str = GLIBC) -> bytes:
    """A small real binary."""
    return (CORPUS / name).read_bytes()


def target(text: str = "linux/x86_64/glibc2.28/cp311") -> Target:
    return parse_target(text, {})


def native_files() -> dict[str, bytes]:
    """A package with one compiled module."""
    return {"sample/__init__.py": b"value = 1\n", f"sample/_sample{SUFFIX}": corpus()}


@dataclass(slots=True, kw_only=True)
class Making:
    """What goes into a wheel; every field can be made wrong."""

    name: str = "sample"
    version: str = "1.0"
    tag: str = TAG
    files: Mapping[str, bytes] = field(default_factory=native_files)
    requires_python: str = ""
    requires_dist: tuple[str, ...] = ()
    purelib: str = "false"
    wheel_tags: tuple[str, ...] | None = None
    entry_points: str = ""
    metadata_name: str | None = None
    format: str = "1.0"
    record: Mapping[str, str] = field(default_factory=dict)
    """Rows of RECORD that replace the right ones; an empty text leaves a row out."""
    executable: tuple[str, ...] = ()
    packed: bool = False
    without: tuple[str, ...] = ()
    """Names that are left out of the archive and stay in RECORD."""

    def write(self, folder: Path) -> Path:
        """Write the wheel; its path."""
        info = f"{self.name}-{self.version}.dist-info"
        tags = (self.tag,) if self.wheel_tags is None else self.wheel_tags
        files = dict(self.files)
        files[f"{info}/METADATA"] = self._metadata()
        files[f"{info}/WHEEL"] = (
            f"Wheel-Version: {self.format}\nGenerator: tests\nRoot-Is-Purelib: {self.purelib}\n"
            + "".join(f"Tag: {tag}\n" for tag in tags)
        ).encode()
        if self.entry_points:
            files[f"{info}/entry_points.txt"] = self.entry_points.encode()
        rows = {name: row(name, content) for name, content in files.items()}
        rows.update(self.record)
        text = "".join(f"{line}\n" for line in rows.values() if line) + f"{info}/RECORD,,\n"
        files[f"{info}/RECORD"] = text.encode()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}-{self.version}-{self.tag}.whl"
        method = zipfile.ZIP_DEFLATED if self.packed else zipfile.ZIP_STORED
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                if name not in self.without:
                    entry = zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0))
                    mode = 0o755 if name in self.executable else 0o644
                    entry.external_attr = (0o100000 | mode) << 16
                    archive.writestr(entry, content, method)
        return path

    def _metadata(self) -> bytes:
        lines = [
            "Metadata-Version: 2.1",
            f"Name: {self.metadata_name or self.name}",
            f"Version: {self.version}",
        ]
        if self.requires_python:
            lines.append(f"Requires-Python: {self.requires_python}")
        lines += [f"Requires-Dist: {wanted}" for wanted in self.requires_dist]
        return ("\n".join(lines) + "\n\nA description: with a colon.\n").encode()


def row(name: str, content: bytes) -> str:
    """The row of RECORD for a file."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(content)}"
