"""What goes where, held by a walk through the code: imports one way, and one door each."""

import ast
from collections.abc import Callable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
PIPELINES = sorted(path.stem for path in (PROJECT / "conf" / "pipelines").glob("*.yaml"))
ENGINE = "lib/medallion"


def _modules(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    for folder in folders:
        for path in sorted((PROJECT / folder).rglob("*.py")):
            yield str(path.relative_to(PROJECT)), ast.parse(path.read_text())


def _imports(tree: ast.Module) -> Iterator[str]:
    """Yield what a module imports, in full: ``from a import b`` is ``a.b``; imports inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import hides where it goes"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _of(root: str) -> Callable[[str], bool]:
    return lambda name: f"{name}.".startswith(f"{root}.")


def _importers(root: str, *folders: str) -> set[str]:
    return {place for place, tree in _modules(*folders) if any(map(_of(root), _imports(tree)))}


def _users(found: Callable[[ast.AST], bool], *folders: str) -> set[str]:
    return {place for place, tree in _modules(*folders) if any(map(found, ast.walk(tree)))}


def _calls(*paths: str) -> Callable[[ast.AST], bool]:
    """Tell a call whose dotted name ends in one of the paths: ``x.write.save(...)`` in ``save``."""

    def found(node: ast.AST) -> bool:
        if not isinstance(node, ast.Call):
            return False
        name = f".{_dotted(node.func)}"
        return any(name.endswith(f".{path}") for path in paths)

    return found


def _names(*paths: str) -> Callable[[ast.AST], bool]:
    """Tell a name or an attribute by its dotted end: ``os.environ``."""
    return lambda node: any(f".{_dotted(node)}".endswith(f".{path}") for path in paths)


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _says(*words: str) -> Callable[[ast.AST], bool]:
    """Tell a text in the code, docstrings left out, that holds one of the words."""

    def found(node: ast.AST) -> bool:
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        return is_text and any(word in node.value for word in words)  # type: ignore[attr-defined, operator]

    return found


def test_there_is_something_to_walk_through() -> None:
    assert PIPELINES
    for folder in (ENGINE, "jobs", "flows"):
        assert list(_modules(folder)), folder


def test_imports_go_from_flows_to_jobs_to_the_engine() -> None:
    assert _importers("flows", ENGINE, "jobs") == set()
    assert _importers("jobs", ENGINE) == set()
    assert _importers("tests", ENGINE, "jobs", "flows") == set()


def test_no_modules_of_the_engine_import_each_other_in_a_circle() -> None:
    paths = {".".join(Path(place).with_suffix("").parts[1:]): tree for place, tree in _modules(ENGINE)}
    trees = {name.removesuffix(".__init__"): tree for name, tree in paths.items()}
    graph = {
        name: {found for one in _imports(tree) if (found := one if one in trees else one.rpartition(".")[0]) in trees}
        for name, tree in trees.items()
    }

    assert graph["medallion.silver"] >= {"medallion.gate", "medallion.commits"}
    TopologicalSorter({name: found - {name} for name, found in graph.items()}).prepare()  # raises CycleError


def test_no_job_imports_the_module_of_a_table() -> None:
    tables = {
        ".".join(Path(place).with_suffix("").parts)
        for place, _ in _modules("jobs")
        if Path(place).parts[2:3] in (("bronze",), ("silver",), ("gold",))
    }

    assert tables
    importers = {table: _importers(table, "jobs", "flows") for table in tables}
    assert {table: found for table, found in importers.items() if found} == {}


def test_no_pipeline_imports_another() -> None:
    for pipeline in PIPELINES:
        importers = _importers(f"jobs.{pipeline}", "jobs")
        assert {place for place in importers if not place.startswith(f"jobs/{pipeline}/")} == set()


def test_prefect_is_imported_in_flows_only() -> None:
    assert _importers("prefect", ENGINE, "jobs") == set()
    assert _importers("prefect", "flows")


def test_spark_sessions_are_built_behind_one_door() -> None:
    built = _names("SparkSession.builder", "newSession", "getOrCreate", "getActiveSession", "SparkContext")

    assert _users(built, ENGINE, "jobs", "flows") == {f"{ENGINE}/session.py"}


def test_tables_are_committed_behind_one_door() -> None:
    writes = _calls("save", "saveAsTable", "insertInto", "writeTo", "write_deltalake", "write.parquet", "toTable")
    statements = _says("MERGE INTO", "INSERT INTO", "UPDATE delta.", "DELETE FROM", "ALTER TABLE", "CREATE TABLE")
    metadata = _says("commitInfo.userMetadata", "txnVersion")

    for found in (writes, metadata):
        assert _users(found, ENGINE, "jobs", "flows") == {f"{ENGINE}/commits.py"}
    # Caches are files of SQLite, whose statements read the same.
    told = {place for place in _users(statements, ENGINE, "jobs", "flows") if "/cache" not in place}
    assert told == {f"{ENGINE}/commits.py"}


def test_the_environment_is_read_behind_the_doors_of_conf_clock_and_secrets() -> None:
    doors = {
        f"{ENGINE}/{name}.py" for name in ("clock", "conf/__init__", "conf/secret", "faults", "session", "spark_conf")
    }

    assert _users(_names("os.environ", "os.getenv", "environ"), ENGINE, "jobs") == doors


def test_time_is_asked_of_the_clock() -> None:
    asks = _calls("datetime.now", "datetime.utcnow", "date.today", "datetime.today", "time.time", "time_ns")
    in_sql = _calls("F.current_timestamp", "F.current_date", "F.now", "F.localtimestamp")

    assert _users(asks, ENGINE, "jobs", "flows") == {f"{ENGINE}/clock.py"}
    assert _users(in_sql, ENGINE, "jobs", "flows") == set()


def test_the_engine_keeps_to_what_connect_sessions_offer() -> None:
    """What only a classic session has is used behind the door that knows which kind it gave out."""
    context = _names("sparkContext")
    internals = _names("_jvm", "_jdf", "_jsparkSession", "_jsc", "rdd")

    assert _users(context, ENGINE, "jobs", "flows") <= {f"{ENGINE}/session.py"}
    assert _users(internals, ENGINE, "jobs", "flows") == {f"{ENGINE}/lineage/analysed.py"}  # plans: decision 13


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_no_pipeline_is_named_in_the_engine(pipeline: str) -> None:
    """Docstrings may take an example from a pipeline; names and texts in code may not."""
    named: set[str] = set()
    for place, tree in _modules(ENGINE):
        docs = {id(node.body[0].value) for node in ast.walk(tree) if _has_docstring(node)}
        texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in docs]
        words = [*map(str, texts), *(_dotted(n) for n in ast.walk(tree) if isinstance(n, ast.Name | ast.Attribute))]
        named |= {place for word in words if pipeline in word.replace("_", ".").split(".")}

    assert named == set()


def _has_docstring(node: ast.AST) -> bool:
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    return isinstance(node, kinds) and ast.get_docstring(node, clean=False) is not None


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (_calls("save"), "frame.write.format('delta').save('x')"),
        (_calls("datetime.now"), "dt.datetime.now()"),
        (_names("os.environ"), "os.environ['X']"),
        (_names("SparkSession.builder"), "SparkSession.builder.remote('x').create()"),
        (_says("MERGE INTO"), "sql(f'MERGE INTO {t}')"),
    ],
)
def test_the_walk_finds_what_it_looks_for(found: Callable[[ast.AST], bool], code: str) -> None:
    assert any(map(found, ast.walk(ast.parse(code))))
    assert not any(map(found, ast.walk(ast.parse("def f(): return now"))))
