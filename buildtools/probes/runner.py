"""Runs inside the interpreter under test, alone: imports one driver, uses it, and tells.

Read as text and handed to the other interpreter, whose files need not be ours (a chroot, an
emulator): this module imports nothing of this package. Its request comes on standard input. What it
finds goes out on what was standard output when it began; everything that the driver itself writes
there goes to standard error. Each message is a line of base64 around JSON, written at once, so
that a crash or a hang leaves behind how far it came. It is one long module because it travels as
one text.
"""

from __future__ import annotations

import base64
import faulthandler
import importlib
import importlib.machinery
import importlib.util
import json
import os
import re
import signal
import sys
from types import ModuleType, TracebackType
from typing import Any, Self

CHANNEL = 60
"""The lowest number that the message's file descriptor may have: out of a driver's way."""


class Channel:
    """Where messages go; made before anything foreign is imported."""

    def __init__(self) -> None:
        import fcntl

        sys.stdout.flush()
        self._fd = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, CHANNEL)
        os.dup2(2, 1)

    def tell(self, event: str, **facts: object) -> None:
        """Write one message whole."""
        words = json.dumps({"event": event, **facts}, default=str).encode()
        line = memoryview(base64.b64encode(words) + b"\n")
        while line:
            line = line[os.write(self._fd, line) :]


class Check:
    """One thing that is tried, as a context manager; an exception makes it fail and ends there."""

    def __init__(self, report: Report, name: str, required: bool) -> None:  # noqa: FBT001 - report.check is the caller
        self._report = report
        self.name = name
        self.required = required
        self.ok = False
        self.detail = ""

    def __enter__(self) -> Self:
        self._report.doing(self.name)
        self.ok = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if error is not None:
            self.ok = False
            self.detail = chain_text(error)
        self._report.add(self)
        return isinstance(error, Exception)

    def fail(self, detail: str) -> None:
        """Say that it failed without raising."""
        self.ok = False
        self.detail = detail


class Report:
    """What a probe is given: ``check(name)``, ``library``, ``fallback(reason)``, ``dsn``."""

    def __init__(self, channel: Channel, request: dict[str, Any]) -> None:
        self._channel = channel
        self.dsn: dict[str, Any] | None = request.get("dsn")
        self.driver: str = request.get("driver", "")
        self._library: str | None = None
        self.failures: list[str] = []
        self.fallbacks: list[str] = []

    @property
    def library(self) -> str | None:
        """The client or database library and its version; a probe sets it."""
        return self._library

    @library.setter
    def library(self, name: str) -> None:
        self._library = name
        self._channel.tell("library", name=name)

    def check(self, name: str, *, required: bool = True) -> Check:
        """Try one thing: ``with report.check("fts5") as check: …``."""
        return Check(self, name, required)

    def fallback(self, reason: str) -> None:
        """Say that a pure-Python part answered instead of the compiled one."""
        self.fallbacks.append(reason)

    def doing(self, what: str) -> None:
        """Say what comes next, so that a crash in it has a name."""
        self._channel.tell("doing", what=what)

    def candidate(self, module: str, file: str) -> None:
        """Tell the file that is found as a module."""
        self._channel.tell("candidate", module=module, file=file)

    def add(self, check: Check) -> None:
        """Tell a check that has ended."""
        self._channel.tell(
            "check", name=check.name, ok=check.ok, detail=check.detail, required=check.required
        )
        if not check.ok and check.required:
            self.failures.append(f"{check.name}: {check.detail}")

    def failed(self, name: str, detail: str, *, required: bool = True) -> None:
        """Tell a check that failed without having been a block of its own."""
        check = Check(self, name, required)
        check.detail = detail
        self.add(check)


def main(request: dict[str, Any]) -> None:
    """Do what the request asks and tell it; the parent reads the rest from how we end."""
    channel = Channel()
    faulthandler.enable()
    if request.get("hang_after"):
        faulthandler.dump_traceback_later(request["hang_after"], exit=False)
    no_core_file()
    # Asked to end at the deadline, a probe still takes its table away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by the deadline"))
    for entry in reversed(request.get("path", [])):
        sys.path.insert(0, entry)
    report = Report(channel, request)
    try:
        if request.get("application"):
            status, reason = run_application_check(request["application"], report)
        else:
            status, reason = try_driver(request, report, channel)
    except BaseException as error:  # noqa: BLE001 - also SystemExit of a driver
        status, reason = "failed", chain_text(error)
    channel.tell("end", status=status, reason=reason)


def no_core_file() -> None:
    """A crash is an answer here; its core file would only fill the disk."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, ValueError, OSError):
        pass


def try_driver(request: dict[str, Any], report: Report, channel: Channel) -> tuple[str, str]:
    """Import the driver, look at its compiled parts, run its probe; (status, reason)."""
    version = installed_version(request["distribution"]) if request["distribution"] else None
    if request["distribution"] is None:
        version = ".".join(str(part) for part in sys.version_info[:3])
    channel.tell("version", version=version)
    tell_candidates(request, report)
    before = mapped_files()
    absent = import_all(request, report, installed=version is not None)
    if absent:
        return "absent", absent
    loaded = look_at_native(request, report) if not report.failures else []
    tell_loaded(channel, request, loaded, before)
    if not report.failures and request.get("probe"):
        run_probe(request, report)
    if report.failures:
        return "failed", report.failures[0]
    if report.fallbacks:
        return "fallback", report.fallbacks[0]
    return "ok", ""


def tell_candidates(request: dict[str, Any], report: Report) -> None:
    """Tell the compiled files before any is touched: a cut one can crash the loader itself."""
    for module in request["native"]:
        try:
            folders = package_folders(module["module"])
        except ImportError:
            continue
        if folders is not None:
            spec = importlib.machinery.PathFinder.find_spec(module["module"], folders or None)
            if spec is not None and spec.origin is not None:
                report.candidate(module["module"], spec.origin)


def import_all(request: dict[str, Any], report: Report, *, installed: bool) -> str:
    """Import what the driver provides; a sentence when the driver is not there at all."""
    for name in request["imports"]:
        report.doing(f"import {name}")
        error = import_error(name)
        if error is None:
            with report.check(f"import {name}") as check:
                check.detail = getattr(sys.modules[name], "__file__", None) or "built in"
            continue
        if not installed and is_absent(error, name):
            return f"no module named {name!r} is installed"
        report.failed(f"import {name}", chain_text(error))
        for module in request["native"]:
            cause = why_not_loaded(module["module"], report)
            if cause:
                report.failed(f"load {module['module']}", cause)
        put_cause_first(report)
        break
    return ""


def import_error(name: str) -> BaseException | None:
    """What importing a module raises; a driver may raise anything, SystemExit too."""
    try:
        importlib.import_module(name)
    except BaseException as error:  # noqa: BLE001 - the error is the answer
        return error
    return None


def put_cause_first(report: Report) -> None:
    """Name the loader's words beside the import's, when the import did not say them."""
    first, *rest = report.failures
    hidden = [text for text in rest if text.partition(": ")[2] not in first]
    if hidden:
        report.failures.insert(0, f"{first}; behind it: {hidden[0]}")


def is_absent(error: BaseException, name: str) -> bool:
    """Whether an import failed because the module, not something that it wants, is not there."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return False
    return name == error.name or name.startswith(error.name + ".")


def look_at_native(request: dict[str, Any], report: Report) -> list[ModuleType]:
    """The compiled modules that are loaded; what is lost is a failure or a fallback."""
    loaded = []
    for entry in request["native"]:
        name, required = entry["module"], entry["required"]
        report.doing(f"load {name}")
        cause = ""
        if name not in sys.modules:
            # What is derived names every compiled file: those that its package left alone are
            # shown to the loader, but not started.
            error = None if request["derived"] else import_error(name)
            if request["derived"]:
                cause = why_not_loaded(name, report, start=False)
            elif error is not None:
                cause = why_not_loaded(name, report)
                words = chain_text(error)
                if words.partition(": ")[2] not in cause:
                    cause = f"{words}; {cause}".rstrip("; ")
        module = sys.modules.get(name)
        if not cause and module is not None and not is_native(module):
            cause = f"pure Python answers in its place: {getattr(module, '__file__', module)}"
        if not cause:
            loaded += [module] if module is not None else []
        elif request["pure"] == "never":
            report.failed(f"load {name}", cause, required=required)
        else:
            report.failed(f"load {name}", cause, required=False)
            report.fallback(f"{name} is not loaded: {cause}")
    return loaded


def is_native(module: ModuleType) -> bool:
    """Whether a module is compiled: an extension's or one of the interpreter's own."""
    file: str | None = getattr(module, "__file__", None)
    if file is None:
        return module.__name__ in sys.builtin_module_names
    return file.endswith(tuple(importlib.machinery.EXTENSION_SUFFIXES))


def why_not_loaded(name: str, report: Report, *, start: bool = True) -> str:
    """Why a compiled module cannot be loaded, past whatever its package made of it; "" if it can.

    The file is found without importing its package, and given to the loader itself.
    """
    try:
        folders = package_folders(name)
        if folders is None:
            return f"its package {name.rpartition('.')[0]!r} is not there"
        spec = importlib.machinery.PathFinder.find_spec(name, folders or None)
        if spec is None:
            return invisible_files(name.rpartition(".")[2], folders or sys.path)
        if not isinstance(spec.loader, importlib.machinery.ExtensionFileLoader):
            return f"only {spec.origin or 'a folder'} bears its name, which is not compiled"
        report.doing(f"load {name} from {spec.origin}")
        load_library(spec)
        if start and name not in sys.modules:
            importlib.import_module(name)
    except BaseException as error:  # noqa: BLE001 - the loader's words are what is wanted
        return chain_text(error)
    return ""


def load_library(spec: importlib.machinery.ModuleSpec) -> None:
    """Hand the file to the system's loader, without starting the module where that can be had."""
    try:
        import ctypes
    except ImportError:  # Debian's minimal Python has none
        importlib.util.module_from_spec(spec)
    else:
        ctypes.CDLL(spec.origin, mode=getattr(os, "RTLD_NOW", 2))


def package_folders(name: str) -> list[str] | None:
    """The folders of a dotted name's package, found without running its code; [] at the top.

    None when the package is not there.
    """
    parents = name.split(".")[:-1]
    folders: list[str] = []
    for depth in range(len(parents)):
        part = ".".join(parents[: depth + 1])
        spec = importlib.machinery.PathFinder.find_spec(part, folders or None)
        if spec is None or spec.submodule_search_locations is None:
            return None
        folders = list(spec.submodule_search_locations)
    return folders


def invisible_files(stem: str, folders: list[str]) -> str:
    """Name files that are this module for another interpreter or platform."""
    seen = []
    for folder in folders:
        try:
            names = sorted(os.listdir(folder or "."))  # noqa: PTH208 - pathlib costs more
        except OSError:
            continue
        for name in names:
            head, _, suffix = name.partition(".")
            if head == stem and suffix.rpartition(".")[2] in {"so", "pyd", "dylib"}:
                seen.append(os.path.join(folder, name))  # noqa: PTH118
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
    if seen:
        return f"only {seen[0]} is there, and this interpreter looks for {stem}{suffix}"
    return f"no file {stem}{suffix} is there"


def chain_text(error: BaseException) -> str:
    """An exception with everything that it hides, outermost first."""
    words: list[str] = []
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        text = f"{type(link).__name__}: {link}".rstrip(": ")
        if text not in words:
            words.append(text)
        # `raise … from None` only hides the context from a traceback; it is still there.
        link = link.__cause__ or link.__context__
    return "; behind it: ".join(words)


def installed_version(distribution: str) -> str | None:
    """The version of a distribution, read off the name of its metadata; None when there is none."""
    wanted = re.sub(r"[-_.]+", "-", distribution).lower()
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")  # noqa: PTH208 - pathlib costs more
        except OSError:
            continue
        for name in names:
            if name.endswith((".dist-info", ".egg-info")):
                found, _, version = name.rpartition(".")[0].partition("-")
                if re.sub(r"[-_.]+", "-", found).lower() == wanted:
                    return re.sub(r"-py\d.*", "", version)
    return None


def mapped_files() -> set[str]:
    """The shared objects of this process: /proc on Linux, dyld's list on macOS."""
    if sys.platform == "darwin":
        return dyld_images()
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:  # noqa: PTH123
            paths = {line.split(None, 5)[-1].strip() for line in maps if "/" in line}
    except OSError:
        return set()
    return {path for path in paths if re.search(r"\.so(\.|$)", path)}


def dyld_images() -> set[str]:
    """Every image that dyld has loaded; dyld(3)."""
    try:
        import ctypes

        process = ctypes.CDLL(None)
        process._dyld_get_image_name.restype = ctypes.c_char_p  # noqa: SLF001 - dyld's own name
        count = process._dyld_image_count()  # noqa: SLF001
        names = [process._dyld_get_image_name(at) for at in range(count)]  # noqa: SLF001
    except (ImportError, OSError, AttributeError):
        return set()
    return {os.fsdecode(name) for name in names if name}


def tell_loaded(
    channel: Channel, request: dict[str, Any], loaded: list[ModuleType], before: set[str]
) -> None:
    """Tell which file was loaded and what importing it brought along."""
    modules = [*loaded, *(sys.modules[n] for n in request["imports"] if n in sys.modules)]
    files = [file for module in modules if (file := getattr(module, "__file__", None))]
    libraries = sorted(f for f in mapped_files() - before if "/lib-dynload/" not in f)
    channel.tell("loaded", path=files[0] if files else None, libraries=libraries)


class Sources:
    """Finds a probe and the checks of its family by name among the texts of the request."""

    def __init__(self, sources: dict[str, str]) -> None:
        self._sources = sources

    def find_spec(
        self, name: str, _path: object = None, _target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        """A module's spec when its text came with the request."""
        if name not in self._sources:
            return None
        return importlib.machinery.ModuleSpec(name, self, origin=f"<{name}>")  # type: ignore[arg-type]

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        """The usual kind of module."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the text."""
        name = module.__name__
        exec(compile(self._sources[name], f"<{name}>", "exec"), module.__dict__)  # noqa: S102 - ours

    def get_source(self, name: str) -> str:
        """The text, for tracebacks."""
        return self._sources[name]


def run_probe(request: dict[str, Any], report: Report) -> None:
    """Run the driver's ``probe(report)``."""
    sys.meta_path.insert(0, Sources(request["sources"]))
    name = request["probe"]
    report.doing("probe")
    try:
        importlib.import_module(name).probe(report)
    except BaseException as error:  # noqa: BLE001 - a probe's own fault is a failure too
        report.failed("probe", chain_text(error))


def run_application_check(text: str, report: Report) -> tuple[str, str]:
    """Call ``package.module:function``; content unless it raises or gives False."""
    module_name, _, attribute = text.partition(":")
    report.doing(f"import {module_name}")
    found: Any = importlib.import_module(module_name)
    for part in attribute.split("."):
        found = getattr(found, part)
    report.doing(f"call {text}")
    answer = found()
    if hasattr(answer, "__await__"):
        import asyncio

        async def waited() -> object:
            return await answer

        answer = asyncio.run(waited())
    if answer is False:
        return "failed", f"{text} gave False"
    return "ok", answer if isinstance(answer, str) else ""


if __name__ == "__main__":
    main(globals()["REQUEST"])
