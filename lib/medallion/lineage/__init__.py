"""Column lineage: from which fields of which tables every column comes, as analysed plans tell.

It follows from definitions alone, so what was found once is kept beside the records of runs, in ``lineage.json``, each
table's under a hash of its definition and of the code that reads plans. To remove that file loses nothing.
"""

import hashlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion import clock, spark_conf
from medallion.conf import Conf
from medallion.lake import Lake
from medallion.lineage import walk
from medallion.lineage.made import Lineage, Made
from medallion.lineage.value import Field, How
from medallion.planner import fingerprint_of
from medallion.step import Run
from medallion.tables import Bronze, Table

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["Field", "How", "Lineage", "Made", "analyse", "known", "of", "personal"]

# By this very code, wherever it is imported from.
_CHILD = "import json, sys; sys.path[:0] = json.loads(sys.argv[1]); from medallion.lineage import child; child.main()"
_SECONDS = 300


def known(run: Run) -> dict[str, Lineage]:
    """Return the lineage of tables as far as it was found before; takes no Spark."""
    kept = _kept(run.conf)
    found: dict[str, Lineage] = {}
    for name, table in run.tables.items():
        if isinstance(table, Bronze):
            found[name] = Lineage(name)
        elif (definition := _definition(run, table)) in kept:
            found[name] = Lineage.from_json(name, kept[definition])
    return found


def personal(conf: Conf, tables: Mapping[str, Table]) -> dict[str, dict[str, str]]:
    """Return which columns hold personal data, each with why: declared, or made of such as far as lineage is known."""
    return walk.personal(tables, known(Run(conf, Lake(conf), "", clock.run_date(), tables)))


def of(run: Run) -> dict[str, Lineage]:
    """Return the lineage of all tables; what is not known yet is asked of a Spark of its own, in another process."""
    return of_all([run])[0]


def of_all(runs: Sequence[Run]) -> list[dict[str, Lineage]]:
    """Return the lineages of several pipelines, as `of` does."""
    found = [known(run) for run in runs]
    missing = [[name for name in run.tables if name not in has] for run, has in zip(runs, found, strict=True)]
    asked = [(run.conf, names) for run, names in zip(runs, missing, strict=True) if names]
    told = _asked(asked) if asked else {}
    for run, has, names in zip(runs, found, missing, strict=True):
        if names:
            has |= {name: told[name] for name in names}
            keep(run, has)
    return [{name: has[name] for name in run.tables} for run, has in zip(runs, found, strict=True)]


def analyse(run: Run, session: "SparkSession", table: Table) -> Lineage:
    """Return the lineage of a silver or gold table, by a classic session; no job, some tenths of a second."""
    from medallion.lineage.analysed import relation_of

    try:
        return Lineage.of(table.name, relation_of(run, session, table))
    except Exception as error:  # noqa: BLE001 - a transform may raise anything, and other tables have a lineage
        problem = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        return Lineage(table.name, problem=problem)


def keep(run: Run, found: Mapping[str, Lineage]) -> None:
    """Remember what was found, as far as these tables' definitions stand; where that cannot be, it is found again."""
    path = _path(run.conf)
    told = {
        _definition(run, run.tables[name]): one.to_json()
        for name, one in found.items()
        if not isinstance(run.tables[name], Bronze) and one.problem is None
    }
    if path is None:
        return
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(told))
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)


def _asked(asked_for: Sequence[tuple[Conf, list[str]]]) -> dict[str, Lineage]:
    conf = asked_for[0][0]
    asked = subprocess.run(
        [sys.executable, "-c", _CHILD, json.dumps([path for path in sys.path if path])],
        input=pickle.dumps(asked_for),
        capture_output=True,
        timeout=_SECONDS,
        env=spark_conf.environment(conf),
        cwd=conf.project,
        check=False,
    )
    try:
        told: dict[str, Any] = json.loads(asked.stdout.decode().splitlines()[-1])
    except (ValueError, IndexError):
        said = asked.stderr.decode(errors="replace").strip().splitlines()
        problem = f"Spark did not tell: {said[-1] if said else 'its process ended'}"
        return {name: Lineage(name, problem=problem) for _, names in asked_for for name in names}
    return {name: Lineage.from_json(name, one) for name, one in told.items()}


def _kept(conf: Conf) -> dict[str, Any]:
    path = _path(conf)
    try:
        return dict(json.loads(path.read_text())) if path else {}
    except (OSError, ValueError):
        return {}


def _path(conf: Conf) -> Path | None:
    root = conf.root("ops")
    return None if "://" in root else Path(root, conf.name, "lineage.json")


def _definition(run: Run, table: Table) -> str:
    """Return a hash of what a table's lineage follows from."""
    if isinstance(table, Bronze):
        return ""
    return hashlib.sha256(f"{_code()} {fingerprint_of(run, table)}".encode()).hexdigest()[:24]


@cache
def _code() -> str:
    """Return a hash of what reads plans, and of what puts those of silver tables together."""
    names = [f"lineage/{name}.py" for name in ("analysed", "expressions", "made", "plans", "value")]
    engine = resources.files("medallion")  # of an archive, too
    found = [(engine / name).read_bytes() for name in (*names, "curate.py", "gold/aggregate.py")]
    return hashlib.sha256(b"".join(found)).hexdigest()
