"""Invariant 4: derived tables equal their recomputation, at the upstream versions that they say they were made from.

Silver is made anew from all of bronze, gold from silver, by the engine's own functions, and compared row by row
whatever their order. Only a table whose definition is today's can be made anew.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from medallion import gate, gold, planner, quarantine, silver
from medallion.account import NO_VERSION
from medallion.audit.finding import Result
from medallion.audit.pins import Pin, Pinned
from medallion.compare import differences
from medallion.lake import State
from medallion.planner import Plan
from medallion.step import Step
from medallion.tables import Bronze, Silver, Table
from medallion.trace.walk import as_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from medallion.session import Sessions


def check(pinned: Pinned, result: Result, sessions: "Sessions") -> None:
    """Make silver and gold anew, and compare."""
    for name, pin in pinned.tables.items():
        table = pinned.run.tables[name]
        if isinstance(table, Bronze):
            continue
        if pin.problem is not None or pin.good == NO_VERSION or pin.account is None:
            result.skip(name, "no version that passed can be read")
            continue
        with result.perhaps(name):
            _table(pinned, table, pin, result, sessions.fresh)


def _table(
    pinned: Pinned, table: Table, pin: Pin, result: Result, open_session: "Callable[[int], SparkSession]"
) -> None:
    upstream = _upstream(pinned, table, pin, result)
    if upstream is None or pin.account is None:
        return
    run = as_of(pinned.run, pin.state_at(pin.good))
    planned = planner.plan(run, table, upstream)  # type: ignore[arg-type]
    if planned.fingerprint != pin.account.fingerprint:
        result.skip(table.name, "its definition changed since; the next run refreshes it in full")
        return
    step = Step(run, table, lambda: open_session(_bytes(pin, pinned, upstream)))
    if isinstance(table, Silver):
        _silver(pinned, step, table, replace(planned, technique="full"), pin, result)
    else:
        anew = gold.build(step, table, planned).select(*table.columns)  # type: ignore[arg-type]
        stored = gate.read_version(step.session, pin.state_at(pin.good), pin.good).select(*table.columns)
        _compare(table.name, anew, stored, _key_of(table), pin, result)


def _upstream(pinned: Pinned, table: Table, pin: Pin, result: Result) -> "Mapping[str, State] | None":
    """Return what a table reads, at the versions that it was made from; None where one of them is not there."""
    found: dict[str, State] = {}
    for name in table.upstream:
        above = pinned.tables.get(name)
        mark = pin.account.watermark.get(name) if pin.account else None
        if above is None or above.problem is not None or mark is None or mark.table_id != above.table_id:
            result.skip(table.name, f"{name}, as it was when this was made, cannot be read")
            return None
        if not above.log.oldest <= mark.version <= above.version:
            result.skip(table.name, f"{name} version {mark.version}, which it was made from, is no longer there")
            return None
        found[name] = above.state_at(mark.version)
    return found


def _bytes(pin: Pin, pinned: Pinned, upstream: Mapping[str, State]) -> int:
    return sum(one.log.snapshot(one.version).bytes for one in (pin, *(pinned.tables[name] for name in upstream)))


def _silver(pinned: Pinned, step: Step, table: Silver, planned: Plan, pin: Pin, result: Result) -> None:
    """Curate all records, as a full refresh would, and compare what it would write and reject with what is there."""
    records = gate.upstream_rows(step, planned.upstream[table.reads])
    rows = silver.made_anew(step, table, replace(planned, state=pin.state_at(pin.good)), records).persist()
    try:
        _written(step, table, rows, pin, result)
        _rejected(pinned, step, table, rows, result)
    finally:
        rows.unpersist()


def _written(step: Step, table: Silver, rows: "DataFrame", pin: Pin, result: Result) -> None:
    stored = silver.told_by_records(table, gate.read_version(step.session, pin.state_at(pin.good), pin.good))
    anew = rows.where(silver.STORED).select(*stored.columns)
    _compare(table.name, anew, stored, table.key, pin, result)


def _rejected(pinned: Pinned, step: Step, table: Silver, rows: "DataFrame", result: Result) -> None:
    """What is rejected of all records is what the quarantine holds."""
    held = pinned.quarantines.get(table.name)
    anew = rows.where("_verdict != 'valid'").selectExpr("_record_id", "_ordinal", "_verdict AS outcome")
    name = quarantine.name_of(table)
    if held is None or held.problem is not None:
        count = anew.count()
        if count and held is None:
            told = [f"{row['outcome']} {row['_record_id']} row {row['_ordinal']}" for row in anew.take(5)]
            result.red(name, f"it is not there, and {count} rows are to be in it", told, _next(name, table.name))
        return
    if (pin := pinned.tables[table.name]).data != pin.good:
        result.skip(name, f"it is of version {pin.data}, which did not pass; readers see {pin.good}")
        return
    stored = gate.read_version(step.session, held.state_at(held.version), held.version).select(*anew.columns)
    if through := pinned.removed_through(
        table.name
    ):  # since this version was made: what was rejected of them went along
        stays = rows.where(f"_delivery > {through}").select(*quarantine.KEY)
        stays = stays.union(stored.select(*quarantine.KEY)).distinct()
        anew = anew.join(stays, on=list(quarantine.KEY), how="semi")
    found = differences(anew, stored, quarantine.KEY)
    _saw(held, result)
    if found and (run_id := pinned.unsettled(table.name)):
        result.skip(name, f"run {run_id} wrote it, and not yet {table.name}: it is at work, or the next run evens it")
    elif found:
        _differs(name, held, found, _next(name, table.name), result)


def _compare(name: str, anew: "DataFrame", stored: "DataFrame", key: tuple[str, ...], pin: Pin, result: Result) -> None:
    found = differences(anew, stored, key)
    _saw(pin, result)
    if found:
        _differs(name, pin, found, _next(name, name), result)


def _saw(pin: Pin, result: Result) -> None:
    result.saw("tables", 1)
    result.saw("rows", pin.log.snapshot(pin.shown).rows or 0)


def _differs(name: str, pin: Pin, found: list[str], next_: str, result: Result) -> None:
    result.red(name, f"version {pin.shown} differs from its recomputation", found, next_)


def _key_of(table: Table) -> tuple[str, ...]:
    return tuple(getattr(table, "key", ()))


def _next(name: str, table: str) -> str:
    pipeline, layer, short = table.split(".")
    command = f"medallion run {pipeline} --table {layer}.{short}"
    return f"`medallion history {name}` tells who wrote it; remove the table's folder, then {command}: it is made anew"
