"""Rows of a real PostgreSQL: all of them exactly, then only what changed, and what is gone."""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import postgres
import psycopg
import pytest

from medallion.conf import Connection
from medallion.errors import ConfError
from medallion.intake import database as intake
from medallion.lake import Lake
from medallion.landing import Landing

pytestmark = pytest.mark.slow

CONF = """
description: Rows of a database
sources:
  rows:
    format: json
    delivers: snapshot
    system: db
    intake: {{kind: database, table: {table}, key: [{key}], changed: {changed}, partitions: 3}}
"""
TABLE = "from medallion.tables import Bronze\ntable = Bronze(source='rows')\n"


@dataclass
class Trial:
    """A table in PostgreSQL, and a lake that takes it in."""

    lake: Any
    sql: Callable[..., Any]
    table: str

    def take(self) -> dict[str, int]:
        """Run bronze and return its counts; fails where the step did."""
        (outcome,) = self.lake.run().outcomes
        assert outcome.error is None, outcome.error
        return dict(outcome.rows)

    def payloads(self) -> list[dict[str, Any]]:
        """Return all that bronze holds, in the order it was delivered."""
        rows = self.lake.stored("rows.bronze.rows").orderBy("_delivery", "_landing_file", "_position").collect()
        return [json.loads(row.payload) for row in rows]


@pytest.fixture
def trial(database: str, scratch: Callable[..., Any]) -> Iterator[Callable[..., Trial]]:
    """Return a factory: a table of given columns and its lake."""
    connection = psycopg.connect(database, user=postgres.USER, autocommit=True)

    def make(columns: str, key: str = "id", changed: str = "changed") -> Trial:
        table = f"t_{uuid.uuid4().hex}"
        connection.execute(f"CREATE TABLE {table} ({columns})")  # type: ignore[arg-type]
        conf = CONF.format(table=table, key=key, changed=changed)
        overrides = [f"connections.rows.rows.url={database}", f"connections.rows.rows.user={postgres.USER}"]
        lake = scratch("rows", {"bronze/rows.py": TABLE}, conf, overrides)
        return Trial(lake, lambda text: connection.execute(text.format(t=table)), table)

    yield make
    connection.close()


COLUMNS = "id int PRIMARY KEY, name text, changed timestamptz NOT NULL DEFAULT now()"


def test_only_what_changed_is_taken_and_what_is_gone_is_marked(trial: Callable[..., Trial]) -> None:
    rows = trial(COLUMNS)
    rows.sql("INSERT INTO {t} SELECT n, 'name ' || n FROM generate_series(1, 1000) n")

    assert rows.take() == {"read": 1000, "stored": 1000, "duplicates": 0}
    assert rows.take() == {"read": 0, "stored": 0, "duplicates": 0}
    rows.sql("UPDATE {t} SET name = 'other', changed = now() WHERE id <= 10")
    rows.sql("DELETE FROM {t} WHERE id > 990")
    rows.sql("INSERT INTO {t} VALUES (2000, 'new')")

    assert rows.take() == {"read": 21, "stored": 21, "duplicates": 0}
    news = rows.payloads()[1000:]
    assert [row["id"] for row in news if row.get("_deleted")] == [str(n) for n in [1000, *range(991, 1000)]]
    assert sorted(row["id"] for row in news if not row.get("_deleted")) == [*range(1, 11), 2000]
    assert rows.take() == {"read": 0, "stored": 0, "duplicates": 0}


def test_a_row_that_comes_back_as_it_was_is_taken_again(trial: Callable[..., Trial]) -> None:
    rows = trial(COLUMNS)
    old = "INSERT INTO {t} VALUES (1, 'a', '2020-01-01'), (2, 'b', '2026-01-01')"
    rows.sql(old)
    rows.take()
    rows.sql("DELETE FROM {t} WHERE id = 1")
    rows.take()

    rows.sql("INSERT INTO {t} VALUES (1, 'a', '2020-01-01')")  # as from a backup: by its time no change at all

    assert rows.take() == {"read": 1, "stored": 1, "duplicates": 0}
    assert [(row["id"], row.get("_deleted", False)) for row in rows.payloads()] == [
        (1, False),
        (2, False),
        ("1", True),
        (1, False),
    ]


def test_a_transaction_that_ended_late_is_not_missed(trial: Callable[..., Trial]) -> None:
    """Its rows are older than what was seen: those within the overlap are read again, all others told by their keys."""
    rows = trial(COLUMNS)
    rows.sql("INSERT INTO {t} VALUES (1, 'a', '2026-01-01T12:00:00Z')")
    rows.take()
    rows.sql("INSERT INTO {t} VALUES (2, 'b', '2026-01-01T11:58:00Z'), (3, 'c', '2025-01-01')")

    assert rows.take()["stored"] == 2


def test_a_table_without_a_column_of_changes_is_compared_as_a_whole(trial: Callable[..., Trial]) -> None:
    rows = trial("id int PRIMARY KEY, name text", changed="null")
    rows.sql("INSERT INTO {t} VALUES (1, 'a'), (2, 'b')")
    rows.take()
    counts = []
    for name in ("c", "a", "a"):  # there and back, and as it is
        rows.sql("UPDATE {t} SET name = " + f"'{name}' WHERE id = 1")
        counts.append(rows.take()["stored"])

    assert counts == [1, 1, 0]


def test_a_key_of_several_columns(trial: Callable[..., Trial]) -> None:
    rows = trial("a text, b int, changed timestamptz DEFAULT now(), PRIMARY KEY (a, b)", key="a, b")
    rows.sql("""INSERT INTO {t} VALUES ('x "é', 1), ('x "é', 2), ('/\\', 3)""")
    rows.take()
    rows.sql("DELETE FROM {t} WHERE b = 1")

    assert rows.take()["stored"] == 1
    assert {key: rows.payloads()[-1][key] for key in ("_deleted", "a", "b")} == {
        "_deleted": True,
        "a": 'x "é',
        "b": "1",
    }
    assert rows.take()["stored"] == 0


def test_every_type_is_kept_exactly(trial: Callable[..., Trial]) -> None:
    rows = trial(
        "id int PRIMARY KEY, changed timestamptz, n numeric, m numeric(38, 18), f float8, r real, b bigint, "
        "t timestamp, d date, u uuid, j json, jb jsonb, a int[], ta text[], x bytea, o boolean, i interval, s text"
    )
    rows.sql(
        "INSERT INTO {t} VALUES (1, '2026-01-01T12:00:00.123456+02', 123456789012345678901234567890.123456789, "
        "0.000000000000000001, 0.1, 0.1, 9007199254740993, '2026-01-01 12:00:00.1', '2026-01-01', "
        "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', "
        """'{{"k": 1.50,\n "k2": [1]}}', '{{"k": 1.50}}', '{{1,null,3}}', '{{"a,b","c\\"d",null}}', '\\xff00', true, """
        "'1 day 2 hours', E'line\\nnext\\t\\\\ \"quoted\" é \u2028')"
    )
    rows.sql("INSERT INTO {t} (id, n, f, changed) VALUES (2, 'NaN', 'Infinity', 'infinity'), (3, null, null, null)")

    rows.take()
    first, second, third = sorted(rows.payloads(), key=lambda row: row["id"])

    assert first == {
        "id": 1,
        "changed": "2026-01-01T10:00:00.123456+00:00",
        "n": "123456789012345678901234567890.123456789",
        "m": "0.000000000000000001",
        "f": "0.1",
        "r": "0.1",
        "b": 9007199254740993,
        "t": "2026-01-01T12:00:00.1",
        "d": "2026-01-01",
        "u": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "j": {"k": 1.5, "k2": [1]},
        "jb": {"k": 1.5},
        "a": [1, None, 3],
        "ta": ["a,b", 'c"d', None],
        "x": "\\xff00",
        "o": True,
        "i": "1 day 02:00:00",
        "s": 'line\nnext\t\\ "quoted" é \u2028',
    }
    assert (second["n"], second["f"], second["changed"]) == ("NaN", "Infinity", "infinity")
    assert {value for name, value in third.items() if name != "id"} == {None}


def test_all_parts_see_one_moment(trial: Callable[..., Trial], monkeypatch: pytest.MonkeyPatch) -> None:
    rows = trial(COLUMNS)
    rows.sql("INSERT INTO {t} SELECT n, repeat('x', 500), '2026-01-01' FROM generate_series(1, 20000) n")
    rows.sql("VACUUM ANALYZE {t}")
    part, parts = intake._News._part, []

    def moved_in_between(self: Any, where: Any) -> Any:
        """Move all rows from one part's range to another's before each part is read."""
        rows.sql("UPDATE {t} SET name = name || 'y'")
        parts.append(where)
        return part(self, where)

    monkeypatch.setattr(intake._News, "_part", moved_in_between)

    assert rows.take()["stored"] == 20000
    assert len(parts) == 3
    assert {len(row["name"]) for row in rows.payloads()} == {500}


def test_killed_before_bronze_the_delivery_is_taken_once(
    trial: Callable[..., Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = trial(COLUMNS)
    rows.sql("INSERT INTO {t} VALUES (1, 'a', '2026-01-01'), (2, 'b', '2026-01-02')")

    with monkeypatch.context() as patched:
        patched.setattr("medallion.bronze._append", _killed)
        with pytest.raises(KeyboardInterrupt):
            rows.lake.run()
    landing = Landing(rows.lake.conf, "rows")

    assert landing.newest() == 1
    assert landing.manifest(1).cursor == {"changed": "2026-01-02T00:00:00+00:00"}
    rows.take()
    assert sorted(row["id"] for row in rows.payloads()) == [1, 2] or _each_newest(rows) == {1: "a", 2: "b"}
    state = Lake(rows.lake.conf).state("rows.bronze.rows")
    assert state is not None and state.account is not None
    assert state.account.cursor == {"changed": "2026-01-02T00:00:00+00:00"}


def _killed(*_: Any) -> Any:
    raise KeyboardInterrupt


def _each_newest(rows: Trial) -> dict[int, str]:
    return {row["id"]: row["name"] for row in rows.payloads()}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"url": "postgresql://127.0.0.1:1/postgres"}, "rows.rows: PostgreSQL says: connection failed"),
        ({"user": "nobody_at_all"}, 'role "nobody_at_all" does not exist'),
    ],
)
def test_a_database_that_does_not_answer_is_told(
    trial: Callable[..., Trial], change: dict[str, str], told: str
) -> None:
    rows = trial(COLUMNS)
    lake = rows.lake
    overrides = [f"connections.rows.rows.{name}={value}" for name, value in change.items()]
    others = {name: value for name, value in (("url", _url(lake)), ("user", postgres.USER)) if name not in change}
    overrides += [f"connections.rows.rows.{name}={value}" for name, value in others.items()]

    (outcome,) = lake.with_overrides(*overrides).run().outcomes

    assert outcome.status == "failed"
    assert told in str(outcome.error)


def test_a_table_that_is_not_as_conf_has_it_is_told(trial: Callable[..., Trial]) -> None:
    rows = trial("id int PRIMARY KEY, name text")

    (outcome,) = rows.lake.run().outcomes
    rows.sql("DROP TABLE {t}")
    (gone,) = rows.lake.run().outcomes

    assert f"rows.rows: {rows.table}: found no column changed" in str(outcome.error)
    assert f"rows.rows: found no table {rows.table}" in str(gone.error)


def test_a_password_stands_in_no_address() -> None:
    with pytest.raises(ValueError, match="found a user or password in it"):
        Connection(url="postgresql://user:secret@db:5432/x")


def test_an_address_of_something_else_is_refused(trial: Callable[..., Trial]) -> None:
    rows = trial(COLUMNS)

    with pytest.raises(ConfError, match="wanted postgresql://host:port/database"):
        rows.lake.with_overrides("connections.rows.rows.url=http://127.0.0.1:1").run()


def _url(lake: Any) -> str:
    return str(lake.conf.connection("rows").url)
