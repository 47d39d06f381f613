"""What moto gets wrong, and the local cloud does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from isostack.localcloud.client import Cloud
from isostack.localcloud.server import LocalCloud


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    local = LocalCloud(tmp_path_factory.mktemp("home"))
    yield Cloud(local.ensure().url)
    local.stop()


def test_a_queue_keeps_its_policy_when_another_attribute_is_set(cloud: Cloud) -> None:
    sqs = cloud.client("sqs")
    url = sqs.create_queue(QueueName="with-policy")["QueueUrl"]
    statement = {"Sid": "Read", "Effect": "Allow", "Principal": "*", "Action": "sqs:ReceiveMessage", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "45"})
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (attributes["Policy"], attributes["VisibilityTimeout"]) == (policy, "45")
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    assert not sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"].get("Policy")


def test_a_parameter_of_a_database_can_be_reset(cloud: Cloud) -> None:
    rds = cloud.client("rds")
    rds.create_db_parameter_group(DBParameterGroupName="tuned", DBParameterGroupFamily="postgres17", Description="tuned")
    parameters: list[Any] = [
        {"ParameterName": name, "ParameterValue": "1", "ApplyMethod": "immediate"} for name in ("work_mem", "log_statement")
    ]
    rds.modify_db_parameter_group(DBParameterGroupName="tuned", Parameters=parameters)
    rds.reset_db_parameter_group(
        DBParameterGroupName="tuned", Parameters=[{"ParameterName": "work_mem", "ApplyMethod": "immediate"}]
    )
    left = rds.describe_db_parameters(DBParameterGroupName="tuned", Source="user")["Parameters"]
    assert [parameter["ParameterName"] for parameter in left] == ["log_statement"]
