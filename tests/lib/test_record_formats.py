"""Every format a source may deliver, and a table of bad inputs: each payload is kept and says what is wrong with it."""

import base64
import datetime as dt
import gzip
import io
import json
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from medallion.conf import Source
from medallion.records import identity, read
from tests import figures
from tests.lib.bare_landing import bare_landing

ENVELOPES = "0001.envelopes.jsonl"


def _source(**told: Any) -> Source:
    return Source.model_validate({"format": "json", "delivers": "events", "system": "s", **told})


def _read(tmp_path: Path, source: Source, *files: tuple[str, bytes]) -> pa.Table:
    """Return the records of one delivery, judged and identified as bronze does it."""
    landing = bare_landing(tmp_path, "source")
    batch = read(landing, source, [landing.deliver(files)])
    return identity.identified(batch.table, source)


def _zip(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def _parquet(**columns: Any) -> bytes:
    packed = io.BytesIO()
    pq.write_table(pa.table(columns), packed)
    return packed.getvalue()


CSV = _source(format="csv", columns={"Province/State": "province", "Confirmed": "confirmed", "id": "id"})
JSON, LIST, PARQUET = _source(), _source(records="$.data"), _source(format="parquet", columns={"a": "a"})
NOT_JSON = "not a JSON object"
DEEP = b'{"a":' * 10_000 + b"1" + b"}" * 10_000

# Source, file, its bytes -> for each record its problem, or None where it is sound. Every byte is in landing; what can
# be shown of it is in the payload.
BAD_INPUTS: list[tuple[Source, str, bytes, list[str | None]]] = [
    (JSON, "truncated.json", b'{"a": 1, "b": [1, 2', [NOT_JSON]),
    (JSON, "empty.json", b"", ["empty"]),
    (JSON, "blank.json", b" \n\t ", ["empty"]),
    (JSON, "null.json", b"null", [NOT_JSON]),
    (JSON, "array.json", b'[{"a": 1}]', [NOT_JSON]),
    (JSON, "string.json", b'"text"', [NOT_JSON]),
    (JSON, "number.json", b"7", [NOT_JSON]),
    (JSON, "nan.json", b'{"a": NaN}', [NOT_JSON]),
    (JSON, "infinity.json", b'{"a": -Infinity}', [NOT_JSON]),
    (JSON, "twice.json", b'{"a": 1, "a": 2}', [NOT_JSON]),
    (JSON, "twice_inside.json", b'{"x": {"a": 1, "a": 2}}', [NOT_JSON]),
    (JSON, "trailing.json", b'{"a": 1} {"b": 2}', [NOT_JSON]),
    (JSON, "single_quotes.json", b"{'a': 1}", [NOT_JSON]),
    (JSON, "comment.json", b'{"a": 1 /* one */}', [NOT_JSON]),
    (JSON, "bom.json", b'\xef\xbb\xbf{"a": 1}', [None]),
    (JSON, "not_utf8.json", b'{"a": "\xff"}', ["not utf-8"]),
    (JSON, "latin1.json", '{"a": "é"}'.encode("latin-1"), ["not utf-8"]),
    (JSON, "nul.json", b'{"a": "\x00"}', [NOT_JSON]),
    (JSON, "escaped_nul.json", b'{"a": "\\u0000"}', [None]),
    (JSON, "lone_surrogate.json", b'{"a": "\\ud800"}', [NOT_JSON]),
    (JSON, "deep.json", DEEP, [NOT_JSON]),
    (JSON, "huge_number.json", b'{"a": 1' + b"0" * 5000 + b"}", [NOT_JSON]),  # more digits than Python reads
    (_source(max_bytes=10), "large.json", b'{"a": "0123456789"}', ["too large: 19 bytes, at most 10"]),
    (JSON, "lines.jsonl", b'{"a":1}\n\n{"a":2\r\n{"a":3}\r\n', [None, "empty", NOT_JSON, None]),
    (JSON, "mixed_ends.jsonl", b'{"a":1}\r\n{"a":2}\n{"a":3}', [None, None, None]),
    (JSON, "half.jsonl.gz", gzip.compress(b'{"a":1}\n' * 99)[:-12], ["cannot be unpacked"]),
    (JSON, "no_gzip.jsonl.gz", b'{"a":1}', ["cannot be unpacked"]),
    (JSON, "good.jsonl.gz", gzip.compress(b'{"a":1}\n{"a":2}\n'), [None, None]),
    (JSON, "good.zip", _zip(**{"in/a.jsonl": b'{"a":1}\n'}), [None]),
    (JSON, "two.zip", _zip(a=b"1", b=b"2"), ["cannot be unpacked: holds 2 files, wanted one"]),
    (JSON, "no.zip", b"PK nonsense", ["cannot be unpacked"]),
    (LIST, "page.json", b'{"n": 2, "data": [{"a": 1}, null, 3]}', [None, NOT_JSON, NOT_JSON]),
    (LIST, "empty_list.json", b'{"data": []}', []),
    (_source(records="$.data[1]['in']"), "deep_list.json", b'{"data": [0, {"in": [{"a": 1}, {}]}]}', [None, None]),
    (_source(records="$.data[2]"), "short_list.json", b'{"data": [0, []]}', ["no list of records at $.data[2]"]),
    (LIST, "no_list.json", b'{"data": {"a": 1}}', ["no list of records at $.data"]),
    (LIST, "other_shape.json", b'{"items": []}', ["no list of records at $.data"]),
    (LIST, "half_page.json", b'{"data": [{"a": 1}, {"a"', ["no list of records at $.data"]),
    (LIST, "trailing_page.json", b'{"data": [{"a": 1}]} x', ["no list of records at $.data"]),
    (CSV, "ragged.csv", b"id,Confirmed\n1\n2,b,c\n3,d\n", ["ragged: 1", "ragged: 3", None]),
    (CSV, "twice.csv", b"id,id\n1,2\n", ["header names a column twice: id"]),
    (CSV, "twice_renamed.csv", b"province,Province/State\n1,2\n", ["header names a column twice: province"]),
    (CSV, "header_only.csv", b"id,Confirmed\n", []),
    (CSV, "empty.csv", b"", []),
    (CSV, "open_quote.csv", b'id,Confirmed\n1,"a\n2,b\n', ["not csv"]),
    (CSV, "quoted_newline.csv", b'id,Confirmed\n1,"a\nb"\n2,c\n', [None, None]),
    (CSV, "bom_crlf.csv", b"\xef\xbb\xbfid,Confirmed\r\n1,a\r\n\r\n2,b\r\n", [None, None]),
    (CSV, "mixed_ends.csv", b"id,Confirmed\r\n1,a\n2,b\r\n", [None, None]),
    (CSV, "not_utf8.csv", b"id,Confirmed\n1,\xff\n2,b\n", ["not utf-8", None]),
    (CSV, "header_not_utf8.csv", b"id,\xff\n1,2\n", ["header is not text"]),
    (CSV, "nul.csv", b"id,Confirmed\n1,\x00\n", [None]),
    (_source(format="csv", encoding="latin-1"), "latin1.csv", "a\né\n".encode("latin-1"), [None]),
    (PARQUET, "no.parquet", b"PAR1 nonsense", ["not Parquet"]),
    (PARQUET, "empty.parquet", b"", ["not Parquet"]),
    (PARQUET, "cut.parquet", _parquet(a=[1, 2])[:-20], ["not Parquet"]),
    (PARQUET, "good.parquet", _parquet(a=[1, None]), [None, None]),
    (
        JSON,
        ENVELOPES,
        b'{"id": "1", "body": "{}"}\n{"id": 2}\nnonsense\n',
        [None, "not an envelope", "not an envelope"],
    ),
    (JSON, ENVELOPES, b'{"id": "1", "body64": "***"}\n', ["not an envelope"]),
    (JSON, ENVELOPES, b'{"id": "1", "body64": "' + base64.b64encode(b'{"a":"\xff"}') + b'"}\n', ["not utf-8"]),
]


@pytest.mark.parametrize(("source", "name", "content", "problems"), BAD_INPUTS, ids=[one[1] for one in BAD_INPUTS])
def test_each_bad_input_ends_where_it_should(
    tmp_path: Path, source: Source, name: str, content: bytes, problems: list[str | None]
) -> None:
    found = _read(tmp_path, source, (name, content)).to_pylist()

    told = [record["_problem"] for record in found]
    figures.note("bad inputs", tried=1, unaccounted=abs(len(told) - len(problems)))
    assert len(told) == len(problems)
    for problem, wanted in zip(told, problems, strict=True):
        assert problem == wanted if wanted is None else str(problem).startswith(wanted)
    assert len({record["_identity"] for record in found}) == len(found)
    (kept,) = tmp_path.rglob(name)
    assert kept.read_bytes() == content


def test_columns_are_called_as_conf_says_and_unknown_ones_are_kept_apart(tmp_path: Path) -> None:
    plain = (b"\xef\xbb\xbfid,Province/State,Lat\n1,Vienna,48.2\n", b"id,province\n2,Graz\n")
    quoted = (b'id,Province/State,Lat\n1,"Vienna",48.2\n', b'id,province\n2,"Graz"\n')

    for files in (plain, quoted):
        found = _read(tmp_path, CSV, *((f"{number}.csv", content) for number, content in enumerate(files)))

        cells = [(dict(record["fields"]), record["rescued"]) for record in found.to_pylist()]
        assert cells == [
            ({"id": "1", "province": "Vienna"}, [("Lat", "48.2")]),
            ({"id": "2", "province": "Graz"}, None),
        ]


def test_all_unknown_columns_are_told(tmp_path: Path) -> None:
    landing = bare_landing(tmp_path, "source")
    manifest = landing.deliver(
        [("a.csv", b"id,Lat\n1,2\n"), ("b.csv", b'id,Long,Lat\n1,"2",3\n'), ("c.csv", b"id\n1\n")]
    )

    assert read(landing, CSV, [manifest]).unknown_columns() == ["Lat", "Long"]
    assert read(landing, _source(format="csv"), [manifest]).unknown_columns() == []


def test_a_listed_record_is_the_very_text_it_was(tmp_path: Path) -> None:
    page = '{"a": [9], "data" : [ {"id": 1,  "x": 1.50, "t": "é\\n]"} ,\n{"id":2,"data":[]}\t] }'.encode()
    source = _source(records="$.data", key="$.id")

    found = _read(tmp_path, source, ("page.json", page)).to_pylist()

    assert [(r["payload"], r["_key"], r["position"]) for r in found] == [
        ('{"id": 1,  "x": 1.50, "t": "é\\n]"}', "1", 1),
        ('{"id":2,"data":[]}', "2", 2),
    ]


def test_an_envelope_gives_payload_and_key_of_its_event(tmp_path: Path) -> None:
    body = '{"b": 1,\n "a": "é"}\n'
    lines = [json.dumps({"id": key, "received_at": "2026-01-01T00:00:00Z", "body": body}) for key in ("k1", "k2", "k1")]

    found = _read(tmp_path, JSON, (ENVELOPES, "\n".join(lines).encode()))
    news, duplicates = identity.Seen().sort_out(found)

    assert [record["payload"] for record in news.to_pylist()] == [body, body]
    assert duplicates == 1


def test_parquet_keeps_every_digit_and_every_instant(tmp_path: Path) -> None:
    zone = dt.timezone(dt.timedelta(hours=2))
    content = _parquet(
        n=pa.array([Decimal("12345678901234567890.123456789"), None], pa.decimal128(38, 9)),
        t=pa.array([dt.datetime(2026, 1, 1, 12, 0, 0, 1, zone), None], pa.timestamp("us", "Europe/Berlin")),
        d=pa.array([dt.date(2026, 1, 1), None]),
        b=pa.array([b"\xff", None]),
        l=pa.array([[1, 2], None]),
        s=pa.array(["é", None]),
        f=pa.array([True, None]),
    )

    first, second = _read(tmp_path, _source(format="parquet"), ("a.parquet", content)).to_pylist()

    assert dict(first["fields"]) == {
        "n": "12345678901234567890.123456789",
        "t": "2026-01-01T11:00:00.000001+01:00",
        "d": "2026-01-01",
        "b": "/w==",
        "l": "[1,2]",
        "s": "é",
        "f": "true",
    }
    assert json.loads(first["payload"])["n"] == "12345678901234567890.123456789"
    assert set(dict(second["fields"]).values()) == {None}
