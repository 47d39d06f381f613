"""CloudWatch's composite alarms."""

from __future__ import annotations

from typing import Any

from tests.rows.case import Case, Need


def alarm(name: str) -> Need:
    inputs: dict[str, Any] = {
        "name": name,
        "comparisonOperator": "GreaterThanThreshold",
        "evaluationPeriods": 1,
        "metricName": "Errors",
        "namespace": "Shop",
        "period": 60,
        "statistic": "Sum",
        "threshold": 1,
    }
    return Need("aws:cloudwatch/metricAlarm:MetricAlarm", inputs)


CASES = [
    Case(
        token="aws:cloudwatch/compositeAlarm:CompositeAlarm",
        needs={"errors": alarm("errors"), "latency": alarm("latency"), "topic": Need("aws:sns/topic:Topic", {"name": "pager"})},
        inputs={
            "alarmName": "shop",
            "alarmDescription": "the shop is unwell",
            "alarmRule": 'ALARM("errors") OR ALARM("latency")',
            "alarmActions": ["arn:aws:sns:eu-west-1:123456789012:pager"],
            "actionsSuppressor": {"alarm": "latency", "extensionPeriod": 60, "waitPeriod": 60},
            "tags": {"a": "1"},
        },
        update={
            "alarmRule": 'ALARM("errors") AND ALARM("latency")',
            "alarmActions": None,
            "okActions": ["arn:aws:sns:eu-west-1:123456789012:pager"],
            "tags": {"a": "2"},
        },
        replace={"alarmName": "other"},
        expect={"arn": str, "actionsEnabled": True},
    ),
]
