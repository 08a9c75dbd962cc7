"""The order in which a run begins tables that need not wait for each other: the one that reads most comes first."""

from collections.abc import Callable
from typing import Any

import pytest

from medallion import run
from medallion.landing import Landing
from medallion.session import Sessions
from medallion.step import Outcome
from tests.conftest import Lakehouse

NAMES = ("attics", "cellars", "doors", "rooms")
CONF = """
description: Parts of a house
sources:
  attics: {format: json, delivers: events, system: house}
  cellars: {format: json, delivers: events, system: house}
  doors: {format: json, delivers: events, system: house}
  rooms: {format: json, delivers: events, system: house}
"""
MODULES = {
    f"bronze/{name}.py": f"from medallion.tables import Bronze\n\ntable = Bronze(source='{name}')\n" for name in NAMES
}


@pytest.fixture
def house(scratch: Callable[..., Lakehouse], monkeypatch: pytest.MonkeyPatch) -> Lakehouse:
    """Return a house of whose doors there is most to read, then of its rooms; steps do nothing."""

    def nothing(prepared: Any, sessions: Sessions, name: str) -> Outcome:
        return Outcome(name, "done")

    made: Lakehouse = scratch("house", MODULES, CONF)
    made = made.with_overrides("runtime.parallel_jobs=1")
    for name, count in {"attics": 1, "cellars": 2, "doors": 30, "rooms": 20}.items():
        made.deliver(name, "\n".join(f'{{"id": {n}}}' for n in range(count)))
    monkeypatch.setattr(run, "run_step", nothing)
    return made


def begun(house: Lakehouse) -> list[str]:
    """Return the names of tables as a run takes them up."""
    return [outcome.table.rpartition(".")[2] for outcome in house.run().outcomes]


def test_what_reads_most_begins_first(house: Lakehouse) -> None:
    assert begun(house) == ["doors", "rooms", "cellars", "attics"]


def test_a_table_whose_input_cannot_be_told_has_its_turn_all_the_same(house: Lakehouse) -> None:
    (manifest,) = (Landing(house.conf, "doors").folder / "manifests").glob("*.json")
    manifest.write_text("{")

    assert begun(house) == ["rooms", "cellars", "attics", "doors"]
