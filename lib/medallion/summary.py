"""What a run did, in figures and in short phrases."""

from dataclasses import asdict
from typing import Any

from medallion.check import Check
from medallion.output import counted
from medallion.run import Report
from medallion.step import Outcome

_SHOWN = ("read", "written", "stored", "quarantined")  # terms that have a column of their own


def as_json(report: Report) -> dict[str, Any]:
    """Return a report as plain values: the run, an entry a table, and every expectation's result."""
    results = judged(report)
    return {
        "pipeline": report.pipeline,
        "run_id": report.run_id,
        "environment": report.environment,
        "started_at": report.started_at,
        "seconds": report.seconds,
        "passed": report.passed,
        "score": score(report),
        "tables": [_facts(outcome) for outcome in report.outcomes],
        "expectations": {
            "total": len(results),
            "passed": sum(check.passed for _, check in results),
            "failed": sum(not check.passed for _, check in results),
            "results": [{"table": table, **asdict(check)} for table, check in results],
        },
    }


def rows_in(outcome: Outcome) -> int | None:
    """Return how many rows a step read; None where it read nothing at all."""
    return outcome.rows.get("read") if outcome.status != "skipped" else None


def rows_out(outcome: Outcome) -> int | None:
    """Return how many rows a step stored or wrote."""
    return outcome.rows.get("stored", outcome.rows.get("written")) if outcome.status != "skipped" else None


def score(report: Report) -> float | None:
    """Return the share of rows, 0 to 100, that missed no expectation; None where none were judged."""
    scored = [(o.score, o.rows.get("read", 0)) for o in report.outcomes if o.score is not None]
    rows = sum(read for _, read in scored)
    return round(sum(points * read for points, read in scored) / rows, 2) if rows else None


def judged(report: Report) -> list[tuple[str, Check]]:
    """Return every expectation's result, with the table it is of."""
    return [(outcome.table, check) for outcome in report.outcomes for check in outcome.checks]


def missed(report: Report) -> list[tuple[str, Check]]:
    """Return the expectations that were not met, those that stopped a table first."""
    order = {"fail": 0, "quarantine": 1, "warn": 2}
    found = [(table, check) for table, check in judged(report) if not check.passed]
    return sorted(found, key=lambda one: (not one[1].stops, order[one[1].severity], -one[1].failed))


def quality(report: Report) -> str:
    """Say how many expectations were met, and the quality score."""
    checks = [check for _, check in judged(report)]
    if not checks:
        return "no expectation had anything to judge"
    passed = sum(check.passed for check in checks)
    tolerated = sum(check.passed and check.failed > 0 for check in checks)
    within = f" ({tolerated} within tolerance)" if tolerated else ""
    points = score(report)
    told = f"; quality score {points:.2f} of 100" if points is not None else ""
    return f"{counted(len(checks), 'expectations')}, {passed} passed{within}, {len(checks) - passed} not met{told}"


def share(check: Check) -> str:
    """Say how many rows missed an expectation; nothing where that is not what it counts."""
    return "" if check.said else f"{check.failed:,} of {check.total:,}"


def refreshed(outcome: Outcome) -> str:
    """Say how a table was refreshed and why, or why it was not."""
    reason = outcome.reason.replace(f"{outcome.table.split('.')[0]}.", "")
    if outcome.status in ("failed", "blocked"):
        return f"{outcome.status}: {reason}" if reason else outcome.status
    return f"{outcome.technique}: {reason}"


def besides(outcome: Outcome) -> str:
    """Name the other terms of the accounting equation, where they are not zero."""
    return ", ".join(counted(count, term) for term, count in outcome.rows.items() if count and term not in _SHOWN)


def _facts(outcome: Outcome) -> dict[str, Any]:
    return {key: value for key, value in asdict(outcome).items() if key != "checks"}
