"""Intake: what a source has that is new is fetched and published in landing, before bronze reads it there.

How far a source was read stands in the manifest of the delivery, and from there in bronze's own commit: the one of
a delivery that bronze has not taken in yet counts first. Killed anywhere, the next goes on from what was published.
"""

from collections.abc import Mapping
from typing import Any

from medallion.conf import Conf
from medallion.conf.intake import DatabaseIntake, FilesIntake, RestIntake, WebhookIntake
from medallion.intake.asked import Asked, Say, Taken
from medallion.lake import State
from medallion.landing import Landing


def take(conf: Conf, name: str, bronze: State | None, consumed: int, say: Say = lambda _: None) -> Taken:
    """Publish what a source has that is new; nothing where it is delivered by hand in this environment.

    Raises IntakeError where the source cannot be reached or read, ConfError where conf does not suffice.
    """
    source, connection = conf.source(name), conf.connection(name)
    landing = Landing(conf, name)
    if isinstance(source.intake, WebhookIntake):  # its inbox is in landing: no connection is needed to gather it
        from medallion.receiver import inbox

        return Taken(inbox.gather(landing))
    if source.intake is None or connection is None:
        return Taken()
    cursor = read_up_to(landing, bronze, consumed)
    asked = Asked(f"{conf.name}.{name}", source, connection, landing, cursor, bronze, conf.project, say)
    match source.intake:
        case FilesIntake():
            from medallion.intake import files

            return files.take(asked, source.intake)
        case RestIntake():
            from medallion.intake import rest

            return rest.take(asked, source.intake)
        case DatabaseIntake():
            from medallion.intake import database

            return database.take(asked, source.intake)


def read_up_to(landing: Landing, bronze: State | None, consumed: int) -> Mapping[str, Any]:
    """Return the cursor of the newest delivery that has one, else that of bronze's commit; empty at the beginning."""
    for manifest in reversed(landing.after(consumed)):
        if manifest.cursor is not None:
            return manifest.cursor
    account = bronze.account if bronze else None
    return account.cursor or {} if account else {}
