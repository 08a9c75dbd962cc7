"""A pipeline `mill` whose gold has every kind of table and measure, and silver tables that any writer may change.

Lines of orders, orders of buyers, buyers in regions: a mart over all of them, one with children, aggregates over
silver and gold, derived tables within partitions and without, marts over marts.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake

from medallion import commits, run
from medallion.account import Account
from medallion.step import Outcome
from tests.conftest import Lakehouse
from tests.gold import compare

NAME = "mill"
CONF = """
description: Lines of orders, and what they come to
parameters: {factor: 2}
sources:
  lines: {format: json, delivers: events, system: mill}
expectations:
  gold.priced:
    - {rule: unique, columns: [order_id, line], severity: fail}
    - {rule: sql, name: no_line_is_lost, by: [order_id], severity: fail}
  gold.by_label:
    - {rule: range, column: lines, min: 1, severity: fail}
  gold.top:
    - {rule: sql, name: orders_are_known, severity: fail}
"""
IMPORTS = """
from pyspark.sql import Window
from pyspark.sql import functions as F
from medallion.tables import CARRIED, Aggregate, Bronze, Derived, Mart, Measure, Silver
"""
_SILVER = """
table = Silver(reads="mill.bronze.lines", key={key}, sequence=("_delivery",), columns={columns})

@table.transform
def transform(records):
    return records
"""
SILVER: dict[str, tuple[tuple[str, ...], dict[str, tuple[str, pa.DataType]]]] = {
    "lines": (
        ("order_id", "line"),
        {
            "order_id": ("bigint", pa.int64()),
            "line": ("int", pa.int32()),
            "product": ("string", pa.string()),
            "units": ("bigint", pa.int64()),
            "amount": ("decimal(10,2)", pa.decimal128(10, 2)),
            "weight": ("double", pa.float64()),
            "day": ("date", pa.date32()),
        },
    ),
    "orders": (
        ("order_id",),
        {
            "order_id": ("bigint", pa.int64()),
            "buyer": ("string", pa.string()),
            "status": ("string", pa.string()),
        },
    ),
    "buyers": (("buyer",), {"buyer": ("string", pa.string()), "region": ("int", pa.int32())}),
    "regions": (("region",), {"region": ("int", pa.int32()), "label": ("string", pa.string())}),
}
MODULES = {
    "bronze/lines.py": IMPORTS + "table = Bronze(source='lines')",
    **{
        f"silver/{name}.py": IMPORTS + _SILVER.format(key=key, columns={c: (t, c) for c, (t, _) in columns.items()})
        for name, (key, columns) in SILVER.items()
    },
    "gold/priced.py": IMPORTS
    + """
table = Mart(driving="mill.silver.lines", key=("order_id", "line"),
             lookups={"mill.silver.orders": "order_id", "mill.silver.buyers": "mill.silver.orders.buyer",
                      "mill.silver.regions": "mill.silver.buyers.region"},
             columns={"order_id": ("bigint", "order"), "line": ("int", "line"), "product": ("string", "p"),
                      "status": ("string", "s"), "label": ("string", "l"), "units": ("bigint", "u"),
                      "amount": ("decimal(12,2)", "a"), "weight": ("double", "w"), "day": ("date", "d")})

@table.transform
def priced(lines, orders, buyers, regions, *, factor):
    found = lines.join(orders, on="order_id", how="left").join(buyers, on="buyer", how="left")
    return found.join(regions, on="region", how="left").select(
        "order_id", "line", "product", "status", "label", "units",
        (F.col("amount") * factor).cast("decimal(12,2)").alias("amount"), "weight", "day")
""",
    "gold/order_sums.py": IMPORTS
    + """
table = Mart(driving="mill.silver.orders", key=("order_id",), lookups={"mill.silver.buyers": "buyer"},
             children={"mill.silver.lines": "order_id"},
             columns={"order_id": ("bigint", "o"), "status": ("string", "s"), "region": ("int", "r"),
                      "lines": ("bigint", "l"), "amount": ("decimal(20,2)", "a")})

@table.transform
def order_sums(orders, buyers, lines):
    sums = lines.groupBy("order_id").agg(F.count("*").alias("lines"), F.sum("amount").alias("amount"))
    known = orders.where("status IS NULL OR status <> 'void'")
    return known.join(buyers, on="buyer", how="left").join(sums, on="order_id", how="left").select(
        "order_id", "status", "region", F.coalesce("lines", F.lit(0)).cast("bigint").alias("lines"), "amount")
""",
    "gold/by_label.py": IMPORTS
    + """
table = Aggregate(reads="mill.gold.priced", where="units IS NULL OR units <> 0",
    dimensions={"label": "label", "status": "upper(status)"},
    measures={"lines": Measure("count"), "products": Measure("count_distinct", "product"),
              "large": Measure("count_if", "amount > 10"), "units": Measure("sum", "units"),
              "amount": Measure("sum", "amount"), "paid": Measure("sum", "amount", where="status = 'paid'"),
              "weight": Measure("sum", "weight"), "rounded": Measure("sum", "amount * 0.125"),
              "least": Measure("min", "amount"), "most": Measure("max", "units", where="amount > 4"),
              "first_product": Measure("first", "product", by="day"), "last_units": Measure("last", "units", by="day"),
              "median": Measure("percentile", "units", at=0.5)},
    columns={"label": ("string", "l"), "status": ("string", "s"), "lines": ("bigint", "n"), "products": ("bigint", "n"),
             "large": ("bigint", "n"), "units": ("bigint", "n"), "amount": ("decimal(22,2)", "a"),
             "paid": ("decimal(22,2)", "a"), "weight": ("double", "w"), "rounded": ("decimal(22,2)", "r"),
             "least": ("decimal(12,2)", "a"), "most": ("bigint", "n"), "first_product": ("string", "p"),
             "last_units": ("bigint", "n"), "median": ("double", "m")})
""",
    "gold/per_day.py": IMPORTS
    + """
table = Aggregate(reads="mill.silver.lines", dimensions={"day": "day", "product": "product"},
    measures={"lines": Measure("count"), "weighed": Measure("count", "weight"), "units": Measure("sum", "units"),
              "amount": Measure("sum", "amount"), "many": Measure("count_if", "units > 2")},
    columns={"day": ("date", "d"), "product": ("string", "p"), "lines": ("bigint", "n"), "weighed": ("bigint", "n"),
             "units": ("bigint", "n"), "amount": ("decimal(20,2)", "a"), "many": ("bigint", "n")})
""",
    "gold/running.py": IMPORTS
    + """
table = Derived(reads=("mill.gold.per_day",), key=("product", "day"), partition={"product": "product"},
                columns={"product": ("string", "p"), "day": ("date", "d"), "so_far": ("decimal(38,2)", "a"),
                         "place": ("int", "r")})

@table.transform
def running(days):
    by_day = Window.partitionBy("product").orderBy("day")
    return days.where("lines > 0").select("product", "day",
        F.sum("amount").over(by_day.rowsBetween(Window.unboundedPreceding, 0)).cast("decimal(38,2)").alias("so_far"),
        F.rank().over(Window.partitionBy("product").orderBy(F.desc("units"), "day")).alias("place"))
""",
    "gold/weeks.py": IMPORTS
    + """
table = Derived(reads=("mill.gold.per_day",), key=("week",), partition={"week": "trunc(day, 'WEEK')"},
                columns={"week": ("date", "w"), "products": ("bigint", "n")})

@table.transform
def weeks(days):
    return days.groupBy(F.trunc("day", "WEEK").alias("week")).agg(F.count_distinct("product").alias("products"))
""",
    "gold/everything.py": IMPORTS
    + """
table = Derived(reads=("mill.gold.per_day", "mill.gold.by_label"), key=("lines",),
                columns={"lines": ("bigint", "n"), "labels": ("bigint", "n")})

@table.transform
def everything(days, labels):
    return days.agg(F.sum("lines").alias("lines")).crossJoin(labels.agg(F.count("*").alias("labels"))).where(
        "lines IS NOT NULL")
""",
    "gold/top.py": IMPORTS
    + """
table = Mart(driving="mill.gold.order_sums", key=("order_id",), children={"mill.gold.priced": "order_id"},
             columns={"order_id": ("bigint", "o"), "status": ("string", "s"), "best": ("decimal(12,2)", "b")})

@table.transform
def top(order_sums, priced):
    best = priced.groupBy("order_id").agg(F.max("amount").alias("best"))
    return order_sums.join(best, on="order_id", how="left").select("order_id", "status", "best")
""",
    "gold/best.py": IMPORTS
    + """
table = Aggregate(reads="mill.gold.top", dimensions={"status": "status"},
                  measures={"best": Measure("max", "best"), "orders": Measure("count_distinct", "order_id")},
                  columns={"status": ("string", "s"), "best": ("decimal(12,2)", "b"), "orders": ("bigint", "n")})
""",
}
MODULES |= {
    "gold/checks/priced.no_line_is_lost.sql": """
SELECT l.order_id FROM mill_silver.lines AS l LEFT ANTI JOIN mill_gold.priced AS p
ON l.order_id = p.order_id AND l.line = p.line""",
    "gold/checks/top.orders_are_known.sql": """
SELECT t.order_id FROM mill_gold.top AS t LEFT ANTI JOIN mill_silver.orders AS o ON t.order_id = o.order_id""",
}
GOLD = [name[5:-3] for name in MODULES if name.startswith("gold/") and name.endswith(".py")]
_FED = {"delta.enableChangeDataFeed": "true"}
Row = dict[str, Any]


@dataclass
class Mill:
    """The pipeline's lake: silver is written as any engine would, gold refreshed by ours and held against itself.

    ``orders`` are written by Spark, with deletion vectors, the other silver tables by delta-rs.
    """

    lake: Lakehouse
    rows: dict[str, dict[tuple[Any, ...], Row]] = field(default_factory=lambda: {name: {} for name in SILVER})
    techniques: Counter[str] = field(default_factory=Counter)
    numbers: Any = field(default_factory=lambda: count(1))
    known: dict[str, dict[int, dict[tuple[Any, ...], Row]]] = field(default_factory=lambda: defaultdict(dict))

    def __post_init__(self) -> None:
        """Prepare the run that stands for all: its tables and conf do not change."""
        self.running = run.prepare(self.lake.conf)

    def write(self, name: str, rows: Sequence[Row], *, by: str = "merge") -> None:
        """Commit rows of a silver table, tombstones where ``_deleted``; by MERGE, as a whole, or with a new column."""
        key, columns = SILVER[name]
        told = [{**dict.fromkeys(columns), "_deleted": False, **row} for row in rows]
        self.rows[name].update({tuple(row[c] for c in key): row for row in told})
        full = f"{NAME}.silver.{name}"
        lake = self.running.lake
        state = lake.state(full)
        good = commits.SAME_COMMIT
        account = Account(f"writer-{next(self.numbers)}", "affected_keys", "by a test", "written", good=good)
        target = commits.Target(full, state, commits.CURATED)
        if name == "orders":
            self._by_spark(target, told if by == "merge" else [*self.rows[name].values()], account, by)
        else:
            account = target.dated(account)
            as_told = CommitProperties(custom_metadata={"userMetadata": account.to_json()})
            self._by_delta_rs(target, told if by == "merge" else [*self.rows[name].values()], as_told, by)
        self.known[name][target.next_version] = dict(self.rows[name])

    def compact(self, name: str) -> None:
        """Rewrite a table's files without changing its rows, as maintenance does."""
        self._sql(f"OPTIMIZE delta.`{self.path(name)}`")

    def restore(self, name: str) -> bool:
        """Bring a silver table back to how it first was, by hand, and have its own engine go on from there."""
        first = min(self.known[name])
        self._sql(f"RESTORE TABLE delta.`{self.path(name)}` TO VERSION AS OF {first}")
        self.rows[name] = dict(self.known[name][first])
        return True

    def path(self, name: str) -> str:
        return self.running.lake.path(f"{NAME}.silver.{name}")

    def _sql(self, text: str) -> None:
        self.lake.sessions.fresh(0).sql(text).collect()

    def _by_spark(self, target: commits.Target, rows: Sequence[Row], account: Account, by: str) -> None:
        session = self.lake.sessions.fresh(10**9)  # as of a table that is not small: with deletion vectors
        session.conf.set("spark.sql.shuffle.partitions", "1")
        frame = session.createDataFrame(_arrow("orders", rows, self._extra(by)))
        if by == "merge" and target.state is not None:
            commits.merge(self.running.lake, target, frame, commits.Match(SILVER["orders"][0]), account)
        else:
            commits.overwrite(self.running.lake, target, frame, account)

    def _by_delta_rs(self, target: commits.Target, rows: Sequence[Row], told: CommitProperties, by: str) -> None:
        name = target.name.split(".")[2]
        table, path = _arrow(name, rows, self._extra(by)), self.path(name)
        if target.state is None or by != "merge":
            options: Any = {"configuration": _FED} if target.state is None else {"schema_mode": "overwrite"}
            write_deltalake(path, table, mode="overwrite", commit_properties=told, **options)
            return
        met = " AND ".join(f"t.{column} = s.{column}" for column in SILVER[name][0])
        merging = DeltaTable(path).merge(table, met, source_alias="s", target_alias="t", commit_properties=told)
        plain = {column: f"s.{column}" for column in table.column_names}
        merging.when_matched_update(plain).when_not_matched_insert(plain).execute()

    def _extra(self, by: str) -> list[tuple[str, pa.DataType]]:
        return [(f"extra_{next(self.numbers)}", pa.string())] if by == "column" else []

    def refresh(self, *names: str, overrides: Sequence[str] = ()) -> dict[str, Outcome]:
        """Refresh gold tables, or only some; return what became of each."""
        lake = self.lake.with_overrides(*overrides) if overrides else self.lake
        running = run.prepare(lake.conf)
        report = run.run_tables(running, lake.sessions, [f"{NAME}.gold.{name}" for name in names or GOLD])
        self.techniques.update(outcome.technique for outcome in report.outcomes)
        return {outcome.table.split(".")[2]: outcome for outcome in report.outcomes}

    def refresh_here(self, name: str) -> Outcome:
        """Refresh one table in this very thread."""
        return run.run_step(run.prepare(self.lake.conf), self.lake.sessions, f"{NAME}.gold.{name}")

    def differences(self, *names: str) -> dict[str, Any]:
        """Return for each gold table that is not as recomputed in full the rows it has too many, and too few."""
        found = compare.differences(self.lake, [f"{NAME}.gold.{name}" for name in names or GOLD])
        return {name.split(".")[2]: rows for name, rows in found.items()}


def line(order_id: int, number: int, product: str | None, units: int | None, amount: str | None, day: int) -> Row:
    """Return a line; its weight is a multiple of a power of two, so that sums of them are exact in any order."""
    return {
        "order_id": order_id,
        "line": number,
        "product": product,
        "units": units,
        "amount": Decimal(amount) if amount is not None else None,
        "weight": None if units is None else units / 4,
        "day": dt.date(2026, 1, 1) + dt.timedelta(days=day),
    }


def _arrow(name: str, rows: Sequence[Row], extra: Sequence[tuple[str, pa.DataType]]) -> pa.Table:
    fields = [(column, type_) for column, (_, type_) in SILVER[name][1].items()]
    return pa.Table.from_pylist(list(rows), schema=pa.schema([*fields, ("_deleted", pa.bool_()), *extra]))
