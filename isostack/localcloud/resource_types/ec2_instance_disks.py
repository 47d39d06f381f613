"""The disks of instances: ``rootBlockDevice`` and ``ebsBlockDevices``. Source: the EC2 API reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isostack.localcloud.resource_types.ec2_requests import Thing, filters, given, retag
from isostack.localcloud.resource_types.row import Properties, tag_map

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

_ROOT_SIZE = 8  # GiB; what Amazon's images have
_ROOT_NAME = "/dev/sda1"  # what moto gives an image that it does not know
# What changes on a disk in use: property to parameter of modify_volume.
_MODIFIED = {"iops": "Iops", "throughput": "Throughput", "volumeSize": "Size", "volumeType": "VolumeType"}
_TAGS = {"tags", "tagsAll"}
CHANGED_IN_PLACE = {"deleteOnTermination", *_MODIFIED, *_TAGS}


def _root_name(cloud: Cloud, image: str) -> str:
    """The name of an image's root device. Programs name images that the local cloud does not have, so none is no error."""
    images = cloud.client("ec2").describe_images(Filters=filters(image_id=image))["Images"]
    return str(images[0]["RootDeviceName"]) if images else _ROOT_NAME


def _mapping(name: str, disk: Properties, size: int | None = None) -> dict[str, Any]:
    ebs = given(
        Encrypted=disk.get("encrypted"),
        Iops=disk.get("iops"),
        KmsKeyId=disk.get("kmsKeyId"),
        SnapshotId=disk.get("snapshotId"),
        Throughput=disk.get("throughput"),
        VolumeSize=disk.get("volumeSize") or size,
        VolumeType=disk.get("volumeType"),
    )
    return {"DeviceName": name, "Ebs": {"DeleteOnTermination": bool(disk.get("deleteOnTermination", True)), **ebs}}


def mappings(cloud: Cloud, inputs: Properties) -> list[dict[str, Any]]:
    """``BlockDeviceMappings`` of a new instance; moto makes a root disk only where no disk is named."""
    root, others = inputs.get("rootBlockDevice"), inputs.get("ebsBlockDevices") or []
    if not root and not others:
        return []
    name = _root_name(cloud, inputs.get("ami", ""))
    first = _mapping(name, root or {}, _ROOT_SIZE)
    return [first, *(_mapping(disk["deviceName"], disk) for disk in others)]


def disks(cloud: Cloud, instance: Thing, known: Properties) -> Properties:
    """``rootBlockDevice`` and ``ebsBlockDevices`` as they are."""
    volumes = cloud.client("ec2").describe_volumes(Filters=filters(attachment__instance_id=instance["InstanceId"]))
    by_id = {volume["VolumeId"]: volume for volume in volumes["Volumes"]}
    asked: dict[str, Properties] = {disk["deviceName"]: disk for disk in known.get("ebsBlockDevices") or []}
    shown: dict[str, Properties] = {}
    root = instance.get("RootDeviceName", _ROOT_NAME)
    names = [mapping["DeviceName"] for mapping in instance.get("BlockDeviceMappings", [])]
    if root not in names and names and names[0] not in asked:
        root = names[0]  # moto's own root disk does not go by the image's name for it
    for mapping in instance.get("BlockDeviceMappings", []):
        name, volume = mapping["DeviceName"], by_id.get(mapping["Ebs"]["VolumeId"])
        wanted = known.get("rootBlockDevice") if name == root else asked.get(name)
        if volume:
            shown[name] = _disk(mapping, volume, wanted or {})
    first = shown.pop(root, None)
    order = [*asked, *(name for name in shown if name not in asked)]
    others = [shown[name] | {"snapshotId": asked.get(name, {}).get("snapshotId", "")} for name in order if name in shown]
    return {**given(rootBlockDevice=first), "ebsBlockDevices": others}


def _disk(mapping: Thing, volume: Thing, known: Properties) -> Properties:
    tags = tag_map(volume.get("Tags"))
    return {
        "deleteOnTermination": mapping["Ebs"]["DeleteOnTermination"],
        "deviceName": mapping["DeviceName"],
        "encrypted": volume["Encrypted"],
        # moto does not take these over from the request.
        "iops": known.get("iops") or volume.get("Iops", 0),
        "kmsKeyId": known.get("kmsKeyId") or volume.get("KmsKeyId", ""),
        "tags": tags,
        "tagsAll": tags,
        "throughput": known.get("throughput") or volume.get("Throughput", 0),
        "volumeId": volume["VolumeId"],
        "volumeSize": volume["Size"],
        "volumeType": volume["VolumeType"],
    }


def tag_disks(cloud: Cloud, instance: Thing, inputs: Properties) -> None:
    """Give new disks the tags that are asked for each."""
    root: Properties = inputs.get("rootBlockDevice") or {}
    wanted = {disk["deviceName"]: disk for disk in inputs.get("ebsBlockDevices") or []}
    for mapping in instance.get("BlockDeviceMappings", []):
        disk = wanted.get(mapping["DeviceName"], root)
        if disk.get("tags"):
            retag(cloud, mapping["Ebs"]["VolumeId"], {}, {"tagsAll": disk["tags"]})


def change_disk(cloud: Cloud, instance: str, old: Properties, new: Properties) -> None:
    """Change what can be changed of a disk in use."""
    ec2 = cloud.client("ec2")
    changed = {name for name, value in new.items() if old.get(name) != value}
    parameters = {parameter: new[name] for name, parameter in _MODIFIED.items() if name in changed and new[name]}
    if parameters:
        ec2.modify_volume(VolumeId=old["volumeId"], **parameters)
    if "deleteOnTermination" in changed:
        flag = {"DeviceName": old["deviceName"], "Ebs": {"DeleteOnTermination": bool(new["deleteOnTermination"])}}
        ec2.modify_instance_attribute(InstanceId=instance, BlockDeviceMappings=[flag])
    if changed & _TAGS:
        retag(cloud, old["volumeId"], {"tagsAll": old.get("tags")}, {"tagsAll": new.get("tags")})


def replaces(old: Properties, new: Properties) -> bool:
    """Whether a root disk can only become what is wanted on a new instance."""
    return any(old.get(name) != value for name, value in new.items() if name not in CHANGED_IN_PLACE and value is not None)
