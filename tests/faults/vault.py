"""A small pipeline `vault` with every kind of file that storage may spoil, and what is compared after a fault."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medallion import cache, ops, quarantine, query, run
from medallion import conf as conf_door
from medallion.cache import sync as cache_sync
from medallion.conf import Conf
from medallion.landing import Landing, Manifest
from medallion.run import Report
from medallion.session import Sessions
from medallion.tables import Silver
from tests.conftest import LAYERS, write_project

NAME = "vault"
BRONZE, SILVER, QUARANTINE, GOLD = (
    "vault.bronze.orders",
    "vault.silver.orders",
    "vault.quarantine.orders",
    "vault.gold.totals",
)
TABLES = (BRONZE, SILVER, QUARANTINE, GOLD)
CONF = """
description: Orders and their totals
sources:
  orders: {format: json, delivers: events, system: shop, idempotency_key: $.event, intake: {kind: webhook}}
expectations:
  silver.orders: [{rule: range, column: amount, min: 0}, {rule: unique, columns: [id], tolerance: 0.5}]
cache:
  tables:
    silver.orders: {searched: [id, product], filters: [product], order_by: seq}
"""
MODULES = {
    "bronze/orders.py": "from medallion.tables import Bronze\ntable = Bronze(source='orders')",
    "silver/orders.py": """
from pyspark.sql import functions as F
from medallion.tables import CARRIED, Silver
SENT = "id string, seq int, product string, amount int"
table = Silver(reads="vault.bronze.orders", key=("id",), sequence=("seq",),
               columns={"id": ("string", "id"), "seq": ("int", "version"), "product": ("string", "product"),
                        "amount": ("int", "amount")})

@table.transform
def orders(records):
    return records.withColumn("s", F.from_json("payload", SENT)).select("s.*", *CARRIED)
""",
    "gold/totals.py": """
from medallion.tables import Aggregate, Measure
table = Aggregate(reads="vault.silver.orders", dimensions={"product": "product"},
                  measures={"orders": Measure("count"), "amount": Measure("sum", "amount")},
                  columns={"product": ("string", "product"), "orders": ("bigint", "orders"),
                           "amount": ("bigint", "sum")})
""",
}
Content = Mapping[str, list[str]]  # rows as text, sorted, by table


def order(event: str, id: str, seq: int, amount: int, product: str = "tea") -> bytes:
    """Return an order as it is delivered."""
    return json.dumps({"event": event, "id": id, "seq": seq, "product": product, "amount": amount}).encode()


def day(number: int) -> list[bytes]:
    """Return a day's orders: new ones, a correction of the day before, a repeat, and one to be rejected."""
    new = [order(f"{number}-{n}", f"o{number}-{n}", 1, 10 * n + number, ("tea", "rum")[n % 2]) for n in range(6)]
    corrected = order(f"{number}-c", f"o{number - 1}-1", 2, 1000 + number)
    return [
        *new,
        corrected,
        order(f"{number}-0", f"o{number}-0", 1, number, "rum"),
        order(f"{number}-r", f"r{number}", 1, -1),
    ]


@dataclass(frozen=True)
class Vault:
    """One lake of the project, which may be copied, spoilt, and run in the Spark of the tests."""

    project: Path
    folder: Path
    sessions: Sessions | None
    overrides: tuple[str, ...] = ()

    @property
    def conf(self) -> Conf:
        """The pipeline's conf on this lake."""
        roots = [f"storage.{layer}.root={self.folder / layer}" for layer in LAYERS]
        return conf_door.load(NAME, [*roots, f"cache.root={self.folder / 'cache'}", *self.overrides], self.project)

    def copy(self, folder: Path) -> "Vault":
        """Return a copy of it as it is now."""
        shutil.copytree(self.folder, folder, symlinks=True, dirs_exist_ok=True)
        return Vault(self.project, folder, self.sessions, self.overrides)

    def deliver(self, number: int) -> Manifest:
        """Publish a day's orders as one delivery of two files."""
        sent = day(number)
        return Landing(self.conf, "orders").deliver(
            [("a.json", sent[0]), *((f"{n}.json", one) for n, one in enumerate(sent[1:]))]
        )

    def run(self, *names: str) -> Report:
        """Run all tables, or some; records of the run are left out."""
        assert self.sessions is not None
        prepared = run.prepare(self.conf)
        return run.run_tables(prepared, self.sessions, names or list(prepared.tables))

    def record(self, report: Report) -> None:
        """Record a run as the command does."""
        ops.record(run.prepare(self.conf), report)

    def sync(self) -> cache_sync.Syncs:
        """Bring the cache in line with its table."""
        return cache_sync.sync(self.conf, first_run=False)

    def path(self, name: str) -> Path:
        """Return where a table is."""
        return Path(run.prepare(self.conf).lake.path(name))

    def versions(self) -> dict[str, int]:
        """Return the newest version of every table there is."""
        lake = run.prepare(self.conf).lake
        states = {name: lake.state(name) for name in TABLES}
        return {name: state.version for name, state in states.items() if state is not None}

    def contents(self) -> Content:
        """Return what each table stores at its newest version, but for technical columns."""
        prepared = run.prepare(self.conf)
        found = {}
        for name, table in prepared.tables.items():
            columns = tuple(table.columns) or ("_record_id", "payload", "_problem")
            found[name] = _rows(prepared.lake.path(name), columns)
            if isinstance(table, Silver):
                side = quarantine.name_of(table)
                found[side] = _rows(prepared.lake.path(side), ("_record_id", "outcome", "reasons", "row"))
        return found

    def seen(self) -> Content:
        """Return what readers see: good versions."""
        prepared = run.prepare(self.conf)
        states = {name: prepared.lake.state(name) for name in (SILVER, GOLD)}
        return {
            name: _rows(state.path, tuple(prepared.tables[name].columns), state.good)
            for name, state in states.items()
            if state is not None
        }

    def cached(self) -> list[Any]:
        """Return the rows of the cache as its readers see them; the file is checked too."""
        place = cache.place_of(self.conf, SILVER)
        with cache.connect(place.link, readonly=True) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            rows = connection.execute("SELECT id, seq, product, amount FROM rows").fetchall()
        connection.close()
        return sorted(rows)


def public_of(content: Content, name: str) -> list[str]:
    """Return what readers see of a table whose rows are all alive: as it is stored."""
    return content[name]


def _rows(path: str, columns: tuple[str, ...], version: int | None = None) -> list[str]:
    rows = query.select(path, f"SELECT {query.quoted(columns)} FROM t", version)
    return sorted(json.dumps(row, default=str, sort_keys=True) for row in rows)


def new(folder: Path, sessions: Sessions | None, *overrides: str) -> Vault:
    """Write the project, and return an empty lake."""
    conf = write_project(folder, NAME, MODULES, CONF)
    return Vault(conf.project, folder / "lake", sessions, overrides)
