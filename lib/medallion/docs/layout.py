"""Where the tables of a graph stand in a picture: layers from left to right, edges that cross little.

Layers by the longest way from a source, then order within layers by the barycentre of neighbours (Sugiyama, Tagawa and
Toda, "Methods for visual understanding of hierarchical system structures", 1981); long edges pass through empty places.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import pairwise

WIDTH, HEIGHT = 208, 28  # of a box, in pixels
_ACROSS, _DOWN = 64, 12  # between boxes
_EMPTY = 12  # of a place that an edge passes through, what is between included
_MARGIN = 8
_SWEEPS = 8

Graph = Mapping[str, Sequence[str]]  # a table and what it reads


@dataclass(frozen=True)
class Box:
    """A table, by its upper left corner."""

    name: str
    x: float
    y: float


@dataclass(frozen=True)
class Edge:
    """What a table reads, as the path of an SVG."""

    source: str
    target: str
    path: str


@dataclass(frozen=True)
class Picture:
    """Boxes and edges, and how much room they take."""

    boxes: Sequence[Box]
    edges: Sequence[Edge]
    width: float
    height: float


def picture(graph: Graph) -> Picture:
    """Return where the tables of an acyclic graph stand; what is read and not in the graph is left out."""
    graph = {name: [up for up in reads if up in graph] for name, reads in graph.items()}
    depths = _depths(graph)
    ways, layers = _with_places(graph, depths)
    _uncross(ways, layers)
    heights = [[HEIGHT + _DOWN if node in graph else _EMPTY for node in layer] for layer in layers]
    tallest = max(map(sum, heights), default=0)
    at: dict[str, tuple[float, float]] = {}
    for depth, layer in enumerate(layers):
        x, y = _MARGIN + depth * (WIDTH + _ACROSS), _MARGIN + (tallest - sum(heights[depth])) / 2
        for node, height in zip(layer, heights[depth], strict=True):
            at[node] = (x, y if node in graph else y - HEIGHT / 2)
            y += height
    edges = [Edge(way[0], way[-1], _path([at[node] for node in way])) for way in ways]
    size = len(layers) * (WIDTH + _ACROSS) - _ACROSS + 2 * _MARGIN, tallest + 2 * _MARGIN
    return Picture([Box(name, *at[name]) for name in graph], edges, *size)


def around(graph: Graph, name: str) -> Graph:
    """Return of a graph what a table is made of, and what is made of it, near and far."""
    readers: dict[str, list[str]] = {one: [] for one in graph}
    for one, reads in graph.items():
        for up in reads:
            readers.setdefault(up, []).append(one)
    kept = {name} | _reached(graph, name) | _reached(readers, name)
    return {one: reads for one, reads in graph.items() if one in kept}


def _reached(graph: Graph, name: str) -> set[str]:
    found: set[str] = set()
    waiting = [*graph.get(name, ())]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += graph.get(one, ())
    return found


def _depths(graph: Graph) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in TopologicalSorter(graph).static_order():
        found[name] = max((found[up] + 1 for up in graph[name]), default=0)
    return found


def _with_places(graph: Graph, depths: Mapping[str, int]) -> tuple[list[list[str]], list[list[str]]]:
    """Return each edge as the places that it goes through, one a layer, and the places of each layer."""
    layers: list[list[str]] = [[] for _ in range(max(depths.values(), default=-1) + 1)]
    for name in graph:
        layers[depths[name]].append(name)
    ways = []
    for name, reads in graph.items():
        for up in reads:
            between = [f"{up} > {name} {depth}" for depth in range(depths[up] + 1, depths[name])]
            for depth, place in enumerate(between, depths[up] + 1):
                layers[depth].append(place)
            ways.append([up, *between, name])
    return ways, layers


def _uncross(ways: Sequence[Sequence[str]], layers: list[list[str]]) -> None:
    """Order each layer by where its neighbours stand, there and back, some times."""
    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for way in ways:
        for one, other in pairwise(way):
            before.setdefault(other, []).append(one)
            after.setdefault(one, []).append(other)
    for sweep in range(_SWEEPS):
        neighbours, order = (before, layers[1:]) if sweep % 2 == 0 else (after, layers[-2::-1])
        at = _places(layers)
        for layer in order:
            middle = {
                node: sum(at[one] for one in near) / len(near) if (near := neighbours.get(node)) else at[node]
                for node in layer
            }
            layer.sort(key=middle.__getitem__)
            at |= _places([layer])


def _places(layers: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return where each node stands in its layer, from -1/2 to 1/2: layers stand in the middle."""
    return {node: (place + 0.5) / len(layer) - 0.5 for layer in layers for place, node in enumerate(layer)}


def _path(corners: Sequence[tuple[float, float]]) -> str:
    """Return a smooth line from the right side of a box through empty places to the left side of another."""
    half = HEIGHT / 2
    x, y = corners[0][0] + WIDTH, corners[0][1] + half
    path = f"M{x:g} {y:g}"
    for at, (left, top) in enumerate(corners[1:], 1):
        middle = (x + left) / 2
        path += f"C{middle:g} {y:g} {middle:g} {top + half:g} {left:g} {top + half:g}"
        x, y = left, top + half
        if at < len(corners) - 1:
            x = left + WIDTH
            path += f"H{x:g}"
    return path
