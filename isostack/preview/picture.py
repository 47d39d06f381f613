"""Where everything stands in the picture of an environment: a tree of components, and in each a square for every resource.

Owns places and sizes, in pixels of the SVG; colours are the style sheet's, drawing is the template's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from isostack.engine.urn import short_type
from isostack.preview.report import Node
from isostack.preview.text import clean

WIDTH: Final = 460
INDENT, LABEL, SQUARE, GAP, ROW = 16, 190, 11, 3, 22
LETTER: Final = 7
MOST: Final = 400
"""Squares of one component; of more, those that change are drawn first and the others counted."""
OUTSIDE: Final = "outside of any component"
_PER_LINE = (WIDTH - LABEL) // (SQUARE + GAP)


@dataclass(frozen=True)
class Square:
    x: int
    y: int
    op: str
    title: str


@dataclass(frozen=True)
class Row:
    """A component: its label at (``x``, ``y``), what it is in full, its resources, and the line from its parent."""

    x: int
    y: int
    label: str
    title: str
    op: str
    squares: tuple[Square, ...]
    more: int
    link: str


@dataclass(frozen=True)
class Picture:
    """Rows from top to bottom, and how high all of it is."""

    rows: tuple[Row, ...]
    height: int
    width: int = WIDTH
    square: int = SQUARE


def picture(nodes: Sequence[Node]) -> Picture:
    """The picture of an environment's nodes, parents first."""
    rows: list[Row] = []
    places: dict[int, Row] = {}
    y = 4
    kinds = Counter(node.type.rpartition(":")[2] for node in nodes if node.component)
    once = {kind for kind, number in kinds.items() if number == 1}
    for number, depth, members in _components(nodes):
        node = nodes[number] if number >= 0 else Node(OUTSIDE, "", -1, "same", component=True)
        parent = places.get(node.parent)
        row = _row(node, depth, y, [nodes[member] for member in members], parent, once)
        places[number] = row
        rows.append(row)
        lines = -(-len(row.squares) // _PER_LINE) or 1
        y += max(ROW, lines * (SQUARE + GAP) + 8)
    return Picture(tuple(rows), y + 4)


def _components(nodes: Sequence[Node]) -> Iterator[tuple[int, int, list[int]]]:
    """Each component (-1: none) with its depth and the resources that are in it and in no other below it."""
    owner, depth = dict[int, int](), {-1: -1}
    members: dict[int, list[int]] = {-1: []}
    for number, node in enumerate(nodes):
        above = owner.get(node.parent, -1) if node.parent >= 0 and not nodes[node.parent].component else node.parent
        owner[number] = above
        if node.component:
            depth[number] = depth[above] + 1
            members[number] = []
        else:
            members[above].append(number)
    yield from ((number, depth[number], some) for number, some in members.items() if number >= 0)
    if members[-1]:
        yield -1, 0, members[-1]


def _row(node: Node, depth: int, y: int, members: list[Node], parent: Row | None, once: set[str]) -> Row:
    shown = members
    if len(members) > MOST:
        shown = [member for member in members if member.op != "same"][:MOST]
    squares = tuple(
        Square(
            LABEL + place % _PER_LINE * (SQUARE + GAP),
            y + place // _PER_LINE * (SQUARE + GAP) + 2,
            member.op,
            f"{member.name} ({short_type(member.type)}): {'as it is' if member.op == 'same' else member.op}",
        )
        for place, member in enumerate(shown)
    )
    x = 6 + depth * INDENT
    link = f"M{parent.x + 3} {parent.y + 16}V{y + 9}H{x - 3}" if parent else ""
    kind = node.type.rpartition(":")[2]
    label = node.name if not kind else kind if kind in once else f"{kind} {node.name}"
    return Row(
        x, y, clean(label, (LABEL - x - 14) // LETTER), f"{kind} {node.name}", node.op, squares, len(members) - len(shown), link
    )
