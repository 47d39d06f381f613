"""A small project of somebody else, one of whose two environments only some may run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.command_line import CommandLine, Ran

ACCOUNT = "333333333333"
PARAMETERS = """
from dataclasses import dataclass, field

ENVIRONMENTS = ("dev", "staging")
RESTRICTED = ("staging",)
PEOPLE = "arn:aws:iam::999999999999:role/people"


@dataclass(frozen=True)
class Role:
    name: str
    principals: tuple = ()
    subjects: tuple = ()
    issuer: str = "https://token.example"
    mfa: bool = False


@dataclass(frozen=True)
class Gates:
    account: str = "333333333333"
    region: str = "eu-west-1"
    entry_role: str = "entry"
    operators: tuple = ("operations", "deployer")
    approvers: tuple = ("operations",)
    break_glass: str = "break-glass"
    roles: dict = field(
        default_factory=lambda: {
            "operations": Role("small-operations", (PEOPLE,), mfa=True),
            "deployer": Role("small-deployer", subjects=("repo:small/small:environment:staging",)),
            "developer": Role("small-developer", (PEOPLE,)),
            "break-glass": Role("small-break-glass", (PEOPLE,), mfa=True),
        }
    )


def versions():
    return ["1.0.0"]


def load(version):
    return version


def digest(version):
    return version


def gates(parameters, environment):
    return Gates()
"""
PROGRAM = """
import json
from pathlib import Path

import pulumi
import pulumi_aws as aws

PEOPLE = "arn:aws:iam::999999999999:role/people"
said = json.loads((Path(__file__).parent / "said.json").read_text())
provider = aws.Provider("account", region="eu-west-1", assume_roles=[{"role_arn": "arn:aws:iam::333333333333:role/entry"}])
here = pulumi.ResourceOptions(provider=provider)


def trust(statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


def person(role, condition, actions="sts:AssumeRole"):
    statement = {"Principal": {"AWS": PEOPLE}, "Action": actions, **({"Condition": condition} if condition else {})}
    return aws.iam.Role(f"small-{role}", assume_role_policy=trust(statement), opts=here)


factor = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
operations = person("operations", factor)
tags = {"Null": {"aws:RequestTag/ticket": "false", "aws:RequestTag/reason": "false"}}
person("break-glass", {**factor, **tags}, ["sts:AssumeRole", "sts:TagSession"])
person("developer", None)
claims = {"token.example:sub": "repo:small/small:environment:staging"}
token = {"Federated": "arn:aws:iam::333333333333:oidc-provider/token.example"}
web = {"Principal": token, "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringEquals": claims}}
aws.iam.Role("small-deployer", assume_role_policy=trust(web), opts=here)
allowed = [{"Effect": "Allow", "Action": said["actions"], "Resource": "*"}]
policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
aws.iam.RolePolicy("small-operations", role=operations.name, policy=policy, opts=here)
aws.sqs.Queue("jobs", delay_seconds=said["delay"], opts=here)
log = aws.cloudwatch.LogGroup("trail", opts=here)
pattern = '{ ($.requestParameters.roleArn = "*:role/small-break-glass-*") }'
metric = {"name": "used", "namespace": "small", "value": "1"}
aws.cloudwatch.LogMetricFilter("used", log_group_name=log.name, pattern=pattern, metric_transformation=metric, opts=here)
aws.cloudwatch.MetricAlarm(
    "used",
    comparison_operator="GreaterThanThreshold",
    evaluation_periods=1,
    metric_name="used",
    namespace="small",
    period=60,
    statistic="Sum",
    threshold=0,
    opts=here,
)
"""

# Restricted environments are not changed without a policy pack; this one forbids nothing.
PACK = """
from pulumi_policy import PolicyPack, ResourceValidationPolicy

PolicyPack("small", policies=[ResourceValidationPolicy("nothing", "Forbids nothing", lambda args, report: None)])
"""


class Small:
    """The project, driven by the command line; with a local cloud of its own."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "project"
        self.root.mkdir()
        (self.root / "Pulumi.yaml").write_text("name: small\nruntime: python\n")
        (self.root / "parameters.py").write_text(PARAMETERS)
        (self.root / "__main__.py").write_text(PROGRAM)
        (self.root / "policies").mkdir()
        (self.root / "policies" / "PulumiPolicy.yaml").write_text("runtime: python\n")
        (self.root / "policies" / "__main__.py").write_text(PACK)
        for environment in ("dev", "staging"):
            text = f"config:\n  isostack:environment: {environment}\n  isostack:parameters: 1.0.0\n"
            (self.root / f"Pulumi.{environment}.yaml").write_text(text)
        self.home = folder / "home"
        self.command = CommandLine(self.home)
        self.says()

    def says(self, delay: int = 0, actions: tuple[str, ...] = ("s3:GetObject",)) -> None:
        """Change what the program asks for; actions are a permission."""
        (self.root / "said.json").write_text(json.dumps({"delay": delay, "actions": list(actions)}))

    def __call__(self, *arguments: str) -> Ran:
        return self.command(*arguments, cwd=self.root)

    def done(self, *arguments: str) -> Any:
        """The document of a command that succeeds."""
        ran = self(*arguments, "--json")
        assert ran.code == 0, ran.out + ran.err
        return ran.json

    def refused(self, *arguments: str) -> str:
        """What a command that is refused says."""
        ran = self(*arguments)
        assert ran.code == 3, (ran.code, ran.out + ran.err)
        return ran.err

    def login(self, person: str, role: str = "operations", code: str | None = "123456") -> Any:
        return self.done("cloud", "login", role, "staging", "--as", person, *(["--mfa", code] if code else []))

    def delay(self) -> int:
        """What the queue in the cloud has now."""
        from isostack.localcloud.client import Cloud
        from isostack.localcloud.server import LocalCloud

        sqs = Cloud(LocalCloud(self.home).ensure().url, account_id=ACCOUNT).client("sqs")
        (url,) = sqs.list_queues()["QueueUrls"]
        return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["DelaySeconds"])
