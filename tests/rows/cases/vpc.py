"""Security group rules with an id of their own."""

from __future__ import annotations

from tests.rows.case import Case, Need, Ref

_VPC = Need("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/16"})
_GROUP = Need("aws:ec2/securityGroup:SecurityGroup", {"vpcId": Ref("vpc", "id"), "name": "needed"})
_SOURCE = Need("aws:ec2/securityGroup:SecurityGroup", {"vpcId": Ref("vpc", "id"), "name": "source"})

CASES = [
    Case(
        token="aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        needs={"vpc": _VPC, "group": _GROUP},
        inputs={
            "securityGroupId": Ref("group", "id"),
            "ipProtocol": "tcp",
            "fromPort": 80,
            "toPort": 80,
            "cidrIpv4": "10.0.0.0/8",
            "description": "web",
            "tags": {"a": "1"},
        },
        update={"cidrIpv4": "192.168.0.0/16", "toPort": 88, "description": "the web", "tags": {"b": "1"}},
        replace={"cidrIpv4": None, "cidrIpv6": "::/0"},
        expect={"arn": str, "securityGroupRuleId": str},
    ),
    Case(
        token="aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        name="from-a-group",
        needs={"vpc": _VPC, "group": _GROUP, "source": _SOURCE},
        inputs={
            "securityGroupId": Ref("group", "id"),
            "ipProtocol": "icmp",
            "fromPort": -1,
            "toPort": -1,
            "referencedSecurityGroupId": Ref("source", "id"),
            "description": "ping",
        },
        update={"fromPort": 8, "toPort": 0, "description": "echo"},
        replace={"referencedSecurityGroupId": Ref("group", "id")},
    ),
    Case(
        token="aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        needs={"vpc": _VPC, "group": _GROUP, "source": _SOURCE},
        inputs={"securityGroupId": Ref("group", "id"), "ipProtocol": "-1", "cidrIpv4": "0.0.0.0/0"},
        update={"description": "anywhere"},
        replace={"securityGroupId": Ref("source", "id")},
    ),
]
