"""Invariant 5: every version says from which versions it was made, and these are there."""

from collections.abc import Iterator

from medallion.account import NO_VERSION, Account
from medallion.audit.finding import Result
from medallion.audit.log import Entry
from medallion.audit.pins import Pin, Pinned
from medallion.tables import Bronze


def check(pinned: Pinned, result: Result) -> None:
    """Follow every commit of silver and gold to the upstream versions it says it was made from."""
    for name in pinned.run.tables:
        if name not in pinned.tables:
            result.skip(name, "it is not there: never made, or removed")
    for name, pin in pinned.tables.items():
        table = pinned.run.tables[name]
        if pin.problem is not None or isinstance(table, Bronze):
            continue
        pipeline, layer, short = name.split(".")
        next_ = f"remove {pin.path}, then medallion run {pipeline} --table {layer}.{short}: it is made anew"
        wrong: list[str] = []
        before: dict[str, int] = {}
        newest = max((entry.version for entry, _ in pin.log.accounts()), default=NO_VERSION)
        for entry, account in pin.log.accounts():
            result.saw("addresses", 1)
            wrong += [f"version {entry.version}: {what}" for what in _wrong(pinned, entry, account, before, newest)]
            before = {upstream: mark.version for upstream, mark in account.watermark.items()}
        if wrong:
            result.red(name, "versions were made from what is not there", wrong, next_)
        _newest(table.upstream, pin, next_, result)
        if pin.data != pin.good:
            kept = "nothing" if pin.good == NO_VERSION else f"version {pin.good}"
            result.skip(name, f"version {pin.data} did not pass its gate, or was not judged; readers see {kept}")
    result.skip("all tables", "reproduction at an address in full, with the code of then: there is no such command yet")


def _newest(upstream: tuple[str, ...], pin: Pin, next_: str, result: Result) -> None:
    """The newest account names all that the table reads, or the next run would think it was never read."""
    newest = pin.newest
    lacking = [name for name in upstream if newest is not None and name not in newest.watermark]
    if newest is not None and not newest.watermark:
        told = [f"version {pin.version}: no watermark at all"]
        result.red(pin.name, "its newest version does not say what it was made from", told, next_)
    elif lacking:
        result.skip(pin.name, f"{', '.join(lacking)}: read since its definition changed, and not taken in yet")


def _wrong(pinned: Pinned, entry: Entry, account: Account, before: dict[str, int], newest: int) -> Iterator[str]:
    for upstream, mark in account.watermark.items():
        pin = pinned.tables.get(upstream)
        if pin is None and upstream in pinned.run.tables and entry.version == newest:
            yield f"{upstream}, which is not there"
        if pin is None or pin.problem is not None:
            continue  # the log's invariant tells, or the table is declared no more
        if mark.table_id != pin.table_id:
            if entry.version == newest:
                yield f"{upstream} was table {mark.table_id}, is {pin.table_id}"
            continue
        if mark.version > pin.version:
            yield f"{upstream} version {mark.version}, the newest is {pin.version}"
        elif mark.version in pin.log.entries and not _had_passed(pin, mark.version):
            yield f"{upstream} version {mark.version}, which had not passed its gate"
        if mark.since not in (NO_VERSION, mark.version) and mark.since > mark.version:
            yield f"{upstream} versions after {mark.since} up to {mark.version}"
        elif account.technique == "affected_keys" and before.get(upstream, mark.since) not in (
            mark.since,
            mark.version,
        ):
            yield f"{upstream} after version {mark.since}, but the version before had read up to {before[upstream]}"


def _had_passed(pin: Pin, version: int) -> bool:
    """Tell whether some commit of ours says that a version passed."""
    return any(account.good == version for _, account in pin.log.accounts())
