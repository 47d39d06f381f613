"""Key pairs, and the look-up of machine images. Source: the EC2 API reference; property names as in pulumi_aws 7."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.ec2_requests import (
    Thing,
    arn,
    asked_filters,
    given,
    tagged,
    update_tags,
)
from isostack.localcloud.resource_types.row import (
    AutoName,
    Function,
    Properties,
    ResourceType,
    tag_map,
)

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

# -- key pairs ---------------------------------------------------------------------------------------------------------


def _create_key_pair(cloud: Cloud, inputs: Properties) -> str:
    answer = cloud.client("ec2").import_key_pair(
        KeyName=inputs["keyName"], PublicKeyMaterial=inputs["publicKey"].strip().encode(), **tagged("key-pair", inputs)
    )
    return str(answer["KeyName"])


def _read_key_pair(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    pair = cloud.client("ec2").describe_key_pairs(KeyNames=[id_], IncludePublicKey=True)["KeyPairs"][0]
    return {
        "arn": arn(cloud, "key-pair", id_),
        "fingerprint": pair["KeyFingerprint"],
        "keyName": pair["KeyName"],
        "keyNamePrefix": known.get("keyNamePrefix", ""),
        "keyPairId": pair["KeyPairId"],
        "keyType": pair["KeyType"],
        # AWS gives back another comment than it got.
        "publicKey": known.get("publicKey") or pair.get("PublicKey", ""),
        "tagsAll": tag_map(pair.get("Tags")),
    }


def _update_key_pair(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    update_tags(cloud, old["keyPairId"], old, new, changed)


def _delete_key_pair(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("ec2").delete_key_pair(KeyName=id_)


# -- machine images ----------------------------------------------------------------------------------------------------


def _get_ami(cloud: Cloud, arguments: Properties) -> Properties:
    images: list[Thing] = cloud.client("ec2").describe_images(
        **asked_filters(arguments),
        **given(
            ExecutableUsers=arguments.get("executableUsers"),
            IncludeDeprecated=arguments.get("includeDeprecated"),
            Owners=arguments.get("owners"),
        ),
    )["Images"]
    if pattern := arguments.get("nameRegex"):
        images = [image for image in images if re.search(pattern, image.get("Name", ""))]
    if not images:
        raise ProviderError("getAmi: your query returned no results; please change your search criteria and try again")
    if len(images) > 1 and not arguments.get("mostRecent"):
        raise ProviderError(
            "getAmi: your query returned more than one result; please try a more specific search criteria, or set mostRecent"
        )
    return _image(cloud, max(images, key=_age), arguments)


def _age(image: Thing) -> tuple[str, str]:
    """What orders images by age: moto dates AWS's own by its start, but they have their day in their names."""
    name = image.get("Name", "")
    day = re.search(r"(?<!\d)20\d{6}(?!\d)", name) or re.search(r"20\d\d\.\d\d\.\d\d", name)
    date = day[0] if day and image["Public"] else image["CreationDate"][:19].replace("-", "")
    return date.replace(".", ""), name


def _image(cloud: Cloud, image: Thing, arguments: Properties) -> Properties:
    root = image.get("RootDeviceName", "")
    disks = [
        {
            "deviceName": one["DeviceName"],
            "ebs": {key: _text(one.get("Ebs", {}).get(parameter)) for key, parameter in _EBS.items()},
            "noDevice": one.get("NoDevice", ""),
            "virtualName": one.get("VirtualName", ""),
        }
        for one in image.get("BlockDeviceMappings", [])
    ]
    snapshots = [disk["ebs"]["snapshot_id"] for disk in disks if disk["deviceName"] == root]
    asked = ("executableUsers", "filters", "includeDeprecated", "mostRecent", "nameRegex", "owners", "uefiData")
    return {
        **{name: arguments[name] for name in asked if name in arguments},
        **{name: image.get(key, "") for name, key in _IMAGE.items()},
        "arn": f"arn:{cloud.partition}:ec2:{cloud.region}::image/{image['ImageId']}",
        "blockDeviceMappings": disks,
        "enaSupport": image.get("EnaSupport", False),
        "id": image["ImageId"],
        "productCodes": [],
        "public": image["Public"],
        "region": cloud.region,
        "rootSnapshotId": snapshots[0] if snapshots else "",
        "stateReason": {"code": "UNSET", "message": "UNSET"},
        "tags": tag_map(image.get("Tags")),
    }


def _text(value: object) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


# The one map of the look-up that keeps Terraform's spelling of its keys.
_EBS = {
    "delete_on_termination": "DeleteOnTermination",
    "encrypted": "Encrypted",
    "iops": "Iops",
    "snapshot_id": "SnapshotId",
    "throughput": "Throughput",
    "volume_size": "VolumeSize",
    "volume_type": "VolumeType",
}
_IMAGE = {
    "architecture": "Architecture",
    "bootMode": "BootMode",
    "creationDate": "CreationDate",
    "deprecationTime": "DeprecationTime",
    "description": "Description",
    "hypervisor": "Hypervisor",
    "imageId": "ImageId",
    "imageLocation": "ImageLocation",
    "imageOwnerAlias": "ImageOwnerAlias",
    "imageType": "ImageType",
    "imdsSupport": "ImdsSupport",
    "kernelId": "KernelId",
    "lastLaunchedTime": "LastLaunchedTime",
    "name": "Name",
    "ownerId": "OwnerId",
    "platform": "Platform",
    "platformDetails": "PlatformDetails",
    "ramdiskId": "RamdiskId",
    "rootDeviceName": "RootDeviceName",
    "rootDeviceType": "RootDeviceType",
    "sriovNetSupport": "SriovNetSupport",
    "state": "State",
    "tpmSupport": "TpmSupport",
    "usageOperation": "UsageOperation",
    "virtualizationType": "VirtualizationType",
}


RESOURCE_TYPES = (
    ResourceType(
        token="aws:ec2/keyPair:KeyPair",
        service="ec2",
        create=_create_key_pair,
        read=_read_key_pair,
        update=_update_key_pair,
        delete=_delete_key_pair,
        required=("publicKey",),
        replace_on=("keyName", "keyNamePrefix", "publicKey"),
        computed=("arn", "fingerprint", "keyPairId", "keyType"),
        sticky=("keyNamePrefix",),
        name=AutoName(property="keyName", max_length=255, unless=("keyNamePrefix",)),
        tagged=True,
    ),
)

FUNCTIONS = (Function(token="aws:ec2/getAmi:getAmi", service="ec2", call=_get_ami),)
