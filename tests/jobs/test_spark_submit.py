"""Job modules as spark-submit runs them: processes of their own, on a temporary lake."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from medallion import conf
from medallion.lake import Lake
from medallion.landing import Landing

PROJECT = Path(__file__).resolve().parents[2]
LAYERS = ("landing", "bronze", "silver", "gold", "ops")
CUSTOMERS = b"""customer_id,email,first_name,last_name,segment,country_code,updated_at
C-1,a@b.org,A,B,vip,DE,2026-01-05T10:00:00Z
"""


def submit(*arguments: str) -> tuple[int, str]:
    """Run spark-submit as from an activated environment; return its exit code and all that it said."""
    binaries = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}", "PYSPARK_PYTHON": sys.executable}
    environment |= {"PYTHONPATH": f"{PROJECT / 'lib'}:{PROJECT}", "SPARK_LOCAL_IP": "127.0.0.1"}
    command = [str(binaries / "spark-submit"), "--master", "local[2]", *arguments]
    done = subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
def test_spark_submit_runs_a_layer_and_then_one_table(tmp_path: Path) -> None:
    roots = [f"storage.{layer}.root={tmp_path / layer}" for layer in LAYERS]
    loaded = conf.load("shop", roots, PROJECT)
    Landing(loaded, "customers").deliver([("customers.csv", CUSTOMERS)])

    layer, told_of_layer = submit("jobs/pipeline.py", "shop", "bronze", *roots)
    table, told_of_table = submit("jobs/shop/silver/customers.py", *roots)

    assert layer == 0, told_of_layer[-2000:]
    assert table == 0, told_of_table[-2000:]
    states = [Lake(loaded).state(f"shop.{name}") for name in ("bronze.customers", "silver.customers")]
    assert [state.account.rows["read"] for state in states if state and state.account] == [1, 1]
    assert "shop.silver.customers done full" in told_of_table


@pytest.mark.slow
def test_spark_submit_refuses_unusable_conf_in_one_line() -> None:
    code, told = submit("jobs/pipeline.py", "shop", "environment=nowhere")

    assert code == 2
    assert "environment 'nowhere'" in told
    assert "Traceback" not in told
