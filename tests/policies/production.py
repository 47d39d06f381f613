"""The real production stack, broken in one place at a time, and which rules notice. Built once a process, and fast.

As an engine has it, a rule sees resources one by one by their inputs, or the whole stack by its outputs. A rule of the first kind
is asked again about what was changed alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from isostack.engine.graph import LOOK_UP, Node
from isostack.engine.values import UNKNOWN as NOT_KNOWN
from isostack.engine.values import plain
from policies.pack import findings
from policies.resources import UNKNOWN, Resource
from policies.rule import DISABLED, Rule, Settings
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
class _Production:
    """The nodes by URN, each as rules see it alone and within the stack, and what is found in them unbroken."""

    nodes: Mapping[str, Node]
    alone: Mapping[str, Resource]
    within: Mapping[str, Resource]
    found: frozenset[Found]


@cache
def _production() -> _Production:
    nodes = {node.urn: node for node in graph(PRODUCTION).nodes.values() if node.type != LOOK_UP}
    alone = {urn: _resource(node, node.inputs) for urn, node in nodes.items()}
    within = {urn: _resource(node, {**node.inputs, **node.outputs}) for urn, node in nodes.items()}
    found = [*_of_resources(list(alone.values())), *_of_stack(list(within.values()))]
    return _Production(nodes, alone, within, frozenset(found))


def noticed(mutation: Mutation) -> set[str]:
    """The rules that report something of the broken stack which they do not of the unbroken one."""
    return {found.rule for found in _broken(mutation) - _production().found}


def _broken(mutation: Mutation) -> set[Found]:
    production = _production()
    changed: dict[str, Node | None] = {}
    if mutation.change is not None:
        [node] = [one for one in production.nodes.values() if (one.type, one.name) == mutation.node]
        changed[node.urn] = mutation.change(node)
    else:
        changed |= _added(*mutation.node, mutation.props or {})
    for type_, name, props in mutation.more:
        changed |= _added(type_, name, props)
    alone = [_resource(node, node.inputs) for node in changed.values() if node is not None]
    within = {urn: one for urn, one in production.within.items() if urn not in changed}
    within |= {urn: _resource(node, {**node.inputs, **node.outputs}) for urn, node in changed.items() if node is not None}
    return {*_of_resources(alone), *_of_stack(list(within.values()))}


def _added(type_: str, name: str, props: Mapping[str, Any]) -> dict[str, Node | None]:
    nodes = _production().nodes
    like = next(iter(nodes.values()))
    urn = f"urn:pulumi:graph::isostack::{type_}::{name}"
    outputs = {"id": f"{name}.id", **props}
    empty = {"dependencies": (), "property_dependencies": {}, "options": {}, "parent": "", "provider": ""}
    return {urn: replace(like, urn=urn, type=type_, name=name, inputs=dict(props), outputs=outputs, **empty)}


def _resource(node: Node, props: Mapping[str, Any]) -> Resource:
    return Resource(
        type=node.type,
        name=node.name,
        urn=node.urn,
        props={"id": f"{node.name}.id", **_seen(plain(dict(props)))} if props is not node.inputs else _seen(plain(node.inputs)),
        protect=bool(node.options.get("protect")),
        parent=node.parent or None,
        dependencies=node.dependencies,
        uses=node.property_dependencies,
    )


def _seen(value: Any) -> Any:
    if value is NOT_KNOWN:
        return UNKNOWN
    if isinstance(value, dict):
        return {key: _seen(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_seen(item) for item in value]
    return value


def _of_resources(resources: Sequence[Resource]) -> list[Found]:
    return [found for rule in HELD if rule.check for found in _found(rule, resources)]


def _of_stack(resources: Sequence[Resource]) -> list[Found]:
    return [found for rule in HELD if rule.check_stack for found in _found(rule, resources)]


def _found(rule: Rule, resources: Sequence[Resource]) -> list[Found]:
    settings = Settings(environment=PRODUCTION, options=rule.defaults)
    return [
        Found(rule.name, one.resource.urn if one.resource else "")
        for one in findings(rule, resources, settings)
        if not one.unsure
    ]
