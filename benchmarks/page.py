"""Where benchmarks put what they found: between their markers in docs/performance.md."""

from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"


def put(command: str, text: str, docs: Path = DOCS) -> None:
    """Put a benchmark's figures, in Markdown, in place of those that ``make <command>`` wrote before.

    Raises SystemExit where the page has no place for them.
    """
    page = docs / "performance.md"
    begin, end = f"<!-- {command}: written by make {command} -->", f"<!-- /{command} -->"
    before, begun, rest = page.read_text().partition(begin)
    _, ended, after = rest.partition(end)
    if not begun or not ended:
        raise SystemExit(f"{page}: wanted {begin} and {end}, which the figures go between")
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")
