"""Rules judged as an engine has them judged: through Pulumi's own arguments and proxies, with its sentinels for the unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi_policy as pp
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError, unknown_checking_proxy

from policies.exceptions import Exemption
from policies.pack import Place, policies
from policies.rule import Given, Rule
from policies.rules import RULES

UNKNOWN = UNKNOWN_STRING_VALUE  # stands in a property for what a preview cannot know


@dataclass
class Verdict:
    """What a rule reported: messages by URN, and what it said it cannot tell yet."""

    reported: list[tuple[str, str]] = field(default_factory=list)
    unsure: str | None = None

    @property
    def messages(self) -> list[str]:
        return [message for _, message in self.reported]


def rule_named(name: str) -> Rule:
    """The rule of a name."""
    (found,) = (rule for rule in RULES if rule.name == name)
    return found


def judge(
    rule: Rule | str,
    *given: Given,
    environment: str = "production",
    options: Mapping[str, Any] | None = None,
    exemptions: Sequence[Exemption] = (),
) -> Verdict:
    """One rule over resources, through the ``validate`` of its policy."""
    rule = rule_named(rule) if isinstance(rule, str) else rule
    policy = policies(Place(environment=environment), [rule], exemptions)[0]
    verdict = Verdict()
    if isinstance(policy, pp.StackValidationPolicy):
        resources = [_stack_resource(one, environment) for one in given]
        _run(policy, pp.StackValidationArgs(resources, options), None, verdict)
    else:
        for one in given:
            _run(policy, _arguments(one, environment, options), urn(one, environment), verdict)
    return verdict


def _run(policy: Any, args: Any, about: str | None, verdict: Verdict) -> None:
    try:
        policy.validate(args, lambda message, urn=None: verdict.reported.append((about or urn or "", message)))
    except UnknownValueError as error:
        verdict.unsure = error.message


def urn(given: Given, environment: str = "production") -> str:
    """The URN of an example's resource."""
    return f"urn:pulumi:{environment}::shop::{given.type}::{given.name}"


def _options(given: Given) -> pp.PolicyResourceOptions:
    return pp.PolicyResourceOptions(given.protect, [], None, [], pp.PolicyCustomTimeouts(0, 0, 0), [])


def _provider(given: Given) -> pp.PolicyProviderResource | None:
    if given.provider is None:
        return None
    props = unknown_checking_proxy(dict(given.provider))
    return pp.PolicyProviderResource(
        "pulumi:providers:aws", props, "urn:pulumi:x::shop::pulumi:providers:aws::account", "account"
    )


def _arguments(given: Given, environment: str, options: Mapping[str, Any] | None) -> pp.ResourceValidationArgs:
    props = unknown_checking_proxy(dict(given.props))
    return pp.ResourceValidationArgs(
        given.type, props, urn(given, environment), given.name, _options(given), _provider(given), options
    )


def _stack_resource(given: Given, environment: str) -> pp.PolicyResource:
    props = unknown_checking_proxy(dict(given.props))
    return pp.PolicyResource(
        given.type, props, urn(given, environment), given.name, _options(given), _provider(given), None, [], {}
    )
