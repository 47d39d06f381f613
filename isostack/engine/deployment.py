"""What the parts of one run share: the snapshot and its journal, providers, events, counts, and how a run is stopped.

Deciding is :mod:`isostack.engine.plan`'s; what is done about the program's resources is in :mod:`isostack.engine.apply`
and :mod:`isostack.engine.custom`, about those to delete in :mod:`isostack.engine.deletion`, about what the cloud has in
:mod:`isostack.engine.reconcile`.
"""

from __future__ import annotations

import dataclasses
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from isostack.engine.events import Change, Op, Sink, StepDone, StepStarted, Tally
from isostack.engine.interruption import SECONDS_TO_NOTICE, told
from isostack.engine.journal import Journal
from isostack.engine.plan import Goal, Targets, provider_urn
from isostack.engine.provider import Provider, ProviderError, ProviderHost
from isostack.engine.state import PendingOperation, ResourceState, Snapshot
from isostack.engine.values import UNKNOWN, PropertyMap, Secret, plain
from isostack.errors import OperationFailed, Refused

if TYPE_CHECKING:
    from isostack.engine.analyzer import Analyzer
    from isostack.engine.foreseen import Foreseen

PROVIDER_PREFIX = "pulumi:providers:"
STACK_TYPE = "pulumi:pulumi:Stack"
USE_THE_CLI = "the embedded engine does not do this; run the program with the Pulumi CLI"


@dataclass
class Registered:
    """What the program gets back for a resource. An empty id is an unknown one."""

    urn: str
    id: str = ""
    outputs: PropertyMap = field(default_factory=dict)
    result: Literal["done", "failed", "skipped"] = "done"


class Interrupted(Exception):
    """The run was asked to stop; no new step begins."""


class Deployment:
    """One run over one stack's snapshot. Its methods may be called from several threads.

    At preview it has no journal, works on a copy of the snapshot, and nothing calls create, update or delete. A ``rehearsal``
    is a preview that the real run follows.
    """

    def __init__(
        self,
        *,
        snapshot: Snapshot,
        host: ProviderHost,
        sink: Sink,
        journal: Journal | None,
        provider_config: Callable[[str], PropertyMap],
        make_urn: Callable[[str, str, str], str],
        targets: Sequence[str] = (),
        parallel: int = 16,
        analyzer: Analyzer | None = None,
        foreseen: Foreseen | None = None,
        rehearsal: bool = False,
    ) -> None:
        self.snapshot = snapshot
        self.analyzer = analyzer
        self.foreseen = foreseen
        self.host = host
        self.sink = sink
        self.journal = journal
        self.preview = journal is None
        self.rehearsal = rehearsal
        self.provider_config = provider_config
        self.make_urn = make_urn
        self.targets = Targets(targets)
        self.parallel = parallel
        self.tally = Tally()
        self.seen: set[str] = set()
        self.adopted: dict[str, str] = {}
        self.failed: dict[str, str] = {}
        self.refusals: dict[str, None] = {}
        self.replaced: set[str] = set()
        self.fatal: BaseException | None = None
        self.stop = threading.Event()
        self.not_created: set[str] = set()
        self.slots = threading.Semaphore(parallel)
        self.lock = threading.RLock()
        self._providers: dict[str, Provider] = {}
        self._default_providers: dict[str, str] = {}

    def refuse(self, what: str) -> None:
        """Note what the engine does not do. A preview collects all of it; outside a preview the run ends at once."""
        with self.lock:
            self.refusals[what] = None
        if not self.preview:
            self.fatal = self.fatal or Refused(f"{what}; {USE_THE_CLI}")
            raise self.fatal

    def forbidden(self, goal: Goal, inputs: PropertyMap) -> str:
        """Why a resource with these inputs is not done, or empty: it was not foreseen, or policies forbid it. A preview tells
        what these say and goes on, to find all there is."""
        if self.foreseen is not None and (problem := self.foreseen.problem(goal, inputs)):
            return problem
        if self.analyzer is None:
            return ""
        provider = self.snapshot.get(provider_urn(goal.provider)) if goal.provider else None
        if goal.alias_urns:  # Pulumi shows policies the one that was found in the state
            used = [alias for alias in goal.alias_urns if self.adopted.get(alias) == goal.urn]
            goal = dataclasses.replace(goal, alias_urns=used)
        found = self.analyzer.of_resource(goal, inputs, provider, preview=self.preview)
        for violation in found:
            self.sink(violation)
        names = dict.fromkeys(violation.policy for violation in found if violation.level == "mandatory")
        return f"forbidden by policy {', '.join(names)}" if names and not self.preview else ""

    # -- providers

    def default_provider(self, package: str) -> str:
        """The reference of a package's default provider, registered when it is first used."""
        with self.lock:
            if package not in self._default_providers:
                version = "" if package == "pulumi" else self.host.version(package)
                type_ = PROVIDER_PREFIX + package
                name = f"default_{version.replace('.', '_')}" if version else "default"
                urn = self.make_urn(type_, name, "")
                inputs = {**self.provider_config(package), **({"version": version} if version else {})}
                old = self.snapshot.get(urn)
                id_ = old.id if old and old.id else str(uuid.uuid4())
                goal = Goal(type_, name, urn, custom=True, inputs=inputs)
                if problem := self.forbidden(goal, inputs):
                    raise ProviderError(f"its provider {name} is {problem}")
                state = self.new_state(goal, old, inputs, inputs, id_)
                self.seen.add(urn)
                if state != old:
                    self.put(state)
                if package != "pulumi":
                    self.configure(urn, package, inputs)
                self._default_providers[package] = f"{urn}::{id_}"
            return self._default_providers[package]

    def configure(self, urn: str, package: str, inputs: PropertyMap) -> None:
        known = {key: value for key, value in plain(inputs).items() if key == "defaultTags" or value is not UNKNOWN}
        self._providers[urn] = self.host.configure(package, known)

    def provider(self, reference: str) -> Provider:
        """The provider of a reference; one that this run does not register comes from the state."""
        urn = provider_urn(reference)
        with self.lock:
            if urn not in self._providers:
                state = self.snapshot.get(urn)
                package = (state.type if state else urn.rpartition("::")[0].rpartition("::")[2]).rpartition(":")[2]
                self.configure(urn, package, state.inputs if state else self.provider_config(package))
            return self._providers[urn]

    # -- bookkeeping

    def check_stop(self) -> None:
        """Raise Interrupted where the run is to end."""
        with self.lock:
            if self.stop.is_set():
                self.fatal = self.fatal or Interrupted()
        if self.fatal:
            raise Interrupted

    def at_once(self, work: Callable[[], None], count: int) -> None:
        """Do ``work`` on as many threads as there are things to do, at most ``parallel``, until all have ended.

        What one of them raises ends the run, and so does an interruption, which is raised once they have ended.
        """

        go: queue.SimpleQueue[None] = queue.SimpleQueue()
        ended = threading.Event()

        def guarded() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - raised by the thread that waits
                self.fatal = self.fatal or error

        def supervise() -> None:
            go.get()
            threads = [threading.Thread(target=guarded) for _ in range(min(self.parallel, count))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            ended.set()

        # Where Ctrl-C is raised, it is at any point; a Thread.start that is interrupted may have started the thread or not,
        # and a Thread.join takes it for dead (github.com/python/cpython/issues/90882).
        with told(self.stop.set):
            threading.Thread(target=supervise, daemon=True).start()
            go.put(None)
            while not ended.wait(SECONDS_TO_NOTICE):
                pass
        if self.fatal:
            raise self.fatal
        self.check_stop()

    def claim(self, urn: str) -> None:
        with self.lock:
            if urn in self.seen:
                raise OperationFailed(
                    f"duplicate URN {urn}: the program registers {short_name(urn)!r} of one type twice; "
                    "give one of them another name"
                )
            if urn in self.adopted:
                raise OperationFailed(
                    f"duplicate URN {urn}: {self.adopted[urn]} has taken that resource over as its alias; "
                    "take the alias out, or give this resource another name"
                )
            self.seen.add(urn)

    def adopt(self, urn: str, aliases: Sequence[str]) -> ResourceState | None:
        """The resource of this URN in the state, or else the first one of its aliases, which gets this URN."""
        with self.lock:
            old = self.snapshot.get(urn)
            if old is not None:
                return old
            for alias in aliases:
                if self.snapshot.get(alias) is None:
                    continue
                if alias in self.seen:
                    raise OperationFailed(
                        f"duplicate URN {alias}: it is an alias of {urn}, but the program also registers it as it is; "
                        "take the alias out, or give the other resource another name"
                    )
                self.snapshot.rename(alias, urn)
                if self.journal:
                    self.journal.rename(alias, urn)
                self.adopted[alias] = urn
                return self.snapshot.get(urn)
            return None

    def unchanged(self, goal: Goal, registered: Registered) -> Registered:
        """Report a step that has nothing to do."""
        with self.lock:
            self.tally.same += 1
        self.sink(StepStarted(goal.urn, Op.SAME, goal.type, goal.name, goal.parent, component=not goal.custom))
        self.sink(StepDone(goal.urn, Op.SAME, "done"))
        return registered

    def report_failure(self, resource: ResourceState, op: Op, message: str) -> None:
        self.failed[resource.urn] = message
        self.sink(StepStarted(resource.urn, op, resource.type, short_name(resource.urn), resource.parent))
        self.sink(StepDone(resource.urn, op, "failed", 0.0, message))

    @contextmanager
    def step(self, goal: Goal, op: Op, changes: tuple[Change, ...] = (), note: str = "") -> Iterator[Step]:
        step = Step(self, goal, op)
        component = not goal.custom
        self.sink(StepStarted(goal.urn, op, goal.type, goal.name, goal.parent, changes, component, note))
        try:
            yield step
        except ProviderError as error:
            # A read, a look-up or a check went wrong; registrations turn it into a failed resource.
            step.fail(str(error))
            raise Failed(step.failed) from error

    def new_state(
        self,
        goal: Goal,
        old: ResourceState | None,
        inputs: PropertyMap,
        outputs: PropertyMap,
        id_: str,
        external: bool = False,
    ) -> ResourceState:
        """The state of a resource as the program has it now; its times tell whether that is anything new."""
        now = timestamp()
        state = ResourceState(
            urn=goal.urn,
            type=goal.type,
            custom=goal.custom,
            id=id_,
            parent=goal.parent,
            provider=goal.provider,
            inputs=inputs,
            outputs=outputs,
            dependencies=goal.dependencies,
            property_dependencies=goal.property_dependencies,
            protect=goal.protect,
            external=external,
            retain_on_delete=goal.retain_on_delete,
            deleted_with=goal.deleted_with,
            additional_secret_outputs=goal.additional_secret_outputs,
            custom_timeouts=dict(goal.custom_timeouts),
            ignore_changes=goal.ignore_changes,
            replace_on_changes=goal.replace_on_changes,
            replace_with=goal.replace_with,
            import_id=goal.import_id,
            source_position=goal.source_position,
            created=old.created if old else "" if external else now,
            modified=old.modified if old else "" if external else now,
        )
        return state if old is None or state == old else dataclasses.replace(state, modified=now)

    def begin(self, kind: Literal["creating", "updating", "deleting"], resource: ResourceState) -> int | None:
        return self.journal.begin(PendingOperation(kind, resource)) if self.journal else None

    def fail(self, pending: int | None) -> None:
        if self.journal and pending is not None:
            self.journal.fail(pending)

    def put(
        self,
        state: ResourceState | None,
        replaced: ResourceState | None = None,
        *,
        removed: Sequence[ResourceState] = (),
        pending: int | None = None,
    ) -> None:
        """Record an outcome in snapshot and journal: a new state, an old copy that awaits deletion, removals."""
        put = [state] if state is not None else []
        gone = list(removed)
        if replaced is not None:
            gone.append(replaced)
            put.insert(0, dataclasses.replace(replaced, delete=True))
        with self.lock:
            for resource in gone:
                self.snapshot.remove(resource)
            for resource in put:
                self.snapshot.put(resource)
            if self.journal is None:
                return
            if pending is not None:
                self.journal.end(pending, put=put, removed=gone)
            else:
                self.journal.put(put=put, removed=gone)

    def forget(self, lost: Sequence[ResourceState]) -> None:
        """Remove resources that are gone from the cloud, and every reference to those of which no copy is left."""
        gone = {id(r) for r in lost}
        staying = [r for r in self.snapshot.resources if id(r) not in gone]
        urns = {r.urn for r in lost} - {r.urn for r in staying}
        for resource in staying:
            if any(urn in urns for _, urn in resource.references()):
                self.put(_without_references(resource, urns))
        self.put(None, removed=lost)


class Failed(Exception):
    """Carries the result of a failed registration out of a step."""

    def __init__(self, registered: Registered) -> None:
        super().__init__()
        self.registered = registered


class Step:
    """One step of one resource: its clock, and how it ended."""

    def __init__(self, deployment: Deployment, goal: Goal, op: Op) -> None:
        self.deployment, self.goal, self.op = deployment, goal, op
        self.started = time.perf_counter()
        self.failed = Registered(goal.urn, "", {}, "failed")

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.started

    def done(self, registered: Registered) -> Registered:
        tally, lock = self.deployment.tally, self.deployment.lock
        name = {Op.IMPORT: "create", Op.READ: "same", Op.REFRESH: "same"}.get(self.op, str(self.op))
        with lock:
            setattr(tally, name, getattr(tally, name) + 1)
        self.deployment.sink(StepDone(self.goal.urn, self.op, "done", self.seconds))
        return registered

    def fail(self, message: str) -> Registered:
        with self.deployment.lock:
            self.deployment.failed[self.goal.urn] = message
        self.deployment.sink(StepDone(self.goal.urn, self.op, "failed", self.seconds, message))
        return self.failed


def timestamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def short_name(urn: str) -> str:
    return urn.rpartition("::")[2]


def is_default_provider(resource: ResourceState) -> bool:
    return resource.type.startswith(PROVIDER_PREFIX) and short_name(resource.urn).partition("_")[0] == "default"


def protection(resource: ResourceState, verb: str) -> str:
    return (
        f"{resource.urn} is protected and would be {verb}; "
        "to allow it, take protect off in the program and run up once, then try again"
    )


def secret_names(outputs: PropertyMap) -> list[str]:
    return [key for key, value in outputs.items() if isinstance(value, Secret)]


def _without_references(resource: ResourceState, urns: set[str]) -> ResourceState:
    return dataclasses.replace(
        resource,
        parent="" if resource.parent in urns else resource.parent,
        deleted_with="" if resource.deleted_with in urns else resource.deleted_with,
        replace_with=[urn for urn in resource.replace_with if urn not in urns],
        dependencies=[urn for urn in resource.dependencies if urn not in urns],
        property_dependencies={
            key: [urn for urn in dependencies if urn not in urns] for key, dependencies in resource.property_dependencies.items()
        },
    )
