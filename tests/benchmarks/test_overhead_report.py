from pathlib import Path
from typing import Any

import pytest

from benchmarks import overhead_report
from benchmarks.overhead_report import differing, figures, write

BEGIN, END = "<!-- bench-overhead: written by make bench-overhead -->", "<!-- /bench-overhead -->"


def run_of(way: str, repeat: int, seconds: float, *, day: int = 0, rows: int = 3) -> dict[str, Any]:
    table = {"seconds": seconds / 2, "jobs": 4, "stages": 5}
    measure = {
        "seconds": seconds,
        "cpu_seconds": 2 * seconds,
        "peak_bytes": 2**30,
        "tables": {"shop.gold.revenue": table},
    }
    content = {"shop.gold.revenue": [rows, "12"]}
    return {"repeat": repeat, "way": way, "day": day, "cold": measure, "content": content}


def found_in(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"orders": 1000, "machine": {"cores": 2, "bytes": 2**34}, "runs": list(runs)}


def test_figures_are_medians_against_the_script() -> None:
    script = [run_of("script", repeat, seconds) for repeat, seconds in enumerate((10, 30, 20))]
    engine = [run_of("engine", repeat, seconds) for repeat, seconds in enumerate((90, 22, 21))]

    by_way = {figure.way: figure for figure in figures(found_in(*script, *engine))}

    assert by_way["engine"].ratio == pytest.approx(22 / 20)
    assert by_way["script"].ratio == 1


def test_a_failed_run_is_told_and_does_not_count(capsys: pytest.CaptureFixture[str]) -> None:
    failed = {"repeat": 1, "way": "engine", "day": 0, "error": "exit code 1: out of memory"}
    found = found_in(run_of("script", 0, 10), run_of("engine", 0, 20), failed)

    overhead_report.show(found)

    assert [figure.seconds for figure in figures(found)] == [[10], [20]]
    assert "engine, first load, repetition 2 failed: exit code 1: out of memory" in capsys.readouterr().out


def test_other_rows_than_the_scripts_are_told() -> None:
    same = found_in(run_of("script", 0, 10), run_of("engine", 0, 10))
    other = found_in(run_of("script", 0, 10), run_of("engine", 0, 10, rows=4))

    assert differing(same) == []
    assert differing(other) == ["engine, first load, repetition 1: shop.gold.revenue: 4 rows, the script has 3"]


def test_figures_are_written_between_their_markers_only(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{BEGIN}\nold figures\n{END}\nafter\n")

    write(found_in(run_of("script", 0, 10), run_of("engine", 0, 25)), tmp_path)

    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\n") and text.endswith(f"{END}\nafter\n")
    assert "old figures" not in text
    assert "| first load | new process | engine | 25.0 | 2.50 |" in text
    assert "| shop.gold.revenue | 12.5 (4 / 5) | 5.0 (4 / 5) |" in text
    assert (tmp_path / "overhead.svg").read_text().count("<rect") == 1 + 2


def test_a_page_without_markers_is_left_as_it_is(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text("no markers\n")

    with pytest.raises(SystemExit, match="wanted"):
        write(found_in(run_of("script", 0, 10)), tmp_path)

    assert page.read_text() == "no markers\n"
