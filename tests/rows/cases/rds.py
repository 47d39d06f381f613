"""RDS's resource types."""

from __future__ import annotations

from tests.rows.case import Case, Need, Ref

_VPC = Need("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/16"})


def _subnet(number: int, zone: str) -> Need:
    return Need(
        "aws:ec2/subnet:Subnet",
        {"vpcId": Ref("vpc", "id"), "cidrBlock": f"10.0.{number}.0/24", "availabilityZone": f"eu-west-1{zone}"},
    )


_NETWORK = {"vpc": _VPC, "a": _subnet(1, "a"), "b": _subnet(2, "b")}
_SUBNETS = Need("aws:rds/subnetGroup:SubnetGroup", {"name": "data", "subnetIds": [Ref("a", "id"), Ref("b", "id")]})
_PARAMETERS = Need("aws:rds/parameterGroup:ParameterGroup", {"name": "tuned", "family": "postgres16"})
_SMALL = {
    "engine": "postgres",
    "instanceClass": "db.t4g.micro",
    "allocatedStorage": 20,
    "username": "shop",
    "password": "correct-horse",
    "skipFinalSnapshot": True,
}
_INSTANCE = Need("aws:rds/instance:Instance", {"identifier": "orders", **_SMALL})
_SNAPSHOT = Need(
    "aws:rds/snapshot:Snapshot", {"dbInstanceIdentifier": Ref("source", "identifier"), "dbSnapshotIdentifier": "before"}
)

CASES = [
    Case(
        token="aws:rds/subnetGroup:SubnetGroup",
        needs={**_NETWORK, "c": _subnet(3, "c")},
        inputs={"name": "databases", "subnetIds": [Ref("b", "id"), Ref("a", "id")], "tags": {"a": "1", "b": "1"}},
        update={"subnetIds": [Ref("b", "id"), Ref("c", "id")], "description": "d", "tags": {"a": "2"}},
        replace={"name": "stores"},
        expect={"arn": str, "vpcId": str, "description": "Managed by Pulumi"},
    ),
    Case(
        token="aws:rds/parameterGroup:ParameterGroup",
        inputs={
            "family": "postgres16",
            "parameters": [
                {"name": "log_min_duration_statement", "value": "500"},
                {"name": "rds.force_ssl", "value": "1", "applyMethod": "pending-reboot"},
            ],
            "tags": {"a": "1", "b": "1"},
        },
        update={
            "parameters": [
                {"name": "rds.force_ssl", "value": "0", "applyMethod": "pending-reboot"},
                {"name": "log_min_duration_statement", "value": "500"},
            ],
            "tags": {"a": "2"},
        },
        replace={"family": "postgres17"},
        expect={"arn": str, "name": str},
    ),
    Case(
        token="aws:rds/instance:Instance",
        needs={
            **_NETWORK,
            "group": Need("aws:ec2/securityGroup:SecurityGroup", {"name": "data", "vpcId": Ref("vpc", "id")}),
            "subnets": _SUBNETS,
            "parameters": _PARAMETERS,
            "key": Need("aws:kms/key:Key", {}),
        },
        inputs={
            "identifier": "shop",
            "engine": "postgres",
            "engineVersion": "16",
            "instanceClass": "db.t4g.micro",
            "allocatedStorage": 20,
            "maxAllocatedStorage": 100,
            "storageType": "gp3",
            "storageEncrypted": True,
            "kmsKeyId": Ref("key", "arn"),
            "dbName": "shop",
            "username": "shop",
            "manageMasterUserPassword": True,
            "dbSubnetGroupName": Ref("subnets", "name"),
            "vpcSecurityGroupIds": [Ref("group", "id")],
            "parameterGroupName": Ref("parameters", "name"),
            "multiAz": False,
            "backupRetentionPeriod": 7,
            "backupWindow": "02:00-03:00",
            "maintenanceWindow": "Mon:04:00-Mon:05:00",
            "enabledCloudwatchLogsExports": ["postgresql"],
            "iamDatabaseAuthenticationEnabled": True,
            "performanceInsightsEnabled": True,
            "copyTagsToSnapshot": True,
            "skipFinalSnapshot": True,
            "tags": {"a": "1", "b": "1"},
        },
        update={
            "instanceClass": "db.t4g.small",
            "maxAllocatedStorage": None,
            "multiAz": True,
            "backupRetentionPeriod": 14,
            "enabledCloudwatchLogsExports": ["upgrade"],
            "iamDatabaseAuthenticationEnabled": None,
            "manageMasterUserPassword": None,
            "password": "correct-horse",
            "engineVersion": "16.9",
            "tags": {"a": "2"},
        },
        replace={"storageEncrypted": False, "kmsKeyId": None},
        expect={
            "address": str,
            "arn": str,
            "endpoint": str,
            "engineVersion": "16",
            "engineVersionActual": str,
            "hostedZoneId": str,
            "masterUserSecrets": list,
            "port": int,
            "resourceId": str,
            "status": "available",
        },
        import_id="{identifier}",
    ),
    Case(
        token="aws:rds/instance:Instance",
        name="plain",
        inputs=_SMALL,
        update={"password": "battery-staple", "deletionProtection": False, "identifier": "renamed"},
        replace={"username": "owner"},
        expect={"identifier": str, "masterUserSecrets": [], "backupRetentionPeriod": 0},
        import_id="{identifier}",
    ),
    Case(
        token="aws:rds/instance:Instance",
        name="restored",
        needs={"source": _INSTANCE, "snapshot": _SNAPSHOT},
        inputs={
            "identifier": "restored",
            "snapshotIdentifier": Ref("snapshot", "id"),
            "instanceClass": "db.t4g.small",
            "password": "battery-staple",
            "backupRetentionPeriod": 3,
            "deletionProtection": False,
            "finalSnapshotIdentifier": "last",
            "skipFinalSnapshot": True,
        },
        update={"backupRetentionPeriod": 5},
        replace={"snapshotIdentifier": "other"},
        expect={"engine": "postgres", "username": "shop", "backupRetentionPeriod": 3},
        import_id="{identifier}",
    ),
    Case(
        token="aws:rds/instance:Instance",
        name="replica",
        needs={"source": Need("aws:rds/instance:Instance", {"identifier": "primary", "backupRetentionPeriod": 1, **_SMALL})},
        inputs={
            "identifier": "replica",
            "replicateSourceDb": Ref("source", "identifier"),
            "instanceClass": "db.t4g.small",
            "skipFinalSnapshot": True,
        },
        update={"instanceClass": "db.t4g.medium"},
        expect={"engine": "postgres"},
        import_id="{identifier}",
    ),
    Case(
        token="aws:rds/snapshot:Snapshot",
        needs={"source": _INSTANCE},
        inputs={
            "dbInstanceIdentifier": Ref("source", "identifier"),
            "dbSnapshotIdentifier": "manual",
            "sharedAccounts": ["111122223333"],
            "tags": {"a": "1"},
        },
        update={"sharedAccounts": ["444455556666"], "tags": {"a": "2"}},
        replace={"dbSnapshotIdentifier": "again"},
        expect={"dbSnapshotArn": str, "engine": "postgres", "status": "available"},
    ),
]
