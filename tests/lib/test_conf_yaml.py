"""Conf files as plain YAML: what is read, and what is refused at which line and column."""

from pathlib import Path

import pytest

from medallion.conf.yaml_file import parse_scalar, parse_yaml, read_yaml
from medallion.errors import ConfError

SECRET = "hunter2-do-not-show"


def _refusal(path: Path) -> str:
    with pytest.raises(ConfError) as refused:
        read_yaml(path, path.name)
    return str(refused.value)


def test_yaml_is_read_as_usual_but_for_dates(tmp_path: Path) -> None:
    text = "\ufeffa: [1, 2.5, true, null, x]\nb: {c: 'yes', d: 2026-01-31, e: \"\\t\"}\nf: =\n<<: g\n"
    (tmp_path / "shop.yaml").write_text(text, encoding="utf-8")

    assert read_yaml(tmp_path / "shop.yaml", "shop.yaml") == {
        "a": [1, 2.5, True, None, "x"],
        "b": {"c": "yes", "d": "2026-01-31", "e": "\t"},
        "f": "=",
        "<<": "g",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1\nb: 2", "line 2, column"),
        ("a: 1\n\tb: 2", "line 2, column 1: "),
        ("a: 1\nb: 2\na: 3", "line 3, column 1: key 'a' is there twice"),
        ("a: {b: {c: 1, c: 2}}", "line 1, column 15: key 'c' is there twice"),
        (
            "a: !!python/object/apply:os.system [ls]",
            "line 1, column 4: anchors (&), aliases (*) and tags (!)",
        ),
        ("a: &x 1\nb: *x", "line 1, column 4: anchors (&), aliases (*) and tags (!) are not read"),
        ("a: &x [*x]", "line 1, column 4: anchors"),
        ("1: x", "line 1, column 1: a key must be text; quote it"),
        ("on: x", "line 1, column 1: a key must be text; quote it"),
        ("? [a]\n: 1", "line 1, column 3: a key must be text; quote it"),
        ("a: 1\n---\nb: 2", "line 2, column 1: but found another document"),
        ("a: \x07", "line 1: found a control character; wanted plain text"),
        ("a: 0b_", "found a number or a nesting that cannot be read"),
        (f"a: {'[' * 2000}", "found a number or a nesting that cannot be read"),
        ("", "found no map; wanted a map of keys"),
        ("- a", "found no map; wanted a map of keys"),
        (f"a: !{SECRET} 1", "line 1, column 4: anchors"),
        (f"a: !x!{SECRET} 1", "found undefined tag handle"),
    ],
)
def test_a_file_that_is_no_plain_yaml_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "shop.yaml").write_text(text)

    refusal = _refusal(tmp_path / "shop.yaml")

    assert refusal.startswith("shop.yaml: ")
    assert message in refusal
    assert SECRET not in refusal


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_bytes("description: café".encode("latin-1"))

    assert _refusal(tmp_path / "shop.yaml") == "shop.yaml: cannot be read as UTF-8 text: UnicodeDecodeError"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        (" true ", True),
        ("", None),
        ("null", None),
        ("#fff", "#fff"),
        ("a: b", "a: b"),
        ("*", "*"),
        ("&", "&"),
        ("'3'", "3"),
        ("[1, {a: b}]", [1, {"a": "b"}]),
    ],
)
def test_a_scalar_is_read_as_yaml_reads_a_plain_one(text: str, value: object) -> None:
    assert parse_scalar(text, "here") == value


def test_a_message_does_not_quote_the_file() -> None:
    with pytest.raises(ConfError) as refused:
        parse_yaml(f"a: 'unfinished {SECRET}", "shop.yaml")

    assert str(refused.value).startswith("shop.yaml: line 1, column ")
    assert SECRET not in str(refused.value)
