"""What a run tells its observers while it goes: the display draws from these, ``--json`` collects them.

No event holds a secret: :class:`Change` carries values in which secrets are masked already.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal


class Op(StrEnum):
    """What a step does, in Pulumi's words."""

    SAME = "same"
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    READ = "read"
    IMPORT = "import"
    REFRESH = "refresh"
    FORGET = "forget"
    """Removed from the state only: retained, deleted with its container, or gone already."""


@dataclass(frozen=True)
class Change:
    """One property that differs. ``old`` or ``new`` is None where there is none; UNKNOWN and masked secrets may be inside."""

    path: str
    kind: Literal["add", "update", "delete"]
    old: Any = None
    new: Any = None
    replaces: bool = False


@dataclass(frozen=True)
class StepStarted:
    """A step began (or, at preview, was decided)."""

    urn: str
    op: Op
    type: str
    name: str
    parent: str = ""
    changes: tuple[Change, ...] = ()
    component: bool = False
    note: str = ""
    """Such as ``delete before replace`` or ``protected``."""


@dataclass(frozen=True)
class StepDone:
    """A step ended after so many seconds. ``status`` says how; ``message`` has a failure's text or a reason to skip."""

    urn: str
    op: Op
    status: Literal["done", "failed", "skipped"]
    seconds: float = 0.0
    message: str = ""


@dataclass(frozen=True)
class Diagnostic:
    """A message about a resource (``urn``), or about the whole run (an empty ``urn``)."""

    severity: Literal["info", "warning", "error"]
    message: str
    urn: str = ""


@dataclass(frozen=True)
class Phase:
    """A part of the run that takes time and has no resource: ``starting the local cloud``, ``running the program``."""

    text: str


@dataclass(frozen=True)
class Violation:
    """What a policy found. ``urn`` is the resource that it is about, or the stack; a ``mandatory`` one stops the run."""

    pack: str
    version: str
    policy: str
    level: Literal["advisory", "mandatory"]
    severity: str
    """``low``, ``medium``, ``high`` or ``critical``, or empty."""
    urn: str
    message: str
    undecided: bool = False
    """Whether this is no violation, but a preview that cannot tell yet; it is advisory then."""


Event = StepStarted | StepDone | Diagnostic | Phase | Violation
Sink = Callable[[Event], None]


@dataclass
class Tally:
    """How many resources each kind of change touched (a replacement counts once)."""

    create: int = 0
    update: int = 0
    replace: int = 0
    delete: int = 0
    same: int = 0

    def as_dict(self) -> dict[str, int]:
        return {key: getattr(self, key) for key in ("create", "update", "replace", "delete", "same")}

    @property
    def changes(self) -> int:
        return self.create + self.update + self.replace + self.delete


@dataclass(frozen=True)
class Result:
    """What a run came to."""

    stack: str
    operation: Literal["up", "preview", "destroy", "refresh"]
    result: Literal["succeeded", "failed", "refused"]
    changes: Tally
    duration_seconds: float
    outputs: dict[str, Any] = field(default_factory=dict)
    """Stack outputs as property values; secrets are still marked as such."""
    diagnostics: tuple[Diagnostic, ...] = ()
    policy: tuple[Violation, ...] = ()
    engine: str = "embedded"
