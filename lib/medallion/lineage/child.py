"""A process of its own that asks Spark for lineage: for a client of a Spark server, which cannot, and without waiting.

Takes pickled confs with table names on stdin; the last line on stdout is what was found, as JSON.
"""

import json
import pickle
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medallion.conf import Conf

_MASTER = "local[1]"


def main() -> None:
    """Find the lineage that is asked for, and tell it."""
    asked = pickle.load(sys.stdin.buffer)
    from medallion import lineage, run
    from medallion.session import Sessions

    sessions = Sessions(_alone(asked[0][0]), lambda _: None)
    told: dict[str, Any] = {}
    try:
        session = sessions.fresh()
        for conf, names in asked:
            prepared = run.prepare(conf)
            told |= {name: lineage.analyse(prepared, session, prepared.tables[name]).to_json() for name in names}
    finally:
        sessions.stop()
    sys.stdout.write(json.dumps(told) + "\n")


def _alone(conf: "Conf") -> "Conf":
    """Return conf with a small Spark of this process only."""
    spark = conf.platform.spark.model_copy(update={"master": _MASTER, "remote": None, "warm": False})
    return replace(conf, platform=conf.platform.model_copy(update={"spark": spark}))
