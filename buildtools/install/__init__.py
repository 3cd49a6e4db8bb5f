"""Installing a wheel so that at every moment the old driver or the new one is there, whole."""

from __future__ import annotations

from buildtools.install.aside import SetAside, recover_aside, set_aside
from buildtools.install.installation import Installation, Recovered, Staged
from buildtools.install.installed import Installed, find_installed, info_folders, owned_by_others
from buildtools.install.journal import Journal, Phase
from buildtools.install.lock import EnvironmentLock
from buildtools.install.scheme import HIDDEN, Scheme

__all__ = [
    "HIDDEN",
    "EnvironmentLock",
    "Installation",
    "Installed",
    "Journal",
    "Phase",
    "Recovered",
    "Scheme",
    "SetAside",
    "Staged",
    "find_installed",
    "info_folders",
    "owned_by_others",
    "recover_aside",
    "set_aside",
]
