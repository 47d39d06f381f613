"""CloudWatch's resource types, with those of CloudWatch Logs and EventBridge."""

from __future__ import annotations

import json

from tests.rows.case import Case, Need, Ref

_TOPIC = Need("aws:sns/topic:Topic", {"name": "alarms"})
_QUEUE = Need("aws:sqs/queue:Queue", {"name": "events"})
_GROUP = Need("aws:cloudwatch/logGroup:LogGroup", {"name": "/shop/api"})
_STREAM = Need("aws:cloudwatch/logGroup:LogGroup", {"name": "/shop/archive"})
_RULE = Need("aws:cloudwatch/eventRule:EventRule", {"name": "nightly", "scheduleExpression": "rate(1 day)"})
_BUS = Need("aws:cloudwatch/eventBus:EventBus", {"name": "shop"})
_BUS_RULE = Need(
    "aws:cloudwatch/eventRule:EventRule",
    {"name": "orders", "eventBusName": Ref("bus", "name"), "eventPattern": '{"source": ["shop"]}'},
)


def _policy(action: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": "es.amazonaws.com"}, "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


CASES = [
    Case(
        token="aws:cloudwatch/metricAlarm:MetricAlarm",
        needs={"topic": _TOPIC},
        inputs={
            "name": "backlog",
            "alarmDescription": "orders wait",
            "comparisonOperator": "GreaterThanOrEqualToThreshold",
            "evaluationPeriods": 3,
            "datapointsToAlarm": 2,
            "metricName": "ApproximateAgeOfOldestMessage",
            "namespace": "AWS/SQS",
            "dimensions": {"QueueName": "orders", "Stage": "dev"},
            "period": 60,
            "statistic": "Maximum",
            "threshold": 300,
            "treatMissingData": "notBreaching",
            "unit": "Seconds",
            "alarmActions": [Ref("topic", "arn")],
            "okActions": [Ref("topic", "arn")],
            "tags": {"a": "1", "b": "1"},
        },
        update={"threshold": 80.5, "okActions": [], "unit": None, "actionsEnabled": False, "tags": {"a": "2"}},
        replace={"name": "age"},
        expect={"arn": str, "actionsEnabled": True},
    ),
    Case(
        token="aws:cloudwatch/metricAlarm:MetricAlarm",
        name="expression",
        inputs={
            "comparisonOperator": "GreaterThanThreshold",
            "evaluationPeriods": 1,
            "threshold": 1,
            "metricQueries": [
                {"id": "rate", "expression": "errors / calls", "label": "error rate", "returnData": True},
                {
                    "id": "errors",
                    "metric": {
                        "metricName": "5XX",
                        "namespace": "AWS/ApplicationELB",
                        "period": 60,
                        "stat": "Sum",
                        "dimensions": {"LoadBalancer": "app/web"},
                    },
                },
                {
                    "id": "calls",
                    "metric": {"metricName": "Requests", "namespace": "Shop", "period": 60, "stat": "Sum"},
                },
            ],
        },
        update={"threshold": 2},
        expect={"arn": str, "name": str, "treatMissingData": "missing"},
    ),
    Case(
        token="aws:cloudwatch/dashboard:Dashboard",
        inputs={"dashboardName": "shop", "dashboardBody": json.dumps({"widgets": []}, indent=2)},
        update={"dashboardBody": json.dumps({"widgets": [{"type": "text", "properties": {"markdown": "hi"}}]})},
        replace={"dashboardName": "store"},
        expect={"dashboardArn": str},
    ),
    Case(
        token="aws:cloudwatch/logGroup:LogGroup",
        needs={"key": Need("aws:kms/key:Key", {})},
        inputs={
            "name": "/shop/web",
            "retentionInDays": 14,
            "kmsKeyId": Ref("key", "arn"),
            "tags": {"a": "1", "b": "1"},
        },
        update={"retentionInDays": 0, "tags": {"a": "2"}},
        replace={"name": "/shop/front"},
        expect={"arn": str, "logGroupClass": "STANDARD", "skipDestroy": False},
    ),
    Case(
        token="aws:cloudwatch/logGroup:LogGroup",
        name="prefixed",
        inputs={"namePrefix": "shop-"},
        update={"retentionInDays": 30},
        expect={"arn": str, "name": str, "retentionInDays": 0},
    ),
    Case(
        token="aws:cloudwatch/logStream:LogStream",
        needs={"group": _GROUP},
        inputs={"logGroupName": Ref("group", "name"), "name": "one"},
        replace={"name": "two"},
        expect={"arn": str},
        import_id="{logGroupName}:{name}",
    ),
    Case(
        token="aws:cloudwatch/logMetricFilter:LogMetricFilter",
        needs={"group": _GROUP},
        inputs={
            "logGroupName": Ref("group", "name"),
            "name": "errors",
            "pattern": "?ERROR ?FATAL",
            "metricTransformation": {"name": "Errors", "namespace": "Shop", "value": "1", "defaultValue": "0"},
        },
        update={"pattern": "ERROR", "metricTransformation": {"name": "Errors", "namespace": "Shop", "value": "2"}},
        replace={"name": "failures"},
        import_id="{logGroupName}:{name}",
    ),
    Case(
        token="aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter",
        needs={"group": _GROUP, "stream": _STREAM},
        inputs={
            "logGroup": Ref("group", "name"),
            "name": "all",
            "filterPattern": "",
            "destinationArn": Ref("stream", "arn"),
        },
        update={"filterPattern": "ERROR"},
        replace={"name": "some"},
        import_id="{logGroup}|{name}",
    ),
    Case(
        token="aws:cloudwatch/logResourcePolicy:LogResourcePolicy",
        inputs={"policyName": "search", "policyDocument": _policy("logs:PutLogEvents")},
        update={"policyDocument": _policy("logs:CreateLogStream")},
        replace={"policyName": "find"},
        expect={"policyScope": "ACCOUNT"},
    ),
    Case(
        token="aws:cloudwatch/eventBus:EventBus",
        inputs={"name": "shop", "description": "orders", "tags": {"a": "1", "b": "1"}},
        update={"tags": {"a": "2"}},
        replace={"name": "store"},
        expect={"arn": str},
    ),
    Case(
        token="aws:cloudwatch/eventRule:EventRule",
        inputs={"scheduleExpression": "rate(5 minutes)", "description": "d", "tags": {"a": "1", "b": "1"}},
        update={"state": "DISABLED", "description": None, "tags": {"a": "2"}},
        replace={"name": "other"},
        expect={"arn": str, "name": str, "state": "ENABLED", "eventBusName": "default"},
    ),
    Case(
        token="aws:cloudwatch/eventRule:EventRule",
        name="own-bus",
        needs={"bus": _BUS},
        inputs={
            "name": "orders",
            "eventBusName": Ref("bus", "name"),
            "eventPattern": json.dumps({"source": ["shop"]}, indent=2),
        },
        update={"eventPattern": json.dumps({"source": ["shop"], "detail-type": ["paid"]})},
        replace={"eventBusName": "default"},
        expect={"arn": str, "isEnabled": True},
    ),
    Case(
        token="aws:cloudwatch/eventTarget:EventTarget",
        needs={"bus": _BUS, "rule": _BUS_RULE, "queue": _QUEUE},
        inputs={
            "rule": Ref("rule", "name"),
            "eventBusName": Ref("bus", "name"),
            "targetId": "queue",
            "arn": Ref("queue", "arn"),
            "inputTransformer": {"inputPaths": {"id": "$.detail.id"}, "inputTemplate": '{"order": <id>}'},
            "retryPolicy": {"maximumEventAgeInSeconds": 60, "maximumRetryAttempts": 2},
            "deadLetterConfig": {"arn": Ref("queue", "arn")},
            "sqsTarget": {"messageGroupId": "orders"},
        },
        update={"inputTransformer": None, "inputPath": "$.detail", "retryPolicy": None},
        replace={"targetId": "other"},
        import_id="{eventBusName}/{rule}/{targetId}",
    ),
    Case(
        token="aws:cloudwatch/eventTarget:EventTarget",
        name="ecs",
        needs={"rule": _RULE},
        inputs={
            "rule": Ref("rule", "name"),
            "arn": "arn:aws:ecs:eu-west-1:123456789012:cluster/shop",
            "roleArn": "arn:aws:iam::123456789012:role/events",
            "input": json.dumps({"containerOverrides": []}),
            "ecsTarget": {
                "taskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/report",
                "launchType": "FARGATE",
                "networkConfiguration": {"subnets": ["subnet-1", "subnet-2"], "securityGroups": ["sg-1"]},
                "tags": {"a": "1"},
            },
        },
        update={"ecsTarget": {"taskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/report:2"}},
        expect={"targetId": str},
        import_id="{rule}/{targetId}",
    ),
]
