"""``ssl`` for a Python of musl: CPython's own module over the OpenSSL of the source way.

It is compiled only where a driver is tried against a server over TLS and its protocol is Python's
own; drivers over a client library bring their OpenSSL with them.
"""

from __future__ import annotations

from dataclasses import replace

from buildtools.acquire import AcquireError, Tools
from buildtools.acquire.caching import appearing, workroom
from buildtools.acquire.compiled import compiled_libraries
from buildtools.acquire.cross import AS_MODULE, Zig, triple
from buildtools.processes import clean_environment, run
from buildtools.proving.musl import cpython_source
from buildtools.proving.trees import Tree
from buildtools.targets import PythonAbi, extension_suffixes, parse_target

_SECONDS = 600.0


def with_ssl(tools: Tools, arch: str, python: PythonAbi, tree: Tree) -> Tree:
    """The same Python, which now imports ``ssl``; kept in its tree.

    Raises :class:`AcquireError` where OpenSSL or the module does not compile.
    """
    target = parse_target(f"linux/{arch}/musl", {})
    library = tree.root / "usr/lib" / f"python{python.version}"
    module = library / "lib-dynload" / f"_ssl{extension_suffixes(target, python)[0]}"
    if not module.is_file():
        zig = Zig(program=tools.zig(), triple=triple(target, None), cache=tools.cache / "zig")
        (openssl,) = compiled_libraries(tools, zig, target, ("openssl",))
        source, _ = cpython_source(tools, str(python.version))
        tools.on_event("proof", f"compiling ssl for {zig.triple}", None)
        includes = (
            source / "Include",
            source / "Include/internal",
            tree.root / "usr/include" / f"python{python.version}",
            openssl.include,
        )
        with appearing(module) as partial, workroom(tools.cache, "ssl") as room:
            exports = room / "exports.map"
            exports.write_text("{ global: PyInit_*; local: *; };\n", encoding="ascii")
            words = [
                *zig.compiler,
                *AS_MODULE,
                "-w",
                "-DPy_BUILD_CORE_MODULE",
                *(f"-I{folder}" for folder in includes),
                str(source / "Modules/_ssl.c"),
                *(str(openssl.lib / f"lib{name}.a") for name in openssl.link),
                f"-Wl,--version-script={exports}",
                "-o",
                str(partial),
            ]
            done = run(words, timeout=_SECONDS, env=clean_environment(zig.environment()))
            if not done.ok:
                raise AcquireError(f"ssl does not compile for {zig.triple}", why=done.tail(6))
    return replace(tree, lacks=tree.lacks - {"ssl"})
