"""What must hold of a lake after each recovery, read without Spark; and what must never be seen, right after a kill."""

import fcntl
import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

from medallion import cache, outcomes, quarantine, query, run
from medallion.landing import Landing
from medallion.step import Run
from medallion.tables import INTERVAL, Bronze, Silver, Table, layer_of
from tests.crash import ledger
from tests.crash.scenario import Depot

Content = Mapping[str, list[str]]  # rows of a table, as text, sorted; by the table's name
SOURCES = ("orders", "prices", "products")


def contents(depot: Depot) -> Content:
    """Return what each table stores at its newest version, its quarantine and the caches, but for technical columns."""
    prepared = run.prepare(depot.conf())
    found: dict[str, list[str]] = {}
    for name, table in prepared.tables.items():
        found[name] = _rows(prepared, name, _columns(table), None)
        if isinstance(table, Silver):
            side = quarantine.name_of(table)
            columns = ("_ordinal", "outcome", "reasons", "waits_for", "row")
            found[side] = _rows(prepared, side, columns, None)
    return {**found, **cached(depot)}


def without_gone_children(depot: Depot, content: Content) -> Content:
    """Return content without tombstones of children: a line that an edit took away leaves one only where it was stored.

    So a lake that saw the line in an earlier run has one, a lake that took all of it in at once has none; readers see
    the same rows.
    """
    prepared = run.prepare(depot.conf())
    children = {name for name, table in prepared.tables.items() if isinstance(table, Silver) and table.parent}
    return {
        name: [row for row in rows if name not in children or not json.loads(row)["_deleted"]]
        for name, rows in content.items()
    }


def public(depot: Depot) -> Content:
    """Return what readers see of each silver and gold table, and of the caches."""
    prepared = run.prepare(depot.conf())
    found: dict[str, list[str]] = {}
    for name, table in prepared.tables.items():
        state = prepared.lake.state(name)
        if layer_of(name) != "bronze":
            is_there = state is not None and state.good >= 0
            found[name] = _rows(prepared, name, _columns(table), state.good) if is_there and state else []
    return {**found, **cached(depot)}


def cached(depot: Depot) -> dict[str, list[str]]:
    """Return what caches hold, as their readers see it; the file is checked too."""
    prepared = run.prepare(depot.conf())
    found = {}
    for name, made in cache.definitions(prepared.conf, prepared.tables).items():
        place = cache.place_of(prepared.conf, name)
        if place.current() is None:
            found[f"cache of {name}"] = []
            continue
        with closing(cache.connect(place.link, readonly=True)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",), name
            rows = connection.execute(f"SELECT {query.quoted(list(made.columns))} FROM rows").fetchall()
            found[f"cache of {name}"] = sorted(json.dumps(row) for row in rows)
    return found


def _columns(table: Table) -> tuple[str, ...]:
    if isinstance(table, Bronze):
        return ("payload", "_problem")
    more = (*INTERVAL, "_deleted") if isinstance(table, Silver) and table.keeps_versions else ()
    if isinstance(table, Silver) and not more:
        more = ("_deleted",)
    return (*table.columns, *more)


def _rows(prepared: Run, name: str, columns: tuple[str, ...], version: int | None) -> list[str]:
    if not prepared.lake.exists(name):
        return []
    rows = query.select(prepared.lake.path(name), f"SELECT {query.quoted(columns)} FROM t", version)
    return sorted(json.dumps(row, default=str, sort_keys=True) for row in rows)


def differences(found: Content, wanted: Content, what: str) -> Iterator[str]:
    """Yield how tables differ from what they would be."""
    for name, rows in wanted.items():
        have, want = Counter(found.get(name, [])), Counter(rows)
        if have != want:
            many, few = (sorted(one.elements())[:3] for one in (have - want, want - have))
            yield f"{what}: {name}: too many {many}, missing {few}"


def torn(found: Content, before: Content, after: Content) -> Iterator[str]:
    """Yield tables that readers see neither as they were nor as they are to become."""
    for name, rows in found.items():
        if rows not in (before.get(name, []), after.get(name, [])):
            yield f"torn: {name}: readers see {len(rows)} rows, neither those before nor those after"


def unledgered(depot: Depot) -> Iterator[str]:
    """Yield what is in bronze but was not sent, or is there twice, and what was acknowledged and is not in bronze."""
    prepared, book = run.prepare(depot.conf()), ledger.read(depot.ledger)
    for source in SOURCES:
        rows = _rows(prepared, f"{prepared.conf.name}.bronze.{source}", ("payload",), None)
        stored = Counter(json.loads(row)["payload"] for row in rows)
        yield from (f"lost: {source}: {one}" for one in book.acked.get(source, set()) - set(stored))
        yield from (f"twice: {source}: {one}" for one, count in stored.items() if count > 1)
        yield from (f"never sent: {source}: {one}" for one in set(stored) - book.sent.get(source, set()))


def unbalanced(depot: Depot) -> Iterator[str]:
    """Yield commits whose account does not add up, and tables that hold another number of rows than accounts say."""
    prepared = run.prepare(depot.conf())
    for name, table in prepared.tables.items():
        stored = 0
        for commit in prepared.lake.history(name) if prepared.lake.exists(name) else ():
            if commit.account is None:
                yield f"accounts: {name}: version {commit.version} has none"
                continue
            if (
                commit.account.data != commit.version
                and commit.operation == "SET TBLPROPERTIES"
                and not isinstance(table, Bronze)
            ):
                continue
            terms: Mapping[str, Any] = commit.account.rows
            parts = _terms(table)
            whole = "keys" if "keys" in terms else "read"  # gold by what changed
            if terms[whole] != sum(terms[part] for part in (("written", "gone") if whole == "keys" else parts)):
                yield f"accounts: {name}: version {commit.version} says {dict(terms)}"
            stored += terms.get("stored", 0)
        if isinstance(table, Bronze):
            held = len(_rows(prepared, name, ("payload",), None))
            if held != stored:
                yield f"accounts: {name}: holds {held} rows, its commits stored {stored}"


def _terms(table: Table) -> tuple[str, ...]:
    if isinstance(table, Bronze):
        return ("stored", "duplicates")
    return outcomes.TERMS if isinstance(table, Silver) else ("written",)


def leftovers(depot: Depot) -> Iterator[str]:
    """Yield locks that are held, deliveries that cannot be read, files that bronze did not take in, caches too many."""
    conf = depot.conf()
    for path in (depot.folder / "lake" / "ops" / "locks").glob("*.lock"):
        with path.open("a+") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield f"stuck: {path.name} is held"
    for source in SOURCES:
        landing = Landing(conf, source)
        for manifest in landing.after(0):
            assert len(list(landing.contents(manifest))) == len(manifest.files)
    inbox = depot.folder / "lake" / "landing" / conf.name / "orders" / "inbox.sqlite"
    if inbox.exists():
        with closing(sqlite3.connect(inbox)) as connection:
            (waiting,) = connection.execute("select count(*) from payloads where body is not null").fetchone()
            if waiting:
                yield f"stuck: {waiting} payloads in the inbox"
    for name in ("silver.orders", "gold.totals"):
        place = cache.place_of(conf, f"{conf.name}.{name}")
        builds = [path for path in place.root.glob(f"{place.table}.*.sqlite") if os.path.isfile(path)]
        if len(builds) > 2:  # the one that readers see, and the one that they may still have open
            yield f"leftovers: {sorted(path.name for path in builds)}"


def versions(depot: Depot) -> Mapping[str, object]:
    """Return where everything is: versions of tables, numbers of deliveries, builds and versions of caches."""
    prepared = run.prepare(depot.conf())
    names = [*prepared.tables, *[quarantine.name_of(t) for t in prepared.tables.values() if isinstance(t, Silver)]]
    states = {name: prepared.lake.state(name) for name in names}
    caches = {name: cache.cached(cache.place_of(prepared.conf, name)) for name in prepared.tables}
    return {
        **{name: state.version for name, state in states.items() if state},
        **{f"landing of {source}": Landing(prepared.conf, source).newest() for source in SOURCES},
        **{f"cache of {name}": (one.build, one.version) for name, one in caches.items() if one},
    }


def not_good(depot: Depot) -> Iterator[str]:
    """Yield tables whose newest rows readers do not see."""
    prepared = run.prepare(depot.conf())
    for name in prepared.tables:
        state = prepared.lake.state(name)
        if state is None or state.good != state.data:
            yield f"stuck: {name}: {state and (state.good, state.data)}"
