"""A static simple repository: HTML (PEP 503), JSON (PEP 691), metadata files (PEP 658, PEP 714).

Served by any web server or read from ``file://`` as it stands; every link is relative.
"""

from __future__ import annotations

import hashlib
import html
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from buildtools.wheels import parse_wheel_name
from buildtools.wheels.metadata import read_headers
from buildtools.writing import write_whole

API_VERSION = "1.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedFile:
    """One wheel as the index lists it; ``url`` is relative to the project's page."""

    filename: str
    version: str
    url: str
    sha256: str
    size: int
    requires_python: str
    metadata_sha256: str


def write_index(folder: Path, files: Iterable[tuple[Path, Path, str]]) -> None:
    """Write the pages for ``(wheel, metadata file, sha256)`` into ``folder``.

    Each page appears in one step; pages of projects that are gone are removed.
    """
    projects: dict[str, list[IndexedFile]] = {}
    for wheel, metadata, sha256 in files:
        name = parse_wheel_name(wheel.name)
        listed = _indexed(folder / name.distribution, wheel, metadata, sha256)
        projects.setdefault(name.distribution, []).append(listed)
    folder.mkdir(parents=True, exist_ok=True)
    for project, listed_files in projects.items():
        page = folder / project
        page.mkdir(exist_ok=True)
        ordered = sorted(listed_files, key=lambda one: (one.filename, one.sha256))
        write_whole(page / "index.html", _project_html(project, ordered).encode("utf-8"))
        write_whole(page / "index.json", _project_json(project, ordered))
    write_whole(folder / "index.html", _root_html(sorted(projects)).encode("utf-8"))
    write_whole(folder / "index.json", _root_json(sorted(projects)))
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name not in projects:
            shutil.rmtree(entry)


def _indexed(page: Path, wheel: Path, metadata: Path, sha256: str) -> IndexedFile:
    content = metadata.read_bytes()
    headers = read_headers(content.decode("utf-8", "replace"))
    return IndexedFile(
        filename=wheel.name,
        version=parse_wheel_name(wheel.name).version,
        url=quote(os.path.relpath(wheel, page).replace(os.sep, "/")),
        sha256=sha256,
        size=wheel.stat().st_size,
        requires_python=(headers.get("requires-python") or ("",))[0],
        metadata_sha256=hashlib.sha256(content).hexdigest(),
    )


def _project_html(project: str, files: list[IndexedFile]) -> str:
    lines = []
    for file in files:
        attributes = [f'href="{html.escape(file.url)}#sha256={file.sha256}"']
        if file.requires_python:
            attributes.append(f'data-requires-python="{html.escape(file.requires_python)}"')
        # PEP 714: the older name is read by older installers.
        attributes += [
            f'{name}="sha256={file.metadata_sha256}"'
            for name in ("data-core-metadata", "data-dist-info-metadata")
        ]
        lines.append(f"<a {' '.join(attributes)}>{html.escape(file.filename)}</a><br>")
    return _page(f"Links for {project}", lines)


def _root_html(projects: list[str]) -> str:
    return _page("Simple index", [f'<a href="{name}/">{name}</a><br>' for name in projects])


def _page(title: str, lines: list[str]) -> str:
    body = "\n".join(lines)
    return (
        "<!DOCTYPE html>\n<html>\n<head>\n"
        f'<meta name="pypi:repository-version" content="{API_VERSION}">\n'
        f"<title>{html.escape(title)}</title>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _project_json(project: str, files: list[IndexedFile]) -> bytes:
    return _document(
        {
            "name": project,
            "versions": sorted({file.version for file in files}),
            "files": [
                {
                    "filename": file.filename,
                    "url": file.url,
                    "hashes": {"sha256": file.sha256},
                    **({"requires-python": file.requires_python} if file.requires_python else {}),
                    "size": file.size,
                    "core-metadata": {"sha256": file.metadata_sha256},
                }
                for file in files
            ],
        }
    )


def _root_json(projects: list[str]) -> bytes:
    return _document({"projects": [{"name": name} for name in projects]})


def _document(body: dict[str, object]) -> bytes:
    document = {"meta": {"api-version": API_VERSION}, **body}
    return (json.dumps(document, indent=1) + "\n").encode("utf-8")
