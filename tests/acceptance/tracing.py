"""Random rows of every table, made anew from nothing but the payloads that a trace finds."""

import random
from collections.abc import Iterator
from typing import Any

from medallion import query
from medallion.lake import Lake
from medallion.run import prepare
from medallion.tables import Bronze
from medallion.views import trace
from medallion.views.trace import Question


def differences(lake: Any, seed: int = 20261128) -> dict[str, list[str]]:
    """Return of a random row of each silver and gold table in what it differs from what its payloads alone make."""
    found = {question.table: _verified(lake, question) for question in _questions(lake, random.Random(seed))}
    assert found
    return found


def _verified(lake: Any, question: Question) -> list[str]:
    found = trace.of(lake.conf, question, lake.sessions)
    assert any(".bronze." in hop.table and hop.count for hop in found.hops), question
    return found.verified or []


def _questions(lake: Any, chance: random.Random) -> Iterator[Question]:
    prepared, known = prepare(lake.conf), Lake(lake.conf)
    for name, table in prepared.tables.items():
        state = known.state(name)
        if isinstance(table, Bronze) or state is None:
            continue
        seen = query.seen(query.columns_at(state.path, state.good))
        keys = query.quoted(table.key or ())
        rows = query.select(state.path, f"SELECT {keys} FROM t {seen} ORDER BY {keys}", state.good)
        if rows:
            row = chance.choice(rows)
            where = {column: "null" if value is None else str(value) for column, value in row.items()}
            yield Question(name, where, verify=True, limit=1)
