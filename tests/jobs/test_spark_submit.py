"""Job modules and pipelines as spark-submit runs them: processes of their own, on a temporary lake."""

import shutil
import socket
import sys
from importlib.metadata import version
from pathlib import Path

import dist
import pyspark
import pytest

from medallion.lake import Lake
from medallion.landing import Landing
from tests.jobs.submitting import PROJECT, at, bare_python, call, roots, states, submit

pytestmark = pytest.mark.slow

CUSTOMERS = b"""customer_id,email,first_name,last_name,segment,country_code,updated_at
C-1,a@b.org,A,B,vip,DE,2026-01-05T10:00:00Z
"""
ON_HDFS = (
    "<configuration><property><name>fs.defaultFS</name><value>hdfs://127.0.0.1:9</value></property></configuration>"
)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Return a lake to which one customer was delivered."""
    Landing(at(tmp_path / "lake"), "customers").deliver([("customers.csv", CUSTOMERS)])
    return tmp_path / "lake"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dist.build(PROJECT, tmp_path_factory.mktemp("dist"))


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Return a folder outside of any project, as a driver that the cluster starts has it: with the script alone."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    shutil.copy(PROJECT / "jobs" / "pipeline.py", folder)
    return folder


def nobody_listens() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"spark://127.0.0.1:{free.getsockname()[1]}"


def require_one_message(told: str) -> None:
    """Fail where the user would see a stack, of Python or of Java."""
    assert "Traceback" not in told and "\tat " not in told, told


def test_spark_submit_runs_a_layer_and_then_one_table(lake: Path) -> None:
    layer, told_of_layer = submit("jobs/pipeline.py", "shop", "bronze", *roots(lake))
    table, told_of_table = submit("jobs/shop/silver/customers.py", *roots(lake))

    assert layer == 0, told_of_layer[-2000:]
    assert table == 0, told_of_table[-2000:]
    found = [Lake(at(lake)).state(f"shop.{name}") for name in ("bronze.customers", "silver.customers")]
    assert [state.account.rows["read"] for state in found if state and state.account] == [1, 1]
    assert "shop.silver.customers done full" in told_of_table
    assert "ops/shop/runs" in states(lake)


def test_spark_submit_refuses_unusable_conf_in_one_line() -> None:
    code, told = submit("jobs/pipeline.py", "shop", "environment=nowhere")

    assert code == 2
    assert "environment 'nowhere'" in told
    require_one_message(told)


def test_the_archive_alone_is_enough(lake: Path, archive: Path, elsewhere: Path) -> None:
    """Engine, jobs and conf come from the archive; what it was unpacked to goes with the process.

    Conf's folders are local ones, also where Hadoop would look for them on HDFS.
    """
    temporary = elsewhere / "temporary"
    hadoop = elsewhere / "hadoop"
    for folder in (temporary, hadoop):
        folder.mkdir()
    (hadoop / "core-site.xml").write_text(ON_HDFS)
    python = bare_python(elsewhere / "python")

    code, told = submit(
        *("--py-files", str(archive), "pipeline.py", "shop", "--table", "bronze.customers", *roots(lake)),
        cwd=elsewhere,
        python=python,
        TMPDIR=str(temporary),
        HADOOP_CONF_DIR=str(hadoop),
    )

    assert code == 0, told[-2000:]
    assert "shop.bronze.customers done append" in told
    assert states(lake) == ["bronze/shop/customers", "ops/shop/runs"]
    assert list(temporary.glob("medallion-*")) == []


def test_a_driver_without_the_engine_says_what_it_lacks(elsewhere: Path) -> None:
    code, told = call([bare_python(elsewhere / "python"), "pipeline.py", "shop"], cwd=elsewhere)

    assert code == 2
    assert "No module named 'medallion'" in told and "--py-files dist/medallion-<version>.zip" in told
    require_one_message(told)


def test_an_archive_of_other_code_is_refused_beside_a_checkout(lake: Path, archive: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for folder in ("conf", "jobs", "lib"):
        shutil.copytree(PROJECT / folder, other / folder)
    with (other / "jobs/shop/silver/customers.py").open("a") as job:
        job.write("\n# changed since\n")
    stale = dist.build(other, tmp_path / "dist")
    command = [sys.executable, "jobs/pipeline.py", "shop", "runtime.dry_run=true", *roots(lake)]

    code, told = call(command, cwd=PROJECT, PYTHONPATH=str(stale))
    fresh, planned = call(command, cwd=PROJECT, PYTHONPATH=str(archive))

    assert code == 2
    assert (
        f"{stale.name}: found version {dist.version()} of other code" in told
        and "jobs/shop/silver/customers.py" in told
    )
    assert "`make dist`" in told
    require_one_message(told)
    assert fresh == 0 and "1 file" in planned
    assert states(lake) == []


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (["shop"], "storage.landing.root: found data/landing, a folder of the project; wanted an absolute one"),
        (["shop", "sliver", "ROOTS"], "layer: found 'sliver'; wanted one of bronze, silver, gold"),
        (["shop", "--table", "gold.nothing", "ROOTS"], "table: found 'gold.nothing'; wanted one of"),
        (["shop", "silver", "--table", "silver.orders"], "found shop silver; wanted a pipeline"),
        ([], "found no name; wanted a pipeline"),
    ],
)
def test_what_cannot_be_run_from_an_archive_is_said_at_once(
    archive: Path, elsewhere: Path, words: list[str], refusal: str
) -> None:
    given = [one for word in words for one in (roots(elsewhere / "lake") if word == "ROOTS" else [word])]

    code, told = call([sys.executable, "pipeline.py", *given], cwd=elsewhere, PYTHONPATH=str(archive))

    assert (code, refusal in told) == (2, True), told
    require_one_message(told)
    assert not (elsewhere / "lake").exists()


def test_a_job_module_outside_of_its_place_is_refused(archive: Path, elsewhere: Path) -> None:
    shutil.copy(PROJECT / "jobs/shop/silver/orders.py", elsewhere)

    code, told = call([sys.executable, "orders.py"], cwd=elsewhere, PYTHONPATH=str(archive))

    assert code == 2
    assert "`pipeline.py <pipeline> --table <layer>.orders`" in told
    require_one_message(told)


def test_a_dry_run_writes_nothing(lake: Path) -> None:
    code, told = call([sys.executable, "jobs/pipeline.py", "shop", "runtime.dry_run=true", *roots(lake)], cwd=PROJECT)

    assert code == 0
    assert "nothing was written" in told
    assert states(lake) == []


@pytest.mark.parametrize(
    ("master", "overrides", "code", "refusal"),
    [
        ("NOBODY", [], 1, "no master answers at spark://127.0.0.1:"),
        ("sparky://127.0.0.1:7077", [], 2, "found 'sparky://127.0.0.1:7077' in spark-submit; wanted a master such as"),
        ("local[2]", ["spark.master=spark://far:7077"], 2, "found spark://far:7077 in conf, local[2] in spark-submit"),
    ],
)
def test_a_master_of_no_use_is_told_in_one_message_and_the_next_run_goes_through(
    lake: Path, master: str, overrides: list[str], code: int, refusal: str
) -> None:
    command = ["jobs/pipeline.py", "shop", "--table", "bronze.customers", *roots(lake)]

    found, told = submit(*command, *overrides, master=nobody_listens() if master == "NOBODY" else master)

    assert (found, refusal in told) == (code, True), told
    require_one_message(told)
    assert states(lake) == (["ops/shop/runs"] if code == 1 else [])  # conf that cannot be used writes nothing
    if master == "NOBODY":  # the one that came nearest to a start
        assert submit(*command)[0] == 0


def test_a_spark_without_delta_is_told_what_it_lacks(lake: Path, tmp_path: Path) -> None:
    spark = Path(pyspark.__file__).parent
    plain = tmp_path / "spark"
    (plain / "jars").mkdir(parents=True)
    for file in [*spark.iterdir(), *(spark / "jars").iterdir()]:
        if file != spark / "jars" and not file.name.startswith("io.delta_"):
            (plain / file.relative_to(spark)).symlink_to(file)

    code, told = submit("jobs/pipeline.py", "shop", "bronze", *roots(lake), SPARK_HOME=str(plain))

    assert code == 1
    assert f"spark-submit --packages io.delta:delta-spark_4.2_2.13:{version('delta-spark')}" in told
    require_one_message(told)
    assert states(lake) == ["ops/shop/runs"]  # that it could not begin
