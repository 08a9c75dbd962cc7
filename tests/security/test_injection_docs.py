"""The site that explains tables: what modules, conf, commits and records say is text on its pages, and nothing else."""

import html
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from medallion.docs import site
from tests import figures
from tests.lib.docs_lab import many
from tests.security.corpus import STRINGS, utf8
from tests.security.surroundings import ran
from tests.security.test_injection_pages import Seen

TAGS = frozenset(
    "html head meta title link script body header footer main section a h1 h2 div p span ul ol li dl dt dd table tr th "
    "td code details summary input time br wbr svg path rect circle text".split()
)
PLACE = re.compile(r"[a-z0-9._]+\.html(#[A-Za-z0-9%._~-]*)?|#[A-Za-z0-9%._~-]*|docs\.css|docs\.js|search\.js")


def foreign(text: str) -> list[object]:
    """Return what is none of the pages' own: other tags, handlers of events, addresses elsewhere."""
    seen = Seen(text)
    found: list[object] = [tag for tag, _ in seen.tags if tag not in TAGS]
    for tag, attributes in seen.tags:
        found += [(tag, name) for name in attributes if name.startswith("on") or name in ("style", "srcdoc")]
        places = [attributes.get(name) for name in ("href", "src", "action")]
        found += [(tag, place) for place in places if place is not None and not PLACE.fullmatch(place)]
        found += [tag] if tag == "script" and attributes.get("src") is None else []
    return found


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """Pages in which each text is one of the corpus, turn by turn."""
    texts = _turns()
    return site.rendered([many(30, lambda _: next(texts))])


def _turns() -> Iterator[str]:
    while True:
        yield from (text for text in STRINGS if utf8(text) and len(text) < 500)


def test_every_string_is_text_on_the_pages(pages: dict[str, str]) -> None:
    wrong = {name: found for name, text in pages.items() if name.endswith(".html") and (found := foreign(text))}

    assert wrong == {}
    shown = "".join("".join(Seen(text).texts) for name, text in pages.items() if name.endswith(".html"))
    lost = [text for text in STRINGS if text.isprintable() and len(text) < 500 and text.strip() and text not in shown]
    assert lost == []
    figures.note("injection", tried=len(STRINGS), executed=ran(), unaccounted=len(wrong) + len(lost))


def test_what_can_be_searched_for_is_data_in_its_script(pages: dict[str, str]) -> None:
    script = pages["search.js"]

    assert re.search(r"[<>&\u2028\u2029]", script) is None
    entries = json.loads(script.removeprefix("window.ENTRIES = ").rstrip(";\n"))
    assert {text for entry in entries for text in entry} & set(STRINGS)
    assert not {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("} & set(
        re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", pages["docs.js"])
    )


def test_without_escaping_it_would_be_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    import jinja2

    real = jinja2.Environment
    monkeypatch.setattr(jinja2, "Environment", lambda **given: real(**{**given, "autoescape": False}))

    found = site.rendered([many(3, lambda _: "<script>alert(1)</script>")])

    is_red = any(foreign(text) for name, text in found.items() if name.endswith(".html"))
    figures.control("injection", "docs: escaping", red=is_red)
    assert is_red
    assert html.escape("<") == "&lt;"


def test_a_folder_is_told_by_its_mark_alone(tmp_path: Path) -> None:
    """A mark that names files elsewhere takes none away."""
    (tmp_path / site.MARK).write_text(json.dumps(["../outside.html", "/etc/hosts", "..", "inside.html"]))

    assert site._written(tmp_path) == {"inside.html"}
    assert os.sep not in "".join(site._written(tmp_path))
