"""PostgreSQL as an intake reads it: one transaction that only reads, what a table is in it, and rows by COPY."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medallion.conf.intake import DatabaseIntake
from medallion.errors import ConfError, IntakeError
from medallion.intake.asked import Asked

if TYPE_CHECKING:
    import psycopg
    from psycopg.sql import Composed


@dataclass(frozen=True)
class Read:
    """The table in one snapshot: its columns with their types, its pages and the newest change in it."""

    columns: Mapping[str, str]
    pages: int
    newest: str | None
    seen_at: str
    snapshot: str


@contextmanager
def connected(asked: Asked) -> Iterator["psycopg.Connection"]:
    """Yield a connection in a transaction that only reads, and sees one moment; raises ConfError without an address."""
    import psycopg

    if not (asked.connection.url or "").startswith(("postgresql://", "postgres://")):
        raise ConfError(f"connections.{asked.name}.url: wanted postgresql://host:port/database")
    password = asked.connection.password
    with psycopg.connect(
        str(asked.connection.url),
        user=asked.connection.user,
        password=password.reveal() if password else None,
        connect_timeout=10,
        application_name="medallion",
        options="-c TimeZone=UTC -c extra_float_digits=1 -c statement_timeout=0",
    ) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        yield connection


def look(asked: Asked, intake: DatabaseIntake, connection: "psycopg.Connection") -> Read:
    """Look at the table and keep what is seen for all parts; raises IntakeError where it is not as conf has it."""
    from psycopg import sql

    found = connection.execute(
        "SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a "
        "WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        [intake.table],
    ).fetchall()
    columns: dict[str, str] = dict(found)
    if not columns:
        raise IntakeError(
            f"{asked.name}: found no table {intake.table}; wanted one that {asked.connection.user} may read"
        )
    lacking = [name for name in (*intake.key, *([intake.changed] if intake.changed else [])) if name not in columns]
    if lacking:
        raise IntakeError(f"{asked.name}: {intake.table}: found no column {', '.join(lacking)}; see its intake in conf")
    newest: sql.Composable = sql.SQL("NULL")
    if intake.changed:
        newest = sql.SQL("(SELECT to_json(max({}))#>>'{{}}' FROM {})").format(
            sql.Identifier(intake.changed), table_of(intake)
        )
    pages = "(SELECT CASE relkind WHEN 'r' THEN relpages ELSE 0 END FROM pg_class WHERE oid = to_regclass({}))"
    row = connection.execute(
        sql.SQL("SELECT {}, to_json(now())#>>'{{}}', pg_export_snapshot(), " + pages).format(
            newest, sql.Literal(intake.table)
        )
    ).fetchone()
    assert row is not None  # such a SELECT has one row
    return Read(columns, max(0, row[3]), row[0], row[1], row[2])


def copied(connection: "psycopg.Connection", query: "Composed") -> Iterator[tuple[str, str]]:
    """Yield keys and rows of a query; line ends, which a `json` column may hold between its parts, become blanks."""
    from psycopg import sql

    with connection.cursor() as cursor, cursor.copy(sql.SQL("COPY ({}) TO STDOUT").format(query)) as copy:
        copy.set_types(["text", "text"])
        for key, payload in copy.rows():
            yield key, payload.replace("\n", " ").replace("\r", " ")


def table_of(intake: DatabaseIntake) -> Any:
    """Return the table's name as SQL."""
    from psycopg import sql

    return sql.Identifier(*intake.table.split("."))


def told(error: "psycopg.Error") -> str:
    """Return what PostgreSQL says, in a line; it repeats no password."""
    lines = str(error).strip().splitlines()
    return f"PostgreSQL says: {lines[0] if lines else type(error).__name__}"
