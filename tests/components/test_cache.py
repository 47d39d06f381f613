"""The cache in somebody else's program: closed, encrypted on disk and on the way, and entered with a token."""

from __future__ import annotations

from typing import Any

import pytest

from isostack.engine.values import Secret
from tests.components.conftest import Alone, Program

SOURCE = """
import pulumi
from pulumi_aws import ec2, kms

from components.cache import Cache, CacheArgs

network = ec2.Vpc("theirs", cidr_block="10.9.0.0/16")
subnets = [
    ec2.Subnet(f"theirs-{zone}", vpc_id=network.id, cidr_block=f"10.9.{i}.0/24", availability_zone=f"eu-west-1{zone}")
    for i, zone in enumerate("ab")
]
clients = ec2.SecurityGroup("clients", vpc_id=network.id, description="Their clients")
key = kms.Key("theirs")
cache = Cache(
    "shop",
    CacheArgs(
        tags={"team": "theirs"},
        vpc_id=network.id,
        subnet_ids=[subnet.id for subnet in subnets],
        client_security_group_ids=[clients.id],
        key_arn=key.arn,
        **pulumi.Config().require_object("values"),
    ),
)
for name in ("endpoint", "port", "url", "secret_arn"):
    pulumi.export(name, getattr(cache, name))
"""
VALUES: dict[str, Any] = {"engine_version": "8.0", "node_type": "cache.t4g.small", "replicas": 1}
GROUP = "aws:elasticache/replicationGroup:ReplicationGroup"


@pytest.fixture(scope="module")
def shop(alone: Alone) -> Program:
    return alone(SOURCE, VALUES)


def test_it_is_encrypted_and_another_zone_takes_over(shop: Program) -> None:
    group = shop.one(GROUP)
    wanted = {
        "engine": "valkey",
        "engineVersion": "8.0",
        "nodeType": "cache.t4g.small",
        "numCacheClusters": 2,
        "automaticFailoverEnabled": True,
        "multiAzEnabled": True,
        "atRestEncryptionEnabled": True,
        "kmsKeyId": shop.one("aws:kms/key:Key")["arn"],
        "transitEncryptionEnabled": True,
        "transitEncryptionMode": "required",
        "subnetGroupName": shop.one("aws:elasticache/subnetGroup:SubnetGroup")["name"],
        "tagsAll": {"team": "theirs", "Name": "shop-cache"},
    }
    assert {name: group[name] for name in wanted} == wanted


def test_only_the_clients_reach_it_and_it_calls_nobody(shop: Program) -> None:
    groups = shop.all("aws:ec2/securityGroup:SecurityGroup")
    clients, own = (groups[name]["arn"].rpartition("/")[2] for name in ("clients", "shop-cache"))
    (rule,) = groups["shop-cache"]["ingress"]
    reached = rule["protocol"], rule["fromPort"], rule["toPort"], rule["securityGroups"], rule.get("cidrBlocks") or []
    assert reached == ("tcp", 6379, 6379, [clients], [])
    (shown,) = shop.cloud.client("ec2").describe_security_groups(GroupIds=[own])["SecurityGroups"]
    assert shown["IpPermissionsEgress"] == []
    assert shop.one(GROUP)["securityGroupIds"] == [own]


def test_the_url_has_the_token_and_is_in_the_secret_that_programs_read(shop: Program) -> None:
    token = shop.one(GROUP)["authToken"]
    assert len(token) == 64
    assert shop.outputs["url"] == f"rediss://:{token}@{shop.outputs['endpoint']}:6379"
    assert isinstance(shop.up().outputs["url"], Secret)
    stored = shop.cloud.client("secretsmanager").get_secret_value(SecretId=shop.outputs["secret_arn"])
    assert stored["SecretString"] == shop.outputs["url"]
    assert shop.one("aws:secretsmanager/secret:Secret")["kmsKeyId"] == shop.one("aws:kms/key:Key")["arn"]


def test_its_endpoint_is_the_primarys(shop: Program) -> None:
    (group,) = shop.cloud.client("elasticache").describe_replication_groups()["ReplicationGroups"]
    primary = group["NodeGroups"][0]["PrimaryEndpoint"]
    assert (shop.outputs["endpoint"], shop.outputs["port"]) == (primary["Address"], primary["Port"])


def test_a_second_run_and_a_refresh_find_nothing_to_do(shop: Program) -> None:
    assert shop.up().changes.changes == 0
    assert shop.refresh().changes.changes == 0


def test_more_nodes_and_larger_ones_are_a_change_in_place(alone: Alone) -> None:
    shop = alone(SOURCE, {**VALUES, "replicas": 0})
    alone_in_its_zone = shop.one(GROUP)
    assert (alone_in_its_zone["numCacheClusters"], alone_in_its_zone["automaticFailoverEnabled"]) == (1, False)
    shop.up(replicas=2, node_type="cache.r7g.large")
    assert shop.steps == {f"{GROUP} shop-cache": {"update"}}
    assert (shop.one(GROUP)["numCacheClusters"], shop.one(GROUP)["multiAzEnabled"]) == (3, True)
    assert shop.one(GROUP)["arn"] == alone_in_its_zone["arn"]
    shop.destroy()
    assert shop.left == {}
