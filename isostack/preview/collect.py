"""Collects the report: runs the program of the checked-out revision for every environment, each beside what it was before.

Needs no cloud, no account, no network and no passphrase; changes nothing. Environments are looked at in forks of this process,
as many at once as there are cores. One that fails does not keep the others from showing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from importlib import import_module
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isostack.cost import budget, estimate
from isostack.engine import run
from isostack.engine import urn as urns
from isostack.engine.events import Violation
from isostack.engine.project import PINNED_KEY, Project, StackConfig, known_stacks, load_stack
from isostack.engine.run import Intent, Options, Stack
from isostack.engine.secrets import Keyring
from isostack.errors import BadInput, IsostackError, OperationFailed, Refused
from isostack.parameters import parameters_of, told
from isostack.policy.attach import attach
from isostack.preview.changes import as_text, changes_of, nodes_of
from isostack.preview.offline import PreviewHost, RecordedStates
from isostack.preview.plans import plan_of
from isostack.preview.report import Environment, Finding, ParameterChange, Report, Widening
from isostack.widening import is_creation, widened

if TYPE_CHECKING:
    from isostack.engine.backend import Backend
    from isostack.engine.plan import Goal
    from isostack.engine.state import ResourceState, Snapshot
    from isostack.engine.values import PropertyMap
    from isostack.policy.analyzer import Policies
    from isostack.preview.base import Base


Outcome = tuple[Environment, dict[str, Any] | None]
"""An environment's part of the report, and its plan."""


class _Listening:
    """An analyzer that is told everything and stops nothing, so that what a policy refuses still shows."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies
        self.found: dict[Violation, None] = {}

    def of_resource(
        self, goal: Goal, inputs: PropertyMap, provider: ResourceState | None, *, preview: bool
    ) -> Sequence[Violation]:
        self.found |= dict.fromkeys(self._policies.of_resource(goal, inputs, provider, preview=preview))
        return ()

    def of_stack(self, snapshot: Snapshot, *, preview: bool) -> Sequence[Violation]:
        self.found |= dict.fromkeys(self._policies.of_stack(snapshot, preview=preview))
        return ()


@dataclass(frozen=True)
class Looked:
    """What a look at an environment found, before it is made into a report."""

    intent: Intent
    unseen: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    violations: tuple[Violation, ...] = ()


@dataclass(frozen=True)
class Sources:
    """What to look at: a project, the home of its states, and a base revision for environments without one.

    ``keyring`` opens the states' secrets; without one, placeholders stand for them. With ``plans``, plans are made as well.
    ``backend`` has the states where they are not under ``home``.
    """

    project: Project
    home: Path
    revision: str
    base: Base | None = None
    keyring: Keyring | None = field(default=None, repr=False)
    plans: bool = False
    backend: Backend | None = None


def collect(sources: Sources, names: Sequence[str], progress: Callable[[str], None]) -> tuple[Report, dict[str, Any]]:
    """The report over these environments, in this order, and the plans of those that have one."""
    looked = _each(names, lambda name: look(sources, name), progress)
    base = sources.base.revision if sources.base else ""
    report = Report(sources.project.name, sources.revision, tuple(environment for environment, _ in looked), base)
    return report, {environment.name: plan for environment, plan in looked if plan is not None}


def environments(project: Project) -> list[str]:
    """All environments of a project: in the order of its parameter sets where it has any. Raises BadInput where none is."""
    known = known_stacks(project)
    if not known:
        raise BadInput(f"{project.name} has no environments: no Pulumi.NAME.yaml in {project.stack_config_dir.name}")
    order: list[str] = []
    try:
        order = list(parameters_of(project).ENVIRONMENTS)
    except (IsostackError, AttributeError):
        order = []
    return sorted(known, key=lambda name: (order.index(name) if name in order else len(order), name))


def _each(names: Sequence[str], work: Callable[[str], Outcome], progress: Callable[[str], None]) -> list[Outcome]:
    progress(f"looking at {', '.join(names)}")
    workers = min(os.cpu_count() or 1, len(names))
    if workers == 1 or "fork" not in get_all_start_methods():
        return [work(name) for name in names]
    import_module("isostack.engine.monitor")  # what every run loads is loaded once, before the forks
    import_module("isostack.policy.analyzer")
    _Forked.work = staticmethod(work)
    with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
        futures = [pool.submit(_forked, name) for name in names]
        return [_outcome(name, future) for name, future in zip(names, futures, strict=True)]


class _Forked:
    """What a fork finds of its parent: a function that could not be sent."""

    work: Callable[[str], Outcome]


def _forked(name: str) -> Outcome:
    return _Forked.work(name)


def _outcome(name: str, future: Future[Outcome]) -> Outcome:
    try:
        return future.result()
    except Exception as error:  # noqa: BLE001 - a process that died says so in many ways
        return Environment(name, error=f"{type(error).__name__}: {error}"), None


# -- one environment ---------------------------------------------------------------------------------------------------


def look(sources: Sources, name: str) -> Outcome:
    """What an environment would become, and its plan where plans are wanted. What goes wrong is in it."""
    try:
        looked = intend(sources, name)
        return environment_of(sources, looked), plan_of(looked.intent) if sources.plans else None
    except IsostackError as error:
        return Environment(name, error=str(error)), None
    except Exception as error:  # noqa: BLE001 - the other environments are to show all the same
        return Environment(name, error=f"{type(error).__name__}: {' '.join(str(error).split())}"), None


def intend(sources: Sources, name: str) -> Looked:
    """What ``up`` would do to an environment, as far as can be told without a cloud. Raises IsostackError."""
    project, store = sources.project, RecordedStates(sources.home, sources.keyring, sources.backend)
    config = load_stack(project, name, store.keyring.open)
    snapshot = store.load(project.name, name).snapshot
    if not snapshot.metadata.serial and sources.base:
        store.stand_ins[project.name, name] = snapshot = sources.base.snapshot(name)
    host = PreviewHost(sources.home, snapshot.metadata.cloud)
    listening, warnings = _policies(project, config)
    seen: list[Intent] = []
    stack = Stack(project, name, config, store, host, lambda event: None)
    result = run.preview(stack, Options(gates=[seen.append], analyzer=listening))
    if result.result == "failed" or not seen:
        raise OperationFailed("; ".join(d.message for d in result.diagnostics if d.severity == "error"))
    warnings += [d.message for d in result.diagnostics if d.severity == "warning"]
    return Looked(seen[0], tuple(sorted(host.unseen)), tuple(warnings), tuple(listening.found if listening else ()))


def _policies(project: Project, config: StackConfig) -> tuple[_Listening | None, list[str]]:
    """The packs that judge the stack; that there must be one and is none is a warning here, where nothing is changed."""
    try:
        policies = attach(project, config)
    except Refused as error:
        return None, [str(error)]
    return (_Listening(policies) if policies else None), []


def environment_of(sources: Sources, looked: Looked) -> Environment:
    """An environment's part of the report."""
    intent = looked.intent
    before, pinned = intent.before.metadata, intent.stack.config.values.get(PINNED_KEY)
    deployed = before.parameter_version or None
    changes, nodes = changes_of(intent), nodes_of(intent)
    wider = () if is_creation(intent) else widened(intent)
    changing = {(change.type, change.name) for change in changes}
    there = [node for node in nodes if not node.component]
    before_cost, after_cost = estimate.of(intent.before), estimate.of(intent.after)
    found = Environment(
        name=intent.stack.name,
        compared_with=_compared_with(sources, intent),
        deployed=deployed,
        pinned=pinned,
        unchanged=sum((node.type, node.name) not in changing for node in there),
        changes=changes,
        nodes=nodes,
        policies=(*_findings(looked), *_spending(sources.project, intent, before_cost, after_cost)),
        widened=tuple(Widening(one.subject, one.text) for one in wider if not one.unsure),
        unseen=looked.unseen,
        cost_before=before_cost.monthly,
        cost_after=after_cost.monthly,
        unpriced=after_cost.unpriced,
        warnings=(*looked.warnings, *dict.fromkeys(one.text for one in wider if one.unsure)),
    )
    return replace(found, parameters=_parameters(sources.project, found))


def _findings(looked: Looked) -> tuple[Finding, ...]:
    """What policies say, the mandatory first. What a preview cannot tell yet is left out: up will tell."""
    found = [
        Finding(one.policy, one.level, _called(one.urn), " ".join(one.message.split()))
        for one in looked.violations
        if not one.undecided
    ]
    return tuple(sorted(found, key=lambda one: (one.level != "mandatory", one.policy, one.resource, one.message)))


def _spending(project: Project, intent: Intent, before: estimate.Estimate, after: estimate.Estimate) -> Iterator[Finding]:
    """What a budget says of it; the mandatory is what ``up`` would refuse."""
    kind, message = budget.of(project, intent.stack.name, intent.stack.config.values).judge(before, after)
    if message:
        yield Finding("budget", "mandatory" if kind == "refuse" else "advisory", "the stack", message)


def _called(urn: str) -> str:
    return f"{urns.name_of(urn)} ({urns.short_type(urns.type_of(urn))})" if urn else "the stack"


def _compared_with(sources: Sources, intent: Intent) -> str:
    before = intent.before.metadata
    if before.serial:
        return f"the state that {before.operation or 'a run'} left at {before.changed or 'an unknown time'}"
    return f"the program of {sources.base.revision}" if sources.base else ""


def _parameters(project: Project, environment: Environment) -> tuple[ParameterChange, ...]:
    """What differs between the deployed and the pinned version, for this environment. None where the two cannot be read."""
    before, after = environment.deployed, environment.pinned
    if not before or not after or before == after:
        return ()
    try:
        with told():
            module = parameters_of(project)
            old, new = module.load(before), module.load(after)
            found = [change for change in module.diff(old, new) if change.environment == environment.name]
            return tuple(
                ParameterChange(
                    change.path,
                    None if change.kind == "added" else as_text(change.before),
                    None if change.kind == "removed" else as_text(change.after),
                    f"{before} only" if change.kind == "removed" else _origin(module.explain(new, environment.name, change.path)),
                )
                for change in found
            )
    except IsostackError:
        return ()


def _origin(found: object) -> str:
    where = f"{Path(found.file).name}:{found.line}"  # type: ignore[attr-defined]  # an Explanation
    table = found.table  # type: ignore[attr-defined]
    return f"{where}, table {table.path}" if table else where
