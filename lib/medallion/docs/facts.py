"""What the pages tell of a pipeline and its tables: declarations, lineage, and what logs and records of runs say.

No row of a table and no example of what an expectation found is among it: the pages may be shown to more people than
the tables.
"""

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from medallion import clock, ops
from medallion.conf import Conf
from medallion.docs.trust import Expected, Seen, Trust, judge
from medallion.errors import HistoryError
from medallion.lineage import Field, How, Lineage, walk
from medallion.step import Run
from medallion.tables import Bronze, Table, layer_of
from medallion.views import catalog, history, status

VERSIONS = 20  # of a table, newest first
RESULTS = 20  # of an expectation
_HOLDING = ("payload", "fields")  # columns of bronze in which the fields of a record are

_SAID: dict[str, str] = {
    "IDENTITY": "as it is",
    "TRANSFORMATION": "computed",
    "AGGREGATION": "aggregated",
    "CONDITIONAL": "decides which value",
    "WINDOW": "decides among neighbours",
    "FILTER": "which rows there are",
    "JOIN": "which rows meet",
    "GROUP_BY": "one row each",
    "SORT": "which comes first",
}


@dataclass(frozen=True)
class Source:
    """A field that has its part in something: where it is explained, and how it has its part."""

    table: str
    column: str
    text: str
    how: str
    is_direct: bool
    sources: Sequence["Source"] = ()


@dataclass(frozen=True)
class Column:
    """A column, or a field of bronze that something is made of; ``origins`` are the fields at the source.

    ``uses`` are the columns of each table that are made of it, an empty name where it decides on rows.
    """

    name: str
    type: str
    text: str
    personal: str | None = None
    is_key: bool = False
    sources: Sequence[Source] = ()
    origins: Sequence[Field] = ()
    uses: Sequence[tuple[str, Sequence[str]]] = ()


@dataclass(frozen=True)
class Page:
    """All that is told of a table."""

    entry: catalog.Entry
    text: Sequence[str | list[str]]
    layer: str
    columns: Sequence[Column]
    fields: Sequence[Column]
    rows: Sequence[Source]
    readers: Sequence[str]
    standing: status.Standing
    versions: Sequence[history.Entry]
    seen: Seen
    trust: Trust
    problem: str | None = None

    @property
    def name(self) -> str:
        """The table's full name."""
        return self.entry.table


@dataclass(frozen=True)
class Pipeline:
    """One pipeline in one environment, its tables upstream first."""

    name: str
    environment: str
    description: str
    schedule: str
    runs: Sequence[dict[str, Any]]
    pages: Sequence[Page] = field(default_factory=list)


@dataclass(frozen=True)
class Looked:
    """What logs say of a table; ``is_readable`` if they could be read."""

    standing: status.Standing
    versions: Sequence[history.Entry] = ()
    is_readable: bool = True


def look(run: Run) -> dict[str, Looked]:
    """Return what logs say of each table of a pipeline; of one that is damaged that it is."""
    return {name: _looked(run, name) for name in run.tables}


def _looked(run: Run, name: str) -> Looked:
    try:
        state = run.lake.state(name)
        versions = history.entries(list(run.lake.history(name, VERSIONS))) if state else ()
        return Looked(status.standing(run.lake, name, state), versions)
    except HistoryError:
        return Looked(status.Standing(name), is_readable=False)


def of(run: Run, looked: Mapping[str, Looked], lineages: Mapping[str, Lineage]) -> Pipeline:
    """Return what is told of a pipeline; reads records of runs besides, and no rows."""
    conf = run.conf
    told = Told(run, lineages)
    runs = ops.last_runs(conf, 1)
    results, steps = _by_table(ops.last_checks(conf, RESULTS)), {s["table"]: s for s in ops.last_steps(conf)}
    due = _due(conf, runs)
    pages: dict[str, Page] = {}
    for name, found in looked.items():
        checks = _checks(conf, name, results.get(name, []))
        seen = Seen(found.standing, steps.get(name), checks, due, found.is_readable)
        above = {up: pages[up].trust for up in run.tables[name].upstream}
        pages[name] = told.page(name, found, seen, judge(seen, above))
    schedule = conf.pipeline.schedule
    when = f"{schedule.cron} ({schedule.zone})" if schedule else ""
    return Pipeline(conf.name, conf.environment, conf.pipeline.description, when, runs, [*pages.values()])


class Told:
    """What declarations and lineage tell of the tables of a pipeline."""

    def __init__(self, run: Run, lineages: Mapping[str, Lineage]) -> None:
        self._run = run
        self._lineages = lineages
        self._uses = walk.uses(lineages)
        self._personal = walk.personal(run.tables, lineages)

    def page(self, name: str, looked: Looked, seen: Seen, trust: Trust) -> Page:
        """Return the page of a table."""
        table, known = self._run.tables[name], self._lineages[name]
        entry = catalog.of(self._run.conf, self._run.tables, [name], detailed=True).tables[0]
        readers = [other for other, one in self._run.tables.items() if name in one.upstream]
        columns = [self.column(name, one) for one in entry.columns]
        fields = self.fields(name) if isinstance(table, Bronze) else []
        told = (columns, fields, self.rows(name), readers, looked.standing, looked.versions, seen, trust, known.problem)
        return Page(entry, _blocks(table), layer_of(name), *told)

    def column(self, name: str, declared: catalog.Column) -> Column:
        """Return what is told of a column of a table."""
        table = self._run.tables[name]
        made = self._lineages[name].columns.get(declared.name)
        sources = self._sources(made.sources.items(), set()) if made else []
        origins = walk.origins(self._lineages, Field(name, (declared.name,))) if made else []
        direct = {source.text for source in sources}
        is_at_source = all(layer_of(source.table) == "bronze" for source in sources)
        beyond = [] if is_at_source else [one for one in origins if one.text not in direct]
        is_key = declared.name in getattr(table, "key", ())
        personal = self._personal[name].get(declared.name)
        told = (personal, is_key, sources, beyond, self._users(name, declared.name))
        return Column(declared.name, declared.type, declared.text, *told)

    def rows(self, name: str) -> list[Source]:
        """Return what decides which rows a table has."""
        return self._sources(self._lineages[name].rows.items(), set())

    def fields(self, name: str) -> list[Column]:
        """Return the fields in a bronze table's payloads that something is made of."""
        found: dict[str, list[walk.Use]] = defaultdict(list)
        for column in _HOLDING:
            for use in self._uses.get((name, column), ()):
                if len(use.field.path) > 1:
                    found[use.field.text].append(use)
        personal = self._personal[name]
        return [Column(path, "", "", personal.get(path), uses=_by_reader(found[path])) for path in sorted(found)]

    def _users(self, table: str, column: str) -> list[tuple[str, list[str]]]:
        if layer_of(table) == "bronze" and column in _HOLDING:
            return []  # told field by field
        return _by_reader(self._uses.get((table, column), ()))

    def _sources(self, found: Iterable[tuple[Field, Iterable[How]]], told: set[Field]) -> list[Source]:
        """Return fields, first those that are in the value."""
        ordered = sorted(found, key=lambda one: not any(how.is_direct for how in one[1]))
        return [self._source(one, hows, told) for one, hows in ordered]

    def _source(self, one: Field, hows: Iterable[How], told: set[Field]) -> Source:
        """Return a field with what it is made of in its turn, down to the fields at the source; each told once."""
        subtypes = sorted({how.subtype for how in hows}, key=[*_SAID].index)
        is_direct = any(how.is_direct for how in hows)
        masking = is_direct and all(how.masking for how in hows if how.is_direct)
        said = "; ".join(_SAID[subtype] for subtype in subtypes) + (", not shown" if masking else "")
        is_field = layer_of(one.table) == "bronze" and len(one.path) > 1
        deeper = self._deeper(one) if is_direct else []
        if deeper and one in told:
            deeper, said = [], f"{said}; see above"
        told.add(one)
        sources = self._sources(deeper, told)
        return Source(one.table, one.text if is_field else one.column, one.text, said, is_direct, sources)

    def _deeper(self, one: Field) -> list[tuple[Field, Iterable[How]]]:
        lineage = self._lineages.get(one.table)
        made = lineage.columns.get(one.column) if lineage else None
        if made is None:
            return []
        if made.place is not None and len(one.path) > 1:
            return [(made.place.part(*one.path[1:]), [How("IDENTITY")])]
        return [*made.sources.items()]


def _by_reader(uses: Iterable[walk.Use]) -> list[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for use in uses:
        columns = found.setdefault(use.table, [])
        columns += [] if use.column in columns else [use.column]
    return [*found.items()]


def _blocks(table: Table) -> list[str | list[str]]:
    """Return what a module says below its first sentence: paragraphs, and lists of what begins with a dash."""
    first, *others = table.doc.removeprefix(f"{table.name}:").split("\n\n")
    after = "".join(re.split(r"\.\s+", first, maxsplit=1)[1:])
    found: list[str | list[str]] = []
    for paragraph in filter(str.strip, [after, *others]):
        text, *items = re.split(r"(?m)^\s*- ", paragraph)
        if text.strip():
            found.append(" ".join(text.split()))
        if items:
            found.append([" ".join(item.split()) for item in items])
    return found


def _by_table(results: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in results:
        found[one["table"]].append(one)
    return found


def _checks(conf: Conf, name: str, results: Sequence[dict[str, Any]]) -> list[Expected]:
    """Return what is expected of a table, each with its last results, newest first; perhaps none."""
    by_label: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in results:
        by_label[one["label"]].append(one)
    return [
        Expected(e.label, e.severity, e.tolerance, e.description or "", by_label.get(e.label, ()))
        for e in conf.expectations(name)
    ]


def _due(conf: Conf, runs: Sequence[dict[str, Any]]) -> dt.datetime | None:
    """Return when a run was to begin that has not, by the pipeline's schedule; None where all is on time."""
    schedule = conf.pipeline.schedule
    if schedule is None or not runs:
        return None
    from cronsim import CronSim

    last: dt.datetime = runs[0]["started_at"]
    following: dt.datetime = next(CronSim(schedule.cron, last.astimezone(ZoneInfo(schedule.zone))))
    return following if following < clock.now() else None
