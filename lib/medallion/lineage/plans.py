"""What the columns of an analysed plan are made of, and what decides which rows it has."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from medallion.lineage.expressions import Node, Reader, UnknownError, tree
from medallion.lineage.value import (
    CONSTANT,
    ELEMENT,
    Field,
    How,
    Sources,
    Subtype,
    Value,
    computed,
    either,
    of_field,
    together,
)

# What passes on the rows below it, or some of them.
_PASSING = frozenset(
    "GlobalLimit LocalLimit Offset Tail Sample Repartition RepartitionByExpression RebalancePartitions ResolvedHint "
    "CollectMetrics EventTimeWatermark".split()
)
INPUT = "medallion:"  # before a table's name: the alias of a frame that stands for its rows


@dataclass(frozen=True)
class Column:
    """An attribute of a plan: the id by which expressions name it, its name, and what it is made of."""

    id: int
    name: str
    value: Value


@dataclass(frozen=True)
class Relation:
    """What a plan gives: its columns in order, and what decides which rows there are."""

    columns: Sequence[Column] = ()
    rows: Sources = field(default_factory=dict)


def relation(plan: str) -> Relation:
    """Return what an analysed plan gives, in which frames under an alias of `INPUT` stand for tables.

    ``plan`` is what Catalyst's ``LogicalPlan.toJSON`` writes.
    """
    return _Plans().read(tree(json.loads(plan)))


def deciding(values: Sequence[Value], subtype: Subtype) -> Sources:
    """Return what decides, by way of these values, which rows there are."""
    return {one: frozenset({How(subtype)}) for value in values for one in value.sources}


class _Plans:
    """Reads nodes of a plan; each kind gives columns of its own, or passes on what is below it."""

    def read(self, node: Node) -> Relation:
        special = _SPECIAL.get(node.name)
        if special is not None:
            return special(self, node)
        below = [self.read(child) for child in node.children]
        rows = together(*[one.rows for one in below])
        if "output" in node.holds:  # not known: as if each column were computed from all there is below
            everything = computed([column.value for one in below for column in one.columns])
            return Relation([Column(a.id, str(a.holds["name"]), everything) for a in _trees(node, "output")], rows)
        if node.name not in _PASSING:
            raise UnknownError(f"{node.name}, a kind of plan that is not known")
        return Relation(below[0].columns, rows)

    def _input(self, node: Node) -> Relation:
        name = str(node.holds["identifier"]["name"])
        below = self.read(node.children[0])
        if not name.startswith(INPUT):
            return below
        table = name.removeprefix(INPUT)
        return Relation([Column(one.id, one.name, of_field(Field(table, (one.name,)))) for one in below.columns])

    def _project(self, node: Node) -> Relation:
        below = self.read(node.children[0])
        return Relation(self._named(_trees(node, "projectList"), below), below.rows)

    def _aggregate(self, node: Node) -> Relation:
        below = self.read(node.children[0])
        groups = self._deciding(_trees(node, "groupingExpressions"), below, "GROUP_BY")
        return Relation(self._named(_trees(node, "aggregateExpressions"), below), together(below.rows, groups))

    def _window(self, node: Node) -> Relation:
        below = self.read(node.children[0])
        return Relation([*below.columns, *self._named(_trees(node, "windowExpressions"), below)], below.rows)

    def _filter(self, node: Node) -> Relation:
        return self._decided(node, "condition", "FILTER")

    def _sort(self, node: Node) -> Relation:
        return self._decided(node, "order", "SORT")

    def _deduplicate(self, node: Node) -> Relation:
        return self._decided(node, "keys", "GROUP_BY")

    def _distinct(self, node: Node) -> Relation:
        below = self.read(node.children[0])
        groups = deciding([column.value for column in below.columns], "GROUP_BY")
        return Relation(below.columns, together(below.rows, groups))

    def _join(self, node: Node) -> Relation:
        left, right = (self.read(child) for child in node.children)
        both = Relation([*left.columns, *right.columns], together(left.rows, right.rows))
        met = self._deciding(_trees(node, "condition"), both, "JOIN")
        kind = str(node.holds["joinType"].get("object", node.holds["joinType"].get("product-class", "")))
        kept = left.columns if kind.rpartition(".")[2].rstrip("$") in ("LeftSemi", "LeftAnti") else both.columns
        return Relation(kept, together(both.rows, met))

    def _union(self, node: Node) -> Relation:
        below = [self.read(child) for child in node.children]
        columns = [
            Column(each[0].id, each[0].name, either([column.value for column in each]))
            for each in zip(*[one.columns for one in below], strict=True)
        ]
        return Relation(columns, together(*[one.rows for one in below]))

    def _set(self, node: Node) -> Relation:
        """Read ``INTERSECT`` and ``EXCEPT``: rows of one side, which those of the other decide on."""
        left, right = (self.read(child) for child in node.children)
        values = [column.value for column in (*left.columns, *right.columns)]
        return Relation(left.columns, together(left.rows, right.rows, deciding(values, "FILTER")))

    def _generate(self, node: Node) -> Relation:
        """Read ``explode`` and its like: a row an element, so that what is exploded decides which rows there are."""
        below = self.read(node.children[0])
        generator = _trees(node, "generator")[0]
        given = [self._reader(below).value(child) for child in generator.children]
        made = _generated(generator.name, given, len(_trees(node, "generatorOutput")))
        outputs = zip(_trees(node, "generatorOutput"), made, strict=True)
        columns = [Column(one.id, str(one.holds["name"]), value) for one, value in outputs]
        rows = together(below.rows, deciding(given, "FILTER"))
        return Relation([*below.columns, *columns], rows)

    def _expand(self, node: Node) -> Relation:
        below = self.read(node.children[0])
        reader = self._reader(below)
        sets = [[reader.value(tree(one)) for one in each] for each in node.holds["projections"]]
        outputs = zip(_trees(node, "output"), zip(*sets, strict=True), strict=True)
        return Relation([Column(one.id, str(one.holds["name"]), either(values)) for one, values in outputs], below.rows)

    def _leaf(self, node: Node) -> Relation:
        """Read rows that are in no table, such as a list in code."""
        return Relation([Column(one.id, str(one.holds["name"]), CONSTANT) for one in _trees(node, "output")])

    def _decided(self, node: Node, by: str, subtype: Subtype) -> Relation:
        below = self.read(node.children[0])
        return Relation(below.columns, together(below.rows, self._deciding(_trees(node, by), below, subtype)))

    def _deciding(self, expressions: Sequence[Node], below: Relation, subtype: Subtype) -> Sources:
        reader = self._reader(below)
        return deciding([reader.value(one) for one in expressions], subtype)

    def _named(self, expressions: Sequence[Node], below: Relation) -> list[Column]:
        reader = self._reader(below)
        return [Column(one.id, str(one.holds["name"]), reader.value(one)) for one in expressions]

    def _reader(self, below: Relation) -> Reader:
        return Reader({column.id: column.value for column in below.columns}, self._subquery)

    def _subquery(self, plan: Any) -> Value:
        inner = self.read(tree(plan))
        return Value(together(computed([column.value for column in inner.columns]).sources, inner.rows))


def _generated(name: str, given: Sequence[Value], outputs: int) -> list[Value]:
    """Return the values that a generator's columns have: positions, keys, elements, or the fields of elements."""
    if name in ("Explode", "PosExplode") and given:
        element = given[0].part(ELEMENT)
        places = [given[0].through("TRANSFORMATION", masking=True)] if name == "PosExplode" else []
        keys = [given[0].through("TRANSFORMATION")] * (outputs - len(places) - 1)
        return [*places, *keys, given[0].through("TRANSFORMATION") if keys else element]
    return [computed(given)] * outputs


def _trees(node: Node, name: str) -> list[Node]:
    """Return the expressions that a node of a plan holds under a name: one, several, or none."""
    held = node.holds.get(name)
    if not held:
        return []
    return [tree(held)] if isinstance(held[0], Mapping) else [tree(one) for one in held]


_SPECIAL: dict[str, Callable[[_Plans, Node], Relation]] = {
    "SubqueryAlias": _Plans._input,
    "Project": _Plans._project,
    "Aggregate": _Plans._aggregate,
    "Window": _Plans._window,
    "Filter": _Plans._filter,
    "Sort": _Plans._sort,
    "Deduplicate": _Plans._deduplicate,
    "Distinct": _Plans._distinct,
    "Join": _Plans._join,
    "Union": _Plans._union,
    "Intersect": _Plans._set,
    "Except": _Plans._set,
    "Generate": _Plans._generate,
    "Expand": _Plans._expand,
    "LogicalRDD": _Plans._leaf,
    "LocalRelation": _Plans._leaf,
    "OneRowRelation": _Plans._leaf,
    "Range": _Plans._leaf,
}
