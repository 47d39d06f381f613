"""What policies are, for people: a row for each, with all that its rule tells where the pack has rules as values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

from isostack.policy.analyzer import Attached
from isostack.policy.configuration import Held


class Given(Protocol):
    """A resource of an example."""

    type: str
    name: str
    props: Mapping[str, Any]


class Example(Protocol):
    """Resources that a rule refuses, and the same ones mended."""

    wrong: Sequence[Given]
    mended: Sequence[Given]


class Rule(Protocol):
    """What a pack's module may offer in its ``RULES``, by these names; ``levels`` has a field for each environment.

    Levels, the severity and the area are members of enumerations, whose values are shown.
    """

    name: str
    area: Any
    severity: Any
    levels: Any
    ids: Sequence[str]
    title: str
    why: str
    mend: str
    example: Example


@dataclass(frozen=True)
class Entry:
    """A policy. ``levels`` are by environment; one under ``""`` holds in all. ``rule`` is what the pack tells beside it."""

    pack: str
    name: str
    title: str
    severity: str
    levels: Mapping[str, str]
    area: str = ""
    ids: tuple[str, ...] = ()
    rule: Rule | None = None

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        known = {name: getattr(self, name) for name in ("pack", "name", "title", "area", "severity")}
        told = {"why": self.rule.why, "mend": self.rule.mend} if self.rule else {}
        return {**known, "levels": dict(self.levels), "ids": list(self.ids), **told}

    def level(self, environment: str) -> str:
        return self.levels.get(environment) or self.levels.get("", "-")


def entries(packs: Iterable[Attached]) -> list[Entry]:
    """Every policy of the packs, in their order."""
    return [_entry(attached, held) for attached in packs for held in attached.held]


def environments(rows: Iterable[Entry]) -> list[str]:
    """The environments that the rows tell apart, in order."""
    return list(dict.fromkeys(name for row in rows for name in row.levels if name))


def _entry(attached: Attached, held: Held) -> Entry:
    policy, rule = held.policy, attached.pack.rules.get(held.policy.name)
    severity = policy.severity.value if policy.severity else ""
    if rule is None:
        return Entry(attached.pack.name, policy.name, policy.description, severity, {"": held.level.value})
    levels = {field.name: getattr(rule.levels, field.name).value for field in fields(rule.levels)}
    return Entry(attached.pack.name, rule.name, rule.title, severity, levels, rule.area.value, tuple(rule.ids), rule)
