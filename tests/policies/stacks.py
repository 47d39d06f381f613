"""This project's own stacks as the pack sees them: what the program registers for an environment, without any cloud.

Resources are judged by their inputs, and the stack by its outputs, as Pulumi has it. Outputs are made up offline: texts where
they are texts, unknown where only a cloud could tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import pulumi_policy as pp
from pulumi_policy import EnforcementLevel
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError, unknown_checking_proxy

from isostack.engine.graph import LOOK_UP, Graph, Node, record
from isostack.engine.project import load_project, load_stack
from isostack.engine.values import UNKNOWN, plain
from isostack.localcloud.provider import OfflineHost
from isostack.localcloud.server import LocalCloud
from policies.pack import Place, policies

ROOT = Path(__file__).parent.parent.parent
PROVIDER = "pulumi:providers:"


@dataclass(frozen=True)
class Violation:
    """One that the pack reported: by which policy, how strictly, about which resource (a URN, empty for the stack)."""

    policy: str
    level: EnforcementLevel
    urn: str
    message: str


@dataclass
class Report:
    """All that the pack said of a stack. ``unsure`` has the policies that cannot tell yet."""

    violations: list[Violation] = field(default_factory=list)
    unsure: dict[str, list[str]] = field(default_factory=dict)

    @property
    def mandatory(self) -> list[Violation]:
        return [one for one in self.violations if one.level is EnforcementLevel.MANDATORY]


class _NoSecrets:
    """The stacks' files have no secrets, so that nothing asks for a passphrase."""

    def __init__(self, salt: Any) -> None:
        pass


@cache
def graph(environment: str, playground: str | None = None) -> Graph:
    """What the program registers for an environment, or for the playground that some JSON describes. Made once a process."""
    project = load_project(ROOT)
    config = load_stack(project, environment, lambda salt: _NoSecrets())  # type: ignore[arg-type,return-value]
    if playground is not None:
        config = replace(config, values={**config.values, "isostack:playground": playground})
    return record(project, config, OfflineHost(LocalCloud(ROOT / "nowhere")), positions=False)


def judge_stack(environment: str) -> Report:
    """The pack's report on an environment."""
    return judge_nodes([node for node in graph(environment).nodes.values() if node.type != LOOK_UP], environment)


def judge_nodes(nodes: list[Node], environment: str) -> Report:
    """The pack's report on nodes of a graph."""
    report = Report()
    by_urn = {node.urn: node for node in nodes}
    made = policies(Place(environment=environment))
    stack = _stack_resources(nodes, by_urn)
    one_by_one = [(node.urn, _arguments(node, by_urn)) for node in nodes]
    for policy in made:
        level = policy.enforcement_level or EnforcementLevel.ADVISORY
        if level is EnforcementLevel.DISABLED:
            continue
        if isinstance(policy, pp.StackValidationPolicy):
            _run(policy, pp.StackValidationArgs(stack), level, "", report)
        else:
            for urn, args in one_by_one:
                _run(policy, args, level, urn, report)
    return report


def _run(policy: Any, args: Any, level: EnforcementLevel, about: str, report: Report) -> None:
    def reported(message: str, urn: str | None = None) -> None:
        report.violations.append(Violation(policy.name, level, about or urn or "", message))

    try:
        policy.validate(args, reported)
    except UnknownValueError as error:
        report.unsure.setdefault(policy.name, []).append(error.message)


def changed(node: Node, **inputs: Any) -> Node:
    """A node with other inputs, and the same as outputs. None removes one."""
    kept = {key: value for key, value in {**node.inputs, **inputs}.items() if value is not None}
    outputs = {key: value for key, value in {**node.outputs, **inputs}.items() if value is not None}
    return replace(node, inputs=kept, outputs=outputs)


def _seen(value: Any) -> Any:
    if value is UNKNOWN:
        return UNKNOWN_STRING_VALUE
    if isinstance(value, Mapping):
        return {key: _seen(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_seen(item) for item in value]
    return value


def _props(properties: Mapping[str, Any]) -> Any:
    return unknown_checking_proxy(_seen(plain(dict(properties))))


def _options(node: Node) -> pp.PolicyResourceOptions:
    protect = bool(node.options.get("protect"))
    timeouts = pp.PolicyCustomTimeouts(0, 0, 0)
    return pp.PolicyResourceOptions(protect, [], None, [], timeouts, [], node.parent or None)


def _provider(node: Node, by_urn: Mapping[str, Node]) -> pp.PolicyProviderResource | None:
    provider = by_urn.get(node.provider.rpartition("::")[0]) or by_urn.get(node.provider)
    return pp.PolicyProviderResource(provider.type, _props(provider.inputs), provider.urn, provider.name) if provider else None


def _arguments(node: Node, by_urn: Mapping[str, Node]) -> pp.ResourceValidationArgs:
    return pp.ResourceValidationArgs(node.type, _props(node.inputs), node.urn, node.name, _options(node), _provider(node, by_urn))


def _stack_resources(nodes: list[Node], by_urn: Mapping[str, Node]) -> list[pp.PolicyResource]:
    made = {node.urn: _stack_resource(node, by_urn) for node in nodes}
    for node in nodes:
        resource = made[node.urn]
        resource.parent = made.get(node.parent)
        resource.dependencies = [made[urn] for urn in node.dependencies if urn in made]
        resource.property_dependencies = {
            key: [made[urn] for urn in urns if urn in made] for key, urns in node.property_dependencies.items()
        }
    return list(made.values())


def _stack_resource(node: Node, by_urn: Mapping[str, Node]) -> pp.PolicyResource:
    props = _props({**node.inputs, **node.outputs})
    return pp.PolicyResource(node.type, props, node.urn, node.name, _options(node), _provider(node, by_urn), None, [], {})
