"""A cloud in memory, for tests of the engine: it does what its conventions say, and what a test's hooks add to that.

Conventions, so that a program says by itself what is to happen: a change of a property ``fixed`` replaces the resource,
one of ``exclusive`` replaces it and deletes the old one first, and every other change is an update. An id reads
``NAME-NUMBER``; the number counts the creates of that name.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from isostack.engine.provider import (
    Checked,
    CheckFailure,
    CreatedPartially,
    Diff,
    Found,
    ProviderError,
    Resource,
    ResourceGone,
    lineage,
)
from isostack.engine.values import UNKNOWN, PropertyMap

DEFAULTS = "__defaults"
REPLACING = ("fixed", "exclusive")


@dataclass(frozen=True)
class Call:
    """A call that the engine made. ``str()`` is ``create NAME`` or, where there is an id, ``delete ID``."""

    verb: str
    type: str
    subject: str
    inputs: PropertyMap = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        return f"{self.verb} {self.subject}"


@dataclass
class Thing:
    """What the cloud holds."""

    id: str
    type: str
    inputs: PropertyMap


Hook = Callable[[Call], None]


@dataclass
class FakeCloud:
    """A host and, through :meth:`configure`, its providers. ``before`` and ``after`` surround each call that acts or
    looks; what they raise is raised to the engine."""

    before: Hook | None = None
    after: Hook | None = None
    check: Callable[[str, PropertyMap], Iterable[CheckFailure]] | None = None
    outputs: Callable[[Thing], PropertyMap] | None = None
    serves: Callable[[str], bool] = lambda type_: True
    functions: dict[str, Callable[[PropertyMap], PropertyMap]] = field(default_factory=dict)
    things: dict[str, Thing] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    configured: list[PropertyMap] = field(default_factory=list)
    expected: list[tuple[str, int]] = field(default_factory=list)
    """Types that are said to be about to be made, each with how many calls there had been."""
    name_of_cloud: str = "cloud-1"
    most_at_once: int = 0
    _at_once: int = 0
    _created: Counter[str] = field(default_factory=Counter)
    lock: threading.RLock = field(default_factory=threading.RLock)

    # -- what tests ask ---------------------------------------------------------------------------------------------

    def log(self, *verbs: str) -> list[str]:
        """The calls that act (or those of the given verbs), in order, as text."""
        return [str(call) for call in self.calls if call.verb in (verbs or ("create", "update", "delete"))]

    def names(self) -> list[str]:
        """The names of what is there, sorted."""
        return sorted(thing.inputs["name"] for thing in self.things.values())

    def named(self, name: str) -> Thing:
        """The one thing of this name."""
        (thing,) = (thing for thing in self.things.values() if thing.inputs["name"] == name)
        return thing

    def add(self, name: str, type_: str = "aws:test/thing:Thing", **inputs: Any) -> str:
        """Put something into the cloud behind the engine's back; gives its id."""
        return self.create(type_, {"name": name, **inputs}).id

    def reset(self) -> None:
        """Lose everything, as a restarted cloud does."""
        self.things = {id_: thing for id_, thing in self.things.items() if not self.lives_in_cloud(thing.type)}
        self.name_of_cloud = f"{lineage(self.name_of_cloud)}'"

    def go_back(self, *lost: str) -> None:
        """Be as one that was killed at work and comes back as it was a little earlier: without what has these names."""
        self.things = {id_: thing for id_, thing in self.things.items() if thing.inputs["name"] not in lost}
        self.name_of_cloud += "."

    def create(self, type_: str, inputs: PropertyMap) -> Thing:
        with self.lock:
            self._created[inputs["name"]] += 1
            id_ = f"{inputs['name']}-{self._created[inputs['name']]}"
            self.things[id_] = Thing(id_, type_, {k: v for k, v in inputs.items() if k != DEFAULTS})
            return self.things[id_]

    def outputs_of(self, thing: Thing) -> PropertyMap:
        more = self.outputs(thing) if self.outputs else {}
        return {**thing.inputs, "arn": f"arn:{thing.id}", **more}

    @contextmanager
    def call(self, verb: str, type_: str, subject: str, inputs: PropertyMap | None = None) -> Iterator[None]:
        call = Call(verb, type_, subject, inputs or {})
        with self.lock:
            self.calls.append(call)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            if self.before:
                self.before(call)
            yield
            if self.after:
                self.after(call)
        finally:
            with self.lock:
                self._at_once -= 1

    # -- what the engine asks of a host ---------------------------------------------------------------------------------

    def serves_package(self, package: str) -> bool:
        return package in ("aws", "random")

    def serves_type(self, type_: str) -> bool:
        return self.serves(type_)

    def serves_function(self, token: str) -> bool:
        return token in self.functions

    def lives_in_cloud(self, type_: str) -> bool:
        return type_.startswith("aws:")

    def expect(self, type_: str) -> None:
        self.expected.append((type_, len(self.calls)))

    def version(self, package: str) -> str:
        return "1.2.3"

    def configure(self, package: str, config: PropertyMap) -> FakeProvider:
        self.configured.append(config)
        return FakeProvider(self, config)

    def identity(self) -> str:
        return self.name_of_cloud


class FakeProvider:
    """A provider with a configuration; its ``region`` becomes the output ``via`` of what is made through it."""

    def __init__(self, cloud: FakeCloud, config: PropertyMap) -> None:
        self.cloud = cloud
        self.config = config

    def check(self, type_: str, urn: str, old_inputs: PropertyMap | None, inputs: PropertyMap, seed: bytes = b"") -> Checked:
        failures = tuple(self.cloud.check(type_, inputs)) if self.cloud.check else ()
        if "name" in inputs:
            return Checked(inputs, failures)
        return Checked({**inputs, "name": urn.rpartition("::")[2], DEFAULTS: ["name"]}, failures)

    def diff(self, type_: str, old_inputs: PropertyMap, old_outputs: PropertyMap, inputs: PropertyMap) -> Diff:
        keys = (old_inputs.keys() | inputs.keys()) - {DEFAULTS}
        changed = sorted(k for k in keys if inputs.get(k) is UNKNOWN or old_inputs.get(k) != inputs.get(k))
        replaces = tuple(key for key in changed if key in REPLACING)
        return Diff(tuple(changed), replaces, "exclusive" in replaces)

    def planned(self, type_: str, inputs: PropertyMap, old_outputs: PropertyMap | None, changed: Iterable[str]) -> PropertyMap:
        known = {key: value for key, value in inputs.items() if key != DEFAULTS}
        return {"arn": UNKNOWN, **known} if old_outputs is None else {**old_outputs, **known}

    def create(self, type_: str, inputs: PropertyMap) -> Resource:
        with self.cloud.call("create", type_, inputs["name"], inputs):
            thing = self.cloud.create(type_, inputs)
        if "region" in self.config:
            thing.inputs["via"] = self.config["region"]
        return self._resource(thing, inputs)

    def read(self, type_: str, id_: str, inputs: PropertyMap | None, outputs: PropertyMap) -> Resource | None:
        with self.cloud.call("read", type_, id_):
            thing = self.cloud.things.get(id_)
        return self._resource(thing, inputs or {}) if thing is not None else None

    def update(
        self,
        type_: str,
        id_: str,
        old_inputs: PropertyMap,
        old_outputs: PropertyMap,
        inputs: PropertyMap,
        changed: tuple[str, ...],
    ) -> PropertyMap:
        with self.cloud.call("update", type_, id_, inputs), self.cloud.lock:
            if id_ not in self.cloud.things:
                raise ResourceGone(f"{id_} is gone")
            thing = self.cloud.things[id_]
            thing.inputs = {k: v for k, v in inputs.items() if k != DEFAULTS}
        return self.cloud.outputs_of(thing)

    def delete(self, type_: str, id_: str, outputs: PropertyMap) -> None:
        with self.cloud.call("delete", type_, id_), self.cloud.lock:
            self.cloud.things.pop(id_, None)

    def invoke(self, token: str, arguments: PropertyMap) -> PropertyMap:
        return self.cloud.functions[token](arguments)

    def find(self, type_: str, inputs: PropertyMap) -> Found:
        with self.cloud.call("find", type_, inputs["name"]):
            things = self.cloud.things.values()
            ids = [t.id for t in things if t.type == type_ and t.inputs["name"] == inputs["name"]]
        return Found(tuple(ids), f"look for {inputs['name']}")

    def _resource(self, thing: Thing, known: PropertyMap) -> Resource:
        inputs = {key: value for key, value in thing.inputs.items() if key != "via"}
        if DEFAULTS in known:
            inputs[DEFAULTS] = known[DEFAULTS]
        return Resource(thing.id, inputs, self.cloud.outputs_of(thing))


# -- hooks ------------------------------------------------------------------------------------------------------------


def failing(*calls: str, message: str = "Throttling: too many requests") -> Hook:
    """Refuse these calls (such as ``create a``; with an id, a call is also meant by its name: ``delete a``)."""

    def hook(call: Call) -> None:
        if is_one_of(call, calls):
            raise ProviderError(f"{call}: {message}")

    return hook


def half_done(cloud: FakeCloud, *names: str) -> Hook:
    """Let these creates fail after the resource came to exist, without its property ``size``. For ``after``."""

    def hook(call: Call) -> None:
        if call.verb == "create" and call.subject in names:
            thing = [thing for thing in cloud.things.values() if thing.inputs["name"] == call.subject][-1]
            thing.inputs.pop("size", None)
            raise CreatedPartially("half created", Resource(thing.id, dict(thing.inputs), cloud.outputs_of(thing)))

    return hook


def is_one_of(call: Call, calls: Iterable[str]) -> bool:
    """Whether the call is meant by one of these texts."""
    return str(call) in calls or f"{call.verb} {call.subject.rpartition('-')[0]}" in calls
