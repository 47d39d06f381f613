"""Alarms and the dashboard in somebody else's program: what is watched, whom it wakes, and from when on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.components.conftest import Alone, Program, policy

SOURCE = """
import pulumi
from pulumi_aws import cloudwatch, kms, sqs

from components.observability import Observability, ObservabilityArgs

jobs, dead = sqs.Queue("jobs"), sqs.Queue("dead")
trail = cloudwatch.LogGroup("trail")
key = kms.Key("theirs")
observability = Observability(
    "shop",
    ObservabilityArgs(
        tags={"team": "theirs"},
        region="eu-west-1",
        key_arn=key.arn,
        load_balancer_arn_suffix="app/theirs/1",
        target_group_arn_suffixes={"blue": "targetgroup/theirs-blue/2", "green": "targetgroup/theirs-green/3"},
        queue_name=jobs.name,
        dead_letter_name=dead.name,
        database_id="theirs",
        trail_log_group_name=trail.name,
        **pulumi.Config().require_object("values"),
    ),
)
for name in ("topic_arn", "dashboard_name", "alarm_arns"):
    pulumi.export(name, getattr(observability, name))
"""
VALUES: dict[str, Any] = {
    "environment_label": "staging",
    "alarm_endpoint": "on-call@shop.example",
    "error_rate_percent": 2,
    "latency_seconds": 0.8,
    "queue_age_seconds": 300,
    "database_cpu_percent": 80,
    "database_free_gb": 20,
    "database_connections": 700,
}
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"
WATCHED = {
    "errors": (None, "GreaterThanThreshold", 2),
    "latency": ("TargetResponseTime", "GreaterThanThreshold", 0.8),
    "unhealthy-blue": ("UnHealthyHostCount", "GreaterThanThreshold", 0),
    "unhealthy-green": ("UnHealthyHostCount", "GreaterThanThreshold", 0),
    "queue-age": ("ApproximateAgeOfOldestMessage", "GreaterThanThreshold", 300),
    "dead-letters": ("ApproximateNumberOfMessagesVisible", "GreaterThanThreshold", 0),
    "database-cpu": ("CPUUtilization", "GreaterThanThreshold", 80),
    "database-storage": ("FreeStorageSpace", "LessThanThreshold", 20 * 2**30),
    "database-connections": ("DatabaseConnections", "GreaterThanThreshold", 700),
    "break-glass": ("break-glass", "GreaterThanThreshold", 0),
    "root": ("root", "GreaterThanThreshold", 0),
    "trail": ("trail", "GreaterThanThreshold", 0),
}


@pytest.fixture(scope="module")
def shop(alone: Alone) -> Program:
    return alone(SOURCE, VALUES)


def alarms(program: Program) -> dict[str, dict[str, Any]]:
    """The alarms in the cloud, by what they watch, as the outputs name them."""
    client = program.cloud.client("cloudwatch")
    found = {alarm["AlarmArn"]: alarm for alarm in client.describe_alarms()["MetricAlarms"]}
    return {watched: found[arn] for watched, arn in program.outputs["alarm_arns"].items()}


def test_everything_that_wakes_people_has_an_alarm_from_its_threshold_on(shop: Program) -> None:
    shown = {
        watched: (alarm.get("MetricName"), alarm["ComparisonOperator"], alarm["Threshold"])
        for watched, alarm in alarms(shop).items()
    }
    assert shown == WATCHED


def test_every_alarm_tells_the_topic_when_it_begins_and_ends_and_says_where_it_is(shop: Program) -> None:
    topic = [shop.outputs["topic_arn"]]
    for alarm in alarms(shop).values():
        assert (alarm["AlarmActions"], alarm["OKActions"], alarm["ActionsEnabled"]) == (topic, topic, True)
        assert alarm["AlarmDescription"].startswith("staging: ")


def test_alarms_look_at_the_things_that_they_were_given(shop: Program) -> None:
    dimensions = {
        watched: {item["Name"]: item["Value"] for item in alarm.get("Dimensions", [])} for watched, alarm in alarms(shop).items()
    }
    queues = {name: queue["name"] for name, queue in shop.all("aws:sqs/queue:Queue").items()}
    assert dimensions["latency"] == {"LoadBalancer": "app/theirs/1"}
    assert dimensions["unhealthy-green"] == {"LoadBalancer": "app/theirs/1", "TargetGroup": "targetgroup/theirs-green/3"}
    assert dimensions["queue-age"] == {"QueueName": queues["jobs"]}
    assert dimensions["dead-letters"] == {"QueueName": queues["dead"]}
    assert dimensions["database-storage"] == {"DBInstanceIdentifier": "theirs"}


def test_the_error_rate_is_of_all_requests_and_nothing_is_no_error(shop: Program) -> None:
    queries = {query["Id"]: query for query in alarms(shop)["errors"]["Metrics"]}
    metrics = {id_: query["MetricStat"]["Metric"]["MetricName"] for id_, query in queries.items() if query.get("MetricStat")}
    assert set(metrics.values()) == {"RequestCount", "HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count"}
    filled = {query["Expression"] for id_, query in queries.items() if id_ not in metrics and id_ != "rate"}
    assert filled == {f"FILL({id_}, 0)" for id_ in metrics}
    assert [id_ for id_, query in queries.items() if query["ReturnData"]] == ["rate"]


def test_the_audit_trail_is_searched_for_what_nobody_should_do(shop: Program) -> None:
    filters = shop.all("aws:cloudwatch/logMetricFilter:LogMetricFilter")
    assert {one["logGroupName"] for one in filters.values()} == {shop.one("aws:cloudwatch/logGroup:LogGroup")["name"]}
    found = alarms(shop)
    for watched in ("break-glass", "root", "trail"):
        counted = filters[f"shop-{watched}"]["metricTransformation"]
        assert (counted["namespace"], counted["name"]) == (found[watched]["Namespace"], found[watched]["MetricName"])
        assert (counted["value"], counted["defaultValue"], found[watched]["Statistic"]) == ("1", "0", "Sum")
    assert ":role/shop-break-glass-*" in filters["shop-break-glass"]["pattern"]


def test_alarms_of_the_account_publish_to_an_encrypted_topic_and_nobody_without_tls(shop: Program) -> None:
    assert shop.one("aws:sns/topic:Topic")["kmsMasterKeyId"] == shop.one("aws:kms/key:Key")["arn"]
    allowed, denied = policy(shop.one("aws:sns/topicPolicy:TopicPolicy")["policy"])
    assert (allowed["Effect"], allowed["Principal"]) == ("Allow", {"Service": "cloudwatch.amazonaws.com"})
    assert allowed["Condition"]["StringEquals"] == {"aws:SourceAccount": shop.account}
    assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_the_dashboard_shows_every_alarm(shop: Program) -> None:
    body = shop.cloud.client("cloudwatch").get_dashboard(DashboardName=shop.outputs["dashboard_name"])["DashboardBody"]
    overview, *graphs = json.loads(body)["widgets"]
    arns = set(shop.outputs["alarm_arns"].values())
    assert set(overview["properties"]["alarms"]) == arns
    assert {graph["properties"]["annotations"]["alarms"][0] for graph in graphs} == arns
    places = {(widget["x"], widget["y"]) for widget in (overview, *graphs)}
    assert len(places) == len(graphs) + 1


def test_a_second_run_and_a_refresh_find_nothing_to_do(shop: Program) -> None:
    assert shop.up().changes.changes == 0
    assert shop.refresh().changes.changes == 0


def test_another_threshold_changes_its_alarm_alone_and_another_endpoint_the_subscription(alone: Alone) -> None:
    shop = alone(SOURCE, VALUES)
    assert shop.one(SUBSCRIPTION)["protocol"] == "email"
    shop.up(latency_seconds=1.5, database_free_gb=5)
    assert shop.steps == {f"{ALARM} shop-latency": {"update"}, f"{ALARM} shop-database-storage": {"update"}}
    shop.up(alarm_endpoint="https://alarms.shop.example/hook")
    assert shop.steps == {f"{SUBSCRIPTION} shop-alarms": {"replace", "delete"}}
    subscription = shop.one(SUBSCRIPTION)
    assert (subscription["protocol"], subscription["endpoint"]) == ("https", "https://alarms.shop.example/hook")
    shop.destroy()
    assert shop.left == {}
