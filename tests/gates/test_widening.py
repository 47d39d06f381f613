"""What a change lets in or allows anew is told exactly; what it takes away, or only writes otherwise, is not told."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from isostack.engine.run import Intent, Stack
from isostack.engine.state import ResourceState, Snapshot
from isostack.engine.values import UNKNOWN, Secret
from isostack.widening import is_creation, lines, widened

ROLE, ROLE_POLICY, POLICY = "aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy", "aws:iam/policy:Policy"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
GROUP, RULE = "aws:ec2/securityGroup:SecurityGroup", "aws:ec2/securityGroupRule:SecurityGroupRule"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
BALANCER, DATABASE = "aws:lb/loadBalancer:LoadBalancer", "aws:rds/instance:Instance"


def urn(type_: str, name: str) -> str:
    return f"urn:pulumi:staging::shop::{type_}::{name}"


def one(type_: str, name: str, dependencies: dict[str, list[str]] | None = None, **inputs: Any) -> ResourceState:
    """A resource that is there, with the id ``NAME-id``."""
    outputs = {"arn": f"arn:{name}", "name": name}
    return ResourceState(
        urn(type_, name), type_, True, f"{name}-id", inputs=inputs, outputs=outputs, property_dependencies=dependencies or {}
    )


def told(before: list[ResourceState], after: list[ResourceState]) -> list[str]:
    return [str(found) for found in widened(intent(before, after))]


def intent(before: list[ResourceState], after: list[ResourceState]) -> Intent:
    return Intent(cast(Stack, None), "preview", Snapshot(before), Snapshot(after), ())


def policy(*statements: dict[str, Any], **statement: Any) -> str:
    """A document of statements that allow."""
    return json.dumps({"Statement": [{"Effect": "Allow", **one} for one in (*statements, *([statement] if statement else []))]})


def role(name: str = "r", **inputs: Any) -> ResourceState:
    return one(ROLE, name, **{"assumeRolePolicy": policy(Principal={"AWS": "arn:p"}, Action="sts:AssumeRole"), **inputs})


def may(**statement: Any) -> list[ResourceState]:
    return [role(), one(ROLE_POLICY, "r-policy", role="r", policy=policy(**statement))]


PERMISSIONS: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "nothing": ({"Action": "s3:Get*", "Resource": "y"}, {"Action": ["s3:Get*"], "Resource": ["y"]}, []),
    "one more action": (
        {"Action": "s3:GetObject", "Resource": "y"},
        {"Action": ["s3:GetObject", "s3:DeleteObject"], "Resource": "y"},
        ["role r may now s3:DeleteObject on y"],
    ),
    "one more resource": (
        {"Action": "s3:GetObject", "Resource": "y"},
        {"Action": "s3:GetObject", "Resource": ["y", "z"]},
        ["role r may now s3:GetObject on z"],
    ),
    "what a wildcard had": ({"Action": "s3:*", "Resource": "a/*"}, {"Action": "s3:DeleteObject", "Resource": "a/b"}, []),
    "a wildcard": (
        {"Action": "s3:GetObject", "Resource": "y"},
        {"Action": "s3:Get*", "Resource": "y"},
        ["role r may now s3:Get* on y"],
    ),
    "letters of either case": ({"Action": "S3:getobject", "Resource": "y"}, {"Action": "s3:GetObject", "Resource": "y"}, []),
    "a question mark is one letter": (
        {"Action": "s3:?et", "Resource": "y"},
        {"Action": "s3:*et", "Resource": "y"},
        ["role r may now s3:*et on y"],
    ),
    "a condition less": (
        {"Action": "a:b", "Resource": "y", "Condition": {"Bool": {"k": "true"}}},
        {"Action": "a:b", "Resource": "y"},
        ["role r may now a:b on y"],
    ),
    "a condition more": (
        {"Action": "a:b", "Resource": "y"},
        {"Action": "a:b", "Resource": "y", "Condition": {"Bool": {"k": "true"}}},
        [],
    ),
    "everything but": (
        {"Action": "a:b", "Resource": "y"},
        {"NotAction": ["iam:*"], "Resource": "y"},
        ["role r may now everything but iam:* on y"],
    ),
    "everywhere but": (
        {"Action": "a:b", "Resource": "y"},
        {"Action": "a:b", "NotResource": "z"},
        ["role r may now a:b on everything but z"],
    ),
    "a denial less": (
        {"Effect": "Deny", "Action": "a:b", "Resource": "y"},
        {"Effect": "Deny", "Action": "a:c", "Resource": "y"},
        ["role r is no longer denied a:b on y"],
    ),
    "a denial more": (
        {"Effect": "Deny", "Action": "a:b", "Resource": "y"},
        {"Effect": "Deny", "Action": "a:*", "Resource": "*"},
        [],
    ),
}


@pytest.mark.parametrize("case", PERMISSIONS)
def test_a_roles_permissions(case: str) -> None:
    before, after, expected = PERMISSIONS[case]
    assert told(may(**before), may(**after)) == expected


def test_a_policy_that_moves_is_not_new() -> None:
    allowed = {"Action": "s3:GetObject", "Resource": "y"}
    attached = [role(), one(POLICY, "p", policy=policy(allowed)), one(ATTACHMENT, "a", role="r", policyArn="arn:p")]
    inside = [role(inlinePolicies=[{"name": "x", "policy": policy(allowed)}])]
    for before in (may(**allowed), attached, inside):
        for after in (may(**allowed), attached, inside):
            assert told(before, after) == []


def test_an_attachment_brings_what_its_policy_allows() -> None:
    document = one(POLICY, "p", policy=policy(Action="a:b", Resource="y"))
    attached = one(ATTACHMENT, "a", role="r", policyArn="arn:p")
    assert told([role(), document], [role(), document, attached]) == ["role r may now a:b on y"]
    new = one(ATTACHMENT, "a", {"role": [urn(ROLE, "r")], "policyArn": [urn(POLICY, "p")]}, role=UNKNOWN, policyArn=UNKNOWN)
    assert told([role()], [role(), document, new]) == ["role r may now a:b on y"], "by what it depends on"
    wider = one(POLICY, "p", policy=policy({"Action": "a:b", "Resource": "y"}, {"Action": "a:c", "Resource": "y"}))
    assert told([role(), document, attached], [role(), wider, attached]) == ["role r may now a:c on y"]
    admin = one(ATTACHMENT, "b", role="r", policyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    assert told([role()], [role(), admin]) == ["role r may now do all that arn:aws:iam::aws:policy/AdministratorAccess allows"]


def test_a_boundary_that_goes_or_grows() -> None:
    bound = one(POLICY, "bound", policy=policy(Action="a:b", Resource="*"))
    grown = one(POLICY, "bound", policy=policy(Action="a:*", Resource="*"))
    within = role(permissionsBoundary="arn:bound")
    assert told([bound, within], [bound, within]) == []
    assert told([bound, within], [grown, within]) == ["boundary bound now leaves room for a:* on *"]
    assert told([bound, within], [bound, role()]) == ["role r now has no boundary any more, in place of bound"]


TRUSTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "the same": ({"Principal": {"AWS": ["arn:p"]}}, []),
    "another person": ({"Principal": {"AWS": ["arn:p", "arn:q"]}}, ["role r now trusts arn:q"]),
    "everybody": ({"Principal": "*"}, ["role r now trusts everybody"]),
    "a service": ({"Principal": {"Service": "ec2.amazonaws.com"}}, ["role r now trusts ec2.amazonaws.com"]),
    "by another way": (
        {"Principal": {"Federated": "arn:oidc"}, "Action": "sts:AssumeRoleWithWebIdentity"},
        ["role r now trusts arn:oidc (sts:AssumeRoleWithWebIdentity)"],
    ),
}


@pytest.mark.parametrize("case", TRUSTS)
def test_whom_a_role_trusts(case: str) -> None:
    statement, expected = TRUSTS[case]
    after = role(assumeRolePolicy=policy(**{"Action": "sts:AssumeRole", **statement}))
    assert told([role()], [after]) == expected


def test_a_trust_without_its_second_factor_is_new() -> None:
    factor = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    with_factor = policy(Principal={"AWS": "arn:p"}, Action="sts:AssumeRole", Condition=factor)
    assert told([role(assumeRolePolicy=with_factor)], [role()]) == ["role r now trusts arn:p"]
    assert told([role()], [role(assumeRolePolicy=with_factor)]) == []


def test_policies_of_resources() -> None:
    queue = one("aws:sqs/queue:Queue", "jobs")
    allowed = one(
        "aws:sqs/queuePolicy:QueuePolicy",
        "jobs",
        {"queueUrl": [queue.urn]},
        queueUrl="url",
        policy=policy(Principal="*", Action="sqs:SendMessage", Resource="arn:jobs"),
    )
    assert told([queue], [queue, allowed]) == ["queue jobs now lets everybody sqs:SendMessage on arn:jobs"]
    key = one("aws:kms/key:Key", "k", policy=policy(Principal={"AWS": "arn:q"}, Action="kms:Decrypt", Resource="*"))
    assert told([one("aws:kms/key:Key", "k")], [key]) == ["key k now lets arn:q kms:Decrypt on *"]


def test_what_only_up_knows_is_told_as_such_and_only_where_it_changes() -> None:
    unknown = [role(), one(ROLE_POLICY, "r-policy", role="r", policy=UNKNOWN)]
    secret = [role(), one(ROLE_POLICY, "r-policy", role="r", policy=Secret(policy(Action="a:b", Resource="hunter2")))]
    before = may(Action="a:b", Resource="y")
    for after in (unknown, secret):
        assert told(before, after) == ["cannot tell yet what the policy of role r allows: up will know"]
        assert told(after, after) == []
        assert widened(intent(before, after))[0].unsure
    assert told([role()], [role(assumeRolePolicy=UNKNOWN)]) == ["cannot tell yet whom role r trusts: up will know"]


def test_a_policy_that_cannot_be_read_shows() -> None:
    broken = [role(), one(ROLE_POLICY, "r-policy", role="r", policy="{")]
    assert told(may(Action="a:b", Resource="y"), broken) == ["role r may now whatever an unreadable policy says on *"]


# -- network --------------------------------------------------------------------------------------------------------------


def inline(*rules: dict[str, Any]) -> list[ResourceState]:
    return [one(GROUP, "web", ingress=[{"protocol": "tcp", **rule} for rule in rules])]


def separate(**rule: Any) -> list[ResourceState]:
    return [one(GROUP, "web"), one(INGRESS, "in", securityGroupId="web-id", ipProtocol="tcp", **rule)]


def old_style(**rule: Any) -> list[ResourceState]:
    return [one(GROUP, "web"), one(RULE, "in", type="ingress", securityGroupId="web-id", protocol="tcp", **rule)]


OFFICE = {"fromPort": 22, "toPort": 22, "cidrBlocks": ["198.51.100.0/24"]}
WORLD = {"fromPort": 22, "toPort": 22, "cidrBlocks": ["0.0.0.0/0"]}


def test_a_rule_is_the_same_however_it_is_written() -> None:
    ways = [
        inline(OFFICE),
        old_style(**OFFICE),
        separate(fromPort=22.0, toPort=22.0, cidrIpv4="198.51.100.0/24"),
        inline({**OFFICE, "protocol": "6"}),
    ]
    for before in ways:
        for after in ways:
            assert told(before, after) == []
        assert told([one(GROUP, "web")], before) == ["security group web now lets 198.51.100.0/24 reach tcp 22"]


REACH: dict[str, tuple[dict[str, Any], list[str]]] = {
    "the world": (WORLD, ["security group web now lets 0.0.0.0/0 reach tcp 22"]),
    "a part of it": ({**OFFICE, "cidrBlocks": ["198.51.100.7/32"]}, []),
    "more ports": ({**OFFICE, "fromPort": 20}, ["security group web now lets 198.51.100.0/24 reach tcp 20-22"]),
    "everything": ({**OFFICE, "protocol": "-1"}, ["security group web now lets 198.51.100.0/24 reach everything"]),
    "another protocol": ({**OFFICE, "protocol": "udp"}, ["security group web now lets 198.51.100.0/24 reach udp 22"]),
    "IPv6": (
        {"fromPort": 22, "toPort": 22, "ipv6CidrBlocks": ["::/0"]},
        ["security group web now lets ::/0 reach tcp 22"],
    ),
    "another group": (
        {"fromPort": 22, "toPort": 22, "securityGroups": ["other-id"]},
        ["security group web now lets security group other-id reach tcp 22"],
    ),
    "a prefix list": (
        {"fromPort": 22, "toPort": 22, "prefixListIds": ["pl-1"]},
        ["security group web now lets prefix list pl-1 reach tcp 22"],
    ),
    "not known yet": (
        {"fromPort": 22, "toPort": 22, "cidrBlocks": [UNKNOWN]},
        ["cannot tell yet whom web of security group web lets through: up will know"],
    ),
}


@pytest.mark.parametrize("case", REACH)
def test_whom_a_security_group_lets_through(case: str) -> None:
    rule, expected = REACH[case]
    assert told(inline(OFFICE), inline(rule)) == expected


def test_ports_that_several_rules_had_are_not_new_in_one() -> None:
    two = inline({**OFFICE, "fromPort": 20, "toPort": 21}, {**OFFICE, "fromPort": 22, "toPort": 25})
    assert told(two, inline({**OFFICE, "fromPort": 20, "toPort": 25})) == []
    assert told(two, inline({**OFFICE, "fromPort": 20, "toPort": 26})) != []


def test_ways_out() -> None:
    rule = one(EGRESS, "out", securityGroupId="web-id", ipProtocol="-1", cidrIpv4="0.0.0.0/0")
    group = one(GROUP, "web")
    assert told([group], [group, rule]) == ["security group web may now reach 0.0.0.0/0 on everything"]
    way = one("aws:ec2/route:Route", "out", gatewayId="igw-1", destinationCidrBlock="0.0.0.0/0")
    assert told([], [way]) == ["route out now leads 0.0.0.0/0 to the Internet"]
    assert told([], [one("aws:ec2/route:Route", "out", natGatewayId="nat-1", destinationCidrBlock="0.0.0.0/0")]) == []


def test_what_becomes_public() -> None:
    for type_, before, after, text in (
        (BALANCER, {"internal": True}, {"internal": False}, "load balancer x is now reached from the Internet"),
        (DATABASE, {}, {"publiclyAccessible": True}, "instance x now has a public address"),
        (DATABASE, {}, {"publiclyAccessible": UNKNOWN}, "cannot tell yet whether instance x has a public address"),
        ("aws:lb/listener:Listener", {"port": 80}, {"port": 443, "protocol": "HTTPS"}, "listener x now listens on HTTPS 443"),
        ("aws:lambda/functionUrl:FunctionUrl", {}, {"authorizationType": "NONE"}, "function x can now be called by everybody"),
    ):
        assert told([one(type_, "x", **before)], [one(type_, "x", **after)]) == [text]
        assert [found for found in told([one(type_, "x", **after)], [one(type_, "x", **before)]) if "listens" not in found] == []


def test_what_is_behind_another_group_and_a_bucket_that_nothing_keeps_private() -> None:
    group = one(GROUP, "office")
    before, after = one(DATABASE, "db", vpcSecurityGroupIds=[]), one(DATABASE, "db", vpcSecurityGroupIds=["office-id"])
    assert told([group, before], [group, after]) == ["instance db is now behind security group office as well"]
    block = one("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "b", blockPublicPolicy=True)
    open_ = one("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "b", blockPublicPolicy=False)
    assert told([block], [open_]) == ["bucket b is no longer kept from the public by blockPublicPolicy"]
    assert told([open_], [block]) == []


def test_what_can_now_be_deleted() -> None:
    kept = one(DATABASE, "db", deletionProtection=True)
    kept.protect = True
    told_ = told([kept], [one(DATABASE, "db", deletionProtection=False)])
    assert told_ == ["instance db can now be deleted: deletionProtection, protect no longer keep it"]


def test_of_a_new_environment_the_counts_alone() -> None:
    new = intent([], may(Action="a:b", Resource="y"))
    assert is_creation(new)
    (line,) = lines(widened(new), creation=True)
    assert "1 permission and 1 trust (--json lists them)" in line and "a:b" not in line
    assert list(lines((), creation=True)) == list(lines((), creation=False)) == []


def test_a_destroy_widens_nothing() -> None:
    gone = Intent(cast(Stack, None), "destroy", Snapshot(may(Action="a:b", Resource="y")), Snapshot([]), ())
    assert widened(gone) == ()


SSH = {"protocol": "tcp", "fromPort": 22, "toPort": 22, "cidrBlocks": ["0.0.0.0/0"]}
HIDDEN: dict[str, tuple[str, dict[str, Any], str, Any, str]] = {
    "a group's rules": (GROUP, {"ingress": []}, "ingress", [SSH], "whom x of security group x lets through"),
    "a public address": (DATABASE, {"publiclyAccessible": False}, "publiclyAccessible", True, "has a public address"),
    "a guard": (DATABASE, {"deletionProtection": True}, "deletionProtection", False, "deletionProtection still keeps instance x"),
    "groups": (DATABASE, {"vpcSecurityGroupIds": ["a"]}, "vpcSecurityGroupIds", ["b"], "group one that is not known yet as well"),
    "a balancer": (BALANCER, {"internal": True}, "internal", False, "load balancer x is reached from the Internet"),
    "a service": ("aws:ecs/service:Service", {}, "networkConfiguration", {"assignPublicIp": True}, "tasks public addresses"),
    "routes": ("aws:ec2/routeTable:RouteTable", {}, "routes", [{"gatewayId": "igw-1"}], "table x leads to the Internet"),
    "a gateway": ("aws:ec2/route:Route", {}, "gatewayId", "igw-1", "route x leads to the Internet"),
    "an ACL": ("aws:s3/bucket:Bucket", {}, "acl", "public-read", "bucket x can be read by everybody"),
    "a URL": ("aws:lambda/functionUrl:FunctionUrl", {}, "authorizationType", "NONE", "who can call function x"),
    "an attachment": (ATTACHMENT, {"role": "r", "policyArn": "arn:a"}, "policyArn", "arn:b", "what the policy of role r allows"),
}


@pytest.mark.parametrize("case", HIDDEN)
def test_what_is_secret_or_not_known_yet_is_told_as_such_and_its_value_is_not(case: str) -> None:
    type_, before, key, value, expected = HIDDEN[case]
    for hidden in (Secret(value), UNKNOWN):
        after = one(type_, "x", **{**before, key: hidden})
        (text, *_) = lines = [text for text in told([one(type_, "x", **before)], [after]) if expected in text]
        assert len(lines) == 1
        assert "igw-1" not in text
        assert "arn:b" not in text
        assert not [text for text in told([after], [after]) if expected in text and hidden is not UNKNOWN]


def test_one_secret_in_the_place_of_another_is_told() -> None:
    for type_, key in ((ATTACHMENT, "policyArn"), (DATABASE, "vpcSecurityGroupIds"), (DATABASE, "publiclyAccessible")):
        first, second = (one(type_, "x", role="r", **{key: Secret(value)}) for value in ("a", "b"))
        assert told([first], [second]), key


def test_what_is_left_out_keeps_nothing_and_what_is_called_otherwise_is_the_same_thing() -> None:
    safe = one(DATABASE, "d", deletionProtection=True)
    assert told([safe], [one(DATABASE, "d")]) == ["instance d can now be deleted: deletionProtection no longer keeps it"]
    bucket = "aws:s3/bucket:Bucket"
    (text,) = told([one(bucket, "b")], [one(bucket, "b", forceDestroy=True)])
    assert text == "bucket b can now be deleted: forceDestroy no longer keeps it"
    renamed = ResourceState(urn(DATABASE, "other"), DATABASE, True, "d-id", inputs={"deletionProtection": False})
    assert told([safe], [renamed]) == ["instance other can now be deleted: deletionProtection no longer keeps it"]


def test_a_role_that_is_called_otherwise_may_do_nothing_new() -> None:
    old, *rest = may(Action="a:b", Resource="y")
    renamed = ResourceState(urn(ROLE, "new"), ROLE, True, old.id, inputs=old.inputs, outputs=old.outputs)
    assert told([old, *rest], [renamed, *rest]) == []


def test_all_ports_and_all_of_icmp_are_more_than_one() -> None:
    def rule(protocol: str, first: Any, last: Any) -> list[ResourceState]:
        ports = {"protocol": protocol, "fromPort": first, "toPort": last}
        return [one(RULE, "r", type="ingress", securityGroupId="g", cidrBlocks=["10.0.0.0/8"], **ports)]

    assert told(rule("tcp", "22", "22"), rule("tcp", 0, 65535)) == ["security group g now lets 10.0.0.0/8 reach all of tcp"]
    assert told(rule("icmp", 8, 0), rule("icmp", -1, -1)) == ["security group g now lets 10.0.0.0/8 reach all of icmp"]
    assert told(rule("icmp", -1, -1), rule("icmp", 8, 0)) == []


def test_what_prefix_lists_and_groups_take_in_and_keys_grant() -> None:
    def listed(*blocks: str) -> list[ResourceState]:
        return [one("aws:ec2/managedPrefixList:ManagedPrefixList", "offices", entries=[{"cidr": block} for block in blocks])]

    assert told(listed("10.0.0.0/8"), listed("10.0.0.0/8", "0.0.0.0/0")) == [
        "prefix list offices now has 0.0.0.0/0, for all rules that name it"
    ]
    entry = one("aws:ec2/managedPrefixListEntry:ManagedPrefixListEntry", "e", prefixListId="offices-id", cidr="::/0")
    assert told(listed(), [*listed(), entry]) == ["prefix list offices now has ::/0, for all rules that name it"]
    there = [one("aws:iam/group:Group", "admins"), one("aws:iam/user:User", "eve")]
    joins = one("aws:iam/userGroupMembership:UserGroupMembership", "m", user="eve", groups=["admins"])
    takes = one("aws:iam/groupMembership:GroupMembership", "m", group="admins", users=["eve"])
    for membership in (joins, takes):
        assert told(there, [*there, membership]) == ["user eve is now in group admins"]
        assert told([*there, membership], [*there, membership]) == []
    grant = one("aws:kms/grant:Grant", "g", keyId="k", granteePrincipal="arn:p", operations=["Decrypt"])
    assert told([], [grant]) == ["key k lets arn:p kms:Decrypt"]
    assert told([grant], [grant]) == []
