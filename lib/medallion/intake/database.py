"""A PostgreSQL table: its rows as JSON, made by the database itself, so that no type passes through another.

All parts are read from one exported snapshot. What is new is told by what bronze holds of a key: a row that stands
there as it is now is not delivered again, a key that is gone is delivered as a mark. So nothing is missed for good: a
transaction that ended late, or a row that came back, is found with the comparison of keys (docs/sources.md).
"""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from medallion.conf.intake import DatabaseIntake
from medallion.errors import IntakeError
from medallion.intake.asked import Asked, Taken
from medallion.intake.postgres import Read, connected, copied, look, table_of, told
from medallion.output import counted

if TYPE_CHECKING:
    import psycopg
    from psycopg.sql import Composed

GONE = '{"_deleted":true,'  # how the mark of a row that is gone begins; its key and _seen_at follow
_FILE_ROWS = 50_000
_KEYS_AT_ONCE = 5_000
_EXACT_AS_TEXT = ("numeric", "real", "double precision", "money")  # JSON numbers are rounded by many a reader


@dataclass(frozen=True)
class _Known:
    """What bronze holds of a key: the hash of its newest payload, and whether that says the row is gone."""

    payload_hash: str
    is_gone: bool


def take(asked: Asked, intake: DatabaseIntake) -> Taken:
    """Publish rows that are new or changed, and marks of those that are gone, as one delivery; none for no change.

    Raises IntakeError where the database does not answer or the table is not as conf has it.
    """
    import psycopg

    known = _known(asked)
    try:
        with connected(asked) as connection:
            read = look(asked, intake, connection)
            news = _News(asked, intake, read, known)
            files = news.files(connection)
            first = next(files, None)
            if first is None:
                return Taken()
            cursor = {"changed": read.newest}
            return Taken([asked.landing.deliver(_chained(first, files), cursor)])
    except psycopg.Error as error:
        raise IntakeError(f"{asked.name}: {told(error)}") from None


class _News:
    """What the database has that bronze has not."""

    def __init__(self, asked: Asked, intake: DatabaseIntake, read: Read, known: Mapping[str, _Known]) -> None:
        self._asked, self._intake, self._read, self._known = asked, intake, read, known
        self._rows = 0

    def files(self, connection: "psycopg.Connection") -> Iterator[tuple[str, bytes]]:
        """Yield files of JSON lines: changed rows, then rows that only the keys told of, then marks."""
        number = 0
        taken: set[str] = set()
        for lines in self._gathered(self._changed(connection), taken):
            number += 1
            yield f"rows-{number:05}.jsonl", lines
        if not self._intake.deletes or not self._known:
            return
        present = set(self._keys(connection))
        alive = {key for key, one in self._known.items() if not one.is_gone}
        missed = sorted(present - alive - taken)
        for lines in self._gathered(self._by_key(connection, missed), taken):
            number += 1
            yield f"rows-{number:05}.jsonl", lines
        gone = sorted(alive - present)
        if gone:
            self._asked.say(f"{self._asked.name}: {counted(len(gone), 'rows')} gone")
            yield "gone.jsonl", "".join(f"{self._mark(key)}\n" for key in gone).encode()

    def _gathered(self, rows: Iterator[tuple[str, str]], taken: set[str]) -> Iterator[bytes]:
        """Yield rows that bronze has not as they are now, many a file."""
        lines: list[str] = []
        for key, payload in rows:
            known = self._known.get(key)
            if known is not None and known.payload_hash == sha256(payload.encode()).hexdigest():
                continue
            taken.add(key)
            lines.append(payload)
            if len(lines) == _FILE_ROWS:
                yield self._file(lines)
                lines = []
        if lines:
            yield self._file(lines)

    def _file(self, lines: list[str]) -> bytes:
        self._rows += len(lines)
        self._asked.say(f"{self._asked.name}: {counted(self._rows, 'rows')}")
        return ("\n".join(lines) + "\n").encode()

    def _changed(self, connection: "psycopg.Connection") -> Iterator[tuple[str, str]]:
        """Yield keys and rows that changed since the last time; the first time all, in parts side by side."""
        from psycopg import sql

        since = self._asked.cursor.get("changed")
        if since is None or self._intake.changed is None:
            yield from self._all(connection)
            return
        column = sql.Identifier("t", self._intake.changed)
        is_time = "timestamp" in self._read.columns[self._intake.changed]
        minutes = int(self._intake.overlap.total_seconds() // 60)
        early = sql.SQL(" - interval {}").format(sql.Literal(f"{minutes} minutes")) if is_time else sql.SQL("")
        type_ = sql.SQL(self._read.columns[self._intake.changed])  # the catalogue's own text
        where = sql.SQL("{} >= {}::{}{}").format(column, sql.Literal(str(since)), type_, early)
        yield from copied(connection, self._select(where))

    def _all(self, connection: "psycopg.Connection") -> Iterator[tuple[str, str]]:
        from psycopg import sql

        parts = min(self._intake.partitions, max(1, self._read.pages // 100))
        if parts == 1:
            yield from copied(connection, self._select(sql.SQL("true")))
            return
        step = -(-(self._read.pages + 1) // parts)
        ranges = [
            sql.SQL("ctid >= {}::tid AND ctid < {}::tid").format(
                sql.Literal(f"({step * part},0)"),
                sql.Literal(f"({step * (part + 1) if part < parts - 1 else 2**32 - 1},0)"),
            )
            for part in range(parts)
        ]
        with ThreadPoolExecutor(parts) as pool:
            for rows in pool.map(self._part, ranges):
                yield from rows

    def _part(self, where: "Composed") -> list[tuple[str, str]]:
        """Read a part of the table in a transaction that sees what the first one sees."""
        from psycopg import sql

        with connected(self._asked) as connection:
            connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(self._read.snapshot)))
            return list(copied(connection, self._select(where)))

    def _by_key(self, connection: "psycopg.Connection", keys: list[str]) -> Iterator[tuple[str, str]]:
        from psycopg import sql

        for start in range(0, len(keys), _KEYS_AT_ONCE):
            some = sql.SQL(", ").join(sql.Literal(key) for key in keys[start : start + _KEYS_AT_ONCE])
            yield from copied(connection, self._select(sql.SQL("{} IN ({})").format(self._key(), some)))

    def _keys(self, connection: "psycopg.Connection") -> Iterator[str]:
        from psycopg import sql

        query = sql.SQL("SELECT {} FROM {} AS t").format(self._key(), table_of(self._intake))
        with connection.cursor() as cursor, cursor.copy(sql.SQL("COPY ({}) TO STDOUT").format(query)) as copy:
            copy.set_types(["text"])
            yield from (key for (key,) in copy.rows())

    def _select(self, where: Any) -> "Composed":
        """Return a query for keys and rows, each row a JSON object of all columns."""
        from psycopg import sql

        columns = [
            sql.SQL("{}::text AS {}" if type_.startswith(_EXACT_AS_TEXT) else "{} AS {}").format(
                sql.Identifier("t", name), sql.Identifier(name)
            )
            for name, type_ in self._read.columns.items()
        ]
        return sql.SQL(
            "SELECT _keyed._key, row_to_json(_row)::text FROM {} AS t, LATERAL (SELECT {}) AS _row, "
        ).format(table_of(self._intake), sql.SQL(", ").join(columns)) + sql.SQL(
            "LATERAL (SELECT {} AS _key) AS _keyed WHERE {}"
        ).format(self._key(), where)

    def _key(self) -> "Composed":
        """Return a row's key as text, as `identity` makes it of a payload."""
        from psycopg import sql

        columns = [sql.SQL("(to_json({})#>>'{{}}')").format(sql.Identifier("t", name)) for name in self._intake.key]
        return (
            columns[0]
            if len(columns) == 1
            else sql.SQL("json_build_array({})::text").format(sql.SQL(", ").join(columns))
        )

    def _mark(self, key: str) -> str:
        values = [key] if len(self._intake.key) == 1 else json.loads(key)
        told = {**dict(zip(self._intake.key, values, strict=True)), "_seen_at": self._read.seen_at}
        return GONE + json.dumps(told, ensure_ascii=False, separators=(",", ":")).removeprefix("{")


def _known(asked: Asked) -> dict[str, _Known]:
    """Return what bronze holds of each key, by its log and files, without Spark."""
    if asked.bronze is None:
        return {}
    from deltalake import DeltaTable, QueryBuilder

    table = DeltaTable(asked.bronze.path, version=asked.bronze.version)
    newest = (
        QueryBuilder()
        .register("t", table)
        .execute(
            "SELECT _key, _payload_sha256, is_gone FROM (SELECT _key, _payload_sha256, "
            f"starts_with(payload, '{GONE}') AS is_gone, "
            "row_number() OVER (PARTITION BY _key ORDER BY _delivery DESC, _position DESC) AS place "
            "FROM t WHERE _key IS NOT NULL) WHERE place = 1"
        )
    )
    import pyarrow as pa

    columns = [column.to_pylist() for column in pa.table(newest.read_all()).columns]
    return {key: _Known(payload_hash, is_gone) for key, payload_hash, is_gone in zip(*columns, strict=True)}


def _chained(first: tuple[str, bytes], others: Iterator[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    yield first
    yield from others
