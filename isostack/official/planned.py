"""The states that gates look at, of a stack that the CLI runs: before an operation from its export, after it from its plan.

A plan says of each resource what the program asks for and how that differs from the state. Facts about both formats:
``sdk/go/common/apitype/{core,plan}.go`` in Pulumi's source.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from isostack.engine.state import ResourceState, Snapshot
from isostack.engine.state_file import Codec
from isostack.engine.store import StackSecrets, Store

_REPLACES: Final = {"create-replacement", "import-replacement", "read-replacement"}
_GOES: Final = {"delete", "discard"}
_KEPT: Final = ("dependencies", "propertyDependencies", "protect", "parent", "provider", "customTimeouts", "retainOnDelete",
                "deletedWith", "additionalSecretOutputs", "ignoreChanges")  # fmt: skip


def codec_of(document: Mapping[str, Any], store: Store) -> Codec:
    """Opens the secrets of an export."""
    sealed = document.get("deployment", {}).get("secrets_providers") or {}
    state = (sealed.get("state") or {}) if sealed.get("type") == "passphrase" else {}
    return codec_with(state.get("salt", ""), store)


def codec_with(salt: str, store: Store) -> Codec:
    """Opens secrets that were sealed with this salt."""
    return Codec(StackSecrets(store.keyring, {"salt": salt} if salt else {}), refused=())


def snapshot_of(document: Mapping[str, Any], codec: Codec, origin: str) -> Snapshot:
    """The state in what ``pulumi stack export`` wrote."""
    resources = document.get("deployment", {}).get("resources") or ()
    return Snapshot([codec.decode(fields, origin) for fields in resources])


def after_plan(before: Snapshot, plan: Mapping[str, Any], codec: Codec, origin: str) -> Snapshot:
    """The state that an ``up`` by this plan would leave, with unknown values where only the up will know."""
    after = before.copy()
    for urn, resource_plan in (plan.get("resourcePlans") or {}).items():
        goal, steps = resource_plan.get("goal"), set(resource_plan.get("steps") or ())
        old = after.get(urn)
        if goal is None:
            if old is not None and steps & _GOES:
                after.remove(old)
            continue
        alias = next((alias for alias in goal.get("aliases") or () if old is None and after.get(alias)), "")
        if alias:
            after.rename(alias, urn)
            old = after.get(urn)
        if old is not None and steps & _REPLACES:
            after.remove(old)
            after.put(replace(old, delete=True))
        after.put(_planned(urn, goal, resource_plan.get("state"), old, not steps & _REPLACES, codec, origin))
    return after


def after_deleting(before: Snapshot, gone: Collection[str]) -> Snapshot:
    """The state without the resources of these URNs."""
    after = before.copy()
    for resource in before.resources:
        if resource.urn in gone:
            after.remove(resource)
    return after


def _planned(
    urn: str, goal: Mapping[str, Any], outputs: Any, old: ResourceState | None, keeps_id: bool, codec: Codec, origin: str
) -> ResourceState:
    difference = goal.get("inputDiff") or {}
    given = {**(difference.get("adds") or {}), **(difference.get("updates") or {})}
    fields = {"urn": urn, "custom": bool(goal.get("custom")), "type": goal["type"], "inputs": given, "outputs": outputs or {}}
    fields |= {key: goal[key] for key in _KEPT if goal.get(key)}
    state = codec.decode(fields, origin)
    gone = set(difference.get("deletes") or ())
    kept = {key: value for key, value in (old.inputs if old else {}).items() if key not in gone}
    return replace(state, inputs={**kept, **state.inputs}, id=old.id if old and keeps_id else "")
