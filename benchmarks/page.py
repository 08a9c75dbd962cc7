"""What benchmarks are asked for, and where they put what they found: between markers in docs/performance.md."""

import argparse
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"


def options(told: str | None, *, lines: int, repeats: int) -> argparse.Namespace:
    """Return what a benchmark of so many lines was asked for; ``told`` is its help."""
    parser = argparse.ArgumentParser(description=told, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=lines)
    parser.add_argument("--repeats", type=int, default=repeats)
    parser.add_argument("--docs", action="store_true", help="write the figures to docs/performance.md")
    return parser.parse_args()


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
