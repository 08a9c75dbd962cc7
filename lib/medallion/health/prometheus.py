"""Health as Prometheus reads it, for its text file collector or a scrape.

Format: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format; moments are Unix seconds.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from medallion import clock
from medallion.health.found import Pipeline

Sample = tuple[dict[str, str], float]
_STANDINGS = {"ok": 0, "warn": 1, "red": 2}


def text(pipelines: Sequence[Pipeline]) -> str:
    """Return all figures, each with what it means."""
    lines: list[str] = []
    for name, about, samples in _metrics(pipelines):
        if not samples:
            continue
        lines += [f"# HELP medallion_{name} {about}", f"# TYPE medallion_{name} gauge"]
        lines += [f"medallion_{name}{_labels(labels)} {value:.15g}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _metrics(pipelines: Sequence[Pipeline]) -> Iterator[tuple[str, str, list[Sample]]]:
    def each(of: str, value: str, label: str = "table") -> list[Sample]:
        return [
            (_of(one, **{label: getattr(it, label)}), getattr(it, value))
            for one in pipelines
            for it in getattr(one, of)
        ]

    yield "standing", "0 ok, 1 warn, 2 red", [(_of(one), _STANDINGS[one.standing]) for one in pipelines]
    yield "checked_timestamp_seconds", "When this was found", [(_of(one), clock.now().timestamp()) for one in pipelines]
    for name, about in (
        ("last_run", "When the newest run began"),
        ("last_passed", "When the newest run that passed began"),
    ):
        told = [(_of(one), _seconds(at)) for one in pipelines if (at := getattr(one, name))]
        yield f"{name}_timestamp_seconds", about, told
    yield (
        "backlog_deliveries",
        "Deliveries in landing that no run has taken in",
        each("backlog", "deliveries", "source"),
    )
    behind = [(one, it, {"table": it.consumer, "upstream": it.upstream}) for one in pipelines for it in one.behind]
    yield (
        "behind_versions",
        "Versions of an upstream yet to read",
        [(_of(one, **where), it.versions) for one, it, where in behind],
    )
    yield (
        "behind_rows",
        "Rows that came with these versions",
        [(_of(one, **where), it.rows) for one, it, where in behind],
    )
    yield "quarantined_rows", "Rows in quarantine", [(_of(one), one.quarantined) for one in pipelines]
    yield "waiting_rows", "Rows that wait for a lookup", [(_of(one), one.waiting) for one in pipelines]
    yield "quality_score", "Newest quality score, 0 to 100", each("scores", "last")
    judged = [
        (_of(one, table=it.table, expectation=it.check.label), float(it.check.passed))
        for one in pipelines
        for it in one.judged
    ]
    yield "met", "Whether an expectation of freshness or volume is met: 1 or 0", judged
    left = [(one, it) for one in pipelines for it in one.margins if it.left_days is not None]
    days = [(_of(one, table=it.consumer, upstream=it.upstream), it.left_days or 0.0) for one, it in left]
    yield "history_left_days", "Days for which what is yet to be read is kept", days
    yield "troubles", "Troubles by kind and standing", list(_troubles(pipelines))


def _troubles(pipelines: Iterable[Pipeline]) -> Iterator[Sample]:
    for one in pipelines:
        for kind in ("failure", "late", "anomaly"):
            for standing in ("warn", "red"):
                found = [it for it in one.troubles if (it.kind, it.standing) == (kind, standing)]
                yield _of(one, kind=kind, standing=standing), len(found)


def _of(one: Pipeline, **labels: str) -> dict[str, str]:
    return {"pipeline": one.pipeline, "environment": one.environment, **labels}


def _labels(labels: dict[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
