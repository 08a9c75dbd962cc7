"""A process with a Spark of its own that appends to one table beside others of its kind, each in turn by the lock.

``python -m tests.crash.writer <project> <folder> <name> <commits> <overrides>`` notes each commit that was
acknowledged in ``<folder>/acked``, with the seconds it took from when it was wanted.
"""

import json
import sys
import time
from pathlib import Path

from medallion import commits, lock
from medallion import conf as conf_door
from medallion.account import Account
from medallion.lake import Lake
from medallion.session import Sessions
from tests.crash import ledger
from tests.crash.contender import PIPELINE, TABLE


def main(project: str, folder: str, name: str, count: str, *overrides: str) -> None:
    """Append so many rows, one after another."""
    small = ["spark.master=local[1]", "spark.conf.spark.driver.memory=600m", "runtime.on_locked=wait"]
    conf = conf_door.load(PIPELINE, [*overrides, *small], Path(project))
    lake, sessions, place = Lake(conf), Sessions(conf), Path(folder)
    session = sessions.fresh(0)
    (place / f"{name}.ready").touch()
    while not (place / "go").exists():
        time.sleep(0.05)
    for number in range(int(count)):
        wanted = time.monotonic()
        with lock.writing(conf, TABLE, name):
            row = session.createDataFrame([(f"{name}-{number}",)], "id string").coalesce(1)
            target = commits.Target(TABLE, lake.state(TABLE), commits.CURATED)
            account = Account(f"{name}-{number}", "append", "", "", good=commits.SAME_COMMIT)
            commits.append(lake, target, row, account)
        line = {"id": f"{name}-{number}", "seconds": round(time.monotonic() - wanted, 3)}
        ledger.note(place / "acked", "acked", "rows", json.dumps(line))
    sessions.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
