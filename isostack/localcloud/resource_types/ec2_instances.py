"""Instances. Source: the EC2 API reference; property names as in pulumi_aws 7. Their disks are ``ec2_instance_disks``'s."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from isostack.engine.provider import Diff, ProviderError
from isostack.localcloud.resource_types import ec2_instance_disks
from isostack.localcloud.resource_types.ec2_requests import (
    Thing,
    all_or_nothing,
    arn,
    filters,
    given,
    has_tags_of,
    refuse,
    retag,
)
from isostack.localcloud.resource_types.row import Properties, ResourceType, tag_list, tag_map

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

_GONE = ("shutting-down", "terminated")
_METADATA = {
    "httpEndpoint": "HttpEndpoint",
    "httpProtocolIpv6": "HttpProtocolIpv6",
    "httpPutResponseHopLimit": "HttpPutResponseHopLimit",
    "httpTokens": "HttpTokens",
    "instanceMetadataTags": "InstanceMetadataTags",
}
# Switches that describe_instance_attribute shows, and modify_instance_attribute sets: property to its default.
_SWITCHES = {"disableApiStop": False, "disableApiTermination": False, "sourceDestCheck": True}
# What moto neither keeps nor changes, and what does not show locally.
_KEPT_HERE_ONLY = (
    "capacityReservationSpecification",
    "cpuOptions",
    "creditSpecification",
    "enablePrimaryIpv6",
    "enclaveOptions",
    "ephemeralBlockDevices",
    "forceDestroy",
    "getPasswordData",
    "hibernation",
    "instanceMarketOptions",
    "launchTemplate",
    "maintenanceOptions",
    "networkInterfaces",
    "placementGroup",
    "placementGroupId",
    "placementPartitionNumber",
    "primaryNetworkInterface",
    "privateDnsNameOptions",
    "secondaryPrivateIps",
    "userDataReplaceOnChange",
    "volumeTags",
)


def _create_instance(cloud: Cloud, inputs: Properties) -> str:
    why = "the local cloud has no such instances"
    refuse(inputs, "Instance", why, "hostResourceGroupArn", "ipv6Addresses", "secondaryNetworkInterfaces")
    for name in ("ami", "instanceType"):
        if not inputs.get(name) and not inputs.get("launchTemplate"):
            raise ProviderError(f"Instance: one of {name} and launchTemplate must be specified")
    ec2 = cloud.client("ec2")
    instance = ec2.run_instances(MinCount=1, MaxCount=1, **_parameters(cloud, inputs))["Instances"][0]
    id_ = str(instance["InstanceId"])

    def finish() -> None:
        ec2_instance_disks.tag_disks(cloud, instance, inputs)
        # moto ignores the first two in a launch, and AWS takes no sourceDestCheck there.
        different = {name for name, default in _SWITCHES.items() if inputs.get(name, default) != default}
        _set_switches(cloud, id_, inputs, different)

    all_or_nothing(lambda: ec2.terminate_instances(InstanceIds=[id_]), finish)
    return id_


def _parameters(cloud: Cloud, inputs: Properties) -> dict[str, Any]:
    template = inputs.get("launchTemplate") or {}
    credit, market = inputs.get("creditSpecification"), inputs.get("instanceMarketOptions")
    cpu = inputs.get("cpuOptions") or {}
    tags = {"instance": inputs.get("tagsAll"), "volume": inputs.get("volumeTags")}
    return given(
        BlockDeviceMappings=ec2_instance_disks.mappings(cloud, inputs),
        CpuOptions=given(CoreCount=cpu.get("coreCount"), ThreadsPerCore=cpu.get("threadsPerCore")),
        CreditSpecification=credit and {"CpuCredits": credit.get("cpuCredits", "standard")},
        DisableApiStop=inputs.get("disableApiStop"),
        DisableApiTermination=inputs.get("disableApiTermination"),
        EbsOptimized=inputs.get("ebsOptimized"),
        HibernationOptions={"Configured": True} if inputs.get("hibernation") else None,
        IamInstanceProfile=given(Name=inputs.get("iamInstanceProfile")),
        ImageId=inputs.get("ami"),
        InstanceInitiatedShutdownBehavior=inputs.get("instanceInitiatedShutdownBehavior"),
        InstanceMarketOptions=market and {"MarketType": market.get("marketType", "spot")},
        InstanceType=inputs.get("instanceType"),
        KeyName=inputs.get("keyName"),
        LaunchTemplate=given(
            LaunchTemplateId=template.get("id"),
            LaunchTemplateName=None if template.get("id") else template.get("name"),
            Version=template.get("version"),
        ),
        MetadataOptions=_metadata_parameters(inputs),
        Monitoring={"Enabled": True} if inputs.get("monitoring") else None,
        Placement=given(
            AvailabilityZone=inputs.get("availabilityZone"),
            GroupName=inputs.get("placementGroup"),
            HostId=inputs.get("hostId"),
            Tenancy=inputs.get("tenancy"),
        ),
        SecurityGroups=inputs.get("securityGroups"),
        TagSpecifications=[{"ResourceType": kind, "Tags": tag_list(some)} for kind, some in tags.items() if some],
        UserData=_user_data(inputs),
        **_network(inputs),
    )


def _network(inputs: Properties) -> dict[str, Any]:
    """The interfaces of a new instance. AWS takes the wish for a public address with an interface only."""
    interfaces = list(inputs.get("networkInterfaces") or [])
    if inputs.get("primaryNetworkInterface"):
        interfaces.append({**inputs["primaryNetworkInterface"], "deviceIndex": 0})
    if interfaces:
        return {
            "NetworkInterfaces": [
                {"DeviceIndex": int(one["deviceIndex"]), "NetworkInterfaceId": one["networkInterfaceId"]} for one in interfaces
            ]
        }
    groups, subnet = inputs.get("vpcSecurityGroupIds"), inputs.get("subnetId")
    if subnet and not inputs.get("ipv6AddressCount"):
        interface = given(
            AssociatePublicIpAddress=inputs.get("associatePublicIpAddress"),
            Groups=groups,
            PrivateIpAddress=inputs.get("privateIp"),
            SubnetId=subnet,
        )
        return {"NetworkInterfaces": [{"DeviceIndex": 0, "DeleteOnTermination": True, **interface}]}
    return given(
        Ipv6AddressCount=inputs.get("ipv6AddressCount"),
        PrivateIpAddress=inputs.get("privateIp"),
        SecurityGroupIds=groups,
        SubnetId=subnet,
    )


def _metadata_parameters(inputs: Properties) -> dict[str, Any]:
    options = inputs.get("metadataOptions") or {}
    return given(**{parameter: options.get(name) for name, parameter in _METADATA.items()})


def _user_data(inputs: Properties) -> str | bytes | None:
    if inputs.get("userDataBase64"):
        return base64.b64decode(inputs["userDataBase64"])
    return inputs.get("userData")


def _set_switches(cloud: Cloud, id_: str, properties: Properties, names: set[str]) -> None:
    for name in sorted(names & _SWITCHES.keys()):
        value = {"Value": bool(properties.get(name, _SWITCHES[name]))}
        cloud.client("ec2").modify_instance_attribute(InstanceId=id_, **{name[0].upper() + name[1:]: value})


def _instance(cloud: Cloud, id_: str) -> Thing | None:
    reservations = cloud.client("ec2").describe_instances(InstanceIds=[id_])["Reservations"]
    instance = reservations[0]["Instances"][0]
    return None if instance["State"]["Name"] in _GONE else dict(instance)


def _attribute(cloud: Cloud, id_: str, name: str) -> Any:
    answer = cloud.client("ec2").describe_instance_attribute(InstanceId=id_, Attribute=name)
    return answer.get(name[0].upper() + name[1:], {}).get("Value")


def _read_instance(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    instance = _instance(cloud, id_)
    if instance is None:
        return None
    interface: Thing = next(iter(instance.get("NetworkInterfaces", [])), {})
    # moto changes the groups of an instance, and not those of its interface.
    groups = instance.get("SecurityGroups") or interface.get("Groups", [])
    placement, shown_ipv6 = instance["Placement"], [one["Ipv6Address"] for one in interface.get("Ipv6Addresses", [])]
    profile = instance.get("IamInstanceProfile", {}).get("Arn", "")
    return {
        "ami": instance["ImageId"],
        "arn": arn(cloud, "instance", id_),
        "associatePublicIpAddress": known.get("associatePublicIpAddress", bool(interface.get("Association"))),
        "availabilityZone": placement["AvailabilityZone"],
        "ebsOptimized": instance["EbsOptimized"],
        "hostId": placement.get("HostId", ""),
        "iamInstanceProfile": profile.rpartition("/")[2],
        "instanceInitiatedShutdownBehavior": _attribute(cloud, id_, "instanceInitiatedShutdownBehavior"),
        "instanceLifecycle": instance.get("InstanceLifecycle", ""),
        "instanceState": instance["State"]["Name"],
        "instanceType": instance["InstanceType"],
        "ipv6AddressCount": len(shown_ipv6),
        "ipv6Addresses": shown_ipv6,
        "keyName": instance.get("KeyName", ""),
        "metadataOptions": {name: instance["MetadataOptions"].get(key) for name, key in _METADATA.items()},
        # moto cannot turn it on or off later.
        "monitoring": known.get("monitoring", instance["Monitoring"]["State"] == "enabled"),
        "outpostArn": "",
        "passwordData": "",
        "primaryNetworkInterfaceId": interface.get("NetworkInterfaceId", ""),
        "privateDns": instance.get("PrivateDnsName", ""),
        "privateIp": instance.get("PrivateIpAddress", ""),
        "publicDns": instance.get("PublicDnsName", ""),
        "publicIp": instance.get("PublicIpAddress", ""),
        "securityGroups": [group["GroupName"] for group in groups] if known.get("securityGroups") else [],
        "sourceDestCheck": instance["SourceDestCheck"],
        "spotInstanceRequestId": instance.get("SpotInstanceRequestId", ""),
        "subnetId": instance.get("SubnetId", ""),
        "tagsAll": tag_map(instance.get("Tags")),
        "tenancy": known.get("tenancy") or placement.get("Tenancy", "default"),
        "vpcSecurityGroupIds": [group["GroupId"] for group in groups],
        **{name: _attribute(cloud, id_, name) for name in ("disableApiStop", "disableApiTermination")},
        **_user_data_outputs(cloud, id_, known),
        **ec2_instance_disks.disks(cloud, instance, known),
    }


def _user_data_outputs(cloud: Cloud, id_: str, known: Properties) -> Properties:
    encoded = _attribute(cloud, id_, "userData")
    if not encoded:
        return {}
    try:
        plain = base64.b64decode(encoded).decode()
    except UnicodeDecodeError:
        plain = ""
    return {"userDataBase64": encoded} if known.get("userDataBase64") or not plain else {"userData": plain}


def _update_instance(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    ec2 = cloud.client("ec2")
    _set_switches(cloud, id_, new, changed)
    if "vpcSecurityGroupIds" in changed and new.get("vpcSecurityGroupIds"):
        ec2.modify_instance_attribute(InstanceId=id_, Groups=new["vpcSecurityGroupIds"])
    if "instanceInitiatedShutdownBehavior" in changed and new.get("instanceInitiatedShutdownBehavior"):
        # By a parameter of its own moto would take it for a change of the groups, to none.
        behavior = {"Attribute": "instanceInitiatedShutdownBehavior", "Value": new["instanceInitiatedShutdownBehavior"]}
        ec2.modify_instance_attribute(InstanceId=id_, **behavior)
    if "metadataOptions" in changed and new.get("metadataOptions"):
        options = {**(old.get("metadataOptions") or {}), **new["metadataOptions"]}
        ec2.modify_instance_metadata_options(InstanceId=id_, **_metadata_parameters({"metadataOptions": options}))
    if "iamInstanceProfile" in changed:
        _set_profile(cloud, id_, new.get("iamInstanceProfile"))
    if changed & {"instanceType", "userData", "userDataBase64"}:
        _change_stopped(cloud, id_, new, changed)
    if "rootBlockDevice" in changed and new.get("rootBlockDevice"):
        ec2_instance_disks.change_disk(cloud, id_, old.get("rootBlockDevice") or {}, new["rootBlockDevice"])
    if "volumeTags" in changed:
        for disk in (old.get("rootBlockDevice"), *(old.get("ebsBlockDevices") or [])):
            if disk:
                before, after = {"tagsAll": old.get("volumeTags")}, {"tagsAll": new.get("volumeTags")}
                retag(cloud, disk["volumeId"], before, after)
    if "tagsAll" in changed:
        retag(cloud, id_, old, new)


def _change_stopped(cloud: Cloud, id_: str, new: Properties, changed: set[str]) -> None:
    """Change what AWS changes of a stopped instance only."""
    ec2 = cloud.client("ec2")
    ec2.stop_instances(InstanceIds=[id_])
    try:
        if "instanceType" in changed and new.get("instanceType"):
            ec2.modify_instance_attribute(InstanceId=id_, InstanceType={"Value": new["instanceType"]})
        if changed & {"userData", "userDataBase64"}:
            data = _user_data(new) or ""
            encoded = base64.b64encode(data.encode() if isinstance(data, str) else data)
            # boto3 encodes the value as it does any blob; moto expects it to be encoded twice.
            ec2.modify_instance_attribute(InstanceId=id_, UserData={"Value": encoded})
    finally:
        ec2.start_instances(InstanceIds=[id_])


def _set_profile(cloud: Cloud, id_: str, name: str | None) -> None:
    ec2 = cloud.client("ec2")
    found = ec2.describe_iam_instance_profile_associations(Filters=filters(instance_id=id_))
    for association in found["IamInstanceProfileAssociations"]:
        if association["State"] in ("associated", "associating"):
            ec2.disassociate_iam_instance_profile(AssociationId=association["AssociationId"])
    if name:
        ec2.associate_iam_instance_profile(InstanceId=id_, IamInstanceProfile={"Name": name})


def _delete_instance(cloud: Cloud, id_: str, known: Properties) -> None:
    if _instance(cloud, id_) is None:
        return
    if known.get("forceDestroy"):
        _set_switches(cloud, id_, {}, {"disableApiStop", "disableApiTermination"})
    cloud.client("ec2").terminate_instances(InstanceIds=[id_])


def _find_instance(cloud: Cloud, inputs: Properties) -> list[str]:
    asked = given(image_id=inputs.get("ami"), subnet_id=inputs.get("subnetId"), instance_type=inputs.get("instanceType"))
    alive = filters(instance_state_name=("pending", "running", "stopping", "stopped"))
    reservations = cloud.client("ec2").describe_instances(Filters=[*alive, *filters(**asked)])["Reservations"]
    return [
        instance["InstanceId"]
        for reservation in reservations
        for instance in reservation["Instances"]
        if has_tags_of(instance, inputs)
    ]


_REPLACE_ON = {
    "ami",
    "associatePublicIpAddress",
    "availabilityZone",
    "cpuOptions",
    "ebsBlockDevices",
    "ebsOptimized",
    "enclaveOptions",
    "ephemeralBlockDevices",
    "hibernation",
    "hostId",
    "hostResourceGroupArn",
    "instanceMarketOptions",
    "ipv6AddressCount",
    "ipv6Addresses",
    "keyName",
    "launchTemplate",
    "networkInterfaces",
    "placementGroup",
    "placementGroupId",
    "placementPartitionNumber",
    "primaryNetworkInterface",
    "privateIp",
    "secondaryNetworkInterfaces",
    "securityGroups",
    "subnetId",
    "tenancy",
}


def _compare_instance(old: Properties, new: Properties, changed: set[str]) -> Diff:
    """User data replaces where the program says so, and the root disk where AWS cannot change it."""
    replaces = changed & _REPLACE_ON
    if new.get("userDataReplaceOnChange"):
        replaces |= changed & {"userData", "userDataBase64"}
    root = new.get("rootBlockDevice")
    if "rootBlockDevice" in changed and ec2_instance_disks.replaces(old.get("rootBlockDevice") or {}, root or {}):
        replaces.add("rootBlockDevice")
    return Diff(tuple(sorted(changed)), tuple(sorted(replaces)))


RESOURCE_TYPES = (
    ResourceType(
        token="aws:ec2/instance:Instance",
        service="ec2",
        create=_create_instance,
        read=_read_instance,
        update=_update_instance,
        delete=_delete_instance,
        find=_find_instance,
        compare=_compare_instance,
        computed=(
            "arn",
            "instanceLifecycle",
            "instanceState",
            "outpostArn",
            "passwordData",
            "primaryNetworkInterfaceId",
            "privateDns",
            "publicDns",
            "publicIp",
            "spotInstanceRequestId",
        ),
        sticky=(
            "ami",
            "associatePublicIpAddress",
            "availabilityZone",
            "capacityReservationSpecification",
            "cpuOptions",
            "creditSpecification",
            "disableApiStop",
            "disableApiTermination",
            "ebsBlockDevices",
            "ebsOptimized",
            "enclaveOptions",
            "hostId",
            "iamInstanceProfile",
            "instanceInitiatedShutdownBehavior",
            "instanceType",
            "ipv6AddressCount",
            "ipv6Addresses",
            "keyName",
            "maintenanceOptions",
            "metadataOptions",
            "monitoring",
            "networkInterfaces",
            "placementGroup",
            "privateDnsNameOptions",
            "privateIp",
            "rootBlockDevice",
            "secondaryPrivateIps",
            "securityGroups",
            "subnetId",
            "tenancy",
            "vpcSecurityGroupIds",
        ),
        local=_KEPT_HERE_ONLY,
        defaults={"forceDestroy": False, "getPasswordData": False, "sourceDestCheck": True, "userDataReplaceOnChange": False},
        sets=("ebsBlockDevices", "networkInterfaces", "secondaryPrivateIps", "securityGroups", "vpcSecurityGroupIds"),
        tagged=True,
        limits="nothing runs; no host resource groups, no chosen IPv6 addresses, no secondary networks",
    ),
)
