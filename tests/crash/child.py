"""The process that dies: one stage of a day on a lake, in a process group of its own with the JVM it starts.

``python -m tests.crash.child <project> <lake> <stage> <day> [<protection to leave out>]``; MEDALLION_FAULT_AT
says where. A day is one of the scenario's by its number, or a file of JSON.
"""

import json
import sys
from pathlib import Path

from medallion.session import Sessions
from tests.crash import controls, ledger, stages
from tests.crash.scenario import DAYS, Day, Depot


def main(project: str, folder: str, stage: str, day: str, left_out: str = "") -> None:
    """Do the stage."""
    depot = Depot(Path(project), Path(folder))
    sent = DAYS[int(day)] if day.isdecimal() else Day(**json.loads(Path(day).read_text()))
    after = ledger.read(depot.ledger).lines
    with controls.without(left_out):
        if stage == "run":
            sessions = Sessions(depot.conf())
            report = stages.refresh(depot, sessions)
            assert report.passed, [one.error for one in report.outcomes]
            stages.views(depot)
            sessions.stop()
        elif stage == "sync":
            synced = stages.sync(depot)
            assert synced.passed, synced
        else:
            {"post": stages.post, "land": stages.land, "drop": stages.drop}[stage](depot, sent, after)


if __name__ == "__main__":
    main(*sys.argv[1:])
