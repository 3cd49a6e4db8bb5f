"""Runs inside any CPython and prints what it is, as one JSON document.

Read as text and handed to the other interpreter with ``-c``: it must stay free of this package's
imports and of anything newer than Python 3.6, so that an old interpreter can be named as such.
"""

import json
import os
import platform
import site
import struct
import sys
import sysconfig

MYPY = False
if MYPY:  # true to the type checker only: importing typing costs the child some milliseconds
    from typing import Any  # noqa: F401 - in a comment of types


def gather():  # type: () -> "dict[str, Any]"
    """Every fact of this interpreter that :mod:`buildtools.host` wants; paths as text."""
    import importlib.machinery
    import importlib.util

    config = sysconfig.get_config_var
    paths = sysconfig.get_paths()
    libc = ""
    if hasattr(os, "confstr"):
        try:
            libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
        except (ValueError, OSError):
            libc = ""
    stdlib = paths.get("stdlib", "")
    marker = os.path.join(stdlib, "EXTERNALLY-MANAGED")
    include = paths.get("include", "")
    in_venv = sys.prefix != sys.base_prefix
    return {
        "executable": sys.executable,
        "prefix": sys.prefix,
        "base_prefix": sys.base_prefix,
        "version": platform.python_version(),
        "implementation": sys.implementation.name,
        "system": sys.platform,
        "machine": platform.machine(),
        "pointer_bits": struct.calcsize("P") * 8,
        "libc": libc,
        "mac_version": platform.mac_ver()[0] if sys.platform == "darwin" else "",
        "ext_suffixes": importlib.machinery.EXTENSION_SUFFIXES,
        "ext_suffix": config("EXT_SUFFIX") or "",
        "soabi": config("SOABI") or "",
        "free_threaded": bool(config("Py_GIL_DISABLED")),
        "debug": bool(config("Py_DEBUG")) or hasattr(sys, "gettotalrefcount"),
        "sys_path": list(sys.path),
        "purelib": paths.get("purelib", ""),
        "platlib": paths.get("platlib", ""),
        "stdlib": stdlib,
        "scripts": paths.get("scripts", ""),
        "include": include if os.path.exists(os.path.join(include, "Python.h")) else "",
        "user_site": site.getusersitepackages() if hasattr(site, "getusersitepackages") else "",
        "user_site_enabled": bool(site.ENABLE_USER_SITE),
        "externally_managed": os.path.exists(marker) and not in_venv,
        "has_pip": importlib.util.find_spec("pip") is not None,
    }


if __name__ == "__main__":
    if sys.version_info < (3, 6):  # noqa: UP036 - it may be started by any Python
        print(json.dumps({"too_old": platform.python_version()}))
        sys.exit(0)
    # What -c or a script's folder put first is not part of what an application sees.
    if sys.path and not getattr(sys.flags, "safe_path", False) and not sys.flags.isolated:
        del sys.path[0]
    print(json.dumps(gather()))
