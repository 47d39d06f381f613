"""The operations on a stack by the Pulumi CLI: up, preview, destroy, refresh, as :mod:`isostack.engine.run` has them.

Owns their order: the state before, a preview that policies and gates look at, then the operation, held to that preview where it
has to be. State, lock and history are the backend's.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from isostack.engine.deployment import STACK_TYPE
from isostack.engine.events import Diagnostic, Op, Phase, Result, Tally
from isostack.engine.operation import INTERRUPTED, Intent, Operation, Options, Run, Stack
from isostack.engine.project import load_stack
from isostack.engine.provider import lineage
from isostack.engine.state import Snapshot
from isostack.engine.state_file import Codec
from isostack.errors import BadInput, OperationFailed
from isostack.official import last_run
from isostack.official.events import Events
from isostack.official.planned import after_deleting, after_plan, codec_of, codec_with, snapshot_of
from isostack.official.process import Cli, CommandError, said

USUAL = Options()
# What does not depend on a failure is done all the same, as the embedded engine does it.
_AT_ONCE: Final = ("--yes", "--skip-preview", "--continue-on-error")


def preview(stack: Stack, options: Options = USUAL) -> Result:
    """What ``up`` would do. Changes nothing, but makes a stack that the backend does not have."""
    run = _Run.on(stack, "preview", options)
    with run.scratch() as folder:
        run.rehearse(folder)
        if not run.errors:
            run.ask_gates(folder)
        return run.result()


def up(stack: Stack, options: Options = USUAL) -> Result:
    """Bring the stack to what the program says, after a preview unless ``skip_preview``."""
    run = _Run.on(stack, "up", options)
    with run.scratch() as folder:
        plan: list[str] = []
        if not options.skip_preview or options.gates or options.packs:
            stack.sink(Phase("checking the program"))
            rehearsal = _Run(stack, "up", options, True, cli=run.cli, codec=run.codec, before=run.before, cloud=run.cloud)
            rehearsal.rehearse(folder)
            if rehearsal.errors:
                rehearsal.tell_held_back()
                return rehearsal.result(changed=False)
            rehearsal.ask_gates(folder)
            if options.exactly:
                run.require_unmoved()
                plan = ["--plan", str(folder / "plan.json")]
        run.go(["up", *_AT_ONCE, *plan, *run.common(), *run.judges(folder)])
        return run.conclude()


def destroy(stack: Stack, options: Options = USUAL) -> Result:
    """Delete everything in the stack, or its targets. The program is not run."""
    run = _Run.on(stack, "destroy", options, make=False)
    if options.gates:
        rehearsal = _Run(stack, "destroy", options, True, cli=run.cli, codec=run.codec, before=run.before, cloud=run.cloud)
        rehearsal.rehearse_destroy()
        if rehearsal.errors:
            rehearsal.tell_held_back()
            return rehearsal.result(changed=False)
        run.require_unmoved()
    run.go(["destroy", *_AT_ONCE, *run.common()])
    return run.conclude()


def preview_destroy(stack: Stack, options: Options = USUAL) -> Result:
    """What ``destroy`` would do. Changes nothing."""
    run = _Run.on(stack, "destroy", options, make=False)
    run.rehearse_destroy()
    return run.result()


def refresh(stack: Stack, options: Options = USUAL) -> Result:
    """Bring the state in line with what the cloud has."""
    run = _Run.on(stack, "refresh", options, make=False)
    run.go(["refresh", "--yes", "--skip-preview", *run.common()])
    return run.conclude()


def state_of(stack: Stack) -> tuple[dict[str, Any], Snapshot]:
    """The state in the backend, as it was exported and as a snapshot. Raises BadInput where there is none."""
    run = _Run.on(stack, "preview", USUAL, make=False)
    return run.document, run.before


def _require_new(stack: Stack, cloud: str) -> None:
    """Raise BadInput where the embedded engine has made in this local cloud what the CLI would make a second time."""
    name, store = stack.name, stack.store
    if not cloud or (stack.project.name, name) not in store.stacks():
        return
    known = store.load(stack.project.name, name).snapshot
    if lineage(known.metadata.cloud) == lineage(cloud) and any(resource.in_cloud for resource in known.resources):
        over = f"pulumi stack init {name}, and isostack export {name} | pulumi stack import -s {name}"
        raise BadInput(f"the embedded engine has made {name}, and has its state; move it over first: {over}")


@dataclass
class _Run(Run):
    cli: Cli = field(kw_only=True)
    codec: Codec = field(kw_only=True)
    before: Snapshot = field(kw_only=True)
    document: dict[str, Any] = field(default_factory=dict, kw_only=True)
    cloud: str = field(default="", kw_only=True)
    """The identity of the local cloud; empty for a stack in an account."""
    seen: Events | None = None

    @classmethod
    def on(cls, stack: Stack, operation: Operation, options: Options, *, make: bool = True) -> _Run:
        """A run over the state that the backend has. Makes the stack there, or raises BadInput where it is to exist."""
        cli = Cli(stack)
        cloud = "" if cli.in_account else stack.host.identity()
        try:
            document = cli.export()
            if document is None:
                if not make:
                    mend = f"bring it up first: isostack up {stack.name} --engine pulumi"
                    raise BadInput(f"{stack.name} has no state in the backend yet; {mend}")
                _require_new(stack, cloud)
                cli.make_stack()
                document = cli.export() or {}
        except CommandError as error:
            raise BadInput(f"{stack.name}: the Pulumi CLI cannot read the state: {said(error)}") from None
        codec = codec_of(document, stack.store)
        before = snapshot_of(document, codec, f"the state of {stack.name}")
        run = cls(stack, operation, options, cli=cli, codec=codec, before=before, document=document, cloud=cloud)
        if lost := run._lost():
            text = f"the local cloud was reset or restarted since the last run: {lost} resources that the state knew are gone"
            run.sink(Diagnostic("warning", f"{text}; up makes them anew"))
        return run

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder for plans, which only the owner may read, and which goes at the end."""
        with tempfile.TemporaryDirectory(prefix="isostack-") as folder:
            yield Path(folder)

    # -- what the CLI is asked -----------------------------------------------------------------------------------------

    def common(self) -> list[str]:
        """The options of every operation."""
        targets = [part for urn in self.options.targets for part in ("--target", urn)]
        changed = self._last_cloud != self.cloud and self.operation != "refresh"
        refresh = ["--refresh"] if self.options.refresh or changed else []
        return ["--parallel", str(self.options.parallel), *targets, *refresh]

    def _lost(self) -> int:
        """How many resources are gone with the local cloud that the last run from here was on."""
        lost = lineage(self._last_cloud) != lineage(self.cloud)
        return sum(resource.in_cloud for resource in self.before.resources) if lost else 0

    @cached_property
    def _last_cloud(self) -> str:
        """The identity of the cloud that the last run from here was on; that of this one, if there was none."""
        last = last_run.of(self.stack.store.folder(self.stack.project.name, self.stack.name))
        return str(last.get("cloud") or self.cloud)

    def judges(self, folder: Path) -> list[str]:
        """The policy packs, each with a configuration: the CLI wants one for each or none at all."""
        nothing = folder / "nothing.json"
        nothing.write_text("{}")
        return [
            part
            for pack, configuration in self.options.packs
            for part in ("--policy-pack", str(pack), "--policy-pack-config", str(configuration or nothing))
        ]

    def rehearse(self, folder: Path) -> None:
        """Go through the program, and let the CLI write down its plan."""
        self.go(["preview", "--save-plan", str(folder / "plan.json"), *self.common(), *self.judges(folder)])

    def require_unmoved(self) -> None:
        """Raise OperationFailed where the state is another one than gates have looked at: the CLI does not lock it until now."""
        if self.cli.export() != self.document:
            raise OperationFailed(f"{self.stack.name} was changed by another run while this one was looked at; nothing was done")

    def rehearse_destroy(self) -> None:
        """See what a destroy would delete, and let gates look at it."""
        self.go(["destroy", "--preview-only", *self.common()])
        if self.errors:
            return
        gone = {step.urn for step in self.steps if step.op in (Op.DELETE, Op.FORGET)}
        self.pass_gates(
            lambda: Intent(self.stack, "destroy", self.before, after_deleting(self.before, gone), tuple(self.steps), "pulumi"),
            lambda: self.result(changed=False),
        )

    def ask_gates(self, folder: Path) -> None:
        """Let policies and gates look at what the plan says."""

        def intent() -> Intent:
            plan = json.loads((folder / "plan.json").read_text())
            after = after_plan(self.before, plan, self._plan_codec(), f"the plan of {self.stack.name}")
            return Intent(self.stack, self.operation, self.before, after, tuple(self.steps), "pulumi")

        self.pass_gates(intent, lambda: self.result(changed=self.operation == "preview"))

    def _plan_codec(self) -> Codec:
        """Opens the plan's secrets: the CLI seals them with the stack file's salt, which it may just have written."""
        salt = load_stack(self.stack.project, self.stack.name, self.stack.store.keyring.open).encryption_salt
        return codec_with(salt, self.stack.store) if salt else self.codec

    def go(self, command: Sequence[str]) -> None:
        """Run it, and tell what happens; what ends it early becomes a message."""
        self.seen = Events(self.sink)
        problem = ""
        try:
            self.cli.operate(command, self.seen)
        except CommandError as error:
            problem = said(error)
        self.seen.close()
        if self.cli.interrupted:
            self.sink(Diagnostic("error", INTERRUPTED))
        elif problem and not self.errors and not self.mandatory:
            self.sink(Diagnostic("error", problem))
        elif problem and self.mandatory and self.operation == "up" and not self.quiet:
            self.sink(Diagnostic("error", self.mandatory))

    # -- what it comes to ----------------------------------------------------------------------------------------------

    def conclude(self) -> Result:
        """The result of what changed something; and the note of it that ``status`` reads."""
        after = snapshot_of(self.cli.export() or {}, self.codec, f"the state of {self.stack.name}")
        if self.operation == "up" and not self.errors:
            self._tag(after)
        result = self.result()
        last_run.note(self.stack, result, after, self.cli.version, self.cloud)
        return result

    def _tag(self, after: Snapshot) -> None:
        """Let the backend's tags say what all resources are tagged with: environment, owner, parameters, expiry."""
        from isostack.stack_tags import common_tags

        tags = {**common_tags(after), **self.stack.tags}
        if not tags:
            return
        try:
            self.cli.tag(tags)
        except CommandError as error:
            self.sink(Diagnostic("warning", f"the stack's tags are not set: {said(error)}"))

    def result(self, changed: bool = True) -> Result:
        return self.concluded(
            self._outputs(),
            self.seen.tally if self.seen and changed else Tally(),
            refused=bool(self.mandatory) and self.operation == "up",
            engine="pulumi",
        )

    def _outputs(self) -> dict[str, Any]:
        if self.seen and self.seen.outputs is not None:
            return self.seen.outputs
        root = next((r for r in self.before.resources if r.type == STACK_TYPE), None)
        gone = self.operation == "destroy" and not self.errors and not self.options.targets
        return dict(root.outputs) if root and not gone else {}


__all__ = ["destroy", "preview", "preview_destroy", "refresh", "state_of", "up"]
