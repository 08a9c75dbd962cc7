"""Two versions held against each other, one made anew, and a whole cut of the past asked by SQL."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medallion import catalog, cli, code
from medallion.errors import ConfError, HistoryError
from medallion.lake import Lake
from medallion.query import select
from medallion.session import Sessions
from medallion.views import diff, reproduce
from medallion.views.diff import Question
from tests.lib import audit_lab

DERIVED = [
    f"yard.{layer}" for layer in ("silver.orders", "silver.lines", "silver.products", "silver.prices", "gold.sales")
]


@pytest.fixture(scope="module")
def yard(shared_scratch: Callable[..., Any]) -> Any:
    """The yard after three days, a replay and a run without news."""
    return audit_lab.make(shared_scratch)


def _versions(lake: Any, table: str) -> list[int]:
    """Return the versions of a table that changed its rows, oldest first."""
    commits = [commit for commit in Lake(lake.conf).history(table) if commit.account]
    return sorted({commit.account.data for commit in commits if commit.account})


def _rows(lake: Any, table: str, version: int) -> dict[Any, dict[str, Any]]:
    path = Lake(lake.conf).path(table)
    hidden = " WHERE NOT _deleted" if ".silver." in table else ""
    rows = select(path, f"SELECT * FROM t{hidden}", version)
    return {row["id"]: {name: value for name, value in row.items() if not name.startswith("_")} for row in rows}


@pytest.mark.parametrize("table", ["yard.silver.orders", "yard.gold.sales"])
def test_a_diff_tells_what_plain_python_does(yard: Any, table: str, tmp_path: Path) -> None:
    versions = _versions(yard, table)
    for before, after in ((versions[0], versions[-1]), (versions[-1], versions[0])):
        was, now = _rows(yard, table, before), _rows(yard, table, after)
        file = tmp_path / "all.csv"
        found = diff.of(yard.conf, Question(table, str(before), str(after), file=file), yard.sessions)

        changed = {key for key in was.keys() & now.keys() if was[key] != now[key]}
        counts = {
            "added": len(now.keys() - was.keys()),
            "removed": len(was.keys() - now.keys()),
            "changed": len(changed),
        }
        assert found.counts == counts
        assert sum(counts.values()) > 0
        assert len(file.read_text().splitlines()) == 1 + sum(counts.values())
        for row in found.rows:
            key = row.key["id"]
            sides = {name: (was.get(key, {}).get(name), now.get(key, {}).get(name)) for name in row.columns}
            assert row.columns == sides


def test_a_diff_names_the_records_that_made_the_difference(yard: Any) -> None:
    versions = _versions(yard, "yard.gold.sales")
    found = diff.of(
        yard.conf, Question("yard.gold.sales", str(versions[0]), str(versions[-1]), why=True), yard.sessions
    )

    told = [reason for row in found.rows for reason in row.why]
    assert any(reason.startswith("+ yard.bronze.orders ") for reason in told)
    assert all(reason.startswith(("+ ", "- ")) for reason in told), told


def test_runs_may_stand_for_versions(yard: Any) -> None:
    commits = [commit for commit in Lake(yard.conf).history("yard.gold.sales") if commit.account]
    runs = [commit.account.run_id for commit in (commits[-1], commits[0]) if commit.account]
    by_run = diff.of(yard.conf, Question("yard.gold.sales", *runs), yard.sessions)
    by_version = diff.of(
        yard.conf, Question("yard.gold.sales", str(commits[-1].version), str(commits[0].version)), yard.sessions
    )
    assert by_run == by_version


def test_every_version_is_made_anew_as_it_was(yard: Any) -> None:
    tried = 0
    for table in [*DERIVED, "yard.gold.revenue"]:
        for version in _versions(yard, table):
            found = reproduce.of(yard.conf, table, str(version), yard.sessions)
            assert found.passed, (table, version, found.found.differences)
            assert found.found.checksums[0] == found.found.checksums[1]
            tried += 1
    assert tried > len(DERIVED)


def test_commits_say_at_which_commit_the_code_stood(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        return subprocess.run(["git", *who, *words], cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert code.commit_of(tmp_path / "jobs") is None
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "one.py").write_text("one = 1\n")
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "One")
    head = git("rev-parse", "HEAD").strip()
    assert code.commit_of(tmp_path) == head
    (tmp_path / "jobs" / "one.py").write_text("one = 2\n")
    code.commit_of.cache_clear()
    assert code.commit_of(tmp_path) == f"{head}+"


def test_a_cut_shows_all_tables_as_a_run_left_them(yard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(yard.conf.project)
    first = [commit for commit in Lake(yard.conf).history("yard.gold.revenue") if commit.account][-1]
    assert first.account is not None
    roots = audit_lab.roots(yard.conf)
    then = catalog.as_of("yard", first.account.run_id, roots, yard.sessions)
    now = catalog.as_of("yard", None, roots, yard.sessions)

    question = "SELECT sum(amount) FROM yard_gold.revenue"
    assert then.sql(question).first()[0] == then.sql("SELECT sum(amount) FROM yard_gold.sales").first()[0]  # type: ignore[index]
    assert then.sql(question).first() != now.sql(question).first()
    assert then.versions["yard.gold.revenue"] == first.account.good
    with pytest.raises(ConfError, match="not in this cut"):
        then.table("yard.gold.sails")


def test_the_commands_answer_as_text_and_as_documents(
    yard: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if request.config.getoption("--connect"):
        pytest.skip("a command starts a Spark of its own, which a client of a server cannot")
    monkeypatch.chdir(yard.conf.project)
    monkeypatch.setattr(Sessions, "stop", lambda _: None)
    roots = audit_lab.roots(yard.conf)
    first, *_, last = map(str, _versions(yard, "yard.gold.sales"))

    assert cli.main(["diff", "yard.gold.sales", first, last, "--why", *roots]) == 0
    assert f"yard.gold.sales, version {first} to {last}: " in capsys.readouterr().out
    assert cli.main(["reproduce", "yard.gold.sales", *roots]) == 0
    assert "the same" in capsys.readouterr().out
    assert cli.main(["sql", "yard", "SELECT id FROM yard_gold.sales ORDER BY id -- all", "--json", *roots]) == 0
    assert json.loads(capsys.readouterr().out)["columns"] == ["id"]
    assert cli.main(["sql", "yard", "INSERT INTO yard_gold.sales SELECT * FROM yard_gold.sales", *roots]) == 2
    assert "sql: " in capsys.readouterr().err


def test_a_version_of_another_definition_names_the_commit_to_check_out(
    yard: Any, shared_scratch: Callable[..., Any]
) -> None:
    text = audit_lab.MODULES["gold/sales.py"].replace('how="left"', 'how="inner"')
    modules = {**audit_lab.MODULES, "gold/sales.py": text}
    other = shared_scratch("yard", modules, audit_lab.CONF, audit_lab.roots(yard.conf), at="redefined")
    with pytest.raises(HistoryError, match=r"yard\.gold\.sales version \d+: made by another definition than today's"):
        reproduce.of(other.conf, "yard.gold.sales", None, yard.sessions)
