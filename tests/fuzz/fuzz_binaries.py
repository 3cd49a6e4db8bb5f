"""Mutated ELF, Mach-O and PE files give facts or ``BinaryInvalid``: in 50 ms, in 64 MiB, each.

``python tests/fuzz/fuzz_binaries.py --executions 20000 --seed 1`` prints one line of JSON and exits
with 1 when a file broke a bound; the first such files are kept in ``--keep DIR``. On Linux the
memory bound is the process's address space, so it holds for every execution; elsewhere every trap
and every fiftieth mutation is traced. Time is the processor's, and a file counts as slow when it
is slow four times.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import random
import resource
import sys
import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from buildtools.binaries import Binary, BinaryInvalid, ModuleName, module_name, read_binary  # noqa: E402
from buildtools.compatibility import judge  # noqa: E402
from buildtools.targets import Target, parse_target  # noqa: E402
from tests.corpus.variants import variants  # noqa: E402
from tests.fuzz.hostile import hostile_files  # noqa: E402
from tests.fuzz.mutations import Seed, mutate  # noqa: E402

CORPUS = ROOT / "tests" / "corpus" / "binaries"
SECONDS = 0.05
BYTES = 64 << 20
_MOST_KEPT = 50


@dataclass(slots=True, kw_only=True)
class Tally:
    """What a run came to. ``slowest`` is in milliseconds of processor time."""

    executions: int = 0
    facts: int = 0
    invalid: int = 0
    truncated: int = 0
    failures: list[str] = field(default_factory=list)
    slowest: float = 0.0
    seconds: float = 0.0


def bound_memory() -> bool:
    """Allow this process 64 MiB more than it has now; False where there is no such bound."""
    if sys.platform != "linux":
        return False
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
    return True


def peak_bytes(data: bytes, *, symbols: bool) -> int:
    """The most that an execution holds at a time."""
    tracemalloc.start()
    try:
        execute(data, symbols=symbols)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def seeds() -> tuple[Seed, ...]:
    """The corpus and its variants; big files come in as they are, small ones twice."""
    found = [Seed.of(path.name, path.read_bytes()) for path in sorted(CORPUS.iterdir())]
    found += [Seed.of(name, data) for name, data in variants()]
    small = [seed for seed in found if len(seed.data) < 20_000]
    return (*found, *small)


TARGETS: tuple[Target, ...] = tuple(
    parse_target(spec, {})
    for spec in (
        "linux/x86_64/glibc2.17/cp311",
        "linux/x86_64/musl/cp313t",
        "linux/s390x",
        "darwin/arm64/macos11/cp312",
    )
)
NAME: ModuleName | None = module_name("_sample.cpython-311-x86_64-linux-gnu.so")


def execute(data: bytes, *, symbols: bool) -> Binary | BinaryInvalid:
    """One execution: what doctor does with a file."""
    try:
        binary = read_binary(io.BytesIO(data), symbols=symbols)
    except BinaryInvalid as error:
        return error
    for target in TARGETS:
        judge(binary, NAME, target)
    return binary


def processor_seconds(data: bytes, *, symbols: bool) -> float:
    """How long an execution keeps the processor."""
    started = time.thread_time()
    execute(data, symbols=symbols)
    return time.thread_time() - started


def check(data: bytes, *, symbols: bool, tally: Tally) -> str:
    """Count one execution; gives what is wrong with it, or nothing."""
    started = time.thread_time()
    try:
        outcome = execute(data, symbols=symbols)
    except Exception as error:  # noqa: BLE001 - anything else is what is looked for
        return f"{type(error).__name__}: {error}"
    spent = time.thread_time() - started
    if spent > SECONDS:
        spent = min(processor_seconds(data, symbols=symbols) for _ in range(3))
    tally.executions += 1
    tally.slowest = max(tally.slowest, spent * 1000)
    if isinstance(outcome, BinaryInvalid):
        tally.invalid += 1
        tally.truncated += outcome.looks_like == "truncated"
    else:
        tally.facts += 1
    return f"took {spent * 1000:.0f} ms" if spent > SECONDS else ""


def fuzz(
    executions: int, seed: int, keep: Path | None, corpus: Sequence[Seed], *, traced: bool = False
) -> Tally:
    """Run the traps, then that many mutations; what breaks a bound is told in ``failures``."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    tally = Tally()
    begun = time.monotonic()
    for name, data in hostile_files():
        for symbols in (False, True):
            failure = check(data, symbols=symbols, tally=tally)
            if traced and peak_bytes(data, symbols=symbols) > BYTES:
                failure = failure or "took more than 64 MiB"
            if failure:
                tally.failures.append(f"{name}: {failure}")
    for number in range(executions):
        data = mutate(rng, corpus)
        failure = check(data, symbols=number % 2 == 1, tally=tally)
        if traced and number % 100 in {0, 1} and peak_bytes(data, symbols=number % 2 == 1) > BYTES:
            failure = failure or "took more than 64 MiB"
        if failure and len(tally.failures) < _MOST_KEPT:
            tally.failures.append(f"execution {number}: {failure}")
            if keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    tally.seconds = time.monotonic() - begun
    return tally


def main() -> int:
    """Fuzz, and say what it came to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executions", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    words = parser.parse_args()
    corpus = seeds()
    traced = not bound_memory()
    tally = fuzz(words.executions, words.seed, words.keep, corpus, traced=traced)
    print(json.dumps(asdict(tally)))  # noqa: T201
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
