"""Every notebook, executed for real as Jupyter would, on a small lake that the engine made."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from medallion import conf as conf_door
from medallion import feed, ops, query, run
from medallion.lake import Lake
from medallion.session import Sessions

PROJECT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.py"))
Executed = Callable[[Path], list[Any]]
MISSING = "the packages of the extra notebooks are not installed"

jupytext = pytest.importorskip("jupytext", reason=MISSING)
nbclient = pytest.importorskip("nbclient", reason=MISSING)
pytest.importorskip("ipykernel", reason=MISSING)
pytest.importorskip("matplotlib", reason=MISSING)


@pytest.fixture(scope="module")
def environment(sessions: Sessions, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """Return what a notebook finds: a project like this one, in whose `demo` are two days of a small shop."""
    home = tmp_path_factory.mktemp("project")
    shutil.copytree(PROJECT / "conf", home / "conf")
    (home / "jobs").symlink_to(PROJECT / "jobs")
    conf = conf_door.load("shop", ["environment=demo"], home)
    for day in (0, 1):
        feed.sample(conf, day, {"orders": 300})
        prepared = run.prepare(conf)
        report = run.run_tables(prepared, sessions, list(prepared.tables))
        assert report.passed
        ops.record(prepared, report)
    own = {name: str(home / name) for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "MPLCONFIGDIR")}
    yield {**os.environ, **own, "MEDALLION_HOME": str(home), "MEDALLION_ENVIRONMENT": "demo"}


def _executed(path: Path, environment: Mapping[str, str]) -> list[Any]:
    """Run a notebook in a kernel of its own and return its code cells with their outputs."""
    notebook = jupytext.read(path)
    resources = {"metadata": {"path": str(path.parent)}}
    client = nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources)
    # A kernel that sees pytest's variable leaves out of its cells what other processes say on stderr.
    client.execute(env={name: value for name, value in environment.items() if name != "PYTEST_CURRENT_TEST"})
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture(scope="module")
def executed(environment: Mapping[str, str]) -> Executed:
    """Return what gives a notebook's code cells with their outputs; each notebook is run once."""
    return cache(lambda path: _executed(path, environment))


def _sales(home: str) -> str:
    """Return the revenue of all sales in the demo's lake, computed without Spark and notebook."""
    conf = conf_door.load("shop", ["environment=demo"], Path(home))
    statuses = ", ".join(f"'{status}'" for status in conf.pipeline.parameters["sales_statuses"])
    path = f"{conf.root('gold')}/shop/revenue"
    return str(query.select(path, f"SELECT sum(revenue) AS revenue FROM t WHERE status IN ({statuses})")[0]["revenue"])


def test_there_are_notebooks_and_they_are_kept_without_outputs() -> None:
    assert NOTEBOOKS
    assert list((PROJECT / "notebooks").glob("*.ipynb")) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_saving_a_notebook_as_jupyter_does_changes_nothing_else_in_it(path: Path) -> None:
    notebook = jupytext.read(path)
    notebook.metadata["language_info"] = {"name": "python", "version": "3.11.0"}  # added whenever a kernel ran

    assert jupytext.writes(notebook, fmt="py:percent") == path.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_to_its_end_without_a_warning(path: Path, executed: Executed) -> None:
    cells = executed(path)

    warned = [o["text"] for cell in cells for o in cell.outputs if o.output_type == "stream" and o.name == "stderr"]
    assert all(cell.execution_count for cell in cells)
    assert warned == []


@pytest.mark.slow
def test_explore_gold_shows_the_figures_of_the_lake(executed: Executed, environment: Mapping[str, str]) -> None:
    cells = executed(PROJECT / "notebooks" / "explore_gold.py")
    outputs = [output["data"] for cell in cells for output in cell.outputs if "data" in output]

    tables = "\n".join(data["text/plain"] for data in outputs)
    assert _sales(environment["MEDALLION_HOME"]) in tables
    assert len([data for data in outputs if "text/html" in data]) == 10
    assert len([data for data in outputs if "image/png" in data]) == 6


@pytest.mark.slow
def test_quality_and_quarantine_shows_what_is_kept_out(executed: Executed, environment: Mapping[str, str]) -> None:
    cells = executed(PROJECT / "notebooks" / "quality_and_quarantine.py")
    outputs = [output["data"] for cell in cells for output in cell.outputs if "data" in output]
    shown = "\n".join(data["text/plain"] for data in outputs)

    conf = conf_door.load("shop", ["environment=demo"], Path(environment["MEDALLION_HOME"]))
    held = query.select(Lake(conf).path("shop.quarantine.orders"), "SELECT _record_id FROM t")
    assert any(row["_record_id"] in shown for row in held)
    assert sum("image/png" in data for data in outputs) == 3


@pytest.mark.slow
def test_a_notebook_runs_as_a_plain_script(environment: Mapping[str, str]) -> None:
    path = PROJECT / "notebooks" / "explore_gold.py"
    headless = {name: value for name, value in environment.items() if name != "DISPLAY"}
    script = subprocess.run(
        [sys.executable, str(path)], env=headless, cwd=PROJECT, capture_output=True, text=True, timeout=600, check=False
    )

    assert script.returncode == 0, script.stderr[-3000:]
    assert script.stderr == ""
    assert _sales(environment["MEDALLION_HOME"]) in script.stdout


@pytest.mark.slow
def test_a_cell_that_fails_fails_its_notebook(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("# %%\nquotient = 1\n\n# %%\nquotient / 0\n\n# %%\nprint('never')\n")

    with pytest.raises(nbclient.exceptions.CellExecutionError, match="ZeroDivisionError"):
        _executed(path, os.environ)
