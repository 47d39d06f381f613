"""A world of the tests of the engine in which the official CLI does each operation as well, from the same beginning.

The cloud is one and the same object, put back to where it was before the CLI's turn, so that a test's hooks, which hold on
to it, work for both. The test itself sees what the embedded engine did.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from isostack.engine import run
from isostack.engine.events import Op, Result, StepDone, StepStarted
from isostack.engine.operation import PARALLEL
from isostack.engine.run import Options
from isostack.engine.state import PROVIDER_TYPE, ResourceState, Snapshot
from tests.against_cli.both import Done, Seen, differences
from tests.against_cli.official import GOES_ON, Cli, inline
from tests.engine.harness import Outcome, Program, World

# The tests of the engine that are compared, by module, and whether an up that only makes something is compared as well:
# in others each test begins with one like it.
MODULES = {
    "adopting": True,
    "aliases": False,
    "deleting": False,
    "failing": True,
    "ignoring_changes": False,
    "previewing": True,
    "providers": True,
    "refreshing": False,
    "registering": True,
    "replacing": False,
    "secret_values": True,
    "stack_references": True,
    "targets": False,
    "transforms": True,
}
_OPTIONS = {"targets", "parallel", "skip_preview", "refresh"}
_OPERATIONS = {run.up: "up", run.preview: "preview", run.destroy: "destroy", run.refresh: "refresh"}


@dataclass
class TwoEngines(World):
    """``found`` are the differences so far, each operation's under its number and name."""

    cli: Cli | None = None
    name: str = ""
    found: list[str] = field(default_factory=list)
    compared: int = 0
    beginnings: bool = True
    """Whether an up that begins with nothing and goes well is compared as well, and not only what comes after it."""

    def _operate(
        self, operation: Callable[[run.Stack, Options], Result], program: Program | None, fields: dict[str, Any]
    ) -> Outcome:
        content = self._content()
        states = {of: self.store.load(*of).snapshot.copy() for of in self.store.stacks()}
        outcome = super()._operate(operation, program, fields)
        begins = operation is run.up and (self.project, "dev") not in states and outcome.result.result == "succeeded"
        if fields.keys() <= _OPTIONS and self.cli is not None and (self.beginnings or not begins):
            ours = _seen(outcome, self.snapshot.resources)
            after, calls, configured = self._content(), list(self.cloud.calls), list(self.cloud.configured)
            self._restore(content)
            states.setdefault((self.project, "dev"), Snapshot())
            for of, snapshot in states.items():
                self.cli.write(*of, snapshot)
            before = states[self.project, "dev"].resources
            theirs = self._by_the_cli(_OPERATIONS[operation], fields, ours)
            self._restore(after)
            self.cloud.calls, self.cloud.configured = calls, configured
            self.compared += 1
            number = f"{self.compared} {_OPERATIONS[operation]}: "
            ours, theirs = (_comparable(seen, _OPERATIONS[operation], fields, ours) for seen in (ours, theirs))
            self.found += [number + line for line in differences(ours, theirs, before)]
        return outcome

    def _by_the_cli(self, verb: str, fields: dict[str, Any], ours: Seen) -> Seen:
        assert self.cli is not None
        folder = self.cli.project(self.project, "dev", str(self.folder), self.config, self.secret_keys)
        arguments = ["--stack=dev", f"--parallel={fields.get('parallel', PARALLEL)}"]
        if verb != "preview":
            # What fails may fail in the preview, before anything is done.
            previewed = verb == "up" and not ours.succeeded and not fields.get("skip_preview")
            arguments += ["--yes", *([] if previewed else ["--skip-preview"])]
        if verb in ("up", "destroy"):
            arguments.append(GOES_ON)
        if fields.get("refresh"):
            arguments.append("--refresh")
        arguments += [f"--target={target}" for target in fields.get("targets", ())]
        count = len(self.cloud.calls)
        with inline(self.folder / "__main__.py", self.folder) as options:
            ran = self.cli(verb, *arguments, *options, cwd=folder)
        calls = [_done(str(c)) for c in self.cloud.calls[count:] if c.verb in ("create", "update", "delete")]
        return Seen(ran.code == 0, frozenset(ran.steps), ran.diffs, calls, self.cli.read(self.project, "dev"), ran.printed)

    def _content(self) -> tuple[Any, ...]:
        return copy.deepcopy((self.cloud.things, self.cloud._created, self.cloud.expected))

    def _restore(self, content: tuple[Any, ...]) -> None:
        self.cloud.things, self.cloud._created, self.cloud.expected = copy.deepcopy(content)


def _comparable(seen: Seen, verb: str, fields: dict[str, Any], ours: Seen) -> Seen:
    """What an engine did without what the two tell differently."""
    steps = seen.steps
    if not ours.succeeded and (verb == "preview" or not any(status == "done" for _, _, status in ours.steps)):
        steps = frozenset()  # refused while the program was checked: the CLI's preview ends where the first thing fails
    if verb == "refresh" or fields.get("targets"):
        steps = frozenset(step for step in steps if step[1] != "same")
    return replace(seen, steps=steps, state=[_without_version(resource) for resource in seen.state])


def _without_version(resource: ResourceState) -> ResourceState:
    """The fake cloud's SDK names no version, which the embedded engine asks the host for."""
    if not resource.type.startswith(PROVIDER_TYPE):
        return resource
    inputs, outputs = ({k: v for k, v in values.items() if k != "version"} for values in (resource.inputs, resource.outputs))
    return replace(resource, inputs=inputs, outputs=outputs)


def _done(call: str) -> Done:
    verb, _, subject = call.partition(" ")
    return Done(call, subject if verb == "create" else subject.rpartition("-")[0])


def _seen(outcome: Outcome, state: list[ResourceState]) -> Seen:
    done = [event for event in outcome.events if isinstance(event, StepDone)]
    names = {Op.FORGET: "delete"}
    steps = frozenset(
        (event.urn, str(names.get(event.op, event.op)), event.status)
        for event in done
        if event.op is not Op.REFRESH and event.status != "skipped"
    )
    diffs = {
        event.urn: frozenset(change.path.partition(".")[0].partition("[")[0] for change in event.changes)
        for event in outcome.events
        if isinstance(event, StepStarted) and event.op in (Op.UPDATE, Op.REPLACE)
    }
    succeeded = outcome.result.result == "succeeded"
    return Seen(succeeded, steps, diffs, [_done(call) for call in outcome.calls], state, outcome.messages())
