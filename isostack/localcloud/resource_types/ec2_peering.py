"""VPC peering. Source: the EC2 API reference; property names as in pulumi_aws 7."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.ec2_requests import (
    Thing,
    all_or_nothing,
    given,
    has_tags_of,
    retag,
    tagged,
)
from isostack.localcloud.resource_types.row import Properties, ResourceType, tag_map

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

_GONE = ("deleted", "deleting", "expired", "failed", "rejected")
# Side of the connection, which is also the property, to where EC2 shows it and to the parameter that changes its options.
_SIDES = {
    "accepter": ("AccepterVpcInfo", "AccepterPeeringConnectionOptions"),
    "requester": ("RequesterVpcInfo", "RequesterPeeringConnectionOptions"),
}
_DNS = "AllowDnsResolutionFromRemoteVpc"


def _create_peering(cloud: Cloud, inputs: Properties) -> str:
    if inputs.get("autoAccept") and inputs.get("peerRegion"):
        raise ProviderError("VpcPeeringConnection: peerRegion cannot be set whilst autoAccept is true")
    ec2 = cloud.client("ec2")
    connection = ec2.create_vpc_peering_connection(
        VpcId=inputs["vpcId"],
        PeerVpcId=inputs["peerVpcId"],
        **given(PeerOwnerId=inputs.get("peerOwnerId"), PeerRegion=inputs.get("peerRegion")),
        **tagged("vpc-peering-connection", inputs),
    )["VpcPeeringConnection"]
    id_ = str(connection["VpcPeeringConnectionId"])
    all_or_nothing(
        lambda: ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=id_),
        lambda: inputs.get("autoAccept") and ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=id_),
        lambda: _set_options(cloud, id_, inputs, set(_SIDES)),
    )
    return id_


def _set_options(cloud: Cloud, id_: str, inputs: Properties, sides: set[str]) -> None:
    options = {
        _SIDES[side][1]: {_DNS: bool(inputs[side].get("allowRemoteVpcDnsResolution"))} for side in sides if inputs.get(side)
    }
    if options:
        cloud.client("ec2").modify_vpc_peering_connection_options(VpcPeeringConnectionId=id_, **options)


def _peering(cloud: Cloud, id_: str) -> Thing | None:
    found = cloud.client("ec2").describe_vpc_peering_connections(VpcPeeringConnectionIds=[id_])
    connections = found["VpcPeeringConnections"]
    return connections[0] if connections and connections[0]["Status"]["Code"] not in _GONE else None


def _peering_outputs(cloud: Cloud, connection: Thing) -> Properties:
    sides = {
        side: {"allowRemoteVpcDnsResolution": connection[info].get("PeeringOptions", {}).get(_DNS, False)}
        for side, (info, _) in _SIDES.items()
    }
    peer = connection["AccepterVpcInfo"]
    return {
        **sides,
        "acceptStatus": connection["Status"]["Code"],
        "peerOwnerId": peer["OwnerId"],
        "peerRegion": peer.get("Region", cloud.region),
        "peerVpcId": peer["VpcId"],
        "tagsAll": tag_map(connection.get("Tags")),
        "vpcId": connection["RequesterVpcInfo"]["VpcId"],
    }


def _read_peering(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    connection = _peering(cloud, id_)
    return _peering_outputs(cloud, connection) if connection else None


def _update_peering(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    if "autoAccept" in changed and new.get("autoAccept") and old.get("acceptStatus") == "pending-acceptance":
        cloud.client("ec2").accept_vpc_peering_connection(VpcPeeringConnectionId=id_)
    _set_options(cloud, id_, new, changed & _SIDES.keys())
    if "tagsAll" in changed:
        retag(cloud, id_, old, new)


def _delete_peering(cloud: Cloud, id_: str, known: Properties) -> None:
    if _peering(cloud, id_):
        cloud.client("ec2").delete_vpc_peering_connection(VpcPeeringConnectionId=id_)


def _find_peering(cloud: Cloud, inputs: Properties) -> list[str]:
    found = cloud.client("ec2").describe_vpc_peering_connections()["VpcPeeringConnections"]
    sides = inputs["vpcId"], inputs["peerVpcId"]
    return [
        connection["VpcPeeringConnectionId"]
        for connection in found
        if connection["Status"]["Code"] not in _GONE
        and (connection["RequesterVpcInfo"]["VpcId"], connection["AccepterVpcInfo"]["VpcId"]) == sides
        and has_tags_of(connection, inputs)
    ]


# -- the other side's acceptance ---------------------------------------------------------------------------------------


def _create_accepter(cloud: Cloud, inputs: Properties) -> str:
    id_ = str(inputs["vpcPeeringConnectionId"])
    connection = _peering(cloud, id_)
    if connection is None:
        raise ProviderError(f"InvalidVpcPeeringConnectionID.NotFound: there is no peering connection {id_}")
    if inputs.get("autoAccept") and connection["Status"]["Code"] == "pending-acceptance":
        cloud.client("ec2").accept_vpc_peering_connection(VpcPeeringConnectionId=id_)
    _set_options(cloud, id_, inputs, set(_SIDES))
    retag(cloud, id_, {"tagsAll": tag_map(connection.get("Tags"))}, inputs)
    return id_


def _read_accepter(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    connection = _peering(cloud, id_)
    if connection is None:
        return None
    requester = connection["RequesterVpcInfo"]
    return {
        **_peering_outputs(cloud, connection),
        "peerOwnerId": requester["OwnerId"],
        "peerRegion": requester.get("Region", cloud.region),
        "peerVpcId": requester["VpcId"],
        "vpcId": connection["AccepterVpcInfo"]["VpcId"],
        "vpcPeeringConnectionId": id_,
    }


def _leave(cloud: Cloud, id_: str, known: Properties) -> None:
    """An acceptance is not taken back; deleting the connection ends it."""


RESOURCE_TYPES = (
    ResourceType(
        token="aws:ec2/vpcPeeringConnection:VpcPeeringConnection",
        service="ec2",
        create=_create_peering,
        read=_read_peering,
        update=_update_peering,
        delete=_delete_peering,
        find=_find_peering,
        required=("peerVpcId", "vpcId"),
        replace_on=("peerOwnerId", "peerRegion", "peerVpcId", "vpcId"),
        computed=("acceptStatus",),
        sticky=("accepter", "peerOwnerId", "peerRegion", "requester"),
        local=("autoAccept",),
        tagged=True,
    ),
    ResourceType(
        token="aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter",
        service="ec2",
        create=_create_accepter,
        read=_read_accepter,
        update=_update_peering,
        delete=_leave,
        required=("vpcPeeringConnectionId",),
        replace_on=("vpcPeeringConnectionId",),
        computed=("acceptStatus", "peerOwnerId", "peerRegion", "peerVpcId", "vpcId"),
        sticky=("accepter", "requester"),
        local=("autoAccept",),
        tagged=True,
        adopts=True,
    ),
)
