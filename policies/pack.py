"""The rules as Pulumi's policies: which level each has in this environment, what its findings say, and what excuses them.

Owns all that rules have in common when they run. Pulumi asks a pack once for its policies' levels, after it has told it the stack
and its configuration: so levels are settled when policies are made. Pulumi's own policy configuration overrides them for a run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pulumi
import pulumi_policy
from pulumi_policy import Policy, PolicyComplianceFramework, PolicyConfigSchema, ReportViolation
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError

from policies.exceptions import Exemption, load
from policies.resources import CannotTell, Resource, of_arguments, of_stack
from policies.rule import ADVISORY, ENVIRONMENTS, MANDATORY, STRICTEST, Finding, Rule, Settings
from policies.rules import RULES

NAME = "isostack"
DESCRIPTION = "Production is open to those who need it, and accidents are designed out"
SHOWN_AT_MOST = 5  # of the things that a preview cannot tell


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the pack runs. ``note`` says why an environment was assumed."""

    environment: str
    note: str | None = None


def place() -> Place:
    """The environment: configured as ``isostack:environment``, else the stack's name, else the strictest."""
    configured = pulumi.Config("isostack").get("environment")
    stack = pulumi.get_stack()
    for name in (configured, stack) if configured is None else (configured,):
        if name in ENVIRONMENTS:
            return Place(environment=name)
    said = f"isostack:environment is {configured}" if configured else f"the stack {stack} does not say which environment it is"
    note = f"It is judged as {STRICTEST}, since {said}. Configure isostack:environment as one of {', '.join(ENVIRONMENTS)}."
    return Place(environment=STRICTEST, note=note)


def policies(
    where: Place | None = None,
    rules: Sequence[Rule] = RULES,
    exemptions: Sequence[Exemption] | None = None,
    today: date | None = None,
) -> list[Policy]:
    """A policy for each rule, and those about the pack's own exceptions. Raises WrongExceptions."""
    where = where or place()
    today = today or datetime.now(UTC).date()
    everywhere = load(rules, today) if exemptions is None else exemptions
    here = tuple(one for one in everywhere if where.environment in one.environments)
    in_force = tuple(one for one in here if not one.expired(today))
    made: list[Policy] = [(ResourceRule if rule.check else StackRule)(rule, where.environment, in_force) for rule in rules]
    made += [_expired(here, today), _unused(in_force, rules, where.environment)]
    return [*made, _assumed(where.note)] if where.note else made


class ResourceRule(pulumi_policy.ResourceValidationPolicy):
    """A rule that looks at resources one by one."""

    def __init__(self, rule: Rule, environment: str, exemptions: Sequence[Exemption]) -> None:
        super().__init__(**_described(rule, environment))
        self.rule, self.environment, self.exemptions = rule, environment, exemptions

    def validate(self, args: pulumi_policy.ResourceValidationArgs, report_violation: ReportViolation) -> None:
        if args.resource_type in self.rule.types:
            settings = _settings(self.rule, self.environment, args.get_config())
            _report(self.rule, findings(self.rule, [of_arguments(args)], settings), self.exemptions, report_violation)


class StackRule(pulumi_policy.StackValidationPolicy):
    """A rule that looks at all resources at once."""

    def __init__(self, rule: Rule, environment: str, exemptions: Sequence[Exemption]) -> None:
        super().__init__(**_described(rule, environment))
        self.rule, self.environment, self.exemptions = rule, environment, exemptions

    def validate(self, args: pulumi_policy.StackValidationArgs, report_violation: ReportViolation) -> None:
        settings = _settings(self.rule, self.environment, args.get_config())
        _report(self.rule, findings(self.rule, of_stack(args), settings), self.exemptions, report_violation)


class CannotTellYet(UnknownValueError):
    """How Pulumi is told that a preview cannot decide: it shows ``message`` as advice, and asks again at the update."""

    def __init__(self, unsure: Sequence[str]) -> None:
        super().__init__(UNKNOWN_STRING_VALUE, [])
        more = f", and {len(unsure) - SHOWN_AT_MOST} more" if len(unsure) > SHOWN_AT_MOST else ""
        self.message = f"cannot tell yet, decides at the update: {'; '.join(unsure[:SHOWN_AT_MOST])}{more}"


def findings(rule: Rule, resources: Sequence[Resource], settings: Settings) -> Iterator[Finding]:
    """What a rule finds in resources. A check that cannot tell ends with an unsure finding."""
    if rule.check_stack:
        yield from _settled(lambda: rule.check_stack(resources, settings), None)  # type: ignore[misc]
        return
    for resource in resources:
        if resource.type in rule.types:
            yield from _settled(lambda one=resource: rule.check(one, settings), resource)  # type: ignore[misc]


def _settled(check: Callable[[], Iterator[str | Finding]], resource: Resource | None) -> Iterator[Finding]:
    try:
        for found in check():
            yield Finding(what=found, resource=resource) if isinstance(found, str) else found
    except CannotTell as error:
        yield Finding(what=f"{error.path or 'a value'} is not known", resource=resource, unsure=True)


def _report(rule: Rule, found: Iterator[Finding], exemptions: Sequence[Exemption], report: ReportViolation) -> None:
    unsure = []
    for finding in found:
        resource = finding.resource
        if resource and any(one.excuses(rule, resource) for one in exemptions):
            continue
        said = f"{resource.shown}: {finding.what}" if resource else finding.what
        if finding.unsure:
            unsure.append(said)
        else:
            report(f"{said}{'' if said.endswith('.') else '.'} {rule.mend}", resource.urn if resource else None)
    if unsure:
        raise CannotTellYet(unsure)


def _settings(rule: Rule, environment: str, config: Any) -> Settings:
    return Settings(environment=environment, options={**rule.defaults, **(config or {})})


def _described(rule: Rule, environment: str) -> dict[str, Any]:
    cis = next((one for one in rule.ids if one.startswith("CIS ")), None)
    return {
        "name": rule.name,
        "description": rule.title,
        "enforcement_level": rule.levels.of(environment),
        "config_schema": PolicyConfigSchema({key: dict(schema) for key, schema in rule.schema.items()}) if rule.schema else None,
        "severity": rule.severity,
        "framework": PolicyComplianceFramework("CIS AWS Foundations Benchmark", "7.0", cis.removeprefix("CIS ")) if cis else None,
        "tags": [rule.area.value, *rule.ids],
        "remediation_steps": rule.mend,
    }


# -- about the pack itself -------------------------------------------------------------------------------------------------


def _expired(exemptions: Sequence[Exemption], today: date) -> Policy:
    def validate(args: pulumi_policy.StackValidationArgs, report: ReportViolation) -> None:
        for one in exemptions:
            if one.expired(today):
                report(
                    f"{one.shown} ran out on {one.until}. Mend what it excused and delete it, or have it approved again.", None
                )

    return pulumi_policy.StackValidationPolicy("exceptions-in-force", "Exceptions have not run out", validate, MANDATORY)


def _unused(exemptions: Sequence[Exemption], rules: Sequence[Rule], environment: str) -> Policy:
    named = {rule.name: rule for rule in rules}

    def validate(args: pulumi_policy.StackValidationArgs, report: ReportViolation) -> None:
        if not exemptions:
            return
        resources = of_stack(args)
        for one in exemptions:
            rule = named[one.rule]
            about = [resource for resource in resources if one.excuses(rule, resource)]
            looked_at = resources if rule.check_stack else about
            found = findings(rule, looked_at, _settings(rule, environment, None))
            if not any(finding.resource is None or finding.resource in about for finding in found):
                report(f"{one.shown} excuses nothing any more. Delete it.", None)

    return pulumi_policy.StackValidationPolicy("exceptions-used", "Exceptions are still needed", validate, ADVISORY)


def _assumed(note: str) -> Policy:
    def validate(args: pulumi_policy.StackValidationArgs, report: ReportViolation) -> None:
        report(note, None)

    return pulumi_policy.StackValidationPolicy("environment-known", "A stack says which environment it is", validate, ADVISORY)
