"""Amazon RDS: subnet groups and snapshots.

Source: the RDS API reference; property names as in pulumi_aws 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isostack.engine.provider import CreatedPartially, ProviderError, Resource
from isostack.localcloud.resource_types.rds_requests import refuse_use, tags_of, update_tags
from isostack.localcloud.resource_types.row import AutoName, Properties, ResourceType, tag_list, tag_map

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

_DESCRIPTION = {"description": "Managed by Pulumi"}


# -- subnet groups ------------------------------------------------------------------------------------------------------


def _create_subnet_group(cloud: Cloud, inputs: Properties) -> str:
    client, name = cloud.client("rds"), inputs["name"]
    if _describe_subnet_group(cloud, name):  # moto would overwrite it
        raise ProviderError(f"DBSubnetGroupAlreadyExists: The DB subnet group {name!r} already exists")
    group = client.create_db_subnet_group(
        DBSubnetGroupName=name,
        DBSubnetGroupDescription=inputs.get("description") or _DESCRIPTION["description"],
        SubnetIds=inputs["subnetIds"],
        Tags=tag_list(inputs.get("tagsAll")),
    )["DBSubnetGroup"]
    zones = {subnet["SubnetAvailabilityZone"]["Name"] for subnet in group["Subnets"]}
    if len(zones) < 2:
        client.delete_db_subnet_group(DBSubnetGroupName=name)
        raise ProviderError(
            "DBSubnetGroupDoesNotCoverEnoughAZs: the subnets must cover at least 2 Availability Zones, and cover "
            f"{', '.join(sorted(zones))} only"
        )
    return str(group["DBSubnetGroupName"])


def _describe_subnet_group(cloud: Cloud, name: str) -> Properties | None:
    client = cloud.client("rds")
    try:
        return dict(client.describe_db_subnet_groups(DBSubnetGroupName=name)["DBSubnetGroups"][0])
    except client.exceptions.DBSubnetGroupNotFoundFault:
        return None


def _read_subnet_group(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    group = _describe_subnet_group(cloud, id_)
    if group is None:
        return None
    return {
        "arn": group["DBSubnetGroupArn"],
        "description": group["DBSubnetGroupDescription"],
        "name": group["DBSubnetGroupName"],
        "subnetIds": [subnet["SubnetIdentifier"] for subnet in group["Subnets"]],
        "supportedNetworkTypes": group.get("SupportedNetworkTypes") or ["IPV4"],
        "tagsAll": tags_of(cloud.client("rds"), group["DBSubnetGroupArn"]),
        "vpcId": group["VpcId"],
    }


def _update_subnet_group(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    client = cloud.client("rds")
    if changed & {"description", "subnetIds"}:
        arguments = {"DBSubnetGroupName": id_, "DBSubnetGroupDescription": new.get("description") or ""}
        client.modify_db_subnet_group(**arguments, SubnetIds=new["subnetIds"])
    if "tagsAll" in changed:
        update_tags(client, old["arn"], old, new)


def _delete_subnet_group(cloud: Cloud, id_: str, known: Properties) -> None:
    client = cloud.client("rds")
    refuse_use(
        client,
        "InvalidDBSubnetGroupStateFault",
        id_,
        lambda instance: [(instance.get("DBSubnetGroup") or {}).get("DBSubnetGroupName")],
    )
    client.delete_db_subnet_group(DBSubnetGroupName=id_)


# -- snapshots ----------------------------------------------------------------------------------------------------------


def _create_snapshot(cloud: Cloud, inputs: Properties) -> str:
    client, name = cloud.client("rds"), inputs["dbSnapshotIdentifier"]
    client.create_db_snapshot(
        DBInstanceIdentifier=inputs["dbInstanceIdentifier"],
        DBSnapshotIdentifier=name,
        Tags=tag_list(inputs.get("tagsAll")),
    )
    if inputs.get("sharedAccounts"):
        try:
            _share(client, name, set(inputs["sharedAccounts"]), set())
        except Exception as error:
            message = f"created snapshot {name}, but it could not be shared: {error}"
            raise CreatedPartially(message, Resource(name, inputs, inputs)) from error
    return str(name)


def _share(client: Any, name: str, add: set[str], remove: set[str]) -> None:
    changes = {"ValuesToAdd": sorted(add), "ValuesToRemove": sorted(remove)}
    client.modify_db_snapshot_attribute(
        DBSnapshotIdentifier=name,
        AttributeName="restore",
        **{key: value for key, value in changes.items() if value},
    )


_SNAPSHOT = {
    "allocatedStorage": "AllocatedStorage",
    "availabilityZone": "AvailabilityZone",
    "dbInstanceIdentifier": "DBInstanceIdentifier",
    "dbSnapshotArn": "DBSnapshotArn",
    "dbSnapshotIdentifier": "DBSnapshotIdentifier",
    "encrypted": "Encrypted",
    "engine": "Engine",
    "engineVersion": "EngineVersion",
    "iops": "Iops",
    "kmsKeyId": "KmsKeyId",
    "licenseModel": "LicenseModel",
    "optionGroupName": "OptionGroupName",
    "port": "Port",
    "snapshotType": "SnapshotType",
    "sourceDbSnapshotIdentifier": "SourceDBSnapshotIdentifier",
    "sourceRegion": "SourceRegion",
    "status": "Status",
    "storageType": "StorageType",
    "vpcId": "VpcId",
}


def _read_snapshot(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    client = cloud.client("rds")
    snapshot = client.describe_db_snapshots(DBSnapshotIdentifier=id_)["DBSnapshots"][0]
    answer = client.describe_db_snapshot_attributes(DBSnapshotIdentifier=id_)["DBSnapshotAttributesResult"]
    shared = [
        account
        for attribute in answer.get("DBSnapshotAttributes") or []
        if attribute["AttributeName"] == "restore"
        for account in attribute.get("AttributeValues") or []
    ]
    outputs: Properties = {key: snapshot.get(name, "") for key, name in _SNAPSHOT.items() if snapshot.get(name) is not None}
    return {**outputs, "sharedAccounts": shared, "tagsAll": tag_map(snapshot.get("TagList"))}


def _update_snapshot(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    client = cloud.client("rds")
    if "sharedAccounts" in changed:
        before, after = set(old.get("sharedAccounts") or []), set(new.get("sharedAccounts") or [])
        _share(client, id_, after - before, before - after)
    if "tagsAll" in changed:
        update_tags(client, old["dbSnapshotArn"], old, new)


def _delete_snapshot(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("rds").delete_db_snapshot(DBSnapshotIdentifier=id_)


def _find_snapshot(cloud: Cloud, inputs: Properties) -> list[str]:
    snapshot = _read_snapshot(cloud, inputs["dbSnapshotIdentifier"], {})
    return [snapshot["dbSnapshotIdentifier"]] if snapshot else []


RESOURCE_TYPES = (
    ResourceType(
        token="aws:rds/subnetGroup:SubnetGroup",
        service="rds",
        create=_create_subnet_group,
        read=_read_subnet_group,
        update=_update_subnet_group,
        delete=_delete_subnet_group,
        name=AutoName(max_length=255, lower=True),
        required=("subnetIds",),
        replace_on=("name", "namePrefix"),
        computed=("arn", "supportedNetworkTypes", "vpcId"),
        local=("namePrefix",),
        defaults=_DESCRIPTION,
        sets=("subnetIds",),
        absent=("DBSubnetGroupNotFoundFault",),
        tagged=True,
    ),
    ResourceType(
        token="aws:rds/snapshot:Snapshot",
        service="rds",
        create=_create_snapshot,
        read=_read_snapshot,
        update=_update_snapshot,
        delete=_delete_snapshot,
        find=_find_snapshot,
        required=("dbInstanceIdentifier", "dbSnapshotIdentifier"),
        replace_on=("dbInstanceIdentifier", "dbSnapshotIdentifier"),
        computed=tuple(key for key in _SNAPSHOT if key not in ("dbInstanceIdentifier", "dbSnapshotIdentifier")),
        sets=("sharedAccounts",),
        absent=("DBSnapshotNotFound", "DBSnapshotNotFoundFault"),
        tagged=True,
    ),
)
