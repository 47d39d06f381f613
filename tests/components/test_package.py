"""The components as a package for other languages: what it says of them, and that a program of another language gets them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pulumi.provider.experimental.component import ComponentProvider

from components.__main__ import NAME, OFFERED, offered
from tests.components.conftest import Alone, Program

ROOT = Path(__file__).parent.parent.parent
# What the SDK's host does when another language's program registers a remote component: plain JSON in, outputs back.
SOURCE = """
import pulumi
from pulumi.provider.experimental.component import ComponentProvider
from components.__main__ import NAME, offered

given = pulumi.Config().require_object("values")
provider = ComponentProvider(offered(), NAME, version="0.1.0")
made = provider.construct("shop", "isostack:index:Queue", given, pulumi.ResourceOptions())
pulumi.export("url", made.state["url"])
pulumi.export("urn", made.urn)
"""
VALUES = {
    "visibilityTimeoutSeconds": 45.0,
    "retentionSeconds": 3600.0,
    "maxReceives": 3.0,
    "keyArn": "arn:aws:kms:eu-west-1:123456789012:key/0d5e1f6c-0000-4000-8000-000000000000",
    "tags": {"team": "other"},
}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(ComponentProvider(offered(), NAME, version="0.1.0").schema)
    return document


def test_every_component_is_there_under_its_name_in_the_index(schema: dict[str, Any]) -> None:
    assert set(schema["resources"]) == {f"isostack:index:{component.__name__}" for component in OFFERED}


def test_what_has_a_default_need_not_be_given_and_all_else_must(schema: dict[str, Any]) -> None:
    network = schema["resources"]["isostack:index:Network"]
    assert "permissionsBoundaryArn" in network["inputProperties"]
    assert "permissionsBoundaryArn" not in network["requiredInputs"]
    assert {"cidr", "zones", "natGateways", "region", "logsKeyArn", "tags"} <= set(network["requiredInputs"])


def test_values_are_plain_and_wires_may_be_outputs(schema: dict[str, Any]) -> None:
    queue = schema["resources"]["isostack:index:Queue"]["inputProperties"]
    assert queue["maxReceives"] == {"type": "integer", "plain": True}
    assert queue["keyArn"] == {"type": "string"}


def test_a_component_that_is_constructed_over_the_wire_makes_its_resources(alone: Alone) -> None:
    shop: Program = alone(SOURCE, VALUES)
    jobs = shop.one("aws:sqs/queue:Queue", "shop-jobs")
    assert (jobs["visibilityTimeoutSeconds"], jobs["messageRetentionSeconds"], jobs["tags"]["team"]) == (45, 3600, "other")
    assert shop.outputs["url"] == jobs["url"]
    assert "isostack:index:Queue" in shop.outputs["urn"]


@pytest.mark.skipif(shutil.which("pulumi") is None, reason="pulumi is not on the path: the package is not read by the CLI")
def test_the_pulumi_cli_reads_the_package(tmp_path: Path) -> None:
    environment = {**os.environ, "PULUMI_HOME": str(tmp_path), "PULUMI_SKIP_UPDATE_CHECK": "1"}
    done = subprocess.run(
        ["pulumi", "package", "get-schema", "./components"],  # noqa: S607 - as the person has it
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if "failed to download plugin" in done.stderr:
        pytest.skip("the Pulumi CLI cannot download its provider plugins here")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["name"] == NAME
