"""Reads a YAML document together with the line of every value in it, and words what is wrong with it.

Owns the syntax: what a scalar means, repeated keys, tabs. What the keys stand for is :mod:`stacks.tables`' and the model's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from yaml import SafeLoader as Loader
else:
    Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Steps = tuple[str | int, ...]
"""Where a value stands in a document: keys, and indexes of lists."""

_WORDS: Mapping[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+")


class ParameterError(ValueError):
    """A parameter set that cannot be used: a line for each thing that is wrong. ``exit_code`` is that of bad input."""

    exit_code = 2


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong: where, what, and how to mend it. ``line`` counts from 1; 0 is the document as a whole."""

    file: str
    line: int
    path: str
    what: str
    mend: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(filter(None, (where, self.path, f"{self.what}; {self.mend}")))


@dataclass(frozen=True)
class Document:
    """A document's text, its plain value (mappings, lists, scalars), and the lines of its values, counted from 1."""

    file: str
    text: str
    value: dict[str, Any]
    lines: Mapping[Steps, int]

    def line(self, steps: Steps) -> int:
        """The line of the value, or of the nearest one around it."""
        while steps not in self.lines:
            steps = steps[:-1]
        return self.lines[steps]

    def problem(self, steps: Steps, what: str, mend: str) -> Problem:
        """What is wrong with the value at these steps."""
        return Problem(self.file, self.line(steps), dotted(steps), what, mend)


def refuse(problems: Iterable[Problem]) -> None:
    """Raise ParameterError with every problem once, in the order of lines; nothing where there is none."""
    found = sorted(set(problems))
    if found:
        raise ParameterError("\n".join(map(str, found)))


def dotted(steps: Steps) -> str:
    """The steps as people write them: ``services.worker.cpu``."""
    return ".".join(map(str, steps))


def nearest(word: str, known: Iterable[str]) -> str:
    """The mend for an unknown word: the one that was meant, or all there are."""
    names = list(known)
    close = get_close_matches(word, names, 1, 0.5)
    return f"did you mean {close[0]}?" if close else f"there are {', '.join(names) or 'none'}"


def read(path: Path) -> Document:
    """The document in a file. Raises ParameterError where it is no YAML, or not a mapping of names to values."""
    text = path.read_bytes().decode(errors="replace").removeprefix("\ufeff")
    lines: dict[Steps, int] = {(): 1}
    problems: list[Problem] = []
    for number, line in enumerate(text.splitlines(), 1):
        if "\t" in line[: len(line) - len(line.lstrip())]:
            problems.append(Problem(path.name, number, "", "a tab", "YAML is indented with spaces"))
    refuse(problems)
    value: Any = None
    try:
        node = Loader(text).get_single_node()
        if node is not None:
            value = _Reader(path.name, lines, problems).value(node, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(filter(None, (error.context, error.problem)))
        problems.append(Problem(path.name, mark.line + 1 if mark else 0, "", what, "mend the YAML there"))
    except yaml.YAMLError as error:
        problems.append(Problem(path.name, 0, "", " ".join(str(error).split()), "mend the YAML there"))
    else:
        if not isinstance(value, dict):
            problems.append(Problem(path.name, 1, "", "the document is no mapping", "begin lines with a name and a colon"))
    refuse(problems)
    return Document(path.name, text, value, lines)


@dataclass
class _Reader:
    """Turns nodes into plain values. Scalars are YAML 1.2's: ``no``, ``1:30``, ``0123`` and dates are text."""

    file: str
    lines: dict[Steps, int]
    problems: list[Problem]
    seen: set[int] = field(default_factory=set)

    def value(self, node: yaml.Node, steps: Steps) -> Any:
        line = node.start_mark.line + 1
        if id(node) in self.seen:
            self._wrong(self.lines.get(steps, line), steps, f"is an alias of line {line}", "write the value out")
            return None
        self.seen.add(id(node))
        if not node.tag.startswith("tag:yaml.org,2002:"):
            self._wrong(line, steps, f"has the tag {node.tag}", "remove the tag")
        if isinstance(node, yaml.MappingNode):
            return dict(self._entries(node, steps))
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self.lines.setdefault((*steps, index), item.start_mark.line + 1)
            return [self.value(item, (*steps, index)) for index, item in enumerate(node.value)]
        return _scalar(node)

    def _entries(self, node: yaml.MappingNode, steps: Steps) -> Iterator[tuple[str, Any]]:
        seen: dict[str, int] = {}
        for key, item in node.value:
            line, name = key.start_mark.line + 1, str(key.value)
            here = (*steps, name)
            if not isinstance(key, yaml.ScalarNode) or name == "<<":
                self._wrong(line, steps, "a key that is no plain name", "write a name and a colon")
                continue
            if name in seen:
                self._wrong(line, here, f"is given twice, first on line {seen[name]}", "remove one of the two")
            seen.setdefault(name, line)
            self.lines[here] = line
            yield name, self.value(item, here)

    def _wrong(self, line: int, steps: Steps, what: str, mend: str) -> None:
        self.problems.append(Problem(self.file, line, dotted(steps), what, mend))


def _scalar(node: yaml.Node) -> Any:
    text = str(node.value)
    if isinstance(node, yaml.ScalarNode) and node.style:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text
