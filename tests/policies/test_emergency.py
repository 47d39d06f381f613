"""The rule on the role for emergencies: for every condition it makes, what fails by it and what passes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policies.rule import Given
from tests.policies.judging import UNKNOWN, judge

RULE = "break-glass-guarded"
MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
TICKET = {"Null": {"aws:RequestTag/ticket": "false"}}
COUNTED = {"name": "break-glass", "namespace": "shop/audit", "value": "1"}
PATTERN = '{{ ($.eventName = "AssumeRole*") && ($.requestParameters.roleArn = "*:role/{name}*") }}'


def trust(*conditions: dict[str, Any]) -> str:
    statements = [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::1:role/on-call"}, "Action": "sts:AssumeRole", "Condition": one}
        for one in conditions
    ]
    return json.dumps({"Statement": statements})


def role(name: str = "shop-break-glass", **props: Any) -> Given:
    given = {"assumeRolePolicy": trust({**MFA, **TICKET}), "maxSessionDuration": 3600, **props}
    return Given(type="aws:iam/role:Role", props=given, name=name)


def counter(name: str = "shop-break-glass-", **props: Any) -> Given:
    given = {"pattern": PATTERN.format(name=name), "metricTransformation": COUNTED, **props}
    return Given(type="aws:cloudwatch/logMetricFilter:LogMetricFilter", props=given, name="counter")


def alarm(**props: Any) -> Given:
    given = {"namespace": "shop/audit", "metricName": "break-glass", "alarmActions": ["arn:aws:sns:eu-west-1:1:alarms"], **props}
    return Given(type="aws:cloudwatch/metricAlarm:MetricAlarm", props=given, name="alarm")


GUARDED = (role(), counter(), alarm())


@pytest.mark.parametrize(
    ("given", "says"),
    [
        pytest.param((role(assumeRolePolicy=trust(TICKET)), *GUARDED[1:]), "without a second factor", id="no second factor"),
        pytest.param(
            (role(assumeRolePolicy=trust({**TICKET, "BoolIfExists": MFA["Bool"]})), *GUARDED[1:]),
            "without a second factor",
            id="a second factor, if any is said",
        ),
        pytest.param(
            (role(assumeRolePolicy=trust({**MFA, **TICKET}, TICKET)), *GUARDED[1:]),
            "statement 2 of assumeRolePolicy lets people in without a second factor",
            id="a second way in",
        ),
        pytest.param((role(assumeRolePolicy=trust(MFA)), *GUARDED[1:]), "without a ticket", id="no ticket"),
        pytest.param((role(maxSessionDuration=7200), *GUARDED[1:]), "its sessions last up to 2 hours", id="two hours"),
        pytest.param((role(), alarm()), "nothing counts in the audit trail", id="nothing counts"),
        pytest.param((role(), counter("other-"), alarm()), "nothing counts", id="another role is counted"),
        pytest.param((role(), counter(pattern='{ $.eventName = "StopLogging" }'), alarm()), "nothing counts", id="another event"),
        pytest.param((role(), counter()), "no alarm watches", id="no alarm"),
        pytest.param((role(), counter(), alarm(metricName="root")), "no alarm watches", id="an alarm on another metric"),
        pytest.param((role(), counter(), alarm(namespace="theirs")), "no alarm watches", id="a metric of another namespace"),
        pytest.param((role(), counter(), alarm(alarmActions=[])), "tells nobody", id="an alarm that nobody hears"),
        pytest.param((role(), counter(), alarm(actionsEnabled=False)), "tells nobody", id="an alarm that was silenced"),
    ],
)
def test_what_fails(given: tuple[Given, ...], says: str) -> None:
    ((urn, message),) = judge(RULE, *given).reported
    assert says in message
    assert urn.endswith("::shop-break-glass")


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(GUARDED, id="all of it"),
        pytest.param((role(maxSessionDuration=None), *GUARDED[1:]), id="an hour, which is AWS's default"),
        pytest.param(
            (role(assumeRolePolicy=trust({**MFA, "StringLike": {"sts:SourceIdentity": "INC-*"}})), *GUARDED[1:]),
            id="a ticket as the identity behind it",
        ),
        pytest.param((role(name="shop-break-glass"), counter("shop-break-glass-0"), alarm()), id="by its automatic name"),
        pytest.param((role("shop-operations", assumeRolePolicy=trust({})),), id="another role"),
        pytest.param((), id="no role at all"),
    ],
)
def test_what_passes(given: tuple[Given, ...]) -> None:
    verdict = judge(RULE, *given)
    assert (verdict.messages, verdict.unsure) == ([], None)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        pytest.param((role(assumeRolePolicy=UNKNOWN), *GUARDED[1:]), "assumeRolePolicy", id="trust"),
        pytest.param((role(maxSessionDuration=UNKNOWN), *GUARDED[1:]), "maxSessionDuration", id="session"),
        pytest.param((role(), counter(pattern=UNKNOWN), alarm()), "pattern", id="what is counted"),
        pytest.param((role(), counter(), alarm(metricName=UNKNOWN)), "metricName", id="what the alarm watches"),
    ],
)
def test_what_cannot_be_told_before_the_update(given: tuple[Given, ...], what: str) -> None:
    verdict = judge(RULE, *given)
    assert verdict.messages == []
    assert f"{what} is not known" in (verdict.unsure or "")


def test_which_roles_are_for_emergencies_can_be_configured() -> None:
    given = role("shop-fire", assumeRolePolicy=trust({}))
    assert judge(RULE, given).messages == []
    assert len(judge(RULE, given, options={"roles": "*-fire"}).messages) == 3
