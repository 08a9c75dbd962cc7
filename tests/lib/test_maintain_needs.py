"""What has to stay of a table, and for whom: logs alone, no Spark."""

import datetime as dt
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake

from medallion import clock
from medallion.account import Mark
from medallion.audit import pins
from medallion.errors import ConfError, HistoryError
from medallion.lake import Lake
from medallion.maintain import forecast, runpins, sweep
from medallion.maintain.needs import Needs, needs
from tests.lib.conftest import SILVER, Lab, account, rows_of

SILVER_NAME, GOLD_NAME = "lab.silver.readings", "lab.gold.daily"
KEPT = "storage.silver.keep_versions=30 days"


def _silver(lab: Lab, versions: int, good: int | None = None) -> None:
    """Give silver so many versions, all of them good, or the last ones behind a gate that did not open."""
    lake = Lake(lab.conf())
    for version in range(versions):
        told = account(version, version if good is None else min(version, good))
        commit = CommitProperties(custom_metadata={"userMetadata": told.to_json()})
        rows = rows_of(SILVER, (f"r{version}", None, 1.0, f"id-{version}", False))
        write_deltalake(lake.path(SILVER_NAME), rows, mode="overwrite", commit_properties=commit)


def _pinned(lab: Lab, run_id: str, told: str) -> None:
    """Have silver say since its first version that a run is pinned; delta-rs sets no properties of others."""
    first = Path(Lake(lab.conf()).path(SILVER_NAME), "_delta_log", f"{0:020}.json")
    actions = [json.loads(line) for line in first.read_text().splitlines()]
    for action in actions:
        action.get("metaData", {}).get("configuration", {})[runpins.PROPERTY + run_id] = told
    first.write_text("\n".join(map(json.dumps, actions)))


def _gold(lab: Lab, consumed: int) -> None:
    state = Lake(lab.conf()).state(SILVER_NAME)
    assert state is not None
    told = account(0, 0, watermark={SILVER_NAME: Mark(consumed, state.table_id)})
    lab.commit(GOLD_NAME, pa.table({"day": [None]}), told)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A year after all that was committed: no version is young enough to stay for its age."""
    monkeypatch.setenv("MEDALLION_NOW", (datetime.now(UTC) + timedelta(days=365)).isoformat())


def _needs(lab: Lab, *overrides: str) -> Needs:
    pinned = pins.pin(lab.prepare(*overrides))
    return needs(pinned, runpins.of(pinned))[SILVER_NAME]


@pytest.mark.usefixtures("later")
def test_the_newest_good_version_alone_stays_where_nobody_lags(lab: Lab) -> None:
    _silver(lab, 5)
    _gold(lab, consumed=4)

    need = _needs(lab, KEPT)

    assert (need.floor, need.holds) == (4, ())


@pytest.mark.usefixtures("later")
def test_what_a_consumer_has_yet_to_read_stays_and_is_told(lab: Lab) -> None:
    _silver(lab, 5)
    _gold(lab, consumed=2)

    need = _needs(lab, KEPT)

    assert need.floor == 2
    assert [hold.told for hold in need.holds] == [f"{GOLD_NAME} has read no further than version 2, 365 days old"]


@pytest.mark.usefixtures("later")
def test_the_version_that_readers_see_stays_while_later_ones_do_not_pass(lab: Lab) -> None:
    _silver(lab, 5, good=1)

    need = _needs(lab, KEPT)

    assert need.floor == 1
    assert [hold.by for hold in need.holds] == ["readers see"]


@pytest.mark.usefixtures("later")
def test_a_pinned_run_stays_until_its_day_has_passed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    until = clock.run_date() + timedelta(days=10)
    _silver(lab, 5)
    _pinned(lab, "run-9", f"1 until {until}")

    held = _needs(lab, KEPT)
    monkeypatch.setenv("MEDALLION_NOW", (clock.now() + timedelta(days=11)).isoformat())
    passed = _needs(lab, KEPT)

    assert (held.floor, [hold.by for hold in held.holds]) == (1, [f"run run-9, pinned until {until}, has"])
    assert (passed.floor, passed.holds) == (4, ())


def test_a_pin_that_one_table_tells_holds_all_of_its_cut(lab: Lab) -> None:
    _silver(lab, 3)
    _gold(lab, consumed=2)
    _pinned(lab, "run-1", "1 until 2999-01-01")

    (found,) = runpins.of(pins.pin(lab.prepare(KEPT)))

    assert found.until == dt.date(2999, 1, 1)
    assert found.versions == {SILVER_NAME: 1, GOLD_NAME: 0}


def test_a_pin_that_cannot_be_read_is_refused(lab: Lab) -> None:
    _silver(lab, 1)
    _pinned(lab, "run-1", "tomorrow")

    with pytest.raises(HistoryError, match="found 'tomorrow'; wanted <version> until <day>"):
        runpins.of(pins.pin(lab.prepare()))


def test_versions_that_are_young_stay_and_those_without_a_limit_too(lab: Lab) -> None:
    _silver(lab, 5)

    young, for_good = _needs(lab, KEPT), _needs(lab, "storage.silver.keep_versions=null")

    assert (young.floor, young.holds) == (0, ())
    assert (for_good.kept, for_good.floor) == (None, 0)
    assert sweep.removable(pins.pin(lab.prepare()).tables[SILVER_NAME], for_good) == []


@pytest.mark.usefixtures("later")
def test_the_log_goes_up_to_a_checkpoint_that_comes_before_what_is_needed(lab: Lab) -> None:
    _silver(lab, 4)
    DeltaTable(Lake(lab.conf()).path(SILVER_NAME)).create_checkpoint()  # of version 3
    _silver_more(lab, 4)
    DeltaTable(Lake(lab.conf()).path(SILVER_NAME)).create_checkpoint()  # of version 7, which is too late
    _gold(lab, consumed=5)
    prepared = lab.prepare(KEPT)
    pin = pins.pin(prepared).tables[SILVER_NAME]

    freed = sweep.clean_log(pin, _needs(lab, KEPT))

    assert freed.files >= 3
    assert min(pins.pin(prepared).tables[SILVER_NAME].log.entries) == 3
    state = prepared.lake.state(SILVER_NAME)
    assert state is not None and state.version == 7
    assert len(prepared.lake.commits_between(SILVER_NAME, 5, 7)) == 2
    assert DeltaTable(pin.path, version=5).to_pyarrow_table().num_rows == 1


def _silver_more(lab: Lab, versions: int) -> None:
    path = Lake(lab.conf()).path(SILVER_NAME)
    for version in range(4, 4 + versions):
        told = account(version, version)
        commit = CommitProperties(custom_metadata={"userMetadata": told.to_json()})
        rows = rows_of(SILVER, (f"r{version}", None, 1.0, f"id-{version}", False))
        write_deltalake(path, rows, mode="overwrite", commit_properties=commit)


def test_a_table_that_was_changed_by_hand_is_left_alone(lab: Lab) -> None:
    """A commit of ours on top would hide what was done, and the next run would not make up for it."""
    _silver(lab, 2)
    lab.commit(SILVER_NAME, rows_of(SILVER, ("by hand", None, 1.0, "x", False)))

    (due,) = [one for one in forecast.of(lab.prepare(KEPT)).tables if one.name == SILVER_NAME]

    assert due.left_alone == "its rows were changed by hand: WRITE at version 2"
    assert due.is_idle


def test_rows_of_silver_and_gold_have_no_age(lab: Lab) -> None:
    with pytest.raises(ConfError, match=r"storage\.gold.keep_rows: found 1 year; wanted null"):
        forecast.of(lab.prepare("storage.gold.keep_rows=1 year"))
