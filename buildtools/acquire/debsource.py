"""Source archives through apt: the authors' own files as the distribution has them, checked."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from buildtools.acquire.apt import Apt, codename, write_configuration
from buildtools.acquire.aptsources import as_text, own_sources, read_sources
from buildtools.acquire.caching import locked, safe_name
from buildtools.acquire.request import AcquireError
from buildtools.acquire.tools import Tools

_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")


def open_source_apt(cache: Path, release: str | None = None) -> Apt | None:
    """The private apt for a release's sources, its configuration written; None without apt."""
    machine = codename()
    if machine is None:
        return None
    distribution, own = machine
    sources = own_sources(read_sources(Path("/etc/apt")), own, release)
    if not sources:
        return None
    text = as_text(sources, "", kind="deb-src")
    key = hashlib.sha256(text.encode()).hexdigest()[:12]
    root = cache / "apt" / safe_name(f"{release or own}-source-{key}")
    # The architecture only says which packages would be installed; a source has none.
    apt = Apt(root=root, distribution=distribution, release=release or own, architecture="amd64")
    with locked(root / "lock"):
        if not (root / "apt.conf").is_file():
            write_configuration(apt, text)
    return apt


def source_tarball(tools: Tools, package: str, folder: Path, *, release: str | None = None) -> Path:
    """The authors' source archive (``.orig.tar.*``) of a source package, in ``folder``.

    Raises :class:`AcquireError`: without apt, for an unknown package, and for a file that is not
    what the signed list announces.
    """
    if _NAME.fullmatch(package) is None:
        raise AcquireError(f"{package!r} is no name that a source package can have")
    apt = open_source_apt(tools.cache, release)
    if apt is None:
        raise AcquireError(
            f"the source of {package} cannot be had on this machine",
            why="sources are fetched through apt, and this is no Debian or Ubuntu with sources of"
            " its own",
        )
    tools.on_event("fetch", f"fetching the source of {package}", None)
    apt.with_lists(lambda: apt.fetch_source(package, folder))
    found = sorted(path for path in folder.glob("*.orig.tar.*") if path.suffix != ".asc")
    if len(found) != 1:
        raise AcquireError(f"{package} has no single source archive", why=str(len(found)))
    return found[0]
