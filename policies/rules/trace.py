"""Rules on trace: what leaves a trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pulumi_policy import Severity

from policies.reachability import VPCS
from policies.references import References
from policies.resources import UNKNOWN, CannotTell, Resource
from policies.rule import DEV_MAY, EVERYWHERE, FROM_STAGING, Area, Example, Finding, Given, Rule, Settings

TRAIL = "aws:cloudtrail/trail:Trail"
KEY = "aws:kms/key:Key"
FLOW_LOG = "aws:ec2/flowLog:FlowLog"
SYMMETRIC = "SYMMETRIC_DEFAULT"

# What a trail has to say of each of these, and what is lost where it does not; with what holds where it says nothing.
TRAIL_SAYS = (
    ("isMultiRegionTrail", False, "what is done in other regions leaves no trace"),
    ("enableLogFileValidation", False, "who changes its files is not found out"),
    ("enableLogging", True, "it records nothing"),
    ("includeGlobalServiceEvents", True, "what is done to IAM leaves no trace"),
)


def _traced(resources: Sequence[Resource], settings: Settings) -> Iterator[Finding]:
    trails = References(resources).of(TRAIL)
    if not trails:
        yield Finding(what="The stack has no trail: nobody can say who did what")
    for trail in trails:
        for path, default, lost in TRAIL_SAYS:
            value = trail.peek(path)
            if value is UNKNOWN:
                yield Finding(what=f"{path} is not known", resource=trail, unsure=True)
            elif not (default if value is None else value):
                yield Finding(what=f"{path} is off: {lost}", resource=trail)


def _rotates(resource: Resource, settings: Settings) -> Iterator[str | Finding]:
    if resource.peek("customKeyStoreId") is not None:
        return  # KMS rotates no material that is kept elsewhere, nor that of the other kinds of keys
    spec, use = resource.get("customerMasterKeySpec", SYMMETRIC), resource.get("keyUsage", "ENCRYPT_DECRYPT")
    if spec == SYMMETRIC and use == "ENCRYPT_DECRYPT" and not resource.get("enableKeyRotation", False):
        yield "enableKeyRotation is off: all that it ever encrypts hangs on one material"


def _flows_logged(resources: Sequence[Resource], settings: Settings) -> Iterator[Finding]:
    references = References(resources)
    logs = references.of(FLOW_LOG)
    for vpc in references.of(*VPCS):
        try:
            own = [log for log in logs if references.one(log, "vpcId", VPCS) is vpc]
            if not own:
                yield Finding(what="no aws.ec2.FlowLog records its traffic", resource=vpc)
            elif all(log.get("trafficType", "ALL") == "ACCEPT" for log in own):
                yield Finding(what="its flow log leaves out what was rejected, which is what attempts look like", resource=vpc)
        except CannotTell as error:
            yield Finding(what=f"{error.path} of its flow log is not known", resource=vpc, unsure=True)


def _trail(**props: Any) -> tuple[Given, ...]:
    says = {"s3BucketName": "shop-audit", "isMultiRegionTrail": True, "enableLogFileValidation": True, **props}
    return (Given(type=TRAIL, name="trail", props=says),)


def _key(**props: Any) -> tuple[Given, ...]:
    return (Given(type=KEY, name="data", props={"description": "Data at rest", **props}),)


_VPC = Given(type="aws:ec2/vpc:Vpc", name="network", props={"id": "vpc-1", "cidrBlock": "10.40.0.0/16"})
_LOG = Given(type=FLOW_LOG, name="traffic", props={"vpcId": "vpc-1", "trafficType": "ALL"})

RULES: tuple[Rule, ...] = (
    Rule(
        number=31,
        name="trail-everywhere-and-validated",
        area=Area.TRACE,
        severity=Severity.HIGH,
        levels=FROM_STAGING,
        ids=("CKV_AWS_67", "CKV_AWS_36", "CIS 4.1", "CIS 4.2"),
        title="A trail records what is done in all regions, in files that cannot be changed unnoticed",
        why="After an incident the first question is who did it, and the second whether the record can be trusted.",
        mend="Register aws.cloudtrail.Trail with isMultiRegionTrail and enableLogFileValidation, and leave it on.",
        check_stack=_traced,
        example=Example(wrong=_trail(isMultiRegionTrail=False), mended=_trail()),
    ),
    Rule(
        number=32,
        name="key-rotation",
        area=Area.TRACE,
        severity=Severity.MEDIUM,
        levels=EVERYWHERE,
        ids=("CKV_AWS_7", "CIS 4.6", "AG cmk-backing-key-rotation-enabled"),
        title="KMS keys get new material by themselves",
        why="The less a material has encrypted, the less its loss opens.",
        mend="Set enableKeyRotation to true.",
        types=frozenset({KEY}),
        check=_rotates,
        example=Example(wrong=_key(enableKeyRotation=False), mended=_key(enableKeyRotation=True)),
    ),
    Rule(
        number=33,
        name="network-flow-logs",
        area=Area.TRACE,
        severity=Severity.MEDIUM,
        levels=DEV_MAY,
        ids=("CKV2_AWS_11", "CIS 4.7"),
        title="The traffic of each network is recorded, also what was rejected",
        why="It is the only record of who tried to reach what, and of what left.",
        mend="Register aws.ec2.FlowLog for the network, with trafficType ALL.",
        check_stack=_flows_logged,
        example=Example(wrong=(_VPC,), mended=(_VPC, _LOG)),
    ),
)
