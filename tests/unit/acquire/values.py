"""Interpreters, requests and recipes as values, for tests that start nothing."""

from __future__ import annotations

from pathlib import Path

from buildtools.acquire.request import WheelRequest
from buildtools.host import Interpreter
from buildtools.recipes import BuildRecipe, NativeModule, PureKind, Recipe
from buildtools.targets import Target, parse_target

HOME = parse_target("linux/x86_64/glibc2.36/cp311", {})


def interpreter(target: Target = HOME, *, include: Path | None = None) -> Interpreter:
    prefix = Path("/opt/python")
    return Interpreter(
        executable=prefix / "bin/python3",
        prefix=prefix,
        base_prefix=prefix,
        version="3.11.7",
        target=target,
        sys_path=(),
        purelib=prefix / "lib",
        platlib=prefix / "lib",
        stdlib=prefix / "lib/python3.11",
        scripts=prefix / "bin",
        include=include,
        user_site=None,
        user_site_enabled=False,
        externally_managed=False,
        has_pip=True,
    )


def request(target: str = "linux/x86_64/glibc2.36/cp311", **fields: str) -> WheelRequest:
    return WheelRequest(
        distribution=fields.pop("distribution", "mysqlclient"),
        target=parse_target(target, {}),
        python=interpreter(),
        **fields,  # type: ignore[arg-type]
    )


def recipe(*modules: str, build: BuildRecipe | None = None) -> Recipe:
    return Recipe(
        driver="mysqlclient",
        family="mysql",
        distribution="mysqlclient",
        summary="",
        imports=("MySQLdb",),
        native=tuple(NativeModule(module=module, required=True) for module in modules),
        pure=PureKind.NEVER,
        alternative=None,
        versions=">=2.2",
        build=build,
        probe=None,
        derived=False,
    )
