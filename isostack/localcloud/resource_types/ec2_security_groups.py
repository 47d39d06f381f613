"""Security groups with the rules inside them. Source: the EC2 API reference; property names as in pulumi_aws 7.

Rules that are resources of their own are in ``ec2_security_group_rules`` and ``vpc``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.ec2_permissions import (
    Permission,
    change_permissions,
    existing_permissions,
    permissions_of,
    require_description,
    rules_shown,
)
from isostack.localcloud.resource_types.ec2_requests import (
    Thing,
    all_or_nothing,
    asked_filters,
    filters,
    given,
    has_tags_of,
    ids_found,
    only,
    retag,
    tagged,
)
from isostack.localcloud.resource_types.row import (
    AutoName,
    Created,
    Function,
    Properties,
    ResourceType,
    tag_map,
)

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

# Direction, which is also the property, to where EC2 shows it.
_DIRECTIONS = {"ingress": "IpPermissions", "egress": "IpPermissionsEgress"}


def _group(cloud: Cloud, id_: str) -> Thing:
    return dict(cloud.client("ec2").describe_security_groups(GroupIds=[id_])["SecurityGroups"][0])


def _wanted(cloud: Cloud, inputs: Properties, direction: str, group: str) -> list[Permission]:
    rules = inputs.get(direction) or []
    return [one for rule in rules for one in permissions_of(cloud, f"SecurityGroup {direction}", rule, group)]


def _change_rules(cloud: Cloud, group: Thing, inputs: Properties, *directions: str) -> None:
    for direction in directions:
        existing = existing_permissions(cloud, group[_DIRECTIONS[direction]])
        wanted = _wanted(cloud, inputs, direction, group["GroupId"])
        change_permissions(cloud, group["GroupId"], direction, existing, wanted)


def _create_group(cloud: Cloud, inputs: Properties) -> Created:
    require_description("SecurityGroup", inputs.get("description"))
    if inputs["name"].startswith("sg-"):
        raise ProviderError(f"SecurityGroup: name {inputs['name']!r} cannot begin with sg-")
    for direction in _DIRECTIONS:
        _wanted(cloud, inputs, direction, "")  # refuses before there is anything
    ec2 = cloud.client("ec2")
    id_ = ec2.create_security_group(
        GroupName=inputs["name"],
        Description=inputs["description"],
        **given(VpcId=inputs.get("vpcId")),
        **tagged("security-group", inputs),
    )["GroupId"]
    shown: Thing = {}

    def apply_rules() -> None:
        # A new group lets everything out; without a rule for it in the program it shall not.
        shown.update(_group(cloud, id_))
        _change_rules(cloud, shown, inputs, *_DIRECTIONS)

    all_or_nothing(lambda: ec2.delete_security_group(GroupId=id_), apply_rules)
    rules = {
        direction: rules_shown(cloud, inputs.get(direction), _wanted(cloud, inputs, direction, id_), id_)
        for direction in _DIRECTIONS
    }
    return Created(id_, _group_outputs(cloud, shown, inputs) | rules)


def _group_outputs(cloud: Cloud, group: Thing, known: Properties) -> Properties:
    id_ = group["GroupId"]
    return {
        "arn": group["SecurityGroupArn"],
        "description": group["Description"],
        "name": group["GroupName"],
        "namePrefix": known.get("namePrefix", ""),
        "ownerId": group["OwnerId"],
        "tagsAll": tag_map(group.get("Tags")),
        "vpcId": group.get("VpcId", ""),
        **{
            direction: rules_shown(cloud, known.get(direction), existing_permissions(cloud, group[key]), id_)
            for direction, key in _DIRECTIONS.items()
        },
    }


def _read_group(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    return _group_outputs(cloud, _group(cloud, id_), known)


def _update_group(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    directions = changed & _DIRECTIONS.keys()
    if directions:
        _change_rules(cloud, _group(cloud, id_), new, *sorted(directions))
    if "tagsAll" in changed:
        retag(cloud, id_, old, new)


def _delete_group(cloud: Cloud, id_: str, known: Properties) -> None:
    if known.get("revokeRulesOnDelete"):
        _revoke_all(cloud, id_)
    cloud.client("ec2").delete_security_group(GroupId=id_)


def _revoke_all(cloud: Cloud, id_: str) -> None:
    """Revoke the rules of a group, and those of other groups that name it."""
    for group in cloud.client("ec2").describe_security_groups()["SecurityGroups"]:
        for direction, key in _DIRECTIONS.items():
            existing = existing_permissions(cloud, group[key])
            others = [one for one in existing if id_ not in (one.source, group["GroupId"])]
            change_permissions(cloud, group["GroupId"], direction, existing, others)


def _find_group(cloud: Cloud, inputs: Properties) -> list[str]:
    asked = filters(group_name=inputs["name"], vpc_id=inputs.get("vpcId") or _default_vpc(cloud))
    groups = cloud.client("ec2").describe_security_groups(Filters=asked)["SecurityGroups"]
    return [group["GroupId"] for group in groups if has_tags_of(group, inputs)]


def _default_vpc(cloud: Cloud) -> str:
    vpcs = cloud.client("ec2").describe_vpcs(Filters=filters(is_default="true"))["Vpcs"]
    return str(only(vpcs, "default EC2 VPC")["VpcId"])


# -- the VPC's own group -----------------------------------------------------------------------------------------------


def _create_default_group(cloud: Cloud, inputs: Properties) -> str:
    """Take the group over: its rules and tags become what is given, as Terraform does it."""
    asked = filters(group_name="default", vpc_id=inputs.get("vpcId") or _default_vpc(cloud))
    groups = cloud.client("ec2").describe_security_groups(Filters=asked)["SecurityGroups"]
    group = only(groups, "default EC2 Security Group")
    _change_rules(cloud, group, inputs, *_DIRECTIONS)
    retag(cloud, group["GroupId"], {"tagsAll": tag_map(group.get("Tags"))}, inputs)
    return str(group["GroupId"])


def _leave(cloud: Cloud, id_: str, known: Properties) -> None:
    """What AWS makes with every VPC stays until the VPC goes."""


# -- look-ups ----------------------------------------------------------------------------------------------------------


def _get_group(cloud: Cloud, arguments: Properties) -> Properties:
    asked = asked_filters(arguments, group_name=arguments.get("name"), vpc_id=arguments.get("vpcId"))
    ids = {"GroupIds": [arguments["id"]]} if arguments.get("id") else {}
    group = only(cloud.client("ec2").describe_security_groups(**ids, **asked)["SecurityGroups"], "EC2 Security Group")
    return {
        "arn": group["SecurityGroupArn"],
        "description": group["Description"],
        "filters": arguments.get("filters") or [],
        "id": group["GroupId"],
        "name": group["GroupName"],
        "region": cloud.region,
        "tags": tag_map(group.get("Tags")),
        "vpcId": group.get("VpcId", ""),
    }


def _get_groups(cloud: Cloud, arguments: Properties) -> dict[str, Any]:
    groups = cloud.client("ec2").describe_security_groups(**asked_filters(arguments))["SecurityGroups"]
    groups = sorted(groups, key=lambda group: str(group["GroupId"]))
    return {
        **ids_found(cloud, arguments, [group["GroupId"] for group in groups]),
        "arns": [group["SecurityGroupArn"] for group in groups],
        "vpcIds": [group.get("VpcId", "") for group in groups],
    }


_RULE_SETS = ("egress", "egress.securityGroups", "ingress", "ingress.securityGroups")

RESOURCE_TYPES = (
    ResourceType(
        token="aws:ec2/securityGroup:SecurityGroup",
        service="ec2",
        create=_create_group,
        read=_read_group,
        update=_update_group,
        delete=_delete_group,
        find=_find_group,
        name=AutoName(max_length=255),
        replace_on=("description", "name", "namePrefix", "vpcId"),
        computed=("arn", "ownerId"),
        sticky=("egress", "ingress", "namePrefix", "vpcId"),
        sets=_RULE_SETS,
        local=("revokeRulesOnDelete",),
        defaults={"description": "Managed by Pulumi", "revokeRulesOnDelete": False},
        tagged=True,
    ),
    ResourceType(
        token="aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
        service="ec2",
        create=_create_default_group,
        read=_read_group,
        update=_update_group,
        delete=_leave,
        replace_on=("vpcId",),
        computed=("arn", "description", "name", "namePrefix", "ownerId"),
        sticky=("egress", "ingress", "vpcId"),
        sets=_RULE_SETS,
        local=("revokeRulesOnDelete",),
        defaults={"revokeRulesOnDelete": False},
        tagged=True,
        adopts=True,
    ),
)

FUNCTIONS = (
    Function(token="aws:ec2/getSecurityGroup:getSecurityGroup", service="ec2", call=_get_group),
    Function(token="aws:ec2/getSecurityGroups:getSecurityGroups", service="ec2", call=_get_groups),
)
