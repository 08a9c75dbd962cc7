"""Expectations as conf declares them: labels, severities, and what does not fit a rule."""

import pytest

from medallion.conf.expectation import Expectation
from medallion.conf.model import validated
from medallion.conf.pipeline import Pipeline
from medallion.conf.yaml_file import parse_yaml
from medallion.errors import ConfError


@pytest.mark.parametrize(
    ("declared", "label", "severity"),
    [
        ({"rule": "not_null", "column": "id"}, "not_null(id)", "quarantine"),
        ({"rule": "unique", "columns": ("id",)}, "unique(id)", "fail"),
        (
            {"rule": "accepted_values", "column": "s", "values": ["a", 1, 2.5, True]},
            "accepted_values(s)",
            "quarantine",
        ),
        ({"rule": "range", "column": "q", "min": 0}, "range(q)", "quarantine"),
        (
            {"rule": "range", "column": "d", "min": "2020-01-01", "max": "2020-01-02"},
            "range(d)",
            "quarantine",
        ),
        ({"rule": "regex", "column": "c", "pattern": "^a", "severity": "fail"}, "regex(c)", "fail"),
        (
            {"rule": "relationships", "column": "c", "to": "a.silver.b", "field": "c"},
            "relationships(c)",
            "fail",
        ),
        ({"rule": "expression", "expression": "a  <\n b"}, "expression(a < b)", "quarantine"),
        ({"rule": "sql", "name": "totals_agree", "severity": "warn"}, "totals_agree", "warn"),
        ({"rule": "not_null", "column": "id", "name": "has an id"}, "has an id", "quarantine"),
    ],
)
def test_an_expectation_has_a_label_and_a_severity(declared: dict[str, object], label: str, severity: str) -> None:
    expectation = Expectation.model_validate(declared)

    assert (expectation.label, expectation.severity) == (label, severity)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("{column: id}", "0.rule: missing; wanted one of not_null, unique"),
        ("{rule: not_null}", "0: rule not_null takes column; missing column"),
        ("{rule: not_null, column: id, pattern: x}", "0: rule not_null takes column; found pattern"),
        ("{rule: unique, column: id}", "0: rule unique takes columns; found column"),
        ("{rule: range, column: q}", "0: rule range takes column, min, max; missing min or max"),
        (
            "{rule: relationships, column: c}",
            "0: rule relationships takes column, to, field; missing to, field",
        ),
        (
            "{rule: relationships, column: c, to: b, field: c}",
            "0.to: found 'b'; wanted a full name <pipeline>",
        ),
        ("{rule: sql}", "0: rule sql takes name, by; missing name"),
        ("{rule: sql, name: ../x}", "0: name: wanted the name of a check's file, without folder and ending"),
        ("{rule: not_null, colum: id}", "0.colum: unknown key; wanted one of by, column, columns, description"),
        ("{rule: unique, columns: id}", "0.columns: found text; wanted a list of column names"),
        (
            "{rule: unique, columns: [a], severity: quarantine}",
            "0: severity quarantine is for rules that judge a row",
        ),
        ("{rule: sql, name: x, severity: quarantine}", "rule sql judges a table: wanted fail or warn"),
        ("{rule: range, column: q, min: 2, max: 1}", "0: wanted min and max of one kind"),
        ("{rule: range, column: q, min: 2, max: 2020-01-01}", "0: wanted min and max of one kind"),
        (
            "{rule: range, column: q, min: 2020-01-01, max: '2020-01-02T00:00:00Z'}",
            "0: wanted min and max of one",
        ),
        (
            "{rule: range, column: q, min: '2'}",
            "0.min: wanted a number (without quotes), or a date or instant",
        ),
        ("{rule: range, column: q, min: true}", "0.min: wanted a number, or a date or instant as ISO text"),
        ("{rule: range, column: q, max: .nan}", "0.max: wanted a number, or a date or instant as ISO text"),
        ("{rule: not_null, column: id}, {rule: not_null, column: id}", "not_null(id) is there twice"),
    ],
)
def test_an_expectation_that_does_not_fit_its_rule_is_refused(declared: str, message: str) -> None:
    raw = parse_yaml(f"description: x\nexpectations: {{silver.a: [{declared}]}}", "shop.yaml")

    with pytest.raises(ConfError) as refused:
        validated(Pipeline, raw, lambda key: "shop.yaml")

    assert str(refused.value).startswith("shop.yaml: expectations.silver.a")
    assert message in str(refused.value)
    assert "default factory" not in str(refused.value)
