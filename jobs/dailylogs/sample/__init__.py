"""Daily logs of home building: what crews write down about each job on site, day by day.

Every log depends on the seed and its own number only, so that any part of the data is made without the rest, and
any size begins with the logs of a smaller one.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Literal

from jobs.dailylogs.sample import places, words

__all__ = ["COLUMNS", "SIZE", "changes", "log", "rows"]

SIZE = 182_281
COLUMNS = (
    "job_id", "site_number", "logtitle", "notes", "process", "status", "phase", "jobsite",
    "county", "sector", "site", "permit", "parcel", "model_code", "created_at", "updated_at",
)  # fmt: skip

Row = dict[str, Any]
Change = tuple[Literal["insert", "update", "delete"], Row]

_FIRST_DAY = datetime(2023, 1, 2, tzinfo=UTC)
_A_DAY = 150  # logs
_NOTHING_WRITTEN = 0.03  # of the logs have no notes
_NO_PERMIT = 0.08
_STATUSES = ("Completed", "In Progress", "Scheduled", "On Hold", "Failed Inspection", "Cancelled")
_STATUS_WEIGHTS = (62, 18, 9, 5, 4, 2)


def rows(size: int = SIZE, seed: int = 7) -> Iterator[Row]:
    """Yield so many logs, the oldest first; one row a log, instants in UTC."""
    for number in range(size):
        yield log(number, seed)


def changes(seed: int, share: float, size: int = SIZE) -> Iterator[Change]:
    """Yield what happens next to the logs of ``rows(size, seed)``: for a share of them, each at most once.

    Of ten, seven are updated, one is deleted, and two new ones are inserted.
    """
    wanted = round(size * share)
    chance = Random(f"{seed}/changes/{share}")
    deletes, inserts = wanted // 10, wanted // 5
    touched = chance.sample(range(size), min(size, wanted - inserts))
    for place, number in enumerate(touched):
        before = log(number, seed)
        yield ("delete", before) if place < deletes else ("update", _updated(before, chance))
    for number in range(size, size + inserts):
        yield "insert", log(number, seed)


def log(number: int, seed: int = 7) -> Row:
    """Return one log."""
    chance = Random((seed << 40) + number)
    job = places.job_of(number, seed)
    phase = words.phase(chance)
    status = chance.choices(_STATUSES, _STATUS_WEIGHTS)[0]
    created = _FIRST_DAY + timedelta(days=number // _A_DAY, seconds=21_600 + number % _A_DAY * 280)
    created += timedelta(milliseconds=chance.randrange(280_000))
    hours = chance.expovariate(1 / 30)
    return {
        "job_id": f"DL-{number + 1:07d}",
        "site_number": job.site_number,
        "logtitle": words.title(phase, status, chance),
        "notes": None if chance.random() < _NOTHING_WRITTEN else words.notes(phase, status, chance),
        "process": words.process(phase),
        "status": status,
        "phase": phase,
        "jobsite": job.jobsite,
        "county": job.county,
        "sector": job.sector,
        "site": job.site,
        "permit": None if chance.random() < _NO_PERMIT else job.permit,
        "parcel": job.parcel,
        "model_code": job.model_code,
        "created_at": created,
        "updated_at": created + timedelta(hours=hours),
    }


def _updated(before: Row, chance: Random) -> Row:
    status = chance.choices(_STATUSES, _STATUS_WEIGHTS)[0]
    notes = f"{before['notes'] or ''} {words.remark(status, chance)}".strip()
    later = before["updated_at"] + timedelta(hours=1 + chance.expovariate(1 / 48))
    return before | {"status": status, "notes": notes, "updated_at": later}
