"""Alerts, to real receivers on loopback: once when a trouble begins, once when it is over, and nothing in between."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from medallion import alerts, cli, ops
from medallion.account import Mark
from medallion.alerts import channels, message
from medallion.check import Check
from medallion.conf import Conf
from medallion.errors import SetupError
from medallion.health import Trouble
from medallion.landing import Landing
from medallion.run import Report
from medallion.step import Outcome
from tests.lib.conftest import BRONZE, PIPELINE, Lab, account, rows_of
from tests.lib.receivers import Mailbox, Webhook, mailbox, webhook

SILVER_NAME, BRONZE_NAME = "lab.silver.readings", "lab.bronze.readings"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    with webhook() as told:
        monkeypatch.setenv("HOOK", told.address)
        yield told


@pytest.fixture
def mails() -> Iterator[Mailbox]:
    with mailbox() as told:
        yield told


def _conf(lab: Lab, mails: Mailbox | None = None, *more: str) -> Conf:
    """Return the lab's conf with a webhook and perhaps mail that are told of everything."""
    channels = ["hook: {kind: webhook, url: 'env:HOOK'}", *([f"mail: {_mail(mails, 'tls: none')}"] if mails else [])]
    names = "[hook, mail]" if mails else "[hook]"
    rules = ", ".join(f"{rule}: {names}" for rule in ("on_failure", "on_late", "on_anomaly", "on_recovery"))
    return lab.conf(f"notifications={{channels: {{{', '.join(channels)}}}, {rules}}}", *more)


def _mail(mails: Mailbox, more: str) -> str:
    return f"{{kind: email, host: 127.0.0.1, port: {mails.port}, sender: lake@example.org, to: [on@call.org], {more}}}"


def _run(lab: Lab, conf: Conf, monkeypatch: pytest.MonkeyPatch, hours: float, *outcomes: Outcome) -> None:
    """Record a run that ended so many hours after noon, and tell of it."""
    at = NOON + timedelta(hours=hours)
    monkeypatch.setenv("MEDALLION_NOW", at.isoformat())
    prepared = replace(lab.prepare(), conf=conf, run_id=f"run-{hours}")
    report = Report("lab", prepared.run_id, "dev", at.isoformat(), list(outcomes))
    ops.record(prepared, report)
    alerts.ended(conf, report.passed, "passed")


def _failed() -> Outcome:
    check = Check("unique(reading_id)", "fail", 3, 40, False, "secret@example.org", stops=True)
    error = f"{SILVER_NAME}: version 2 did not pass its gate: unique(reading_id): 3 of 40 rows, e.g. secret@example.org"
    return Outcome(SILVER_NAME, "failed", checks=[check], error=error)


def _blocked() -> Outcome:
    return Outcome("lab.gold.daily", "blocked", reason=f"waits for {SILVER_NAME}")


def _passed() -> list[Outcome]:
    return [Outcome(SILVER_NAME, "done"), Outcome("lab.gold.daily", "done")]


def test_a_failure_is_told_once_lasts_and_is_over(
    lab: Lab, hook: Webhook, mails: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = _conf(lab, mails)

    for hours in (0, 1, 2):
        _run(lab, conf, monkeypatch, hours, _failed(), _blocked())
    told_once = len(hook.received), len(mails.received)
    _run(lab, conf, monkeypatch, 25, _failed(), _blocked())
    _run(lab, conf, monkeypatch, 26, *_passed())
    _run(lab, conf, monkeypatch, 27, *_passed())
    _run(lab, conf, monkeypatch, 28, _failed())

    assert told_once == (1, 1)
    assert [one["event"] for one in hook.received] == ["began", "lasts", "over", "began"]
    (trouble,) = hook.received[0]["troubles"]
    assert (trouble["subject"], trouble["rows"]) == (SILVER_NAME, 3)
    assert trouble["what"] == (
        "version 2 did not pass its gate: unique(reading_id): 3 of 40 rows; 1 table behind it wait"
    )
    assert trouble["next"] == "medallion run lab"
    assert "secret@example.org" not in str(hook.received) + str(mails.received)
    (first, *_) = mails.received
    assert first["Subject"].startswith("lab (dev): lab.silver.readings: version 2 did not pass its gate")
    assert (first["From"], first["To"]) == ("lake@example.org", "on@call.org")
    assert "next: medallion run lab" in first.get_content()


def test_a_run_that_could_not_begin_is_told_and_over_with_the_next(
    lab: Lab, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = _conf(lab)
    monkeypatch.setenv("MEDALLION_NOW", NOON.isoformat())
    for number in range(2):
        with pytest.raises(SetupError), alerts.watching(conf, f"run-a{number}"):
            raise SetupError("no Java here")
    _run(lab, conf, monkeypatch, 1, *_passed())

    assert [(one["event"], one["troubles"][0]["what"]) for one in hook.received] == [
        ("began", "no Java here"),
        ("over", "no Java here"),
    ]


LATE = PIPELINE + "  bronze.readings: [{rule: freshness, within: 26 hours}, {rule: volume}]\n"


@pytest.fixture
def fed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """The lab with ten days of ten readings a day, all taken in; the last of 1 March, and freshness expected."""
    (lab.folder / "conf/pipelines/lab.yaml").write_text(LATE)
    landing = Landing(lab.conf(), "readings")
    for number in range(1, 11):
        day = NOON - timedelta(days=11 - number)
        monkeypatch.setenv("MEDALLION_NOW", day.isoformat())
        landing.deliver([("0.json", b"{}")])
        came = {"watermark": {"landing.readings": Mark(number, since=number - 1)}, "rows": {"read": 10, "stored": 10}}
        told = account(number - 1, number - 1, **came, received={f"{day.date()}": [10, 1]})
        lab.commit(BRONZE_NAME, rows_of(BRONZE, (f"r{number}", "{}", number)), told)
    return lab


def _found(lab: Lab, monkeypatch: pytest.MonkeyPatch, hours: float, *overrides: str) -> int:
    monkeypatch.setenv("MEDALLION_NOW", (NOON + timedelta(hours=hours)).isoformat())
    return cli.main(["health", "lab", "--alert", *overrides])


def test_late_data_is_noticed_without_a_run(fed: Lab, hook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    overrides = [
        "notifications={channels: {hook: {kind: webhook, url: 'env:HOOK'}}, on_late: [hook], on_recovery: [hook]}"
    ]
    codes = [_found(fed, monkeypatch, hours, *overrides) for hours in (0, 3, 4, 5)]
    Landing(fed.conf(), "readings").deliver([("0.json", b"{}")])
    _found(fed, monkeypatch, 6, *overrides)

    late = [[t["what"] for t in one["troubles"] if t["label"].startswith("fresh")] for one in hook.received]
    assert codes == [0, 0, 0, 0]  # late is a warning
    assert [told for told in late if told] == [
        ["freshness(delivered): last delivery is of 2026-03-01 12:00 UTC, 27 h 0 min ago; wanted within 26 hours"]
    ] * 2
    assert [one["event"] for one in hook.received if one["event"] == "over"] == ["over"]


def test_a_volume_that_is_not_as_usual_is_told_with_its_bounds(
    fed: Lab, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    _found(fed, monkeypatch, 0, "notifications.on_anomaly=env:HOOK")
    assert hook.received == []
    mark = {"landing.readings": Mark(11, since=10)}
    told = account(10, 10, watermark=mark, rows={"read": 25, "stored": 25}, received={"2026-03-02": [25, 1]})
    fed.commit(BRONZE_NAME, rows_of(BRONZE, ("r11", "{}", 11)), told)
    _found(fed, monkeypatch, 1, "notifications.on_anomaly=env:HOOK")

    [(trouble,)] = [one["troubles"] for one in hook.received]
    assert (trouble["rows"], trouble["what"]) == (
        25,
        "volume(day): found 25 rows on Monday 2026-03-02; wanted 0 to 21: the last 9 days",
    )


def test_a_fall_in_quality_is_told_against_the_last_refreshes(
    lab: Lab, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = _conf(lab)
    for hours, score in enumerate((99.0, 98.5, 99.5, 99.0, 98.8, 99.1, 71.0, 99.0)):
        _run(lab, conf, monkeypatch, hours, Outcome(SILVER_NAME, "done", score=score, rows={"read": 200}))

    assert [(one["event"], one["troubles"][0]["what"]) for one in hook.received] == [
        (event, "quality score 71.00; wanted at least 96.01: the last 6 refreshes") for event in ("began", "over")
    ]


def test_a_channel_that_is_down_fails_nothing_and_is_told_once_it_is_up(
    lab: Lab, hook: Webhook, mails: Mailbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    conf = _conf(lab, mails)
    hook.status = 503

    _run(lab, conf, monkeypatch, 0, _failed())
    monkeypatch.setenv("HOOK", "http://127.0.0.1:1/secret-part")
    _run(lab, conf, monkeypatch, 1, _failed())
    monkeypatch.setenv("HOOK", hook.address)
    hook.status = 204
    _run(lab, conf, monkeypatch, 2, _failed())

    said = [record.getMessage() for record in caplog.records if record.name == "medallion.alerts"]
    assert said == ["hook: could not be told: HTTPStatusError 503", "hook: could not be told: ConnectError"]
    assert (len(hook.received), len(mails.received)) == (1, 1)
    kept = b"".join(path.read_bytes() for path in Path(conf.root("ops")).rglob("*") if path.is_file())
    assert "secret-part" not in caplog.text and b"secret-part" not in kept


def test_a_password_is_not_sent_to_a_server_without_encryption(
    lab: Lab, mails: Mailbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "canary-Zq7")
    mail = _mail(mails, "user: u, password: 'env:MAIL_PASSWORD'")
    conf = lab.conf(f"notifications={{channels: {{mail: {mail}}}, on_failure: [mail]}}")

    _run(lab, conf, monkeypatch, 0, _failed())

    assert "mail: could not be told: SMTPNotSupportedError" in caplog.text
    assert mails.received == [] and not any("AUTH" in line for line in mails.lines)


def test_what_stands_in_an_error_obeys_nothing_in_a_mail(
    lab: Lab, hook: Webhook, mails: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = "bad\r\nBcc: evil@example.org\r\n\r\n.\r\nQUIT\x1b[2J\u202e"
    conf = _conf(lab, mails)
    _run(lab, conf, monkeypatch, 0, Outcome(SILVER_NAME, "failed", error=hostile))
    by_itself = message.of(conf, "began", [Trouble("red", SILVER_NAME, hostile, hostile, examples=[hostile])])
    assert channels.send("mail", conf.platform.notifications.channels["mail"], by_itself)

    assert len(mails.received) == 2
    for mail in mails.received:
        assert "Bcc" not in mail and mail.get_all("To") == ["on@call.org"]
        assert "\x1b" not in mail.get_content() and "\u202e" not in mail["Subject"]
    assert "\x1b" not in hook.received[0]["text"]


def test_nobody_to_tell_looks_at_nothing_and_a_broken_look_fails_nothing(
    lab: Lab, hook: Webhook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Conf) -> None:
        raise ValueError("a mistake of ours")

    monkeypatch.setattr("medallion.health.of", broken)
    with caplog.at_level(logging.WARNING, "medallion.alerts"):
        assert alerts.tell(lab.conf()) is None
        assert caplog.text == ""
        assert alerts.tell(_conf(lab)) is None
    assert "perhaps not told: ValueError: a mistake of ours" in caplog.text


def test_a_run_that_cannot_be_recorded_is_told_all_the_same(lab: Lab, hook: Webhook) -> None:
    alerts.ended(_conf(lab), True, "passed", "ops: run r1 passed, but is not recorded: the disk is full\n")

    assert [one["troubles"][0]["what"] for one in hook.received] == [
        "ops: run r1 passed, but is not recorded: the disk is full"
    ]


def test_a_log_takes_alerts_and_a_run_that_passed_is_told_each_time(
    lab: Lab, hook: Webhook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rules = "on_failure: [journal], on_completion: env:HOOK"
    conf = lab.conf(f"notifications={{channels: {{journal: {{kind: log}}}}, {rules}}}")

    for hours in (0, 1):
        _run(lab, conf, monkeypatch, hours, *_passed())
    _run(lab, conf, monkeypatch, 2, _failed())

    assert [(one["event"], one["text"]) for one in hook.received] == [("completed", "lab (dev): passed")] * 2
    assert "next: medallion run lab --table silver.readings" in caplog.text
