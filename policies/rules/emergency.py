"""The rule on the role for emergencies: what it takes to take it on, for how long, and who hears of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from pulumi_policy import Severity

from policies.documents import Kind, Statement, allowing
from policies.resources import UNKNOWN, CannotTell, Resource
from policies.rule import DEV_MAY, Area, Example, Finding, Given, Rule, Settings

ROLE = "aws:iam/role:Role"
FILTER = "aws:cloudwatch/logMetricFilter:LogMetricFilter"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
HOUR = 3600
TICKET = ("aws:RequestTag/ticket", "sts:SourceIdentity")


def _break_glass(resources: Sequence[Resource], settings: Settings) -> Iterator[Finding]:
    for role in resources:
        if role.type == ROLE and fnmatchcase(role.name, settings.options["roles"]):
            for check in (_entry, _session, _alarm):
                try:
                    for what in check(role, resources):
                        yield Finding(what=what, resource=role)
                except CannotTell as error:
                    yield Finding(what=f"{error.path or 'a value'} is not known", resource=role, unsure=True)


def _entry(role: Resource, resources: Sequence[Resource]) -> Iterator[str]:
    for document, statement in allowing(role, Kind.TRUST):
        if not statement.held_by("aws:MultiFactorAuthPresent"):
            yield f"{statement.shown} of {document.where} lets people in without a second factor"
        if not _asks_for_ticket(statement):
            yield f"{statement.shown} of {document.where} lets people in without a ticket"


def _asks_for_ticket(statement: Statement) -> bool:
    keys = {key.lower() for key in TICKET}
    return any(condition.key in keys and condition.demands_presence for condition in statement.conditions)


def _session(role: Resource, resources: Sequence[Resource]) -> Iterator[str]:
    seconds = role.get("maxSessionDuration", HOUR)
    if seconds > HOUR:
        yield f"its sessions last up to {seconds / HOUR:g} hours"


def _alarm(role: Resource, resources: Sequence[Resource]) -> Iterator[str]:
    """An alarm that somebody hears, on a metric that counts who takes the role on."""
    counted = [one.get("metricTransformation") for one in resources if one.type == FILTER and _counts(one, role)]
    if not counted:
        yield "nothing counts in the audit trail who takes it on"
        return
    metrics = [(one.get("namespace"), one.get("name")) for one in counted]
    watching = [one for one in resources if one.type == ALARM and _watches(one, metrics)]
    if not watching:
        yield "no alarm watches who takes it on"
    elif not any(one.peek("alarmActions") and one.peek("actionsEnabled") is not False for one in watching):
        yield f"the alarm {watching[0].name} tells nobody that somebody took it on"


def _counts(counter: Resource, role: Resource) -> bool:
    pattern = counter.get("pattern", "")
    # An automatic name, which a preview does not know, is the logical one with a suffix.
    names = (role.peek("name"), f"{role.name}-0000000")
    globs = re.findall(r":role/([^\"]+)\"", pattern)
    return "AssumeRole" in pattern and any(fnmatchcase(name, glob) for name in names if isinstance(name, str) for glob in globs)


def _watches(alarm: Resource, metrics: Sequence[tuple[str, str]]) -> bool:
    """Raises CannotTell where a preview does not know what an alarm in question watches."""
    namespace = alarm.peek("namespace")
    if namespace is not UNKNOWN and all(namespace != one for one, _ in metrics):
        return False
    return (alarm.get("namespace"), alarm.get("metricName")) in metrics


# -- the example -----------------------------------------------------------------------------------------------------------


def _role(**conditions: object) -> Given:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111111111111:role/on-call"},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        "Condition": conditions,
    }
    trust = json.dumps({"Statement": [statement]})
    return Given(type=ROLE, props={"name": "shop-break-glass", "assumeRolePolicy": trust}, name="shop-break-glass")


_MFA = {"aws:MultiFactorAuthPresent": "true"}
_TRANSFORMATION = {"name": "break-glass", "namespace": "shop/audit", "value": "1"}
_PATTERN = '{ ($.eventName = "AssumeRole*") && ($.requestParameters.roleArn = "*:role/shop-break-glass*") }'
_FILTER = Given(type=FILTER, props={"pattern": _PATTERN, "metricTransformation": _TRANSFORMATION}, name="shop-break-glass")
_ALARM = Given(
    type=ALARM,
    props={
        "namespace": "shop/audit",
        "metricName": "break-glass",
        "alarmActions": ["arn:aws:sns:eu-west-1:111111111111:shop-alarms"],
    },
    name="shop-break-glass",
)

RULES: tuple[Rule, ...] = (
    Rule(
        number=36,
        name="break-glass-guarded",
        area=Area.ENVIRONMENT,
        severity=Severity.CRITICAL,
        levels=DEV_MAY,
        ids=(),
        title="The role for emergencies takes a second factor and a ticket, ends after an hour, and its use wakes somebody",
        why="It may do what nobody else may; unguarded it becomes the way that work is done.",
        mend="Demand aws:MultiFactorAuthPresent and aws:RequestTag/ticket, for an hour at most, and have an alarm on its use.",
        check_stack=_break_glass,
        schema={"roles": {"type": "string", "default": "*break-glass*", "description": "The names of roles for emergencies"}},
        example=Example(
            wrong=(_role(Bool=_MFA), _FILTER, _ALARM),
            mended=(_role(Bool=_MFA, Null={"aws:RequestTag/ticket": "false"}), _FILTER, _ALARM),
        ),
    ),
)
