"""The gate: a version is judged by its table's expectations, and readers see the last one that passed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medallion import commits, log_files
from medallion.account import NO_VERSION, Account
from medallion.check import Check
from medallion.conf import Expectation
from medallion.conf.expectation import TIME_RULES
from medallion.errors import QualityError
from medallion.expectations import check_table, table_rules
from medallion.faults import point
from medallion.graph import check_sql, named_in, renamed
from medallion.lake import State
from medallion.session import from_arrow
from medallion.small import read_small
from medallion.step import Step
from medallion.tables import INTERVAL, Silver, Table, backquoted, layer_of, newest, seen, sql_name

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession


def read_version(session: "SparkSession", state: State, version: int) -> "DataFrame":
    """Return a table at one version, all columns.

    A small one is read on the driver. Of others, where no rows changed since, the newest version is read
    instead: Delta has that snapshot at hand, while any older one costs it a job to rebuild.

    Raises HistoryError where files of it are gone or, of a small one, damaged: of others Spark says so.
    """
    version = _same_rows(state, version)
    table = log_files.opened(state.name, state.path, version)
    log_files.require_files(state.name, table)
    small = read_small(table)
    if small is not None:
        log_files.require_sound(state.name, table)
        return from_arrow(session, small)
    return session.read.format("delta").option("versionAsOf", version).load(state.path)


def _same_rows(state: State, version: int) -> int:
    """Return the newest version that has the same rows: its files may be fewer, and of older ones some be gone."""
    return state.version if version == state.data and not state.foreign else version


def public(table: Table, frame: "DataFrame") -> "DataFrame":
    """Return what readers see: the declared columns, tombstones and superseded versions hidden."""
    frame = visible(table, frame)
    return frame.select(*table.columns) if table.columns else frame


def visible(table: Table, frame: "DataFrame") -> "DataFrame":
    """Return the stored rows that readers see, technical columns too."""
    condition = seen(table)
    return frame.where(condition) if condition else frame


def one_a_key(table: Table, frame: "DataFrame") -> "DataFrame":
    """Return stored rows, of a table that keeps versions only the newest of each key; tombstones too."""
    condition = newest(table)
    return frame.where(condition) if condition else frame


def upstream_rows(step: Step, state: State) -> "DataFrame":
    """Return what a step reads of an upstream table: its good version, one row a key, tombstones too."""
    return one_a_key(step.run.tables[state.name], read_version(step.session, state, state.good))


def select_statement(table: Table, state: State, version: int) -> str:
    """Return the SELECT behind a table's public name: a version that passed, as readers see it."""
    return _statement(table.columns, state, version, seen(table))


def history_statement(table: Silver, state: State, version: int) -> str:
    """Return the SELECT behind the name of a table's history: its versions with their intervals.

    Tombstones only end an interval, and a version that another superseded from the same moment on never held.
    """
    held = "NOT _deleted AND (valid_to IS NULL OR valid_from < valid_to)"
    return _statement((*table.columns, *INTERVAL), state, version, held)


def _statement(columns: Iterable[str], state: State, version: int, condition: str | None) -> str:
    names = ", ".join(map(backquoted, columns)) or "*"
    where = f" WHERE {condition}" if condition else ""
    return f"SELECT {names} FROM delta.{backquoted(state.path)} VERSION AS OF {_same_rows(state, version)}{where}"


def expectations_of(step: Step) -> tuple[Expectation, ...]:
    """Return the table's expectations as conf declares them; what this run is to accept of it only warns."""
    declared = step.run.conf.expectations(step.name)
    if step.run.conf.platform.runtime.accept != step.name.partition(".")[2]:
        return declared
    return tuple(e.model_copy(update={"severity": "warn"}) if e.rule in TIME_RULES else e for e in declared)


def require_passed(step: Step, state: State | None, name: str) -> State:
    """Return an upstream's state if its newest rows passed their gate; raises QualityError otherwise."""
    if state is None or state.good == NO_VERSION:
        raise QualityError(f"{step.name}: waits for {name}, of which no version has passed its gate yet")
    if state.good != state.data:
        raise QualityError(
            f"{step.name}: waits for {name}: version {state.data} did not pass its gate, {state.good} is the last "
            f"that did; `medallion run {name.split('.')[0]} --table {name}` tells why"
        )
    return state


def require_one_cut(step: Step, upstream: Mapping[str, State]) -> None:
    """Raise QualityError where one upstream has not yet taken in what another one says: their rows would not fit."""
    for name, state in upstream.items():
        for source, mark in state.account.watermark.items() if state.account else ():
            if source in upstream and mark.version != upstream[source].good:
                raise QualityError(
                    f"{step.name}: waits for {name}, which has taken in {source} up to version {mark.version}, "
                    f"while {upstream[source].good} is there; run {name} first, or the whole pipeline"
                )


def needs_judging(step: Step) -> bool:
    """Tell whether the table has expectations that only a whole version can answer."""
    return bool(table_rules(expectations_of(step)))


def judge_frame(step: Step, rows: "DataFrame") -> list[Check]:
    """Judge a table by its table rules, as readers would see it; ``rows`` are all it holds, tombstones too."""
    return judge(step, public(step.table, rows), table_rules(expectations_of(step)), Whole(rows))[0]


@dataclass(frozen=True)
class Whole:
    """All that a table holds; of it, and of tables it is compared with, a check sees what ``narrow`` leaves.

    That is given rows, and which of their columns are compared with which of the table's own.
    """

    rows: "DataFrame"
    narrow: "Callable[[DataFrame, Mapping[str, str]], DataFrame] | None" = None

    def meeting(self, rows: "DataFrame", on: "Mapping[str, str]") -> "DataFrame":
        """Return the rows that may meet those that are judged."""
        return self.narrow(rows, on) if self.narrow else rows


def judge(
    step: Step, rows: "DataFrame", rules: Sequence[Expectation], whole: Whole, also: Sequence["Column"] = ()
) -> tuple[list[Check], list[Any]]:
    """Judge rows by table rules, and measure more of them in the same pass; see `check_table`."""
    return check_table(
        rows,
        rules,
        referenced=lambda rule: _referenced(step, rule, whole),
        singular=lambda expectation: _singular(step, expectation, whole),
        also=also,
    )


def judge_version(step: Step, state: State) -> list[Check]:
    """Judge the newest rows of a table and, where they pass, let readers have them; one commit says so."""
    checks = judge_frame(step, read_version(step.session, state, state.data))
    if state.account is not None and not failed(checks):
        target = commits.Target(step.name, state, commits.CURATED)
        point("gate.before_verdict")
        commits.note(step.lake, target, step.session, _passed(step, state.account))
        point("gate.after_verdict")
    return checks


def _passed(step: Step, account: Account) -> Account:
    from dataclasses import replace

    return replace(account, run_id=step.run.run_id, good=account.data)


def failed(checks: Sequence[Check]) -> list[Check]:
    """Return the checks that keep a table from advancing."""
    return [check for check in checks if check.stops]


def describe(checks: Sequence[Check]) -> str:
    """Say which checks failed, on how many rows, with an example each."""
    told = [
        f"{c.label}: {c.said or f'{c.failed} of {c.total} rows'}" + (f", e.g. {c.example}" if c.example else "")
        for c in checks[:5]
    ]
    return "; ".join(told)


def refusal(name: str, account: Account, failing: Sequence[Check]) -> str:
    """Say that a committed version did not pass, why, and what readers have instead."""
    kept = f"version {account.good}" if account.good != NO_VERSION else "nothing: no version has passed yet"
    return f"{name}: version {account.data} did not pass its gate: {describe(failing)}; readers keep {kept}"


def _referenced(step: Step, rule: Expectation, whole: Whole) -> "DataFrame":
    """Return all rows that another table ever had, of a silver table tombstones too, or may be referred to."""
    name, on = str(rule.to), {str(rule.column): str(rule.field)}
    if name == step.name:
        return whole.meeting(whole.rows, on)
    state = step.lake.state(name)
    if state is None or state.good == NO_VERSION:
        raise QualityError(
            f"{step.name}: waits for {name}, which its rows refer to: no version has passed its gate yet"
        )
    return whole.meeting(read_version(step.session, state, state.good), on)


def _singular(step: Step, expectation: Expectation, whole: Whole) -> "DataFrame":
    """Run a SQL check in which public names stand for good versions, and the table's own for the judged rows."""
    text = check_sql(step.run.conf, step.name, expectation)
    by = expectation.by

    def seen(frame: "DataFrame") -> "DataFrame":
        return (
            whole.meeting(frame, {column: column for column in by}) if by and set(by) <= set(frame.columns) else frame
        )

    return step.session.sql(_bind(step, text, {step.name: public(step.table, whole.rows)}, seen))


def _bind(step: Step, text: str, given: Mapping[str, "DataFrame"], seen: "Callable[[DataFrame], DataFrame]") -> str:
    """Give each public name in a SQL text a temporary view of this session, and return the text with their names."""
    for name in named_in(text, step.run.tables):
        table = step.run.tables[name]
        if name in given:
            frame = given[name]
        else:
            state = require_passed(step, step.lake.state(name), name)
            version = state.data if layer_of(name) == "bronze" else state.good
            frame = public(table, read_version(step.session, state, version))
        view = sql_name(name).replace(".", "__")
        seen(frame).createOrReplaceTempView(view)
        text = renamed(text, name, view)
    return text
