"""Which route table a subnet, a gateway or a whole VPC uses. Source: the EC2 API reference; names as in pulumi_aws 7.

AWS gives an association that is moved to another table a new id, and so here another table replaces the association.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.ec2_requests import Thing, filters, given, only
from isostack.localcloud.resource_types.ec2_routes import route_table
from isostack.localcloud.resource_types.row import Created, Properties, ResourceType

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

_ASSOCIATED = {"SubnetId": "subnetId", "GatewayId": "gatewayId"}


def _create_association(cloud: Cloud, inputs: Properties) -> Created:
    target = _association_target(inputs)
    table = inputs["routeTableId"]
    answer = cloud.client("ec2").associate_route_table(RouteTableId=table, **target)
    id_ = answer["AssociationId"]
    # moto answers with the association that a subnet has already, with whichever table.
    if not any(one["RouteTableAssociationId"] == id_ for one in route_table(cloud, table)["Associations"]):
        raise ProviderError(
            f"Resource.AlreadyAssociated: {', '.join(target.values())} is associated with another route table already ({id_})"
        )
    return Created(id_, {"routeTableId": table, **{name: inputs[name] for name in _ASSOCIATED.values() if inputs.get(name)}})


def _association_target(inputs: Properties) -> dict[str, Any]:
    target = given(**{parameter: inputs.get(name) for parameter, name in _ASSOCIATED.items()})
    if len(target) != 1:
        raise ProviderError("RouteTableAssociation: give either subnetId or gatewayId")
    return target


def _associations(cloud: Cloud, *asked: dict[str, Any]) -> list[Thing]:
    tables = cloud.client("ec2").describe_route_tables(Filters=list(asked))["RouteTables"]
    return [{**one, "VpcId": table["VpcId"]} for table in tables for one in table["Associations"]]


def _read_association(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    if "/" in id_:  # how it is imported: the subnet or gateway, and the table
        target, _, table = id_.partition("/")
        found = [one for one in route_table(cloud, table)["Associations"] if target in one.values()]
    else:
        by_id = filters(association__route_table_association_id=id_)
        found = [one for one in _associations(cloud, *by_id) if one["RouteTableAssociationId"] == id_]
    if not found:
        return None
    return {
        "id": found[0]["RouteTableAssociationId"],
        "routeTableId": found[0]["RouteTableId"],
        **{name: found[0][key] for key, name in _ASSOCIATED.items() if found[0].get(key)},
    }


def _delete_association(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("ec2").disassociate_route_table(AssociationId=id_)


def _find_association(cloud: Cloud, inputs: Properties) -> list[str]:
    ((parameter, target),) = _association_target(inputs).items()
    return [
        one["RouteTableAssociationId"]
        for one in route_table(cloud, inputs["routeTableId"])["Associations"]
        if one.get(parameter) == target
    ]


def _main_association(cloud: Cloud, vpc: str) -> Thing:
    main = _associations(cloud, *filters(vpc_id=vpc), *filters(association__main="true"))
    return only([one for one in main if one["Main"]], "main EC2 Route Table Association")


def _create_main_association(cloud: Cloud, inputs: Properties) -> Created:
    original = _main_association(cloud, inputs["vpcId"])
    answer = cloud.client("ec2").replace_route_table_association(
        AssociationId=original["RouteTableAssociationId"], RouteTableId=inputs["routeTableId"]
    )
    outputs = {"routeTableId": inputs["routeTableId"], "vpcId": inputs["vpcId"]}
    return Created(answer["NewAssociationId"], outputs | {"originalRouteTableId": original["RouteTableId"]})


def _read_main_association(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    by_id = filters(association__route_table_association_id=id_)
    for one in _associations(cloud, *by_id):
        if one["Main"] and one["RouteTableAssociationId"] == id_:
            original = given(originalRouteTableId=known.get("originalRouteTableId"))
            return {"routeTableId": one["RouteTableId"], "vpcId": one["VpcId"], **original}
    return None


def _delete_main_association(cloud: Cloud, id_: str, known: Properties) -> None:
    if known.get("originalRouteTableId"):
        cloud.client("ec2").replace_route_table_association(AssociationId=id_, RouteTableId=known["originalRouteTableId"])


def _find_main_association(cloud: Cloud, inputs: Properties) -> list[str]:
    main = _main_association(cloud, inputs["vpcId"])
    return [main["RouteTableAssociationId"]] if main["RouteTableId"] == inputs["routeTableId"] else []


RESOURCE_TYPES = (
    ResourceType(
        token="aws:ec2/routeTableAssociation:RouteTableAssociation",
        service="ec2",
        create=_create_association,
        read=_read_association,
        delete=_delete_association,
        find=_find_association,
        required=("routeTableId",),
        delete_before_replace=True,
    ),
    ResourceType(
        token="aws:ec2/mainRouteTableAssociation:MainRouteTableAssociation",
        service="ec2",
        create=_create_main_association,
        read=_read_main_association,
        delete=_delete_main_association,
        find=_find_main_association,
        required=("routeTableId", "vpcId"),
        computed=("originalRouteTableId",),
        delete_before_replace=True,
    ),
)
