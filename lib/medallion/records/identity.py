"""Which record is which: identity, business key and what is wrong with it, told on the driver, where the bytes are.

A JSON parser in Python's process takes a twentieth of what Spark's expressions do, which parse a payload anew for
each column (measured: docs/performance.md).
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import jiter
import pyarrow as pa
import pyarrow.compute as pc

from medallion.conf import Source

REUSED = "idempotency key reused with other bytes"
NO_OBJECT = "not a JSON object"
_STEP = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+)\]|\['([^']+)'\]")
_AT_ONCE = 10_000  # payloads that are Python's own at a time


def identified(found: pa.Table, source: Source) -> pa.Table:
    """Return records with ``_payload_sha256``, ``_problem``, ``_key`` and ``_identity``.

    ``found`` has the columns of `records.Batch`. Identity follows what the source delivers: the idempotency key;
    or the content with its place among equal ones, and for an extract its delivery or file. A record that is broken has
    no keys: they must not count.
    """
    columns: dict[str, list[str | None]] = {name: [] for name in ("_payload_sha256", "_problem", "_key", "_identity")}
    for start in range(0, len(found), _AT_ONCE):
        part = found.slice(start, _AT_ONCE)
        payloads: list[bytes] = part["payload"].cast(pa.large_binary()).to_pylist()
        hashes = [sha256(payload).hexdigest() for payload in payloads]
        read = _from_json if source.format == "json" else _from_csv
        problems, keys, event_keys = read(part, payloads, source)
        placed = (part[name].to_pylist() for name in ("occurrence", "delivery", "landing_file"))
        places = zip(*placed, strict=True)
        columns["_payload_sha256"] += hashes
        columns["_problem"] += problems
        columns["_key"] += keys
        given = part["event_key"].to_pylist()  # told beside the payload, as by a webhook's header
        event_keys = [_given(own) or _given(beside) for own, beside in zip(event_keys, given, strict=True)]
        columns["_identity"] += map(_identity(source), hashes, event_keys, places)
    arrays = {name: pa.array(values, pa.string()) for name, values in columns.items()}
    for name, array in arrays.items():
        found = found.append_column(name, array)
    return found


class Seen:
    """Identities and the payloads that came with each, by their hash; most have one.

    A record with another's idempotency key and bytes of its own is kept, with that as its problem.
    """

    def __init__(self) -> None:
        self._first: dict[str, str] = {}
        self._others: set[tuple[str, str]] = set()

    def count(self) -> int:
        """Return how many there are."""
        return len(self._first) + len(self._others)

    def add(self, known: Iterable[tuple[str, str, bool]]) -> None:
        """Add identities of which a table has the payload of this hash, and whether it was the first."""
        for identity, payload_hash, is_first in known:
            if is_first:
                self._first[identity] = payload_hash
            else:
                self._others.add((identity, payload_hash))

    def sort_out(self, records: pa.Table) -> tuple[pa.Table, int]:
        """Return the records not seen yet, with ``_record_id``, and the number of the others; now they are seen."""
        is_news, ids, is_other = [], [], []
        for identity, payload_hash in zip(
            records["_identity"].to_pylist(), records["_payload_sha256"].to_pylist(), strict=True
        ):
            news, other = self._see(identity, payload_hash)
            is_news.append(news)
            is_other.append(other)
            ids.append(sha256((identity + payload_hash).encode()).hexdigest() if other else identity)
        problem = pc.if_else(pa.array(is_other, pa.bool_()), REUSED, records["_problem"])
        judged = records.set_column(records.schema.get_field_index("_problem"), "_problem", problem)
        news_only = judged.append_column("_record_id", pa.array(ids, pa.string())).filter(pa.array(is_news, pa.bool_()))
        return news_only, len(records) - len(news_only)

    def _see(self, identity: str, payload_hash: str) -> tuple[bool, bool]:
        """Tell whether a record is news, and whether it came with another's key; from now on it is seen."""
        first = self._first.get(identity)
        if first == payload_hash:
            return False, False
        is_news = (identity, payload_hash) not in self._others
        if first is None:
            self._first[identity] = payload_hash
            return is_news, False
        self._others.add((identity, payload_hash))
        return is_news, True


def _given(event_key: str | None) -> str | None:
    """Return an event's key; None for a blank one, which many events may have."""
    return event_key if event_key and event_key.strip() else None


def _identity(source: Source) -> Any:
    def of_record(payload_hash: str, event_key: str | None, place: tuple[int, int, str]) -> str:
        if event_key is not None:
            told = [source.system, "key", event_key]
        else:
            occurrence, delivery, file = place
            told = [source.system, payload_hash, str(occurrence)]
            if source.delivers == "snapshot":
                told.append(str(delivery))
            if source.extract == "file":
                told.append(file.rpartition("/")[2])
        return sha256("\n".join(told).encode()).hexdigest()

    return of_record


def _from_csv(
    part: pa.Table, payloads: Sequence[bytes], source: Source
) -> tuple[list[str | None], list[str | None], list[str | None]]:
    is_sound = pc.is_null(part["problem"])

    def cell(column: str | None) -> list[str | None]:
        if column is None:
            return [None] * len(payloads)
        found = pc.map_lookup(part["fields"], query_key=pa.scalar(column), occurrence="first")
        return list(pc.if_else(is_sound, found, pa.scalar(None, found.type)).to_pylist())

    return part["problem"].to_pylist(), cell(source.key), cell(source.idempotency_key)


def _from_json(
    part: pa.Table, payloads: Sequence[bytes], source: Source
) -> tuple[list[str | None], list[str | None], list[str | None]]:
    steps = [[steps_of(path) for path in paths] for paths in (source.key_paths, source.event_key_paths)]
    problems: list[str | None] = []
    found: tuple[list[str | None], list[str | None]] = ([], [])
    for payload, problem in zip(payloads, part["problem"].to_pylist(), strict=True):
        content = json_object(payload) if problem is None else None
        problems.append(problem if content is not None or problem is not None else NO_OBJECT)
        for keys, paths in zip(found, steps, strict=True):
            keys.append(None if content is None else _key_of(content, paths))
    return problems, *found


def _key_of(content: Mapping[str, Any], paths: Sequence[Sequence[str | int]]) -> str | None:
    """Return what stands at a path; of several a JSON list of texts, written as PostgreSQL does."""
    if len(paths) <= 1:
        return _text_at(content, paths[0]) if paths else None
    return json.dumps([_text_at(content, path) for path in paths], ensure_ascii=False)


def json_object(payload: bytes) -> Mapping[str, Any] | None:
    """Return a JSON object; None for any other text, also one with a name twice in an object: which would count?"""
    try:
        found = jiter.from_json(
            payload,
            allow_inf_nan=False,
            catch_duplicate_keys=True,
            float_mode="lossless-float",
            cache_mode="none",  # texts of payloads seldom come again: to look for them costs a third
        )
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def steps_of(path: str) -> list[str | int]:
    """Return the steps of a JSON path: names in objects, places in arrays."""
    return [int(place) if place else name or quoted for name, place, quoted in _STEP.findall(path)]


def value_at(content: Any, steps: Sequence[str | int]) -> Any:
    """Return what stands at the steps of a path in parsed JSON; None where nothing does."""
    for step in steps:
        if isinstance(step, str):
            content = content.get(step) if isinstance(content, dict) else None
        else:
            content = content[step] if isinstance(content, list) and step < len(content) else None
    return content


def _text_at(content: Any, steps: Sequence[str | int]) -> str | None:
    """Return what stands at a path as text, a number as it is written; None where nothing or null does."""
    found = value_at(content, steps)
    if found is None or isinstance(found, str):
        return found
    if isinstance(found, bool | dict | list):
        return json.dumps(found, ensure_ascii=False, separators=(",", ":"), default=str)
    return str(found)
