"""A bare machine: a minimal Debian tree with Python and pip, no compiler, no headers, no client.

Made once by debootstrap from the machine's own mirror and kept in a cache folder; each test gets a
copy. Commands run in it as ``nobody`` through chroot, in a mount namespace of their own: what is
mounted for them is gone with them, whatever happens. Needs root (the marker ``root``).
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from buildtools.acquire.aptsources import os_release, own_sources, read_sources

PACKAGES = "python3-minimal,python3-venv,ca-certificates"
HOME = "/home/someone"
_USER = "nobody"
_FORBIDDEN = ("usr/bin/cc", "usr/bin/gcc", "usr/bin/clang", "usr/bin/pkg-config", "usr/bin/make")
_MACHINE_FILES = (
    "etc/resolv.conf",
    "etc/hosts",
    "etc/pip.conf",
    "etc/ssl/certs/ca-certificates.crt",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A command that ended in the tree: its exit code, what it said."""

    returncode: int
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BareTree:
    """One copy of the bare machine, in a folder of the test's own."""

    path: Path

    @property
    def home(self) -> Path:
        """The user's home, seen from outside."""
        return self.path / HOME.lstrip("/")

    def run(
        self,
        words: Sequence[str],
        *,
        timeout: float = 600,
        environment: Mapping[str, str] | None = None,
    ) -> Ran:
        """Run a command in the tree as ``nobody``, in its home, with a clean environment."""
        variables = {
            "HOME": HOME,
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            **{key: value for key, value in os.environ.items() if key.startswith("PIP_")},
            **(environment or {}),
        }
        inside = [
            "/usr/bin/env",
            "-i",
            *(f"{key}={value}" for key, value in variables.items()),
            "/bin/sh",
            "-c",
            'cd "$HOME" && exec "$@"',
            "sh",
            *words,
        ]
        script = (
            'mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && tree=$1 && shift && '
            f'exec chroot --userspec={_USER}:nogroup "$tree" "$@"'
        )
        done = subprocess.run(
            [
                *("unshare", "--mount", "--pid", "--fork", "--kill-child"),
                *("/bin/sh", "-c", script, "sh", str(self.path), *inside),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Ran(returncode=done.returncode, output=done.stdout)

    def check(self, words: Sequence[str], **options: object) -> str:
        """Like :meth:`run`, but the command must end with 0; gives what it said."""
        ran = self.run(words, **options)  # type: ignore[arg-type]
        assert ran.returncode == 0, f"{list(words)} ended with {ran.returncode}:\n{ran.output}"
        return ran.output

    def put(self, source: Path, name: str | None = None) -> str:
        """Copy a file into the home; gives its path as the tree sees it."""
        target = self.home / (name or source.name)
        shutil.copyfile(source, target)
        _own(target)
        return f"{HOME}/{target.name}"

    def written_outside_home(self, since: float) -> list[str]:
        """Files outside the home (and the kernel's own folders) that changed after ``since``."""
        found = []
        for folder, folders, files in os.walk(self.path):
            inside = Path(folder).relative_to(self.path)
            if inside == Path():
                folders[:] = [name for name in folders if name not in {"proc", "sys", "dev"}]
            folders[:] = [name for name in folders if Path(folder, name) != self.home]
            found += [
                str(inside / name)
                for name in (*files, *folders)
                if Path(folder, name).lstat().st_ctime > since
            ]
        return found


def _own(path: Path) -> None:
    user = pwd.getpwnam(_USER)
    os.chown(path, user.pw_uid, user.pw_gid)


def _cache() -> Path:
    configured = os.environ.get("BUILDTOOLS_TEST_CACHE", "")
    return Path(configured) if configured else Path.home() / ".cache" / "buildtools-tests"


def base_tree() -> Path:
    """The tree that copies are made of: debootstrapped the first time, about a minute."""
    release = os_release(Path("/etc/os-release"))["VERSION_CODENAME"]
    tree = _cache() / f"bare-{release}"
    tree.parent.mkdir(parents=True, exist_ok=True)
    with tree.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test processes may want it at once
        if not tree.is_dir():
            _debootstrap(release, tree)
    return tree


def _debootstrap(release: str, tree: Path) -> None:
    sources = own_sources(read_sources(Path("/etc/apt")), release)
    mirror = next(
        source.fields["URIs"].split()[0] for source in sources if release in source.suites
    )
    partial = tree.with_suffix(".part")
    shutil.rmtree(partial, ignore_errors=True)
    subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", release, partial, mirror],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    shutil.rmtree(partial / "var/cache/apt/archives", ignore_errors=True)
    partial.replace(tree)


def make_tree(path: Path) -> BareTree:
    """A copy of the bare machine below ``path``, with this machine's pip and apt settings."""
    subprocess.run(["cp", "-a", str(base_tree()), str(path)], check=True)
    tree = BareTree(path=path)
    for name in _MACHINE_FILES:
        source = Path("/") / name
        if source.is_file():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, path / name)
            (path / name).chmod(0o644)
    (path / "etc/apt/sources.list").unlink(missing_ok=True)
    for name in ("sources.list", "sources.list.d", "apt.conf.d", "trusted.gpg.d", "keyrings"):
        source = Path("/etc/apt") / name
        if source.is_dir():
            shutil.copytree(source, path / "etc/apt" / name, dirs_exist_ok=True)
        elif source.is_file():
            shutil.copyfile(source, path / "etc/apt" / name)
    for keyring in Path("/usr/share/keyrings").glob("*archive-keyring.gpg"):
        shutil.copyfile(keyring, path / "usr/share/keyrings" / keyring.name)
    for name in os.environ.get("PIP_FIND_LINKS", "").split():
        if Path(name).is_dir():
            shutil.copytree(name, path / name.lstrip("/"), dirs_exist_ok=True)
    tree.home.mkdir(parents=True)
    _own(tree.home)
    for forbidden in _FORBIDDEN:
        assert not (path / forbidden).exists(), f"{forbidden} is in the bare tree"
    assert not list(path.glob("usr/include/python3*/Python.h"))
    return tree
