"""Takes a program's registrations: components, providers, what is only read, and what waits for something that failed.

What is done about a custom resource is :mod:`isostack.engine.custom`'s. Knows nothing of the SDK (that is the
monitor's) and of no cloud.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable
from contextlib import suppress

from isostack.engine import custom, plan
from isostack.engine.deployment import (
    PROVIDER_PREFIX,
    Deployment,
    Failed,
    Interrupted,
    Registered,
    short_name,
)
from isostack.engine.events import Op, StepDone, StepStarted
from isostack.engine.plan import Goal, provider_urn
from isostack.engine.provider import OnlyTheCloudKnows, ProviderError
from isostack.engine.state import ResourceState
from isostack.engine.values import (
    UNKNOWN,
    UNKNOWN_STRING,
    PropertyMap,
    has_secret,
    has_unknown,
    mark_secrets,
    plain,
)
from isostack.errors import IsostackError, OperationFailed

# Among a provider's inputs, in states of Pulumi's own engine.
PULUMIS_OWN = "__internal"


class Applier:
    """Applies a program's registrations to a deployment. Its public methods may be called from several threads."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment

    # -- registrations ----------------------------------------------------------------------------------------------

    def register(self, goal: Goal) -> Registered:
        """Bring one resource to what the program asks for. Failures are reported in the result and the events;
        what ends the whole run (a duplicate URN, a lost lock, a refusal outside a preview) is raised."""
        return self._attempt(goal, lambda: self._register(goal))

    def _register(self, goal: Goal) -> Registered:
        self.deployment.claim(goal.urn)
        old = self.deployment.adopt(goal.urn, goal.alias_urns)
        blocked = self._blocked(goal)
        if blocked:
            return self._skip(goal, f"depends on {', '.join(map(short_name, blocked))}, which failed")
        if not goal.custom:
            return self._register_component(goal, old)
        if goal.type.startswith(PROVIDER_PREFIX):
            return self._register_provider(goal, old)
        if not self._serves(goal):
            return Registered(goal.urn, "", dict.fromkeys(goal.inputs, UNKNOWN))
        if old is None and self.deployment.rehearsal:
            self.deployment.host.expect(goal.type)
        if not goal.provider:
            goal.provider = self.deployment.default_provider(goal.type.partition(":")[0])
        if goal.urn not in self.deployment.targets:
            return self._leave_alone(goal, old)
        with self.deployment.slots:
            self.deployment.check_stop()
            return custom.register(self.deployment, goal, old)

    def register_outputs(self, urn: str, outputs: PropertyMap, *, complete: bool = True) -> None:
        """Record a component's outputs; those that are not known keep their last value. Unless these are all of them
        (``complete``), others stay as well."""
        with self.deployment.lock:
            self.deployment.check_stop()
            state = self.deployment.snapshot.get(urn)
            if state is None:
                return
            known = {
                key: state.outputs.get(key) if has_unknown(value) and not self.deployment.preview else value
                for key, value in outputs.items()
            }
            known = {key: value for key, value in known.items() if value is not None}
            if not complete:
                known = {**state.outputs, **known}
            if known != state.outputs:
                self.deployment.put(dataclasses.replace(state, outputs=known))

    def read(self, goal: Goal, id_: str) -> Registered:
        """Read a resource that the stack does not own (``Resource.get``)."""
        return self._attempt(goal, lambda: self._read(goal, id_))

    def _read(self, goal: Goal, id_: str) -> Registered:
        self.deployment.claim(goal.urn)
        blocked = self._blocked(goal)
        if blocked:
            return self._skip(goal, f"depends on {', '.join(map(short_name, blocked))}, which failed")
        if not self._serves(goal):
            return Registered(goal.urn, "", {})
        if id_ in ("", UNKNOWN_STRING):  # at preview alone
            with self.deployment.step(goal, Op.READ) as step:
                return step.done(Registered(goal.urn, "", {}))
        if not goal.provider:
            goal.provider = self.deployment.default_provider(goal.type.partition(":")[0])
        with self.deployment.slots, self.deployment.step(goal, Op.READ) as step:
            try:
                found = self.deployment.provider(goal.provider).read(goal.type, id_, None, plain(goal.inputs))
            except OnlyTheCloudKnows:
                return step.done(self._last_read(goal, id_))
            if found is None:
                return step.fail(f"{goal.type} {id_!r} does not exist")
            outputs = mark_secrets(found.outputs, goal.inputs, goal.additional_secret_outputs)
            return step.done(self._record_read(goal, found.id, outputs))

    def _last_read(self, goal: Goal, id_: str) -> Registered:
        """What the state knows of a resource that cannot be read now; all of it is unknown where that is another one."""
        old = self.deployment.snapshot.get(goal.urn)
        known = old if old is not None and old.external and old.id == id_ else None
        return self._record_read(goal, id_, known.outputs if known else dict.fromkeys(goal.inputs, UNKNOWN))

    def read_stack_reference(self, goal: Goal, id_: str, look_up: Callable[[str], PropertyMap]) -> Registered:
        """Record a reference to another stack; ``look_up`` gives its outputs, or raises OperationFailed."""

        def work() -> Registered:
            self.deployment.claim(goal.urn)
            goal.provider = self.deployment.default_provider("pulumi")
            with self.deployment.step(goal, Op.READ) as step:
                try:
                    outputs = look_up(id_)
                except OperationFailed as error:
                    return step.fail(str(error))
                secret = sorted(key for key, value in outputs.items() if has_secret(value))
                return step.done(self._record_read(goal, id_, {"name": id_, "outputs": outputs, "secretOutputNames": secret}))

        return self._attempt(goal, work)

    def _record_read(self, goal: Goal, id_: str, outputs: PropertyMap) -> Registered:
        old = self.deployment.snapshot.get(goal.urn)
        state = self.deployment.new_state(goal, old, goal.inputs, outputs, id_, external=True)
        if state != old:
            # What the stack owned until now is deleted, unless it is the very resource that is read.
            owned = old is not None and not old.external and old.id != id_
            self.deployment.put(state, old if owned else None)
        return Registered(goal.urn, id_, outputs)

    def invoke(self, token: str, arguments: PropertyMap, provider: str) -> PropertyMap | None:
        """Call a provider's function; None where there is none, or nothing that could answer. Raises ProviderError."""
        self.deployment.check_stop()
        if not self.deployment.host.serves_function(token):
            self.deployment.refuse(f"function {token} is not in the table of the local cloud")
            return None
        reference = provider or self.deployment.default_provider(token.partition(":")[0])
        try:
            return self.deployment.provider(reference).invoke(token, plain(arguments))
        except OnlyTheCloudKnows:
            return None

    def _leave_alone(self, goal: Goal, old: ResourceState | None) -> Registered:
        """A resource outside ``--target``: as it was, or, if new, not made."""
        if old is None:
            with self.deployment.lock:
                self.deployment.not_created.add(goal.urn)
            return Registered(goal.urn, "", {}, "skipped")
        with self.deployment.lock:
            self.deployment.tally.same += 1
        return Registered(goal.urn, old.id, old.outputs)

    # -- components and providers -------------------------------------------------------------------------------------

    def _register_component(self, goal: Goal, old: ResourceState | None) -> Registered:
        if problem := self.deployment.forbidden(goal, goal.inputs):
            with self.deployment.step(goal, Op.UPDATE if old else Op.CREATE) as step:
                return step.fail(problem)
        state = self.deployment.new_state(goal, old, goal.inputs, old.outputs if old else {}, "")
        if state != old:
            self.deployment.put(state)
        registered = Registered(goal.urn, "", {})
        if old is not None:
            return self.deployment.unchanged(goal, registered)
        with self.deployment.step(goal, Op.CREATE) as step:
            return step.done(registered)

    def _register_provider(self, goal: Goal, old: ResourceState | None) -> Registered:
        package = goal.type.removeprefix(PROVIDER_PREFIX)
        if not self.deployment.host.serves_package(package):
            self.deployment.refuse(f"provider {package} ({short_name(goal.urn)}) is not served by the local cloud")
            return Registered(goal.urn, UNKNOWN_STRING, {})
        inputs = {"version": self.deployment.host.version(package), **goal.inputs}
        before = {} if old is None else {key: value for key, value in old.inputs.items() if key != PULUMIS_OWN}
        changed = [] if old is None else [key for key in before.keys() | inputs.keys() if before.get(key) != inputs.get(key)]
        op = Op.CREATE if old is None else Op.UPDATE if changed else Op.SAME
        with self.deployment.step(goal, op, plan.changes(before, inputs, sorted(changed or inputs))) as step:
            if problem := self.deployment.forbidden(goal, inputs):
                return step.fail(problem)
            try:
                self.deployment.configure(goal.urn, package, inputs)
            except IsostackError as error:
                return step.fail(str(error))
            id_ = old.id if old else "" if self.deployment.preview else str(uuid.uuid4())
            state = self.deployment.new_state(goal, old, inputs, inputs, id_)
            if state != old:
                self.deployment.put(state)
            return step.done(Registered(goal.urn, id_, inputs))

    def _serves(self, goal: Goal) -> bool:
        if goal.type.startswith("pulumi-python:dynamic"):
            self.deployment.refuse(f"dynamic provider of {short_name(goal.urn)}")
        elif not self.deployment.host.serves_package(goal.type.partition(":")[0]):
            package = goal.type.partition(":")[0]
            self.deployment.refuse(f"package {package} (resource type {goal.type}) is not served by the local cloud")
        elif not self.deployment.host.serves_type(goal.type):
            self.deployment.refuse(f"resource type {goal.type} is not in the table of the local cloud")
        else:
            return True
        return False

    # -- what a registration stands on

    def _attempt(self, goal: Goal, work: Callable[[], Registered]) -> Registered:
        """A registration: a failure of the cloud is the resource's, anything else ends the run."""
        self.deployment.check_stop()
        try:
            return work()
        except Failed as failure:
            return failure.registered
        except ProviderError as error:
            with (
                suppress(Failed),
                self.deployment.step(goal, Op.UPDATE if self.deployment.snapshot.get(goal.urn) else Op.CREATE),
            ):
                raise error
            return Registered(goal.urn, "", {}, "failed")
        except BaseException as error:
            with self.deployment.lock:
                self.deployment.fatal = self.deployment.fatal or error
            if isinstance(error, Exception):
                raise
            raise Interrupted from error  # the SDK would wait for ever for what is no Exception

    def _blocked(self, goal: Goal) -> list[str]:
        with self.deployment.lock:
            needed = {*goal.dependencies, goal.parent, provider_urn(goal.provider)}
            if goal.urn in self.deployment.targets and (missing := needed & self.deployment.not_created):
                raise OperationFailed(
                    f"--target {goal.urn}: it depends on {min(missing)}, which does not exist yet; name that as a target too"
                )
            return sorted(needed & self.deployment.failed.keys())

    def _skip(self, goal: Goal, why: str) -> Registered:
        with self.deployment.lock:
            self.deployment.failed[goal.urn] = why
        self.deployment.sink(StepStarted(goal.urn, Op.CREATE, goal.type, goal.name, goal.parent, component=not goal.custom))
        self.deployment.sink(StepDone(goal.urn, Op.CREATE, "skipped", 0.0, why))
        return Registered(goal.urn, "", {}, "skipped")
