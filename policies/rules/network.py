"""Rules on network: who can be reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pulumi_policy import Severity

from policies.reachability import VPCS, Reachability
from policies.references import References
from policies.resources import UNKNOWN, CannotTell, Resource
from policies.rule import DEV_MAY, EVERYWHERE, Area, Example, Finding, Given, Rule, Settings
from policies.security_groups import ALL_PORTS, GROUPS, SEPARATE, WITH_PORTS, Opening, openings, permissions, widest

DEFAULT_GROUP = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
SSH, RDP = 22, 3389
PUBLIC_PORTS: dict[str, Any] = {
    "type": "array",
    "items": {"type": "integer"},
    "default": [80, 443],
    "description": "Ports that the world may reach, by TCP and UDP",
}


# -- what the world reaches ----------------------------------------------------------------------------------------------


def _opened(resource: Resource, wanted: Callable[[Opening], bool]) -> Iterator[str]:
    given = permissions(resource.type, resource.props)
    found = [opening for opening in openings(given) if wanted(opening)]
    if found:
        yield f"the whole Internet may send to {_listed(found)}"
    elif any(wanted(opening) for opening in openings(widest(given))):
        raise CannotTell("who may send, and where to,")


def _listed(found: Sequence[Opening]) -> str:
    return ", ".join(str(opening) for opening in found)


def _ssh(opening: Opening) -> bool:
    return opening.covers("tcp", SSH)


def _rdp(opening: Opening) -> bool:
    return opening.covers("tcp", RDP) or opening.covers("udp", RDP)


def _other(opening: Opening, public: Sequence[Any]) -> bool:
    """Whether there is a port in it that is neither public nor the other two rules'."""
    if opening.protocol not in WITH_PORTS or opening.ports == ALL_PORTS:
        return True
    first, last = opening.ports
    theirs = {SSH, RDP} if opening.protocol == "tcp" else {RDP}
    return last - first + 1 > sum(first <= port <= last for port in {*map(int, public), *theirs})


def _world_ssh(resource: Resource, settings: Settings) -> Iterator[str | Finding]:
    yield from _opened(resource, _ssh)


def _world_rdp(resource: Resource, settings: Settings) -> Iterator[str | Finding]:
    yield from _opened(resource, _rdp)


def _world_other(resource: Resource, settings: Settings) -> Iterator[str | Finding]:
    yield from _opened(resource, lambda opening: _other(opening, settings.options["publicPorts"]))


def _world_in_parts(resources: Sequence[Resource], settings: Settings) -> Iterator[Finding]:
    """What rules of one group, and the prefix lists that they name, open together and none of them alone."""

    def wanted(opening: Opening) -> bool:
        return _ssh(opening) or _rdp(opening) or _other(opening, settings.options["publicPorts"])

    network = Reachability(References(resources))
    for group in network.references.of(*GROUPS):
        try:
            holders = network.holders(group)
            together = network.permissions(group)
        except CannotTell as error:
            yield Finding(what=f"{error.path} is not known", resource=group, unsure=True)
            continue
        if any(wanted(opening) for one in holders for opening in openings(permissions(one.type, one.props))):
            continue
        if found := [opening for opening in openings(together) if wanted(opening)]:
            yield Finding(what=f"its rules together let the whole Internet send to {_listed(found)}", resource=group)
        elif any(wanted(opening) for opening in openings(widest(together))):
            yield Finding(what="who may send by its rules together is not known", resource=group, unsure=True)


def _group_allowing(port: int, block: str, description: str) -> tuple[Given, ...]:
    rule = {"protocol": "tcp", "fromPort": port, "toPort": port, "cidrBlocks": [block], "description": description}
    return (Given(type=GROUPS[0], name="bastion", props={"ingress": [rule], "egress": []}),)


_NARROW = "10.40.0.0/16"


# -- default groups ------------------------------------------------------------------------------------------------------


def _default_closed(resources: Sequence[Resource], settings: Settings) -> Iterator[Finding]:
    references = References(resources)
    groups = references.of(DEFAULT_GROUP)
    for vpc in references.of(*VPCS):
        try:
            if not any(references.one(group, "vpcId", VPCS) is vpc for group in groups):
                what = "its default security group lets all that names no other talk to each other, and out to everywhere"
                yield Finding(what=what, resource=vpc)
        except CannotTell:
            yield Finding(what="which default security group is its own is not known", resource=vpc, unsure=True)
    for group in groups:
        yield from _closed(group, references)


def _closed(group: Resource, references: References) -> Iterator[Finding]:
    for direction, word in (("ingress", "in"), ("egress", "out")):
        rules = group.peek(direction)
        if rules is UNKNOWN:
            yield Finding(what=f"{direction} is not known", resource=group, unsure=True)
        elif rules:
            yield Finding(what=f"as the default group it lets traffic {word}, to all that names no other group", resource=group)
    for rule in references.of(*SEPARATE):
        try:
            if references.one(rule, "securityGroupId", GROUPS) is group:
                yield Finding(what=f"it opens {group.name}, the default group of a network", resource=rule)
        except CannotTell:
            yield Finding(what="securityGroupId is not known", resource=rule, unsure=True)


# -- machines ------------------------------------------------------------------------------------------------------------

ADDRESSES = {
    "aws:ec2/instance:Instance": ("associatePublicIpAddress",),
    "aws:ec2/spotInstanceRequest:SpotInstanceRequest": ("associatePublicIpAddress",),
    "aws:ec2/launchConfiguration:LaunchConfiguration": ("associatePublicIpAddress",),
    "aws:ec2/subnet:Subnet": ("mapPublicIpOnLaunch",),
    "aws:ec2/defaultSubnet:DefaultSubnet": ("mapPublicIpOnLaunch",),
    "aws:ecs/service:Service": ("networkConfiguration.assignPublicIp",),
    "aws:ecs/taskSet:TaskSet": ("networkConfiguration.assignPublicIp",),
}
"""Properties that give a public address where they are true."""
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
ATTACHED = ("aws:ec2/eip:Eip", "aws:ec2/eipAssociation:EipAssociation")
# Booleans of a launch template are texts.
_YES = (True, "true")


def _public_address(resource: Resource, settings: Settings) -> Iterator[str | Finding]:
    for path in ADDRESSES.get(resource.type, ()):
        if resource.get(path) in _YES:
            yield f"{path} gives a public address to what is started there"
    if resource.type == TEMPLATE:
        for number, _ in enumerate(resource.all("networkInterfaces")):
            if resource.get(f"networkInterfaces.{number}.associatePublicIpAddress") in _YES:
                yield "associatePublicIpAddress of a network interface gives what is started by it a public address"
    if resource.type in ATTACHED:
        for path in ("instance", "instanceId"):
            if resource.peek(path) is not None:
                yield "it gives a machine a public address"


METADATA = (
    "aws:ec2/instance:Instance",
    "aws:ec2/spotInstanceRequest:SpotInstanceRequest",
    "aws:ec2/launchConfiguration:LaunchConfiguration",
    TEMPLATE,
)


def _imds(resource: Resource, settings: Settings) -> Iterator[str | Finding]:
    if resource.peek("launchTemplate") is not None and resource.peek("metadataOptions") is None:
        return  # the template says it, and is asked itself
    if resource.get("metadataOptions.httpEndpoint") == "disabled":
        return
    tokens = resource.get("metadataOptions.httpTokens", "optional")
    if tokens != "required":
        yield f"metadataOptions.httpTokens is {tokens}: its credentials are given to whoever makes it fetch an address"


def _machine(**props: Any) -> tuple[Given, ...]:
    return (Given(type="aws:ec2/instance:Instance", name="worker", props={"instanceType": "t4g.small", **props}),)


_CLOSED_GROUP = {"vpcId": "vpc-1", "ingress": [], "egress": []}
_PINGABLE = [{"protocol": "-1", "fromPort": 0, "toPort": 0, "self": True}]
_VPC = Given(type="aws:ec2/vpc:Vpc", name="network", props={"id": "vpc-1", "cidrBlock": _NARROW})


def _in_parts(first: str, second: str) -> tuple[Given, ...]:
    ssh = {"fromPort": SSH, "toPort": SSH}
    rule = {"protocol": "tcp", **ssh, "cidrBlocks": [first], "description": "a provider"}
    group = Given(type=GROUPS[0], name="bastion", props={"id": "sg-1", "ingress": [rule], "egress": []})
    more = {"securityGroupId": "sg-1", "ipProtocol": "tcp", **ssh, "cidrIpv4": second}
    return group, Given(type=SEPARATE[1], name="more", props=more)


RULES: tuple[Rule, ...] = (
    Rule(
        number=16,
        name="no-world-ingress-ssh",
        area=Area.NETWORK,
        severity=Severity.CRITICAL,
        levels=EVERYWHERE,
        ids=("CKV_AWS_24", "CIS 6.3", "CIS 6.4"),
        title="SSH is not open to the whole Internet",
        why="Every open SSH port is tried within minutes, and one weak key is enough.",
        mend="Let in a group or the blocks of those who need it, or use Session Manager and no port at all.",
        types=frozenset({*GROUPS, *SEPARATE}),
        check=_world_ssh,
        example=Example(
            wrong=_group_allowing(SSH, "0.0.0.0/0", "everybody"), mended=_group_allowing(SSH, _NARROW, "this network")
        ),
    ),
    Rule(
        number=17,
        name="no-world-ingress-rdp",
        area=Area.NETWORK,
        severity=Severity.CRITICAL,
        levels=EVERYWHERE,
        ids=("CKV_AWS_25", "CIS 6.3", "CIS 6.4"),
        title="Remote desktops are not open to the whole Internet",
        why="An open remote desktop is the usual way in for those who lock up data for ransom.",
        mend="Let in a group or the blocks of those who need it.",
        types=frozenset({*GROUPS, *SEPARATE}),
        check=_world_rdp,
        example=Example(
            wrong=_group_allowing(RDP, "0.0.0.0/0", "everybody"), mended=_group_allowing(RDP, _NARROW, "this network")
        ),
    ),
    Rule(
        number=18,
        name="no-world-ingress-any",
        area=Area.NETWORK,
        severity=Severity.HIGH,
        levels=EVERYWHERE,
        ids=("CKV_AWS_277",),
        title="The whole Internet reaches the ports of the web and no others",
        why="What the world can send to, the world will send to; only a load balancer is made for that.",
        mend="Name the port, and let in a group or the blocks of those who call it; the world may have publicPorts alone.",
        types=frozenset({*GROUPS, *SEPARATE}),
        check=_world_other,
        schema={"publicPorts": PUBLIC_PORTS},
        example=Example(
            wrong=_group_allowing(8080, "0.0.0.0/0", "everybody"), mended=_group_allowing(443, "0.0.0.0/0", "callers")
        ),
    ),
    Rule(
        number=18,
        name="no-world-ingress-in-parts",
        area=Area.NETWORK,
        severity=Severity.HIGH,
        levels=EVERYWHERE,
        ids=(),
        title="No group is open to the whole Internet by several rules or prefix lists together",
        why="Two halves of the Internet are the Internet; each rule alone looks narrow.",
        mend="Let in the blocks of those who call, and no more of them than one provider has.",
        check_stack=_world_in_parts,
        schema={"publicPorts": PUBLIC_PORTS},
        example=Example(wrong=_in_parts("16.0.0.0/8", "17.0.0.0/8"), mended=_in_parts("198.51.100.0/24", "203.0.113.0/24")),
    ),
    Rule(
        number=19,
        name="default-security-group-closed",
        area=Area.NETWORK,
        severity=Severity.MEDIUM,
        levels=EVERYWHERE,
        ids=("CKV2_AWS_12", "CIS 6.5"),
        title="The default security group of each network lets nothing through",
        why="What names no group gets the default one, so a forgotten line would open it to its neighbours.",
        mend="Register aws.ec2.DefaultSecurityGroup for the network with ingress=[] and egress=[], and use groups of your own.",
        check_stack=_default_closed,
        example=Example(
            wrong=(_VPC, Given(type=DEFAULT_GROUP, name="default", props={**_CLOSED_GROUP, "ingress": _PINGABLE})),
            mended=(_VPC, Given(type=DEFAULT_GROUP, name="default", props=_CLOSED_GROUP)),
        ),
    ),
    Rule(
        number=20,
        name="no-public-address",
        area=Area.NETWORK,
        severity=Severity.HIGH,
        levels=DEV_MAY,
        ids=("CKV_AWS_88", "CKV_AWS_130", "CKV_AWS_333", "AG ec2-instance-no-public-ip"),
        title="Only load balancers and NAT gateways have public addresses",
        why="A machine with a public address is one security-group rule away from everybody.",
        mend="Put it into a private subnet without a public address, behind a load balancer or a NAT gateway.",
        types=frozenset({*ADDRESSES, TEMPLATE, *ATTACHED}),
        check=_public_address,
        example=Example(wrong=_machine(associatePublicIpAddress=True), mended=_machine(associatePublicIpAddress=False)),
    ),
    Rule(
        number=21,
        name="imds-v2",
        area=Area.NETWORK,
        severity=Severity.HIGH,
        levels=EVERYWHERE,
        ids=("CKV_AWS_79", "CIS 6.7"),
        title="A machine's metadata is given only to who asks with a token",
        why="Without tokens a program that can be made to fetch an address gives the machine's credentials away.",
        mend="Set metadataOptions.httpTokens to required.",
        types=frozenset(METADATA),
        check=_imds,
        example=Example(wrong=_machine(), mended=_machine(metadataOptions={"httpTokens": "required"})),
    ),
)
