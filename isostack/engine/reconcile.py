"""Holds the state against what the cloud has: a refresh, steps that a crash cut off, one that was reset, or is older than it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator

from isostack.engine import plan
from isostack.engine.deployment import Deployment, secret_names, short_name, timestamp
from isostack.engine.events import Change, Diagnostic, Op, StepDone, StepStarted
from isostack.engine.provider import ProviderError, lineage
from isostack.engine.state import PendingOperation, ResourceState
from isostack.engine.values import mark_secrets, plain


def forget_lost_cloud(deployment: Deployment, identity: str) -> int:
    """Drop what lived in a cloud that was reset since; gives how many resources that were. Nothing is called."""
    with deployment.lock:
        before = deployment.snapshot.metadata.cloud
        lost = [r for r in deployment.snapshot.resources if r.custom and deployment.host.lives_in_cloud(r.type)] if before else []
        if lineage(before) == lineage(identity):
            return 0
        if lost:
            deployment.forget(lost)
        for operation in list(deployment.snapshot.pending_operations):
            if deployment.host.lives_in_cloud(operation.resource.type):
                _settle(deployment, operation)
        note_cloud(deployment, identity)
        return len(lost)


def is_older(deployment: Deployment, identity: str) -> bool:
    """Whether the cloud was killed and came back as it had been a little before the state: that has to be refreshed."""
    before = deployment.snapshot.metadata.cloud
    return before != identity and lineage(before) == lineage(identity)


def note_cloud(deployment: Deployment, identity: str) -> None:
    """From now on the state speaks of the cloud with this identity."""
    deployment.snapshot.metadata.cloud = identity
    if deployment.journal:
        deployment.journal.metadata(cloud=identity)


def settle_pending(deployment: Deployment) -> None:
    """Find out what became of steps that a crash interrupted, and bring the state in line with the cloud."""
    for operation in list(deployment.snapshot.pending_operations):
        resource = operation.resource
        label = f"{resource.type} {short_name(resource.urn)!r}"
        try:
            if operation.type == "creating":
                _settle_create(deployment, resource, label)
            elif (state := deployment.snapshot.get(resource.urn)) is not None and resource.type.partition(":")[0] != "pulumi":
                _refresh_one(deployment, state)
        except ProviderError as error:
            text = f"an earlier run was cut off at {label}; it could not be checked: {error}"
            deployment.sink(Diagnostic("warning", text, resource.urn))
            continue
        _settle(deployment, operation)


def _settle(deployment: Deployment, operation: PendingOperation) -> None:
    with deployment.lock:
        deployment.snapshot.pending_operations.remove(operation)
        if deployment.journal:
            deployment.journal.settle(operation)


def _settle_create(deployment: Deployment, resource: ResourceState, label: str) -> None:
    provider = deployment.provider(resource.provider)
    found = provider.find(resource.type, plain(resource.inputs))
    known = {r.id for r in deployment.snapshot.resources if r.type == resource.type}
    candidates = [id_ for id_ in found.ids if id_ not in known]
    if len(candidates) == 1:
        there = provider.read(resource.type, candidates[0], plain(resource.inputs), {})
        if there is not None:
            inputs = plan.remarked(there.inputs, resource.inputs)
            outputs = mark_secrets(there.outputs, resource.inputs, resource.additional_secret_outputs)
            previous = deployment.snapshot.get(resource.urn)
            adopted = dataclasses.replace(resource, id=there.id, inputs=inputs, outputs=outputs)
            deployment.put(adopted, previous if previous and previous.id != there.id else None)
            text = f"an earlier run was cut off while it created {label}; {there.id} was found and adopted"
            deployment.sink(Diagnostic("info", text, resource.urn))
            return
    if candidates:
        text = (
            f"an earlier run was cut off while it created {label}; {len(candidates)} resources fit "
            f"({', '.join(candidates)}) and none was adopted: {found.advice}"
        )
        deployment.sink(Diagnostic("warning", text, resource.urn))
    else:
        text = f"an earlier run was cut off before it created {label}; nothing was left behind"
        deployment.sink(Diagnostic("info", text, resource.urn))


def refresh(deployment: Deployment) -> None:
    """Bring the state in line with the cloud: what has changed, and what is gone."""
    with deployment.lock:
        resources = [
            r
            for r in deployment.snapshot.resources
            if r.in_cloud and r.id and r.urn in deployment.targets and not r.pending_replacement
        ]
    iterator: Iterator[ResourceState] = iter(resources)

    def work() -> None:
        while True:
            with deployment.lock:
                resource = next(iterator, None)
            if resource is None:
                return
            deployment.check_stop()
            _refresh_one(deployment, resource, visible=True)

    deployment.at_once(work, len(resources))


def _refresh_one(deployment: Deployment, old: ResourceState, visible: bool = False) -> None:
    started = time.perf_counter()
    if visible:
        deployment.sink(StepStarted(old.urn, Op.REFRESH, old.type, short_name(old.urn), old.parent))
    try:
        found = deployment.provider(old.provider).read(old.type, old.id, plain(old.inputs), plain(old.outputs))
    except ProviderError as error:
        if not visible:
            raise
        deployment.failed[old.urn] = str(error)
        deployment.sink(StepDone(old.urn, Op.REFRESH, "failed", time.perf_counter() - started, str(error)))
        return
    op, changes = Op.SAME, tuple[Change, ...]()
    with deployment.lock:
        if found is None:
            op = Op.DELETE
            deployment.forget([old])
            deployment.tally.delete += 1
        else:
            inputs = plan.remarked(found.inputs, old.inputs)
            names = [*old.additional_secret_outputs, *secret_names(old.outputs)]
            outputs = mark_secrets(found.outputs, old.inputs, names)
            drifted = [key for key in inputs.keys() | old.inputs.keys() if inputs.get(key) != old.inputs.get(key)]
            changes = plan.changes(old.inputs, inputs, sorted(drifted))
            if drifted or outputs != old.outputs or found.id != old.id:
                state = dataclasses.replace(old, id=found.id, inputs=inputs, outputs=outputs, modified=timestamp())
                deployment.put(state)
            # Outputs move with other resources (a bucket shows its versioning); only inputs are something to mend.
            op = Op.UPDATE if drifted else Op.SAME
            if drifted:
                deployment.tally.update += 1
            else:
                deployment.tally.same += 1
    if visible:
        note = "gone from the cloud" if op is Op.DELETE else ""
        deployment.sink(StepStarted(old.urn, op, old.type, short_name(old.urn), old.parent, changes, note=note))
        deployment.sink(StepDone(old.urn, op, "done", time.perf_counter() - started))
