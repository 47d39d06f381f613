"""What resources cost a month, worked out by hand beside what the estimate says."""

from __future__ import annotations

from typing import Any

import pytest

from isostack.cost.estimate import Estimate, of
from isostack.engine.state import ResourceState, Snapshot
from isostack.engine.values import UNKNOWN, Secret

URN = "urn:pulumi:dev::shop::{}::{}"
HOURS = 730


def resource(type_: str, name: str = "it", **fields: Any) -> ResourceState:
    inputs = fields.pop("inputs", {})
    return ResourceState(URN.format(type_, name), type_, True, id="an id", inputs=inputs, **fields)


def estimated(type_: str, *others: ResourceState, **inputs: Any) -> Estimate:
    return of(Snapshot([*others, resource(type_, inputs=inputs)]))


@pytest.mark.parametrize(
    ("type_", "inputs", "dollars"),
    [
        ("aws:ec2/natGateway:NatGateway", {}, 0.048 * HOURS),
        ("aws:ec2/eip:Eip", {}, 0.005 * HOURS),
        ("aws:ec2/vpcEndpoint:VpcEndpoint", {"vpcEndpointType": "Interface", "subnetIds": ["a", "b", "c"]}, 3 * 0.011 * HOURS),
        ("aws:ec2/vpcEndpoint:VpcEndpoint", {"vpcEndpointType": "Gateway"}, 0),
        ("aws:ec2/vpcEndpoint:VpcEndpoint", {}, 0),
        ("aws:lb/loadBalancer:LoadBalancer", {"internal": True, "subnets": ["a", "b"]}, 0.0252 * HOURS),
        ("aws:lb/loadBalancer:LoadBalancer", {"subnets": ["a", "b", "c"]}, (0.0252 + 3 * 0.005) * HOURS),
        ("aws:lb/loadBalancer:LoadBalancer", {"subnets": UNKNOWN}, (0.0252 + 2 * 0.005) * HOURS),
        ("aws:wafv2/webAcl:WebAcl", {"rules": [{}, {}]}, 7),
        ("aws:wafv2/webAcl:WebAcl", {}, 5),
        ("aws:kms/key:Key", {}, 1),
        ("aws:secretsmanager/secret:Secret", {}, 0.4),
        ("aws:cloudwatch/metricAlarm:MetricAlarm", {"period": 60}, 0.1),
        (
            "aws:cloudwatch/metricAlarm:MetricAlarm",
            {"metricQueries": [{"metric": {"a": 1}}, {"expression": "m"}, {"metric": {"b": 1}}]},
            0.2,
        ),
        (
            "aws:rds/instance:Instance",
            {"engine": "postgres", "instanceClass": "db.t4g.micro", "storageType": "gp3", "allocatedStorage": 20},
            0.017 * HOURS + 20 * 0.127,
        ),
        (
            "aws:rds/instance:Instance",
            {
                "engine": "postgres",
                "instanceClass": "db.t4g.medium",
                "storageType": "gp3",
                "allocatedStorage": 100,
                "multiAz": True,
                "password": Secret("hidden"),
            },
            0.138 * HOURS + 100 * 0.254,
        ),
        (
            "aws:elasticache/replicationGroup:ReplicationGroup",
            {"engine": "valkey", "nodeType": "cache.t4g.small", "numCacheClusters": 3},
            3 * 0.0272 * HOURS,
        ),
        (
            "aws:elasticache/replicationGroup:ReplicationGroup",
            {"engine": "valkey", "nodeType": "cache.t4g.micro", "numNodeGroups": 2, "replicasPerNodeGroup": 1},
            4 * 0.0136 * HOURS,
        ),
        ("aws:s3/bucket:Bucket", {}, 0),
    ],
)
def test_a_resource_costs_what_the_list_says(type_: str, inputs: dict[str, Any], dollars: float) -> None:
    found = estimated(type_, **inputs)
    assert found.monthly == round(dollars, 2)
    assert found.unpriced == ()


def service(count: int, platform: dict[str, str] | None = None, **more: Any) -> Estimate:
    inputs = {"cpu": "512", "memory": "1024", **({"runtimePlatform": platform} if platform else {})}
    task = resource("aws:ecs/taskDefinition:TaskDefinition", "task", inputs=inputs)
    return of(
        Snapshot(
            [
                task,
                resource(
                    "aws:ecs/service:Service",
                    inputs={"desiredCount": count, "launchType": "FARGATE", "taskDefinition": UNKNOWN, **more},
                    property_dependencies={"taskDefinition": [task.urn]},
                ),
            ]
        )
    )


def test_a_service_costs_its_tasks_by_cpu_and_memory_of_what_they_run() -> None:
    assert service(3).monthly == round(3 * (0.5 * 0.04048 + 1 * 0.004445) * HOURS, 2)
    assert service(2, {"cpuArchitecture": "ARM64"}).monthly == round(2 * (0.5 * 0.03238 + 1 * 0.00356) * HOURS, 2)
    assert service(0).monthly == 0
    assert service(0).unpriced == ()


def test_tasks_that_do_not_run_on_fargate_have_no_price() -> None:
    (line,) = service(1, launchType="EC2").unpriced
    assert line == "it (ecs/service): tasks of launch type EC2"


def test_a_size_without_a_price_is_named_and_what_has_one_still_counts() -> None:
    found = estimated(
        "aws:rds/instance:Instance", engine="postgres", instanceClass="db.m7g.large", storageType="gp3", allocatedStorage=100
    )
    assert found.unpriced == ("it (rds/instance): no price for postgres/db.m7g.large/one zone in eu-west-1",)
    assert found.monthly == 12.7


def test_a_type_that_the_table_does_not_have_is_named() -> None:
    found = estimated("aws:lambda/function:Function")
    assert (found.monthly, found.unpriced) == (0, ("it (lambda/function): the table has no such type",))


def test_what_only_an_up_will_know_is_named() -> None:
    found = estimated("aws:ec2/vpcEndpoint:VpcEndpoint", vpcEndpointType="Interface", subnetIds=UNKNOWN)
    assert found.unpriced == ("it (ec2/vpcEndpoint): subnetIds is not known before it is up",)


def test_a_provider_of_another_region_finds_no_price_of_this_one() -> None:
    provider = resource("pulumi:providers:aws", "other", inputs={"region": "us-east-1"})
    nat = resource("aws:ec2/natGateway:NatGateway", provider=f"{provider.urn}::an id")
    found = of(Snapshot([provider, nat]))
    assert (found.monthly, found.unpriced) == (0, ("it (ec2/natGateway): no price for nat-gateway in us-east-1",))


def test_what_is_only_read_and_old_copies_that_go_cost_nothing() -> None:
    here = resource("aws:kms/key:Key", "here")
    read = resource("aws:kms/key:Key", "read", external=True)
    old = resource("aws:kms/key:Key", "here", delete=True)
    assert of(Snapshot([here, read, old])).monthly == 1


def test_costs_are_told_by_component_the_dearest_first_and_what_use_costs_is_named() -> None:
    stack = ResourceState("urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev", "pulumi:pulumi:Stack", False)
    network = ResourceState(URN.format("own:network:Network", "shop"), "own:network:Network", False, parent=stack.urn)
    nat = resource("aws:ec2/natGateway:NatGateway", "nat", parent=network.urn)
    address = resource("aws:ec2/eip:Eip", "address", parent=nat.urn)
    key = resource("aws:kms/key:Key", "key", parent=stack.urn)
    found = of(Snapshot([stack, network, nat, address, key]))
    assert list(found.components.items()) == [("Network shop", 38.69), ("outside of any component", 1.0)]
    assert "what NAT gateways pass on by GB" in found.leaves_out
    document = found.as_dict()
    assert document["monthly"] == 39.69
    dearest = document["resources"][0]
    assert (dearest["component"], dearest["monthly"], dearest["charges"]) == ("Network shop", 35.04, {"nat-gateway": 1})


def test_no_resources_cost_nothing() -> None:
    assert of(Snapshot()).as_dict() == {"monthly": 0, "components": {}, "resources": [], "unpriced": [], "leaves_out": []}
