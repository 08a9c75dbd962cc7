"""The process that dies in maintenance: ``python -m tests.crash.maintainer <project> <pipeline> [KEY=VALUE ...]``."""

import sys
from pathlib import Path

from medallion import conf, run
from medallion.maintain import layout, work
from medallion.session import Sessions


def main(project: str, pipeline: str, *overrides: str) -> None:
    """Maintain a pipeline, however few its small files are."""
    layout._SAVED_FILES = 1
    loaded = conf.load(pipeline, overrides, Path(project))
    sessions = Sessions(loaded)
    done = work.maintain(run.prepare(loaded), sessions)
    sessions.stop()
    assert not any(one.error for one in done), done


if __name__ == "__main__":
    main(*sys.argv[1:])
