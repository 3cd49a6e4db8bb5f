"""Distribution packages without root: apt with a configuration, lists and cache of our own.

apt itself checks every signature and hash. Source: apt.conf(5), apt-get(8), apt_preferences(5).
"""

from __future__ import annotations

import hashlib
import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from buildtools.acquire.aptsources import (
    DISTRIBUTIONS,
    as_text,
    os_release,
    own_sources,
    read_sources,
)
from buildtools.acquire.caching import locked, safe_name
from buildtools.acquire.pipping import NEXT_STEPS, cause_of
from buildtools.acquire.request import AcquireError
from buildtools.findings import Cause
from buildtools.processes import Completed, clean_environment, run

DEBIAN_ARCHITECTURES: Mapping[str, str] = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "i686": "i386",
    "armv7l": "armhf",
    "ppc64le": "ppc64el",
    "s390x": "s390x",
    "riscv64": "riscv64",
}

MULTIARCH: Mapping[str, str] = {
    "x86_64": "x86_64-linux-gnu",
    "aarch64": "aarch64-linux-gnu",
    "i686": "i386-linux-gnu",
    "armv7l": "arm-linux-gnueabihf",
    "ppc64le": "powerpc64le-linux-gnu",
    "s390x": "s390x-linux-gnu",
    "riscv64": "riscv64-linux-gnu",
}
"""Debian's folder below ``/usr/lib`` and ``/usr/include`` for each architecture."""

_T = TypeVar("_T")
_FRESH_SECONDS = 24 * 3600.0
_SETTLED_SECONDS = 120.0
"""Lists younger than this are not fetched anew for a file that the mirror does not have."""
_UPDATE_SECONDS = 300.0
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_NOT_AS_SIGNED = re.compile(
    r"Hash Sum mismatch|has unexpected size|BADSIG|NO_PUBKEY|is not signed|invalid signature"
)
"""apt's words for a file, or a list, that is not what the distribution has signed."""

_GONE = re.compile(r"\b404\b")
_INST = re.compile(
    r"^Inst (?P<name>\S+?)(?::\w+)? (?:\[[^\]]*\] )?\((?P<version>\S+) ", re.MULTILINE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One binary package of one architecture, at one version."""

    name: str
    version: str
    architecture: str
    release: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Apt:
    """A private view of the distribution's archive: one release, one architecture.

    ``release`` is a codename (``bookworm``); ``root`` holds configuration, lists and cache.
    """

    root: Path
    distribution: str
    release: str
    architecture: str

    def update(self, *, force: bool = False) -> None:
        """Fetch the package lists unless they are less than a day old.

        Raises :class:`AcquireError` when the mirror cannot be reached or a signature is wrong.
        """
        stamp = self.root / "updated"
        with locked(self.root / "lock"):
            if (
                not force
                and stamp.is_file()
                and time.time() - stamp.stat().st_mtime < _FRESH_SECONDS
            ):
                return
            done = self._run("apt-get", ["update", "-o", "APT::Update::Error-Mode=any"])
            if not done.ok:
                done = self._without_missing_suites(done)
            if not done.ok:
                raise self._failed(done, "the distribution's package lists could not be fetched")
            stamp.touch()

    def with_lists(self, use: Callable[[], _T]) -> _T:
        """What ``use`` gives with the package lists at hand.

        A mirror that has moved on since the lists were read no longer holds what they announce:
        then they are fetched anew and ``use`` runs once more. Raises what either raises.
        """
        self.update()
        age = time.time() - (self.root / "updated").stat().st_mtime
        try:
            return use()
        except AcquireError as error:
            if age < _SETTLED_SECONDS or _GONE.search(error.why) is None:
                raise
            self.update(force=True)
            return use()

    def _without_missing_suites(self, done: Completed) -> Completed:
        """Another release may lack a pocket: try again with those suites that are there."""
        text = f"{done.stdout}\n{done.stderr}"
        missing = set(re.findall(r"The repository '\S+ (\S+) Release' does not have", text))
        if not missing or self.release in missing:
            return done
        self._drop(missing)
        return self._run("apt-get", ["update", "-o", "APT::Update::Error-Mode=any"])

    def without_gone_pockets(self, error: AcquireError) -> tuple[str, ...]:
        """Drop the pockets whose packages the mirror lists and no longer holds; gives their names.

        Mirrors move the security pocket of a release past its end of life away, first its files.
        """
        gone = set(re.findall(r"Err:\d+ \S+ (\S+?)/main ", error.why)) - {self.release}
        if gone:
            self._drop(gone)
            self.update(force=True)
        return tuple(sorted(gone))

    def _drop(self, suites: set[str]) -> None:
        """Take suites out of the private sources."""

        def kept(found: re.Match[str]) -> str:
            return "Suites: " + " ".join(word for word in found[1].split() if word not in suites)

        path = self.root / "sources.sources"
        stanzas = path.read_text(encoding="utf-8").strip().split("\n\n")
        left = [re.sub(r"(?m)^Suites: (.*)$", kept, stanza) for stanza in stanzas]
        with_suites = [stanza for stanza in left if not re.search(r"(?m)^Suites: *$", stanza)]
        path.write_text("\n\n".join(with_suites) + "\n", encoding="utf-8")

    def closure(self, names: Sequence[str]) -> tuple[Package, ...]:
        """The packages and everything that they depend on, with the versions that apt would take.

        Raises :class:`AcquireError` for a package that the release does not have.
        """
        for name in names:
            if _PACKAGE.fullmatch(name) is None:
                raise AcquireError(f"{name!r} is no name that a package can have")
        done = self._run(
            "apt-get",
            ["install", "--simulate", "--yes", "--no-install-recommends", "--", *names],
        )
        if not done.ok:
            raise self._failed(done, f"{self.release} has no {', '.join(names)}")
        return tuple(
            Package(
                name=match["name"],
                version=match["version"],
                architecture=self.architecture,
                release=self.release,
            )
            for match in _INST.finditer(done.stdout)
        )

    def download(self, packages: Sequence[Package], folder: Path) -> tuple[Path, ...]:
        """Download the packages into a folder, hashes checked by apt; gives their files.

        Raises :class:`AcquireError` when one is missing or is not what the signed lists announce.
        """
        words = [f"{package.name}={package.version}" for package in packages]
        done = self._run("apt-get", ["download", "--", *words], cwd=folder)
        found = tuple(sorted(folder.glob("*.deb")))
        if not done.ok or len(found) != len(packages):
            raise self._failed(done, f"{', '.join(words)} could not be downloaded")
        return found

    def fetch_source(self, package: str, folder: Path) -> None:
        """Download a source package's archives, not the distribution's changes to them.

        Raises :class:`AcquireError` when one is missing or is not what the signed list announces.
        """
        words = ["source", "--download-only", "--tar-only", "--", package]
        done = self._run("apt-get", words, cwd=folder)
        if not done.ok:
            raise self._failed(done, f"the source of {package} could not be downloaded")

    def codename(self) -> str:
        """The codename that the release's signed file names, which its alias does not say."""
        for path in sorted((self.root / "lists").glob(f"*_dists_{self.release}_InRelease")):
            found = re.search(r"(?m)^Codename: (\S+)$", path.read_text(errors="replace"))
            if found is not None:
                return found[1]
        return ""

    def source_versions(self, name: str) -> tuple[str, ...]:
        """The versions of a source package that the lists announce, in no order."""
        if _PACKAGE.fullmatch(name) is None:
            raise AcquireError(f"{name!r} is no name that a package can have")
        done = self._run("apt-cache", ["madison", "--", name])
        if not done.ok:
            raise self._failed(done, f"{self.release} has no source of {name}")
        rows = [[part.strip() for part in line.split("|")] for line in done.stdout.splitlines()]
        found = [row[1] for row in rows if row[:1] == [name] and row[-1].endswith("Sources")]
        return tuple(dict.fromkeys(found))

    def download_source(self, name: str, version: str, folder: Path) -> tuple[Path, ...]:
        """Download a source package's files, hashes checked by apt; gives them, sorted.

        Raises :class:`AcquireError`; with the cause ``index-unreachable`` when the mirror does not
        hold what its lists announce.
        """
        words = ["source", "--download-only", "--", f"{name}={version}"]
        done = self._run("apt-get", words, cwd=folder)
        found = tuple(sorted(path for path in folder.iterdir() if ".part" not in path.suffixes))
        if not done.ok or not found:
            raise self._failed(done, f"the source of {name} {version} could not be downloaded")
        return found

    def _run(self, program: str, words: Sequence[str], cwd: Path | None = None) -> Completed:
        return run(
            [shutil.which(program) or program, "-c", self.root / "apt.conf", "-q", *words],
            timeout=_UPDATE_SECONDS,
            env=clean_environment(
                {
                    "LC_ALL": "C.UTF-8",
                    "DEBIAN_FRONTEND": "noninteractive",
                    # apt checks signatures by way of temporary files.
                    "TMPDIR": str(self.root),
                }
            ),
            cwd=cwd,
        )

    def _failed(self, done: Completed, what: str) -> AcquireError:
        text = f"{done.stdout}\n{done.stderr}"
        cause = Cause.INDEX_UNREACHABLE
        next_step = "run `apt-get update` by hand to see whether the machine's own sources work"
        if cause_of(text) is Cause.NO_SPACE:
            # What was cut short has a wrong hash, too.
            cause = Cause.NO_SPACE
            next_step = NEXT_STEPS[cause]
        elif _NOT_AS_SIGNED.search(text):
            cause = Cause.HASH_MISMATCH
        elif re.search(
            r"Unable to locate package|has no installation candidate|was not found", text
        ):
            cause = Cause.MISSING_CLIENT_HEADERS
            next_step = ""  # the list was read, and it is not in it
        lines = dict.fromkeys(" ".join(line.split()) for line in text.splitlines())
        # What decided stands first: a full disk says so in one of many lines, anywhere.
        full = [line for line in lines if cause is cause_of(line) is Cause.NO_SPACE]
        fetched = [line for line in lines if line.startswith("Err:")]
        errors = [line for line in lines if line.startswith(("E: ", "W: GPG"))]
        said = dict.fromkeys([*full[:1], *fetched[:3], *errors[:3]])
        return AcquireError(
            what,
            cause=cause,
            where=f"{self.release}/{self.architecture}",
            why="; ".join(said) or done.tail(4),
            next_step=next_step,
        )


def plain_reason(error: AcquireError) -> str:
    """Why apt failed, short enough for the middle of a sentence."""
    gone = re.findall(r"/([^/\s]+)\s+404\s", error.why)
    if gone:
        return f"the mirror announces {gone[0]} and does not hold it"
    return error.why or error.what


def codename(root: Path = Path("/")) -> tuple[str, str] | None:
    """``(distribution, codename)`` of a Debian or Ubuntu machine with apt; None for any other."""
    fields = os_release(root / "etc/os-release")
    name = fields.get("VERSION_CODENAME") or fields.get("UBUNTU_CODENAME", "")
    families = [fields.get("ID", ""), *fields.get("ID_LIKE", "").split()]
    known = next((family for family in families if family in DISTRIBUTIONS), None)
    if known is None or not name or shutil.which("apt-get") is None:
        return None
    return known, name


def open_apt(cache: Path, arch: str, *, release: str | None = None) -> Apt | None:
    """The private apt for an architecture, its configuration written; None without apt.

    ``release`` names another release of the same archive; None means the machine's own.
    """
    machine = codename()
    if machine is None or arch not in DEBIAN_ARCHITECTURES:
        return None
    distribution, own = machine
    sources = own_sources(read_sources(Path("/etc/apt")), own, release)
    if not sources:
        return None
    architecture = DEBIAN_ARCHITECTURES[arch]
    text = as_text(sources, architecture)
    key = hashlib.sha256(text.encode()).hexdigest()[:12]
    root = cache / "apt" / safe_name(f"{release or own}-{architecture}-{key}")
    apt = Apt(
        root=root,
        distribution=distribution,
        release=release or own,
        architecture=architecture,
    )
    with locked(root / "lock"):
        if not (root / "apt.conf").is_file():
            write_configuration(apt, text)
    return apt


def write_configuration(apt: Apt, sources: str) -> None:
    """Write configuration, sources and preferences; the machine's proxies stay in force."""
    root = apt.root
    for folder in ("lists/partial", "cache/archives/partial", "nothing"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "status").touch()
    (root / "sources.sources").write_text(sources, encoding="utf-8")
    # Only what the distribution itself has signed may be chosen, whatever else the sources hold.
    (root / "preferences").write_text(
        f"Package: *\nPin: release o={DISTRIBUTIONS[apt.distribution]}\nPin-Priority: 500\n\n"
        "Package: *\nPin: release o=*\nPin-Priority: -1\n",
        encoding="utf-8",
    )
    quoted = str(root).replace('"', "")
    (root / "apt.conf").write_text(
        "\n".join(
            [
                "#clear APT::Update::Pre-Invoke;",
                "#clear APT::Update::Post-Invoke;",
                "#clear APT::Update::Post-Invoke-Success;",
                "#clear DPkg::Pre-Invoke;",
                "#clear DPkg::Post-Invoke;",
                "#clear DPkg::Pre-Install-Pkgs;",
                f'Dir::State "{quoted}/";',
                f'Dir::State::Lists "{quoted}/lists/";',
                f'Dir::State::status "{quoted}/status";',
                f'Dir::State::extended_states "{quoted}/extended_states";',
                f'Dir::Cache "{quoted}/cache/";',
                f'Dir::Cache::Archives "{quoted}/cache/archives/";',
                f'Dir::Cache::pkgcache "{quoted}/cache/pkgcache.bin";',
                f'Dir::Cache::srcpkgcache "{quoted}/cache/srcpkgcache.bin";',
                f'Dir::Etc::SourceList "{quoted}/sources.sources";',
                f'Dir::Etc::SourceParts "{quoted}/nothing/";',
                f'Dir::Etc::Preferences "{quoted}/preferences";',
                f'Dir::Etc::PreferencesParts "{quoted}/nothing/";',
                f'Dir::Log "{quoted}/";',
                'APT::Sandbox::User "";',
                f'APT::Architecture "{apt.architecture}";',
                "#clear APT::Architectures;",
                f'APT::Architectures {{ "{apt.architecture}"; }};',
                'Acquire::Languages "none";',
                'Acquire::GzipIndexes "false";',
                'Acquire::Retries "2";',
                'Acquire::http::Timeout "30";',
                'Acquire::https::Timeout "30";',
                'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";',
                'Acquire::IndexTargets::deb::DEP-11-icons-small::DefaultEnabled "false";',
                'Acquire::IndexTargets::deb::DEP-11-icons::DefaultEnabled "false";',
                'Acquire::IndexTargets::deb::DEP-11-icons-hidpi::DefaultEnabled "false";',
                'Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";',
                "",
            ]
        ),
        encoding="utf-8",
    )
