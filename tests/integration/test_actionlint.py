"""The workflows through actionlint, built from its Go module."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.network

ROOT = Path(__file__).resolve().parents[2]
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"


def test_actionlint_finds_nothing(tmp_path: Path) -> None:
    go = shutil.which("go")
    if go is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI needs Go to build actionlint")
        pytest.skip("no Go on this machine")
    subprocess.run(
        [go, "install", ACTIONLINT], check=True, env={**os.environ, "GOBIN": str(tmp_path)}
    )
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    workflows += sorted(ROOT.glob("examples/*/.github/workflows/*.yml"))
    done = subprocess.run(
        [tmp_path / "actionlint", *workflows], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
