"""The demonstration, as a newcomer runs it."""

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_demo_runs_two_days_and_explains_what_it_did(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "flows.demo", "--size", "300", "--at", str(tmp_path / "demo")]
    demo = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=600, check=False)

    assert demo.returncode == 0, demo.stderr[-3000:]
    for said in ("Day 0", "Day 1", "gold.revenue_trends", "Quarantine", "Try next", "medallion show shop.gold.revenue"):
        assert said in demo.stdout
    assert "failed" not in demo.stdout
