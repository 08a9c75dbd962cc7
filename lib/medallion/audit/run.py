"""One audit: pin first, then hold each of the ten invariants against what is pinned."""

import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from medallion.audit import accounts, addresses, doors, keys, landed, margins, pins, recomputed, stores, whole
from medallion.audit.finding import INVARIANTS, Result
from medallion.audit.pins import Pinned
from medallion.audit.report import Audit, Version
from medallion.step import Run

if TYPE_CHECKING:
    from medallion.session import Sessions

Say = Callable[[str], None]
_CHECKS: dict[int, Callable[[Pinned, Result], None]] = {
    1: landed.check,
    2: keys.check,
    3: accounts.check,
    5: addresses.check,
    6: stores.check,
    7: whole.check,
    8: margins.check,
    10: doors.check,
}
RECOMPUTED = 4


def audit(
    run: Run,
    sessions: "Sessions | None",
    *,
    at: str | None = None,
    sample: int = pins.SAMPLE,
    only: Collection[int] = tuple(INVARIANTS),
    say: Say = lambda _: None,
) -> Audit:
    """Audit a pipeline, as it stands or as a run left it; without sessions nothing is made anew.

    Raises ConfError where no table has a commit of the run.
    """
    started = time.monotonic()
    say(f"{run.conf.name}: pinning versions")
    pinned = pins.pin(run, at, sample)
    results: list[Result] = []
    for number, name in INVARIANTS.items():
        result = Result(number)
        results.append(result)
        began = time.monotonic()
        if number in only:
            say(f"{run.conf.name}: {name}")
            _check(number, pinned, result, sessions)
        else:
            result.skip("all", "left out of this audit")
        result.seconds = round(time.monotonic() - began, 2)
    versions = [Version(pin.name, pin.version, None if pin.good < 0 else pin.good) for pin in pinned.every()]
    seconds = round(time.monotonic() - started, 2)
    return Audit(run.conf.name, run.conf.environment, at, versions, dict(pinned.landing), results, seconds)


def _check(number: int, pinned: Pinned, result: Result, sessions: "Sessions | None") -> None:
    with result.perhaps("all"):
        if number in _CHECKS:
            _CHECKS[number](pinned, result)
        elif number == RECOMPUTED and sessions is not None:
            recomputed.check(pinned, result, sessions)
        elif number == RECOMPUTED:
            result.skip("silver and gold", "recomputing them was left out (--fast)")
        else:
            result.skip("all", "requests to erase a person do not exist yet")
