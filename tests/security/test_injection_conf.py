"""Conf: any string as a name, a key or a value is refused by its file and key, or kept as it is; nothing is run."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from medallion.errors import ConfError
from tests import figures
from tests.lib.conftest import Lab
from tests.security.corpus import STRINGS
from tests.security.surroundings import executed, ran

PIPELINE = "conf/pipelines/lab.yaml"
SOURCE = {"format": "json", "delivers": "events", "system": "gateway"}
CHECK = {"rule": "not_null", "column": "value"}
# What a string becomes in conf -> how it is read back where it is good; each is (path of keys, value).
PLACES: dict[str, Any] = {
    "a source's name": lambda text: ({"sources": {text: SOURCE}}, None),
    "a source's key": lambda text: ({"sources": {"more": {**SOURCE, "key": text}}}, lambda c: c.sources["more"].key),
    "a list of records": lambda text: ({"sources": {"more": {**SOURCE, "records": text}}}, None),
    "a csv column": lambda text: (
        {"sources": {"more": {**SOURCE, "format": "csv", "columns": {text: text}}}},
        lambda c: next(iter(c.sources["more"].columns)),
    ),
    "a system": lambda text: ({"sources": {"more": {**SOURCE, "system": text}}}, lambda c: c.sources["more"].system),
    "an encoding": lambda text: ({"sources": {"more": {**SOURCE, "encoding": text}}}, None),
    "a table": lambda text: ({"expectations": {text: [CHECK]}}, None),
    "a column": lambda text: (
        {"expectations": {"gold.daily": [{**CHECK, "column": text}]}},
        lambda c: c.expectations["gold.daily"][0].column,
    ),
    "a pattern": lambda text: (
        {"expectations": {"gold.daily": [{"rule": "regex", "column": "day", "pattern": text}]}},
        lambda c: c.expectations["gold.daily"][0].pattern,
    ),
    "an accepted value": lambda text: (
        {"expectations": {"gold.daily": [{"rule": "accepted_values", "column": "day", "values": [text]}]}},
        lambda c: c.expectations["gold.daily"][0].values[0],
    ),
    "a check's file": lambda text: ({"expectations": {"gold.daily": [{"rule": "sql", "name": text}]}}, None),
    "another table": lambda text: (
        {"expectations": {"gold.daily": [{"rule": "relationships", "column": "day", "to": text, "field": "day"}]}},
        None,
    ),
    "a parameter's name": lambda text: ({"parameters": {text: 1}}, None),
    "a parameter": lambda text: ({"parameters": {"more": text}}, lambda c: c.parameters["more"]),
    "a cached table": lambda text: ({"cache": {"tables": {text: {"order_by": "day"}}}}, None),
    "a searched column": lambda text: (
        {"cache": {"tables": {"gold.daily": {"order_by": "day", "searched": [text]}}}},
        lambda c: c.cache.tables["gold.daily"].searched[0],
    ),
    "a key of a pipeline": lambda text: ({text: 1}, None),
    "a description": lambda text: ({"description": text}, lambda c: c.description),
    "a schedule": lambda text: ({"schedule": {"cron": text, "zone": "UTC"}}, None),
    "a time zone": lambda text: ({"schedule": {"cron": "0 6 * * *", "zone": text}}, None),
}
NAMES = {"a source's name", "a parameter's name", "a table", "another table", "a cached table", "a check's file"}


@pytest.mark.parametrize("place", PLACES)
def test_a_string_in_a_pipelines_conf_is_refused_by_its_file_or_kept(
    lab: Lab, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an override too: what it says there is a value, or refused with the command line to blame."""
    (tmp_path / "stand").mkdir()
    monkeypatch.chdir(tmp_path / "stand")
    whole = yaml.safe_load((lab.folder / PIPELINE).read_text())
    wrong, kept = [], 0
    for text in STRINGS[:: 1 if place in NAMES else 3]:
        added, read_back = PLACES[place](text)
        merged = {**whole, **added}
        (lab.folder / PIPELINE).write_text(json.dumps(merged, ensure_ascii=False), encoding="utf-8")
        try:
            conf = lab.conf().pipeline
        except ConfError as error:
            if not str(error).startswith(f"{PIPELINE}: "):
                wrong.append((text, str(error)))
            continue
        kept += 1
        if read_back is not None and read_back(conf) != text:
            wrong.append((text, read_back(conf)))
        plain = text.replace("_", "a").replace(".", "a")
        if place in NAMES and not plain.isidentifier():
            wrong.append((text, "taken for a name"))

    assert wrong == []
    assert executed(tmp_path / "stand", lab.folder) == []
    figures.note(
        "injection",
        tried=len(STRINGS[:: 1 if place in NAMES else 3]),
        executed=ran(),
        unaccounted=len(wrong),
    )


def test_a_root_may_be_any_folder_whose_name_can_be_printed(lab: Lab) -> None:
    refused = []
    for text in STRINGS:
        if "://" in text or not text.strip():
            continue
        try:
            root = lab.conf(f"storage.landing.root={json.dumps('data/x' + text, ensure_ascii=False)}").root("landing")
        except ConfError:
            refused.append(text)
            continue
        assert root.startswith(str(lab.folder / "data/x"))

    assert [text for text in refused if text.isprintable()] == []
    figures.note("injection", tried=len(STRINGS), executed=ran(), unaccounted=0)
