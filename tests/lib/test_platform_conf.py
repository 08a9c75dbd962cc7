"""The platform tier: what is refused, by key, found and wanted."""

import pytest

from medallion.conf.model import validated
from medallion.conf.platform import Platform
from medallion.conf.yaml_file import parse_yaml
from medallion.errors import ConfError

PLATFORM = """
storage:
  landing: {root: data/landing, profile: archive}
  bronze: {root: data/bronze, profile: archive, keep_rows: 7 years}
  silver: {root: data/silver, profile: standard, keep_versions: 2 years}
  gold: {root: data/gold, profile: hot, keep_versions: 90 days}
  ops: {root: data/ops, profile: standard}
"""


def _refusal(text: str) -> str:
    with pytest.raises(ConfError) as refused:
        validated(Platform, parse_yaml(text, "dev.yaml"), lambda key: "dev.yaml")
    return str(refused.value)


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ("runtime: {parallel_jobs: many}", "runtime.parallel_jobs: found 'many'; wanted a whole number >= 1"),
        ("runtime: {parallel_jobs: 0}", "runtime.parallel_jobs: found 0; wanted a whole number >= 1"),
        ("runtime: {parallel_jobs: true}", "runtime.parallel_jobs: found true; wanted a whole number >= 1"),
        ("runtime: {parallel_jobs: 2.5}", "runtime.parallel_jobs: found 2.5; wanted a whole number >= 1"),
        (
            "runtime: {parallel_jobs: null}",
            "runtime.parallel_jobs: found nothing; wanted a whole number >= 1",
        ),
        (
            "runtime: {retry_delay_seconds: -1}",
            "runtime.retry_delay_seconds: found -1; wanted a whole number >= 0 of seconds",
        ),
        ("runtime: {on_locked: steal}", "runtime.on_locked: found 'steal'; wanted refuse or wait"),
        ("runtime: many", "runtime: found text; wanted a map of parallel_jobs"),
        (
            "runtimes: {}",
            "runtimes: unknown key; wanted one of cache, connections, maintenance, notifications, openlineage, "
            "receiver, runtime, spark, storage",
        ),
        ("spark: {remote: http://x}", "spark.remote: found 'http://x'; wanted a Spark Connect server"),
        ("spark: {conf: {a: [1]}}", "spark.conf.a: found a list; wanted a map of Spark settings"),
    ],
)
def test_a_platform_file_is_refused_by_key_found_and_wanted(added: str, message: str) -> None:
    assert _refusal(PLATFORM + added).startswith(f"dev.yaml: {message}")


@pytest.mark.parametrize(
    ("find", "put", "message"),
    [
        (
            "7 years",
            "7 months",
            "storage.bronze.keep_rows: found '7 months'; wanted a length of time such as 7 years",
        ),
        ("7 years", "7", "storage.bronze.keep_rows: found int; wanted a length of time"),
        (
            "profile: hot",
            "profile: warm",
            "storage.gold.profile: found 'warm'; wanted hot, standard or archive",
        ),
        (", profile: hot", "", "storage.gold.profile: missing; wanted hot, standard or archive"),
        (
            "  ops: {root: data/ops, profile: standard}",
            "",
            "storage.ops: missing; wanted a map with root and profile",
        ),
        ("data/ops", "''", "storage.ops.root: wanted a folder or a URI"),
        ("data/ops", "s3a:lake/ops", "storage.ops.root: wanted a folder or a URI"),
    ],
)
def test_storage_is_refused_by_key_found_and_wanted(find: str, put: str, message: str) -> None:
    assert _refusal(PLATFORM.replace(find, put)).startswith(f"dev.yaml: {message}")
