"""The database in somebody else's program: closed, encrypted, backed up, and never replaced by a change of its size."""

from __future__ import annotations

from typing import Any

import pytest

from isostack.engine.values import Secret
from tests.components.conftest import Alone, Program

SOURCE = """
import pulumi
from pulumi_aws import ec2, kms

from components.database import Database, DatabaseArgs

network = ec2.Vpc("theirs", cidr_block="10.9.0.0/16")
subnets = [
    ec2.Subnet(f"theirs-{zone}", vpc_id=network.id, cidr_block=f"10.9.{i}.0/24", availability_zone=f"eu-west-1{zone}")
    for i, zone in enumerate("ab")
]
clients = ec2.SecurityGroup("clients", vpc_id=network.id, description="Their clients")
key = kms.Key("theirs")
database = Database(
    "shop",
    DatabaseArgs(
        tags={"team": "theirs"},
        vpc_id=network.id,
        subnet_ids=[subnet.id for subnet in subnets],
        client_security_group_ids=[clients.id],
        key_arn=key.arn,
        database_name="orders",
        **pulumi.Config().require_object("values"),
    ),
)
for name in ("endpoint", "address", "port", "url", "secret_arn", "instance_id", "arn", "resource_id"):
    pulumi.export(name, getattr(database, name))
"""
PARAMETERS = {"max_connections": "200", "log_min_duration_statement": "250"}
VALUES: dict[str, Any] = {
    "engine_version": "17.5",
    "instance_class": "db.t4g.medium",
    "storage_gb": 20,
    "max_storage_gb": 100,
    "backup_days": 7,
    "backup_window": "02:00-03:00",
    "maintenance_window": "sun:03:30-sun:04:30",
    "multi_az": True,
    "deletion_protection": False,
    "skip_final_snapshot": True,
    "snapshot": None,
    "parameters": PARAMETERS,
}
INSTANCE = "aws:rds/instance:Instance"
GROUP = "aws:rds/parameterGroup:ParameterGroup"


@pytest.fixture(scope="module")
def shop(alone: Alone) -> Program:
    return alone(SOURCE, VALUES)


def test_it_is_encrypted_backed_up_and_closed_to_the_world(shop: Program) -> None:
    instance = shop.one(INSTANCE)
    key = shop.one("aws:kms/key:Key")["arn"]
    wanted = {
        "engine": "postgres",
        "engineVersion": "17.5",
        "autoMinorVersionUpgrade": False,
        "storageEncrypted": True,
        "kmsKeyId": key,
        "storageType": "gp3",
        "allocatedStorage": 20,
        "maxAllocatedStorage": 100,
        "multiAz": True,
        "publiclyAccessible": False,
        "iamDatabaseAuthenticationEnabled": True,
        "backupRetentionPeriod": 7,
        "backupWindow": "02:00-03:00",
        "maintenanceWindow": "sun:03:30-sun:04:30",
        "copyTagsToSnapshot": True,
        "performanceInsightsEnabled": True,
        "performanceInsightsKmsKeyId": key,
        "monitoringInterval": 60,
        "monitoringRoleArn": shop.one("aws:iam/role:Role")["arn"],
        "enabledCloudwatchLogsExports": ["postgresql", "upgrade"],
        "parameterGroupName": shop.one(GROUP)["name"],
        "tagsAll": {"team": "theirs", "Name": "shop-database"},
    }
    assert {name: instance[name] for name in wanted} == wanted


def test_only_the_clients_reach_it_and_it_calls_nobody(shop: Program) -> None:
    groups = shop.all("aws:ec2/securityGroup:SecurityGroup")
    clients, own = (groups[name]["arn"].rpartition("/")[2] for name in ("clients", "shop-database"))
    (rule,) = groups["shop-database"]["ingress"]
    reached = rule["protocol"], rule["fromPort"], rule["toPort"], rule["securityGroups"], rule.get("cidrBlocks") or []
    assert reached == ("tcp", 5432, 5432, [clients], [])
    (shown,) = shop.cloud.client("ec2").describe_security_groups(GroupIds=[own])["SecurityGroups"]
    assert shown["IpPermissionsEgress"] == []
    assert shop.one(INSTANCE)["vpcSecurityGroupIds"] == [own]


def test_its_parameters_are_the_callers_but_for_encrypted_connections(shop: Program) -> None:
    group = shop.one(GROUP)
    assert group["family"] == "postgres17"
    assert {one["name"]: (one["value"], one["applyMethod"]) for one in group["parameters"]} == {
        "rds.force_ssl": ("1", "immediate"),
        "log_statement": ("ddl", "immediate"),
        "log_min_duration_statement": ("250", "immediate"),
        "max_connections": ("200", "pending-reboot"),
    }


def test_the_url_is_secret_and_in_the_secret_that_programs_read(shop: Program) -> None:
    scheme, _, rest = shop.outputs["url"].partition("://orders:")
    password, _, where = rest.partition("@")
    assert (scheme, len(password), where) == ("postgresql", 32, f"{shop.outputs['endpoint']}/orders")
    assert isinstance(shop.up().outputs["url"], Secret)
    stored = shop.cloud.client("secretsmanager").get_secret_value(SecretId=shop.outputs["secret_arn"])
    assert stored["SecretString"] == shop.outputs["url"]
    assert shop.one("aws:secretsmanager/secret:Secret")["kmsKeyId"] == shop.one("aws:kms/key:Key")["arn"]


def test_its_outputs_name_the_instance(shop: Program) -> None:
    outputs = shop.outputs
    answer = shop.cloud.client("rds").describe_db_instances(DBInstanceIdentifier=outputs["instance_id"])
    (instance,) = answer["DBInstances"]
    assert outputs["arn"] == instance["DBInstanceArn"]
    assert (outputs["address"], outputs["port"]) == (instance["Endpoint"]["Address"], instance["Endpoint"]["Port"])
    assert outputs["endpoint"] == f"{outputs['address']}:{outputs['port']}"
    assert outputs["resource_id"] == shop.one(INSTANCE)["resourceId"]


def test_a_second_run_and_a_refresh_find_nothing_to_do(shop: Program) -> None:
    assert shop.up().changes.changes == 0
    assert shop.refresh().changes.changes == 0


def test_another_size_or_parameter_changes_what_has_it_in_place_and_nothing_else(alone: Alone) -> None:
    shop = alone(SOURCE, VALUES)
    before = shop.one(INSTANCE)["arn"]
    shop.up(instance_class="db.r7g.large", storage_gb=50, max_storage_gb=500, backup_days=35)
    assert shop.steps == {f"{INSTANCE} shop-database": {"update"}}
    shop.up(parameters={**PARAMETERS, "max_connections": "300"})
    assert shop.steps == {f"{GROUP} shop-database": {"update"}}
    assert shop.one(INSTANCE)["arn"] == before
    shop.destroy()
    assert shop.left == {}


def test_a_protected_database_survives_an_attempt_to_destroy_it(alone: Alone) -> None:
    shop = alone(SOURCE, {**VALUES, "deletion_protection": True})
    with pytest.raises(AssertionError, match="is protected and would be deleted"):
        shop.destroy()
    (kept,) = shop.cloud.client("rds").describe_db_instances()["DBInstances"]
    assert kept["DBInstanceIdentifier"] == shop.one(INSTANCE)["identifier"]
    shop.up(deletion_protection=False)
    shop.destroy()
    assert shop.left == {}


def test_what_a_database_leaves_behind_is_restored_from_by_its_name(alone: Alone) -> None:
    shop = alone(SOURCE, {**VALUES, "skip_final_snapshot": False})
    shop.destroy()
    shop.up()
    shop.destroy()  # its snapshot is kept beside the first one's
    rds = shop.cloud.client("rds")
    snapshots = [snapshot["DBSnapshotIdentifier"] for snapshot in rds.describe_db_snapshots()["DBSnapshots"]]
    assert len(snapshots) == 2
    assert all(name.startswith("shop-database-final-") for name in snapshots)

    shop.up(snapshot=snapshots[0], skip_final_snapshot=True)
    restored = shop.one(INSTANCE)
    assert (restored["snapshotIdentifier"], restored["multiAz"]) == (snapshots[0], True)
    assert shop.up().changes.changes == 0
    shop.up(snapshot=None)
    assert shop.one(INSTANCE)["arn"] == restored["arn"], "a restored database stays when the snapshot is no longer named"
    shop.destroy()
    for name in snapshots:
        rds.delete_db_snapshot(DBSnapshotIdentifier=name)
    assert shop.left == {}
