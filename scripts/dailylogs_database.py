"""Fill a PostgreSQL with the sample's table, or let some of its logs change, as people at work do.

``python scripts/dailylogs_database.py ADDRESS [--user USER] [--rows N] [--seed N]`` makes the table anew;
with ``--change 0.01`` a hundredth of its logs is updated, deleted or added, all with times after those there.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import timedelta

import psycopg
from psycopg import sql

from jobs.dailylogs.sample import COLUMNS, SIZE, changes, rows

TABLE = """
CREATE TABLE dailylogs (
    job_id text PRIMARY KEY, site_number text, logtitle text, notes text, process text, status text, phase text,
    jobsite text, county text, sector text, site text, permit text, parcel text, model_code text,
    created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL
)"""


def fill(connection: psycopg.Connection, size: int = SIZE, seed: int = 7) -> None:
    """Make the table anew with so many logs, and an index on updated_at, as who asks for changes needs it."""
    connection.execute("DROP TABLE IF EXISTS dailylogs")
    connection.execute(TABLE)
    columns = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
    with connection.cursor().copy(sql.SQL("COPY dailylogs ({}) FROM STDIN").format(columns)) as copy:
        for row in rows(size, seed):
            copy.write_row([row[name] for name in COLUMNS])
    connection.execute("CREATE INDEX ON dailylogs (updated_at)")
    connection.execute("ANALYZE dailylogs")
    connection.commit()


def change(connection: psycopg.Connection, share: float, size: int = SIZE, seed: int = 7) -> int:
    """Update, delete and insert a share of the logs in one transaction, and return how many."""
    found = connection.execute("SELECT max(updated_at), max(substr(job_id, 4))::int FROM dailylogs").fetchone()
    assert found is not None
    done, newest = 0, found[1]
    for done, (kind, row) in enumerate(changes(seed + newest - size, share, size), start=1):  # each time others
        if kind == "delete":
            connection.execute("DELETE FROM dailylogs WHERE job_id = %(job_id)s", row)
            continue
        now = {**row, "updated_at": found[0] + timedelta(milliseconds=done)}
        settings = ", ".join(f"{name} = %({name})s" for name in COLUMNS)
        if kind == "update":
            connection.execute(f"UPDATE dailylogs SET {settings} WHERE job_id = %(job_id)s", now)
        else:
            newest += 1
            now["job_id"] = f"DL-{newest:07d}"
            names, values = ", ".join(COLUMNS), ", ".join(f"%({name})s" for name in COLUMNS)
            connection.execute(f"INSERT INTO dailylogs ({names}) VALUES ({values})", now)
    connection.commit()
    return done


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", help="postgresql://host:port/database; PGPASSWORD holds a password")
    parser.add_argument("--user", default=os.environ.get("PGUSER", "medallion"))
    parser.add_argument("--rows", type=int, default=SIZE)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--change", type=float, metavar="SHARE")
    given = parser.parse_args(arguments)
    try:
        with psycopg.connect(given.address, user=given.user) as connection:
            if given.change is None:
                fill(connection, given.rows, given.seed)
                sys.stderr.write(f"dailylogs: {given.rows} rows\n")
            else:
                sys.stderr.write(f"dailylogs: {change(connection, given.change, given.rows, given.seed)} changes\n")
    except psycopg.Error as error:
        raise SystemExit(f"PostgreSQL says: {str(error).splitlines()[0]}") from None


if __name__ == "__main__":
    main()
