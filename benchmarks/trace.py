"""What it costs to look into a large lake, and to mend a record of it: trace, diff and reprocess.

``python -m benchmarks.trace [--lines 1000000,10000000] [--repeats 3] [--docs]``

The lake has so many records in deliveries of 100,000, a tenth of them later versions of earlier orders; silver, a mart
and an aggregate over it are made of them by the engine, and once more after a delivery of 10,000. Times are of a warm
session; those of a full refresh are of the run that made silver and gold.
"""

import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import page
from benchmarks.gold_lake import SPARK
from medallion import bronze, commits, query, run
from medallion import conf as conf_door
from medallion.account import Account, Mark
from medallion.lake import Lake
from medallion.session import Sessions
from medallion.views import diff, reprocess, trace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ROOT = Path(__file__).resolve().parents[1] / "data" / "bench" / "trace"
NAME = "desk"
BRONZE, SILVER, MART, REVENUE = (
    f"{NAME}.{table}" for table in ("bronze.orders", "silver.orders", "gold.sales", "gold.revenue")
)
A_DELIVERY, NEWS = 100_000, 10_000
LAYERS = ("landing", "bronze", "silver", "gold", "ops")
FILES = {
    "conf/pipelines/desk.yaml": """
description: Orders, to look into
sources: {orders: {format: json, delivers: events, system: generated, key: $.id}}
""",
    "jobs/desk/bronze/orders.py": "from medallion.tables import Bronze\ntable = Bronze(source='orders')\n",
    "jobs/desk/silver/orders.py": """
from pyspark.sql import functions as F
from medallion.tables import CARRIED, Silver

SENT = "id string, seq bigint, day date, country string, amount decimal(10,2)"
table = Silver(reads="desk.bronze.orders", key=("id",), sequence=("seq",),
               columns={"id": ("string", "order"), "seq": ("bigint", "version"), "day": ("date", "day"),
                        "country": ("string", "to"), "amount": ("decimal(10,2)", "EUR")})

@table.transform
def orders(records):
    return records.withColumn("sent", F.from_json("payload", SENT)).select("sent.*", *CARRIED)
""",
    "jobs/desk/gold/sales.py": """
from pyspark.sql import functions as F
from medallion.tables import Mart

table = Mart(driving="desk.silver.orders", key=("id",),
             columns={"id": ("string", "order"), "day": ("date", "day"), "country": ("string", "to"),
                      "amount": ("decimal(10,2)", "EUR"), "tax": ("decimal(12,2)", "EUR")})

@table.transform
def sales(orders):
    return orders.select("id", "day", "country", "amount", (F.col("amount") / 5).cast("decimal(12,2)").alias("tax"))
""",
    "jobs/desk/gold/revenue.py": """
from medallion.tables import Aggregate, Measure

table = Aggregate(reads="desk.gold.sales", dimensions={"day": "day", "country": "country"},
                  measures={"orders": Measure("count"), "amount": Measure("sum", "amount")},
                  columns={"day": ("date", "day"), "country": ("string", "to"), "orders": ("bigint", "n"),
                           "amount": ("decimal(20,2)", "EUR")})
""",
}


@dataclass
class Desk:
    """A lake of so many records."""

    records: int
    deliveries: int = 0
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Write the project, and start Spark."""
        shutil.rmtree(ROOT, ignore_errors=True)
        ROOT.mkdir(parents=True)
        self.define(FILES)
        self.sessions = Sessions(self.conf)
        self.sessions.start()

    def define(self, files: Mapping[str, str]) -> None:
        """Write a project of these files, in a folder of its own, and have the lake be of it from now on."""
        project = Path(tempfile.mkdtemp(dir=ROOT.parent, prefix="trace-project-"))
        shutil.copytree(Path(__file__).parents[1] / "conf", project / "conf")
        for place, text in files.items():
            path = project / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for name in [name for name in sys.modules if name.startswith(f"jobs.{NAME}") or name == "jobs"]:
            del sys.modules[name]
        sys.path[:] = [folder for folder in sys.path if not folder.startswith(str(ROOT.parent))]
        roots = [f"storage.{layer}.root={ROOT / layer}" for layer in LAYERS]
        spark = [f"spark.conf.{key}={value}" for key, value in SPARK.items()]
        self.conf = conf_door.load(NAME, [*roots, *spark, "spark.warm=false", "spark.master=local[2]"], project)

    def deliver(self, records: int, first: int) -> None:
        """Append records to bronze, numbered from ``first`` on, a file a delivery."""
        count = max(1, records // A_DELIVERY)
        lake, state = Lake(self.conf), Lake(self.conf).state(BRONZE)
        rows = self.sessions.fresh().range(first, first + records, 1, count)
        last = self.deliveries + count
        marks = {"landing.orders": Mark(last, since=self.deliveries)}
        counts = {"read": records, "stored": records, "duplicates": 0}
        account = Account(f"desk-{last}", "append", "generated", "", marks, counts, good=commits.SAME_COMMIT)
        made = _records(rows, first, self.deliveries, max(1, records // count))
        commits.append(lake, commits.Target(BRONZE, state, commits.APPEND_ONLY), made, account)
        self.deliveries = last

    def refresh(self) -> float:
        """Refresh silver and gold, and return the seconds that took."""
        began = time.monotonic()
        report = run.run_tables(run.prepare(self.conf), self.sessions, (SILVER, MART, REVENUE))
        if not report.passed:
            raise SystemExit(str([one.error for one in report.outcomes if one.error]))
        return time.monotonic() - began

    def time(self, what: str, call: Callable[[], object]) -> object:
        """Call, and note how long that took."""
        began = time.monotonic()
        found = call()
        self.seconds.setdefault(what, []).append(time.monotonic() - began)
        sys.stderr.write(f"{self.records:,} {what}: {self.seconds[what][-1]:.1f} s\n")
        return found

    def written(self, run_id: str) -> int:
        """Return how many rows a run's commits of silver and gold wrote, as the engine counts them."""
        rows = 0
        for name in (SILVER, MART, REVENUE):
            for commit in Lake(self.conf).history(name):
                if commit.account and commit.account.run_id == run_id:
                    rows += commit.account.rows.get("written", 0)
        return rows


def measure(records: int, repeats: int) -> Mapping[str, str]:
    """Return what each call took on a lake of so many records: the median, in words."""
    desk = Desk(records)
    try:
        desk.deliver(records, 0)
        full = desk.refresh()
        everything = desk.written(_newest_run(desk))
        desk.deliver(NEWS, records)
        told = {"full refresh of silver and gold": f"{full:.0f} s, {everything:,} rows"}
        told["refresh after 10,000 records"] = f"{desk.refresh():.1f} s"
        for turn in range(repeats):
            _look(desk, turn)
        rows = desk.written(_newest_run(desk))
    finally:
        desk.sessions.stop()
        for folder in (ROOT, *ROOT.parent.glob("trace-project-*")):
            shutil.rmtree(folder, ignore_errors=True)
    told |= {what: f"{statistics.median(seconds):.1f} s" for what, seconds in desk.seconds.items()}
    told["reprocess of 1 record, --yes"] += f", {rows:,} rows"
    return told


def _look(desk: Desk, turn: int) -> None:
    """Ask all questions once, each time of other rows; the last one has a record judged by another definition."""
    silver = Lake(desk.conf).state(SILVER)
    assert silver is not None
    number = desk.records // 3 + 1_000 * turn
    row = query.select(silver.path, f"SELECT id, day, country, _record_id FROM t WHERE id = '{number}'")[0]
    group = {"day": str(row["day"]), "country": row["country"]}
    for what, question in {
        "trace of a row of the mart": trace.Question(MART, {"id": row["id"]}),
        "the same, verified": trace.Question(MART, {"id": row["id"]}, verify=True),
        "trace of a row of the aggregate": trace.Question(REVENUE, group),
        "the same, verified ": trace.Question(REVENUE, group, verify=True),
        "trace of a record up to gold": trace.Question(BRONZE, {"_record_id": row["_record_id"]}, up=True),
    }.items():
        found = desk.time(what, lambda question=question: trace.of(desk.conf, question, desk.sessions))
        if getattr(found, "verified", None):
            raise SystemExit(str(found))
    versions = [commit.version for commit in Lake(desk.conf).history(REVENUE)]
    pair = diff.Question(MART, str(min(versions)), str(min(versions) + 1))
    desk.time("diff of two versions of the mart", lambda: diff.of(desk.conf, pair, desk.sessions))
    amount = f'"sent.*", *CARRIED).withColumn("amount", (F.col("amount") + {turn + 1}).cast("decimal(10,2)"))'
    desk.define({place: text.replace('"sent.*", *CARRIED)', amount) for place, text in FILES.items()})
    for what, apply in (("reprocess of 1 record, tried", False), ("reprocess of 1 record, --yes", True)):
        asked = reprocess.Question(BRONZE, (row["_record_id"],), apply=apply)
        desk.time(what, lambda asked=asked: reprocess.of(desk.conf, asked, lambda _: None, desk.sessions))


def _newest_run(desk: Desk) -> str:
    account = next(commit.account for commit in Lake(desk.conf).history(SILVER) if commit.account)
    return account.run_id


def _records(rows: "DataFrame", first: int, deliveries: int, size: int) -> "DataFrame":
    """Return bronze records; every tenth is a later version of an order that came some 50,000 records before."""
    from pyspark.sql import functions as F

    number, seed = F.col("id"), F.xxhash64("id")
    is_later = (number % 10 == 9) & (number > 60_000)
    order = F.when(is_later, number - 50_003).otherwise(number).cast("string")
    countries = F.array(*map(F.lit, ("DE", "AT", "CH", "FR", "IT", "GB", "US", "PL")))
    sent = F.struct(
        order.alias("id"),
        F.when(is_later, 2).otherwise(1).alias("seq"),
        F.date_add(F.lit("2023-01-01").cast("date"), (number / 10_000).cast("int") % 1095).alias("day"),
        F.element_at(countries, (F.pmod(seed, F.lit(8)) + 1).cast("int")).alias("country"),
        (F.pmod(seed, F.lit(50_000)) / 100).cast("decimal(10,2)").alias("amount"),
        F.sha2(number.cast("string"), 256).alias("note"),
        F.concat(F.lit("customer "), F.pmod(F.shiftright(seed, 9), F.lit(100_000)).cast("string")).alias("customer"),
    )
    payload, identity = F.to_json(sent), F.sha2(F.concat(F.lit("desk"), number.cast("string")), 256)
    delivery = F.floor((number - first) / size) + 1 + deliveries
    at = F.timestamp_seconds(F.lit(1_700_000_000) + delivery * 600)
    made = {
        "_record_id": identity,
        "_identity": identity,
        "_key": order,
        "payload": payload,
        "fields": F.lit(None).cast("map<string,string>"),
        "_rescued": F.lit(None).cast("map<string,string>"),
        "_payload_sha256": F.sha2(payload, 256),
        "_problem": F.lit(None).cast("string"),
        "_batch_id": F.lit(deliveries + 1).cast("bigint"),
        "_delivery": delivery,
        "_position": (number - first) % size + 1,
        "_landing_file": F.lit("files/generated.jsonl"),
        "_received_at": at,
        "_ingested_at": at,
        "_source_system": F.lit("generated"),
    }
    assert list(made) == list(bronze.COLUMNS)
    return rows.select(*[column.alias(name) for name, column in made.items()])


def table(found: Mapping[int, Mapping[str, str]]) -> str:
    """Return the figures as a table in Markdown, a column a size."""
    lines = [f"| | {' | '.join(f'{records:,} records' for records in found)} |", "| --- |" + " --: |" * len(found)]
    for what in next(iter(found.values())):
        lines.append(f"| {what.strip()} | {' | '.join(told[what] for told in found.values())} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, and report."""
    options = page.options(__doc__, lines=10_000_000, repeats=3)
    found = table({records: measure(records, options.repeats) for records in (options.lines // 10, options.lines)})
    if options.docs:
        told = f"{os.cpu_count()} cores; medians of {options.repeats} in one process each, warm"
        page.put("bench-trace", f"{told}.\n\n{found}")
    sys.stdout.write(found + "\n")


if __name__ == "__main__":
    main()
