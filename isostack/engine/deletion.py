"""Deletes what a stack no longer needs: dependents first, several at once, nothing that is protected."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Container, Sequence

from isostack.engine import plan
from isostack.engine.deployment import PROVIDER_PREFIX, Deployment, is_default_provider, protection, short_name
from isostack.engine.events import Op, StepDone, StepStarted
from isostack.engine.provider import ProviderError
from isostack.engine.state import ResourceState
from isostack.engine.values import plain
from isostack.errors import OperationFailed

STOPPED = "the run was stopped"


def delete_unregistered(deployment: Deployment) -> None:
    """Delete what the program no longer has, and the old copies of what was replaced: dependents first."""
    with deployment.lock:
        doomed = [
            r
            for r in deployment.snapshot.resources
            if (r.delete or r.urn not in deployment.seen) and (r.urn in deployment.targets or not r.custom)
        ]
        if deployment.targets.patterns:
            doomed = _without_orphaning(deployment, doomed)
    _delete_all(deployment, doomed)


def destroy(deployment: Deployment) -> None:
    """Delete everything that the targets name."""
    with deployment.lock:
        everything = list(deployment.snapshot.resources)
        unmatched = deployment.targets.unmatched(r.urn for r in everything)
    if unmatched:
        raise OperationFailed(f"--target {unmatched[0]}: the stack has no such resource")
    doomed = [r for r in everything if r.urn in deployment.targets]
    if deployment.targets.patterns:
        _refuse_orphaning(everything, doomed)
    _delete_all(deployment, doomed)


def _refuse_orphaning(everything: Sequence[ResourceState], doomed: Sequence[ResourceState]) -> None:
    """Raise OperationFailed where something stays that needs what is to go."""
    going = {r.urn for r in doomed}
    for resource in everything:
        needed = going & plan.requirements(resource)
        if needed and resource.urn not in going:
            raise OperationFailed(f"--target {min(needed)}: {resource.urn} depends on it; name that as a target too")


def _without_orphaning(deployment: Deployment, doomed: list[ResourceState]) -> list[ResourceState]:
    """Components go only if nothing that stays needs them. Raises OperationFailed where a target is needed."""
    everything = deployment.snapshot.resources
    staying = {id(r) for r in everything} - {id(r) for r in doomed}
    needed: set[str] = set()
    # What needs something comes after it, so that one look from the end finds all.
    for resource in reversed(everything):
        if id(resource) in staying or (resource.urn in needed and not resource.custom):
            staying.add(id(resource))
            needed |= plan.requirements(resource)
    left = [r for r in doomed if id(r) not in staying]
    _refuse_orphaning([r for r in everything if id(r) in staying], [r for r in left if not r.delete])
    return left


def _delete_all(deployment: Deployment, doomed: list[ResourceState]) -> None:
    kept = [r for r in doomed if r.protect and not r.delete]
    for resource in kept:
        deployment.report_failure(resource, Op.DELETE, protection(resource, "deleted"))
    if kept or not doomed:
        return
    going = {r.urn for r in doomed}
    blockers = plan.deletion_blockers(doomed)
    blocks: list[list[int]] = [[] for _ in doomed]
    for index, before in enumerate(blockers):
        for blocker in before:
            blocks[blocker].append(index)
    waiting = [len(before) for before in blockers]
    spoiled: dict[int, str] = {}
    ready = [index for index in reversed(range(len(doomed))) if not waiting[index]]
    left = set(range(len(doomed)))
    condition = threading.Condition()
    running = 0

    def work() -> None:
        nonlocal running
        while True:
            with condition:
                while not ready and running:
                    condition.wait()
                if not ready:
                    ready.extend(left)  # old copies and their successors may need each other in a circle
                if not ready:
                    return
                index = ready.pop(0)
                if index not in left:
                    continue
                left.remove(index)
                running += 1
            resource, problem = doomed[index], STOPPED
            try:
                deployment.check_stop()
                problem = spoiled.get(index, "")
                if problem:
                    _skip(deployment, resource, problem)
                else:
                    problem = delete_one(deployment, resource, going)
                    if problem:
                        deployment.failed[resource.urn] = problem
            finally:
                with condition:
                    running -= 1
                    for freed in blocks[index]:
                        waiting[freed] -= 1
                        if problem:
                            spoiled.setdefault(freed, f"{short_name(resource.urn)}, which depends on it, was not deleted")
                        if not waiting[freed]:
                            ready.append(freed)
                    condition.notify_all()

    deployment.at_once(work, len(doomed))


def delete_one(deployment: Deployment, resource: ResourceState, going: Container[str], recreated: bool = False) -> str:
    """Delete one resource; the problem, or an empty string.

    One that is ``recreated`` stays in the state as a pending replacement, because others may refer to it.
    """
    real = resource.custom and not resource.pending_replacement and not resource.type.startswith(PROVIDER_PREFIX)
    spared = _why_spared(resource, going)
    op = Op.FORGET if spared else Op.DELETE
    note = spared or ("replaced" if resource.delete else "")
    visible = not is_default_provider(resource)
    started = time.perf_counter()
    if visible:
        name, component = short_name(resource.urn), not resource.custom
        deployment.sink(StepStarted(resource.urn, op, resource.type, name, resource.parent, (), component, note))
    pending = None
    if real and not spared and not deployment.preview and resource.id:
        pending = deployment.begin("deleting", resource)
        try:
            deployment.provider(resource.provider).delete(resource.type, resource.id, plain(resource.outputs))
        except ProviderError as error:
            deployment.fail(pending)
            deployment.sink(StepDone(resource.urn, op, "failed", time.perf_counter() - started, str(error)))
            return str(error)
    if recreated:
        deployment.put(dataclasses.replace(resource, pending_replacement=True), pending=pending)
    else:
        deployment.put(None, removed=[resource], pending=pending)
    if visible:
        with deployment.lock:
            if not (resource.delete or resource.external or recreated):
                deployment.tally.delete += 1
        deployment.sink(StepDone(resource.urn, op, "done", time.perf_counter() - started))
    return ""


def _why_spared(resource: ResourceState, going: Container[str]) -> str:
    """Why nothing is to be called for a resource that goes from the state, or an empty string."""
    if resource.external:
        return "external"
    if resource.retain_on_delete:
        return "retained"
    return "deleted with its container" if resource.deleted_with in going else ""


def _skip(deployment: Deployment, resource: ResourceState, why: str) -> None:
    deployment.sink(StepStarted(resource.urn, Op.DELETE, resource.type, short_name(resource.urn), resource.parent))
    deployment.sink(StepDone(resource.urn, Op.DELETE, "skipped", 0.0, why))
