"""Route tables and their routes. Source: the EC2 API reference; property names as in pulumi_aws 7.

Which subnet uses which table is in ``ec2_route_associations``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.ec2_requests import (
    Thing,
    all_or_nothing,
    arn,
    asked_filters,
    filters,
    given,
    has_tags_of,
    hash_code,
    only,
    refuse,
    require_network,
    retag,
    tagged,
)
from isostack.localcloud.resource_types.row import Created, Function, Properties, ResourceType, tag_map

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

# Where a route leads to, and by which: the parameter of EC2 to the property. A route has one of each.
_DESTINATIONS = {
    "DestinationCidrBlock": "destinationCidrBlock",
    "DestinationIpv6CidrBlock": "destinationIpv6CidrBlock",
    "DestinationPrefixListId": "destinationPrefixListId",
}
_TARGETS = {
    "CarrierGatewayId": "carrierGatewayId",
    "CoreNetworkArn": "coreNetworkArn",
    "EgressOnlyInternetGatewayId": "egressOnlyGatewayId",
    "GatewayId": "gatewayId",
    "LocalGatewayId": "localGatewayId",
    "NatGatewayId": "natGatewayId",
    "NetworkInterfaceId": "networkInterfaceId",
    "OdbNetworkArn": "odbNetworkArn",
    "TransitGatewayId": "transitGatewayId",
    "VpcEndpointId": "vpcEndpointId",
    "VpcPeeringConnectionId": "vpcPeeringConnectionId",
}
# A route inside a table spells its destinations differently.
_INLINE = {
    "DestinationCidrBlock": "cidrBlock",
    "DestinationIpv6CidrBlock": "ipv6CidrBlock",
    "DestinationPrefixListId": "destinationPrefixListId",
}
_UNKNOWN_TARGETS = ("coreNetworkArn", "localGatewayId", "odbNetworkArn")


def _one(type_: str, properties: Properties, choices: dict[str, str], what: str) -> dict[str, str]:
    """The one parameter that the properties give a value for."""
    parameters = given(**{parameter: properties.get(name) for parameter, name in choices.items()})
    if len(parameters) != 1:
        raise ProviderError(f"{type_}: a route takes exactly one {what} of {', '.join(choices.values())}")
    return parameters


def _route_parameters(type_: str, properties: Properties, destinations: dict[str, str]) -> dict[str, str]:
    refuse(properties, type_, "the local cloud has no such target of a route", *_UNKNOWN_TARGETS)
    destination = _one(type_, properties, destinations, "destination")
    for parameter, value in destination.items():
        if parameter != "DestinationPrefixListId":
            require_network(type_, destinations[parameter], value)
    return destination | _one(type_, properties, _TARGETS, "target")


def _destination(route: Thing) -> str:
    return str(next((route[parameter] for parameter in _DESTINATIONS if route.get(parameter)), ""))


def _route_properties(route: Thing, destinations: dict[str, str]) -> Properties:
    """A route's destination and target, as properties."""
    properties = {name: route[parameter] for parameter, name in {**destinations, **_TARGETS}.items() if parameter in route}
    if properties.get("gatewayId", "").startswith("vpce-"):
        properties["vpcEndpointId"] = properties.pop("gatewayId")
    return properties


def route_table(cloud: Cloud, id_: str) -> Thing:
    return dict(cloud.client("ec2").describe_route_tables(RouteTableIds=[id_])["RouteTables"][0])


# -- route tables ------------------------------------------------------------------------------------------------------


def _create_route_table(cloud: Cloud, inputs: Properties) -> Created:
    _check_route_table(inputs)
    ec2 = cloud.client("ec2")
    table = ec2.create_route_table(VpcId=inputs["vpcId"], **tagged("route-table", inputs))["RouteTable"]
    id_ = table["RouteTableId"]
    routes = inputs.get("routes") or []
    all_or_nothing(
        lambda: ec2.delete_route_table(RouteTableId=id_),
        lambda: _change_routes(cloud, id_, table["Routes"], routes),
    )
    return Created(id_, _route_table_outputs(cloud, table, {}) | {"routes": routes})


def _check_route_table(inputs: Properties) -> None:
    refuse(inputs, "RouteTable", "the local cloud propagates no routes", "propagatingVgws")
    for route in inputs.get("routes") or []:
        _route_parameters("RouteTable", route, _INLINE)


def _change_routes(cloud: Cloud, id_: str, existing: list[Thing], wanted: list[Properties]) -> None:
    """Bring a table's own routes from what there is to what is wanted."""
    ec2 = cloud.client("ec2")
    routes = {_destination(route): route for route in existing}
    parameters = [_route_parameters("RouteTable", route, _INLINE) for route in wanted]
    kept = {_destination(route) for route in parameters}
    for destination, route in routes.items():
        if destination not in kept and _is_own(route):
            ec2.delete_route(RouteTableId=id_, **{key: route[key] for key in _DESTINATIONS if key in route})
    for route in parameters:
        current = routes.get(_destination(route))
        if current is None:
            ec2.create_route(RouteTableId=id_, **route)
        elif not route.items() <= current.items():
            _replace_route(cloud, id_, route)


def _is_own(route: Thing) -> bool:
    """Whether somebody made the route: not the VPC's own, nor that of a gateway endpoint."""
    by_endpoint = "DestinationPrefixListId" in route and route.get("GatewayId", "").startswith("vpce-")
    return route.get("GatewayId") != "local" and route["Origin"] == "CreateRoute" and not by_endpoint


def _route_table_outputs(cloud: Cloud, table: Thing, known: Properties) -> Properties:
    wanted = {route.get(name) for route in known.get("routes") or [] for name in _INLINE.values()}
    return {
        "arn": arn(cloud, "route-table", table["RouteTableId"]),
        "ownerId": table["OwnerId"],
        "propagatingVgws": [],
        "routes": [
            _route_properties(route, _INLINE) for route in table["Routes"] if _is_own(route) or _destination(route) in wanted
        ],
        "tagsAll": tag_map(table.get("Tags")),
        "vpcId": table["VpcId"],
    }


def _read_route_table(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    return _route_table_outputs(cloud, route_table(cloud, id_), known)


def _update_route_table(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    _check_route_table(new)
    if "routes" in changed:
        _change_routes(cloud, id_, route_table(cloud, id_)["Routes"], new.get("routes") or [])
    if "tagsAll" in changed:
        retag(cloud, id_, old, new)


def _delete_route_table(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("ec2").delete_route_table(RouteTableId=id_)


def _find_route_table(cloud: Cloud, inputs: Properties) -> list[str]:
    tables = cloud.client("ec2").describe_route_tables(Filters=filters(vpc_id=inputs["vpcId"]))["RouteTables"]
    return [
        table["RouteTableId"]
        for table in tables
        if not any(association["Main"] for association in table["Associations"]) and has_tags_of(table, inputs)
    ]


# -- the VPC's own route table -----------------------------------------------------------------------------------------


def _create_default_route_table(cloud: Cloud, inputs: Properties) -> str:
    """Take the table over: its routes and tags become what is given, as Terraform does it."""
    _check_route_table(inputs)
    id_ = str(inputs["defaultRouteTableId"])
    table = route_table(cloud, id_)
    _change_routes(cloud, id_, table["Routes"], inputs.get("routes") or [])
    retag(cloud, id_, {"tagsAll": tag_map(table.get("Tags"))}, inputs)
    return id_


def _read_default_route_table(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    if id_.startswith("vpc-"):  # how it is imported
        inside = [*filters(vpc_id=id_), *filters(association__main="true")]
        table = only(cloud.client("ec2").describe_route_tables(Filters=inside)["RouteTables"], "EC2 Default Route Table")
        id_ = table["RouteTableId"]
    else:
        table = route_table(cloud, id_)
    return {**_route_table_outputs(cloud, table, known), "defaultRouteTableId": id_, "id": id_}


def _leave(cloud: Cloud, id_: str, known: Properties) -> None:
    """What AWS makes with every VPC stays until the VPC goes."""


# -- routes ------------------------------------------------------------------------------------------------------------


def _route_id(table: str, destination: str) -> str:
    return f"r-{table}{hash_code(destination)}"


def _create_route(cloud: Cloud, inputs: Properties) -> Created | str:
    parameters = _route_parameters("Route", inputs, _DESTINATIONS)
    table = inputs["routeTableId"]
    if inputs.get("gatewayId") == "local":
        raise ProviderError("Route: a VPC's local routes are there already; import them instead")
    cloud.client("ec2").create_route(RouteTableId=table, **parameters)
    id_ = _route_id(table, _destination(parameters))
    if "NetworkInterfaceId" in parameters:
        return id_  # AWS adds the instance behind it
    outputs = {key: value for key, value in inputs.items() if key in {*_DESTINATIONS.values(), *_TARGETS.values()} and value}
    return Created(id_, {**outputs, "origin": "CreateRoute", "routeTableId": table, "state": "active"})


def _replace_route(cloud: Cloud, table: str, parameters: dict[str, str]) -> None:
    if parameters.get("GatewayId") == "local":
        parameters = {key: value for key, value in parameters.items() if key != "GatewayId"}
        cloud.client("ec2").replace_route(RouteTableId=table, LocalTarget=True, **parameters)
    elif "CarrierGatewayId" in parameters or "VpcEndpointId" in parameters:  # moto replaces by neither
        cloud.client("ec2").delete_route(
            RouteTableId=table, **{key: value for key, value in parameters.items() if key in _DESTINATIONS}
        )
        cloud.client("ec2").create_route(RouteTableId=table, **parameters)
    else:
        cloud.client("ec2").replace_route(RouteTableId=table, **parameters)


def _read_route(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    table_id, _, destination = id_.partition("_")  # how it is imported
    if known.get("routeTableId"):
        table_id = known["routeTableId"]
        destination = next(known[name] for name in _DESTINATIONS.values() if known.get(name))
    for route in route_table(cloud, table_id)["Routes"]:
        if _destination(route) == destination:
            more = {"InstanceId": "instanceId", "InstanceOwnerId": "instanceOwnerId"}
            return {
                **_route_properties(route, _DESTINATIONS),
                **{name: route[key] for key, name in more.items() if route.get(key)},
                "id": _route_id(table_id, destination),
                "origin": route["Origin"],
                "routeTableId": table_id,
                "state": route["State"],
            }
    return None


def _update_route(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    _replace_route(cloud, new["routeTableId"], _route_parameters("Route", new, _DESTINATIONS))


def _delete_route(cloud: Cloud, id_: str, known: Properties) -> None:
    if known.get("gatewayId") == "local":
        return  # it stays as long as its VPC; Terraform leaves it, too
    destination = given(**{parameter: known.get(name) for parameter, name in _DESTINATIONS.items()})
    cloud.client("ec2").delete_route(RouteTableId=known["routeTableId"], **destination)


def _find_route(cloud: Cloud, inputs: Properties) -> list[str]:
    route = _read_route(cloud, "", inputs)
    same = route and all(route.get(name) == inputs[name] for name in _TARGETS.values() if inputs.get(name))
    return [route["id"]] if route and same else []


# -- look-ups ----------------------------------------------------------------------------------------------------------


def _get_route_table(cloud: Cloud, arguments: Properties) -> Properties:
    asked = asked_filters(
        arguments,
        association__subnet_id=arguments.get("subnetId"),
        route_table_id=arguments.get("routeTableId"),
        vpc_id=arguments.get("vpcId"),
    )
    found: list[Thing] = cloud.client("ec2").describe_route_tables(**asked)["RouteTables"]
    if gateway := arguments.get("gatewayId"):
        found = [table for table in found if any(one.get("GatewayId") == gateway for one in table["Associations"])]
    table = only(found, "EC2 Route Table")
    used = ("gatewayId", "routeTableAssociationId", "routeTableId", "subnetId")
    no_route = dict.fromkeys((*_INLINE.values(), *_TARGETS.values(), "instanceId"), "")
    outputs = _route_table_outputs(cloud, table, {})
    return {
        **{name: outputs[name] for name in ("arn", "ownerId", "vpcId")},
        "associations": [
            {**{name: one.get(name[0].upper() + name[1:], "") for name in used}, "main": one["Main"]}
            for one in table["Associations"]
        ],
        "filters": arguments.get("filters") or [],
        "gatewayId": arguments.get("gatewayId", ""),
        "id": table["RouteTableId"],
        "region": cloud.region,
        "routeTableId": table["RouteTableId"],
        "routes": [{**no_route, **_route_properties(route, _INLINE)} for route in table["Routes"] if _is_own(route)],
        "subnetId": arguments.get("subnetId", ""),
        "tags": outputs["tagsAll"],
    }


RESOURCE_TYPES = (
    ResourceType(
        token="aws:ec2/routeTable:RouteTable",
        service="ec2",
        create=_create_route_table,
        read=_read_route_table,
        update=_update_route_table,
        delete=_delete_route_table,
        find=_find_route_table,
        required=("vpcId",),
        replace_on=("vpcId",),
        computed=("arn", "ownerId"),
        sticky=("propagatingVgws", "routes"),
        sets=("routes",),
        tagged=True,
        limits="no propagation from VPN gateways; no routes to core networks, local gateways and ODB networks",
    ),
    ResourceType(
        token="aws:ec2/defaultRouteTable:DefaultRouteTable",
        service="ec2",
        create=_create_default_route_table,
        read=_read_default_route_table,
        update=_update_route_table,
        delete=_leave,
        required=("defaultRouteTableId",),
        replace_on=("defaultRouteTableId",),
        computed=("arn", "ownerId", "vpcId"),
        sticky=("propagatingVgws", "routes"),
        sets=("routes",),
        tagged=True,
        adopts=True,
        limits="as RouteTable",
    ),
    ResourceType(
        token="aws:ec2/route:Route",
        service="ec2",
        create=_create_route,
        read=_read_route,
        update=_update_route,
        delete=_delete_route,
        find=_find_route,
        required=("routeTableId",),
        replace_on=("routeTableId", *_DESTINATIONS.values()),
        computed=("instanceId", "instanceOwnerId", "origin", "state"),
        sticky=("networkInterfaceId",),
        limits="no routes to core networks, local gateways and ODB networks",
    ),
)

FUNCTIONS = (Function(token="aws:ec2/getRouteTable:getRouteTable", service="ec2", call=_get_route_table),)
