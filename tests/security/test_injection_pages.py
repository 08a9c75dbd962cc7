"""Cached tables and their pages: rows are data in SQLite, in its full-text search and in HTML."""

import datetime as dt
import html
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from medallion import cache
from medallion.cache import page as cache_page
from medallion.cache import schema, words
from medallion.cache.search import Reader
from tests import figures
from tests.lib.cache_lab import NAME, NOON, PUBLIC, Yard, log
from tests.security.corpus import STRINGS
from tests.security.surroundings import executed, ran

TABLE = "/yard/silver.logs"
TAGS = frozenset(
    "html head meta title link script body header a main h1 div p span progress form label input select option button "
    "table thead tbody tr th td nav code".split()
)


class Seen(HTMLParser):
    """What a browser would find in a page: its tags with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.tags.append(("comment", {}))

    def foreign(self) -> list[object]:
        """Return what is none of the pages' own: other tags, handlers of events, addresses elsewhere."""
        found: list[object] = [tag for tag, _ in self.tags if tag not in TAGS]
        for tag, attributes in self.tags:
            found += [(tag, name) for name in attributes if name.startswith("on") or name in ("style", "srcdoc")]
            places = [attributes.get(name) or "/" for name in ("href", "src", "action")]
            found += [(tag, place) for place in places if place[:1] not in ("/", "?") or place[:2] == "//"]
            found += [tag] if tag == "script" and attributes.get("src") != "/_files/refresh.js" else []
        return found


def _at(number: int) -> dt.datetime:
    return NOON - dt.timedelta(minutes=number)


@pytest.fixture
def corpus(yard: Yard) -> Yard:
    """The cached table with a row a string: as a key, as words and as a value to filter by."""
    yard.write(
        log(
            n, log_id=f"{n} {text}", title=text, notes=text, status=text, tags=[text], at=NOON - dt.timedelta(minutes=n)
        )
        for n, text in enumerate(STRINGS)
    )
    assert yard.sync().error is None
    return yard


@pytest.fixture
def client(corpus: Yard) -> Iterator[TestClient]:
    with TestClient(cache_page.application([corpus.conf()]), raise_server_exceptions=False) as started:
        yield started


def test_every_string_comes_back_from_the_cache_as_it_was(corpus: Yard) -> None:
    place = {name: number for number, name in enumerate(PUBLIC)}
    held = corpus.held()

    assert held == corpus.wanted()
    assert sorted(row[place["title"]] for row in held) == sorted(STRINGS)
    assert all(row[place["log_id"]].partition(" ")[2] == row[place["title"]] for row in held)
    with closing(sqlite3.connect(corpus.place.link)) as connection:
        names = {
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
        }
    assert {name for name in names if not name.startswith("words_")} == {
        "state", "filter_values", "rows", "indexed", "words", "vocabulary",
    }  # fmt: skip
    figures.note("injection", tried=len(STRINGS), executed=ran(), unaccounted=len(STRINGS) - len(held))


@pytest.mark.slow
def test_every_string_as_a_search_is_answered_with_rows_or_a_reason(
    client: TestClient, corpus: Yard, tmp_path: Path
) -> None:
    wrong = []
    for text in STRINGS:
        for parameters in (
            {"q": text},
            {"f.status": text},
            {"f.crew": text, "sort": text},
            {"after": text},
            {text: text},
        ):
            address = f"{TABLE}.json" if "after" in parameters else TABLE
            answer = client.get(address, params=parameters)
            if answer.status_code not in (200, 400, 409, 414):
                wrong.append((text, answer.status_code))
            if "html" in answer.headers["content-type"] and Seen(answer.text).foreign():
                wrong.append((text, Seen(answer.text).foreign()))

    assert wrong == []
    assert executed(tmp_path, corpus.folder) == []
    figures.note("injection", tried=5 * len(STRINGS), executed=ran(), unaccounted=len(wrong))


def test_every_string_is_found_by_its_value_and_shown_as_it_is(client: TestClient) -> None:
    """A value of more than 500 letters is refused; HTML has no word for control characters."""
    lost = []
    for text in STRINGS:
        if not 0 < len(text) <= 500:
            continue
        answer = client.get(f"{TABLE}.json", params={"f.status": text})
        if [row["title"] for row in answer.json()["rows"]] != [text]:
            lost.append(text)
        page = client.get(TABLE, params={"f.status": text})
        shown = "".join(Seen(page.text).texts)
        if text.isprintable() and html.unescape(html.escape(text)) not in shown:
            lost.append(text)

    assert lost == []
    figures.note("injection", tried=len(STRINGS), executed=ran(), unaccounted=len(lost))


@pytest.mark.parametrize("protection", ["escaping", "words in quotes", "bound values"])
def test_without_the_protection_it_would_be_markup_or_syntax(
    corpus: Yard, monkeypatch: pytest.MonkeyPatch, protection: str
) -> None:
    application = cache_page.application([corpus.conf()])
    if protection == "escaping":
        import jinja2

        real = jinja2.Environment
        monkeypatch.setattr(jinja2, "Environment", lambda **given: real(**{**given, "autoescape": False}))
        application = cache_page.application([corpus.conf()])
    if protection == "words in quotes":
        monkeypatch.setattr("medallion.cache.search.words_of", lambda text: ([text], False))
    if protection == "bound values":
        monkeypatch.setattr(schema, "filter_word", lambda number, value: value)
    with TestClient(application, raise_server_exceptions=False) as client:
        found = [
            client.get(TABLE, params={"f.status" if protection == "bound values" else "q": text})
            for text in ('"', '"; DROP TABLE rows; --', "<script>alert(1)</script>", 'a"b')
        ]
    is_red = any(one.status_code >= 500 for one in found) or any(Seen(one.text).foreign() for one in found)
    figures.control("injection", f"pages: {protection}", red=is_red)
    assert is_red


@pytest.mark.parametrize("part", ["searched", "filters", "order_by"])
def test_a_cached_column_that_the_table_has_not_is_refused(yard: Yard, part: str) -> None:
    """Before any SQL is made of it."""
    from medallion import graph

    tables = graph.load(yard.conf())
    for text in STRINGS:
        wanted = {
            "searched": ["title"],
            "filters": ["status"],
            "order_by": "at",
            part: text if part == "order_by" else [text],
        }
        conf = yard.conf()
        table = type(conf.pipeline.cache.tables["silver.logs"])
        if part == "order_by" and not text:
            continue
        changed = conf.pipeline.cache.model_copy(update={"tables": {"silver.logs": table.model_validate(wanted)}})
        pipeline = conf.pipeline.model_copy(update={"cache": changed})
        with pytest.raises(cache.ConfError, match=r"cache\.tables\.silver\.logs\." + part):
            cache.definitions(_replaced(conf, pipeline), tables)
    figures.note("injection", tried=len(STRINGS), executed=ran(), unaccounted=0)


def _replaced(conf: object, pipeline: object) -> cache.Conf:
    from dataclasses import replace

    return replace(conf, pipeline=pipeline)  # type: ignore[type-var]


def test_what_people_type_becomes_words_in_quotes() -> None:
    for text in STRINGS:
        if len(text) > words.MOST_LETTERS:
            continue
        try:
            found, _ = words.words_of(text)
        except cache.SearchError:
            continue
        assert all(word.isalnum() for word in found), text


def test_a_reader_has_nothing_to_write_with(corpus: Yard) -> None:
    with closing(cache.connect(corpus.place.link, readonly=True)) as connection:
        for statement in (
            "DROP TABLE rows",
            "ATTACH ':memory:' AS other; CREATE TABLE other.x (a)",
            "DELETE FROM rows",
        ):
            with pytest.raises((sqlite3.Error, sqlite3.Warning)):
                connection.execute(statement)
    assert Reader(corpus.place).cached().table == NAME
