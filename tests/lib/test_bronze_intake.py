"""Bronze fetches for itself what its source has that is new, by whichever way it is run."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from medallion import bronze
from medallion.lake import Lake
from medallion.landing import Landing
from medallion.receiver.inbox import Inbox, Payload

CONF = """
description: Readings of stations
sources:
  readings:
    format: csv
    delivers: events
    system: stations
    columns: {Station: station, station_id: station, Value: value}
    intake: {kind: files, glob: "*.csv", settle_seconds: 0}
"""
MODULES = {"bronze/readings.py": "from medallion.tables import Bronze\ntable = Bronze(source='readings')\n"}
WEBHOOK = """
description: Readings of stations
sources:
  readings: {format: json, delivers: events, system: stations, intake: {kind: webhook}}
"""


def _put(folder: Path, name: str, content: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(content)
    os.utime(folder / name, (1_700_000_000, 1_700_000_000))


def test_files_are_fetched_by_the_run_and_drifting_columns_are_told(
    scratch: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    _put(folder, "a.csv", "Station,Value\nVienna,1\n")
    lake = scratch("stations", MODULES, CONF, [f"connections.stations.readings.url={folder}"])

    (first,) = lake.run().outcomes
    _put(folder, "b.csv", "station_id,Value,Humidity\nGraz,2,80\n")
    (second,) = lake.run().outcomes
    (idle,) = lake.run().outcomes

    assert (first.status, first.checks, idle.status) == ("done", [], "skipped")
    (drift,) = second.checks
    assert (drift.label, drift.severity, drift.passed, drift.stops) == (bronze.UNKNOWN_COLUMNS, "warn", False, False)
    assert (drift.failed, drift.example) == (1, "Humidity")
    rows = lake.stored("stations.bronze.readings").orderBy("_delivery").collect()
    assert [(row.fields, row._rescued) for row in rows] == [
        ({"station": "Vienna", "value": "1"}, None),
        ({"station": "Graz", "value": "2"}, {"Humidity": "80"}),
    ]
    state = Lake(lake.conf).state("stations.bronze.readings")
    assert state is not None and state.account is not None and state.account.cursor is not None
    assert sorted(state.account.cursor["files"]) == ["a.csv", "b.csv"]


def test_once_landing_has_let_its_deliveries_go_bronze_knows_how_far_it_read(
    scratch: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    _put(folder, "a.csv", "Station,Value\nVienna,1\n")
    lake = scratch("stations", MODULES, CONF, [f"connections.stations.readings.url={folder}"])
    lake.run()

    for path in Landing(lake.conf, "readings").folder.glob("files/*/*"):
        path.unlink()

    assert lake.run().outcomes[0].status == "skipped"


def test_a_folder_that_is_away_fails_its_table_with_a_sentence(scratch: Callable[..., Any], tmp_path: Path) -> None:
    lake = scratch("stations", MODULES, CONF, [f"connections.stations.readings.url={tmp_path / 'away'}"])

    (outcome,) = lake.run().outcomes

    assert outcome.status == "failed"
    assert "stations.readings: found no folder" in (outcome.error or "")


def test_what_the_receiver_took_is_gathered_by_the_run(scratch: Callable[..., Any]) -> None:
    lake = scratch("stations", MODULES, WEBHOOK)
    assert lake.run().outcomes[0].reason == bronze.NONE_YET
    folder = Landing(lake.conf, "readings").folder
    inbox = Inbox(folder)
    told = [("k1", json.dumps({"n": 1}).encode()), ("k2", b"no JSON")]
    inbox.store([Payload(key, "2026-01-30T06:00:00+00:00", body) for key, body in told])
    inbox.close()

    (outcome,) = lake.run().outcomes

    assert outcome.rows == {"read": 2, "stored": 2, "duplicates": 0}
    rows = lake.stored("stations.bronze.readings").orderBy("_position").collect()
    assert [(row.payload, row._problem) for row in rows] == [('{"n": 1}', None), ("no JSON", "not a JSON object")]
