"""What wakes people, and what they look at then: alarms, the topic that carries them, and a dashboard.

Owns what is watched of an environment. The metrics are AWS's own, but for those counted in the audit trail's log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import cloudwatch, sns

from components.base import Component
from components.documents import policy_document

MINUTE = 60
GIBIBYTE = 2**30
Dimensions = Mapping[str, pulumi.Input[str]]


@dataclass(frozen=True, kw_only=True)
class ObservabilityValues:
    """When to wake people; ``alarm_endpoint`` (an e-mail address, or one that begins with ``https://``) says whom.

    Over ``error_rate_percent`` of requests failing; the slowest hundredth over ``latency_seconds``; a job waiting over
    ``queue_age_seconds``; the database over ``database_cpu_percent``, over ``database_connections``, or with under
    ``database_free_gb`` gibibytes free.
    """

    alarm_endpoint: str
    error_rate_percent: int
    latency_seconds: float
    queue_age_seconds: int
    database_cpu_percent: int
    database_free_gb: int
    database_connections: int


@dataclass(frozen=True, kw_only=True)
class ObservabilityArgs(ObservabilityValues):
    """What is watched. ``environment_label`` is its name for people; ``key_arn`` encrypts what the topic carries."""

    tags: Mapping[str, str]
    environment_label: str
    region: str
    key_arn: pulumi.Input[str]
    load_balancer_arn_suffix: pulumi.Input[str]
    target_group_arn_suffixes: Mapping[str, pulumi.Input[str]]
    queue_name: pulumi.Input[str]
    dead_letter_name: pulumi.Input[str]
    database_id: pulumi.Input[str]
    trail_log_group_name: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class Watch:
    """A metric, and what of it wakes people: over (or under) ``threshold`` for ``minutes``. ``says`` tells them what it means.

    ``statistic`` is CloudWatch's: ``Average``, ``Maximum``, ``Minimum``, ``Sum`` or a percentile as ``p99``. Where there is no
    metric ``missing`` decides: ``notBreaching`` (nothing happened) or ``breaching`` (what should tell is gone).
    """

    says: str
    namespace: str
    metric: pulumi.Input[str]
    dimensions: Dimensions
    statistic: str
    threshold: float
    minutes: int
    under: bool = False
    missing: str = "notBreaching"


# Events of the audit trail that wake people: what the alarm says, and CloudWatch's pattern with the environment's {name}.
EVENTS = {
    "break-glass": (
        "somebody took on the role for emergencies: look for the ticket",
        '($.eventName = "AssumeRole*") && ($.requestParameters.roleArn = "*:role/{name}-break-glass-*")',
    ),
    "root": (
        "the account's root user did something: nobody should",
        '($.userIdentity.type = "Root") && ($.userIdentity.invokedBy NOT EXISTS) && ($.eventType != "AwsServiceEvent")',
    ),
    "trail": (
        "somebody changed the audit trail: see who, and whether it still runs",
        '($.eventName = "DeleteTrail") || ($.eventName = "StopLogging") || ($.eventName = "UpdateTrail")',
    ),
}


class Observability(Component):
    """Gives ``topic_arn``, ``dashboard_name``, and ``alarm_arns`` by what they watch, as ``errors`` or ``dead-letters``."""

    def __init__(self, name: str, args: ObservabilityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args.tags, opts)
        self.args = args
        self.topic = self._topic()
        self.topic_policy = self._topic_policy()
        self._subscription()
        self.watches = {**self._traffic(), **self._jobs(), **self._database(), **self._events()}
        self.alarms = {"errors": self._errors(), **{role: self._alarm(role, watch) for role, watch in self.watches.items()}}
        self.dashboard = self._dashboard()
        self.topic_arn = self.topic.arn
        self.dashboard_name = self.dashboard.dashboard_name
        self.alarm_arns = {role: alarm.arn for role, alarm in self.alarms.items()}
        self.register_outputs({"topic_arn": self.topic_arn, "dashboard_name": self.dashboard_name, "alarm_arns": self.alarm_arns})

    # -- whom alarms reach ------------------------------------------------------------------------------------------------

    def _topic(self) -> sns.Topic:
        return sns.Topic(
            self.child("alarms"),
            display_name=f"Alarms of {self.args.environment_label}",
            kms_master_key_id=self.args.key_arn,
            tags=self.named("alarms"),
            opts=self.options(),
        )

    def _topic_policy(self) -> sns.TopicPolicy:
        """Alarms of this account publish, and nothing without TLS."""
        topic = self.topic
        alarms = pulumi.Output.concat("arn:aws:cloudwatch:", self.args.region, ":", topic.owner, ":alarm:*")
        return sns.TopicPolicy(
            self.child("alarms"),
            arn=topic.arn,
            policy=policy_document(
                {
                    "Sid": "Alarms",
                    "Effect": "Allow",
                    "Principal": {"Service": "cloudwatch.amazonaws.com"},
                    "Action": "sns:Publish",
                    "Resource": topic.arn,
                    "Condition": {"StringEquals": {"aws:SourceAccount": topic.owner}, "ArnLike": {"aws:SourceArn": alarms}},
                },
                {
                    "Sid": "OnlyOverTls",
                    "Effect": "Deny",
                    "Principal": {"AWS": "*"},
                    "Action": "sns:Publish",
                    "Resource": topic.arn,
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                },
            ),
            opts=self.options(deleted_with=self.topic),
        )

    def _subscription(self) -> sns.TopicSubscription:
        endpoint = self.args.alarm_endpoint
        return sns.TopicSubscription(
            self.child("alarms"),
            topic=self.topic.arn,
            protocol="https" if endpoint.startswith("https://") else "email",
            endpoint=endpoint,
            opts=self.options(deleted_with=self.topic),
        )

    # -- what is watched --------------------------------------------------------------------------------------------------

    def _traffic(self) -> dict[str, Watch]:
        balancer = {"LoadBalancer": self.args.load_balancer_arn_suffix}
        slow = Watch(
            says="the slowest hundredth of requests takes too long",
            namespace="AWS/ApplicationELB",
            metric="TargetResponseTime",
            dimensions=balancer,
            statistic="p99",
            threshold=self.args.latency_seconds,
            minutes=5,
        )
        unhealthy = {
            f"unhealthy-{colour}": Watch(
                says=f"targets of {colour} do not answer their health check",
                namespace="AWS/ApplicationELB",
                metric="UnHealthyHostCount",
                dimensions={**balancer, "TargetGroup": suffix},
                statistic="Maximum",
                threshold=0,
                minutes=5,
            )
            for colour, suffix in self.args.target_group_arn_suffixes.items()
        }
        return {"latency": slow, **unhealthy}

    def _jobs(self) -> dict[str, Watch]:
        return {
            "queue-age": Watch(
                says="jobs wait too long: are the workers up, and are there enough?",
                namespace="AWS/SQS",
                metric="ApproximateAgeOfOldestMessage",
                dimensions={"QueueName": self.args.queue_name},
                statistic="Maximum",
                threshold=self.args.queue_age_seconds,
                minutes=5,
            ),
            "dead-letters": Watch(
                says="jobs failed for good: look at one, mend the cause, send them back",
                namespace="AWS/SQS",
                metric="ApproximateNumberOfMessagesVisible",
                dimensions={"QueueName": self.args.dead_letter_name},
                statistic="Maximum",
                threshold=0,
                minutes=1,
            ),
        }

    def _database(self) -> dict[str, Watch]:
        args, database = self.args, {"DBInstanceIdentifier": self.args.database_id}
        return {
            "database-cpu": Watch(
                says="the database is busy, or does not tell how busy it is",
                namespace="AWS/RDS",
                metric="CPUUtilization",
                dimensions=database,
                statistic="Average",
                threshold=args.database_cpu_percent,
                minutes=15,
                missing="breaching",
            ),
            "database-storage": Watch(
                says="the database runs out of storage, and stops when it has none",
                namespace="AWS/RDS",
                metric="FreeStorageSpace",
                dimensions=database,
                statistic="Minimum",
                threshold=args.database_free_gb * GIBIBYTE,
                minutes=5,
                under=True,
            ),
            "database-connections": Watch(
                says="the database has nearly all the connections that it can have",
                namespace="AWS/RDS",
                metric="DatabaseConnections",
                dimensions=database,
                statistic="Maximum",
                threshold=args.database_connections,
                minutes=5,
            ),
        }

    def _events(self) -> dict[str, Watch]:
        """Counts events in the trail's log, and watches the counts."""
        namespace, watches = f"{self.name}/audit", {}
        for role, (says, pattern) in EVENTS.items():
            counted = cloudwatch.LogMetricFilter(
                self.child(role),
                log_group_name=self.args.trail_log_group_name,
                pattern=f"{{ {pattern.format(name=self.name)} }}",
                metric_transformation={"name": role, "namespace": namespace, "value": "1", "default_value": "0"},
                opts=self.options(),
            )
            watches[role] = Watch(
                says=says,
                namespace=namespace,
                metric=counted.metric_transformation.name,
                dimensions={},
                statistic="Sum",
                threshold=0,
                minutes=1,
            )
        return watches

    # -- alarms -----------------------------------------------------------------------------------------------------------

    def _alarm(self, role: str, watch: Watch) -> cloudwatch.MetricAlarm:
        percentile = watch.statistic.startswith("p")
        return cloudwatch.MetricAlarm(
            self.child(role),
            alarm_description=self._description(watch.says),
            namespace=watch.namespace,
            metric_name=watch.metric,
            dimensions=watch.dimensions,
            statistic=None if percentile else watch.statistic,
            extended_statistic=watch.statistic if percentile else None,
            period=MINUTE,
            evaluation_periods=watch.minutes,
            datapoints_to_alarm=watch.minutes,
            comparison_operator="LessThanThreshold" if watch.under else "GreaterThanThreshold",
            threshold=watch.threshold,
            treat_missing_data=watch.missing,
            **self._actions(role),
        )

    def _errors(self) -> cloudwatch.MetricAlarm:
        """Of requests that came in, those that failed; the load balancer's own refusals are no requests in its metrics."""
        rate: cloudwatch.MetricAlarmMetricQueryArgsDict = {
            "id": "rate",
            "label": "requests failed, in percent",
            "expression": "IF(served + refused > 0, 100 * (failed + refused) / (served + refused), 0)",
            "return_data": True,
        }
        metrics = {
            "served": "RequestCount",
            "failed": "HTTPCode_Target_5XX_Count",
            "refused": "HTTPCode_ELB_5XX_Count",
        }
        filled = [self._filled(id_, metric) for id_, metric in metrics.items()]
        return cloudwatch.MetricAlarm(
            self.child("errors"),
            alarm_description=self._description("too many requests fail"),
            metric_queries=[rate, *(query for pair in filled for query in pair)],
            evaluation_periods=5,
            datapoints_to_alarm=3,
            comparison_operator="GreaterThanThreshold",
            threshold=self.args.error_rate_percent,
            treat_missing_data="notBreaching",
            **self._actions("errors"),
        )

    def _filled(self, id_: str, metric: str) -> list[cloudwatch.MetricAlarmMetricQueryArgsDict]:
        """A metric of the load balancer, 0 where there is none: it counts nothing that did not happen."""
        return [
            {"id": id_, "expression": f"FILL(m_{id_}, 0)", "return_data": False},
            {
                "id": f"m_{id_}",
                "return_data": False,
                "metric": {
                    "namespace": "AWS/ApplicationELB",
                    "metric_name": metric,
                    "dimensions": {"LoadBalancer": self.args.load_balancer_arn_suffix},
                    "period": MINUTE,
                    "stat": "Sum",
                },
            },
        ]

    def _description(self, says: str) -> str:
        return f"{self.args.environment_label}: {says}"

    def _actions(self, role: str) -> dict[str, Any]:
        """Tells when it begins and when it is over, once the topic takes what alarms publish."""
        return {
            "alarm_actions": [self.topic.arn],
            "ok_actions": [self.topic.arn],
            "tags": self.named(role),
            "opts": self.options(depends_on=[self.topic_policy]),
        }

    # -- the dashboard ----------------------------------------------------------------------------------------------------

    def _dashboard(self) -> cloudwatch.Dashboard:
        """The alarms on top, and under them what each watches, with its threshold."""
        alarms = {
            "type": "alarm",
            "x": 0,
            "y": 0,
            "width": 24,
            "height": 3,
            "properties": {
                "title": f"{self.name}: {self.args.environment_label}",
                "alarms": [alarm.arn for alarm in self.alarms.values()],
            },
        }
        graphs = [self._graph(i, role, alarm) for i, (role, alarm) in enumerate(self.alarms.items())]
        return cloudwatch.Dashboard(
            self.child("dashboard"),
            dashboard_name=self.child("dashboard"),
            dashboard_body=pulumi.Output.json_dumps({"widgets": [alarms, *graphs]}),
            opts=self.options(),
        )

    def _graph(self, place: int, role: str, alarm: cloudwatch.MetricAlarm) -> dict[str, Any]:
        return {
            "type": "metric",
            "x": 8 * (place % 3),
            "y": 3 + 6 * (place // 3),
            "width": 8,
            "height": 6,
            "properties": {
                "title": role,
                "region": self.args.region,
                "view": "timeSeries",
                "annotations": {"alarms": [alarm.arn]},
            },
        }
