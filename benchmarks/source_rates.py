"""Rows a second that each kind of source comes in with, on the driver: fetched and published, then read and told apart.

``python -m benchmarks.source_rates [--rows 200000] [--repeats 3]``; medians. What Spark adds is one append.
"""

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import pyarrow as pa
import pyarrow.parquet as pq

from medallion import conf as conf_door
from medallion import intake
from medallion.conf import Conf
from medallion.landing import Landing
from medallion.receiver.inbox import Inbox, Payload
from medallion.records import identity, read

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

NAMES = ("id", "name", "status", "amount", "note", "updated_at")
_PAGE = 1000


def row(number: int) -> dict[str, Any]:
    """Return a row of about 150 bytes."""
    note = f"note {number * 7919 % 100_003} of some words, as people write them, one after the other"
    at = f"2026-01-{number % 28 + 1:02}T12:{number % 60:02}:00+00:00"
    return {
        "id": number,
        "name": f"name {number}",
        "status": "open",
        "amount": f"{number % 1000}.50",
        "note": note,
        "updated_at": at,
    }


def csv_file(folder: Path, rows: int) -> str:
    """Write a csv file and return its folder."""
    lines = [",".join(NAMES), *(",".join(str(v).replace(",", "") for v in row(n).values()) for n in range(rows))]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    return str(folder)


def lines_file(folder: Path, rows: int) -> str:
    """Write a file of JSON lines and return its folder."""
    (folder / "rows.jsonl").write_text("".join(json.dumps(row(n)) + "\n" for n in range(rows)))
    return str(folder)


def parquet_file(folder: Path, rows: int) -> str:
    """Write a Parquet file and return its folder."""
    pq.write_table(pa.Table.from_pylist([row(n) for n in range(rows)]), folder / "rows.parquet")
    return str(folder)


@contextmanager
def service(rows: int) -> Iterator[str]:
    """Serve rows by pages and yield the address."""
    pages = [json.dumps([row(n) for n in range(start, min(start + _PAGE, rows))]) for start in range(0, rows, _PAGE)]

    class Pages(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Answer with a page, an empty one behind the last."""
            page = int(parse_qs(urlparse(self.path).query)["page"][0])
            body = pages[page - 1].encode() if page <= len(pages) else b"[]"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def database(folder: Path, rows: int) -> Iterator[str]:
    """Fill a PostgreSQL and yield its address."""
    import postgres
    import psycopg

    with tempfile.TemporaryDirectory() as data, postgres.running(Path(data)) as address:
        with psycopg.connect(address, user=postgres.USER) as connection:
            connection.execute(
                "CREATE TABLE rows (id int PRIMARY KEY, name text, status text, amount numeric, note text, "
                "updated_at timestamptz)"
            )
            with connection.cursor().copy("COPY rows FROM STDIN") as copy:
                for number in range(rows):
                    copy.write_row(tuple(row(number).values()))
            connection.commit()
            connection.execute("ANALYZE rows")
        yield address


def posted(landing: Landing, rows: int) -> None:
    """Fill a webhook's inbox."""
    inbox = Inbox(landing.folder)
    for start in range(0, rows, _PAGE):
        some = range(start, min(start + _PAGE, rows))
        inbox.store([Payload(f"id-{n}", "2026-01-01T00:00:00+00:00", json.dumps(row(n)).encode()) for n in some])
    inbox.close()


def _conf(root: Path, source: dict[str, Any], connection: dict[str, Any]) -> Conf:
    """Return a conf with one source, in a folder of its own."""
    loaded = conf_door.load("shop", [f"storage.landing.root={root}"])
    pipeline = loaded.pipeline.model_copy(
        update={"sources": {"rows": conf_door.Source.model_validate({"system": "bench", **source})}}
    )
    platform = loaded.platform.model_copy(
        update={"connections": {f"{loaded.name}.rows": conf_door.Connection.model_validate(connection)}}
    )
    return conf_door.Conf(loaded.project, loaded.environment, platform, loaded.name, pipeline)


def measure(conf: Conf, before: Callable[[Landing], None] = lambda _: None) -> tuple[float, float, int]:
    """Return seconds to fetch and publish, seconds to read and tell apart, and the rows."""
    landing, source = Landing(conf, "rows"), conf.source("rows")
    before(landing)
    started = time.perf_counter()
    manifests = intake.take(conf, "rows", None, 0).manifests
    fetched = time.perf_counter()
    batch = read(landing, source, manifests)
    records, _ = identity.Seen().sort_out(identity.identified(batch.table, source))
    return fetched - started, time.perf_counter() - fetched, len(records)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure each kind of source in turn, and show a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args(arguments)
    files = {"kind": "files", "settle_seconds": 0}
    rest = {"kind": "rest", "resource": "rows", "paging": {"by": "page", "parameter": "page"}}
    table = {"kind": "database", "table": "rows", "key": ["id"], "changed": "updated_at"}
    events: dict[str, Any] = {"format": "json", "delivers": "events"}
    with ExitStack() as stack:
        made = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(4)]
        kinds: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
            ("files, csv", {**events, "format": "csv", "intake": files}, {"url": csv_file(made[0], given.rows)}),
            ("files, JSON lines", {**events, "intake": files}, {"url": lines_file(made[1], given.rows)}),
            (
                "files, Parquet",
                {**events, "format": "parquet", "intake": files},
                {"url": parquet_file(made[2], given.rows)},
            ),
            ("REST", {**events, "records": "$", "intake": rest}, {"url": stack.enter_context(service(given.rows))}),
            (
                "PostgreSQL",
                {"format": "json", "delivers": "snapshot", "intake": table},
                {"url": stack.enter_context(database(made[3], given.rows)), "user": "medallion"},
            ),
            ("webhooks gathered", {**events, "intake": {"kind": "webhook"}}, {}),
        ]
        sys.stdout.write(f"{given.rows:,} rows, medians of {given.repeats}; rows a second" + "\n")
        sys.stdout.write(f"{'source':20} {'fetch, publish':>15} {'read, tell apart':>17} {'both':>10}" + "\n")
        for name, source, connection in kinds:
            runs = []
            for _ in range(given.repeats):
                with tempfile.TemporaryDirectory() as root:
                    fill = (lambda landing: posted(landing, given.rows)) if not connection else (lambda _: None)
                    fetched, told, count = measure(_conf(Path(root), source, connection), fill)
                    assert count == given.rows, (name, count)
                    runs.append((fetched, told, fetched + told))
            rates = [given.rows / statistics.median(seconds) for seconds in zip(*runs, strict=True)]
            sys.stdout.write(f"{name:20} {rates[0]:>15,.0f} {rates[1]:>17,.0f} {rates[2]:>10,.0f}" + "\n")


if __name__ == "__main__":
    main()
