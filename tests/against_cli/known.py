"""The table of known differences and that of what is not compared, as ``docs/engines-compared.md`` has them.

A difference that no row lists fails its test, and so does a row that no longer shows.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent.parent / "docs" / "engines-compared.md"
LINES, WIDTH = 40, 1000
_SPAN = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Row:
    """The tests in which it shows, by name, and its differences; ``*`` stands for any text in these."""

    tests: tuple[str, ...]
    patterns: tuple[str, ...]

    def lists(self, line: str) -> bool:
        return any(_matches(pattern, line) for pattern in self.patterns)


def _matches(pattern: str, line: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), line) is not None


def _table(heading: str) -> list[list[str]]:
    """The cells of the table under a heading of the page, without its own two heading lines."""
    part = PAGE.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


@functools.cache
def rows() -> list[Row]:
    """The known differences. Raises AssertionError for a row without a reason."""
    found = []
    for cells in _table("Known differences"):
        assert len(cells) == 3 and cells[2], f"{PAGE.name}: a row needs what differs, where it shows, and why: {cells}"
        found.append(Row(tuple(_SPAN.findall(cells[1])), tuple(_SPAN.findall(cells[0]))))
    return found


@functools.cache
def left_out() -> dict[str, str]:
    """The tests that are not compared, by name, and why."""
    return {name: why for names, why in _table("What is not compared") for name in _SPAN.findall(names)}


def hold(test: str, found: Sequence[str]) -> None:
    """Fail unless these are the differences that the table lists for the test."""
    mine = [row for row in rows() if test in row.tests]
    unknown = [line for line in found if not any(row.lists(line) for row in mine)]
    stale = [p for row in mine for p in row.patterns if not any(_matches(p, line) for line in found)]
    lines = [*(f"differs: {line}" for line in unknown), *(f"no longer differs: {pattern}" for pattern in stale)]
    if lines:
        shown = [line[:WIDTH] for line in lines[:LINES]] + [f"... and {len(lines) - LINES} more"] * (len(lines) > LINES)
        pytest.fail(f"{test} (see {PAGE.name}):\n" + "\n".join(shown), pytrace=False)
