"""Records: every payload of a delivery, exactly as received, with its place and what is wrong with it."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medallion import conf
from medallion.conf import Source
from medallion.landing import Landing
from medallion.records import Record, plain, read, records
from medallion.records.identity import identified

PROJECT = Path(__file__).resolve().parents[2]


def _source(format: str, delivers: str = "events", **more: Any) -> Source:
    return Source.model_validate({"format": format, "delivers": delivers, "system": "test", **more})


JSON, CSV = _source("json"), _source("csv")


def _payloads(content: bytes, name: str, source: Source) -> list[tuple[str, int, str | None]]:
    return [(r.payload, r.position, r.problem) for r in records(content, name, source)]


def _cells(content: bytes, source: Source = CSV) -> list[dict[str, str] | None]:
    return [record.fields for record in records(content, "a.csv", source)]


def test_a_json_file_is_one_payload_as_it_came() -> None:
    assert _payloads(b' {"a":\r\n1}\n', "a.json", JSON) == [(' {"a":\r\n1}\n', 1, None)]


def test_a_line_of_a_jsonl_file_is_a_payload_whatever_ends_it() -> None:
    content = '{"a":1}\r\n{"b":2}\n{"c":"\u2028\x85\x0b"}\r\n{"d":4}'.encode()

    found = _payloads(content, "a.jsonl", JSON)

    assert found == [
        ('{"a":1}', 1, None),
        ('{"b":2}', 2, None),
        ('{"c":"\u2028\x85\x0b"}', 3, None),
        ('{"d":4}', 4, None),
    ]
    assert found == _payloads(content + b"\n", "a.ndjson", JSON)


def test_an_empty_payload_is_kept_and_marked() -> None:
    assert _payloads(b"", "a.json", JSON) == [("", 1, "empty")]
    assert _payloads(b" \n\t", "a.json", JSON) == [(" \n\t", 1, "empty")]
    assert _payloads(b"", "a.jsonl", JSON) == []
    assert _payloads(b"1\n\n \r\n2\n", "a.jsonl", JSON) == [
        ("1", 1, None),
        ("", 2, "empty"),
        (" ", 3, "empty"),
        ("2", 4, None),
    ]


@pytest.mark.parametrize(
    ("source", "name", "content"),
    [
        (_source("json", max_bytes=4), "a.jsonl", "éé\néé.\n"),
        (_source("csv", max_bytes=4), "a.csv", "word\néé\néé.\n"),
    ],
)
def test_a_payload_that_is_too_large_in_bytes_is_kept_and_marked(source: Source, name: str, content: str) -> None:
    found = list(records(content.encode(), name, source))

    assert [record.payload for record in found] == ["éé", "éé."]
    assert [record.problem for record in found] == [None, "too large: 5 bytes, at most 4"]


def test_a_byte_order_mark_is_no_part_of_the_payload() -> None:
    for encoding in ("utf-8", "UTF8", "utf_8"):
        source = _source("csv", encoding=encoding)
        assert _cells(b"\xef\xbb\xbfid,name\n1,x\n", source) == [{"id": "1", "name": "x"}]
    assert _payloads(b'\xef\xbb\xbf{"a":1}', "a.json", JSON) == [('{"a":1}', 1, None)]


def test_bytes_that_are_no_text_are_marked_and_stay_told_apart() -> None:
    one, other = _payloads(b'{"a":"\xff"}', "a.json", JSON), _payloads(b'{"a":"\xfe"}', "a.json", JSON)

    assert one == [('{"a":"\\xff"}', 1, "not utf-8")]
    assert other == [('{"a":"\\xfe"}', 1, "not utf-8")]


def test_one_bad_byte_spoils_its_own_record_only() -> None:
    assert _payloads(b"1\n\xe4\n3\n", "a.jsonl", JSON) == [("1", 1, None), ("\\xe4", 2, "not utf-8"), ("3", 3, None)]
    found = list(records(b"id,name\n1,\xe4\n2,\xc3\xa4\n", "a.csv", CSV))
    assert [(record.payload, record.problem) for record in found] == [("1,\\xe4", "not utf-8"), ("2,ä", None)]


def test_a_declared_encoding_is_read_as_such() -> None:
    latin = _source("csv", encoding="latin-1")

    assert _cells(b"id,name\n1,M\xfcller\n", latin) == [{"id": "1", "name": "Müller"}]
    assert _cells("id,name\n1,Müller\n".encode("utf-16"), _source("csv", encoding="utf-16")) == [
        {"id": "1", "name": "Müller"}
    ]


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252", "ascii"])
def test_bytes_that_are_not_the_declared_encoding_are_marked(encoding: str) -> None:
    (found,) = records(b'"\x81"', "a.json", _source("json", encoding=encoding))

    assert found.problem == f"not {encoding}"


def test_csv_rows_keep_their_text_and_the_line_they_start_on() -> None:
    content = 'id, name \r\n1,"a, ""b"""\r\n\n2,"two\r\nlines\n\nof it"\n 3 ,\n4,ä'.encode()

    found = list(records(content, "a.csv", CSV))

    assert found == [
        Record('1,"a, ""b"""', 2, {"id": "1", "name": 'a, "b"'}),
        Record('2,"two\r\nlines\n\nof it"', 4, {"id": "2", "name": "two\r\nlines\n\nof it"}),
        Record(" 3 ,", 8, {"id": " 3 ", "name": ""}),
        Record("4,ä", 9, {"id": "4", "name": "ä"}),
    ]


def test_ragged_rows_are_kept_and_marked() -> None:
    found = list(records(b"id,name\n1\n2,b,c\n3,d\n", "a.csv", CSV))

    assert found == [
        Record("1", 2, {"id": "1"}, problem="ragged: 1 cells under a header of 2"),
        Record("2,b,c", 3, {"id": "2", "name": "b"}, problem="ragged: 3 cells under a header of 2"),
        Record("3,d", 4, {"id": "3", "name": "d"}),
    ]


def test_columns_of_one_name_are_marked_since_no_one_can_tell_which_is_meant() -> None:
    (found,) = records(b"id,name,id\n1,a,2\n", "a.csv", CSV)

    assert (found.payload, found.problem) == ("1,a,2", "header names a column twice: id")


def test_a_header_that_is_no_text_spoils_all_rows() -> None:
    (found,) = records(b"id,\xff\n1,a\n", "a.csv", CSV)

    assert (found.payload, found.fields, found.problem) == ("1,a", None, "header is not text")


def test_an_unterminated_quote_keeps_the_rest_as_one_marked_record() -> None:
    found = list(records(b'id,name\n1,a\n2,"b\n3,c\n', "a.csv", CSV))

    assert found[0] == Record("1,a", 2, {"id": "1", "name": "a"})
    assert (found[1].payload, found[1].position, found[1].fields) == ('2,"b\n3,c\n', 3, None)
    assert (found[1].problem or "").startswith("not csv: ")
    assert len(found) == 2


def test_a_csv_file_without_rows_holds_no_record() -> None:
    assert _cells(b"") == _cells(b"\n\n") == _cells(b"id,name\n") == []


def test_a_cell_may_be_larger_than_pythons_default() -> None:
    (found,) = _cells(b"id\n" + b"x" * 200_000 + b"\n")

    assert found == {"id": "x" * 200_000}


@settings(deadline=None)  # the first call imports Arrow
@given(
    st.lists(
        st.sampled_from(
            ["", " ", "\x1c", "1", "1,é", "1,2", ",", '1,"2"', "long enough to be too large", "\u2028", "\0"]
        )
    ),
    st.sampled_from([b"\n", b"\r\n", b"\r"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([JSON.model_copy(update={"max_bytes": 20}), CSV.model_copy(update={"max_bytes": 20})]),
)
def test_plain_reading_finds_what_exact_reading_does(
    lines: list[str], ending: bytes, last: bool, mark: bool, source: Source
) -> None:
    content = ending.join(line.encode() for line in lines) + (ending if last else b"")
    content = b"\xef\xbb\xbf" + content if mark else content

    found = plain.read_plain(content, "a.jsonl", "files/a.jsonl", source)

    exact = plain.from_records(("files/a.jsonl", record) for record in records(content, "a.jsonl", source))
    assert found is None or found.to_pylist() == exact.to_pylist()


@pytest.mark.parametrize(
    ("source", "content", "is_plain"),
    [
        (JSON, b'{"a": 1}\r\n{"a": 2}\r\n', True),
        (JSON, b'{"a": 1}\r{"a": 2}\r\n', False),
        (JSON, b"\xff\n", False),
        (CSV, b"id,name\n1,x\n\n2,y\n", True),
        (CSV, b'id,name\n1,"x"\n', False),
        (CSV, b"id,name\n1\n", False),
        (CSV, b"id,id\n1,2\n", False),
        (_source("csv", encoding="latin-1"), b"id\n1\n", False),
    ],
)
def test_what_is_plain(source: Source, content: bytes, is_plain: bool) -> None:
    assert (plain.read_plain(content, "a.jsonl", "files/a.jsonl", source) is not None) is is_plain


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(conf.load("shop", [f"storage.landing.root={tmp_path}"], PROJECT), "customers")


def test_equal_lines_of_a_delivery_keep_their_occurrence(landing: Landing) -> None:
    landing.deliver([("a.jsonl", b"x\ny\nx\n"), ("b.jsonl", b"x\n")])
    landing.deliver([("a.jsonl", b"x\n")])

    batch = read(landing, JSON, landing.after(0))

    told = [(row["payload"], row["delivery"], row["position"], row["occurrence"]) for row in batch.table.to_pylist()]
    assert told == [("x", 1, 1, 1), ("y", 1, 2, 1), ("x", 1, 3, 2), ("x", 1, 1, 3), ("x", 2, 1, 1)]
    assert (batch.read, batch.repeats) == (5, 0)


def test_an_extract_holds_news_against_the_one_before_only(landing: Landing) -> None:
    source = _source("csv", "snapshot")
    for rows in (b"1,A\n2,C\n", b"1,B\n2,C\n", b"1,A\n2,C\n2,C\n"):
        landing.deliver([("a.csv", b"id,name\n" + rows)])

    batch = read(landing, source, landing.after(0))

    told = [(row["payload"], row["delivery"], row["occurrence"]) for row in batch.table.to_pylist()]
    assert told == [("1,A", 1, 1), ("2,C", 1, 1), ("1,B", 2, 1), ("1,A", 3, 1), ("2,C", 3, 2)]
    assert batch.read == len(batch.table) + batch.repeats == 7
    assert read(landing, source, landing.after(2)).table == batch.table.slice(3)  # read one by one: the same


def test_an_extract_is_news_as_a_whole_where_the_one_before_is_gone(landing: Landing) -> None:
    for _ in range(2):
        landing.deliver([("a.csv", b"id\n1\n")])
    (landing.folder / landing.manifest(1).files[0].path).unlink()

    batch = read(landing, _source("csv", "snapshot"), landing.after(1))

    assert ([row["payload"] for row in batch.table.to_pylist()], batch.repeats) == (["1"], 0)


def test_a_file_that_is_an_extract_follows_the_last_of_its_name(landing: Landing) -> None:
    source = _source("csv", "snapshot", extract="file")
    for files in (
        {"mon.csv": b"1,A\n2,C\n", "tue.csv": b"1,A\n"},  # the same line of another day is news
        {"mon.csv": b"1,B\n2,C\n"},
        {"wed.csv": b"1,A\n"},
        {"mon.csv": b"1,A\n2,C\n"},  # A, B, A
    ):
        landing.deliver([(name, b"id,name\n" + rows) for name, rows in files.items()])

    batch = read(landing, source, landing.after(0))

    told = [
        (row["payload"], row["delivery"], row["landing_file"].rpartition("/")[2]) for row in batch.table.to_pylist()
    ]
    assert told == [
        ("1,A", 1, "mon.csv"),
        ("2,C", 1, "mon.csv"),
        ("1,A", 1, "tue.csv"),
        ("1,B", 2, "mon.csv"),
        ("1,A", 3, "wed.csv"),
        ("1,A", 4, "mon.csv"),
    ]
    assert len(set(identified(batch.table, source)["_identity"].to_pylist())) == len(told)
    assert batch.read == len(batch.table) + batch.repeats == 8
    assert read(landing, source, landing.after(3)).table == batch.table.slice(5)  # read one by one: the same


def test_only_snapshots_have_extracts() -> None:
    with pytest.raises(ValueError, match="extract: only snapshots have extracts"):
        _source("csv", "events", extract="file")


def test_no_delivery_makes_a_table_without_rows(landing: Landing) -> None:
    found = read(landing, CSV, []).table

    assert found.num_rows == 0
    assert found.schema.names[:3] == ["payload", "fields", "rescued"]
