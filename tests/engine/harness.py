"""Runs small programs through the real engine against a cloud in memory, and tells what came of it."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi

from isostack.engine import run
from isostack.engine.events import Diagnostic, Event, Op, Result, StepDone, StepStarted
from isostack.engine.folders import JOURNAL_FILE
from isostack.engine.lock import LOCK_FILE
from isostack.engine.project import StackConfig, load_project
from isostack.engine.run import Options
from isostack.engine.state import ResourceState, Snapshot
from isostack.engine.store import Store
from tests.engine.fake_cloud import Call, FakeCloud

Program = Callable[[], Any] | str
THING = "aws:test/thing:Thing"
STACK_TYPE = "pulumi:pulumi:Stack"

_programs: dict[str, Callable[[], Any]] = {}
_numbers = itertools.count()


class Thing(pulumi.CustomResource):
    """A resource of the fake cloud; keyword arguments are its properties, and ``arn`` is its output."""

    def __init__(
        self, name: str, opts: pulumi.ResourceOptions | None = None, /, *, type_: str = THING, **properties: Any
    ) -> None:
        super().__init__(type_, name, {**properties, "arn": None}, opts)

    @property
    def arn(self) -> pulumi.Output[str]:
        return self["arn"]

    def __getitem__(self, key: str) -> pulumi.Output[Any]:
        return pulumi.get(self, key)


class Group(pulumi.ComponentResource):
    """A component; keyword arguments are its inputs."""

    def __init__(
        self, name: str, opts: pulumi.ResourceOptions | None = None, /, *, type_: str = "test:index:Group", **inputs: Any
    ) -> None:
        super().__init__(type_, name, inputs, opts)


def options(**fields: Any) -> pulumi.ResourceOptions:
    """Pulumi's resource options, under a shorter name."""
    return pulumi.ResourceOptions(**fields)


def run_registered(key: str) -> None:
    """What the program file of a test calls: the function that the test gave."""
    _programs[key]()


@dataclass
class Outcome:
    """What came of one operation: its result, its events, and the calls of the cloud that it made."""

    result: Result
    events: list[Event]
    made: list[Call]

    @property
    def changes(self) -> dict[str, int]:
        """How many resources each kind of change touched, without zeros, and without ``same``."""
        return {op: count for op, count in self.result.changes.as_dict().items() if count and op != "same"}

    @property
    def calls(self) -> list[str]:
        """The calls that act, in order."""
        return [str(call) for call in self.made if call.verb in ("create", "update", "delete")]

    @property
    def ops(self) -> dict[str, Op]:
        """For each resource, by name, the last thing that was done to it."""
        steps = [e for e in self.events if isinstance(e, StepDone) and e.status == "done"]
        return {step.urn.rpartition("::")[2]: step.op for step in steps}

    def started(self, name: str, op: Op) -> StepStarted:
        """The one step of this kind."""
        (step,) = (e for e in self.events if isinstance(e, StepStarted) and e.name == name and e.op is op)
        return step

    def status(self, name: str) -> str:
        """How the last step of the resource ended."""
        steps = [e for e in self.events if isinstance(e, StepDone) and e.urn.rpartition("::")[2] == name]
        return steps[-1].status

    def messages(self, severity: str = "error") -> str:
        """The diagnostics of this severity, a line each."""
        return "\n".join(d.message for d in self.result.diagnostics if d.severity == severity)

    @property
    def said(self) -> list[str]:
        """What the program printed."""
        return [e.message for e in self.events if isinstance(e, Diagnostic) and e.severity == "info"]


@dataclass
class World:
    """A project in a folder of its own, its state, and the cloud."""

    folder: Path
    cloud: FakeCloud = field(default_factory=FakeCloud)
    config: dict[str, str] = field(default_factory=dict)
    secret_keys: frozenset[str] = frozenset()
    project: str = "shop"
    events: list[Event] = field(default_factory=list)

    @property
    def store(self) -> Store:
        return Store(self.folder / "home")

    def write(self, program: Program) -> None:
        """Make this the program."""
        if callable(program):
            key = str(next(_numbers))
            _programs[key] = program
            program = f"from tests.engine.harness import run_registered\nrun_registered({key!r})\n"
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "Pulumi.yaml").write_text(f"name: {self.project}\nruntime: python\n")
        (self.folder / "__main__.py").write_text(program)

    def up(self, program: Program | None = None, **fields: Any) -> Outcome:
        return self._operate(run.up, program, fields)

    def preview(self, program: Program | None = None, **fields: Any) -> Outcome:
        return self._operate(run.preview, program, fields)

    def destroy(self, **fields: Any) -> Outcome:
        return self._operate(run.destroy, None, fields)

    def refresh(self, **fields: Any) -> Outcome:
        return self._operate(run.refresh, None, fields)

    def up_well(self, program: Program | None = None, **fields: Any) -> Outcome:
        """``up``, which has to succeed."""
        outcome = self.up(program, **fields)
        assert outcome.result.result == "succeeded", outcome.messages()
        return outcome

    def _operate(
        self, operation: Callable[[run.Stack, Options], Result], program: Program | None, fields: dict[str, Any]
    ) -> Outcome:
        if program is not None:
            self.write(program)
        self.events, before = [], len(self.cloud.calls)
        project = load_project(self.folder)
        config = StackConfig("dev", project.stack_file("dev"), self.config, self.secret_keys)
        stack = run.Stack(project, "dev", config, self.store, self.cloud, self.events.append)
        result = operation(stack, Options(**fields))
        self.snapshot.verify()
        assert not self.snapshot.pending_operations
        return Outcome(result, self.events, self.cloud.calls[before:])

    # -- the state ----------------------------------------------------------------------------------------------------

    @property
    def stack_folder(self) -> Path:
        return self.store.folder(self.project, "dev")

    @property
    def snapshot(self) -> Snapshot:
        """The state as the next operation would find it."""
        return self.store.load(self.project, "dev").snapshot

    def state(self, name: str) -> ResourceState:
        """The one resource of this name that does not await deletion."""
        (found,) = (r for r in self.snapshot.resources if r.urn.rpartition("::")[2] == name and not r.delete)
        return found

    def names(self) -> list[str]:
        """The names of the resources in the state, sorted; the stack and default providers left out."""
        return sorted(
            r.urn.rpartition("::")[2]
            for r in self.snapshot.resources
            if r.type != STACK_TYPE and "::default_" not in r.urn and not r.delete
        )

    def urn(self, name: str, type_: str = THING) -> str:
        return f"urn:pulumi:dev::{self.project}::{type_}::{name}"

    def written(self) -> str:
        """Everything that is written in the stack's folder."""
        return "".join(path.read_text() for path in sorted(self.stack_folder.iterdir()) if path.is_file())

    # -- crashes --------------------------------------------------------------------------------------------------------

    def crash_at(self, number: int, when: str) -> None:
        """Let the engine die right ``before`` or ``after`` the cloud does its call of this number (from 1)."""
        count = itertools.count(1)

        def die_at_last(call: Call) -> None:
            self._stay_dead(call)
            if next(count) == number:
                shutil.copytree(self.stack_folder, self.folder / "image")
                raise Crash

        self.cloud.before = self.cloud.after = self._stay_dead
        setattr(self.cloud, when, die_at_last)

    def _stay_dead(self, call: Call) -> None:
        if (self.folder / "image").exists():
            raise Crash  # a dead process calls nothing any more

    def come_back(self) -> bool:
        """Put the state back to what it was at the crash, as after a dead process; False where none happened."""
        self.cloud.before = self.cloud.after = None
        image = self.folder / "image"
        if not image.exists():
            return False
        shutil.rmtree(self.stack_folder)
        image.rename(self.stack_folder)
        (self.stack_folder / LOCK_FILE).unlink()
        assert (self.stack_folder / JOURNAL_FILE).exists()
        return True


class Crash(BaseException):
    """The end of the engine's process."""


def order(calls: Sequence[str], *names: str) -> list[str]:
    """Those of the calls that have one of the names (of resources), as they come."""
    return [call for call in calls if call.split()[1].rpartition("-")[0] in names or call.split()[1] in names]
