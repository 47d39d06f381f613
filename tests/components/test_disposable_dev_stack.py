"""The throwaway environment, in a program of somebody else: whole, tagged with owner and end, and gone without resistance."""

from __future__ import annotations

import pytest

from tests.components.conftest import Alone, Failed, Program

SOURCE = """
from dataclasses import replace

import pulumi
from components.disposable_dev_stack import DisposableDevStack, DisposableDevStackArgs
from stacks.parameters import load
from stacks.program import arguments

values = pulumi.Config().require_object("values")
parameters = load("1.0.0")
args = arguments(values["environment"], parameters, parameters.of(values["environment"]))
args = replace(args, account_id=values["account"])
stack = DisposableDevStack(
    "shop-ana",
    DisposableDevStackArgs(environment=args, owner="ana", expires="2030-01-01T00:00:00+00:00"),
    pulumi.ResourceOptions(),
)
pulumi.export("url", stack.outputs["url"])
"""
PROTECTED = {"deletionProtection", "enableDeletionProtection"}


@pytest.fixture(scope="module")
def stack(alone: Alone) -> Program:
    return alone(SOURCE, {"environment": "dev", "account": "123456789012"})


def test_everything_that_takes_tags_says_whose_it_is_and_when_it_ends(stack: Program) -> None:
    tagged = [r for r in stack.resources if "tagsAll" in r.outputs and "defaultSecurityGroup" not in r.type]
    assert len(tagged) > 50
    for resource in tagged:
        tags = resource.outputs["tagsAll"]
        assert (tags["owner"], tags["expires"]) == ("ana", "2030-01-01T00:00:00+00:00"), resource.urn


def test_nothing_in_it_resists_its_removal(stack: Program) -> None:
    assert all(not resource.inputs.get(name) for resource in stack.resources for name in PROTECTED)
    assert all(bucket["forceDestroy"] for bucket in stack.all("aws:s3/bucket:Bucket").values())
    database = stack.one("aws:rds/instance:Instance")
    assert (database["skipFinalSnapshot"], database["multiAz"]) == (True, False)


def test_it_does_not_claim_what_an_account_has_once(stack: Program) -> None:
    assert stack.all("aws:iam/openIdConnectProvider:OpenIdConnectProvider") == {}


def test_it_goes_without_a_trace(alone: Alone) -> None:
    stack = alone(SOURCE, {"environment": "dev", "account": "123456789012"})
    stack.destroy()
    assert stack.left == {}


@pytest.mark.parametrize("environment", ["integration", "staging", "production"])
def test_a_steady_environment_is_refused_by_name(alone: Alone, environment: str) -> None:
    with pytest.raises(Exception, match=f"{environment} is no disposable environment") as caught:
        alone(SOURCE, {"environment": environment, "account": "123456789012"})
    assert not isinstance(caught.value, Failed) or environment in str(caught.value)
