"""The audit on a lake that is as it should be: quiet, and open about what it did not look at."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from medallion import cli, commits, run
from medallion import conf as conf_door
from medallion.audit import run as auditing
from medallion.audit.finding import INVARIANTS
from medallion.audit.report import Audit
from medallion.errors import ConfError
from medallion.lake import Lake
from medallion.output import console
from tests import figures
from tests.lib import audit_breaks, audit_lab

Factory = Callable[..., Any]


@pytest.fixture(scope="module")
def yard(shared_scratch: Factory) -> Any:
    """The yard after three days, a replay and a run without news."""
    return audit_lab.make(shared_scratch)


def _tree(folder: Path) -> dict[str, tuple[int, str]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, sha256(path.read_bytes()).hexdigest())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _audit(lake: Any, **options: Any) -> Audit:
    return auditing.audit(run.prepare(lake.conf), lake.sessions, **options)


def test_a_clean_lake_is_quiet_and_nothing_of_it_is_touched(yard: Any) -> None:
    folder = Path(yard.conf.root("bronze")).parent
    before = _tree(folder)
    found = _audit(yard)

    figures.note("corruptions", false_alarms=len(found.findings))
    assert [(one.invariant, one.subject, one.what, one.examples) for one in found.findings] == []
    assert {one.invariant: one.standing for one in found.results} == {
        number: "not checked" if number == 9 else "ok" for number in INVARIANTS
    }
    # all that is left out; a check that silently gave up would stand here
    assert {(one.invariant, one.subject) for one in found.unchecked} == {
        (5, "all tables"),
        (6, "other stores"),
        (9, "all"),
        (10, "open ports"),
        (10, "artifacts"),
    }
    assert _tree(folder) == before


@pytest.mark.once
def test_so_is_one_whose_rows_were_replaced_by_key(scratch: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "LARGE_BYTES", 0)
    lake = audit_lab.make_anew(scratch)
    names = [f"yard.silver.{table}" for table in ("orders", "lines", "prices")]
    assert all(any(commit.replaced for commit in Lake(lake.conf).history(name)) for name in names)
    found = _audit(lake)
    assert [(one.invariant, one.subject, one.what, one.examples) for one in found.findings] == []


def test_a_clean_lake_was_looked_at(yard: Any) -> None:
    looked = {one.invariant: one.looked_at for one in _audit(yard).results}

    # 18 of orders, one of them delivered three times; 4 rows of extracts that were news; 4 of prices
    assert looked[1] == {"deliveries": 11, "files": 22, "payloads": 3, "records": 26}
    assert looked[3]["quarantined rows"] == 2
    assert looked[4]["tables"] == 7  # four of silver with one quarantine, two of gold
    assert looked[6] == {"caches": 1, "rows": 10}
    assert looked[7]["tables"] == 10


def test_versions_are_those_that_a_run_left(yard: Any) -> None:
    running = run.prepare(yard.conf)
    commits = list(running.lake.history("yard.silver.orders"))
    first = commits[-1].account.run_id
    found = _audit(yard, at=first)

    versions = {one.table: one.version for one in found.versions}
    assert (versions["yard.silver.orders"], versions["yard.bronze.orders"], versions["yard.gold.sales"]) == (0, 0, 0)
    assert [(one.invariant, one.subject, one.what, one.examples) for one in found.findings] == []
    assert next(one for one in found.results if one.invariant == 4).looked_at["tables"] == 7
    assert "cache of yard.silver.orders" in [one.subject for one in found.unchecked]


def test_a_run_that_left_nothing_is_told(yard: Any) -> None:
    with pytest.raises(ConfError, match="found no commit of run 'nobody'"):
        _audit(yard, at="nobody")


def test_what_is_left_out_or_sampled_is_told(yard: Any) -> None:
    found = auditing.audit(run.prepare(yard.conf), None, sample=2)

    told = {(one.invariant, one.subject): one.why for one in found.unchecked}
    assert "--fast" in told[4, "silver and gold"]
    assert told[1, "landing.orders"] == "the bytes of 4 deliveries (sampled)"
    assert told[1, "yard.bronze.orders"].startswith("records of 4 of 6 deliveries")
    assert found.passed
    assert {one.invariant for one in found.results if one.standing == "not checked"} == {4, 9}


def test_a_table_whose_definition_changed_is_not_made_anew(yard: Any, shared_scratch: Factory) -> None:
    other = audit_lab.CONF.replace("column: amount, min: 0", "column: amount, min: 1")
    cache_root = f"cache.root={yard.conf.platform.cache.root}"
    changed = shared_scratch("yard", audit_lab.MODULES, other, [cache_root], at="changed")
    found = _audit(changed, only=[4])

    (result,) = [one for one in found.results if one.invariant == 4]
    told = {one.subject: one.why for one in result.unchecked}
    assert told == {"yard.silver.orders": "its definition changed since; the next run refreshes it in full"}
    assert result.standing == "ok"
    assert result.looked_at["tables"] == 5


def test_a_quarantine_that_is_ahead_of_its_table_is_not_taken_for_wrong(yard: Any, tmp_path: Path) -> None:
    """A run writes the quarantine before the table, and may be at work or have been killed in between."""
    copy = audit_breaks.copied(yard.conf, tmp_path, lambda given: conf_door.load("yard", given, yard.conf.project))
    copy.rewrite("quarantine.orders", lambda rows: rows[1:])
    lock = Path(copy.conf.root("ops"), "locks", "yard.silver.orders.lock")
    last = copy.lake.state("yard.quarantine.orders").account.run_id
    lock.write_text(json.dumps({**json.loads(lock.read_text()), "run": last}))
    found = auditing.audit(run.prepare(copy.conf), yard.sessions, only=[4])

    assert found.passed
    assert "the next run evens it" in {one.subject: one.why for one in found.unchecked}["yard.quarantine.orders"]


def test_what_readers_see_is_made_anew_where_the_newest_version_did_not_pass(yard: Any, tmp_path: Path) -> None:
    copy = audit_breaks.copied(yard.conf, tmp_path, lambda given: conf_door.load("yard", given, yard.conf.project))
    for version in (1, 2):
        copy.edit_account("silver.orders", lambda account: account.update(good=0), version)
    found = auditing.audit(run.prepare(copy.conf), yard.sessions, only=[4])

    assert [(one.subject, one.examples) for one in found.findings] == []
    assert "version 1, which did not pass" in {o.subject: o.why for o in found.unchecked}["yard.quarantine.orders"]


@pytest.mark.once
def test_a_lake_that_never_ran_is_not_well_but_not_checked(scratch: Factory) -> None:
    lake = scratch("yard", audit_lab.MODULES, audit_lab.CONF)
    found = auditing.audit(run.prepare(lake.conf), None)

    assert found.passed
    assert {one.invariant for one in found.results if one.standing == "ok"} == {10}
    assert "yard.silver.orders" in [one.subject for one in found.unchecked]


def test_the_command_prints_a_report_and_exits_by_it(
    yard: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = audit_breaks.copied(yard.conf, tmp_path, lambda given: conf_door.load("yard", given, yard.conf.project))
    monkeypatch.setenv("MEDALLION_HOME", str(yard.conf.project))
    arguments = ["audit", "yard", "--fast", *audit_lab.roots(broken.conf)]

    assert cli.main([*arguments, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["passed"]
    assert [one["name"] for one in facts["audits"][0]["invariants"]] == list(INVARIANTS.values())

    gone = broken.file("gold.sales")
    gone.unlink()
    assert cli.main(arguments) == 1
    told = capsys.readouterr().out
    assert f"red 7  yard.gold.sales: files that its log names are not there\n  {gone}\n  next: restore" in told
    assert "not checked" in told
    assert cli.main([*arguments, "--at", "nobody"]) == 2
    assert cli.main(["audit", "no_such_pipeline"]) == 2


def test_a_report_names_what_to_do_next(yard: Any, capsys: pytest.CaptureFixture[str]) -> None:
    _audit(yard).render(console())
    told = capsys.readouterr().out

    assert all(name.split()[0] in told for name in INVARIANTS.values())
    assert "nothing wrong in what was looked at" in told
