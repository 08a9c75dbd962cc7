"""The demonstration, as a newcomer runs it: on the sample shop, and on files of one's own."""

import json
import logging
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from flows import demo
from medallion import conf, query
from medallion.errors import ConfError
from medallion.run import Report
from medallion.step import Outcome

PROJECT = Path(__file__).resolve().parents[2]


def _run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "flows.demo", *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=600, check=False)


def _order(number: str, **changes: Any) -> str:
    order = {
        "delivery_id": f"d-{number}-{len(changes)}",
        "id": number,
        "created_at": "2026-01-01T10:00:00Z",
        "updated_at": "2026-01-01T10:00:00Z",
        "status": "paid",
        "currency": "EUR",
        "total_price": "20.00",
        "customer": {"id": "c1"},
        "shipping_address": {"country_code": "DE"},
        "line_items": [{"product_id": "p1", "quantity": 2, "price": "10.00"}],
    }
    return json.dumps(order | changes)


def _contents(folder: Path) -> Mapping[Path, tuple[int, bytes]]:
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder as somebody might bring it: two extracts, then two days of orders; no exchange rates."""
    changed = {"status": "shipped", "updated_at": "2026-01-02T10:00:00Z"}
    files = {
        "customers.csv": "customer_id,segment,country_code,updated_at\nc1,vip,DE,2026-01-01T00:00:00Z\n",
        "products.csv": "product_id,title,updated_at\np1,Cup,2026-01-01T00:00:00Z\n",
        "2026-01-01/orders.jsonl": "\n".join([_order("1"), _order("2"), _order("3", currency="USD"), "{no JSON"]),
        "2026-01-02/orders/1.json": _order("1", **changed),
        "2026-01-02/orders/4.json": _order("4", status="lost"),
    }
    folder = tmp_path / "own files"
    for place, text in files.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(text)
    return folder


@pytest.mark.slow
def test_demo_runs_two_days_and_explains_what_it_did(tmp_path: Path) -> None:
    played = _run("--size", "300", "--at", str(tmp_path / "demo"))

    assert played.returncode == 0, played.stderr[-3000:]
    for said in ("Day 0", "Day 1", "gold.revenue_trends", "Quarantine", "Try next", "medallion show shop.gold.revenue"):
        assert said in played.stdout
    assert "failed" not in played.stdout


@pytest.mark.slow
def test_demo_takes_in_files_of_ones_own_and_only_reads_them(own: Path, tmp_path: Path) -> None:
    before = _contents(own)

    played = _run("--data", str(own), "--at", str(tmp_path / "lake"))

    assert played.returncode == 0, played.stderr[-3000:]
    text = " ".join(played.stdout.split())
    assert "History: files of own files, 2026-01-01 3 files in 3 deliveries landed" in text
    assert "Newest delivery: files of 2026-01-02 2 files in 1 delivery landed" in text
    assert "nothing of exchange_rates yet: what is made from it starts empty" in text
    assert "1 row silver.orders: not a JSON object" in text
    assert "1 row silver.orders: accepted_values(status), found 'lost'" in text
    assert "1 row silver.orders: for silver.exchange_rates, e.g. _lookup_currency=USD, order_date=2026-01-01" in text
    assert "Traceback" not in played.stdout + played.stderr
    revenue = query.select(
        str(tmp_path / "lake/gold/shop/revenue"), "SELECT status, segment, revenue FROM t ORDER BY 1"
    )
    assert [(row["status"], row["segment"], str(row["revenue"])) for row in revenue] == [
        ("fulfilled", "vip", "20.00"),
        ("paid", "vip", "20.00"),
    ]
    assert _contents(own) == before


def _demo(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the demonstration in this process, with no Spark to be started or emptied lakes to be filled."""
    monkeypatch.setattr(sys, "argv", ["demo", *arguments])
    monkeypatch.chdir(PROJECT)
    return demo.main()


@pytest.mark.parametrize("place", [".", "landing", "landing/shop/orders"])
def test_demo_refuses_a_folder_that_it_would_empty(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], own: Path, place: str
) -> None:
    folder = own / place
    folder.mkdir(parents=True, exist_ok=True)
    lake = [f"storage.{layer}.root={own / layer}" for layer in demo.LAYERS]

    with pytest.raises(ConfError, match=r"found .* of the demonstration in it or around it; wanted one apart"):
        demo._own_days(conf.load("shop", ["environment=demo", *lake], PROJECT), folder)


def test_demo_refuses_files_of_no_source_before_anything_is_emptied(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], own: Path, tmp_path: Path
) -> None:
    (own / "notes.txt").write_text("?")
    monkeypatch.setattr(demo, "_play", lambda *_: pytest.fail("nothing was to be played"))

    assert _demo(monkeypatch, "--data", str(own), "--at", str(tmp_path / "lake")) == 2
    assert "cannot tell which source delivers notes.txt; wanted" in capsys.readouterr().err


def test_demo_refuses_size_and_seed_with_files_of_ones_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], own: Path
) -> None:
    with pytest.raises(SystemExit) as ended:
        _demo(monkeypatch, "--data", str(own), "--seed", "1")

    assert ended.value.code == 2
    assert "--data: wanted without --size and --seed" in capsys.readouterr().err


def test_demo_reports_a_run_that_failed_in_plain_words_and_ends_with_1(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    own: Path,
    tmp_path: Path,
) -> None:
    from flows import pipeline

    heard: list[bool] = []
    log = logging.getLogger("prefect.task_runs")
    level = logging.getLogger("prefect").level
    outcome = Outcome("shop.silver.orders", "failed", error="shop.silver.orders: stopped before the commit")

    def refresh(*_: object) -> Report:
        heard.append(log.isEnabledFor(logging.ERROR))  # with a stack trace
        raise pipeline.RunFailedError(Report("shop", "r1", "demo", "2026-01-01T00:00:00+00:00", [outcome]))

    monkeypatch.setattr(pipeline, "refresh", refresh)
    monkeypatch.setattr(demo.Sessions, "start", lambda _: None)

    assert _demo(monkeypatch, "--data", str(own), "--at", str(tmp_path / "lake")) == 1
    out = capsys.readouterr().out
    assert "failed  shop.silver.orders: stopped before the commit" in out
    assert "The demonstration took" in out
    assert heard == [False, False]
    assert logging.getLogger("prefect").level == level
