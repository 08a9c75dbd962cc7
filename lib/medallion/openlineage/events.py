"""Events of a run and of its steps: what was read in which version, what came of it, and how it was judged."""

import re
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from typing import Literal

from medallion.lineage import Lineage, walk
from medallion.openlineage.facets import PRODUCER, SPEC, Json, assertions, column_lineage, facet, schema, tags
from medallion.step import Outcome, Run
from medallion.tables import Table, layer_of
from medallion.views import catalog

EventType = Literal["START", "COMPLETE", "FAIL", "ABORT"]


def new_id() -> str:
    """Return the id of one try of a step: one that is tried again is another run to OpenLineage."""
    return str(uuid.uuid4())


@dataclass
class Events:
    """Makes the events of one run.

    ``known`` is the lineage of tables as far as it is, ``find`` returns that of another one, None where it cannot.
    """

    run: Run
    known: Callable[[], dict[str, Lineage]]
    find: Callable[[str], Lineage | None]

    def of_run(self, kind: EventType, at: str) -> Json:
        """Return an event of the run as a whole."""
        run = {"runId": self._parent, "facets": {"processing_engine": _engine()}}
        return self._event(kind, at, run, self._job(self.run.conf.name, "PIPELINE", self.run.conf.pipeline.description))

    def of_step(self, kind: EventType, at: str, id_: str, name: str, outcome: Outcome | None) -> Json:
        """Return an event of a table's turn; of its end with what it read, and what came of it."""
        run: Json = {"runId": id_, "facets": {"parent": self._parent_facet(), "processing_engine": _engine()}}
        if kind == "FAIL":
            run["facets"]["errorMessage"] = _error(outcome)
        event = self._event(kind, at, run, self._job(name, "TABLE", self._entry(name).grain))
        if kind == "COMPLETE":
            event |= {"inputs": self._inputs(name), "outputs": [self._output(name, outcome)]}
        return event

    def of_gate(self, kind: EventType, at: str, id_: str, name: str, outcome: Outcome) -> Json:
        """Return an event of the judging of a table: a job that reads it, with what expectations found."""
        run = {"runId": id_, "facets": {"parent": self._parent_facet()}}
        event = self._event(kind, at, run, self._job(f"{name}.gate", "GATE", f"Judges {name} by its expectations"))
        judged = self._dataset(name, outcome.version)
        if kind != "START":
            found = assertions(outcome.checks, self.run.conf.expectations(name))
            judged |= {"inputFacets": {"dataQualityAssertions": found}}
        return event | {"inputs": [judged]}

    @cached_property
    def _parent(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{PRODUCER}/{self.run.conf.name}/{self.run.run_id}"))

    @property
    def _namespace(self) -> str:
        return self.run.conf.platform.openlineage.namespace

    def _parent_facet(self) -> Json:
        job = {"namespace": self._namespace, "name": self.run.conf.name}
        return facet("ParentRunFacet", run={"runId": self._parent}, job=job)

    def _job(self, name: str, kind: str, text: str) -> Json:
        type_ = facet("JobTypeJobFacet", processingType="BATCH", integration="MEDALLION", jobType=kind)
        about = facet("DocumentationJobFacet", description=text)
        return {"namespace": self._namespace, "name": name, "facets": {"jobType": type_, "documentation": about}}

    def _event(self, kind: EventType, at: str, run: Json, job: Json) -> Json:
        url = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
        return {"eventType": kind, "eventTime": at, "producer": PRODUCER, "schemaURL": url, "run": run, "job": job}

    def _inputs(self, name: str) -> list[Json]:
        """Return what a table's newest commit says that it consumed, each in its version."""
        state = self.run.lake.state(name)
        marks = state.account.watermark if state and state.account else {}
        found = []
        for read, mark in marks.items():
            of = f"{self.run.conf.name}.{read}" if read.startswith("landing.") else read
            found.append(self._dataset(of, mark.version))
        return found

    def _dataset(self, name: str, version: int | None = None) -> Json:
        facets: Json = {}
        if version is not None:
            facets["version"] = facet("DatasetVersionDatasetFacet", datasetVersion=str(version))
        if name in self.run.tables:
            facets |= {"schema": self._schema(name), "symlinks": self._place(name)}
        return {"namespace": self._namespace, "name": name, "facets": facets}

    def _output(self, name: str, outcome: Outcome | None) -> Json:
        """Return a table as a step left it."""
        state = self.run.lake.state(name)
        found = self._dataset(name, state.version if state else None)
        found["facets"]["documentation"] = facet("DocumentationDatasetFacet", description=self.run.tables[name].doc)
        told = self._lineage(name)
        if told is not None and told.columns:
            found["facets"]["columnLineage"] = column_lineage(self._namespace, told)
        personal = walk.personal(self.run.tables, self._lineages)[name]
        if personal:
            found["facets"]["tags"] = tags(personal)
        rows = outcome.rows if outcome else {}
        written = rows.get("stored", rows.get("written"))
        if written is not None:
            found["outputFacets"] = {"outputStatistics": facet("OutputStatisticsOutputDatasetFacet", rowCount=written)}
        return found

    def _lineage(self, name: str) -> Lineage | None:
        """Return the lineage of a table; with it that of all it is made of, by which personal data is followed."""
        needed = {name}
        for one in reversed([*self.run.tables]):  # upstream first is their order
            needed |= {*self.run.tables[one].upstream} if one in needed else set()
        for one in needed:
            if one not in self._lineages and (found := self.find(one)) is not None:
                self._lineages[one] = found
        return self._lineages.get(name)

    @cached_property
    def _lineages(self) -> dict[str, Lineage]:
        return self.known()

    def _schema(self, name: str) -> Json:
        inside: dict[str, dict[str, None]] = defaultdict(dict)
        if layer_of(name) == "bronze":
            for told in self._lineages.values():
                for one in (f for made in told.columns.values() for f in made.sources):
                    if one.table == name and len(one.path) > 1:
                        inside[one.column][one.text.partition(".")[2]] = None
        columns = [(one.name, one.type, one.text) for one in self._entry(name).columns]
        return schema(columns, {column: [*fields] for column, fields in inside.items()})

    def _place(self, name: str) -> Json:
        path = self.run.lake.path(name)
        scheme, _, rest = path.partition("://")
        host, _, key = rest.partition("/")
        namespace, at = (f"{scheme}://{host}", key) if rest else ("file", path)
        return facet("SymlinksDatasetFacet", identifiers=[{"namespace": namespace, "name": at, "type": "LOCATION"}])

    def _entry(self, name: str) -> catalog.Entry:
        tables: Mapping[str, Table] = self.run.tables
        return catalog.of(self.run.conf, tables, [name], detailed=True).tables[0]


def _engine() -> Json:
    return facet("ProcessingEngineRunFacet", name="spark", version=metadata.version("pyspark"))


def _error(outcome: Outcome | None) -> Json:
    """Return why a step failed; of expectations which, but not the values that missed them."""
    stopping = [check.label for check in outcome.checks if check.stops] if outcome else []
    if stopping:
        message = f"expectations missed: {', '.join(stopping)}"
    else:
        message = re.sub(r"\s+", " ", (outcome.error if outcome else None) or "it did not come to its end")
    return facet("ErrorMessageRunFacet", message=message, programmingLanguage="PYTHON")
