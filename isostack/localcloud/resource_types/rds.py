"""Amazon RDS: database instances. Their requests are ``rds_requests``'s; subnet groups and snapshots are ``rds_groups``'s,
parameter groups ``rds_parameters``'s.

Source: the RDS API reference; property names as in pulumi_aws 7.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING

from isostack.engine.provider import CreatedPartially, ProviderError, Resource
from isostack.localcloud.resource_types import rds_events, rds_groups, rds_parameters
from isostack.localcloud.resource_types.rds_requests import (
    PARAMETERS,
    full_version,
    request_of,
    require_valid,
    require_valid_new,
    update_tags,
)
from isostack.localcloud.resource_types.row import (
    AutoName,
    Function,
    Properties,
    ResourceType,
    tag_list,
    tag_map,
)

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

# Property to field of an instance, of those that AWS gives back as they are.
_FIELDS = {
    "allocatedStorage": "AllocatedStorage",
    "autoMinorVersionUpgrade": "AutoMinorVersionUpgrade",
    "availabilityZone": "AvailabilityZone",
    "backupRetentionPeriod": "BackupRetentionPeriod",
    "backupWindow": "PreferredBackupWindow",
    "caCertIdentifier": "CACertificateIdentifier",
    "characterSetName": "CharacterSetName",
    "copyTagsToSnapshot": "CopyTagsToSnapshot",
    "dbName": "DBName",
    "deletionProtection": "DeletionProtection",
    "enabledCloudwatchLogsExports": "EnabledCloudwatchLogsExports",
    "engine": "Engine",
    "iamDatabaseAuthenticationEnabled": "IAMDatabaseAuthenticationEnabled",
    "identifier": "DBInstanceIdentifier",
    "instanceClass": "DBInstanceClass",
    "iops": "Iops",
    "licenseModel": "LicenseModel",
    "maintenanceWindow": "PreferredMaintenanceWindow",
    "maxAllocatedStorage": "MaxAllocatedStorage",
    "monitoringInterval": "MonitoringInterval",
    "monitoringRoleArn": "MonitoringRoleArn",
    "multiAz": "MultiAZ",
    "publiclyAccessible": "PubliclyAccessible",
    "status": "DBInstanceStatus",
    "storageEncrypted": "StorageEncrypted",
    "storageThroughput": "StorageThroughput",
    "storageType": "StorageType",
    "username": "MasterUsername",
}
# Inputs that moto takes and forgets.
_FORGOTTEN = (
    "backupTarget",
    "customIamInstanceProfile",
    "customerOwnedIpEnabled",
    "databaseInsightsMode",
    "dedicatedLogVolume",
    "domain",
    "domainAuthSecretArn",
    "domainDnsIps",
    "domainFqdn",
    "domainIamRoleName",
    "domainOu",
    "engineLifecycleSupport",
    "ncharCharacterSetName",
    "networkType",
    "performanceInsightsEnabled",
    "performanceInsightsKmsKeyId",
    "performanceInsightsRetentionPeriod",
    "timezone",
)
# Inputs that AWS does not give back, or that steer Terraform only.
_LOCAL = (
    "allowMajorVersionUpgrade",
    "applyImmediately",
    "blueGreenUpdate",
    "deleteAutomatedBackups",
    "finalSnapshotIdentifier",
    "identifierPrefix",
    "manageMasterUserPassword",
    "masterUserSecretKmsKeyId",
    "password",
    "passwordWoVersion",
    "replicaMode",
    "restoreToPointInTime",
    "skipFinalSnapshot",
    "snapshotIdentifier",
    "upgradeStorageConfig",
    "warningEventCategories",
)
# The hosted zones of RDS's endpoints, by region; moto knows none.
_HOSTED_ZONES = {
    "ap-northeast-1": "Z24O6O9L7SGTNB",
    "ap-southeast-1": "Z2G0U3KFCY8NZ5",
    "ap-southeast-2": "Z32T0VRHXEXS0V",
    "eu-central-1": "Z1RLNUO7B9Q6NB",
    "eu-west-1": "Z29XKXDKYMONMX",
    "eu-west-2": "Z1TTGA775OQIYO",
    "us-east-1": "Z2R2ITUGPM61AM",
    "us-east-2": "Z2XHWR1WZ565X2",
    "us-west-1": "Z10WI91S59XXQN",
    "us-west-2": "Z1PVIF0B656C1W",
}
_RESOURCE_ID = re.compile(r"db-[A-Z2-7]{26}")

# -- creating -----------------------------------------------------------------------------------------------------------


def _create(cloud: Cloud, inputs: Properties) -> str:
    if inputs.get("passwordWo"):
        inputs = {**inputs, "password": inputs["passwordWo"]}
    require_valid_new(inputs)
    client = cloud.client("rds")
    given = {"backupRetentionPeriod": 0, **inputs}
    if inputs.get("snapshotIdentifier"):
        operation, source = "restore_db_instance_from_db_snapshot", {"DBSnapshotIdentifier": inputs["snapshotIdentifier"]}
    elif inputs.get("replicateSourceDb"):
        operation, source = "create_db_instance_read_replica", {"SourceDBInstanceIdentifier": inputs["replicateSourceDb"]}
        given = inputs
    elif inputs.get("restoreToPointInTime"):
        operation, source = "restore_db_instance_to_point_in_time", _point_in_time(inputs)
    else:
        operation, source = "create_db_instance", {}
        given = {"engineVersion": full_version(inputs["engine"], ""), **given}
    request = {**request_of(given, set(PARAMETERS)), "Tags": tag_list(inputs.get("tagsAll")), **source}
    name = "".join(part.capitalize() if part != "db" else "DB" for part in operation.split("_"))
    takes = client.meta.service_model.operation_model(name).input_shape.members
    instance = getattr(client, operation)(**{key: value for key, value in request.items() if key in takes})["DBInstance"]
    id_ = _resource_id(instance)
    if operation != "create_db_instance":
        _finish_copy(cloud, id_, given, set(takes))
    _wait_until_available(cloud, id_, inputs)
    return id_


def _wait_until_available(cloud: Cloud, id_: str, inputs: Properties) -> None:
    """PostgreSQL takes half a second to start; see :mod:`isostack.localcloud.databases`."""
    client = cloud.client("rds")
    waiter = client.get_waiter("db_instance_available")
    try:
        waiter.wait(DBInstanceIdentifier=inputs["identifier"], WaiterConfig={"Delay": 0.05, "MaxAttempts": 1200})
    except Exception as error:
        raise CreatedPartially(
            f"created database instance {inputs['identifier']}, but it does not become available: {error}; the local "
            "cloud's log says why",
            Resource(id_, inputs, inputs),
        ) from error


def _point_in_time(inputs: Properties) -> Properties:
    names = {
        "restoreTime": "RestoreTime",
        "sourceDbInstanceAutomatedBackupsArn": "SourceDBInstanceAutomatedBackupsArn",
        "sourceDbInstanceIdentifier": "SourceDBInstanceIdentifier",
        "sourceDbiResourceId": "SourceDbiResourceId",
        "useLatestRestorableTime": "UseLatestRestorableTime",
    }
    block = inputs["restoreToPointInTime"]
    return {
        "TargetDBInstanceIdentifier": inputs["identifier"],
        **{name: block[key] for key, name in names.items() if block.get(key) not in (None, "")},
    }


def _finish_copy(cloud: Cloud, id_: str, inputs: Properties, taken: set[str]) -> None:
    """Set what a restore or a replication does not take: these calls inherit it from the source."""
    client = cloud.client("rds")
    takes = client.meta.service_model.operation_model("ModifyDBInstance").input_shape.members
    request = request_of(inputs, set(PARAMETERS))
    rest = {key: value for key, value in request.items() if key in takes and (key not in taken or value is False)}
    rest.pop("EngineVersion", None)
    if not rest:
        return
    try:
        client.modify_db_instance(**{**rest, "DBInstanceIdentifier": inputs["identifier"], "ApplyImmediately": True})
    except Exception as error:
        raise CreatedPartially(
            f"created database instance {inputs['identifier']}, but its settings could not be made: {error}",
            Resource(id_, inputs, inputs),
        ) from error


# -- reading ------------------------------------------------------------------------------------------------------------


def _resource_id(instance: Properties) -> str:
    """An id that no other instance has, in the form of AWS's; moto gives all instances the same."""
    seed = f"{instance['DBInstanceArn']}|{instance['InstanceCreateTime'].isoformat()}".encode()
    return f"db-{base64.b32encode(hashlib.sha256(seed).digest()).decode()[:26]}"


def _instance(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    client = cloud.client("rds")
    if not known.get("identifier") and _RESOURCE_ID.fullmatch(id_):
        pages = client.get_paginator("describe_db_instances").paginate()
        instances = (instance for page in pages for instance in page["DBInstances"])
        return next((instance for instance in instances if _resource_id(instance) == id_), None)
    identifier = known.get("identifier") or id_
    instance = client.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]
    return None if instance["DBInstanceStatus"] == "deleting" else dict(instance)


def _read(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    instance = _instance(cloud, id_, known)
    if instance is None:
        return None
    outputs: Properties = {key: instance[name] for key, name in _FIELDS.items() if instance.get(name) is not None}
    endpoint = instance.get("Endpoint") or {}
    address, port = endpoint.get("Address", ""), endpoint.get("Port", 0)
    actual, asked = instance["EngineVersion"], known.get("engineVersion")
    secret = instance.get("MasterUserSecret")
    outputs |= {
        "address": address,
        "arn": instance["DBInstanceArn"],
        "enabledCloudwatchLogsExports": instance.get("EnabledCloudwatchLogsExports") or [],
        "endpoint": f"{address}:{port}",
        "engineVersion": asked if asked and full_version(instance["Engine"], str(asked)) == actual else actual,
        "engineVersionActual": actual,
        "hostedZoneId": _HOSTED_ZONES.get(cloud.region, _HOSTED_ZONES["us-east-1"]),
        "id": _resource_id(instance),
        "kmsKeyId": _kms_key(cloud, instance),
        "latestRestorableTime": "",
        "listenerEndpoints": [],
        "masterUserSecrets": [
            {"kmsKeyId": secret["KmsKeyId"], "secretArn": secret["SecretArn"], "secretStatus": secret["SecretStatus"]}
        ]
        if secret
        else [],
        "maxAllocatedStorage": instance.get("MaxAllocatedStorage") or 0,
        "optionGroupName": next((item["OptionGroupName"] for item in instance.get("OptionGroupMemberships") or []), ""),
        "parameterGroupName": next((i["DBParameterGroupName"] for i in instance.get("DBParameterGroups") or []), ""),
        "port": port,
        "replicas": instance.get("ReadReplicaDBInstanceIdentifiers") or [],
        "replicateSourceDb": instance.get("ReadReplicaSourceDBInstanceIdentifier") or "",
        "resourceId": _resource_id(instance),
        "tagsAll": tag_map(instance.get("TagList")),
        "vpcSecurityGroupIds": [item["VpcSecurityGroupId"] for item in instance.get("VpcSecurityGroups") or []],
        **{key: known[key] for key in _FORGOTTEN if key in known},
    }
    if group := (instance.get("DBSubnetGroup") or {}).get("DBSubnetGroupName"):
        outputs["dbSubnetGroupName"] = group
    if isinstance(known.get("maintenanceWindow"), str) and (known["maintenanceWindow"].lower() == outputs["maintenanceWindow"]):
        outputs["maintenanceWindow"] = known["maintenanceWindow"]
    return outputs


def _kms_key(cloud: Cloud, instance: Properties) -> str:
    key = instance.get("KmsKeyId") or ""
    if not key or key.startswith("arn:"):
        return str(key)
    what = "alias/aws/rds" if key == "default_kms_key_id" else f"key/{key}"
    return f"arn:{cloud.partition}:kms:{cloud.region}:{cloud.account_id}:{what}"


# -- changing -----------------------------------------------------------------------------------------------------------


def _update(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    client = cloud.client("rds")
    if new.get("passwordWo"):
        new = {**new, "password": new["passwordWo"]}
        changed = changed | ({"password"} if "passwordWoVersion" in changed else set())
    require_valid(new)
    settable = {"manageMasterUserPassword", "masterUserSecretKmsKeyId", "password"}
    request = _modification(old, new, (changed - {*_LOCAL}) | (changed & settable))
    identifier = old["identifier"]
    if "replicateSourceDb" in changed:
        if new.get("replicateSourceDb"):
            raise ProviderError("Instance: replicateSourceDb of an existing instance can be removed, and not changed")
        client.promote_read_replica(DBInstanceIdentifier=identifier)
    if request:
        client.modify_db_instance(DBInstanceIdentifier=identifier, ApplyImmediately=True, **request)
    if "tagsAll" in changed:
        update_tags(client, old["arn"], old, new)


def _modification(old: Properties, new: Properties, changed: set[str]) -> Properties:
    if "allocatedStorage" in changed and int(new["allocatedStorage"]) < int(old.get("allocatedStorage") or 0):
        raise ProviderError(
            f"InvalidParameterCombination: allocatedStorage cannot shrink from {old['allocatedStorage']} to "
            f"{new['allocatedStorage']}"
        )
    if "port" in changed:
        raise ProviderError("Instance: the local cloud cannot change the port of an existing instance; replace it")
    different = {"enabledCloudwatchLogsExports", "identifier", "manageMasterUserPassword"}
    request = request_of(new, changed - different)
    # Flags that a program stops giving go back to what they are without it.
    for name in ("deletionProtection", "iamDatabaseAuthenticationEnabled"):
        if name in changed and new.get(name) is None:
            request[PARAMETERS[name]] = False
    if "maxAllocatedStorage" in changed and not new.get("maxAllocatedStorage"):
        request["MaxAllocatedStorage"] = int(new.get("allocatedStorage") or old["allocatedStorage"])
    if "enabledCloudwatchLogsExports" in changed:
        before = set(old.get("enabledCloudwatchLogsExports") or [])
        after = set(new.get("enabledCloudwatchLogsExports") or [])
        request["CloudwatchLogsExportConfiguration"] = {
            "EnableLogTypes": sorted(after - before),
            "DisableLogTypes": sorted(before - after),
        }
    if "identifier" in changed:
        request["NewDBInstanceIdentifier"] = new["identifier"]
    if "manageMasterUserPassword" in changed:
        managed = bool(new.get("manageMasterUserPassword"))
        request["ManageMasterUserPassword"] = managed
        if not managed and not new.get("password"):
            raise ProviderError("InvalidParameterCombination: an instance without manageMasterUserPassword needs password")
        if not managed:
            request["MasterUserPassword"] = new["password"]
    return request


def _delete(cloud: Cloud, id_: str, known: Properties) -> None:
    identifier = known["identifier"]
    skip, final = bool(known.get("skipFinalSnapshot")), known.get("finalSnapshotIdentifier")
    if known.get("replicateSourceDb"):
        skip, final = True, None  # RDS takes no final snapshot of a replica
    if not skip and not final:
        if _is_gone(cloud, id_, known):
            return
        raise ProviderError(
            f"InvalidParameterCombination: database instance {identifier} cannot be deleted without a final snapshot: "
            "set finalSnapshotIdentifier, or skipFinalSnapshot, and run up first"
        )
    arguments: Properties = {"SkipFinalSnapshot": skip}
    if not skip:
        arguments["FinalDBSnapshotIdentifier"] = final
    cloud.client("rds").delete_db_instance(
        DBInstanceIdentifier=identifier,
        DeleteAutomatedBackups=bool(known.get("deleteAutomatedBackups", True)),
        **arguments,
    )


def _is_gone(cloud: Cloud, id_: str, known: Properties) -> bool:
    client = cloud.client("rds")
    try:
        return _instance(cloud, id_, known) is None
    except client.exceptions.DBInstanceNotFoundFault:
        return True


def _find(cloud: Cloud, inputs: Properties) -> list[str]:
    instance = _instance(cloud, inputs["identifier"], inputs)
    return [_resource_id(instance)] if instance else []


def _get_instance(cloud: Cloud, arguments: Properties) -> Properties:
    client = cloud.client("rds")
    if arguments.get("dbInstanceIdentifier"):
        name = arguments["dbInstanceIdentifier"]
        instances = client.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
    else:
        pages = client.get_paginator("describe_db_instances").paginate()
        instances = [instance for page in pages for instance in page["DBInstances"]]
    tags = (arguments.get("tags") or {}).items()
    instances = [instance for instance in instances if tags <= tag_map(instance.get("TagList")).items()]
    if len(instances) != 1:
        raise ProviderError(f"getInstance: {len(instances)} database instances match; give dbInstanceIdentifier")
    outputs = _read(cloud, "", {"identifier": instances[0]["DBInstanceIdentifier"]}) or {}
    renamed = {
        "dbInstanceArn": "arn",
        "dbInstanceClass": "instanceClass",
        "dbInstanceIdentifier": "identifier",
        "dbInstancePort": "port",
        "dbSubnetGroup": "dbSubnetGroupName",
        "enabledCloudwatchLogsExports": "enabledCloudwatchLogsExports",
        "masterUsername": "username",
        "preferredBackupWindow": "backupWindow",
        "preferredMaintenanceWindow": "maintenanceWindow",
        "tags": "tagsAll",
        "vpcSecurityGroups": "vpcSecurityGroupIds",
    }
    gone = {"arn", "identifier", "instanceClass", "tagsAll", "username", "vpcSecurityGroupIds"}
    result = {key: value for key, value in outputs.items() if key not in gone}
    result |= {name: outputs[key] for name, key in renamed.items() if key in outputs}
    result["dbParameterGroups"] = [outputs["parameterGroupName"]]
    result["optionGroupMemberships"] = [outputs["optionGroupName"]]
    return {**result, "id": outputs["id"], "region": cloud.region}


RESOURCE_TYPES = (
    ResourceType(
        token="aws:rds/instance:Instance",
        service="rds",
        create=_create,
        read=_read,
        update=_update,
        delete=_delete,
        find=_find,
        name=AutoName(property="identifier", max_length=63, lower=True, unless=("identifierPrefix",)),
        required=("instanceClass",),
        replace_on=(
            "availabilityZone",
            "backupTarget",
            "characterSetName",
            "customIamInstanceProfile",
            "dbName",
            "engine",
            "kmsKeyId",
            "ncharCharacterSetName",
            "restoreToPointInTime",
            "s3Import",
            "snapshotIdentifier",
            "storageEncrypted",
            "timezone",
            "username",
        ),
        computed=(
            "address",
            "arn",
            "endpoint",
            "engineVersionActual",
            "hostedZoneId",
            "latestRestorableTime",
            "listenerEndpoints",
            "masterUserSecrets",
            "replicas",
            "resourceId",
            "status",
            "upgradeRolloutOrder",
        ),
        sticky=(
            "allocatedStorage",
            "availabilityZone",
            "backupRetentionPeriod",
            "backupTarget",
            "backupWindow",
            "caCertIdentifier",
            "characterSetName",
            "databaseInsightsMode",
            "dbName",
            "dbSubnetGroupName",
            "domainFqdn",
            "engine",
            "engineLifecycleSupport",
            "engineVersion",
            "identifierPrefix",
            "iops",
            "kmsKeyId",
            "licenseModel",
            "maintenanceWindow",
            "masterUserSecretKmsKeyId",
            "monitoringRoleArn",
            "multiAz",
            "ncharCharacterSetName",
            "networkType",
            "optionGroupName",
            "parameterGroupName",
            "performanceInsightsKmsKeyId",
            "performanceInsightsRetentionPeriod",
            "port",
            "replicaMode",
            "snapshotIdentifier",
            "storageThroughput",
            "storageType",
            "timezone",
            "username",
            "vpcSecurityGroupIds",
        ),
        local=(*_FORGOTTEN, *_LOCAL),
        overridden=("port",),
        defaults={
            "autoMinorVersionUpgrade": True,
            "copyTagsToSnapshot": False,
            "deleteAutomatedBackups": True,
            "monitoringInterval": 0,
            "performanceInsightsEnabled": False,
            "publiclyAccessible": False,
            "skipFinalSnapshot": False,
        },
        sets=("domainDnsIps", "enabledCloudwatchLogsExports", "vpcSecurityGroupIds"),
        secret_outputs=("password",),
        absent=("DBInstanceNotFound", "DBInstanceNotFoundFault"),
        volatile=("engineVersionActual", "masterUserSecrets", "replicas", "status"),
        tagged=True,
        limits="every change is made at once; no s3Import, no new port for an existing instance; Performance Insights, "
        "domains and network types are recorded only",
    ),
    *rds_events.RESOURCE_TYPES,
    *rds_groups.RESOURCE_TYPES,
    *rds_parameters.RESOURCE_TYPES,
)

FUNCTIONS = (Function(token="aws:rds/getInstance:getInstance", service="rds", call=_get_instance),)
