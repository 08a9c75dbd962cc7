"""The whole pipeline against a service on loopback: what it gives, what it fails to give, and what changes there."""

import datetime as dt

import pytest

from medallion.clock import NOW
from medallion.landing import Landing
from tests.acceptance.accounting import require_balanced, require_passed
from tests.jobs.submitting import roots, submit

pytestmark = pytest.mark.slow

USERS = "community.silver.users"
# What the sample's dirt sends to quarantine: no user, no number, nowhere on earth.
REJECTED = {"address_is_text", "geo_far_off", "geo_unreadable", "no_id", "no_object"}


def outcomes(report):
    return {outcome.table.removeprefix("community."): outcome for outcome in report.outcomes}


def test_all_pages_of_all_resources_are_taken_in_once(lake, service):
    first = lake.run()
    again = lake.run()

    require_passed(first)
    require_balanced(lake)
    for name in service.rows:
        asked = [int(query["_page"]) for path, query in service.asked if path == f"/{name}"]
        pages = len(service.rows[name]) // 100 + 1
        assert asked == [*range(1, pages + 1)] * 2
        assert outcomes(first)[f"bronze.{name}"].rows["stored"] == len(service.rows[name])
    assert {outcome.status for outcome in again.outcomes} == {"skipped"}
    assert outcomes(first)["silver.users"].rows["quarantined"] == len(REJECTED)


def test_what_breaks_off_in_the_middle_publishes_nothing_and_is_taken_in_by_the_next_run(lake, service):
    service.fails = lambda path, query: path == "/comments" and query["_page"] == "3"

    broken = outcomes(lake.run())

    assert broken["bronze.comments"].status == "failed"
    assert "/comments: found status 500, 6 times at most; wanted 200" in broken["bronze.comments"].error
    assert Landing(lake.conf, "comments").newest() == 0
    assert [broken[name].status for name in ("silver.users", "silver.posts")] == ["done", "done"]
    assert [broken[name].status for name in ("silver.comments", "gold.post_activity", "gold.quality_log")] == [
        "blocked"
    ] * 3
    service.fails = lambda path, query: False
    require_passed(lake.run())
    total = lake.rows("community.gold.post_activity").agg({"comments": "sum"}).collect()[0][0]
    posts = {row.post_id for row in lake.rows("community.silver.posts").collect()}
    known = lake.rows("community.silver.comments").collect()
    assert total == sum(row.post_id in posts for row in known) > 0


def test_a_service_that_fails_once_is_asked_again(lake, service):
    failed = []

    def once(path, query):
        if path in failed:
            return False
        failed.append(path)
        return True

    service.fails = once

    require_passed(lake.run())
    assert len(failed) == 3


def test_a_changed_user_is_restated_and_one_who_is_gone_stays(lake, service, monkeypatch):
    monkeypatch.setenv(NOW, "2026-01-05T12:00:00+00:00")
    require_passed(lake.run())
    users = service.rows["users"]
    gone = next(row for row in users if isinstance(row, dict) and row["id"] == 3)
    moved = next(row for row in users if isinstance(row, dict) and row["id"] == 5)
    users.remove(gone)
    moved["email"] = "new@place.example"
    monkeypatch.setenv(NOW, "2026-01-06T12:00:00+00:00")

    report = lake.run()

    require_passed(report)
    require_balanced(lake)
    assert outcomes(report)["bronze.users"].rows["stored"] == 1
    assert outcomes(report)["silver.posts"].status == "skipped"
    found = {row.user_id: row for row in lake.rows(USERS).collect()}
    assert (found[5].email_domain, found[5].received_at.astimezone(dt.UTC).day) == ("place.example", 6)
    assert (found[3].username, found[3].received_at.astimezone(dt.UTC).day) == (gone["username"], 5)
    summary = {row.user_id: row for row in lake.rows("community.gold.user_analytics_summary").collect()}
    assert summary[5].email_domain == "place.example" and 3 in summary
    log = lake.rows("community.gold.quality_log").where("entity = 'users'").orderBy("delivered_on").collect()
    assert [(row.delivered_on.day, row["rows"]) for row in log] == [(5, len(found) - 1), (6, 1)]


def test_spark_submit_runs_it(service, tmp_path):
    code, told = submit("jobs/pipeline.py", "community", *roots(tmp_path), *service.overrides)

    assert code == 0, told[-2000:]
    assert "community.gold.user_engagement_metrics done full" in told
