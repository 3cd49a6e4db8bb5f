"""An emulated aarch64 tree as its users have one: a small Debian, and every program of it emulated.

What stands in for a ``FROM --platform=linux/arm64`` image. The kernel starts the tree's programs
with qemu-user by binfmt_misc, told so within a namespace of its own where the kernel has one for
each (Linux 6.7, see its ``binfmt_misc.c``): nothing on the machine is told, and nothing is left.
Root; Linux 6.7; Debian packages: debootstrap, qemu-user-static.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from buildtools.acquire.apt import codename
from buildtools.acquire.aptsources import as_text, own_sources, read_sources
from buildtools.processes import clean_environment

_MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
_MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
"""An ELF file of aarch64, program or shared: as qemu's own ``qemu-binfmt-conf.sh`` has it."""

_WAIT = 'read -r go; exec unshare --pid --fork --kill-child --mount-proc sh -ec "$0" "$@"'
_INSIDE = """
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
printf %s "$1" > /proc/sys/fs/binfmt_misc/register
mount -t proc proc "$2/proc"
shift
exec chroot "$@"
"""
_IDS = "0 0 65536\n"
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_TRUSTING = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_TRUST = "etc/machine-certificates.pem"
"""What this machine trusts: a tree behind the same proxy must trust it too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatedTree:
    """A minimal Debian of aarch64 at ``root``, its programs run by ``qemu``."""

    root: Path
    qemu: str

    def run(self, words: Sequence[str], **variables: str) -> float:
        """Seconds that a command takes in the tree; it must succeed, else :class:`SystemExit`."""
        environment = clean_environment(
            {
                "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME": "/srv",
                "LC_ALL": "C.UTF-8",
                "DEBIAN_FRONTEND": "noninteractive",
                # requests, which pip uses, takes its own variable before pip's option.
                **dict.fromkeys(_TRUSTING, f"/{_TRUST}"),
                **variables,
            }
        )
        log = self.root.with_suffix(".log")
        started = time.perf_counter()
        with log.open("wb") as out:
            code = self._namespace(words, environment, out.fileno())
        seconds = time.perf_counter() - started
        if code:
            tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]
            raise SystemExit("\n".join([f"{words} ended with {code} in the tree", *tail]))
        return seconds

    def _namespace(self, words: Sequence[str], environment: Mapping[str, str], out: int) -> int:
        """By binfmt_misc of a user namespace, which goes with the last of its processes."""
        rule = f":buildtools-aarch64:M::{_MAGIC}:{_MASK}:{self.qemu}:F"
        inner = [_INSIDE, "sh", rule, str(self.root), *words]
        process = subprocess.Popen(
            [_program("unshare"), "--user", "--mount", "sh", "-c", _WAIT, *inner],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=dict(environment),
        )
        try:
            here, there = (Path(f"/proc/{who}/ns/user") for who in ("self", process.pid))
            while there.readlink() == here.readlink() and process.poll() is None:
                time.sleep(0.01)
            for name in ("uid_map", "gid_map"):
                Path(f"/proc/{process.pid}/{name}").write_text(_IDS, encoding="ascii")
            process.communicate(b"go\n")
        except OSError as error:
            raise SystemExit(f"no namespace for the emulated tree: {error}") from error
        finally:
            process.kill()
            process.wait()
        return process.returncode


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise SystemExit(f"there is no {name} here")
    return found


def make_tree(root: Path) -> EmulatedTree:
    """A minimal tree of this machine's release for aarch64, whole, before any clock runs.

    Raises :class:`SystemExit` saying what the machine lacks.
    """
    machine = codename()
    qemu = _program("qemu-aarch64-static")
    if machine is None or os.geteuid():
        raise SystemExit("the emulated tree takes root on a Debian or Ubuntu")
    sources = own_sources(read_sources(Path("/etc/apt")), machine[1])
    mirror = sources[0].fields["URIs"].split()[0]
    words = [_program("debootstrap"), "--foreign", "--arch=arm64", "--variant=minbase", machine[1]]
    subprocess.run(
        [*words, str(root), mirror],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    (root / _TRUST).write_bytes(_CERTIFICATES.read_bytes())
    tree = EmulatedTree(root=root, qemu=qemu)
    tree.run(["/bin/true"])
    # debootstrap makes no devices where it is told that they are there.
    tree.run(["/debootstrap/debootstrap", "--second-stage"], container="lxc")
    (root / "etc/apt/sources.list").unlink(missing_ok=True)
    (root / "etc/apt/sources.list.d/own.sources").write_text(
        as_text(sources, "arm64"), encoding="utf-8"
    )
    return tree
