"""VPC endpoints. Source: the EC2 API reference; property names as in pulumi_aws 7."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.ec2_requests import (
    Thing,
    arn,
    asked_filters,
    filters,
    given,
    has_tags_of,
    hash_code,
    only,
    refuse,
    retag,
    tagged,
)
from isostack.localcloud.resource_types.iam_policies import policy_text, require_policy
from isostack.localcloud.resource_types.row import Created, Function, Properties, ResourceType, tag_map

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

_GONE = ("deleted", "deleting", "expired", "failed", "rejected")
# What an endpoint is attached to: the property to EC2's word for it.
_ATTACHED = {"routeTableIds": "RouteTableIds", "securityGroupIds": "SecurityGroupIds", "subnetIds": "SubnetIds"}
# Only the type decides what may be given; AWS refuses the rest.
_TAKES = {
    "Gateway": {"routeTableIds"},
    "GatewayLoadBalancer": {"subnetIds"},
    "Interface": {"securityGroupIds", "subnetIds", "privateDnsEnabled"},
}


def _check(inputs: Properties) -> None:
    refuse(
        inputs,
        "VpcEndpoint",
        "the local cloud has endpoints of AWS's services in the same region only",
        "resourceConfigurationArn",
        "serviceNetworkArn",
        "serviceRegion",
        "subnetConfigurations",
    )
    kind = inputs["vpcEndpointType"]
    if kind not in _TAKES:
        raise ProviderError(f"VpcEndpoint: vpcEndpointType {kind!r} must be one of {', '.join(_TAKES)}")
    for name in {name for takes in _TAKES.values() for name in takes} - _TAKES[kind]:
        if inputs.get(name):
            raise ProviderError(f"InvalidParameter: an endpoint of type {kind} takes no {name}")
    if not inputs.get("serviceName"):
        raise ProviderError("VpcEndpoint: missing required property 'serviceName'")
    if inputs.get("policy"):
        require_policy(inputs["policy"], "policy")


def _create_endpoint(cloud: Cloud, inputs: Properties) -> Created:
    _check(inputs)
    endpoint = cloud.client("ec2").create_vpc_endpoint(
        VpcId=inputs["vpcId"],
        ServiceName=inputs["serviceName"],
        VpcEndpointType=inputs["vpcEndpointType"],
        PrivateDnsEnabled=bool(inputs.get("privateDnsEnabled")),
        **given(PolicyDocument=inputs.get("policy"), IpAddressType=inputs.get("ipAddressType")),
        **given(**{parameter: inputs.get(name) for name, parameter in _ATTACHED.items()}),
        **tagged("vpc-endpoint", inputs),
    )["VpcEndpoint"]
    return Created(endpoint["VpcEndpointId"], _endpoint_outputs(cloud, endpoint, inputs))


def _endpoint_outputs(cloud: Cloud, endpoint: Thing, known: Properties) -> Properties:
    gateway = endpoint["VpcEndpointType"] == "Gateway"
    prefix_list, blocks = _prefix_list(cloud, endpoint["ServiceName"]) if gateway else ("", [])
    return {
        "arn": arn(cloud, "vpc-endpoint", endpoint["VpcEndpointId"]),
        "cidrBlocks": blocks,
        "dnsEntries": [{"dnsName": entry["DnsName"], "hostedZoneId": entry["HostedZoneId"]} for entry in endpoint["DnsEntries"]],
        "networkInterfaceIds": endpoint["NetworkInterfaceIds"],
        "ownerId": endpoint["OwnerId"],
        "policy": policy_text(endpoint["PolicyDocument"], known.get("policy")),
        "prefixListId": prefix_list,
        "requesterManaged": endpoint.get("RequesterManaged", False),
        "routeTableIds": endpoint.get("RouteTableIds", []),
        "securityGroupIds": [group["GroupId"] for group in endpoint.get("Groups", [])],
        "serviceName": endpoint["ServiceName"],
        "serviceRegion": cloud.region,
        "state": endpoint["State"],
        "subnetIds": endpoint.get("SubnetIds", []),
        "tagsAll": tag_map(endpoint.get("Tags")),
        "vpcEndpointType": endpoint["VpcEndpointType"],
        "vpcId": endpoint["VpcId"],
        # moto takes these at the creation at most, and changes none of them.
        **given(
            dnsOptions=known.get("dnsOptions"),
            ipAddressType=known.get("ipAddressType") or ("" if gateway else "ipv4"),
            privateDnsEnabled=bool(known.get("privateDnsEnabled", endpoint["PrivateDnsEnabled"] and not gateway)),
        ),
    }


def _prefix_list(cloud: Cloud, service: str) -> tuple[str, list[str]]:
    """The id and the addresses of the list by which route tables know a service."""
    found = cloud.client("ec2").describe_prefix_lists(Filters=filters(prefix_list_name=service))["PrefixLists"]
    return (found[0]["PrefixListId"], found[0].get("Cidrs", [])) if found else ("", [])


def _endpoint(cloud: Cloud, id_: str) -> Thing | None:
    found = cloud.client("ec2").describe_vpc_endpoints(VpcEndpointIds=[id_])["VpcEndpoints"]
    return found[0] if found and found[0]["State"].lower() not in _GONE else None


def _read_endpoint(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    endpoint = _endpoint(cloud, id_)
    return _endpoint_outputs(cloud, endpoint, known) if endpoint else None


def _update_endpoint(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    _check(new)
    changes: dict[str, Any] = {}
    if "policy" in changed and new.get("policy"):
        changes["PolicyDocument"] = new["policy"]
    if "privateDnsEnabled" in changed:
        changes["PrivateDnsEnabled"] = bool(new.get("privateDnsEnabled"))
    if "ipAddressType" in changed and new.get("ipAddressType"):
        changes["IpAddressType"] = new["ipAddressType"]
    for name, parameter in _ATTACHED.items():
        if name in changed:
            before, after = old.get(name) or [], new.get(name) or []
            added, removed = [one for one in after if one not in before], [one for one in before if one not in after]
            changes |= given(**{f"Add{parameter}": added, f"Remove{parameter}": removed})
    if changes:
        cloud.client("ec2").modify_vpc_endpoint(VpcEndpointId=id_, **changes)
    if "tagsAll" in changed:
        retag(cloud, id_, old, new)


def _delete_endpoint(cloud: Cloud, id_: str, known: Properties) -> None:
    endpoint = _endpoint(cloud, id_)
    if not endpoint:
        return
    tables = endpoint.get("RouteTableIds", [])
    if tables and endpoint["VpcEndpointType"] == "Gateway":
        # moto makes no route to the endpoint in tables that are added to it later, and then fails to find it here.
        with_route = {table["RouteTableId"] for table in _tables_with_route(cloud, id_, endpoint["VpcId"])}
        without = [table for table in tables if table not in with_route]
        if without:
            cloud.client("ec2").modify_vpc_endpoint(VpcEndpointId=id_, RemoveRouteTableIds=without)
    failures = cloud.client("ec2").delete_vpc_endpoints(VpcEndpointIds=[id_])["Unsuccessful"]
    for failure in failures:
        raise ProviderError(f"{failure['Error']['Code']}: {failure['Error']['Message']} (DeleteVpcEndpoints)")


def _tables_with_route(cloud: Cloud, id_: str, vpc: str) -> list[Thing]:
    tables = cloud.client("ec2").describe_route_tables(Filters=filters(vpc_id=vpc))["RouteTables"]
    return [table for table in tables if any(route.get("GatewayId") == id_ for route in table["Routes"])]


def _find_endpoint(cloud: Cloud, inputs: Properties) -> list[str]:
    found = cloud.client("ec2").describe_vpc_endpoints(Filters=filters(vpc_id=inputs["vpcId"]))["VpcEndpoints"]
    return [
        endpoint["VpcEndpointId"]
        for endpoint in found
        if endpoint["State"].lower() not in _GONE
        and (endpoint["ServiceName"], endpoint["VpcEndpointType"]) == (inputs["serviceName"], inputs["vpcEndpointType"])
        and has_tags_of(endpoint, inputs)
    ]


# -- the use of an endpoint by a route table ---------------------------------------------------------------------------


def _association_id(endpoint: str, table: str) -> str:
    return f"a-{endpoint}{hash_code(table)}"


def _create_association(cloud: Cloud, inputs: Properties) -> Created:
    endpoint, table = inputs["vpcEndpointId"], inputs["routeTableId"]
    cloud.client("ec2").modify_vpc_endpoint(VpcEndpointId=endpoint, AddRouteTableIds=[table])
    return Created(_association_id(endpoint, table), {"routeTableId": table, "vpcEndpointId": endpoint})


def _read_association(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    endpoint_id, _, table = id_.partition("/")  # how it is imported
    if known.get("vpcEndpointId"):
        endpoint_id, table = known["vpcEndpointId"], known["routeTableId"]
    endpoint = _endpoint(cloud, endpoint_id)
    if not endpoint or table not in endpoint.get("RouteTableIds", []):
        return None
    return {"id": _association_id(endpoint_id, table), "routeTableId": table, "vpcEndpointId": endpoint_id}


def _delete_association(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("ec2").modify_vpc_endpoint(VpcEndpointId=known["vpcEndpointId"], RemoveRouteTableIds=[known["routeTableId"]])


# -- look-ups ----------------------------------------------------------------------------------------------------------


def _get_endpoint(cloud: Cloud, arguments: Properties) -> Properties:
    asked = asked_filters(
        arguments,
        service_name=arguments.get("serviceName"),
        vpc_endpoint_state=arguments.get("state"),
        vpc_id=arguments.get("vpcId"),
    )
    ids = {"VpcEndpointIds": [arguments["id"]]} if arguments.get("id") else {}
    endpoint = only(cloud.client("ec2").describe_vpc_endpoints(**ids, **asked)["VpcEndpoints"], "EC2 VPC Endpoint")
    outputs = _endpoint_outputs(cloud, endpoint, {})
    return {
        "dnsOptions": [],
        **outputs,
        "filters": arguments.get("filters") or [],
        "id": endpoint["VpcEndpointId"],
        "region": cloud.region,
        "tags": outputs.pop("tagsAll"),
    }


RESOURCE_TYPES = (
    ResourceType(
        token="aws:ec2/vpcEndpoint:VpcEndpoint",
        service="ec2",
        create=_create_endpoint,
        read=_read_endpoint,
        update=_update_endpoint,
        delete=_delete_endpoint,
        find=_find_endpoint,
        required=("vpcId",),
        replace_on=(
            "resourceConfigurationArn",
            "serviceName",
            "serviceNetworkArn",
            "serviceRegion",
            "vpcEndpointType",
            "vpcId",
        ),
        computed=(
            "arn",
            "cidrBlocks",
            "dnsEntries",
            "networkInterfaceIds",
            "ownerId",
            "prefixListId",
            "requesterManaged",
            "state",
        ),
        sticky=("dnsOptions", "ipAddressType", "policy", "privateDnsEnabled", "serviceRegion", *_ATTACHED),
        local=("autoAccept",),
        defaults={"vpcEndpointType": "Gateway"},
        sets=tuple(_ATTACHED),
        json_documents=("policy",),
        tagged=True,
        limits="AWS's services of the same region only",
    ),
    ResourceType(
        token="aws:ec2/vpcEndpointRouteTableAssociation:VpcEndpointRouteTableAssociation",
        service="ec2",
        create=_create_association,
        read=_read_association,
        delete=_delete_association,
        required=("routeTableId", "vpcEndpointId"),
        adopts=True,
    ),
)

FUNCTIONS = (Function(token="aws:ec2/getVpcEndpoint:getVpcEndpoint", service="ec2", call=_get_endpoint),)
