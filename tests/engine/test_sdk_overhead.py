"""What is left out of the SDK's work is put back afterwards, and a program that has many outputs does not notice."""

from __future__ import annotations

import asyncio

import pulumi
import pytest
from pulumi.runtime import resource
from pulumi.runtime.settings import SETTINGS

from isostack.engine import sdk_overhead
from tests.engine.harness import Thing, World


def test_outputs_that_are_done_are_forgotten(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[int, int] = {}

    def program() -> None:
        end = asyncio.get_running_loop().create_future()

        def make(number: int) -> None:
            if number:
                Thing(f"thing-{number}").arn.apply(lambda _: make(number - 1))
            else:
                kept[sdk_overhead.SETTLED] = sum(task.done() for task in SETTINGS.outputs)
                end.set_result("the end")

        make(40)
        pulumi.export("end", end)  # the engine waits for this one while all the others are done

    for most in (3, 1000):
        monkeypatch.setattr(sdk_overhead, "SETTLED", most)
        assert world.up_well(program, skip_preview=True).result.outputs == {"end": "the end"}
    assert kept[3] < kept[1000] / 2


def test_an_output_that_fails_ends_the_run_however_many_come_after_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk_overhead, "SETTLED", 3)

    def program() -> None:
        def fail(arn: str) -> str:
            raise ValueError("no such luck")

        Thing("first").arn.apply(fail)
        for number in range(40):
            Thing(f"thing-{number}", of=Thing(f"other-{number}").arn)

    outcome = world.up(program)
    assert outcome.result.result == "failed"
    assert "no such luck" in outcome.messages()


def test_the_sdk_is_as_it_was_after_a_run(world: World) -> None:
    before = pulumi.Output._track, resource.create_urn, resource._get_stack_trace
    world.up_well(lambda: Thing("a"))
    assert (pulumi.Output._track, resource.create_urn, resource._get_stack_trace) == before
