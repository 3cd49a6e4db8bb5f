import json
import sys
from pathlib import Path

from buildtools.processes import run

ROOT = Path(__file__).resolve().parents[3]
FUZZER = ROOT / "tests" / "fuzz" / "fuzz_binaries.py"
EXECUTIONS = 20_000


def test_mutated_and_hostile_files_stay_within_50_ms_and_64_mib() -> None:
    done = run(
        [sys.executable, FUZZER, "--executions", str(EXECUTIONS), "--seed", "1"], timeout=300
    )
    tally = json.loads(done.stdout)
    assert tally["failures"] == []
    assert done.ok
    assert tally["executions"] > EXECUTIONS
    assert tally["facts"] > EXECUTIONS // 10
    assert tally["invalid"] > EXECUTIONS // 10
