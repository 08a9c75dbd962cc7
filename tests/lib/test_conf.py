"""Conf in two tiers: what loads, what overrides change, and that secrets are never shown."""

import os
import pickle
import re
import subprocess
import sys
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from medallion.conf import Conf, SecretRef, find_project, load, pipelines
from medallion.errors import ConfError

REPOSITORY = Path(__file__).parents[2]
SECRET = "hunter2-do-not-show"
WEBHOOK = f"https://hooks.example.com/{SECRET}"

PLATFORM = """
storage:
  landing: {root: data/landing, profile: archive}
  bronze: {root: data/bronze, profile: archive, keep_rows: 7 years}
  silver: {root: data/silver, profile: standard, keep_versions: 2 years}
  gold: {root: data/gold, profile: hot, keep_versions: 90 days}
  ops: {root: data/ops, profile: standard}
"""
PIPELINE = """
description: Orders of a shop.
schedule: {cron: 0 6 * * *, zone: Europe/Vienna}
parameters: {currency: EUR, window_days: 30, regions: [AT, null], since: 2026-01-31}
sources:
  orders: {format: json, delivers: events, system: webshop, idempotency_key: $.event.id, key: $.order.id}
  rates: {format: csv, delivers: snapshot, system: bank, key: currency}
expectations:
  silver.orders:
    - {rule: not_null, column: order_id}
    - {rule: accepted_values, column: status, values: [paid, /home], tolerance: 0.01}
    - {rule: regex, column: link, pattern: ^https://, severity: warn}
    - {rule: unique, columns: [order_id, line]}
"""

Project = Callable[..., Path]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MEDALLION_HOME", "MEDALLION_ENVIRONMENT", "MEDALLION_WEBHOOK"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a function that writes a project with the given text added to its two files."""

    def write(platform: str = PLATFORM, pipeline: str = PIPELINE, environment: str = "dev") -> Path:
        return _write(tmp_path, platform, pipeline, environment)

    return write


def _write(folder: Path, platform: str, pipeline: str, environment: str = "dev") -> Path:
    for name in ("conf/platform", "conf/pipelines", "jobs"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "conf/platform" / f"{environment}.yaml").write_text(platform)
    (folder / "conf/pipelines/shop.yaml").write_text(pipeline)
    return folder


def _refusal(folder: Path, *overrides: str) -> str:
    with pytest.raises(ConfError) as refused:
        load("shop", overrides, folder)
    return str(refused.value)


# What loads


def test_load_gives_both_tiers_with_defaults(project: Project) -> None:
    conf = load("shop", project=project())

    assert (conf.environment, conf.name) == ("dev", "shop")
    assert conf.platform.spark.master == "local[2]"
    assert conf.platform.runtime.model_dump() == {
        "parallel_jobs": 2,
        "accept": None,
        "dry_run": False,
        "retries": 1,
        "retry_delay_seconds": 300,
        "on_locked": "refuse",
        "refresh": None,
    }
    assert conf.platform.storage.bronze.keep_rows == timedelta(days=7 * 365)
    assert conf.platform.storage.bronze.keep_versions is None
    assert conf.pipeline.retention_class == "standard"
    assert conf.pipeline.parameters == {
        "currency": "EUR",
        "window_days": 30,
        "regions": ["AT", None],
        "since": "2026-01-31",
    }
    assert (conf.source("orders").max_bytes, conf.source("orders").encoding) == (1_048_576, "utf-8")


def test_conf_cannot_be_changed(project: Project) -> None:
    conf = load("shop", project=project())

    with pytest.raises(ValueError, match="frozen"):
        conf.platform.runtime.retries = 7


def test_root_resolves_folders_against_the_project_and_keeps_uris(project: Project) -> None:
    folder = project()
    conf = load(
        "shop",
        [
            "storage.silver.root=/srv/silver/",
            "storage.gold.root=s3a://lake/gold",
            "storage.ops.root=file:///srv/ops",
        ],
        folder,
    )

    assert conf.root("bronze") == str(folder.resolve() / "data/bronze")
    assert conf.root("silver") == "/srv/silver"
    assert conf.root("gold") == "s3a://lake/gold"
    assert conf.root("ops") == "/srv/ops"
    with pytest.raises(ConfError, match=r"layer platinum: unknown; wanted one of landing, bronze, silver, gold, ops"):
        conf.root("platinum")


def test_expectations_are_found_by_a_tables_full_name(project: Project) -> None:
    conf = load("shop", project=project())

    found = conf.expectations("shop.silver.orders")

    assert [(e.label, e.severity, e.tolerance) for e in found] == [
        ("not_null(order_id)", "quarantine", 0),
        ("accepted_values(status)", "quarantine", 0.01),
        ("regex(link)", "warn", 0),
        ("unique(order_id, line)", "fail", 0),
    ]
    assert conf.expectations("shop.gold.sales") == ()
    with pytest.raises(ConfError, match=r"news\.silver\.orders: not of pipeline shop"):
        conf.expectations("news.silver.orders")


def test_an_unknown_source_names_those_there_are(project: Project) -> None:
    conf = load("shop", project=project())

    with pytest.raises(ConfError, match=r"sources\.refunds: missing; found orders, rates"):
        conf.source("refunds")


def test_the_environments_of_the_project_have_the_same_keys() -> None:
    def keys(value: object, at: str = "") -> set[str]:
        if not isinstance(value, dict) or at in ("/connections", "/notifications/channels"):  # of its own in each
            return {at}
        return {key for name, inner in value.items() for key in keys(inner, f"{at}/{name}")}

    files = sorted((REPOSITORY / "conf/platform").glob("*.yaml"))
    found = {file.stem: keys(yaml.safe_load(file.read_text())) for file in files}

    assert {"dev", "prod"} <= set(found)
    assert all(one == found["dev"] for one in found.values())


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_the_environments_of_the_project_load(
    monkeypatch: pytest.MonkeyPatch, project: Project, environment: str
) -> None:
    monkeypatch.setenv("MEDALLION_FAILURE_WEBHOOK", WEBHOOK)
    text = (REPOSITORY / f"conf/platform/{environment}.yaml").read_text()

    conf = load("shop", [f"environment={environment}"], project(text, environment=environment))

    storage = conf.platform.storage
    assert str(storage.bronze.keep_rows) == "7 years"
    assert (str(storage.silver.keep_versions), str(storage.gold.keep_versions)) == ("2 years", "90 days")
    assert (conf.platform.spark.master is None) is (environment == "prod")
    assert (conf.platform.notifications.on_failure is None) is (environment == "dev")


# Where the project is


def test_find_project_walks_up(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project()
    below = folder / "jobs/shop/silver"
    below.mkdir(parents=True)

    assert find_project(below) == folder.resolve()
    monkeypatch.chdir(below)
    assert load("shop").project == folder.resolve()


def test_find_project_takes_medallion_home(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    with pytest.raises(ConfError, match=r"no project at or above .*; wanted one with conf/platform and jobs"):
        find_project(elsewhere)

    monkeypatch.setenv("MEDALLION_HOME", str(project()))
    assert find_project(elsewhere) == project().resolve()

    monkeypatch.setenv("MEDALLION_HOME", str(elsewhere))
    with pytest.raises(ConfError, match=r"MEDALLION_HOME: .* is no project"):
        find_project()


def test_pipelines_are_the_files_of_their_folder(project: Project) -> None:
    folder = project()
    (folder / "conf/pipelines/activity.yaml").write_text(PIPELINE)

    assert pipelines(folder) == ["activity", "shop"]


@pytest.mark.parametrize("name", ["news", "../platform/dev", "", "shop.yaml"])
def test_an_unknown_pipeline_names_those_there_are(project: Project, name: str) -> None:
    with pytest.raises(ConfError, match=r"pipeline '.*': no such file in conf/pipelines; wanted one of shop"):
        load(name, project=project())


def test_a_pipeline_needs_a_name_that_tables_can_have(project: Project) -> None:
    folder = project()
    (folder / "conf/pipelines/My-Shop.yaml").write_text(PIPELINE)

    with pytest.raises(ConfError, match=r"conf/pipelines/My-Shop\.yaml: wanted a file name of a-z"):
        load("My-Shop", project=folder)


def test_the_environment_is_chosen_by_override_then_variable_then_dev(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project()
    folder = project(PLATFORM + "runtime: {retries: 5}", environment="prod")

    assert load("shop", project=folder).platform.runtime.retries == 1
    monkeypatch.setenv("MEDALLION_ENVIRONMENT", "prod")
    assert load("shop", project=folder).platform.runtime.retries == 5
    assert load("shop", ["environment=dev"], folder).platform.runtime.retries == 1
    assert "environment 'staging': no such file in conf/platform; wanted one of dev, prod" in _refusal(
        folder, "environment=staging"
    )


# Overrides

OVERRIDES: list[tuple[str, Callable[[Conf], object], object]] = [
    ("runtime.parallel_jobs=16", lambda c: c.platform.runtime.parallel_jobs, 16),
    ("runtime.dry_run=true", lambda c: c.platform.runtime.dry_run, True),
    ("storage.bronze.root=/x", lambda c: c.root("bronze"), "/x"),
    ("storage.bronze.keep_rows=null", lambda c: c.platform.storage.bronze.keep_rows, None),
    (
        "storage.gold.keep_versions=12 hours",
        lambda c: c.platform.storage.gold.keep_versions,
        timedelta(hours=12),
    ),
    (
        "spark.conf.spark.sql.shuffle.partitions=8",
        lambda c: c.platform.spark.conf["spark.sql.shuffle.partitions"],
        "8",
    ),
    ("spark.conf.spark.ui.enabled=false", lambda c: c.platform.spark.conf["spark.ui.enabled"], "false"),
    ("spark.conf={a.b: 1}", lambda c: c.platform.spark.conf, {"a.b": "1"}),
    ("spark.master=local[4]", lambda c: c.platform.spark.master, "local[4]"),
    ("spark.remote=sc://127.0.0.1:15002", lambda c: c.platform.spark.remote, "sc://127.0.0.1:15002"),
    ("parameters.currency=GBP", lambda c: c.pipeline.parameters["currency"], "GBP"),
    ("parameters.added=#fff", lambda c: c.pipeline.parameters["added"], "#fff"),
    ("parameters.added=a: b", lambda c: c.pipeline.parameters["added"], "a: b"),
    ("parameters.added='0010'", lambda c: c.pipeline.parameters["added"], "0010"),
    ("parameters.added=[1, 2.5, x]", lambda c: c.pipeline.parameters["added"], [1, 2.5, "x"]),
    ("parameters.limits.low=3", lambda c: c.pipeline.parameters["limits"], {"low": 3}),
    ("parameters.added=", lambda c: c.pipeline.parameters["added"], None),
    ("parameters.added=2026-01-31", lambda c: c.pipeline.parameters["added"], "2026-01-31"),
    ("parameters.added=a=b", lambda c: c.pipeline.parameters["added"], "a=b"),
    ("schedule=null", lambda c: c.pipeline.schedule, None),
    ("sources.orders.max_bytes=5", lambda c: c.source("orders").max_bytes, 5),
    (
        "expectations.silver.orders=[{rule: not_null, column: id}]",
        lambda c: [e.label for e in c.expectations("shop.silver.orders")],
        ["not_null(id)"],
    ),
]


@pytest.mark.parametrize(("override", "read", "wanted"), OVERRIDES, ids=[o for o, _, _ in OVERRIDES])
def test_an_override_changes_its_key(
    project: Project, override: str, read: Callable[[Conf], object], wanted: object
) -> None:
    folder = project()

    assert read(load("shop", [override], folder)) == wanted
    assert load("shop", project=folder) == load("shop", (), folder)


def test_of_several_overrides_of_a_key_the_last_counts(project: Project) -> None:
    conf = load("shop", ["runtime.retries=3", "runtime.retries=4"], project())

    assert conf.platform.runtime.retries == 4


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("retries", "command line: override 1: wanted key=value"),
        ("=3", "command line: override 1: wanted key=value"),
        (
            "host=db1",
            "command line: host: unknown key; wanted one below environment, storage, spark, runtime",
        ),
        ("runtime.=3", "command line: runtime.: unknown key"),
        ("environment.name=dev", "command line: environment.name: unknown key"),
        (
            "runtime.retrys=3",
            "command line: runtime.retrys: unknown key; wanted one of accept, dry_run, on_locked",
        ),
        (
            "runtime.parallel_jobs=many",
            "command line: runtime.parallel_jobs: found 'many'; wanted a whole number >= 1",
        ),
        ("runtime.dry_run=perhaps", "command line: runtime.dry_run: found 'perhaps'; wanted true or false"),
        ("parameters.currency.x.y=3", "command line: parameters.currency.x.y: currency holds no keys"),
        ("expectations.silver.orders.tolerance=1", "silver.orders holds no keys; override it as a whole"),
        ("parameters.x=[1", "command line: parameters.x: line 1, column"),
        ("parameters.x=0b_", "command line: parameters.x: found a number that cannot be read"),
        ("parameters.x=.inf", "command line: parameters.x: wanted text, a finite number"),
        ("storage.bronze.root=data/gold", "bronze and gold have the same root; wanted one for each"),
        ("storage.bronze.root=~/lake", "command line: storage.bronze.root: wanted a folder or a URI"),
        ("sources.orders.host=db1", "command line: sources.orders.host: is a place or a secret"),
    ],
)
def test_an_override_that_cannot_be_used_is_refused(project: Project, override: str, message: str) -> None:
    assert message in _refusal(project(), override)


def test_an_error_is_one_message_without_a_trace_of_the_parser(project: Project) -> None:
    with pytest.raises(ConfError) as refused:
        load("shop", ["runtime.retries=x"], project())

    assert refused.value.__context__ is None
    assert "pydantic" not in str(refused.value)


# Secrets


def test_a_secret_file_that_is_empty_binary_or_a_folder_is_missing(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff" + SECRET.encode())

    for place in (tmp_path / "empty", tmp_path / "binary", tmp_path):
        with pytest.raises(ConfError) as refused:
            SecretRef(f"file:{place}").reveal()
        assert "the file is absent, unreadable or empty" in str(refused.value)
        assert SECRET not in repr(refused.value)


def test_a_secret_is_revealed_only_on_request(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDALLION_WEBHOOK", WEBHOOK)
    folder = project(PLATFORM + "notifications: {on_failure: env:MEDALLION_WEBHOOK}")
    held = folder / "webhook"
    held.write_text(f"{WEBHOOK}\n")

    conf = load("shop", [f"notifications.on_completion=file:{held}"], folder)

    told = conf.platform.notifications
    assert told.on_failure is not None and told.on_completion is not None
    assert told.on_failure.reveal() == told.on_completion.reveal() == WEBHOOK
    assert str(told.on_failure) == "env:MEDALLION_WEBHOOK"
    for shown in (
        repr(conf),
        str(conf.platform),
        str(conf.platform.model_dump()),
        conf.platform.model_dump_json(),
    ):
        assert "env:MEDALLION_WEBHOOK" in shown
        assert SECRET not in shown
    assert SECRET.encode() not in pickle.dumps(conf)


@pytest.mark.parametrize("reference", ["env:MEDALLION_WEBHOOK", "file:/nowhere/webhook"])
def test_a_missing_secret_stops_the_load_by_key_and_reference(project: Project, reference: str) -> None:
    refusal = _refusal(project(PLATFORM + f"notifications: {{on_failure: '{reference}'}}"))

    assert refusal.startswith(f"conf/platform/dev.yaml: notifications.on_failure: {reference}: no secret there: ")


SECRETS_IN_PLACE = [
    f"notifications: {{on_failure: {SECRET}}}",
    f"notifications: {{on_failure: '{WEBHOOK}'}}",
    f"notifications: {{on_failure: 'env:{WEBHOOK}'}}",
    f"notifications: {{on_failure: 'file:{SECRET}'}}",
    f"notifications: {{on_failure: ['{SECRET}']}}",
    f"notifications: {{on_failure: {{value: {SECRET}}}}}",
    f"notifications: {{on_failed: {SECRET}}}",
    f"notifications: {{on_failure:{SECRET}}}",
    f"notifications: {{on_failure:{SECRET}, on_failure:{SECRET}}}",
    f"notifications: '{WEBHOOK}'",
    f"notifications: ['{WEBHOOK}']",
    f"notifications: {{on_failure: '{WEBHOOK}}}",
    f"notifications: {{on_failure: !{SECRET}}}",
    f"notifications: {{on_failure: *{SECRET}}}",
    f"notifications: {{on_failure: &{SECRET}}}",
    f'notifications: {{on_failure: "\\q{SECRET}"}}',
    f"runtime: {{retries: x}}\nnotifications: {{on_failure: {SECRET}}}",
]


@pytest.mark.parametrize("added", SECRETS_IN_PLACE)
def test_a_literal_secret_is_refused_and_never_repeated(project: Project, added: str) -> None:
    with pytest.raises(ConfError) as refused:
        load("shop", project=project(PLATFORM + added))

    logged = "".join(traceback.format_exception(refused.value))  # causes and contexts included
    assert SECRET not in logged


@pytest.mark.parametrize(
    "override",
    [
        f"notifications.on_failure={SECRET}",
        f"notifications.on_failure={WEBHOOK}",
        f"notifications.on_failure=['{SECRET}",
        f"notifications.on_failure {WEBHOOK}",
        f"notifications.on_failed={WEBHOOK}",
        f"notifications.on_failure.value={WEBHOOK}",
        f"notifications={WEBHOOK}",
        f"{WEBHOOK}?key=value",
        WEBHOOK,
        f"sources.orders.password={SECRET}",
        f"parameters.api_url={WEBHOOK}",
        f"parameters.proxy={WEBHOOK}",
    ],
)
def test_a_literal_secret_on_the_command_line_is_never_repeated(project: Project, override: str) -> None:
    assert SECRET not in _refusal(project(), override)


@settings(max_examples=50, deadline=None)
@given(literal=st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=12, max_size=40))
def test_no_literal_given_for_a_secret_is_repeated(shop: Path, literal: str) -> None:
    try:
        load("shop", [f"notifications.on_failure={literal}"], shop)
    except ConfError as error:
        is_reference = re.match(r"env:|file:/", literal) is not None
        assert is_reference or literal not in str(error)


# Any text


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project that examples share, as none of them changes it."""
    return _write(tmp_path_factory.mktemp("shop"), PLATFORM, PIPELINE)


KEYS = st.sampled_from(
    """
    environment runtime runtime.retries runtime.dry_run storage.gold storage.gold.root storage.gold.keep_rows
    spark spark.conf spark.conf. spark.conf.a.b spark.master notifications notifications.on_failure
    description schedule schedule.cron schedule.zone parameters parameters.x parameters.x.y
    sources sources.orders sources.orders.key sources.orders.encoding sources.new.format
    expectations expectations.silver expectations.silver.orders expectations.silver.orders.0
    """.split()
)
VALUES = st.text() | st.text(alphabet="[]{}:,&*!?|>'\"%@`#-~=. \n\\0123456789abx_eE+")


@settings(max_examples=300, deadline=None)
@given(overrides=st.lists(VALUES | st.builds("{}={}".format, KEYS, VALUES), max_size=3))
@example(overrides=["parameters.x=1:1.5" + ":0" * 400])
@example(overrides=["parameters.x=" + "9" * 5000])
@example(overrides=["parameters.x=" + "[" * 5000])
@example(overrides=["parameters.x=\udc80"])
@example(overrides=["sources.orders.encoding=\0"])
@example(overrides=["schedule.cron=" + "9" * 5000 + " * * * *"])
@example(overrides=["schedule.zone=../../etc/passwd"])
@example(overrides=["storage.gold.root=\0"])
def test_any_override_loads_or_is_refused(shop: Path, overrides: list[str]) -> None:
    try:
        conf = load("shop", overrides, shop)
    except ConfError as error:
        assert str(error)
    else:
        assert conf.root("gold")


@settings(max_examples=200, deadline=None)
@given(text=VALUES)
def test_any_file_loads_or_is_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.getbasetemp() / "any"
    _write(folder, PLATFORM, PIPELINE)
    (folder / "conf/pipelines/shop.yaml").write_bytes((PIPELINE + text).encode("utf-8", errors="surrogatepass"))

    try:
        load("shop", project=folder)
    except ConfError as error:
        assert str(error).startswith("conf/pipelines/shop.yaml: ")


# What the command line waits for


def test_conf_imports_neither_spark_nor_prefect() -> None:
    heavy = "{'pyspark', 'prefect', 'pandas', 'pyarrow', 'delta', 'mlflow', 'cronsim'}"
    script = f"import sys, medallion.conf, medallion.clock; print(sorted({heavy} & set(sys.modules)))"

    engine = {**os.environ, "PYTHONPATH": str(REPOSITORY / "lib")}

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=engine)

    assert done.stdout.strip() == "[]"
