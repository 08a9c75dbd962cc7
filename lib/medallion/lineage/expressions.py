"""What the expressions of an analysed plan make of values: Catalyst's own classes, by their names.

An expression that is not known here is taken as computed from all that it is given: lineage may then name a field too
much, never one too few.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from medallion.lineage.value import CONSTANT, ELEMENT, NULL, Value, beside, computed, either

# What tells something of a value, but not what it is.
_TELLING = frozenset(
    "And Or Not EqualTo EqualNullSafe GreaterThan GreaterThanOrEqual LessThan LessThanOrEqual In InSet IsNull "
    "IsNotNull IsNaN RLike Like LikeAll LikeAny StartsWith EndsWith Contains ArrayContains ArraysOverlap "
    "ArrayExists ArrayForAll Length OctetLength BitLength Size Count HyperLogLogPlusPlus "
    "Md5 Sha1 Sha2 Crc32 HashExpression Murmur3Hash XxHash64 HiveHash".split()
)
_RANKING = frozenset("RowNumber Rank DenseRank PercentRank CumeDist NTile".split())
_CHOOSING = frozenset("Min Max First Last AnyValue Mode".split())
_GATHERING = frozenset("CollectList CollectSet".split())
_UNCHANGED = frozenset(
    "Alias SortOrder CommonExpressionDef ParseJson KnownNotNull KnownNullable KnownFloatingPointNormalized "
    "PromotePrecision NormalizeNaNAndZero AssertNotNull".split()
)


class UnknownError(Exception):
    """A plan that cannot be read whole: rather no lineage than one that lacks something."""


@dataclass
class Node:
    """A node of a plan or an expression: its class, without the package, what it holds, and its children."""

    name: str
    holds: Mapping[str, Any]
    children: list["Node"] = field(default_factory=list)

    @property
    def id(self) -> int:
        """The id of the attribute that it is, or makes."""
        return int(self.holds["exprId"]["id"])


def tree(flat: Sequence[Mapping[str, Any]]) -> Node:
    """Return a tree that Catalyst's ``TreeNode.toJSON`` wrote: nodes in pre-order, each with its count of children."""
    return _grown(iter(flat))


def _grown(flat: Iterator[Mapping[str, Any]]) -> Node:
    holds = next(flat)
    node = Node(str(holds["class"]).rpartition(".")[2].rstrip("$"), holds)
    node.children = [_grown(flat) for _ in range(int(holds["num-children"]))]
    return node


class Reader:
    """Reads expressions over attributes whose values are known; ``read_plan`` tells what a subquery gives."""

    def __init__(self, known: Mapping[int, Value], read_plan: Callable[[Any], Value]) -> None:
        self._known = dict(known)
        self._read_plan = read_plan
        self._common: list[Value] = []

    def value(self, node: Node) -> Value:
        """Return what an expression's value is made of."""
        if node.name in _UNCHANGED:
            return either([self.value(child) for child in node.children])
        special = _SPECIAL.get(node.name)
        if special is not None:
            return special(self, node)
        if "plan" in node.holds:
            inner = [self.value(child) for child in node.children]
            return computed([self._read_plan(node.holds["plan"]), *inner])
        if any(child.name == "LambdaFunction" for child in node.children):
            return self._higher_order(node)
        return computed([self.value(child) for child in node.children], masking=node.name in _TELLING)

    def _attribute(self, node: Node) -> Value:
        if node.id not in self._known:
            raise UnknownError(f"{node.holds['name']}, of a part of the plan that is not known")
        return self._known[node.id]

    def _with(self, node: Node) -> Value:
        """Read a value that its expression names once and uses several times."""
        child, *definitions = node.children
        found = [self.value(one) for one in definitions]
        self._common.append(found[0] if len(found) == 1 else computed(found))
        try:
            return self.value(child)
        finally:
            self._common.pop()

    def _reference(self, node: Node) -> Value:
        """Return what is meant by a name of `_with`; which of several it is, Catalyst does not write."""
        return self._common[-1] if len(self._common) == 1 else computed(self._common)

    def _struct_field(self, node: Node) -> Value:
        struct = self.value(node.children[0])
        name = node.holds.get("name") or self._field_name(node, struct)
        return struct.through("TRANSFORMATION") if name is None else struct.part(name)

    def _field_name(self, node: Node, struct: Value) -> str | None:
        """Return the name of a field that Catalyst knows by its place only, as after ``struct.*``."""
        place = int(node.holds["ordinal"])
        if struct.parts:
            return [*struct.parts][place]
        type_ = node.children[0].holds.get("dataType")
        return str(type_["fields"][place]["name"]) if isinstance(type_, dict) and "fields" in type_ else None

    def _array_fields(self, node: Node) -> Value:
        """Read ``array.name``: an array of that field of its elements."""
        one = self.value(node.children[0]).part(ELEMENT).part(str(node.holds["field"]["name"]))
        return Value(one.sources, parts={ELEMENT: one})

    def _item(self, node: Node) -> Value:
        """Read an element of an array, or of a map by its key."""
        whole, key = (self.value(child) for child in node.children[:2])
        literal = node.children[1]
        if literal.name != "Literal" or literal.holds.get("value") is None:
            return computed([whole, key])
        return whole.part(str(literal.holds["value"]) if literal.holds["dataType"] == "string" else ELEMENT)

    def _json(self, node: Node) -> Value:
        """Read JSON text into a struct or array: what is inside stays inside the field that holds the text."""
        text = self.value(node.children[0])
        return Value(text.through("TRANSFORMATION").sources, text.place)

    def _json_path(self, node: Node) -> Value:
        """Read what a path such as ``$.customer.id`` finds in JSON text."""
        text, path = self.value(node.children[0]), node.children[1]
        steps = json_steps(str(path.holds.get("value"))) if path.name == "Literal" else None
        if text.place is None or not steps:
            return computed([text, self.value(path)])
        for step in steps:
            text = text.part(step)
        return text

    def _struct(self, node: Node) -> Value:
        names, values = node.children[::2], [self.value(child) for child in node.children[1::2]]
        parts = {str(name.holds.get("value")): value for name, value in zip(names, values, strict=True)}
        return Value(computed(values).sources, parts=parts)

    def _array(self, node: Node) -> Value:
        values = [self.value(child) for child in node.children]
        return Value(computed(values).sources, parts={ELEMENT: either(values)} if values else {})

    def _case(self, node: Node) -> Value:
        """Read ``CASE WHEN``: its conditions decide, its results are the value."""
        pairs, last = len(node.children) // 2, node.children[len(node.children) // 2 * 2 :]
        conditions = [self.value(node.children[2 * at]).through("CONDITIONAL") for at in range(pairs)]
        results = [self.value(one) for one in (*node.children[1 : 2 * pairs : 2], *last)]
        return beside(either(results), *conditions)

    def _if(self, node: Node) -> Value:
        condition, *results = (self.value(child) for child in node.children)
        return beside(either(results), condition.through("CONDITIONAL"))

    def _aggregate(self, node: Node) -> Value:
        function, *conditions = node.children
        return beside(self._added_up(function), *[self.value(one).through("CONDITIONAL") for one in conditions])

    def _added_up(self, node: Node) -> Value:
        values = [self.value(child) for child in node.children]
        if node.name in ("MaxBy", "MinBy"):
            return beside(values[0].through("AGGREGATION"), values[1].through("SORT"))
        if node.name in _GATHERING:
            return Value(computed(values, "AGGREGATION").sources, parts={ELEMENT: values[0]})
        whole = computed(values, "AGGREGATION", masking=node.name in _TELLING)
        if node.name not in _CHOOSING or not values[0].parts:
            return whole
        # The least or greatest struct: what stands in it before a field, and in it, decides which one that is.
        order = values[0].through("SORT")
        return Value(
            whole.sources, parts={n: beside(v.through("AGGREGATION"), order) for n, v in values[0].parts.items()}
        )

    def _window(self, node: Node) -> Value:
        function, window = node.children
        over = self.value(window).through("WINDOW")
        found = self.value(function)
        return beside(found.through("WINDOW") if function.name in _RANKING else found, over)

    def _higher_order(self, node: Node) -> Value:
        """Read a function that is given functions: what they take are elements of what stands before them."""
        given = [self.value(child) for child in node.children if child.name != "LambdaFunction"]
        functions = [child for child in node.children if child.name == "LambdaFunction"]
        element = given[0].part(ELEMENT) if len(given) == 1 and given[0].place is not None else computed(given)
        for one in functions:
            for at, argument in enumerate(one.children[1:]):
                is_element = at == 0 and node.name in ("ArrayTransform", "ArrayFilter")
                self._known[argument.id] = element if is_element else computed(given)
        bodies = [self.value(one.children[0]) for one in functions]
        if node.name in ("ArrayFilter", "MapFilter"):
            return beside(computed(given), *[body.through("CONDITIONAL") for body in bodies])
        parts = {ELEMENT: bodies[0]} if node.name == "ArrayTransform" else {}
        return Value(computed([*given, *bodies], masking=node.name in _TELLING).sources, parts=parts)


def json_steps(path: str) -> list[str] | None:
    """Return the steps of a JSON path such as ``$.lines[0].price``; None where it is more than that."""
    if not re.fullmatch(r"\$(\.[A-Za-z_][A-Za-z0-9_]*|\[(\d+|\*)\])+", path):
        return None
    return [ELEMENT if step.startswith("[") else step[1:] for step in re.findall(r"\.\w+|\[[^]]*\]", path)]


_SPECIAL: dict[str, Callable[[Reader, Node], Value]] = {
    "AttributeReference": Reader._attribute,
    "NamedLambdaVariable": Reader._attribute,
    "Literal": lambda reader, node: NULL if node.holds.get("value") is None else CONSTANT,
    "OuterReference": lambda reader, node: CONSTANT,  # the subquery that it stands in has it among its children
    "TypedNullLiteral": lambda reader, node: NULL,
    "With": Reader._with,
    "CommonExpressionRef": Reader._reference,
    "GetStructField": Reader._struct_field,
    "GetArrayStructFields": Reader._array_fields,
    "GetArrayItem": Reader._item,
    "GetMapValue": Reader._item,
    "ElementAt": Reader._item,
    "JsonToStructs": Reader._json,
    "GetJsonObject": Reader._json_path,
    "VariantGet": Reader._json_path,
    "CreateNamedStruct": Reader._struct,
    "CreateArray": Reader._array,
    "CaseWhen": Reader._case,
    "If": Reader._if,
    "AggregateExpression": Reader._aggregate,
    "WindowExpression": Reader._window,
}
