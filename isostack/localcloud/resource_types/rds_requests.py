"""Amazon RDS: what a program asks of a database instance, as the API takes it, what RDS refuses of it, and tags.

Source: the RDS API reference; property names as in pulumi_aws 7.
"""

from __future__ import annotations

import re
from typing import Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.row import Properties, tag_changes, tag_list, tag_map

# Property to parameter of CreateDBInstance.
PARAMETERS = {
    "allocatedStorage": "AllocatedStorage",
    "autoMinorVersionUpgrade": "AutoMinorVersionUpgrade",
    "availabilityZone": "AvailabilityZone",
    "backupRetentionPeriod": "BackupRetentionPeriod",
    "backupTarget": "BackupTarget",
    "backupWindow": "PreferredBackupWindow",
    "caCertIdentifier": "CACertificateIdentifier",
    "characterSetName": "CharacterSetName",
    "copyTagsToSnapshot": "CopyTagsToSnapshot",
    "customIamInstanceProfile": "CustomIamInstanceProfile",
    "customerOwnedIpEnabled": "EnableCustomerOwnedIp",
    "databaseInsightsMode": "DatabaseInsightsMode",
    "dbName": "DBName",
    "dbSubnetGroupName": "DBSubnetGroupName",
    "dedicatedLogVolume": "DedicatedLogVolume",
    "deletionProtection": "DeletionProtection",
    "domain": "Domain",
    "domainAuthSecretArn": "DomainAuthSecretArn",
    "domainDnsIps": "DomainDnsIps",
    "domainFqdn": "DomainFqdn",
    "domainIamRoleName": "DomainIAMRoleName",
    "domainOu": "DomainOu",
    "enabledCloudwatchLogsExports": "EnableCloudwatchLogsExports",
    "engine": "Engine",
    "engineLifecycleSupport": "EngineLifecycleSupport",
    "engineVersion": "EngineVersion",
    "iamDatabaseAuthenticationEnabled": "EnableIAMDatabaseAuthentication",
    "identifier": "DBInstanceIdentifier",
    "instanceClass": "DBInstanceClass",
    "iops": "Iops",
    "kmsKeyId": "KmsKeyId",
    "licenseModel": "LicenseModel",
    "maintenanceWindow": "PreferredMaintenanceWindow",
    "manageMasterUserPassword": "ManageMasterUserPassword",
    "masterUserSecretKmsKeyId": "MasterUserSecretKmsKeyId",
    "maxAllocatedStorage": "MaxAllocatedStorage",
    "monitoringInterval": "MonitoringInterval",
    "monitoringRoleArn": "MonitoringRoleArn",
    "multiAz": "MultiAZ",
    "ncharCharacterSetName": "NcharCharacterSetName",
    "networkType": "NetworkType",
    "optionGroupName": "OptionGroupName",
    "parameterGroupName": "DBParameterGroupName",
    "password": "MasterUserPassword",
    "performanceInsightsEnabled": "EnablePerformanceInsights",
    "performanceInsightsKmsKeyId": "PerformanceInsightsKMSKeyId",
    "performanceInsightsRetentionPeriod": "PerformanceInsightsRetentionPeriod",
    "port": "Port",
    "publiclyAccessible": "PubliclyAccessible",
    "storageEncrypted": "StorageEncrypted",
    "storageThroughput": "StorageThroughput",
    "storageType": "StorageType",
    "timezone": "Timezone",
    "username": "MasterUsername",
    "vpcSecurityGroupIds": "VpcSecurityGroupIds",
}
_INTEGERS = {
    "allocatedStorage",
    "backupRetentionPeriod",
    "iops",
    "maxAllocatedStorage",
    "monitoringInterval",
    "performanceInsightsRetentionPeriod",
    "port",
    "storageThroughput",
}
# What RDS takes for a version that is left out, or of which only the major part is given; moto's are ten years old.
_VERSIONS = {
    "mariadb": {"": "11.4.7", "10.6": "10.6.22", "10.11": "10.11.13", "11.4": "11.4.7"},
    "mysql": {"": "8.0.42", "8.0": "8.0.42", "8.4": "8.4.5"},
    "postgres": {"": "17.5", "13": "13.21", "14": "14.18", "15": "15.13", "16": "16.9", "17": "17.5"},
}
_LEAST_STORAGE = 20  # GiB, of general purpose volumes


def full_version(engine: str, version: str) -> str:
    return _VERSIONS.get(engine, {}).get(version, version)


def request_of(inputs: Properties, names: set[str]) -> Properties:
    """The parameters for these properties, of those that the program gives."""
    request: Properties = {}
    for name, parameter in PARAMETERS.items():
        value = inputs.get(name)
        if name not in names or value in (None, "", []):
            continue
        request[parameter] = int(value) if name in _INTEGERS else value
    if "EngineVersion" in request:
        request["EngineVersion"] = full_version(inputs.get("engine", ""), str(request["EngineVersion"]))
    return request


def require_valid_new(inputs: Properties) -> None:
    """Refuse a new instance that RDS would refuse, or that the local cloud cannot make."""
    if inputs.get("s3Import"):
        raise ProviderError("Instance: s3Import is not supported on the local cloud; create the instance empty")
    copied = [name for name in ("replicateSourceDb", "restoreToPointInTime", "snapshotIdentifier") if inputs.get(name)]
    if len(copied) > 1:
        raise ProviderError(f"Instance: give one of {' and '.join(copied)}")
    if not copied:
        needed = ["allocatedStorage", "engine", "username"]
        missing = [name for name in needed if not inputs.get(name)]
        if not any(inputs.get(name) for name in ("password", "passwordWo", "manageMasterUserPassword")):
            missing.append("password (or manageMasterUserPassword)")
        if missing:
            raise ProviderError(f"InvalidParameterCombination: a new database instance needs {', '.join(missing)}")
    require_valid(inputs)


def require_valid(inputs: Properties) -> None:
    """Refuse settings that RDS would refuse."""
    engine, password = str(inputs.get("engine") or ""), inputs.get("password")
    if password and inputs.get("manageMasterUserPassword"):
        raise ProviderError("InvalidParameterCombination: give either password or manageMasterUserPassword")
    if password and (len(password) < 8 or re.search(r"[/@\" ]", password)):
        raise ProviderError("InvalidParameterValue: password must have at least 8 characters, and no '/', '@', '\"' and space")
    if engine == "postgres" and inputs.get("username") in ("admin", "rdsadmin"):
        raise ProviderError(
            f"InvalidParameterValue: MasterUsername {inputs['username']} cannot be used as it is a reserved word used "
            "by the engine"
        )
    name = inputs.get("dbName")
    if name and engine in _VERSIONS and not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,63}", name):
        raise ProviderError(
            f"InvalidParameterValue: dbName {name!r} must begin with a letter and contain only letters, digits and '_'"
        )
    storage, kind = inputs.get("allocatedStorage"), inputs.get("storageType") or "gp2"
    if storage is not None and kind in ("gp2", "gp3") and engine in _VERSIONS and int(storage) < _LEAST_STORAGE:
        raise ProviderError(f"InvalidParameterValue: allocatedStorage is {storage}, and {kind} needs at least {_LEAST_STORAGE}")


def refuse_use(client: Any, error: str, name: str, used: Any) -> None:
    """Refuse to delete what a database instance uses, as RDS does; ``used(instance)`` gives the names in use."""
    for page in client.get_paginator("describe_db_instances").paginate():
        for instance in page["DBInstances"]:
            if name in used(instance):
                raise ProviderError(f"{error}: {name} is in use by database instance {instance['DBInstanceIdentifier']}")


def tags_of(client: Any, arn: str) -> dict[str, str]:
    return tag_map(client.list_tags_for_resource(ResourceName=arn)["TagList"])


def update_tags(client: Any, arn: str, old: Properties, new: Properties) -> None:
    tags, removed = tag_changes(old, new)
    if removed:
        client.remove_tags_from_resource(ResourceName=arn, TagKeys=removed)
    if tags:
        client.add_tags_to_resource(ResourceName=arn, Tags=tag_list(tags))
