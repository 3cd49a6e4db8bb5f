"""A wheel written out beside the site folder's packages, as it will lie there."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from buildtools.install.scheme import Scheme
from buildtools.install.scripts import command_text, rewritten
from buildtools.wheels import OpenWheel, record_hash

INSTALLER = "native-buildtools"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """One file to be written: its ``target`` in the end, where it is ``staged``, and from what.

    ``source`` is the file's name in the wheel; for a generated one it is empty and ``content`` is
    set.
    """

    target: Path
    staged: Path
    source: str = ""
    content: bytes = b""
    executable: bool = False


@dataclass(slots=True, kw_only=True)
class StagedFiles:
    """What was written: files of the site folder by path, and those outside with their targets."""

    new: set[str] = field(default_factory=set)
    outside: dict[str, str] = field(default_factory=dict)
    written: list[Path] = field(default_factory=list)


def placements(opened: OpenWheel, scheme: Scheme, tree: Path, token: str) -> Iterator[Placement]:
    """Where each file of a wheel goes, console scripts among them; RECORD comes last, elsewhere."""
    wheel = opened.wheel
    for name, kind, path in opened.placed():
        target = scheme.place(kind, path, wheel.distribution)
        yield Placement(
            target=target,
            staged=_staged(target, scheme, tree, token),
            source=name,
            executable=name in wheel.executable or kind == "scripts",
        )
    for script in wheel.scripts:
        target = scheme.scripts / script.name
        yield Placement(
            target=target,
            staged=_staged(target, scheme, tree, token),
            content=command_text(script, scheme.executable),
            executable=True,
        )


def loose_files(wanted: Iterable[Placement], scheme: Scheme) -> tuple[str, ...]:
    """The staged files that lie outside of the staging folder, from the site folder."""
    return tuple(
        scheme.relative(one.staged) for one in wanted if not one.target.is_relative_to(scheme.site)
    )


def write_out(
    opened: OpenWheel,
    wanted: Iterable[Placement],
    scheme: Scheme,
    tree: Path,
    *,
    requested: bool,
) -> StagedFiles:
    """Write every file, each proven by the wheel's RECORD, then INSTALLER and the new RECORD."""
    wheel = opened.wheel
    files = StagedFiles()
    rows: list[tuple[str, str, str]] = []

    def put(placement: Placement, content: bytes) -> None:
        placement.staged.parent.mkdir(parents=True, exist_ok=True)
        mode = 0o777 if placement.executable else 0o666
        opened_file = os.open(
            placement.staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode
        )
        with open(opened_file, "wb") as stream:  # noqa: PTH123 - a descriptor
            stream.write(content)
        files.written.append(placement.staged)
        relative = scheme.relative(placement.target)
        if placement.target.is_relative_to(scheme.site):
            files.new.add(relative)
        else:
            files.outside[relative] = scheme.relative(placement.staged)
        rows.append((relative, record_hash(hashlib.sha256(content).digest()), str(len(content))))

    def info(name: str, content: bytes) -> None:
        path = f"{wheel.dist_info}/{name}"
        put(Placement(target=scheme.site / path, staged=tree / path), content)

    for placement in wanted:
        content = placement.content
        if placement.source:
            content = opened.proven(placement.source)
            if placement.executable:
                content = rewritten(content, scheme.executable)
        put(placement, content)
    for name, content in (("INSTALLER", f"{INSTALLER}\n".encode()), ("REQUESTED", b"")):
        if f"{wheel.dist_info}/{name}" not in files.new and (name == "INSTALLER" or requested):
            info(name, content)
    record = f"{wheel.dist_info}/RECORD"
    info("RECORD", _record([row for row in rows if row[0] != record], record))
    return files


def sync_files(paths: Iterable[Path]) -> None:
    """Make contents last; several at a time, so that the disk can put them together."""

    def sync(path: Path) -> None:
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)

    with ThreadPoolExecutor(8, thread_name_prefix="sync") as pool:
        for done in [pool.submit(sync, path) for path in paths]:
            done.result()


def _staged(target: Path, scheme: Scheme, tree: Path, token: str) -> Path:
    if target.is_relative_to(scheme.site):
        return tree / target.relative_to(scheme.site)
    return target.with_name(f".{target.name}.{token}.staged")


def _record(rows: list[tuple[str, str, str]], own: str) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows(sorted(rows))
    writer.writerow((own, "", ""))
    return text.getvalue().encode("utf-8")
