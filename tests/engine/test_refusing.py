"""What the engine does not do is refused by name: all of it in one error, before anything is changed."""

from __future__ import annotations

import pulumi
import pytest
from pulumi import dynamic
from pulumi.runtime import settings

from isostack.errors import Refused
from tests.engine.harness import Program, Thing, World, options


class Remote(pulumi.ComponentResource):
    """A component whose program runs elsewhere."""

    def __init__(self, name: str) -> None:
        super().__init__("aws:test/remote:Remote", name, {}, None, remote=True)


class Dynamic(dynamic.Resource):
    """A resource whose provider is Python code of the program."""

    def __init__(self, name: str) -> None:
        super().__init__(Silent(), name, {})


class Silent(dynamic.ResourceProvider):
    """Does nothing."""


def hooked() -> None:
    hook = pulumi.ResourceHook("tell", lambda args: None)
    Thing("a", options(hooks=pulumi.ResourceHookBinding(after_create=[hook])))


def triggered() -> None:
    Thing("a", pulumi.ResourceOptions(replacement_trigger="x"))


def unknown_package() -> None:
    Thing("a", type_="gcp:storage/bucket:Bucket")


def unknown_function() -> None:
    pulumi.runtime.invoke("aws:test/look:look", {})


def method_call() -> None:
    pulumi.runtime.call("aws:test/thing:Thing/method", {})


def parameterized() -> None:
    async def register() -> None:
        await settings.register_package("terraform-provider", "1.0.0", "", "mine", "1.0.0", "eA==")

    pulumi.Output.from_input(register())


CASES: list[tuple[Program, str]] = [
    (lambda: Remote("r"), "remote component aws:test/remote:Remote 'r'"),
    (lambda: Dynamic("d"), "dynamic provider of d"),
    (hooked, "resource hook 'tell'"),
    (triggered, "replacement_trigger of aws:test/thing:Thing 'a'"),
    (unknown_package, "package gcp (resource type gcp:storage/bucket:Bucket)"),
    (unknown_function, "function aws:test/look:look"),
    (method_call, "method call aws:test/thing:Thing/method"),
    (parameterized, "parameterized package mine"),
]


@pytest.mark.parametrize(("program", "named"), CASES, ids=[named.split(" ")[0] for _, named in CASES])
@pytest.mark.parametrize("operation", ["preview", "up", "up without a preview"])
def test_it_is_refused_by_name(world: World, program: Program, named: str, operation: str) -> None:
    world.write(lambda: [Thing("first"), program()])
    with pytest.raises(Refused) as refusal:
        if operation == "preview":
            world.preview()
        else:
            world.up(skip_preview=operation != "up")
    assert named in str(refusal.value)
    assert "Pulumi CLI" in str(refusal.value)
    if operation != "up without a preview":
        assert world.cloud.log() == []
        assert world.names() == []


def test_all_refusals_stand_in_one_error(world: World) -> None:
    world.cloud.serves = lambda type_: "Thing" in type_

    def program() -> None:
        for name in ("one", "two"):
            Thing(name, type_="aws:test/unknown:Unknown")
        other = Thing("other", type_="aws:test/other:Other")
        Thing("dependent", type_="aws:test/last:Last", source=other.arn)
        Remote("r")
        Dynamic("d")
        hooked()
        unknown_package()

    world.up_well(lambda: Thing("made"))
    with pytest.raises(Refused) as refusal:
        world.up(program)
    lines = str(refusal.value).splitlines()
    assert [line.strip(" -") for line in lines[1:-1]] == sorted(
        {
            "dynamic provider of d",
            "package gcp (resource type gcp:storage/bucket:Bucket) is not served by the local cloud",
            "remote component aws:test/remote:Remote 'r'",
            "resource hook 'tell'",
            "resource type aws:test/last:Last is not in the table of the local cloud",
            "resource type aws:test/other:Other is not in the table of the local cloud",
            "resource type aws:test/unknown:Unknown is not in the table of the local cloud",
        }
    )
    assert world.names() == ["made"]
    assert world.cloud.log() == ["create made"]
