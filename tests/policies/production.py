"""The real production stack, broken in one place at a time, and which rules notice. Built once a process, and fast.

As an engine has it, a rule sees resources one by one by their inputs, or the whole stack by its outputs. A rule of the first kind
is asked again about what was changed alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

from isostack.engine.graph import LOOK_UP, Node
from isostack.engine.values import UNKNOWN as NOT_KNOWN
from isostack.engine.values import plain
from policies.pack import findings
from policies.resources import UNKNOWN, Resource
from policies.rule import DISABLED, Finding, Rule, Settings
from policies.rules import RULES
from tests.policies import mutations, mutations_outside_iam
from tests.policies.mutations import Mutation
from tests.policies.stacks import graph

PRODUCTION = "production"
MUTATIONS: tuple[Mutation, ...] = (*mutations.MUTATIONS, *mutations_outside_iam.MUTATIONS)
HELD: tuple[Rule, ...] = tuple(rule for rule in RULES if rule.levels.of(PRODUCTION) is not DISABLED)


@dataclass(frozen=True)
class Found:
    """That a rule is broken by a resource, by its URN; for the stack it is empty."""

    rule: str
    urn: str


@dataclass(frozen=True)
class Production:
    """The stack, unbroken. At its first preview nothing is known of it but what the program itself says."""

    first_preview: bool = False

    @cached_property
    def nodes(self) -> Mapping[str, Node]:
        return {node.urn: node for node in graph(PRODUCTION).nodes.values() if node.type != LOOK_UP}

    @cached_property
    def found(self) -> frozenset[Found]:
        return frozenset([*_of_resources(list(self._alone(self.nodes).values())), *_of_stack(list(self._within.values()))])

    def noticed(self, mutation: Mutation) -> set[str]:
        """The rules that report something of the broken stack which they do not of the unbroken one."""
        return {found.rule for found in self._broken(mutation) - self.found}

    def unsure(self) -> set[str]:
        """The rules that cannot tell of the unbroken stack."""
        alone, within = list(self._alone(self.nodes).values()), list(self._within.values())
        return {rule.name for rule in HELD if any(one.unsure for one in _ask(rule, alone if rule.check else within))}

    def _broken(self, mutation: Mutation) -> set[Found]:
        changed: dict[str, Node | None] = {}
        if mutation.change is not None:
            [node] = [one for one in self.nodes.values() if (one.type, one.name) == mutation.node]
            changed[node.urn] = mutation.change(node)
        else:
            changed |= self._added(*mutation.node, mutation.props or {})
        for type_, name, props in mutation.more:
            changed |= self._added(type_, name, props)
        there = {urn: self._wired(node, changed) for urn, node in changed.items() if node is not None}
        within = {urn: one for urn, one in self._within.items() if urn not in changed}
        within |= {urn: self._in_stack(node) for urn, node in there.items()}
        return {*_of_resources(list(self._alone(there).values())), *_of_stack(list(within.values()))}

    def _added(self, type_: str, name: str, props: Mapping[str, Any]) -> dict[str, Node | None]:
        like = next(iter(self.nodes.values()))
        urn = f"urn:pulumi:graph::isostack::{type_}::{name}"
        empty = {"dependencies": (), "property_dependencies": {}, "options": {}, "parent": "", "provider": ""}
        return {urn: replace(like, urn=urn, type=type_, name=name, inputs=dict(props), outputs=dict(props), **empty)}

    def _wired(self, node: Node, added: Mapping[str, Node | None]) -> Node:
        """A node that also depends on what its inputs name."""
        by_id: dict[str, list[str]] = {}
        for one in [*self.nodes.values(), *added.values()]:
            if one is not None:
                by_id.setdefault(_id(one), []).append(one.urn)
        uses = {key: set(urns) for key, urns in node.property_dependencies.items()}
        for key, value in plain(node.inputs).items():
            uses.setdefault(key, set()).update(
                urn for id_, urns in by_id.items() if f'"{id_}"' in json.dumps(value) for urn in urns
            )
        return replace(node, property_dependencies={key: tuple(urns) for key, urns in uses.items()})

    # -- as rules see them

    def _alone(self, nodes: Mapping[str, Node]) -> dict[str, Resource]:
        return {urn: self._resource(node, node.inputs) for urn, node in nodes.items()}

    @cached_property
    def _within(self) -> dict[str, Resource]:
        return {urn: self._in_stack(node) for urn, node in self.nodes.items()}

    def _in_stack(self, node: Node) -> Resource:
        return self._resource(node, {**node.inputs, **node.outputs, "id": _id(node)})

    def _resource(self, node: Node, props: Mapping[str, Any]) -> Resource:
        return Resource(
            type=node.type,
            name=node.name,
            urn=node.urn,
            props=self._seen(plain(dict(props))),
            protect=bool(node.options.get("protect")),
            parent=node.parent or None,
            dependencies=node.dependencies,
            uses=node.property_dependencies,
        )

    def _seen(self, value: Any) -> Any:
        if value is NOT_KNOWN or (self.first_preview and isinstance(value, str) and self._made_up.search(value)):
            return UNKNOWN
        if isinstance(value, dict):
            return {key: self._seen(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._seen(item) for item in value]
        return value

    @cached_property
    def _made_up(self) -> re.Pattern[str]:
        """What the graph made up, since only a cloud knows it."""
        texts = {f"{node.name}.{key}" for node in self.nodes.values() for key in ["id", *node.outputs] if key not in node.inputs}
        return re.compile(f":region:000000000000:|callers\\.id|{'|'.join(map(re.escape, texts))}")


@cache
def production(first_preview: bool = False) -> Production:
    """The one of this process."""
    return Production(first_preview)


def _id(node: Node) -> str:
    return f"{node.name}.id"


def _of_resources(resources: Sequence[Resource]) -> list[Found]:
    return [found for rule in HELD if rule.check for found in _found(rule, resources)]


def _of_stack(resources: Sequence[Resource]) -> list[Found]:
    return [found for rule in HELD if rule.check_stack for found in _found(rule, resources)]


def _found(rule: Rule, resources: Sequence[Resource]) -> list[Found]:
    return [Found(rule.name, one.resource.urn if one.resource else "") for one in _ask(rule, resources) if not one.unsure]


def _ask(rule: Rule, resources: Sequence[Resource]) -> Iterator[Finding]:
    return findings(rule, resources, Settings(environment=PRODUCTION, options=rule.defaults))
