"""Facets: what OpenLineage's published schemas say of a job, a run or a dataset, as JSON.

Source: https://openlineage.io/spec/2-0-2/OpenLineage.json and the facets' own schemas beside it, in the versions named
here; tests hold what is made here against them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from medallion.check import Check
from medallion.conf import Expectation
from medallion.lineage import Field, How, Lineage
from medallion.lineage.value import Sources

Json = dict[str, Any]

PRODUCER = "urn:medallion-lakehouse"
SPEC = "https://openlineage.io/spec"
_VERSIONS = {
    "ColumnLineageDatasetFacet": "1-2-0",
    "DataQualityAssertionsDatasetFacet": "1-1-0",
    "DatasetVersionDatasetFacet": "1-0-1",
    "DocumentationDatasetFacet": "1-1-0",
    "DocumentationJobFacet": "1-1-0",
    "ErrorMessageRunFacet": "1-0-1",
    "JobTypeJobFacet": "2-0-4",
    "OutputStatisticsOutputDatasetFacet": "1-0-2",
    "ParentRunFacet": "1-2-0",
    "ProcessingEngineRunFacet": "1-1-1",
    "SchemaDatasetFacet": "1-2-0",
    "SymlinksDatasetFacet": "1-0-1",
    "TagsDatasetFacet": "1-0-0",
}
_SEVERITIES = {"fail": "error", "quarantine": "quarantine", "warn": "warn"}


def facet(kind: str, **facts: Any) -> Json:
    """Return a facet of a published kind."""
    url = f"{SPEC}/facets/{_VERSIONS[kind]}/{kind}.json#/$defs/{kind}"
    return {"_producer": PRODUCER, "_schemaURL": url, **facts}


def schema(columns: Iterable[tuple[str, str, str]], inside: Mapping[str, Sequence[str]]) -> Json:
    """Return a table's columns: name, type, what it holds; ``inside`` are the fields in some of them."""
    fields = [
        {"name": name, "type": type_, "description": text, "ordinal_position": place}
        | ({"fields": [{"name": one} for one in inside[name]]} if inside.get(name) else {})
        for place, (name, type_, text) in enumerate(columns, 1)
    ]
    return facet("SchemaDatasetFacet", fields=fields)


def column_lineage(namespace: str, found: Lineage) -> Json:
    """Return what columns are made of, and what decides which rows there are."""
    fields = {name: {"inputFields": _input_fields(namespace, made.sources)} for name, made in found.columns.items()}
    return facet("ColumnLineageDatasetFacet", fields=fields, dataset=_input_fields(namespace, found.rows))


def _input_fields(namespace: str, sources: Sources) -> list[Json]:
    return [_input_field(namespace, one, hows) for one, hows in sources.items()]


def _input_field(namespace: str, field: Field, hows: Iterable[How]) -> Json:
    told = [
        {"type": "DIRECT" if how.is_direct else "INDIRECT", "subtype": how.subtype, "masking": how.masking}
        for how in sorted(hows)
    ]
    return {"namespace": namespace, "name": field.table, "field": field.text, "transformations": told}


def tags(personal: Mapping[str, str]) -> Json:
    """Return which columns hold personal data."""
    told = [
        {"key": "personal", "value": "true", "source": "DECLARED" if why == "declared" else "LINEAGE", "field": column}
        for column, why in personal.items()
    ]
    return facet("TagsDatasetFacet", tags=told)


def assertions(checks: Iterable[Check], expected: Iterable[Expectation]) -> Json:
    """Return what expectations found; how many rows, never which."""
    by_label = {one.label: one for one in expected}
    told = []
    for check in checks:
        one = by_label.get(check.label)
        about: Json = {"assertion": one.rule if one else check.label, "name": check.label, "success": check.passed}
        about |= {"severity": _SEVERITIES.get(check.severity, check.severity)}
        about |= {"actual": f"{check.failed} of {check.total} rows miss it"}
        about |= {"column": one.column} if one and one.column else {}
        about |= {"description": one.description} if one and one.description else {}
        told.append(about)
    return facet("DataQualityAssertionsDatasetFacet", assertions=told)
