"""One Spark for the whole test run, and lakes of a few rows on temporary folders."""

import importlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from medallion import conf as conf_door
from medallion import gate, run
from medallion.conf import Conf
from medallion.landing import Landing, Manifest
from medallion.run import Report
from medallion.session import Sessions
from medallion.step import Asked
from medallion.warm import start as warm_start
from tests import figures

PROJECT = Path(__file__).resolve().parents[1]
LAYERS = ("landing", "bronze", "silver", "gold", "ops")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--connect", action="store_true", help="only what uses Spark, with sessions of a Connect server")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--connect"):  # where classic Spark logs, a client warns
        config.addinivalue_line("filterwarnings", "ignore:WARN WindowExpression:UserWarning")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--connect"):  # what does not use Spark is the same without
        others = [item for item in items if "sessions" not in getattr(item, "fixturenames", ()) or _is_run_once(item)]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]


def _is_run_once(item: pytest.Item) -> bool:
    return item.get_closest_marker("once") is not None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    counted = item.get_closest_marker("counts")
    if counted and (report.when == "call" or report.failed):
        figures.note(counted.args[0], tried=1, held=int(report.passed))
    return report


@pytest.fixture(scope="session")
def sessions(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Sessions]:
    """The one Spark of the test run: local[2], small shuffles, Delta, as a run would start it, or as `up` does."""
    overrides = [
        "spark.master=local[2]",
        "spark.conf.spark.sql.shuffle.partitions=2",
        "runtime.parallel_jobs=2",
        f"storage.ops.root={tmp_path_factory.mktemp('ops')}",
    ]
    conf = conf_door.load("shop", overrides, PROJECT)
    is_remote = request.config.getoption("--connect")
    if is_remote:
        warm_start.start(conf, print, try_out=False)
    started = Sessions(conf)
    try:
        started.start()
        yield started
    finally:
        started.stop()
        if is_remote:
            warm_start.end(conf, print)


@pytest.fixture(scope="session")
def spark(sessions: Sessions) -> SparkSession:
    return sessions.start()


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    """The address of a PostgreSQL of this test run, empty but for what other tests put into it."""
    import postgres

    # Not in a folder of pytest: where root runs the tests those are closed to PostgreSQL, which is not root.
    with tempfile.TemporaryDirectory(prefix="medallion-postgres-") as folder, postgres.running(Path(folder)) as address:
        yield address


@dataclass
class Lakehouse:
    """A pipeline on a temporary folder: deliver to it, run it, look at it."""

    conf: Conf
    sessions: Sessions

    def deliver(self, source: str, *contents: str | bytes | Mapping[str, Any], ending: str = "json") -> Manifest:
        """Publish contents as one delivery of files; mappings become JSON."""
        files = []
        for number, content in enumerate(contents):
            text = json.dumps(content) if isinstance(content, Mapping) else content
            files.append((f"{number:06d}.{ending}", text.encode() if isinstance(text, str) else text))
        return Landing(self.conf, source).deliver(files)

    def run(self, *names: str, replay: bool = False) -> Report:
        """Run the pipeline, or only the named tables."""
        running = replace(run.prepare(self.conf), asked=Asked(quarantined=replay))
        return run.run_tables(running, self.sessions, names or list(running.tables))

    def rows(self, name: str, *columns: str) -> DataFrame:
        """Return a table as readers see it: its last good version, tombstones hidden."""
        running = run.prepare(self.conf)
        state = running.lake.state(name)
        assert state is not None
        table = running.tables[name]
        frame = gate.public(table, gate.read_version(self.sessions.start(), state, state.good))
        return frame.select(*columns) if columns else frame

    def stored(self, name: str) -> DataFrame:
        """Return all a table stores at its newest version: tombstones and technical columns too."""
        return self.sessions.start().read.format("delta").load(run.prepare(self.conf).lake.path(name))

    def versions(self) -> dict[str, int]:
        """Return the newest version of every table there is."""
        running = run.prepare(self.conf)
        states = {name: running.lake.state(name) for name in running.tables}
        return {name: state.version for name, state in states.items() if state is not None}

    def with_overrides(self, *overrides: str) -> "Lakehouse":
        """Return the same lake under other conf."""
        roots = [f"storage.{layer}.root={self.conf.root(layer)}" for layer in LAYERS]
        conf = conf_door.load(self.conf.name, [*roots, *overrides], self.conf.project)
        return Lakehouse(conf, self.sessions)


@pytest.fixture
def lakehouse(tmp_path: Path, sessions: Sessions) -> Callable[..., Lakehouse]:
    """Return a factory of lakes for a pipeline of this project: ``lakehouse("shop", "parameters.zone=UTC")``."""

    def make(pipeline: str, *overrides: str, project: Path = PROJECT, at: str = "lake") -> Lakehouse:
        roots = [f"storage.{layer}.root={tmp_path / at / layer}" for layer in LAYERS]
        return Lakehouse(conf_door.load(pipeline, [*roots, *overrides], project), sessions)

    return make


def write_project(
    folder: Path,
    pipeline: str,
    modules: Mapping[str, str],
    conf: str,
    overrides: Sequence[str] = (),
    *,
    at: str = "project",
) -> Conf:
    """Write a whole small project below a folder and return its conf: modules by ``layer/table.py``.

    Written again ``at`` another place, it has the same lake, and from then on the modules written last:
    that is how a table's definition changes.
    """
    project = folder / at
    for tier in ("platform", "spark"):
        shutil.copytree(PROJECT / "conf" / tier, project / "conf" / tier, dirs_exist_ok=True)
    (project / "conf" / "pipelines").mkdir(parents=True, exist_ok=True)
    (project / "conf" / "pipelines" / f"{pipeline}.yaml").write_text(conf)
    for place, source in modules.items():
        path = project / "jobs" / pipeline / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    importlib.invalidate_caches()
    sys.path[:] = [folder for folder in sys.path if folder != str(project)]  # loading it puts it in front
    for name in [name for name in sys.modules if f"{name}.".startswith(f"jobs.{pipeline}.")]:
        del sys.modules[name]
    roots = [f"storage.{layer}.root={folder / 'lake' / layer}" for layer in LAYERS]
    return conf_door.load(pipeline, [*roots, *overrides], project)


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Conf]:
    """Return a factory of small projects, for tests without Spark; see `write_project`."""
    return partial(write_project, tmp_path)


@pytest.fixture
def scratch(tmp_path: Path, sessions: Sessions) -> Callable[..., Lakehouse]:
    """Return a factory of small projects with their lakes; see `write_project`."""
    return lambda *args, **options: Lakehouse(write_project(tmp_path, *args, **options), sessions)


@pytest.fixture(scope="module")
def shared_scratch(tmp_path_factory: pytest.TempPathFactory, sessions: Sessions) -> Callable[..., Lakehouse]:
    """The same for a lake whose history several tests of a module look at."""
    folder = tmp_path_factory.mktemp("scratch")
    return lambda *args, **options: Lakehouse(write_project(folder, *args, **options), sessions)
