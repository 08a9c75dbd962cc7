"""The stages of a day, for the process that dies in one of them and for the one that takes up what it left.

A sender does not send again what was acknowledged to it: else nothing that is lost would be missed. ``after`` is
how many lines its ledger had when the stage began; a day may well send again what one before it sent.
"""

import os
from collections.abc import Callable, Mapping
from unittest import mock

from medallion import catalog, clock, ops, run
from medallion.cache import sync as cache_sync
from medallion.landing import Landing
from medallion.receiver.inbox import Answer, Inbox, Payload
from medallion.run import Report
from medallion.session import Sessions
from tests.crash import ledger
from tests.crash.scenario import NAME, Day, Depot

STAGES = ("post", "land", "drop", "run", "sync")  # in this order
Send = Callable[[str, str], None]  # id and payload, given back once it is acknowledged


def send(depot: Depot, source: str, payloads: Mapping[str, str], after: int, how: Send) -> None:
    """Send what was not acknowledged yet, one after another, and note it."""
    book = ledger.read(depot.ledger, after)
    for id, payload in payloads.items():
        if not book.is_acked(source, payload):
            ledger.note(depot.ledger, "sent", source, payload)
            how(id, payload)
            ledger.note(depot.ledger, "acked", source, payload)


def post(depot: Depot, day: Day, after: int) -> None:
    """Store orders in the inbox as the receiver does, without its server."""
    inbox = Inbox(Landing(depot.conf(), "orders").folder)

    def store(id: str, body: str) -> None:
        answer = inbox.store([Payload(id, clock.now().isoformat(timespec="microseconds"), body.encode())])
        assert answer[0] is not Answer.REUSED

    try:
        send(depot, "orders", day.posts, after, store)
    finally:
        inbox.close()


def land(depot: Depot, day: Day, after: int) -> None:
    """Deliver prices, each as a delivery of its own."""
    landing = Landing(depot.conf(), "prices")
    send(depot, "prices", day.prices, after, lambda id, body: _none(landing.deliver([(f"{id}.json", body.encode())])))


def drop(depot: Depot, day: Day, after: int) -> None:
    """Put extracts where intake finds them, each whole at once; the ledger has their lines."""
    for name, lines in day.extracts.items():
        for what in ("sent", "acked"):
            if what == "acked":
                draft = depot.drop / f".{name}"
                draft.write_text("\n".join(["product,name", *lines]) + "\n")
                draft.rename(depot.drop / name)
            for line in lines:
                ledger.note(depot.ledger, what, "products", line)


def refresh(depot: Depot, sessions: Sessions) -> Report:
    """Run the pipeline and record the run."""
    prepared = run.prepare(depot.conf())
    done = run.run_tables(prepared, sessions, list(prepared.tables))
    ops.record(prepared, done)
    return done


def sync(depot: Depot) -> cache_sync.Syncs:
    """Bring the caches in line with their tables."""
    return cache_sync.sync(depot.conf(), first_run=False)


def views(depot: Depot) -> set[str]:
    """Make the tables known to SQL, and return the silver ones that it knows."""
    with mock.patch.dict(os.environ, {"MEDALLION_HOME": str(depot.project)}):
        session = catalog.connect(NAME, depot.overrides())
    return {row.tableName for row in session.sql(f"SHOW TABLES IN {NAME}_silver").collect()}


def _none(_: object) -> None:
    return None
