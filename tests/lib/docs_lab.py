"""Facts of many tables for pages of docs: no Spark, no lake."""

import datetime as dt
import random
from collections.abc import Callable, Sequence

from medallion.docs.facts import Column, Page, Pipeline, Source
from medallion.docs.trust import Expected, Seen, Trust
from medallion.lineage import Field
from medallion.views.catalog import Column as Declared
from medallion.views.catalog import Entry
from medallion.views.history import Entry as Version
from medallion.views.status import Standing

AT = dt.datetime(2026, 1, 31, 6, tzinfo=dt.UTC)
LEVELS = ("ok", "ok", "ok", "warn", "bad", "none")


def many(tables: int, say: Callable[[str], str] = lambda text: text) -> Pipeline:
    """Return a pipeline of so many tables, each of a few of those before it; ``say`` turns each text that is shown."""
    pick = random.Random(7)
    names: list[str] = []
    pages = []
    for number in range(tables):
        share = number / tables
        layer = "bronze" if share < 0.15 else "silver" if share < 0.45 else "gold"
        reads = [] if layer == "bronze" else pick.sample(names[-30:], k=min(len(names), pick.randint(1, 3)))
        names.append(f"big.{layer}.table_{number}_of_many_words"[: 20 + number % 30])
        pages.append(_page(names[-1], reads, pick, say))
    text = say("As many tables as a company has")
    run = {
        "run_id": say("r1"),
        "started_at": AT,
        "passed": False,
        "failed": 2,
        "done": 98,
        "skipped": 0,
        "seconds": 9.0,
    }
    return Pipeline("big", say("dev"), text, say("0 5 * * * (UTC)"), [run], pages)


def _page(name: str, reads: Sequence[str], pick: random.Random, say: Callable[[str], str]) -> Page:
    layer = name.split(".")[1]
    made = [Source(up, "column_1", say("column_1"), say("computed"), True) for up in reads]
    personal = say("declared")
    columns = [
        Column(f"column_{n}", say("string"), say("what it holds"), personal if n == 2 else None, n == 0, made,
               [Field(up, (say("payload"), say("id"))) for up in reads], [(up, ["column_1", ""]) for up in reads])
        for n in range(12)
    ]  # fmt: skip
    check = {"started_at": AT, "failed": 3, "total": 9, "passed": False}
    checks = [Expected(say("range(column_1)"), "warn", 0.05, say("at most"), [check])]
    standing = Standing(name, 3, 3, 3, 1200, AT.isoformat(), say("full"), say("r1"), 4, 5)
    seen = Seen(standing, {"started_at": AT, "status": say("done")}, checks, AT)
    versions = [
        Version(3, AT.isoformat(), say("current"), say("WRITE"), say("full"), say("first load"), {"written": 9})
    ]
    declared = [Declared(one.name, one.type, one.text) for one in columns]
    entry = Entry(
        name, say("mart"), say("one row per thing."), "", say(name.replace(".", "_")), [say("column_0")],
        list(reads) or ["source " + say("things")], declared, [],
    )  # fmt: skip
    fields = [Column(say("payload.id"), "", "", personal, uses=[(name, ["column_1"])])] if layer == "bronze" else []
    trust = Trust(pick.choice(LEVELS), [say("its last run ended well")])  # type: ignore[arg-type]
    texts: list[str | list[str]] = [say("Of some things."), [say("one"), say("another")]]
    return Page(entry, texts, layer, columns, fields, made, reads, standing, versions, seen, trust, say("no plan"))
