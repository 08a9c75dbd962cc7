"""The table of docs/reliability.md adds up what tests counted, and says what of it is not as it must be."""

from pathlib import Path
from typing import Any

import pytest
import reliability
from reliability_table import ROWS, Row, added_up, problems, table

KILLS = Row("kills", "Kills", ("lost",), "nothing lost")
CONTROL = {"row": "kills", "control": "a lock", "red": True}


def _part(*lines: dict[str, Any], commit: str = "abc") -> dict[str, Any]:
    tests = {"run": 2, "failed": ["test_a"], "skipped": [("test_b", "no tmpfs")]}
    how = {"files": ["tests/crash"], "seconds": 90, "at": "2026-01-01T00:00+00:00"}
    return {"commit": commit, "tests": tests, "lines": list(lines), **how}


def _counted(**counts: int) -> dict[str, Any]:
    return {"row": "kills", "counts": counts}


def test_counts_of_all_parts_are_added_up_with_controls_and_commits() -> None:
    seed = {"row": "kills", "seed": 7}
    parts = [_part(_counted(kills=1, lost=0), CONTROL), None, _part(_counted(kills=2, lost=1), seed, commit="def")]

    found = added_up(parts)["kills"]

    assert (dict(found.counts), found.controls) == ({"kills": 3, "lost": 1}, {"a lock": True})
    assert (found.seeds, found.commits) == ([7], {"abc", "def"})


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([], ["kills: not counted"]),
        ([_counted(kills=0)], ["kills: not counted"]),
        ([_counted(kills=2, survived=2, lost=0), CONTROL], []),
        ([_counted(kills=2, lost=1)], ["kills: 1 lost"]),
        ([_counted(kills=2, survived=1)], ["kills: 1 survived of 2 kills"]),
        ([_counted(kills=2), {**CONTROL, "red": False}], ["kills: not seen without: a lock"]),
    ],
)
def test_what_is_not_as_it_must_be_is_told(lines: list[dict[str, Any]], told: list[str]) -> None:
    assert problems(KILLS, added_up([_part(*lines)]).get("kills")) == told


def test_the_table_says_what_was_not_run_skipped_or_failed() -> None:
    parts = {"kills": _part(_counted(kills=1)), "soak": None}

    told = table(parts, added_up(parts.values()), ["kills: 1 lost"])

    assert "- soak: not run" in told
    assert "  - skipped: test_b: no tmpfs" in told
    assert "  - failed: test_a" in told
    assert "**Not as it should be:**\n\n- kills: 1 lost" in told
    assert all(row.told in told for row in ROWS)


def test_what_was_not_run_again_stays_as_it_stands_on_the_page() -> None:
    page = table({"kills": _part({"row": "crash points", "counts": {"kills": 3}})}, added_up([]), [])
    line = f"| {ROWS[0].told} | 3 reached | all |  | abc |"
    page = page.replace(next(one for one in page.splitlines() if ROWS[0].told in one), line)
    parts = {"kills": None, "soak": _part({"row": ROWS[1].name, "counts": {"kills": 2}}, commit="def")}

    told = table(parts, added_up(parts.values()), [], page)

    assert line in told
    assert "  - skipped: test_b: no tmpfs\n  - failed: test_a\n- soak: 2 tests" in told
    assert f"| {ROWS[1].told} | 2 kills |" in told
    assert f"| {ROWS[2].told} | not run |" in told


def test_what_stands_on_the_page_as_wrong_stays_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {"kills": _part({"row": ROWS[0].name, "counts": {"kills": 2, "survived": 1}})}
    monkeypatch.setattr(reliability, "PAGE", tmp_path / "page.md")
    reliability.PAGE.write_text(f"{reliability.BEGIN}\n\n{reliability.END}")
    told = f"{ROWS[0].name}: 1 survived of 2 kills"

    assert told in reliability._write(parts)
    assert told in reliability._write({"kills": None})
    assert f"- {told}" in reliability.PAGE.read_text()


def test_every_part_names_tests_that_are_there() -> None:
    places = [place for part in reliability.PARTS.values() for place in part]
    places += [place.partition("::")[0] for place in reliability.LEFT_OUT]

    assert [place for place in places if not (reliability.PROJECT / place).exists()] == []
