"""A little of all that steps do, on a table that is thrown away: a server has its slow first times behind it then."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from medallion import commits, gate
from medallion.account import Account
from medallion.commits import CURATED, Target
from medallion.conf import Conf
from medallion.lake import Lake
from medallion.session import Sessions
from medallion.small import SMALL_BYTES
from medallion.warm.server import Server

_NAME = "trial.silver.rows"


def run(conf: Conf, server: Server) -> None:
    """Write, merge and read with the server, as small steps and as large ones do."""
    folder = server.folder / "trial"
    sessions = Sessions(conf, say=lambda _: None)
    try:
        for size in (0, SMALL_BYTES):
            shutil.rmtree(folder, ignore_errors=True)
            _work(sessions.fresh(size), Lake(_placed(conf, folder)))
    finally:
        sessions.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _work(session: Any, lake: Lake) -> None:
    import pyarrow as pa
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    account = Account("trial", "full", "to try a server out", "", good=commits.SAME_COMMIT)
    rows = session.createDataFrame(pa.table({"key": ["a", "b"], "payload": ['{"n": 1}', '{"n": 2}']}))
    newest = Window.partitionBy("key").orderBy(F.desc("payload"))
    curated = (
        rows.withColumn("n", F.get_json_object("payload", "$.n").cast("decimal(18,2)"))
        .withColumn("place", F.row_number().over(newest))
        .where("place = 1")
        .drop("place")
        .persist()
    )
    commits.append(lake, Target(_NAME, None, CURATED), curated, account)
    curated.unpersist()
    state = lake.state(_NAME)
    grown = curated.withColumn("n", F.col("n") + 1)
    commits.merge(lake, Target(_NAME, state, CURATED), grown, commits.Match(["key"]), account)
    merged = lake.state(_NAME)
    if merged is not None:
        stored = gate.read_version(session, merged, merged.version)
        stored.groupBy("key").agg(F.sum("n"), F.count("*")).toArrow()


def _placed(conf: Conf, folder: Path) -> Conf:
    """Return conf whose silver layer is a folder that is thrown away."""
    silver = conf.platform.storage.silver.model_copy(update={"root": str(folder)})
    storage = conf.platform.storage.model_copy(update={"silver": silver})
    return replace(conf, platform=conf.platform.model_copy(update={"storage": storage}))
