"""What AWS refuses and its simulator does not, and what the simulator gets wrong: the rows make up for both."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from isostack.engine.provider import ProviderError, Resource
from isostack.localcloud.client import Cloud
from isostack.localcloud.provider import LocalCloudProvider

Create = Callable[..., Resource]

_DATABASE = {
    "identifier": "orders",
    "engine": "postgres",
    "instanceClass": "db.t4g.micro",
    "allocatedStorage": 20,
    "username": "shop",
    "password": "correct-horse",
}


@pytest.fixture
def provider(cloud: Cloud) -> LocalCloudProvider:
    return LocalCloudProvider(cloud, {})


@pytest.fixture
def create(provider: LocalCloudProvider) -> Create:
    def make(type_: str, **inputs: Any) -> Resource:
        checked = provider.check(type_, f"urn:pulumi:test::test::{type_}::subject", None, inputs)
        assert checked.failures == ()
        return provider.create(type_, checked.inputs)

    return make


@pytest.fixture
def zone(create: Create) -> str:
    return create("aws:route53/zone:Zone", name="shop.example").id


def _delete(provider: LocalCloudProvider, type_: str, resource: Resource) -> None:
    provider.delete(type_, resource.id, {**resource.inputs, **resource.outputs})


def _subnets(create: Create, *zones: str) -> tuple[str, list[str]]:
    vpc = create("aws:ec2/vpc:Vpc", cidrBlock="10.0.0.0/16").id
    return vpc, [
        create(
            "aws:ec2/subnet:Subnet",
            vpcId=vpc,
            cidrBlock=f"10.0.{number}.0/24",
            availabilityZone=f"eu-west-1{letter}",
        ).id
        for number, letter in enumerate(zones)
    ]


# -- Route 53 -----------------------------------------------------------------------------------------------------------


def test_deleting_a_weighted_record_leaves_the_others_with_its_set_identifier(
    provider: LocalCloudProvider, create: Create, zone: str
) -> None:
    record = "aws:route53/record:Record"
    common = {"zoneId": zone, "type": "A", "ttl": 60, "setIdentifier": "blue"}
    weighted = {**common, "records": ["10.0.0.1"], "weightedRoutingPolicies": [{"weight": 9}]}
    shop, api = create(record, name="www", **weighted), create(record, name="api", **weighted)
    _delete(provider, record, api)
    left = provider.read(record, shop.id, shop.inputs, shop.outputs)
    assert left is not None
    assert left.outputs == shop.outputs


def test_a_record_that_exists_is_not_overwritten_unless_told_so(create: Create, zone: str) -> None:
    record = {"zoneId": zone, "name": "www", "type": "A", "ttl": 60}
    create("aws:route53/record:Record", **record, records=["10.0.0.1"])
    with pytest.raises(ProviderError, match="already exists"):
        create("aws:route53/record:Record", **record, records=["10.0.0.2"])
    made = create("aws:route53/record:Record", **record, records=["10.0.0.2"], allowOverwrite=True)
    assert made.outputs["records"] == ["10.0.0.2"]


def test_a_zone_with_records_is_deleted_only_by_force(provider: LocalCloudProvider, create: Create) -> None:
    type_ = "aws:route53/zone:Zone"
    kept, forced = create(type_, name="kept.example"), create(type_, name="forced.example", forceDestroy=True)
    for made in (kept, forced):
        create("aws:route53/record:Record", zoneId=made.id, name="www", type="A", ttl=60, records=["10.0.0.1"])
    with pytest.raises(ProviderError, match="HostedZoneNotEmpty"):
        _delete(provider, type_, kept)
    _delete(provider, type_, forced)
    assert provider.read(type_, forced.id, forced.inputs, forced.outputs) is None


def test_adding_a_set_identifier_deletes_the_simple_record_first(provider: LocalCloudProvider, create: Create, zone: str) -> None:
    type_ = "aws:route53/record:Record"
    made = create(type_, zoneId=zone, name="www", type="A", ttl=60, records=["10.0.0.1"])
    wanted = {**made.inputs, "setIdentifier": "blue", "weightedRoutingPolicies": [{"weight": 1}]}
    assert provider.diff(type_, made.inputs, made.outputs, wanted).delete_before_replace


# -- certificates -------------------------------------------------------------------------------------------------------


def test_a_certificate_is_validated_once_its_record_is_in_the_zone(create: Create, zone: str) -> None:
    certificate = create("aws:acm/certificate:Certificate", domainName="shop.example", validationMethod="DNS")
    option = certificate.outputs["domainValidationOptions"][0]
    validation = "aws:acm/certificateValidation:CertificateValidation"
    with pytest.raises(ProviderError, match="has no CNAME record"):
        create(validation, certificateArn=certificate.id)
    record = create(
        "aws:route53/record:Record",
        zoneId=zone,
        name=option["resourceRecordName"],
        type=option["resourceRecordType"],
        ttl=60,
        records=[option["resourceRecordValue"]],
    )
    create(validation, certificateArn=certificate.id, validationRecordFqdns=[record.outputs["fqdn"]])


# -- RDS ----------------------------------------------------------------------------------------------------------------


def test_a_database_is_not_deleted_without_a_final_snapshot_or_leave_to_skip_it(
    provider: LocalCloudProvider, create: Create
) -> None:
    type_ = "aws:rds/instance:Instance"
    made = create(type_, **_DATABASE)
    with pytest.raises(ProviderError, match="finalSnapshotIdentifier"):
        _delete(provider, type_, made)
    assert provider.read(type_, made.id, made.inputs, made.outputs) is not None


def test_deleting_a_database_with_a_final_snapshot_leaves_the_snapshot(provider: LocalCloudProvider, create: Create) -> None:
    made = create("aws:rds/instance:Instance", **_DATABASE, finalSnapshotIdentifier="orders-last")
    _delete(provider, "aws:rds/instance:Instance", made)
    restored = create(
        "aws:rds/instance:Instance",
        identifier="again",
        instanceClass="db.t4g.micro",
        snapshotIdentifier="orders-last",
        skipFinalSnapshot=True,
    )
    assert restored.outputs["username"] == "shop"
    assert restored.id != made.id


def test_a_protected_database_is_not_deleted(provider: LocalCloudProvider, create: Create) -> None:
    made = create("aws:rds/instance:Instance", **_DATABASE, deletionProtection=True, skipFinalSnapshot=True)
    with pytest.raises(ProviderError, match="deletion protection"):
        _delete(provider, "aws:rds/instance:Instance", made)


@pytest.mark.parametrize(
    ("inputs", "complaint"),
    [
        ({"password": "short"}, "8 characters"),
        ({"password": None}, "manageMasterUserPassword"),
        ({"username": "admin"}, "reserved word"),
        ({"dbName": "my-shop"}, "begin with a letter"),
        ({"allocatedStorage": 5}, "at least 20"),
        ({"s3Import": {"bucketName": "b"}}, "s3Import"),
    ],
)
def test_a_database_that_rds_would_refuse_is_refused(create: Create, inputs: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ProviderError, match=complaint):
        create("aws:rds/instance:Instance", **{**_DATABASE, **inputs})


def test_a_subnet_group_in_use_is_not_deleted(provider: LocalCloudProvider, create: Create) -> None:
    _, subnets = _subnets(create, "a", "b")
    group = create("aws:rds/subnetGroup:SubnetGroup", name="data", subnetIds=subnets)
    create("aws:rds/instance:Instance", **_DATABASE, dbSubnetGroupName="data")
    with pytest.raises(ProviderError, match="in use by database instance orders"):
        _delete(provider, "aws:rds/subnetGroup:SubnetGroup", group)


def test_a_subnet_group_in_one_zone_is_refused_and_leaves_nothing(provider: LocalCloudProvider, create: Create) -> None:
    _, subnets = _subnets(create, "a", "a")
    with pytest.raises(ProviderError, match="at least 2 Availability Zones"):
        create("aws:rds/subnetGroup:SubnetGroup", name="data", subnetIds=subnets)
    assert provider.find("aws:rds/subnetGroup:SubnetGroup", {"name": "data", "subnetIds": subnets}).ids == ()


# -- load balancing -----------------------------------------------------------------------------------------------------


def test_an_application_load_balancer_in_one_zone_is_refused_and_leaves_nothing(
    provider: LocalCloudProvider, create: Create
) -> None:
    _, subnets = _subnets(create, "a")
    with pytest.raises(ProviderError, match="two different Availability Zones"):
        create("aws:lb/loadBalancer:LoadBalancer", name="web", subnets=subnets)
    assert provider.find("aws:lb/loadBalancer:LoadBalancer", {"name": "web"}).ids == ()


def test_a_protected_load_balancer_is_not_deleted(provider: LocalCloudProvider, create: Create) -> None:
    _, subnets = _subnets(create, "a", "b")
    made = create("aws:lb/loadBalancer:LoadBalancer", name="web", subnets=subnets, enableDeletionProtection=True)
    with pytest.raises(ProviderError, match="deletion protection"):
        _delete(provider, "aws:lb/loadBalancer:LoadBalancer", made)


def test_a_second_listener_on_a_port_is_refused(create: Create) -> None:
    _, subnets = _subnets(create, "a", "b")
    balancer = create("aws:lb/loadBalancer:LoadBalancer", name="web", subnets=subnets).id
    action = {"type": "fixed-response", "fixedResponse": {"contentType": "text/plain"}}
    listener = {"loadBalancerArn": balancer, "port": 80, "defaultActions": [action]}
    create("aws:lb/listener:Listener", **listener)
    with pytest.raises(ProviderError, match="DuplicateListener"):
        create("aws:lb/listener:Listener", **listener)


# -- ECS ----------------------------------------------------------------------------------------------------------------


def _containers(*names: str) -> str:
    environment = [{"name": name, "value": "1"} for name in names]
    return json.dumps([{"name": "web", "image": "web:1", "memory": 64, "environment": environment}])


def test_the_order_of_environment_variables_makes_no_new_revision(provider: LocalCloudProvider, create: Create) -> None:
    type_ = "aws:ecs/taskDefinition:TaskDefinition"
    made = create(type_, family="web", containerDefinitions=_containers("A", "B"))
    assert not provider.diff(type_, made.inputs, made.outputs, {**made.inputs, "containerDefinitions": _containers("B", "A")})


def test_deleting_an_old_revision_leaves_the_new_one(provider: LocalCloudProvider, create: Create) -> None:
    type_ = "aws:ecs/taskDefinition:TaskDefinition"
    first = create(type_, family="web", containerDefinitions=_containers("A"))
    second = create(type_, family="web", containerDefinitions=_containers("B"))
    _delete(provider, type_, first)
    assert provider.read(type_, first.id, first.inputs, first.outputs) is None
    assert provider.read(type_, second.id, second.inputs, second.outputs) is not None
    assert second.outputs["revision"] == 2


def test_a_cluster_with_a_service_is_not_deleted(provider: LocalCloudProvider, create: Create) -> None:
    cluster = create("aws:ecs/cluster:Cluster", name="shop")
    task = create("aws:ecs/taskDefinition:TaskDefinition", family="web", containerDefinitions=_containers())
    service = create("aws:ecs/service:Service", name="web", cluster=cluster.id, taskDefinition=task.outputs["arn"])
    with pytest.raises(ProviderError, match="ClusterContainsServicesException"):
        _delete(provider, "aws:ecs/cluster:Cluster", cluster)
    _delete(provider, "aws:ecs/service:Service", service)
    _delete(provider, "aws:ecs/cluster:Cluster", cluster)
    assert provider.read("aws:ecs/cluster:Cluster", cluster.id, cluster.inputs, cluster.outputs) is None


@pytest.mark.parametrize(
    ("inputs", "complaint"),
    [
        ({"memory": "4096"}, "No Fargate configuration"),
        ({"networkMode": "bridge"}, "networkMode awsvpc"),
        ({"cpu": None}, "requires cpu and memory"),
        ({"containerDefinitions": "{"}, "not JSON"),
    ],
)
def test_a_fargate_task_that_ecs_would_refuse_is_refused(create: Create, inputs: dict[str, Any], complaint: str) -> None:
    task = {
        "family": "web",
        "cpu": "256",
        "memory": "512",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "containerDefinitions": _containers(),
    }
    with pytest.raises(ProviderError, match=complaint):
        create("aws:ecs/taskDefinition:TaskDefinition", **{**task, **inputs})


# -- CloudTrail ---------------------------------------------------------------------------------------------------------


def test_a_trail_needs_a_bucket_that_lets_it_write(create: Create) -> None:
    create("aws:s3/bucket:Bucket", bucket="shop-refused-trail")
    with pytest.raises(ProviderError, match="InsufficientS3BucketPolicyException"):
        create("aws:cloudtrail/trail:Trail", name="audit", s3BucketName="shop-refused-trail")
