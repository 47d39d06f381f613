"""EC2's DHCP options and single tags."""

from __future__ import annotations

from tests.rows.case import Case, Need, Ref

_VPC = Need("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/16"})
_OPTIONS = {"domainName": "shop.internal", "domainNameServers": ["10.0.0.2", "10.0.0.3"]}

CASES = [
    Case(
        token="aws:ec2/vpcDhcpOptions:VpcDhcpOptions",
        inputs={
            **_OPTIONS,
            "ntpServers": ["169.254.169.123"],
            "netbiosNameServers": ["10.0.0.4"],
            "netbiosNodeType": "2",
            "tags": {"a": "1"},
        },
        update={"tags": {"b": "2"}},
        replace={"domainName": "other.internal"},
        expect={"arn": str, "ownerId": str},
    ),
    Case(
        token="aws:ec2/vpcDhcpOptionsAssociation:VpcDhcpOptionsAssociation",
        needs={"vpc": _VPC, "options": Need("aws:ec2/vpcDhcpOptions:VpcDhcpOptions", _OPTIONS)},
        inputs={"vpcId": Ref("vpc", "id"), "dhcpOptionsId": Ref("options", "id")},
        replace={"dhcpOptionsId": "default"},
        import_id="{vpcId}",
    ),
    Case(
        token="aws:ec2/tag:Tag",
        needs={"vpc": _VPC},
        inputs={"resourceId": Ref("vpc", "id"), "key": "owner", "value": "shop"},
        update={"value": "somebody"},
        replace={"key": "keeper"},
    ),
]
