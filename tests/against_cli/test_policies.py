"""The same packs on the official CLI and on the embedded engine find the same. Skipped, and said so, where there is no CLI."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from benchmarks.engines import PACKAGES, plugin
from isostack.engine.secrets import PassphraseSecrets
from isostack.localcloud.server import LocalCloud
from tests.against_cli.official import Cli, required
from tests.command_line import CommandLine, project
from tests.policy_packs.packs import write

ROOT = Path(__file__).parent.parent.parent
required()

# Wrong in many ways; with secrets, unknown values, an asset, a component, a provider of its own, options.
PROGRAM = """
import json
import pulumi
import pulumi_aws as aws

class Group(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("test:index:Group", name, {"size": 3}, opts)

group = Group("group")
mine = aws.Provider("mine", region="eu-central-1")
inside = pulumi.ResourceOptions(parent=group)
other = pulumi.ResourceOptions(provider=mine)
bucket = aws.s3.Bucket("files", force_destroy=True, opts=pulumi.ResourceOptions(parent=group, protect=True, provider=mine))
aws.s3.BucketObject("note", bucket=bucket.bucket, source=pulumi.StringAsset("hello"), opts=other)
queue = aws.sqs.Queue("jobs", visibility_timeout_seconds=7, tags={"password": pulumi.Output.secret("hunter22")}, opts=inside)
aws.ec2.SecurityGroup("open", ingress=[
    {"protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_blocks": ["0.0.0.0/0"], "ipv6_cidr_blocks": ["::/0"]},
    {"protocol": "-1", "from_port": 0, "to_port": 0, "cidr_blocks": ["10.0.0.0/8"]},
])
role = aws.iam.Role("worker", assume_role_policy=json.dumps({
    "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}}))
aws.iam.RolePolicy("star", role=role.name, policy=json.dumps({
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}))
aws.iam.RolePolicy("unknown", role=role.name, policy=queue.arn.apply(lambda arn: json.dumps({
    "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": arn}]})))
timeouts = pulumi.CustomTimeouts(create="90s")
aws.kms.Key("key", opts=pulumi.ResourceOptions(ignore_changes=["description"], custom_timeouts=timeouts))
"""
# Says everything that a policy is shown.
TELLING = """
from pulumi_policy import *

def known(value):
    if hasattr(value, "keys"):
        return {key: read(value, key) for key in sorted(value.keys())}
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    if hasattr(value, "__len__"):
        return [read(value, index) for index in range(len(value))]
    return type(value).__name__

def read(holder, key):
    if key in ("region", "version") or str(key).endswith("Name") or key in ("name", "bucket", "namePrefix"):
        return "..."  # each engine's own, or by chance
    try:
        return known(holder[key])
    except Exception as error:
        return type(error).__name__

def options(o):
    t = o.custom_timeouts
    return [o.protect, list(o.ignore_changes), o.delete_before_replace, list(o.aliases), list(o.additional_secret_outputs),
            o.parent, t.create_seconds, t.update_seconds]

def resource(args, report):
    if args.resource_type.startswith("pulumi:providers"):
        return
    said = f"{args.name} {known(args.props)} {options(args.opts)} {args.provider and args.provider.name}"
    report(said.replace("hunter22", "?"))

def unknown(args, report):
    if args.resource_type.startswith("aws:iam/rolePolicy"):
        report(args.props["policy"])

async def waits(args, report):
    if args.resource_type == "aws:sqs/queue:Queue":
        report(f"at most {args.get_config()['most']}")

def stack(args, report):
    for r in args.resources:
        deps = sorted(d.name for d in r.dependencies)
        by = {key: sorted(d.name for d in many) for key, many in sorted(r.property_dependencies.items()) if many}
        made_by = r.provider and r.provider.name
        report(f"{r.name} {r.parent and r.parent.name} {deps} {by} {made_by} {r.opts.protect}", r.urn)
    report("the whole")

most = PolicyConfigSchema({"most": {"type": "integer", "default": 3}})
PolicyPack("telling", [
    ResourceValidationPolicy("resource", "A resource", resource),
    ResourceValidationPolicy("unknown", "Unknown", unknown, EnforcementLevel.MANDATORY),
    ResourceValidationPolicy("waits", "Waits", waits, config_schema=most, severity=Severity.HIGH),
    ResourceValidationPolicy("off", "Off", lambda args, report: report("never"), EnforcementLevel.DISABLED),
    StackValidationPolicy("stack", "The stack", stack),
])
"""


@pytest.fixture(scope="module")
def own_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's own pack, but on this interpreter."""
    folder = tmp_path_factory.mktemp("own")
    shutil.copy(ROOT / "policies/__main__.py", folder)
    (folder / "PulumiPolicy.yaml").write_text("runtime: python\nversion: 0.1.0\n")
    return folder


@pytest.fixture(scope="module")
def cli(local_cloud: LocalCloud, sealed: PassphraseSecrets, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment in which ``pulumi`` runs against the local cloud."""
    with ExitStack() as stack:
        ports = [stack.enter_context(plugin(package, local_cloud.home)) for package in PACKAGES]
        more = {"PULUMI_DEBUG_PROVIDERS": ",".join(ports), "PYTHONPATH": str(ROOT), "ISOSTACK_HOME": str(local_cloud.home)}
        official = Cli(tmp_path_factory.mktemp("pulumi"), more, sealed)
        official.prepare()
        yield official.environment()


Found = set[tuple[str, ...]]


def by_the_cli(folder: Path, packs: list[Path], config: Path, env: dict[str, str], stack: str) -> tuple[int, Found]:
    def pulumi(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["pulumi", *arguments, "--non-interactive", "--color", "never"]
        return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603

    assert pulumi("stack", "init", stack).returncode == 0
    log = folder / "events.json"
    attached = [part for pack in packs for part in ("--policy-pack", str(pack), "--policy-pack-config", str(config))]
    done = pulumi("preview", "--stack", stack, "--event-log", str(log), *attached)
    assert log.exists(), done.stdout + done.stderr
    events = [json.loads(line) for line in log.read_text().splitlines()]
    found = [event["policyEvent"] for event in events if event.get("policyEvent")]
    assert found, done.stdout + done.stderr
    keys = ("policyPackName", "policyPackVersion", "policyName", "enforcementLevel", "severity", "resourceUrn")
    return done.returncode, {(*(event.get(key, "") for key in keys), plain(event["message"])) for event in found}


def by_ours(folder: Path, packs: list[Path], config: Path, home: Path, stack: str) -> tuple[int, Found]:
    attached: list[Any] = [part for pack in packs for part in ("--policy-pack", pack, "--policy-pack-config", config)]
    run = CommandLine(home, {"PYTHONPATH": str(ROOT)})
    ran = run("preview", stack, "--json", *attached, cwd=folder)
    keys = ("pack", "version", "policy", "level", "severity", "urn")
    return ran.code, {(*(str(v[key]) for key in keys), plain(v["message"])) for v in ran.json["policy"]}


def plain(message: str) -> str:
    """Without the CLI's colours, what names end in by chance, and a pack's version, which the CLI's server takes for 0.0.1."""
    return re.sub(r"@v[\d.]+|(?<=-)[0-9a-f]{7}\b", "…", message.replace("<{%reset%}>", "")).strip()


def test_the_same_violations_come_out_of_both(
    cli: dict[str, str], own_pack: Path, local_cloud: LocalCloud, tmp_path: Path
) -> None:
    folder = project(
        tmp_path / "program",
        PROGRAM,
        name="judged",
        production="config:\n  isostack:environment: production\n  aws:region: eu-west-1\n",
    )
    empty = tmp_path / "config.json"
    empty.write_text("{}")
    packs = [write(tmp_path, TELLING), own_pack]
    ours_ended, ours = by_ours(folder, packs, empty, local_cloud.home, "production")
    theirs_ended, theirs = by_the_cli(folder, packs, empty, cli, "production")
    assert (ours_ended, theirs_ended != 0) == (3, True)
    assert {name for _, _, name, *_ in ours} >= {
        "resource",
        "unknown",
        "waits",
        "stack",
        "no-world-ingress-ssh",
        "iam-no-full-access",
    }
    different = [*(f"ours:   {one}" for one in sorted(ours - theirs)), *(f"theirs: {one}" for one in sorted(theirs - ours))]
    assert different == [], "\n".join(different)
