"""Headers and libraries of a foreign or bare place, unpacked from packages into a folder."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from buildtools.acquire.apt import DEBIAN_ARCHITECTURES, MULTIARCH, Apt, Package, codename, open_apt
from buildtools.acquire.caching import appearing, is_whole, locked, made_once, safe_name, workroom
from buildtools.acquire.debfile import unpack_deb
from buildtools.acquire.request import AcquireError
from buildtools.acquire.tools import Tools
from buildtools.findings import Cause
from buildtools.recipes import PackageSet

_FRESH_SECONDS = 24 * 3600.0

NOT_BUNDLED = frozenset(
    {
        "debconf",
        "dpkg",
        "libc-bin",
        "libc6",
        "libcrypt1",
        "libgcc-s1",
        "libstdc++6",
        "mariadb-common",
        "mysql-common",
        "perl-base",
        "tar",
    }
)
"""Packages that a closure names and no sysroot needs: the C library comes with the compiler."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sysroot:
    """A folder that looks like a place's ``/``, as far as a build needs it.

    ``packages`` are those unpacked in it; ``multiarch`` is its folder below ``usr/lib``.
    """

    path: Path
    packages: tuple[Package, ...]
    multiarch: str

    @property
    def include(self) -> Path:
        """The headers' folder."""
        return self.path / "usr/include"

    @property
    def lib(self) -> Path:
        """The folder that the linker searches."""
        return self.path / "usr/lib" / self.multiarch

    @property
    def library_folders(self) -> tuple[Path, ...]:
        """Every folder that shared libraries may stand in, those that exist."""
        folders = (
            self.lib,
            self.path / "lib" / self.multiarch,
            self.path / "usr/lib",
            self.path / "lib",
        )
        return tuple(folder for folder in folders if folder.is_dir())

    def owner(self, file: Path) -> Package | None:
        """The package that a file in the sysroot came with."""
        owners = json.loads((self.path / "owners.json").read_text(encoding="utf-8"))
        inside = file.relative_to(self.path).as_posix()
        named = owners.get(inside)
        return next((package for package in self.packages if package.name == named), None)

    def copyright(self, package: Package) -> Path | None:
        """The licence text that a package came with, by Debian's policy, section 12.5."""
        path = self.path / "usr/share/doc" / package.name / "copyright"
        return path if path.is_file() else None


OLD_RELEASES: Mapping[str, str] = {
    "bullseye": "the libraries are Debian bullseye's: its OpenSSL 1.1.1 is past its end of life; "
    "keep this wheel to yourself, and do not publish it",
    "focal": "the libraries are Ubuntu focal's: its OpenSSL 1.1.1 is past its end of life; keep "
    "this wheel to yourself, and do not publish it",
}
"""What must be said of a wheel that bundles an old release's libraries."""

_BY_AGE: Mapping[str, tuple[str, ...]] = {
    "debian": ("sid", "forky", "trixie", "bookworm", "bullseye"),
    "ubuntu": ("resolute", "questing", "plucky", "noble", "jammy", "focal"),
}
"""Releases, newest first."""


def older_releases() -> tuple[str, ...]:
    """The releases of the machine's own archive that are older than its own, newest first."""
    machine = codename()
    if machine is None:
        return ()
    releases = _BY_AGE[machine[0]]
    return releases[releases.index(machine[1]) + 1 :] if machine[1] in releases else ()


def no_packages(what: str) -> AcquireError:
    """The error for a machine whose packages cannot be had without root."""
    return AcquireError(
        f"{what} cannot be had on this machine",
        cause=Cause.MISSING_CLIENT_HEADERS,
        why="packages are fetched without root through apt, and this is no Debian or Ubuntu with "
        "sources of its own",
        next_step="install the build packages that the recipe names with the system's package "
        "manager, or build the wheel on a Debian machine with `buildtools wheel`",
    )


def make_sysroot(
    tools: Tools, arch: str, packages: PackageSet, *, release: str | None = None
) -> Sysroot:
    """The sysroot with these packages: ``build`` ones alone, ``runtime`` ones with their closure.

    Kept in the cache under the packages' versions; asked again within a day, apt is not run. Raises
    :class:`AcquireError`.
    """
    apt = open_apt(tools.cache, arch, release=release)
    if apt is None:
        raise no_packages(", ".join(packages.build + packages.runtime))
    note = _note(tools, apt, packages)
    with locked(note.with_suffix(".lock")):
        return _known(tools, apt, note) or _make(tools, apt, packages, note)


def _make(tools: Tools, apt: Apt, packages: PackageSet, note: Path) -> Sysroot:
    tools.on_event("packages", f"reading {apt.release}'s package lists ({apt.architecture})", None)
    try:
        chosen, folder = apt.with_lists(lambda: _unpacked(tools, apt, packages))
    except AcquireError as error:
        gone = apt.without_gone_pockets(error) if apt.release in OLD_RELEASES else ()
        if not gone:
            raise
        tools.on_event("packages", f"{', '.join(gone)} is gone: going on without its fixes", None)
        chosen, folder = _unpacked(tools, apt, packages)
    with appearing(note) as partial:
        partial.write_text(json.dumps({"folder": folder.name, "time": time.time()}))
    return Sysroot(path=folder, packages=chosen, multiarch=_multiarch(apt))


def _unpacked(tools: Tools, apt: Apt, packages: PackageSet) -> tuple[tuple[Package, ...], Path]:
    chosen = _choose(apt, packages)
    folder = tools.cache / "sysroots" / _folder_name(apt, chosen)

    def fill(partial: Path) -> None:
        with workroom(tools.cache, "packages") as room:
            tools.on_event("packages", f"fetching {len(chosen)} packages", None)
            owners = {}
            for file in apt.download(chosen, room):
                package = file.name.partition("_")[0]
                owners.update(dict.fromkeys(unpack_deb(file, partial, wanted=_wanted), package))
        (partial / "packages.json").write_text(
            json.dumps([asdict(package) for package in chosen], indent=1), encoding="utf-8"
        )
        (partial / "owners.json").write_text(json.dumps(owners), encoding="utf-8")

    return chosen, made_once(folder, fill)


def _multiarch(apt: Apt) -> str:
    arch = next(arch for arch, name in DEBIAN_ARCHITECTURES.items() if name == apt.architecture)
    return MULTIARCH[arch]


def _choose(apt: Apt, packages: PackageSet) -> tuple[Package, ...]:
    """What is downloaded: the build packages with headers, and the runtime packages' closure."""
    runtime = apt.closure(packages.runtime) if packages.runtime else ()
    wanted = {package.name: package for package in runtime if _bundled(package.name)}
    if packages.build:
        for package in apt.closure(packages.build):
            if package.name in packages.build and package.name.endswith("-dev"):
                wanted[package.name] = package
    return tuple(wanted[name] for name in sorted(wanted))


def _bundled(name: str) -> bool:
    return name not in NOT_BUNDLED and not name.startswith("gcc-")


def _wanted(name: str) -> bool:
    """Headers, libraries, config tools and licences; no manuals, no interpreters' archives."""
    if name.startswith("usr/share/"):
        return name.startswith("usr/share/doc/") and name.endswith("/copyright")
    return not name.startswith(("usr/share", "usr/lib/python", "etc/", "var/")) and not (
        "/libpython" in name and name.endswith(".a")
    )


def _folder_name(apt: Apt, packages: Sequence[Package]) -> str:
    import hashlib

    words = " ".join(f"{package.name}={package.version}" for package in packages)
    key = hashlib.sha256(words.encode()).hexdigest()[:16]
    return safe_name(f"{apt.release}-{apt.architecture}-{key}")


def _note(tools: Tools, apt: Apt, packages: PackageSet) -> Path:
    import hashlib

    words = json.dumps([packages.build, packages.runtime])
    key = hashlib.sha256(words.encode()).hexdigest()[:16]
    return tools.cache / "sysroots" / f"{safe_name(apt.root.name)}-{key}.json"


def _known(tools: Tools, apt: Apt, note: Path) -> Sysroot | None:
    """The sysroot that these packages gave within the last day, or ever when offline."""
    try:
        noted = json.loads(note.read_text(encoding="utf-8"))
        folder = tools.cache / "sysroots" / safe_name(str(noted["folder"]))
        if not is_whole(folder):
            return None
        if not tools.offline and time.time() - float(noted["time"]) > _FRESH_SECONDS:
            return None
        listed = json.loads((folder / "packages.json").read_text(encoding="utf-8"))
        packages_in = tuple(Package(**entry) for entry in listed)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Sysroot(path=folder, packages=packages_in, multiarch=_multiarch(apt))
