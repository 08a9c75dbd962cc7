"""CSV as the sources write it: quotes only where needed, with either line end, with or without a BOM."""

import csv
import io
from collections.abc import Iterable, Sequence


def table(
    header: Sequence[str], rows: Iterable[Sequence[object]], *, line_end: str = "\n", has_bom: bool = False
) -> bytes:
    """Return a header and rows; None is an empty cell."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=line_end)
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8-sig" if has_bom else "utf-8")
