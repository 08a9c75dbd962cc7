"""Searches: words, exact values, order, pages; and what people type that is no sound query."""

import threading
import time
from datetime import timedelta

import pytest

from medallion.cache import SearchError, StaleCursor, search
from medallion.cache.schema import filter_word
from medallion.cache.search import PAGE, Reader, Wanted
from medallion.cache.words import words_of
from medallion.errors import LakehouseError
from tests.lib.cache_lab import NOON, Yard, log


def ids(yard: Yard, text: str = "", sort: search.Sort = "newest", **values: str) -> list[int]:
    """Return the numbers of the logs that a search finds, over all pages."""
    found: list[int] = []
    after: str | None = ""
    while after is not None:
        page = Reader(yard.place).search(Wanted(text, values, sort, after))
        found += [int(str(row[0])[2:]) for row in page.rows]
        after = page.after
    return found


def test_words_are_found_in_searched_columns_all_of_them_whatever_their_case_and_accents(filled: Yard) -> None:
    assert ids(filled, "SLAB 17") == [17]
    assert ids(filled, "cafe crew 3") == [n for n in range(300) if n % 7 and (3 in (n, n % 7, n % 13))]
    assert ids(filled, "Open") == []  # stands in a column that is filtered by, not searched


def test_the_last_word_finds_what_begins_with_it(filled: Yard) -> None:
    assert ids(filled, "pour sla") == list(range(300))
    assert ids(filled, "sla pour") == []
    assert ids(filled, "pour 29") == [29]  # two letters are a whole word
    assert sorted(ids(filled, "pou 299")) == []


def test_filters_are_exact_and_all_hold(filled: Yard) -> None:
    numbers = [n for n in range(300) if n % 7]
    assert ids(filled, status="Open") == [n for n in numbers if n % 3 == 0]
    assert ids(filled, status="open") == []
    assert ids(filled, status="Op") == []
    assert ids(filled, crew="2", is_open="true") == [n for n in numbers if n % 5 == 2 and n % 2 == 0]
    assert ids(filled, fee="0.10") == ids(filled, fee="0.1") == [10]
    assert ids(filled, "lot 5", status="On Hold") == [
        n for n in numbers if n % 3 == 2 and (n in (5,) or n % 7 == 5 or n % 13 == 5)
    ]


def test_newest_come_first_and_pages_hold_every_row_once(filled: Yard) -> None:
    assert ids(filled) == list(range(300))
    assert ids(filled, sort="oldest") == list(range(299, -1, -1))
    assert len(Reader(filled.place).search(Wanted()).rows) == PAGE


def test_rows_that_moved_in_the_order_are_paged_through_once(filled: Yard) -> None:
    filled.merge([log(5, at=NOON + timedelta(days=1)), log(6, at=None), log(900, at=NOON - timedelta(minutes=9.5))])
    filled.sync()

    expected = [5, 0, 1, 2, 3, 4, *range(7, 10), 900, *range(10, 300), 6]
    assert ids(filled) == expected
    assert ids(filled, "slab", sort="oldest") == expected[::-1]


def test_a_page_goes_on_where_it_was_while_rows_come_in(filled: Yard) -> None:
    first = Reader(filled.place).search(Wanted())
    filled.merge([log(900, at=NOON + timedelta(days=1))])
    filled.sync()

    second = Reader(filled.place).search(Wanted(after=first.after or ""))

    assert [row[0] for row in second.rows] == [f"L-{n:05d}" for n in range(50, 100)]


def test_a_cursor_of_an_older_build_is_refused(filled: Yard) -> None:
    first = Reader(filled.place).search(Wanted())
    conf = filled.folder / "conf/pipelines/yard.yaml"
    conf.write_text(conf.read_text().replace("[title, notes]", "[title]"))
    assert filled.sync().technique == "full"

    with pytest.raises(StaleCursor, match="start again"):
        Reader(filled.place).search(Wanted(after=first.after or ""))


def test_relevance_puts_the_row_that_says_it_most_first(filled: Yard) -> None:
    filled.merge([log(40, notes="trench " * 8), log(7, notes="one trench in a long, long note about other things")])
    filled.sync()

    assert ids(filled, "trench") == [7, 40]
    assert ids(filled, "trench", sort="relevance") == [40, 7]
    assert ids(filled, "trench", sort="relevance", status="Closed") == [40]


@pytest.mark.parametrize(
    "text",
    [
        '"', '""', '"slab', 'slab"', "'", "slab'; DROP TABLE rows; --", "slab OR 1=1", "NOT slab", "slab AND",
        "NEAR(slab pour, 5)", "title:slab", "{title notes}: slab", "^slab", "slab*", "*", "sl*ab", "slab + pour",
        "(slab", "slab)", "-slab", "c0 : x", "\\", "%", "_", "slab\x00pour", "\ue0000x4f70656e", "\ud800", "🏠", "日本",
        "a" * 200, "', (SELECT 1))", "rank", "words MATCH 'x'", "?1", ":a", "$a", "\u0301", "''''", '"*"', '* "slab" *',
    ],
)  # fmt: skip
def test_what_people_type_is_only_ever_words(filled: Yard, text: str) -> None:
    found = ids(filled, text)  # whatever it is, there is an answer and no error

    words = set("".join(letter if letter.isalnum() else " " for letter in text.lower()).split())
    known = {"slab", "pour", "crew", "on", "site", "café", "lot"} | {str(number) for number in range(300)}
    assert bool(found) == bool(words and words <= known), words
    assert len(ids(filled)) == 300


def test_signs_part_words_and_accents_do_not_matter_however_they_are_written(filled: Yard) -> None:
    filled.merge([log(8, notes="Backcharge 3-40-17, 8x10' door"), log(9, notes="Cafe\u0301 du Nord, O'Neil, Йод")])
    filled.sync()

    assert ids(filled, "3-40-17") == [8]
    assert ids(filled, "8x10' door") == [8]
    assert ids(filled, "O'NEIL nord café") == ids(filled, "neil cafe\u0301 nord") == [9]
    assert ids(filled, "йод") == [9]


@pytest.mark.parametrize(
    "value", ["Won't", '"', "a b", "", "Öl 🏠", "x" * 500, "f0x", "n", "%", "' OR 1=1 --", "\ue000"]
)
def test_values_of_any_letters_can_be_filtered_by(filled: Yard, value: str) -> None:
    filled.merge([log(1, status=value), log(2, status=value + "2")])
    filled.sync()

    assert ids(filled, status=value) == [1]
    assert ids(filled, "slab", status=value) == [1]


def test_text_that_looks_like_the_word_of_a_value_is_not_taken_for_it(filled: Yard) -> None:
    filled.merge([log(7, title=filter_word(0, "Open"))])
    filled.sync()

    assert 7 not in ids(filled, status="Open")


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Wanted("x" * 201), "search: found 201 letters; wanted at most 200"),
        (Wanted("a " * 17), "search: found 17 words; wanted at most 16"),
        (Wanted(values={"status": "x" * 501}), "status: found 501 letters; wanted at most 500"),
        (Wanted(values={"title": "x"}), "filter: no column 'title'; wanted one of status, crew, is_open, fee"),
        (Wanted(values={'status" IS 1 --': "x"}), "filter: no column 'status\" IS 1 --'; wanted one of status"),
        (Wanted(values={"crew": "many"}), "crew: found 'many'; wanted a value of type int"),
        (Wanted(values={"crew": "9" * 30}), "crew: found '999999999999999999999999999999'; wanted a value of type int"),
        (Wanted(values={"is_open": "yes"}), "is_open: found 'yes'; wanted a value of type boolean"),
        (Wanted(values={"fee": "0.001"}), "fee: found '0.001'; wanted a value of type decimal(10,2)"),
        (Wanted(values={"fee": "NaN"}), "fee: found 'NaN'; wanted a value of type decimal(10,2)"),
        (Wanted(values={"status": "\ud800"}), "wanted a value of type string"),
        (Wanted(after="1; DROP TABLE rows"), "after: wanted what the page before gave as its `after`"),
        (Wanted(after="1." + "9" * 40), "after: wanted what the page before gave as its `after`"),
    ],
)
def test_a_search_that_cannot_be_run_is_refused(filled: Yard, wanted: Wanted, message: str) -> None:
    with pytest.raises(SearchError) as refused:
        Reader(filled.place).search(wanted)

    assert message in str(refused.value)


def test_words_are_letters_and_digits_and_only_the_last_is_open() -> None:
    assert words_of(' say "hi" OR pour ') == (["say", "hi", "OR", "pour"], True)
    assert words_of("pour-") == (["pour"], False)
    assert words_of("to") == (["to"], False)
    assert words_of("- !") == ([], False)


def test_beginnings_of_many_words_or_with_accents_are_found_too(filled: Yard) -> None:
    filled.merge(log(number, notes=f"permit{number}x cañón{number} Йодль") for number in range(100))
    filled.sync()

    assert ids(filled, "permi") == ids(filled, "cañó") == ids(filled, "cano") == ids(filled, "йодл") == list(range(100))
    assert ids(filled, "permit7") == [7, *range(70, 80)]
    assert ids(filled, "slab PERMIT7", status="Open") == [n for n in (7, *range(70, 80)) if n % 7 and n % 3 == 0]
    assert ids(filled, "permit7", sort="relevance", status="Open") != []


def test_a_table_without_words_to_search_says_so(filled: Yard) -> None:
    conf = filled.folder / "conf/pipelines/yard.yaml"
    conf.write_text(conf.read_text().replace("searched: [title, notes], filters: [status, crew, is_open, fee], ", ""))
    assert filled.sync().technique == "full"

    assert ids(filled) == list(range(300))
    with pytest.raises(SearchError, match="no column to search words in"):
        ids(filled, "slab")


def test_a_search_that_takes_too_long_is_given_up(filled: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MOST_SECONDS", -1.0)
    monkeypatch.setattr(search, "_STEPS", 10)

    with pytest.raises(SearchError, match="took longer than"):
        ids(filled, "slab")


def test_a_reader_cannot_write(filled: Yard) -> None:
    connection = Reader(filled.place)._connection()

    with pytest.raises(Exception, match="readonly"):
        connection.execute("DELETE FROM rows")


def test_a_cache_that_is_not_there_yet_is_told(yard: Yard) -> None:
    with pytest.raises(LakehouseError, match="there is no cache yet; `medallion sync`"):
        Reader(yard.place).search(Wanted())


def test_a_hundred_threads_each_get_their_own_answer(filled: Yard) -> None:
    reader, wrong = Reader(filled.place), list[int]()

    def ask(number: int) -> None:
        end = time.monotonic() + 1
        while time.monotonic() < end:
            rows = reader.search(Wanted(f"slab {number}", {"fee": f"{number / 100:.2f}"})).rows
            if [row[0] for row in rows] != [f"L-{number:05d}"]:
                wrong.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(300) if number % 7][:100]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
