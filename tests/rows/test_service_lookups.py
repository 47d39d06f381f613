"""Look-ups of the services that a program serves people with: DNS, load balancing, containers, databases, logs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from isostack.engine.provider import ProviderError, Resource
from isostack.localcloud.client import Cloud
from isostack.localcloud.provider import LocalCloudProvider

Create = Callable[..., Resource]


@pytest.fixture
def provider(cloud: Cloud) -> LocalCloudProvider:
    return LocalCloudProvider(cloud, {})


@pytest.fixture
def create(provider: LocalCloudProvider) -> Create:
    def make(type_: str, **inputs: Any) -> Resource:
        return provider.create(type_, provider.check(type_, f"urn:pulumi:test::test::{type_}::subject", None, inputs).inputs)

    return make


def _same(found: dict[str, Any], made: Resource, *names: str) -> None:
    assert {name: found[name] for name in names} == {name: made.outputs[name] for name in names}


def test_a_zone_is_found_by_name_and_by_what_kind_it_is(provider: LocalCloudProvider, create: Create) -> None:
    vpc = create("aws:ec2/vpc:Vpc", cidrBlock="10.0.0.0/16").id
    public = create("aws:route53/zone:Zone", name="shop.example", tags={"stage": "dev"})
    private = create("aws:route53/zone:Zone", name="shop.example", vpcs=[{"vpcId": vpc}])
    token = "aws:route53/getZone:getZone"
    _same(provider.invoke(token, {"name": "shop.example."}), public, "zoneId", "arn", "nameServers", "name")
    _same(provider.invoke(token, {"name": "shop.example", "privateZone": True}), private, "zoneId", "nameServers")
    assert provider.invoke(token, {"zoneId": public.id})["tags"] == {"stage": "dev"}
    with pytest.raises(ProviderError, match="no matching hosted zone"):
        provider.invoke(token, {"name": "shop.example", "tags": {"stage": "live"}})


@pytest.mark.parametrize("module", ["lb", "alb"])
def test_load_balancing_is_found_by_name(provider: LocalCloudProvider, create: Create, module: str) -> None:
    vpc = create("aws:ec2/vpc:Vpc", cidrBlock="10.0.0.0/16").id
    subnets = [
        create("aws:ec2/subnet:Subnet", vpcId=vpc, cidrBlock=f"10.0.{n}.0/24", availabilityZone=f"eu-west-1{zone}").id
        for n, zone in enumerate("ab")
    ]
    balancer = create(f"aws:{module}/loadBalancer:LoadBalancer", name="web", subnets=subnets)
    group = create(f"aws:{module}/targetGroup:TargetGroup", name="web", port=80, protocol="HTTP", vpcId=vpc)
    listener = create(
        f"aws:{module}/listener:Listener",
        loadBalancerArn=balancer.id,
        port=80,
        defaultActions=[{"type": "forward", "targetGroupArn": group.id}],
    )
    found = provider.invoke(f"aws:{module}/getLoadBalancer:getLoadBalancer", {"name": "web"})
    _same(found, balancer, "arn", "dnsName", "zoneId", "subnets")
    found = provider.invoke(f"aws:{module}/getTargetGroup:getTargetGroup", {"name": "web"})
    _same(found, group, "arn", "arnSuffix", "healthCheck")
    assert found["loadBalancerArns"] == [balancer.id]
    found = provider.invoke(f"aws:{module}/getListener:getListener", {"loadBalancerArn": balancer.id, "port": 80})
    _same(found, listener, "arn", "protocol", "defaultActions")


def test_containers_are_found_by_name(provider: LocalCloudProvider, create: Create) -> None:
    cluster = create("aws:ecs/cluster:Cluster", name="shop")
    containers = json.dumps([{"name": "web", "image": "web:1", "memory": 64}])
    task = create("aws:ecs/taskDefinition:TaskDefinition", family="web", containerDefinitions=containers)
    service = create("aws:ecs/service:Service", name="web", cluster=cluster.id, taskDefinition=task.outputs["arn"])
    repository = create("aws:ecr/repository:Repository", name="shop/web")
    _same(provider.invoke("aws:ecs/getCluster:getCluster", {"clusterName": "shop"}), cluster, "arn", "settings")
    found = provider.invoke("aws:ecs/getTaskDefinition:getTaskDefinition", {"taskDefinition": "web"})
    _same(found, task, "arn", "revision", "networkMode")
    found = provider.invoke("aws:ecs/getService:getService", {"clusterArn": cluster.id, "serviceName": "web"})
    _same(found, service, "arn", "desiredCount", "taskDefinition")
    found = provider.invoke("aws:ecr/getRepository:getRepository", {"name": "shop/web"})
    _same(found, repository, "arn", "repositoryUrl", "registryId")
    token = provider.invoke("aws:ecr/getAuthorizationToken:getAuthorizationToken", {})
    assert token["userName"] == "AWS" and token["password"]


def test_a_database_is_found_by_its_identifier(provider: LocalCloudProvider, create: Create) -> None:
    made = create(
        "aws:rds/instance:Instance",
        identifier="orders",
        engine="postgres",
        instanceClass="db.t4g.micro",
        allocatedStorage=20,
        username="shop",
        manageMasterUserPassword=True,
    )
    found = provider.invoke("aws:rds/getInstance:getInstance", {"dbInstanceIdentifier": "orders"})
    _same(found, made, "address", "endpoint", "engine", "port", "resourceId", "masterUserSecrets")
    assert found["dbInstanceArn"] == made.outputs["arn"]
    assert found["id"] == made.id


def test_log_groups_and_certificates_are_found(provider: LocalCloudProvider, create: Create) -> None:
    group = create("aws:cloudwatch/logGroup:LogGroup", name="/shop/web", retentionInDays=7)
    create("aws:cloudwatch/logGroup:LogGroup", name="/shop/web-2")
    certificate = create("aws:acm/certificate:Certificate", domainName="shop.example", validationMethod="DNS")
    found = provider.invoke("aws:cloudwatch/getLogGroup:getLogGroup", {"name": "/shop/web"})
    _same(found, group, "arn", "retentionInDays")
    asked = {"domain": "shop.example", "statuses": ["ISSUED", "PENDING_VALIDATION"]}
    assert provider.invoke("aws:acm/getCertificate:getCertificate", asked)["arn"] == certificate.id
    with pytest.raises(ProviderError, match="no log group"):
        provider.invoke("aws:cloudwatch/getLogGroup:getLogGroup", {"name": "/shop"})
