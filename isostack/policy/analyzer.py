"""Asks policies about resources and stacks, as pulumi_policy's own server does when Pulumi's engine asks it.

The arguments are pulumi_policy's own. They are made once for all policies: secrets in the clear, unknown values behind
pulumi_policy's proxies, numbers as protobuf has them, assets as the SDK's. What stands in a secret never stands in a message.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any, Literal

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyCustomTimeouts,
    PolicyProviderResource,
    PolicyResource,
    PolicyResourceOptions,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.deserialize import deserialize_properties
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError, unknown_checking_proxy

from isostack.engine import urn as urns
from isostack.engine.deployment import STACK_TYPE, short_name
from isostack.engine.events import Violation
from isostack.engine.plan import Goal, provider_urn
from isostack.engine.state import ResourceState, Snapshot
from isostack.engine.values import ARCHIVE_SIGNATURE, ASSET_SIGNATURE, SIGNATURE_KEY, UNKNOWN, PropertyMap, Secret, plain
from isostack.errors import OperationFailed
from isostack.policy.configuration import Held
from isostack.policy.pack import Pack, Surroundings, not_applicable, one_line, where

_NOT_APPLICABLE = not_applicable()
_SHORTEST_SECRET = 3  # what is shorter stands in any text by chance
MASKED = "[secret]"


@dataclass(frozen=True)
class Attached:
    """A pack with its policies under their configuration, those that are disabled included."""

    pack: Pack
    held: tuple[Held, ...]

    def of(self, kind: type[Policy]) -> list[Held]:
        return [one for one in self.held if one.level is not EnforcementLevel.DISABLED and isinstance(one.policy, kind)]


class Policies:
    """Several packs as one :class:`~isostack.engine.analyzer.Analyzer`. Policies are asked one at a time."""

    def __init__(self, packs: Sequence[Attached], surroundings: Surroundings) -> None:
        self.packs = tuple(packs)
        self._contexts = {preview: surroundings.context(preview=preview) for preview in (True, False)}
        self._secrets = {value for key in surroundings.secret_keys if (value := surroundings.config.get(key))}
        self._of_resources = [(attached.pack, attached.of(ResourceValidationPolicy)) for attached in packs]
        self._of_stacks = [(attached.pack, attached.of(StackValidationPolicy)) for attached in packs]
        self._lock = threading.Lock()
        self._providers: dict[int, tuple[ResourceState, PolicyProviderResource]] = {}

    def of_resource(
        self, goal: Goal | ResourceState, inputs: PropertyMap, provider: ResourceState | None, *, preview: bool
    ) -> Sequence[Violation]:
        """What is wrong with a resource, by its inputs. Raises OperationFailed where a policy itself fails."""
        with self._lock:
            return self._contexts[preview].run(self._of_resource, goal, inputs, provider)

    def of_stack(self, snapshot: Snapshot, *, preview: bool) -> Sequence[Violation]:
        """What is wrong with a stack, by its resources' outputs. Raises OperationFailed where a policy itself fails."""
        with self._lock:
            return self._contexts[preview].run(self._of_stack, snapshot)

    def of_state(self, snapshot: Snapshot) -> list[Violation]:
        """What is wrong with each resource of a state, and with all of them together. Raises OperationFailed."""
        found = [
            violation
            for state in snapshot.resources
            if not state.delete and not state.external
            for violation in self.of_resource(state, state.inputs, snapshot.get(provider_urn(state.provider)), preview=False)
        ]
        return [*found, *self.of_stack(snapshot, preview=False)]

    # -- resources ----------------------------------------------------------------------------------------------------

    def _of_resource(self, goal: Goal | ResourceState, inputs: PropertyMap, provider: ResourceState | None) -> list[Violation]:
        secrets = self._secrets | set(_secrets_in(inputs))
        props, options = _props(inputs), _options(goal)
        name, made_by = short_name(goal.urn), self._provider(provider)
        found: list[Violation] = []
        for pack, policies in self._of_resources:
            for held in policies:
                if not held.policy.has_validation():  # type: ignore[attr-defined]  # those of resources have it
                    continue
                arguments = ResourceValidationArgs(
                    goal.type, props, goal.urn, name, options, made_by, _seen(dict(held.properties))
                )
                found += self._ask(pack, held, arguments, goal.urn, (), secrets)
        return found

    def _provider(self, state: ResourceState | None) -> PolicyProviderResource | None:
        if state is None:
            return None
        known = self._providers.get(id(state))
        if known is None:  # the state is kept beside it, so that no other gets its id
            made = PolicyProviderResource(state.type, _props(state.inputs), state.urn, short_name(state.urn))
            known = self._providers[id(state)] = state, made
        return known[1]

    # -- stacks -------------------------------------------------------------------------------------------------------

    def _of_stack(self, snapshot: Snapshot) -> list[Violation]:
        if not any(policies for _, policies in self._of_stacks):
            return []
        states = [state for state in snapshot.resources if not state.delete]
        secrets = self._secrets.union(*(_secrets_in(state.outputs) for state in states))
        resources = {state.urn: self._stack_resource(state, snapshot) for state in states}
        for state in states:
            resource = resources[state.urn]
            resource.parent = resources.get(state.parent)
            resource.dependencies = [resources[urn] for urn in state.dependencies if urn in resources]
            resource.property_dependencies = {
                key: [resources[urn] for urn in needed if urn in resources] for key, needed in state.property_dependencies.items()
            }
        root = next((state.urn for state in states if state.type == STACK_TYPE), "")
        found: list[Violation] = []
        for pack, policies in self._of_stacks:
            for held in policies:
                arguments = StackValidationArgs(list(resources.values()), _seen(dict(held.properties)))
                found += self._ask(pack, held, arguments, root, resources, secrets)
        return found

    def _stack_resource(self, state: ResourceState, snapshot: Snapshot) -> PolicyResource:
        provider = self._provider(snapshot.get(provider_urn(state.provider)) if state.provider else None)
        props = _props({"id": state.id, **state.outputs} if state.id else state.outputs)
        return PolicyResource(state.type, props, state.urn, short_name(state.urn), _options(state), provider, None, [], {})

    # -- asking -------------------------------------------------------------------------------------------------------

    def _ask(
        self,
        pack: Pack,
        held: Held,
        arguments: ResourceValidationArgs | StackValidationArgs,
        subject: str,
        others: Container[str],
        secrets: set[str],
    ) -> list[Violation]:
        """Call ``validate``. What it reports is about the subject, or about one of ``others`` that it names."""
        policy, found = held.policy, list[Violation]()

        def report(message: str, urn: str | None = None) -> None:
            if message and not isinstance(message, str):
                raise TypeError("Expected message to be a string")
            text = f"{policy.description}\n{message}" if message else policy.description
            about = urn if urn and urn in others else subject
            found.append(_violation(pack, policy, held.level, about, _masked(text, secrets)))

        try:
            result = policy.validate(arguments, report)  # type: ignore[attr-defined]  # both kinds have it
            if isawaitable(result):
                asyncio.run(_awaited(result))
        except UnknownValueError as error:
            text = f"can't run policy '{policy.name}' from policy pack '{pack.title}' during preview: {error.message}"
            found.append(_violation(pack, policy, EnforcementLevel.ADVISORY, subject, text, undecided=True))
        except _NOT_APPLICABLE:
            pass
        except Exception as error:  # noqa: BLE001 - whatever a policy raises is an error of that policy
            text = _masked(one_line(error), secrets)
            # Not chained: what the policy raised may hold what was secret.
            raise OperationFailed(
                f"policy {policy.name} of {pack.name} failed on {_about(subject)}: {where(error, pack.folder)}"
                f"{type(error).__name__}: {text}"
            ) from None
        return found


async def _awaited(result: Awaitable[Any]) -> None:
    await result


def _violation(
    pack: Pack, policy: Policy, level: EnforcementLevel, urn: str, message: str, *, undecided: bool = False
) -> Violation:
    severity = policy.severity.value if policy.severity else ""
    held: Literal["mandatory", "advisory"] = "mandatory" if level is EnforcementLevel.MANDATORY else "advisory"
    return Violation(pack.name, pack.version, policy.name, held, severity, urn, message, undecided)


def _about(urn: str) -> str:
    return f"{short_name(urn)} ({urns.parse(urn).type})" if urn else "the stack"


# -- values --------------------------------------------------------------------------------------------------------------


def _props(values: PropertyMap) -> Mapping[str, Any]:
    seen: Mapping[str, Any] = unknown_checking_proxy(_seen(values))
    return seen


def _seen(value: Any) -> Any:
    """A property value as it reaches a pack over the wire."""
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, dict):
        if SIGNATURE_KEY in value:
            return _special(value)
        return {key: _seen(item) for key, item in value.items() if not key.startswith("__")}
    if isinstance(value, list):
        return [_seen(item) for item in value]
    if isinstance(value, Secret):
        return _seen(value.value)
    if value is UNKNOWN:
        return UNKNOWN_STRING_VALUE
    return float(value)


def _special(value: dict[str, Any]) -> Any:
    """Assets and archives as the SDK has them; a reference to a resource as its id, or its URN where it has none."""
    if value[SIGNATURE_KEY] in (ASSET_SIGNATURE, ARCHIVE_SIGNATURE):
        try:
            return deserialize_properties({"it": plain(value)})["it"]
        except AssertionError:  # nothing but a hash, as some states have it
            return {key: item for key, item in value.items() if key != SIGNATURE_KEY}
    return _seen(value.get("id") or value.get("urn"))


def _options(of: Goal | ResourceState) -> PolicyResourceOptions:
    timeouts = of.custom_timeouts
    return PolicyResourceOptions(
        of.protect,
        list(of.ignore_changes),
        getattr(of, "delete_before_replace", None),
        list(of.alias_urns if isinstance(of, Goal) else of.aliases),
        PolicyCustomTimeouts(*(float(timeouts.get(key, 0)) for key in ("create", "update", "delete"))),
        list(of.additional_secret_outputs),
        of.parent or None,
    )


def _secrets_in(value: Any, inside: bool = False) -> Iterator[str]:
    """The texts that stand in secrets, in the forms in which a message might show them."""
    if isinstance(value, Secret):
        yield from _secrets_in(value.value, True)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _secrets_in(item, inside)
    elif isinstance(value, list):
        for item in value:
            yield from _secrets_in(item, inside)
    elif inside and not isinstance(value, bool) and value is not None and value is not UNKNOWN:
        text = str(value)
        yield from {text, json.dumps(text)[1:-1], repr(text)[1:-1]}


def _masked(text: str, secrets: set[str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, MASKED)
    return text
