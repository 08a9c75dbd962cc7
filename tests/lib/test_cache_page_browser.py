"""The pages as a person sees them, in a headless Chromium: a search, and a sync that is shown while it lasts."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from medallion.cache.log import Log
from tests.flows.browser import Page
from tests.lib.cache_lab import NAME, Yard, log

pytestmark = pytest.mark.slow


@contextmanager
def served(yard: Yard) -> Iterator[str]:
    """Serve the pages by the command, and yield their address."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", "import sys; from medallion.cli import main; sys.exit(main())", "pages", "--json"]
    with subprocess.Popen(command, env=environment, cwd=yard.folder, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield json.loads(server.stdout.readline())["address"]
        finally:
            server.terminate()


def test_a_person_finds_a_table_searches_it_and_turns_the_page(filled: Yard, page: Page, tmp_path: Path) -> None:
    with served(filled) as address:
        page.open(address)
        page.wait_for(NAME, "current", "300")
        page.evaluate("document.querySelector('a[href=\"/yard/silver.logs\"]').click()")
        page.wait_for("Search title, notes", "L-00000", "Next 50")
        page.evaluate("document.querySelector('input[name=q]').value = 'café slab'")
        page.evaluate("document.querySelector('select[name=\"f.status\"]').value = 'Open'")
        page.evaluate("document.querySelector('form button').click()")
        assert "L-00001" not in page.wait_for("L-00003", "L-00006", "50 rows on this page")
        page.evaluate("document.querySelector('a.next').click()")
        page.wait_for("35 rows on this page", "from the first")
        shot = Path(os.environ.get("MEDALLION_SHOTS", tmp_path), "cache_search.png")
        page.shot(shot)

    assert shot.stat().st_size > 10_000


def test_progress_and_its_end_are_shown_without_a_reload(filled: Yard, page: Page) -> None:
    book = Log(filled.place.root)
    with served(filled) as address:
        page.open(f"{address}/yard/silver.logs")
        page.wait_for("current")
        book.begin(NAME, "2026-01-31T12:00:00.000+00:00")
        book.tell(NAME, "2026-01-31T12:00:00.000+00:00", "reading", 60, 300)
        page.wait_for("syncing", "A sync is at work: reading, 60 of 300 rows", seconds=15)
        assert page.evaluate("document.querySelector('progress').value") == 20
        book.end(NAME, None)
        filled.merge([log(900)])
        filled.sync()
        text = page.wait_for("current", "301 rows", seconds=15)
        assert "A sync is at work" not in text


def test_the_page_obeys_its_own_policy(filled: Yard, page: Page) -> None:
    filled.merge([log(0, title="<img src=x onerror=\"document.title='hit'\"><script>document.title='hit'</script>")])
    filled.sync()
    with served(filled) as address:
        page.open(f"{address}/yard/silver.logs")
        page.wait_for("<script>document.title='hit'</script>")
        assert page.evaluate("document.title") == NAME
        page.wait_until("getComputedStyle(document.querySelector('header')).backgroundColor == 'rgb(34, 48, 63)'")
