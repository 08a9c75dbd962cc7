"""The pipeline tier: what is refused, by key, found and wanted; and that places do not stand in it."""

import pytest

from medallion.conf.model import validated
from medallion.conf.pipeline import Pipeline, places
from medallion.conf.yaml_file import parse_yaml
from medallion.errors import ConfError

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


def _load(text: str) -> Pipeline:
    raw = parse_yaml(text, "shop.yaml")
    return validated(Pipeline, raw, lambda key: "shop.yaml", list(places(raw)))


def _refusal(text: str) -> str:
    with pytest.raises(ConfError) as refused:
        _load(text)
    return str(refused.value)


@pytest.mark.parametrize(
    ("find", "put", "message"),
    [
        (
            "format: json",
            "formt: json",
            "sources.orders.formt: unknown key; wanted one of columns, delivers, encoding, extract, format",
        ),
        ("format: json", "format: xml", "sources.orders.format: found 'xml'; wanted json, csv or parquet"),
        ("  orders: {", "  Orders-1: {", "sources.Orders-1: wanted a name of a-z, 0-9 and _"),
        ("$.event.id", "event.id", "sources.orders: idempotency_key: found 'event.id'; wanted a JSON path"),
        ("$.order.id", "$.order..id", "sources.orders: key: found '$.order..id'; wanted a JSON path such as"),
        ("key: currency", "key: $.x", "sources.rates: key: found '$.x'; wanted the name of a csv column"),
        ("delivers: events", "delivers: snapshot", "sources.orders: idempotency_key: only events have one"),
        (
            "system: bank",
            "system: bank, encoding: utf-9",
            "sources.rates.encoding: found 'utf-9'; wanted a text encod",
        ),
        (
            "system: bank",
            "system: bank, encoding: hex",
            "sources.rates.encoding: found 'hex'; wanted a text encoding",
        ),
        (
            "system: bank",
            "system: bank, max_bytes: 0",
            "sources.rates.max_bytes: found 0; wanted a whole number >= 1",
        ),
        ("system: bank", "system: ''", "sources.rates.system: found ''; wanted the name of the system"),
        ("0 6 * * *", "0 25 * * *", "schedule.cron: found '0 25 * * *'; wanted a cron line of five fields"),
        ("0 6 * * *", "0 0 30 2 *", "schedule.cron: found '0 0 30 2 *'; wanted a cron line of five fields"),
        ("0 6 * * *", "0 0 6 * * *", "schedule.cron: found '0 0 6 * * *'; wanted a cron line of five fields"),
        ("0 6 * * *", "'@daily'", "schedule.cron: found '@daily'; wanted a cron line of five fields"),
        ("Europe/Vienna", "Europe/Wien", "schedule.zone: found 'Europe/Wien'; wanted an IANA time zone"),
        ("Europe/Vienna", "Europe", "schedule.zone: found 'Europe'; wanted an IANA time zone"),
        (", zone: Europe/Vienna", "", "schedule.zone: missing; wanted an IANA time zone"),
        ("description: Orders of a shop.", "", "description: missing; wanted a sentence"),
        ("silver.orders:", "silver:", "expectations.silver: wanted <layer>.<table>, such as silver.orders"),
        ("silver.orders:", "landing.orders:", "expectations.landing.orders: wanted <layer>.<table>"),
        (
            "[paid, /home]",
            "[]",
            "expectations.silver.orders.1.values: found a list; wanted a list of accepted values",
        ),
        (
            "[paid, /home]",
            "[null]",
            "expectations.silver.orders.1.values.0: wanted text, a number, true or false",
        ),
        (
            "tolerance: 0.01",
            "tolerance: 2",
            "expectations.silver.orders.1.tolerance: found 2; wanted a share of rows",
        ),
        (
            "tolerance: 0.01",
            "tolerance: .nan",
            "silver.orders.1.tolerance: found nan; wanted a share of rows",
        ),
        (
            "rule: unique",
            "rule: distinct",
            "expectations.silver.orders.3.rule: found 'distinct'; wanted one of not_null",
        ),
    ],
)
def test_a_pipeline_file_is_refused_by_key_found_and_wanted(find: str, put: str, message: str) -> None:
    refusal = _refusal(PIPELINE.replace(find, put))

    assert refusal.startswith("shop.yaml: ")
    assert message in refusal


def test_problems_of_a_file_are_told_at_once_at_most_five() -> None:
    sources = "".join(f"  s{n}: {{format: xml, delivers: events, system: x}}\n" for n in range(7))

    lines = _refusal(f"description: x\nsources:\n{sources}").splitlines()

    assert lines[0] == "shop.yaml: sources.s0.format: found 'xml'; wanted json, csv or parquet"
    assert len(lines) == 6
    assert lines[5] == "and 2 more"


@pytest.mark.parametrize(
    ("added", "key"),
    [
        ("parameters: {host: db1}", "parameters.host"),
        ("parameters: {db: {Password: x}}", "parameters.db.Password"),
        ("parameters: {many: [{port: 1}]}", "parameters.many.0.port"),
        ("parameters: {api_url: x}", "parameters.api_url"),
        ("parameters: {feed: 'see sftp://x'}", "parameters.feed"),
        ("parameters: {feed: /var/data}", "parameters.feed"),
        ("parameters: {feed: ~/data}", "parameters.feed"),
        ("parameters: {feed: 'C:\\data'}", "parameters.feed"),
        ("parameters: {feed: [env:FEED]}", "parameters.feed.0"),
        ("parameters: {feed: file:/run/secrets/feed}", "parameters.feed"),
        ("parameters: {feeds: {'s3://x': 1}}", "parameters.feeds"),
        ("parameters: {pattern: s3://x}", "parameters.pattern"),
        ("master: local", "master"),
        ("sources: {a: {format: csv, delivers: events, system: x, bucket: y}}", "sources.a.bucket"),
        ("sources: {a: {format: csv, delivers: events, system: 'http://x'}}", "sources.a.system"),
        ("sources: {values: {format: csv, delivers: events, system: 'http://x'}}", "sources.values.system"),
        (
            "expectations: {silver.a: [{rule: not_null, column: x, token: y}]}",
            "expectations.silver.a.0.token",
        ),
        ("expectations: {silver.a: [{rule: not_null, column: /x}]}", "expectations.silver.a.0.column"),
    ],
)
def test_a_place_in_a_pipeline_belongs_to_the_platform(added: str, key: str) -> None:
    assert _refusal(f"description: x\n{added}") == (
        f"shop.yaml: {key}: "
        f"{'one of its keys ' if key == 'parameters.feeds' else ''}"
        "is a place or a secret, which belongs to conf/platform/<environment>.yaml"
    )


@pytest.mark.parametrize(
    "added",
    [
        "parameters: {events_per_user: 3, separator: /, ratio: 1/2, zone: Europe/Vienna}",
        "sources: {user: {format: csv, delivers: events, system: x}}",
        "expectations: {silver.user: [{rule: regex, column: url, pattern: /a|https://b}]}",
        "expectations: {silver.a: [{rule: expression, expression: \"a = 'https://%'\", description: /a}]}",
        "expectations: {silver.a: [{rule: accepted_values, column: page, values: [/home, /cart]}]}",
    ],
)
def test_free_text_and_names_are_no_places(added: str) -> None:
    assert _load(f"description: See https://example.com\n{added}").description
