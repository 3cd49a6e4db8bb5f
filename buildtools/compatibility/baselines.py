"""Which shared libraries a target's system has without anyone's doing.

Source: the policies of manylinux (PEP 513, 571, 599, 600) and musllinux (PEP 656) as auditwheel
publishes them; for macOS, the folders that belong to the system and live in dyld's shared cache.
"""

from __future__ import annotations

import re
from functools import cache

from buildtools.targets import LibCFamily, OperatingSystem, Target

_GLIBC = frozenset(
    {
        "libc.so.6",
        "libm.so.6",
        "libdl.so.2",
        "libpthread.so.0",
        "librt.so.1",
        "libutil.so.1",
        "libresolv.so.2",
        "libanl.so.1",
        "libnsl.so.1",
        "libgcc_s.so.1",
        "libstdc++.so.6",
        "libatomic.so.1",
        "libz.so.1",
    }
)
_LATER = ((12, "libexpat.so.1"), (24, "libmvec.so.1"))
"""What came in with manylinux_2_12 and manylinux_2_24."""

DESKTOP_LIBRARIES = frozenset(
    {
        "libGL.so.1",
        "libX11.so.6",
        "libXext.so.6",
        "libXrender.so.1",
        "libICE.so.6",
        "libSM.so.6",
        "libglib-2.0.so.0",
        "libgobject-2.0.so.0",
        "libgthread-2.0.so.0",
    }
)
"""Promised by every manylinux policy, and yet absent from slim images and servers: the policy was
written for desktops. They are no part of :func:`baseline_libraries`."""

_OF_A_DISPLAY = re.compile(
    r"lib(xcb|X[a-z0-9]+|xkb|xkbcommon|GL|GLU|GLX|GLESv2|EGL|OpenGL|OSMesa|vulkan|wayland-\w+|drm|gbm|va|"
    r"fontconfig|freetype|cairo|pango\w*|atk|atspi|gtk|gdk\w*|dbus|asound|pulse|jack|cups|gst\w*|"
    r"speechd|cuda|nvidia-\w+)([-.]|$)"
)
"""Display, sound, printing and the graphics card's own driver: a server may do without them."""

_EVERYWHERE = frozenset({"libzstd.so.1", "liblzma.so.5", "libcrypt.so.1"})
"""In no policy of manylinux, and yet what every larger distribution's package manager needs."""


def may_stand_there(name: str, target: Target) -> bool:
    """Whether a Linux may have the library though its target does not promise it.

    Never where the target's libraries are named in the configuration: then they are known.
    """
    if target.libraries is not None or target.os is OperatingSystem.DARWIN:
        return False
    if target.libc is not None and target.libc.family is LibCFamily.MUSL:
        return name in DESKTOP_LIBRARIES
    return name in DESKTOP_LIBRARIES or name in _EVERYWHERE or _OF_A_DISPLAY.match(name) is not None


_LOADERS = {
    "x86_64": "ld-linux-x86-64.so.2",
    "aarch64": "ld-linux-aarch64.so.1",
    "i686": "ld-linux.so.2",
    "armv7l": "ld-linux-armhf.so.3",
    "ppc64le": "ld64.so.2",
    "s390x": "ld64.so.1",
    "riscv64": "ld-linux-riscv64-lp64d.so.1",
    "loongarch64": "ld-linux-loongarch-lp64d.so.1",
}
_MUSL_ARCHITECTURES = {"i686": "x86", "armv7l": "armhf", "ppc64le": "powerpc64le"}

_MACOS_FOLDERS = ("/usr/lib/", "/System/")


@cache
def baseline_libraries(target: Target) -> frozenset[str]:
    """The sonames that the target's C library and compiler runtime stand for.

    Empty for macOS, whose libraries go by path: see :func:`is_baseline`.
    """
    if target.os is OperatingSystem.DARWIN:
        return frozenset()
    if target.libc is not None and target.libc.family is LibCFamily.MUSL:
        arch = _MUSL_ARCHITECTURES.get(target.arch, target.arch)
        return frozenset({"libc.so", f"libc.musl-{arch}.so.1", f"ld-musl-{arch}.so.1", "libz.so.1"})
    floor = target.libc.version if target.libc else None
    minor = floor.minor if floor else 0
    later = {name for since, name in _LATER if minor >= since}
    return _GLIBC | later | {_LOADERS.get(target.arch, "ld-linux.so.2")}


def is_baseline(name: str, target: Target) -> bool:
    """Whether a library of this name belongs to the target's system, or is known to stand there."""
    if target.os is OperatingSystem.DARWIN:
        return name.startswith(_MACOS_FOLDERS)
    return name in baseline_libraries(target) or name in (target.libraries or ())
