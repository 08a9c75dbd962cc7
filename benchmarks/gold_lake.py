"""The lake of the gold benchmark: order lines, orders and customers of any size as silver, and what gold makes of them.

Silver is generated, and changed by the engine's own MERGE: some of its newest lines, or lines all over its history.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion import commits, run
from medallion import conf as conf_door
from medallion.account import Account
from medallion.session import Sessions
from medallion.step import Outcome

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NAME = "sales"
MART, REVENUE, PRODUCTS = (f"{NAME}.gold.{table}" for table in ("order_lines", "revenue", "product_sales"))
LINES, ORDERS, CUSTOMERS = (f"{NAME}.silver.{table}" for table in ("lines", "orders", "customers"))
LINES_AN_ORDER = 3
Ranges = Mapping[str, Sequence[tuple[Any, Any]]]
SPARK = {
    "spark.driver.memory": "8g",
    "spark.driver.extraJavaOptions": "-XX:+UseParallelGC",
    "spark.sql.shuffle.partitions": "16",
}
_CONF = """
description: Order lines, and what they come to
sources: {lines: {format: json, delivers: events, system: generated}}
expectations:
  gold.order_lines:
    - {rule: unique, columns: [order_id, line_number], severity: fail}
    - {rule: not_null, column: net_amount, severity: fail}
"""
_IMPORTS = """
from pyspark.sql import functions as F
from medallion.tables import Aggregate, Bronze, Mart, Measure, Silver
"""
_SILVER = """
table = Silver(reads="sales.bronze.lines", key={key}, sequence=("_delivery",), columns={columns})

@table.transform
def rows(records):
    return records
"""
_COLUMNS: Mapping[str, tuple[tuple[str, ...], Mapping[str, str]]] = {
    "lines": (
        ("order_id", "line_number"),
        {
            "order_id": "bigint",
            "line_number": "int",
            "product_id": "string",
            "quantity": "bigint",
            "unit_price": "decimal(10,2)",
            "discount": "decimal(10,2)",
        },
    ),
    "orders": (
        ("order_id",),
        {"order_id": "bigint", "customer_id": "bigint", "status": "string", "country": "string", "order_date": "date"},
    ),
    "customers": (("customer_id",), {"customer_id": "bigint", "segment": "string", "region": "string"}),
}
_GOLD = {
    "order_lines": """
table = Mart(driving="sales.silver.lines", key=("order_id", "line_number"),
             lookups={"sales.silver.orders": "order_id", "sales.silver.customers": "sales.silver.orders.customer_id"},
             columns={"order_id": ("bigint", "order"), "line_number": ("int", "line"), "product_id": ("string", "p"),
                      "customer_id": ("bigint", "c"), "segment": ("string", "s"), "region": ("string", "r"),
                      "status": ("string", "s"), "country": ("string", "c"), "order_date": ("date", "d"),
                      "units": ("bigint", "u"), "gross_amount": ("decimal(18,2)", "a"),
                      "net_amount": ("decimal(18,2)", "a")})

@table.transform
def order_lines(lines, orders, customers):
    gross = (F.col("quantity") * F.col("unit_price")).cast("decimal(18,2)")
    return lines.join(orders, on="order_id", how="left").join(customers, on="customer_id", how="left").select(
        "order_id", "line_number", "product_id", "customer_id", "segment", "region", "status", "country", "order_date",
        F.col("quantity").alias("units"), gross.alias("gross_amount"),
        (gross - F.col("discount")).cast("decimal(18,2)").alias("net_amount"))
""",
    "revenue": """
table = Aggregate(reads="sales.gold.order_lines",
    dimensions={"order_date": "order_date", "country": "country", "status": "status", "segment": "segment"},
    measures={"lines": Measure("count"), "units": Measure("sum", "units"), "revenue": Measure("sum", "net_amount")},
    columns={"order_date": ("date", "d"), "country": ("string", "c"), "status": ("string", "s"),
             "segment": ("string", "s"), "lines": ("bigint", "n"), "units": ("bigint", "u"),
             "revenue": ("decimal(28,2)", "a")})
""",
    "product_sales": """
table = Aggregate(reads="sales.silver.lines", dimensions={"product_id": "product_id"},
    measures={"lines": Measure("count"), "units": Measure("sum", "quantity"), "discount": Measure("sum", "discount")},
    columns={"product_id": ("string", "p"), "lines": ("bigint", "n"), "units": ("bigint", "u"),
             "discount": ("decimal(20,2)", "a")})
""",
}


@dataclass
class GoldLake:
    """A lake with so many order lines, and what a benchmark does with it."""

    folder: Path
    lines: int
    spark: Mapping[str, str] = field(default_factory=dict)  # settings besides those of all benchmarks of gold
    changes: int = 0

    def __post_init__(self) -> None:
        """Write the project that the lake belongs to, and start Spark."""
        self.sessions = Sessions(self._conf())
        self.sessions.start()

    def generate(self) -> None:
        """Write silver: three lines an order in the order they came, ten orders a customer."""
        from pyspark.sql import functions as F

        spark = self.sessions.fresh()
        parts = max(2, self.lines // 1_000_000)
        orders = self.orders
        lines = spark.range(0, orders * LINES_AN_ORDER, 1, parts).select(
            F.floor(F.col("id") / LINES_AN_ORDER).alias("order_id"), (F.col("id") % LINES_AN_ORDER).alias("n")
        )
        self._append(LINES, lines.transform(_lines))
        self._append(ORDERS, spark.range(0, orders, 1, max(2, parts // 3)).transform(_orders, orders))
        customers = spark.range(0, orders // 10 + 1, 1, max(1, parts // 20))
        seed = F.pmod(F.xxhash64("id"), F.lit(1000))
        segment = F.element_at(F.array(*map(F.lit, ("consumer", "business", "vip"))), (seed % 3 + 1).cast("int"))
        region = F.concat(F.lit("region "), (seed % 20).cast("string"))
        self._append(
            CUSTOMERS,
            customers.select(F.col("id").alias("customer_id"), segment.alias("segment"), region.alias("region")),
        )

    def change(self, rows: int, where: str) -> None:
        """Change so many lines, ``recent`` ones or ones ``spread`` over all; a tenth of them are new, of new orders."""
        changed, added = self._heads(rows, where)
        self.merge(LINES, self._lines_of(changed.union(added)))
        self.merge(ORDERS, added.transform(_orders, self.orders))

    def lines_changed(self, rows: int, where: str) -> "DataFrame":
        """Return the lines that such a change writes; each call changes others."""
        changed, added = self._heads(rows, where)
        return _alive(self._lines_of(changed.union(added)))

    def merge(self, name: str, rows: "DataFrame", within: Ranges | None = None) -> None:
        """Write rows into a silver table as the engine does, be it one of ours or a copy of the lines beside it."""
        lake, target, account = self._target(name)
        key = _COLUMNS.get(name.split(".")[2], _COLUMNS["lines"])[0]
        commits.merge(lake, target, _alive(rows), commits.Match(key, within or {}), account)

    def path(self, name: str) -> str:
        """Return where a table is."""
        return run.Lake(self._conf()).path(name)

    @property
    def orders(self) -> int:
        """How many orders there were at first."""
        return self.lines // LINES_AN_ORDER

    def _heads(self, rows: int, where: str) -> "tuple[DataFrame, DataFrame]":
        """Return the ids of orders that change, and of new ones."""
        from pyspark.sql import functions as F

        spark = self.sessions.fresh()
        self.changes += 1
        new = max(1, rows // 10 // LINES_AN_ORDER)
        old = rows // LINES_AN_ORDER - new
        first = self.orders + self.changes * 10 * self.orders
        if where == "recent":
            changed = spark.range(self.orders - old, self.orders)
        else:
            step = self.orders // old
            changed = spark.range(0, old).select((F.col("id") * step + self.changes % step).alias("id"))
        return changed, spark.range(first, first + new)

    def _lines_of(self, orders: "DataFrame") -> "DataFrame":
        from pyspark.sql import functions as F

        numbers = F.explode(F.sequence(F.lit(0), F.lit(LINES_AN_ORDER - 1)))
        return orders.select(F.col("id").alias("order_id"), numbers.alias("n")).transform(_lines, self.changes)

    def refresh(self, name: str, *overrides: str) -> Outcome:
        """Refresh one gold table."""
        outcome = run.run_step(run.prepare(self._conf(*overrides)), self.sessions, name)
        if outcome.error:
            raise SystemExit(outcome.error)
        return outcome

    def close(self) -> None:
        """Stop Spark and remove the lake."""
        self.sessions.stop()
        shutil.rmtree(self.folder / "lake", ignore_errors=True)

    def _conf(self, *overrides: str) -> conf_door.Conf:
        project = self.folder / "project"
        shutil.copytree(Path(__file__).parents[1] / "conf", project / "conf", dirs_exist_ok=True)
        for place, text in {
            "conf/pipelines/sales.yaml": _CONF,
            "jobs/sales/bronze/lines.py": "from medallion.tables import Bronze\ntable = Bronze(source='lines')\n",
            **{f"jobs/sales/gold/{name}.py": _IMPORTS + text for name, text in _GOLD.items()},
            **{
                f"jobs/sales/silver/{name}.py": _IMPORTS
                + _SILVER.format(key=key, columns={column: (type_, column) for column, type_ in columns.items()})
                for name, (key, columns) in _COLUMNS.items()
            },
        }.items():
            path = project / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        roots = [
            f"storage.{layer}.root={self.folder / 'lake' / layer}"
            for layer in ("landing", "bronze", "silver", "gold", "ops")
        ]
        spark = [f"spark.conf.{key}={value}" for key, value in {**SPARK, **self.spark}.items()]
        return conf_door.load(NAME, [*roots, *spark, "spark.warm=false", "spark.master=local[2]", *overrides], project)

    def _target(self, name: str) -> tuple[run.Lake, commits.Target, Account]:
        lake = run.Lake(self._conf())
        state = lake.state(name)
        account = Account(f"change-{self.changes}", "affected_keys", "generated", "generated", good=commits.SAME_COMMIT)
        return lake, commits.Target(name, state, commits.CURATED), account

    def _append(self, name: str, rows: "DataFrame") -> None:
        lake, target, account = self._target(name)
        commits.append(lake, target, _alive(rows), account)


def _alive(rows: "DataFrame") -> "DataFrame":
    from pyspark.sql import functions as F

    return rows.withColumn("_deleted", F.lit(False))


def _lines(heads: "DataFrame", change: int = 0) -> "DataFrame":
    from pyspark.sql import functions as F

    seed = F.xxhash64("order_id", "n", F.lit(change))
    product = F.pmod(F.xxhash64("order_id", "n"), F.lit(20_000)).cast("string")
    return heads.select(
        F.col("order_id").cast("bigint"),
        F.col("n").cast("int").alias("line_number"),
        F.concat(F.lit("P"), product).alias("product_id"),
        (F.pmod(seed, F.lit(5)) + 1).cast("bigint").alias("quantity"),
        (F.pmod(seed, F.lit(50_000)) / 100).cast("decimal(10,2)").alias("unit_price"),
        (F.pmod(F.shiftright(seed, 20), F.lit(500)) / 100).cast("decimal(10,2)").alias("discount"),
    )


def _orders(ids: "DataFrame", orders: int) -> "DataFrame":
    """Return orders: dates follow the ids over three years, those beyond are of the last day."""
    from pyspark.sql import functions as F

    seed = F.xxhash64("id")
    day = F.least(F.floor(F.col("id") * 1095 / orders), F.lit(1095)).cast("int")
    statuses = F.array(*map(F.lit, ("paid", "fulfilled", "cancelled", "pending")))
    countries = F.array(*map(F.lit, ("DE", "AT", "CH", "FR", "IT", "GB", "US", "PL")))
    return ids.select(
        F.col("id").alias("order_id"),
        F.pmod(seed, F.lit(orders // 10 + 1)).alias("customer_id"),
        F.element_at(statuses, (F.pmod(seed, F.lit(4)) + 1).cast("int")).alias("status"),
        F.element_at(countries, (F.pmod(F.shiftright(seed, 8), F.lit(8)) + 1).cast("int")).alias("country"),
        F.date_add(F.lit("2023-01-01").cast("date"), day).alias("order_date"),
    )
