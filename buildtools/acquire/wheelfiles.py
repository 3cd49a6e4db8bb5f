"""A wheel as a folder and back: unpacked safely, written again with the same bytes every time."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import re
import shutil
import time
import zipfile
from pathlib import Path

from buildtools.acquire.request import AcquiredWheel, AcquireError, Backend
from buildtools.archives.entries import clean_name
from buildtools.binaries import BinaryInvalid, read_binary
from buildtools.errors import CannotLookError
from buildtools.findings import Cause

_EARLIEST = 315532800
"""1980-01-01 UTC, the earliest time that a zip can hold, in seconds since 1970."""

_CHUNK = 1 << 20
_EXECUTABLE = 0o111


def unpack(
    wheel: Path, folder: Path, *, leave: re.Pattern[str] | None = None, over: bool = False
) -> None:
    """Unpack a wheel into a folder of its own; names that leave it are refused.

    Files whose name begins with ``leave`` are left out. With ``over`` the folder holds other
    wheels too, and a file of the same name is written over, as pip does.

    Raises :class:`CannotLookError` for a damaged or hostile archive.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            for entry in archive.infolist():
                name = clean_name(wheel.name, entry.filename)
                target = folder / name
                if leave is not None and leave.match(name):
                    continue
                if entry.is_dir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as source, target.open("wb" if over else "xb") as sink:
                    shutil.copyfileobj(source, sink, _CHUNK)
                if (entry.external_attr >> 16) & _EXECUTABLE:
                    target.chmod(0o755)
    except (
        zipfile.BadZipFile, EOFError, FileExistsError, IsADirectoryError, NotADirectoryError
    ) as error:  # fmt: skip
        raise CannotLookError(
            "this wheel cannot be unpacked", where=str(wheel), why=str(error)
        ) from error


def dist_info(folder: Path) -> Path:
    """The one ``.dist-info`` folder of an unpacked wheel."""
    found = sorted(folder.glob("*.dist-info"))
    if len(found) != 1:
        raise CannotLookError(
            "this wheel has no single .dist-info folder",
            where=str(folder),
            why=", ".join(path.name for path in found) or "there is none",
        )
    return found[0]


def pack(folder: Path, wheel: Path, *, epoch: int | None = None) -> None:
    """Write an unpacked wheel, with a fresh RECORD: sorted, one time, two modes, so one result.

    ``epoch`` is the time of every entry, in seconds since 1970 (``SOURCE_DATE_EPOCH`` when None and
    set, else 1980). The file appears under its name only when it is whole.
    """
    info = dist_info(folder)
    for stale in ("RECORD.jws", "RECORD.p7s"):
        (info / stale).unlink(missing_ok=True)
    record = info / "RECORD"
    record.unlink(missing_ok=True)
    files = sorted(
        (path for path in folder.rglob("*") if path.is_file()),
        key=lambda path: (info in path.parents, path.relative_to(folder).as_posix()),
    )
    record.write_text(_record(folder, files, record), encoding="utf-8", newline="")
    moment = time.gmtime(max(_EARLIEST, _epoch() if epoch is None else epoch))[:6]
    partial = wheel.with_name(f".{wheel.name}.{os.getpid()}.part")
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for path in (*files, record):
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), moment)
                mode = 0o755 if path.stat().st_mode & _EXECUTABLE else 0o644
                entry.external_attr = (0o100000 | mode) << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.create_system = 3
                archive.writestr(entry, path.read_bytes())
        partial.replace(wheel)
    finally:
        partial.unlink(missing_ok=True)


def _epoch() -> int:
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    return int(text) if text.isdecimal() else _EARLIEST


def _record(folder: Path, files: list[Path], record: Path) -> str:
    """RECORD's text: name, hash and size of every file, as the wheel specification has it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for path in files:
        content = path.read_bytes()
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        writer.writerow((path.relative_to(folder).as_posix(), f"sha256={digest}", len(content)))
    writer.writerow((record.relative_to(folder).as_posix(), "", ""))
    return text.getvalue()


def sha256_of(path: Path) -> str:
    """The file's SHA-256, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def describe(
    wheel: Path, *, source: str, backend: Backend, log: Path | None = None
) -> AcquiredWheel:
    """Read from a finished wheel what its :class:`AcquiredWheel` says."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        name, version, _, tags = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename as error:
        raise AcquireError(
            "what was had is no wheel",
            cause=Cause.UNSUPPORTED_WHEEL,
            where=wheel.name,
            why=str(error),
            log=log,
        ) from error
    return AcquiredWheel(
        path=wheel,
        distribution=name,
        version=str(version),
        tags=tuple(sorted(str(tag) for tag in tags)),
        sha256=sha256_of(wheel),
        source=source,
        backend=backend,
        bundled=bundled_libraries(wheel),
        log=log,
    )


def bundled_libraries(wheel: Path) -> tuple[str, ...]:
    """The sonames of the shared libraries that travel in a wheel's ``.libs`` or ``.dylibs``.

    The hash that repair tools put into a name is taken out again: ``libmariadb.so.3``.
    """
    import re

    found: set[str] = set()
    try:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                folder, _, last = name.rpartition("/")
                if folder.endswith((".libs", "/.dylibs", ".dylibs")) and last:
                    found.add(re.sub(r"-[0-9a-f]{8}(?=\.)", "", last, count=1))
    except zipfile.BadZipFile as error:
        raise CannotLookError("this wheel is damaged", where=str(wheel), why=str(error)) from error
    return tuple(sorted(found))


def native_files(folder: Path) -> tuple[Path, ...]:
    """Every file under a folder that is compiled code, by its content, sorted."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        try:
            with path.open("rb") as stream:
                read_binary(stream)
        except BinaryInvalid:
            continue
        found.append(path)
    return tuple(found)
