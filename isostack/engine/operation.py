"""What an operation on a stack is, whichever engine does it: the stack, the options, the intent that gates look at, and what a
run has found so far.

How it is done is :mod:`isostack.engine.run`'s, and :mod:`isostack.official`'s for the Pulumi CLI.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from isostack.engine.events import Diagnostic, Event, Result, Sink, StepDone, StepStarted, Tally, Violation
from isostack.engine.project import Project, StackConfig
from isostack.engine.provider import ProviderHost
from isostack.engine.state import Snapshot
from isostack.engine.store import Store
from isostack.engine.values import PropertyMap
from isostack.errors import Refused

if TYPE_CHECKING:
    from isostack.engine.analyzer import Analyzer

Operation = Literal["up", "preview", "destroy", "refresh"]
Engine = Literal["embedded", "pulumi"]
PARALLEL = 16
INTERRUPTED = "interrupted: what was under way has ended and is in the state; run again to go on"
INTERRUPTED_TWICE = "interrupted twice: what was under way was not waited for; the next run looks up what has come of it"


@dataclass(frozen=True)
class Stack:
    """A stack and all that its operations need. ``tags`` are kept in its state."""

    project: Project
    name: str
    config: StackConfig
    store: Store
    host: ProviderHost
    sink: Sink
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Intent:
    """What an operation is about to do: the state before and after it, and its steps in order.

    Values are the program's own: some are secret, and at a preview some are unknown.
    """

    stack: Stack
    operation: Operation
    before: Snapshot
    after: Snapshot
    steps: tuple[StepStarted, ...]
    engine: Engine = "embedded"


Gate = Callable[[Intent], None]
"""Looks at what is about to be done, before anything is changed; raises Refused where it must not be."""


@dataclass(frozen=True)
class Options:
    """How an operation goes: ``targets`` are URNs (with wildcards), ``parallel`` the steps under way at once.

    ``gates`` are asked once the whole intent is known, in this order, and after the policies; with either, ``skip_preview`` has
    no effect. Policies are the ``analyzer``'s on the embedded engine; the CLI runs ``packs`` itself, which are folders, each with
    the file of its configuration. With ``exactly`` an up does what gates have looked at, and no step that is another one.
    """

    targets: Sequence[str] = ()
    parallel: int = PARALLEL
    skip_preview: bool = False
    refresh: bool = False
    gates: Sequence[Gate] = ()
    analyzer: Analyzer | None = None
    packs: Sequence[tuple[Path, Path | None]] = ()
    exactly: bool = False


@dataclass
class Run:
    """One going of an engine over a stack, and what it has found so far: what ``--json`` and the exit code are made of."""

    stack: Stack
    operation: Operation
    options: Options
    quiet: bool = False
    """Whether events are held back, as in a rehearsal."""
    diagnostics: list[Diagnostic] = field(default_factory=list)
    started: float = field(default_factory=time.perf_counter)
    held: list[Event] = field(default_factory=list)
    steps: list[StepStarted] = field(default_factory=list)
    violations: dict[Violation, None] = field(default_factory=dict)

    @property
    def errors(self) -> list[Diagnostic]:
        return [d for d in self.diagnostics if d.severity == "error"]

    @property
    def mandatory(self) -> str:
        """How many mandatory policies are violated, and which; or empty."""
        found = [violation for violation in self.violations if violation.level == "mandatory"]
        names = ", ".join(dict.fromkeys(violation.policy for violation in found))
        return f"{len(found)} {'violations' if len(found) > 1 else 'violation'} of mandatory policies ({names})" if found else ""

    def sink(self, event: Event) -> None:
        """Pass an event on, and keep what is to be told at the end."""
        if isinstance(event, Diagnostic):
            self.diagnostics.append(event)
        elif isinstance(event, StepStarted):
            self.steps.append(event)
        elif isinstance(event, Violation):
            self.violations[event] = None
        elif isinstance(event, StepDone) and event.status == "failed":
            self.diagnostics.append(Diagnostic("error", event.message, event.urn))
        elif isinstance(event, StepDone) and event.status == "skipped":
            self.diagnostics.append(Diagnostic("warning", f"skipped: {event.message}", event.urn))
        if self.quiet:
            self.held.append(event)
        else:
            self.stack.sink(event)

    def tell_held_back(self) -> None:
        """Show what a quiet run found wrong."""
        for event in self.held:
            if isinstance(event, Diagnostic) or (isinstance(event, StepDone) and event.status != "done"):
                self.stack.sink(event)

    def pass_gates(self, intent: Callable[[], Intent], result: Callable[[], Result]) -> None:
        """Let policies and each gate decide about what is found. Raises Refused, which carries the result so far."""
        try:
            if self.mandatory:
                raise Refused(f"{self.stack.name}: {self.mandatory}; nothing was changed")
            if self.options.gates:
                seen = intent()
                for gate in self.options.gates:
                    gate(seen)
        except Refused as refusal:
            refusal.result = dataclasses.replace(result(), result="refused")
            raise

    def concluded(self, outputs: PropertyMap, changes: Tally, *, refused: bool = False, engine: Engine = "embedded") -> Result:
        """What the run has come to."""
        return Result(
            stack=self.stack.name,
            operation=self.operation,
            result="succeeded" if not self.errors else "refused" if refused else "failed",
            changes=changes,
            duration_seconds=round(time.perf_counter() - self.started, 3),
            outputs=outputs,
            diagnostics=tuple(self.diagnostics),
            policy=tuple(self.violations),
            engine=engine,
        )


__all__ = ["INTERRUPTED", "INTERRUPTED_TWICE", "PARALLEL", "Engine", "Gate", "Intent", "Operation", "Options", "Run", "Stack"]
