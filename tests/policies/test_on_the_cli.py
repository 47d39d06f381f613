"""The pack on the official CLI, where there is one: the same levels, messages and overrides as everywhere."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from isostack.localcloud import plugin
from isostack.localcloud.provider import LocalCloudHost
from isostack.localcloud.server import LocalCloud

PACK = Path(__file__).parent.parent.parent / "policies"
Shown = set[tuple[str, str, str]]
"""Levels, policies and names of resources, of what the CLI shows."""
LINE = re.compile(r"- \[(mandatory|advisory)\] +(?:\[severity: \w+\] +)?([a-z0-9-]+) +\(\S+: (\S+)\)")

PROGRAM = """
import json

import pulumi
import pulumi_aws as aws


def document(statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


trust = document({"Principal": {"AWS": "arn:aws:iam::111111111111:root"}, "Action": "sts:AssumeRole"})
role = aws.iam.Role("worker", assume_role_policy=trust)
now = aws.iam.RolePolicy("now", role=role.id, policy=document({"Action": "sqs:SendMessage", "Resource": "*"}))
queue = aws.sqs.Queue("jobs")
escalation = {"Action": "iam:PutRolePolicy", "Resource": [queue.arn, "arn:aws:iam::*:role/*"]}
statement = {"Effect": "Allow", **escalation}
policy = pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": [statement]})
aws.iam.RolePolicy("later", role=role.id, policy=policy, opts=pulumi.ResourceOptions(depends_on=[now]))
"""

pytestmark = pytest.mark.skipif(not shutil.which("pulumi"), reason="pulumi is not on the path: the pack is not tried on the CLI")


@pytest.fixture
def pulumi(local_cloud: LocalCloud, tmp_path: Path) -> Iterator[Callable[..., tuple[int, str]]]:
    """Run the CLI on a program, with the local cloud's provider; gives its exit code and what it printed."""
    (tmp_path / "Pulumi.yaml").write_text("name: judged\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(PROGRAM)
    (tmp_path / "Pulumi.early.yaml").write_text("config:\n  isostack:environment: dev\n")
    (tmp_path / "backend").mkdir()
    server, port = plugin.serve("aws", LocalCloudHost(local_cloud))
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'backend'}",
        "PULUMI_CONFIG_PASSPHRASE": "passphrase",
        "PULUMI_DEBUG_PROVIDERS": f"aws:{port}",
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_PYTHON_CMD": sys.executable,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }

    def run(*arguments: str) -> tuple[int, str]:
        command = ["pulumi", *arguments, "--non-interactive", "--color", "never"]
        done = subprocess.run(  # noqa: S603 - the official CLI
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200, check=False
        )
        return done.returncode, done.stdout + done.stderr

    yield run
    server.stop(grace=None).wait()


def shown(output: str) -> Shown:
    """What the CLI shows of the rules that this program is about."""
    return {found.groups() for found in LINE.finditer(output) if found[2].startswith(("iam-", "trust-"))}  # type: ignore[misc]


ON_LATER = (
    "iam-no-full-access",
    "iam-no-star-action",
    "iam-no-star-resource",
    "iam-no-privilege-escalation",
    "iam-no-credentials-exposure",
    "iam-no-data-exfiltration",
    "iam-permissions-constrained",
)
UNSURE = {("advisory", rule, "later") for rule in ON_LATER}


def test_the_cli_holds_a_stack_to_the_levels_of_its_environment(pulumi: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    pulumi("stack", "init", "production")
    code, output = pulumi("preview", "--policy-pack", str(PACK))
    assert code != 0
    assert shown(output) == {
        ("mandatory", "trust-no-whole-account", "worker"),
        ("mandatory", "iam-no-star-resource", "now"),
        *UNSURE,
    }
    assert "cannot tell yet, decides at the update: later (aws:iam/rolePolicy:RolePolicy): policy is not known" in output
    assert "now (aws:iam/rolePolicy:RolePolicy): statement 1 of policy allows sqs:SendMessage on all resources." in output

    override = tmp_path / "levels.json"
    levels = {"iam-no-star-resource": "advisory", "trust-no-whole-account": "disabled", "provider-in-own-account": "disabled"}
    override.write_text(json.dumps(levels))
    overridden = ("--policy-pack", str(PACK), "--policy-pack-config", str(override))
    _, output = pulumi("preview", *overridden)
    assert shown(output) == {("advisory", "iam-no-star-resource", "now"), *UNSURE}

    # The stack's name says nothing here, and its configuration that it is a dev one. A mandatory violation stops an update.
    pulumi("stack", "init", "early")
    code, output = pulumi("up", "--yes", "--skip-preview", *overridden)
    try:
        assert code != 0
        assert shown(output) == {
            ("advisory", "iam-no-star-resource", "now"),
            ("mandatory", "iam-no-privilege-escalation", "later"),
            ("advisory", "iam-permissions-constrained", "later"),
        }
    finally:
        assert pulumi("destroy", "--yes", "--skip-preview")[0] == 0
