"""This tool as a requirement: what pip is told so that another environment has the same one."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, distribution
from urllib.parse import unquote, urlsplit

NAME = "native-buildtools"


def own_requirement() -> str:
    """The requirement, or the folder, that this copy came from; empty where it is not installed.

    Source: ``direct_url.json`` (PEP 610) of a copy that pip did not take from an index.
    """
    try:
        installed = distribution(NAME)
    except PackageNotFoundError:
        return ""
    origin = installed.read_text("direct_url.json")
    if origin:
        try:
            described = json.loads(origin)
            if "dir_info" in described:
                return unquote(urlsplit(str(described["url"])).path)
        except (ValueError, KeyError, TypeError):
            pass  # no such file was written by pip: the version says as much
    return f"{NAME}=={installed.version}"
