"""The papers of what was bundled: licence texts and a software bill of materials in the wheel.

Source: PEP 639 (``.dist-info/licenses``), PEP 770 (``.dist-info/sboms``), CycloneDX 1.6.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from buildtools.acquire.request import WheelRequest
from buildtools.acquire.wheelfiles import dist_info, native_files, sha256_of

_NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
"""RFC 4122's namespace of URLs, for a serial number that follows from the content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundled:
    """One library that may travel in a wheel, and the package that it came with.

    ``soname`` is its file's name in the tree it came from (empty for a static one); ``purl`` a
    package URL; ``licence_file`` its licence text, or None where it has none; ``licence`` the
    SPDX expression where it is known.
    """

    soname: str
    name: str
    version: str
    purl: str
    licence_file: Path | None = None
    licence: str = ""


def debian_purl(distribution: str, name: str, version: str, architecture: str, release: str) -> str:
    """The package URL of a Debian or Ubuntu binary package."""
    return (
        f"pkg:deb/{distribution}/{quote(name)}@{quote(version, safe='.+~-')}"
        f"?arch={architecture}&distro={release}"
    )


def write_papers(
    tree: Path,
    request: WheelRequest,
    static: Sequence[Bundled],
    owners: Sequence[Bundled],
    tools: Mapping[str, str],
) -> None:
    """Write the licences and the bill of everything bundled into the wheel's ``.dist-info``."""
    info = dist_info(tree)
    name, _, version = info.name.removesuffix(".dist-info").partition("-")
    pairs: list[tuple[Bundled, Path | None]] = [(library, None) for library in static]
    for path in _bundled_files(tree):
        soname = plain_soname(path.name)
        owner = next((owner for owner in owners if owner.soname == soname), None)
        pairs.append((owner or _unowned(soname), path))
    if not pairs:
        return
    for library, _ in pairs:
        if library.licence_file is not None:
            folder = info / "licenses" / "bundled" / library.name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / library.licence_file.name).write_bytes(library.licence_file.read_bytes())
    document = bill(name, version, request, pairs, tools)
    target = info / "sboms" / "bundled.cdx.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def plain_soname(filename: str) -> str:
    """A bundled file's name without the hash that repair tools put into it."""
    return re.sub(r"-[0-9a-f]{8}(?=\.)", "", filename, count=1)


def _bundled_files(tree: Path) -> list[Path]:
    """Every library that was added beside the driver's own modules."""
    return [
        path
        for path in native_files(tree)
        if path.parent.name.endswith(".libs") or path.parent.name in {".dylibs", "_client_plugins"}
    ]


def _unowned(soname: str) -> Bundled:
    return Bundled(soname=soname, name=soname, version="unknown", purl="")


def bill(
    name: str,
    version: str,
    request: WheelRequest,
    pairs: Sequence[tuple[Bundled, Path | None]],
    tools: Mapping[str, str],
) -> dict[str, object]:
    """The CycloneDX document: the wheel, its bundled components with hashes, the tools."""
    components = []
    for library, path in sorted(pairs, key=lambda pair: (pair[0].name, pair[0].soname)):
        component: dict[str, object] = {
            "type": "library",
            "bom-ref": f"{library.name}@{library.version}#{library.soname or 'static'}",
            "name": library.name,
            "version": library.version,
        }
        if library.purl:
            component["purl"] = library.purl
        if library.licence:
            component["licenses"] = [{"license": {"name": library.licence}}]
        if path is not None:
            component["hashes"] = [{"alg": "SHA-256", "content": sha256_of(path)}]
            component["properties"] = [{"name": "buildtools:file", "value": path.name}]
        components.append(component)
    own = f"pkg:pypi/{name.lower().replace('_', '-')}@{version}"
    body: dict[str, object] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "library",
                "bom-ref": own,
                "name": name,
                "version": version,
                "purl": own,
            },
            "properties": [{"name": "buildtools:target", "value": request.place.spec}],
            "tools": {
                "components": [
                    {"type": "application", "name": tool, "version": tools[tool]}
                    for tool in sorted(tools)
                    if tool in {"ziglang", "repairwheel"}
                ]
            },
        },
        "components": components,
        "dependencies": [{"ref": own, "dependsOn": [c["bom-ref"] for c in components]}],
    }
    body["serialNumber"] = f"urn:uuid:{uuid.uuid5(_NAMESPACE, json.dumps(body, sort_keys=True))}"
    return body
