"""The one document that every form of a preview is made from: what each environment would become, and what to look at.

Plain data: all values are text already, none is secret, and the same input gives the same document, so it holds neither times
nor paths of this machine. Collecting it is :mod:`isostack.preview.collect`'s; how it looks is ``text``'s, ``markdown``'s and
``page``'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from isostack.errors import EXIT_CODES

FORMAT: Final = 1
MANY: Final = 5
"""So many resources that change alike are told together."""
OPS: Final = ("create", "update", "replace", "delete", "import", "forget", "unsure")
"""What may happen to a resource. ``unsure``: what it would become hangs on a look-up that only a cloud answers."""


@dataclass(frozen=True)
class PropertyChange:
    """A value that differs, as text; ``before`` or ``after`` is None where there is none. ``forces`` a replacement."""

    path: str
    before: str | None
    after: str | None
    forces: bool = False


@dataclass(frozen=True)
class ResourceChange:
    """What happens to a resource. ``component`` has the kinds and names of those that it is in, outermost first.

    ``forced_by`` are the properties that force a replacement; ``data_at_stake`` is true where something that holds data goes.
    """

    name: str
    type: str
    component: tuple[str, ...]
    op: str
    properties: tuple[PropertyChange, ...] = ()
    forced_by: tuple[str, ...] = ()
    data_at_stake: bool = False
    note: str = ""


@dataclass(frozen=True)
class Node:
    """A resource or component in the picture, after those that it is in: ``parent`` is a place in the list, -1 for none."""

    name: str
    type: str
    parent: int
    op: str
    component: bool = False


@dataclass(frozen=True)
class ParameterChange:
    """A parameter that differs between the deployed version and the pinned one, and where the new value is written."""

    path: str
    before: str | None
    after: str | None
    origin: str


@dataclass(frozen=True)
class Finding:
    """What a policy says of a resource. ``level`` is ``mandatory`` or ``advisory``."""

    policy: str
    level: str
    resource: str
    message: str


@dataclass(frozen=True)
class Widening:
    """A permission or a reach that is wider than before."""

    resource: str
    what: str


@dataclass(frozen=True)
class Environment:
    """An environment: what it was compared with (empty where all of it is new), what changes, and what a reviewer should see.

    ``unseen`` are look-ups whose answers are unknown here. ``error`` is why there is no preview, or empty. Costs are a month's,
    and None where they are not known; ``unpriced`` is what has no price, and so is not in them.
    """

    name: str
    compared_with: str = ""
    deployed: str | None = None
    pinned: str | None = None
    unchanged: int = 0
    changes: tuple[ResourceChange, ...] = ()
    nodes: tuple[Node, ...] = field(default=(), repr=False)
    parameters: tuple[ParameterChange, ...] = ()
    policies: tuple[Finding, ...] = ()
    widened: tuple[Widening, ...] = ()
    unseen: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    error: str = ""
    cost_before: float | None = None
    cost_after: float | None = None
    unpriced: tuple[str, ...] = ()

    def count(self, *ops: str) -> int:
        """How many changes are of these kinds."""
        return sum(change.op in ops for change in self.changes)

    @property
    def counts(self) -> dict[str, int]:
        """Changes by kind, without zeros."""
        return {op: number for op in OPS if (number := self.count(op))}

    @property
    def at_stake(self) -> list[ResourceChange]:
        return [change for change in self.changes if change.data_at_stake]

    @property
    def refused(self) -> list[Finding]:
        return [finding for finding in self.policies if finding.level == "mandatory"]


@dataclass(frozen=True)
class Parity:
    """Whether the environments differ only where the parameter set says so."""

    version: str
    holds: bool
    breaches: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """All environments of a revision of a project. ``base`` is the revision that stands in where there is no state."""

    project: str
    revision: str
    environments: tuple[Environment, ...]
    base: str = ""
    parity: Parity | None = None

    @property
    def result(self) -> Literal["succeeded", "failed", "refused"]:
        if any(environment.error for environment in self.environments):
            return "failed"
        broken = self.parity is not None and not self.parity.holds
        return "refused" if broken or any(environment.refused for environment in self.environments) else "succeeded"

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.result]

    def as_dict(self) -> dict[str, Any]:
        """For ``--format json``."""
        return {"format": FORMAT, "result": self.result, "exit_code": self.exit_code, "verdict": self.verdict, **asdict(self)}

    @property
    def verdict(self) -> str:
        """One line that says all: what fails, what is at stake, or what changes."""
        return "; ".join(self._said())

    def _said(self) -> Iterator[str]:
        failed = [environment.name for environment in self.environments if environment.error]
        if failed:
            yield f"fails in {_listed(failed)}"
        refusing = [environment.name for environment in self.environments if environment.refused]
        if refusing:
            yield f"refused by policy in {_listed(refusing)}"
        if self.parity and not self.parity.holds:
            yield "breaks parity"
        losing = [environment.name for environment in self.environments if environment.at_stake]
        if losing:
            yield f"data is at stake in {_listed(losing)}"
        widened = [environment.name for environment in self.environments if environment.widened]
        if widened:
            yield f"widens permissions or reach in {_listed(widened)}"
        changing = [environment for environment in self.environments if environment.changes]
        if changing:
            number = sum(len(environment.changes) for environment in changing)
            noun = "change" if number == 1 else "changes"
            yield f"{number:,} {noun} in {_listed([environment.name for environment in changing])}"
        elif not failed:
            yield "nothing changes"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


COUNTED: Final = {
    "create": "to create",
    "update": "to update",
    "replace": "to replace",
    "delete": "to delete",
    "import": "to import",
    "forget": "to forget",
    "unsure": "not sure",
}


def counted(environment: Environment) -> str:
    """``2 to create, 1 to replace``; what stays as it is where that is all."""
    if environment.error:
        return "failed"
    parts = [f"{number:,} {COUNTED[op]}" for op, number in environment.counts.items()]
    return ", ".join(parts) or f"no changes ({environment.unchanged:,} resources)"


def alike(changes: tuple[ResourceChange, ...]) -> list[tuple[ResourceChange, ...]]:
    """Updates of the same values to the same in many resources, such as of a tag that all carry; each group by itself."""
    groups: dict[tuple[PropertyChange, ...], list[ResourceChange]] = {}
    for change in changes:
        if change.op == "update" and change.properties:
            groups.setdefault(change.properties, []).append(change)
    return [tuple(group) for group in groups.values() if len(group) >= MANY]


def by_component(changes: tuple[ResourceChange, ...]) -> dict[tuple[str, ...], list[ResourceChange]]:
    """The changes of each component, in the order in which they come."""
    result: dict[tuple[str, ...], list[ResourceChange]] = {}
    for change in changes:
        result.setdefault(change.component, []).append(change)
    return result
