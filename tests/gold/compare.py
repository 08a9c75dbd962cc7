"""Gold as it stands against gold recomputed in full: EXCEPT ALL, both ways."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, QueryBuilder

from medallion import economy, gold, planner, run
from medallion.lake import State
from medallion.step import Step
from tests.conftest import Lakehouse

Differences = dict[str, tuple[Counter[str], Counter[str]]]


@contextmanager
def incremental() -> Iterator[None]:
    """Have gold refreshed by what changed, however small it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(economy, "_FIXED", {"full": 1e6, "incremental": 0.0})
        patch.setattr(economy, "_MOST", 2.0)
        yield


def differences(lake: Lakehouse, names: Sequence[str]) -> Differences:
    """Return for each gold table that is not as recomputed the rows it has too many, and too few.

    What is stored beside the columns counts too: the next refresh goes on from it.
    """
    running = run.prepare(lake.conf)
    found: Differences = {}
    for name in names:
        table = running.tables[name]
        step = Step(running, table, partial(run._session, running, lake.sessions, table))
        upstream = {up: running.lake.state(up) for up in table.upstream}
        full = gold.build(step, table, planner.plan(running, table, upstream))  # type: ignore[arg-type]
        state = running.lake.state(name)
        assert state is not None
        stored = _stored(state, full.columns)
        has, wants = (Counter(_rows(found)) for found in (stored, full.toArrow().to_pylist()))
        if has != wants:
            found[name] = (has - wants, wants - has)
    return found


def _stored(state: State, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return what readers have, as another reader than Spark sees it."""
    table = QueryBuilder().register("t", DeltaTable(state.path, version=state.good))
    names = ", ".join(f'"{column}"' for column in columns)
    return pa.table(table.execute(f"SELECT {names} FROM t").read_all()).to_pylist()


def _rows(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    return (json.dumps(row, default=str, sort_keys=True) for row in rows)
