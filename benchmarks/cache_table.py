"""The table that `cache_search` measures: sample logs in a project of its own, written without Spark."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake

from jobs.dailylogs.sample import COLUMNS, changes, rows
from medallion import conf
from medallion.account import Account
from medallion.cache import sync as cache_sync
from medallion.lake import Lake

NAME, SHORT = "bench.silver.logs", "bench/silver.logs"
PLATFORM = """
storage:
  landing: {root: data/landing, profile: archive}
  bronze: {root: data/bronze, profile: archive}
  silver: {root: data/silver, profile: standard}
  gold: {root: data/gold, profile: hot}
  ops: {root: data/ops, profile: standard}
cache: {port: 0}
"""
PIPELINE = """
description: Logs to search
sources:
  logs: {format: json, delivers: events, system: bench}
cache:
  tables:
    silver.logs:
      searched: [logtitle, notes]
      filters: [status, phase, jobsite, county, sector, site_number]
      order_by: created_at
"""
BRONZE = 'from medallion.tables import Bronze\n\ntable = Bronze(source="logs")\n'
SILVER = """from medallion.tables import Silver

TYPES = {{name: ("timestamp" if name.endswith("_at") else "string", name) for name in {columns}}}
table = Silver(reads="bench.bronze.logs", key=("job_id",), columns=TYPES)


@table.transform
def logs(records):
    return records
"""
_TYPES = {name: pa.timestamp("us", tz="UTC") if name.endswith("_at") else pa.string() for name in COLUMNS}
SCHEMA = pa.schema([*_TYPES.items(), ("_deleted", pa.bool_())])


@dataclass
class Table:
    """A project's folder, and how many logs its table has."""

    folder: Path
    size: int

    @classmethod
    def make(cls, folder: Path, size: int) -> "Table":
        """Write the project and its table."""
        texts = {
            "conf/platform/dev.yaml": PLATFORM,
            "conf/pipelines/bench.yaml": PIPELINE,
            "jobs/bench/bronze/logs.py": BRONZE,
            "jobs/bench/silver/logs.py": SILVER.format(columns=COLUMNS),
        }
        for name, text in texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        made = cls(folder, size)
        batches = _batches({**row, "_deleted": False} for row in rows(size))
        write_deltalake(
            made._path,
            pa.RecordBatchReader.from_batches(SCHEMA, batches),
            configuration={"delta.enableChangeDataFeed": "true"},
            commit_properties=_account(0),
        )
        return made

    def change(self, share: float) -> None:
        """Commit what happens next to a share of the logs."""
        happened = [{**row, "_deleted": kind == "delete"} for kind, row in changes(7, share, self.size)]
        table = DeltaTable(self._path)
        table.merge(
            pa.Table.from_pylist(happened, schema=SCHEMA),
            "t.job_id = s.job_id",
            source_alias="s",
            target_alias="t",
            commit_properties=_account(table.version() + 1),
        ).when_matched_update_all().when_not_matched_insert_all().execute()

    def sync(self) -> cache_sync.Synced:
        """Bring the cache in line."""
        return cache_sync.sync(conf.load("bench", project=self.folder), first_run=False).tables[0]

    @contextmanager
    def served(self) -> Iterator[tuple[int, Callable[[], float]]]:
        """Serve the pages; yield their port, and what tells the processor's seconds that the server has used."""
        command = [sys.executable, "-c", "from medallion.cli import main; main()", "pages", "--json"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "MEDALLION_HOME": str(self.folder)}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            try:
                port = int(json.loads(server.stdout.readline())["address"].rpartition(":")[2])
                yield port, lambda: _worked(server.pid)
            finally:
                server.send_signal(signal.SIGTERM)

    @property
    def _path(self) -> str:
        return Lake(conf.load("bench", project=self.folder)).path(NAME)


def _batches(found: Iterator[dict[str, Any]]) -> Iterator[pa.RecordBatch]:
    held: list[dict[str, Any]] = []
    for row in found:
        held.append(row)
        if len(held) == 20_000:
            yield pa.RecordBatch.from_pylist(held, schema=SCHEMA)
            held = []
    if held:
        yield pa.RecordBatch.from_pylist(held, schema=SCHEMA)


def _worked(process: int) -> float:
    """Return the processor's seconds that the children of a process have used."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    ticks = [Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[11:13] for child in children]
    return sum(int(one) for pair in ticks for one in pair) / os.sysconf("SC_CLK_TCK")


def _account(version: int) -> CommitProperties:
    account = Account("bench", "append", "a benchmark", "", data=version, good=version)
    return CommitProperties(custom_metadata={"userMetadata": account.to_json()})


if __name__ == "__main__":  # one of several processes that search
    from benchmarks.cache_search import search_file

    folder, seconds, pause, users = Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    sys.stdout.write(json.dumps(search_file(folder, seconds, pause, users)))
