"""The operations on a stack: up, preview, destroy, refresh. Each is one function over a :class:`Stack`.

Owns their order: lock, load, settle what an earlier run left open, preview, run, delete, save.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from isostack.engine import deletion, reconcile
from isostack.engine import urn as urns
from isostack.engine.deployment import STACK_TYPE, Deployment, Interrupted
from isostack.engine.events import Diagnostic, Op, Phase, Result, Tally
from isostack.engine.foreseen import Foreseen
from isostack.engine.journal import Journal
from isostack.engine.operation import INTERRUPTED, INTERRUPTED_TWICE, Gate, Intent, Options, Run, Stack
from isostack.engine.project import PINNED_KEY
from isostack.engine.state import Snapshot
from isostack.engine.values import PropertyMap, Secret
from isostack.errors import IsostackError, OperationFailed, Refused

MANY = 700  # resources, up to which a run stays under 300 MB without collecting garbage
USUAL = Options()


def preview(stack: Stack, options: Options = USUAL) -> Result:
    """What ``up`` would do. Takes no lock and changes nothing."""
    run = _Run(stack, "preview", options)
    with _without_garbage_collection():
        snapshot = stack.store.load(stack.project.name, stack.name).snapshot
        deployment = run.deployment(snapshot.copy(), None)
        run.guard(deployment, lambda: run.go_through_program(deployment))
        run.refuse_if_asked_too_much(deployment)
        if not run.errors:
            run.ask_gates(snapshot, deployment)
        return run.result(deployment)


def up(stack: Stack, options: Options = USUAL) -> Result:
    """Bring the stack to what the program says. First goes through it without acting (unless ``skip_preview``), so that
    what cannot be done is refused before anything is changed."""
    run = _Run(stack, "up", options)
    with _without_garbage_collection(), run.locked() as (snapshot, journal):
        if not options.skip_preview or options.gates or options.analyzer:
            run.stack.sink(Phase("checking the program"))
            rehearsal = _Run(stack, "up", options, quiet=True)
            deployment = rehearsal.deployment(snapshot.copy(), None)
            rehearsal.guard(deployment, lambda: rehearsal.go_through_program(deployment))
            rehearsal.refuse_if_asked_too_much(deployment)
            if rehearsal.errors:
                rehearsal.tell_held_back()
                return rehearsal.result(deployment, changed=False)
            rehearsal.ask_gates(snapshot, deployment)
            if options.exactly:
                run.foreseen = Foreseen(snapshot, deployment.snapshot, deployment.seen)
            if len(deployment.seen) > MANY:
                gc.collect()  # the SDK leaves 0.1 MB for each resource
        deployment = run.deployment(snapshot, journal)
        snapshot.metadata.tags = dict(stack.tags)
        run.guard(deployment, lambda: run.go_through_program(deployment))
        run.guard(deployment, lambda: run.analyze_stack(deployment))
        if not run.errors:
            snapshot.metadata.parameter_version = stack.config.values.get(PINNED_KEY, "")
        return run.result(deployment)


def destroy(stack: Stack, options: Options = USUAL) -> Result:
    """Delete everything in the stack, or its targets. The program is not run."""
    run = _Run(stack, "destroy", options)
    with _without_garbage_collection(), run.locked() as (snapshot, journal):
        if options.gates:
            rehearsal = _Run(stack, "destroy", options, quiet=True)
            planned = rehearsal.deployment(snapshot.copy(), None)
            rehearsal.guard(planned, lambda: deletion.destroy(planned))
            rehearsal.ask_gates(snapshot, planned)
        deployment = run.deployment(snapshot, journal)

        def work() -> None:
            run.catch_up(deployment)
            deletion.destroy(deployment)

        run.guard(deployment, work)
        return run.result(deployment)


def preview_destroy(stack: Stack, options: Options = USUAL) -> Result:
    """What ``destroy`` would do. Takes no lock and changes nothing."""
    run = _Run(stack, "destroy", options)
    with _without_garbage_collection():
        snapshot = stack.store.load(stack.project.name, stack.name).snapshot
        planned = run.deployment(snapshot.copy(), None)
        run.guard(planned, lambda: deletion.destroy(planned))
        if not run.errors:
            run.ask_gates(snapshot, planned)
        return run.result(planned)


def refresh(stack: Stack, options: Options = USUAL) -> Result:
    """Bring the state in line with what the cloud has."""
    run = _Run(stack, "refresh", options)
    with _without_garbage_collection(), run.locked() as (snapshot, journal):
        deployment = run.deployment(snapshot, journal)
        run.guard(deployment, lambda: run.catch_up(deployment))
        return run.result(deployment)


@dataclass
class _Run(Run):
    foreseen: Foreseen | None = None

    def ask_gates(self, before: Snapshot, deployment: Deployment) -> None:
        """Let policies and each gate look at what a run without a journal has found that it would do."""
        self.analyze_stack(deployment)
        self.pass_gates(
            lambda: Intent(self.stack, self.operation, before.copy(), deployment.snapshot, tuple(self.steps)),
            lambda: self.result(deployment, changed=self.operation == "preview"),
        )

    def analyze_stack(self, deployment: Deployment) -> None:
        """Let stack policies look at what a run without errors has come to."""
        if self.options.analyzer is None or self.errors or self.operation not in ("preview", "up"):
            return
        for violation in self.options.analyzer.of_stack(deployment.snapshot, preview=deployment.preview):
            self.sink(violation)
        if self.mandatory and not deployment.preview:
            self.sink(Diagnostic("error", self.mandatory))

    @contextmanager
    def locked(self) -> Iterator[tuple[Snapshot, Journal]]:
        """Hold the stack's lock, with its snapshot and an open journal; save at the end, whatever happened."""
        store, project, name = self.stack.store, self.stack.project.name, self.stack.name
        with store.lock(project, name, f"isostack {self.operation} {name}") as lock:
            if lock.warning:
                self.sink(Diagnostic("warning", lock.warning))
            loaded = store.load(project, name)
            is_new = not loaded.snapshot.metadata.serial
            loaded.secrets.check()
            journal = store.open_journal(loaded, lock.fence)
            result = "failed"
            try:
                yield loaded.snapshot, journal
                result = "failed" if self.errors else "succeeded"
            finally:
                if is_new and result == "failed" and not len(loaded.snapshot) and not journal.pending:
                    journal.close()
                    store.remove(project, name)
                else:
                    loaded.snapshot.metadata.note(self.operation, result)
                    store.save(loaded, journal)

    def deployment(self, snapshot: Snapshot, journal: Journal | None) -> Deployment:
        project, name = self.stack.project.name, self.stack.name
        return Deployment(
            snapshot=snapshot,
            host=self.stack.host,
            sink=self.sink,
            journal=journal,
            provider_config=self._provider_config,
            make_urn=lambda type_, child, parent: urns.make(
                name, project, urns.qualified_type(parent) if parent else "", type_, child
            ),
            targets=self.options.targets,
            parallel=self.options.parallel,
            analyzer=self.options.analyzer,
            foreseen=self.foreseen,
            rehearsal=self.operation == "up" and journal is None,
        )

    def catch_up(self, deployment: Deployment) -> None:
        """Notice a cloud that was reset, settle what an earlier run left open, and refresh if that is asked for or needed."""
        snapshot, older, identity = deployment.snapshot, False, ""
        if snapshot.resources or snapshot.pending_operations or not deployment.preview:
            identity = self.stack.host.identity()
            older = reconcile.is_older(deployment, identity)
            lost = reconcile.forget_lost_cloud(deployment, identity)
            if lost:
                text = (
                    f"the local cloud was reset or restarted since the last run: {lost} resources that the state knew "
                    "are gone; up makes them anew"
                )
                self.sink(Diagnostic("warning", text))
        if not deployment.preview:
            reconcile.settle_pending(deployment)
        if self.options.refresh or older or self.operation == "refresh":
            reconcile.refresh(deployment)
            if self.operation != "refresh":
                deployment.tally = Tally()
        if older:
            text = "the local cloud was killed at work and is as it was a little earlier; what the state knows was refreshed"
            self.sink(Diagnostic("warning", text))
            if not deployment.targets.patterns:
                # Not before: after a run that is cut off, all is to be looked at again.
                reconcile.note_cloud(deployment, identity)

    def go_through_program(self, deployment: Deployment) -> None:
        from isostack.engine.sdk_imports import seldom_used_later

        with seldom_used_later():
            from isostack.engine.monitor import Monitor
            from isostack.engine.program import run_program

        starting = threading.Thread(target=self._start_cloud, daemon=True)
        starting.start()
        before = {resource.type for resource in deployment.snapshot.resources}
        self.catch_up(deployment)
        if self.operation == "up":
            for lost in before - {resource.type for resource in deployment.snapshot.resources}:
                self.stack.host.expect(lost)
        monitor = Monitor(deployment, self.stack.project.name, self.stack.name, self._stack_outputs)
        project, name, config = self.stack.project, self.stack.name, self.stack.config
        preview, parallel = deployment.preview, self.options.parallel
        try:
            run_program(project, name, config, monitor, self.sink, preview=preview, parallel=parallel)
        except IsostackError:
            if not deployment.fatal:
                monitor.record_stack_outputs(complete=False)
            raise
        if deployment.fatal:
            raise deployment.fatal
        monitor.record_stack_outputs(complete=not deployment.failed)
        if deployment.failed:
            return
        unmatched = deployment.targets.unmatched({*deployment.seen, *(r.urn for r in deployment.snapshot.resources)})
        if unmatched:
            raise OperationFailed(f"--target {unmatched[0]}: neither the program nor the state has such a resource")
        if self.foreseen is not None and (missing := self.foreseen.missing(deployment.seen)):
            raise OperationFailed(f"{missing[0]} was there when this run was looked at, and is not now: nothing is deleted")
        deletion.delete_unregistered(deployment)

    def guard(self, deployment: Deployment, work: object) -> None:
        """Run, and turn what ends a run early into a diagnostic; what was done is in the snapshot."""
        try:
            work()  # type: ignore[operator]  # a callable without arguments
        except KeyboardInterrupt:
            deployment.stop.set()
            under_way = deployment.journal is not None and deployment.journal.pending
            self.sink(Diagnostic("error", INTERRUPTED_TWICE if under_way else INTERRUPTED))
        except (Interrupted, IsostackError) as error:
            cause = deployment.fatal if isinstance(error, Interrupted) and deployment.fatal else error
            if isinstance(cause, OperationFailed):
                self.sink(Diagnostic("error", str(cause)))
            elif isinstance(cause, Interrupted):
                self.sink(Diagnostic("error", INTERRUPTED))
            else:
                raise cause from None

    def refuse_if_asked_too_much(self, deployment: Deployment) -> None:
        """Raise one error that lists all that the program asks for and the engine does not do."""
        if deployment.refusals:
            items = "".join(f"\n  - {what}" for what in sorted(deployment.refusals))
            raise Refused(
                f"stack {self.stack.name}: nothing was changed, because the embedded engine does not do this:{items}\n"
                "run the program with the Pulumi CLI instead, or leave these out"
            )

    def result(self, deployment: Deployment, changed: bool = True) -> Result:
        outputs: PropertyMap = {}
        for resource in deployment.snapshot.resources:
            if resource.type == STACK_TYPE:
                outputs = resource.outputs
        changes = deployment.tally if changed else Tally()
        return self.concluded(outputs, changes, refused=bool(self.mandatory) and not deployment.preview)

    def _start_cloud(self) -> None:
        """Start the local cloud while the program is being imported; what goes wrong shows where it is needed."""
        with suppress(Exception):
            self.stack.host.identity()

    def _provider_config(self, package: str) -> PropertyMap:
        """The stack's configuration in a provider's namespace (``aws:region``), as provider inputs."""
        prefix = f"{package}:"
        return {
            key.removeprefix(prefix): Secret(value) if key in self.stack.config.secret_keys else value
            for key, value in self.stack.config.values.items()
            if key.startswith(prefix)
        }

    def _stack_outputs(self, reference: str) -> PropertyMap:
        """The outputs of another stack: ``stack``, ``project/stack`` or ``organization/project/stack``."""
        parts = reference.split("/")
        project = parts[-2] if len(parts) > 1 else self.stack.project.name
        store = self.stack.store
        if (project, parts[-1]) not in store.stacks():
            known = ", ".join(f"{p}/{s}" for p, s in store.stacks()) or "none"
            raise OperationFailed(
                f"stack reference {reference!r}: no stack {project}/{parts[-1]} in {store.backend.origin} (known: {known}); "
                "bring it up first, or let both projects share a state folder through ISOSTACK_HOME"
            )
        for resource in store.load(project, parts[-1]).snapshot.resources:
            if resource.type == STACK_TYPE:
                return dict(resource.outputs)
        return {}


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """The cyclic collector off: with hundreds of resources it takes more than half of a run (docs/performance.md)."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


__all__ = ["Gate", "Intent", "Op", "Options", "Stack", "destroy", "preview", "preview_destroy", "refresh", "up"]
