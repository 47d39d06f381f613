"""Failures of the cloud: what goes on, what waits, what is told, and how the next run carries on."""

from __future__ import annotations

import pulumi
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isostack.engine.provider import ProviderError
from tests.engine.fake_cloud import Call, FakeCloud, failing, half_done
from tests.engine.harness import Group, Thing, World, options


def family() -> None:
    """b needs a, c needs b; d is in a component that needs a; e and f need nothing of these."""
    a = Thing("a")
    b = Thing("b", source=a.arn)
    Thing("c", options(depends_on=[b]))
    Thing("d", options(parent=Group("g", options(depends_on=[a]))))
    Thing("e", options(parent=Group("h")))
    Thing("f")
    pulumi.export("a", a.arn)
    pulumi.export("two", 2)


def test_independent_resources_go_on_and_dependants_are_skipped(world: World) -> None:
    world.cloud.before = failing("create a", message="QuotaExceeded: no more things")
    outcome = world.up(family)
    assert outcome.result.result == "failed"
    assert sorted(world.cloud.names()) == ["e", "f"]
    assert outcome.messages() == "create a: QuotaExceeded: no more things"
    assert "skipped: depends on a, which failed" in outcome.messages("warning")
    assert "skipped: depends on b, which failed" in outcome.messages("warning")
    assert [outcome.status(name) for name in "abcdef"] == ["failed", "skipped", "skipped", "skipped", "done", "done"]
    assert outcome.result.outputs == {"two": 2}


def test_the_next_run_carries_on(world: World) -> None:
    world.cloud.before = failing("create a")
    world.up(family)
    world.cloud.before = None
    outcome = world.up_well()
    assert sorted(outcome.calls) == ["create a", "create b", "create c", "create d"]
    assert world.up_well().changes == {}


def test_after_a_failure_stack_outputs_that_are_not_known_keep_their_value(world: World) -> None:
    def program(size: int) -> None:
        a = Thing("a", size=size)
        pulumi.export("size", a["size"])
        pulumi.export("nested", {"size": a["size"], "twice": size * 2})
        pulumi.export("plain", size)

    world.up_well(lambda: program(1))
    world.cloud.before = failing("update a")
    outcome = world.up(lambda: program(2))
    assert outcome.result.outputs == {"size": 1, "nested": {"size": 1, "twice": 2}, "plain": 2}


def test_a_failed_update_keeps_the_old_state(world: World) -> None:
    world.up_well(lambda: Thing("a", size=1))
    world.cloud.before = failing("update a")
    world.up(lambda: Thing("a", size=2))
    assert world.state("a").inputs["size"] == 1
    world.cloud.before = None
    assert world.up_well().calls == ["update a-1"]


def test_a_failed_replacement_keeps_the_old_resource(world: World) -> None:
    world.up_well(lambda: Thing("a", fixed=1))
    world.cloud.before = failing("create a")
    world.up(lambda: Thing("a", fixed=2))
    assert (world.state("a").id, world.state("a").delete) == ("a-1", False)


def test_a_half_done_create_is_recorded_and_mended(world: World) -> None:
    def program() -> None:
        a = Thing("a", size=1)
        Thing("b", source=a.arn)

    world.cloud.after = half_done(world.cloud, "a")
    outcome = world.up(program)
    assert outcome.result.result == "failed"
    assert outcome.messages() == "half created"
    assert world.state("a").id == "a-1"
    assert world.state("a").init_errors == ["half created"]
    world.cloud.after = None
    assert world.preview().changes == {"update": 1, "create": 1}
    outcome = world.up_well()
    assert outcome.calls == ["update a-1", "create b"]
    assert world.cloud.named("a").inputs["size"] == 1
    assert world.state("a").init_errors == []
    assert world.up_well().changes == {}


def test_a_half_done_create_that_lacks_nothing_is_done(world: World) -> None:
    world.cloud.after = half_done(world.cloud, "a")
    world.up(lambda: Thing("a"))
    world.cloud.after = None
    assert world.up_well().calls == []
    assert world.state("a").init_errors == []


def test_a_half_done_create_that_is_gone_again_is_made_anew(world: World) -> None:
    world.cloud.after = half_done(world.cloud, "a")
    world.up(lambda: Thing("a"))
    world.cloud.after = None
    world.cloud.things.clear()
    assert world.up_well().calls == ["create a"]


def test_a_half_done_replacement_leaves_the_old_one_to_delete(world: World) -> None:
    world.up_well(lambda: Thing("a", fixed=1, size=1))
    world.cloud.after = half_done(world.cloud, "a")
    world.up(lambda: Thing("a", fixed=2, size=1))
    world.cloud.after = None
    assert world.up_well().calls == ["update a-2", "delete a-1"]


@pytest.mark.parametrize("verb", ["read", "find"])
def test_a_failed_look_is_the_resources_failure(world: World, verb: str) -> None:
    id_ = world.cloud.add("a")
    world.cloud.before = failing(f"{verb} a", f"{verb} a-1")
    outcome = world.up(lambda: [Thing("a", options(import_=id_)), Thing("b")])
    if verb == "read":
        assert outcome.result.result == "failed"
        assert "Throttling" in outcome.messages()
    else:
        assert outcome.result.result == "succeeded"


def test_an_error_that_is_no_cloud_failure_ends_the_run_with_the_state_written(world: World) -> None:
    def before(call: Call) -> None:
        if str(call) == "create b":
            raise TypeError("a defect")

    world.cloud.before = before

    def program() -> None:
        a = Thing("a")
        b = Thing("b", source=a.arn)
        Thing("c", source=b.arn)

    with pytest.raises(TypeError, match="a defect"):
        world.up(program)
    assert "a" in world.names()
    world.cloud.before = None
    world.store.load("shop", "dev").snapshot.verify()
    assert world.up_well().calls == ["create b", "create c"]


def test_a_failed_invoke_is_the_programs_to_handle(world: World) -> None:
    def look(arguments: object) -> dict[str, object]:
        raise ProviderError("NotFound: no such zone")

    world.cloud.functions["aws:test/look:look"] = look

    def careless() -> None:
        pulumi.runtime.invoke("aws:test/look:look", {})

    def careful() -> None:
        try:
            careless()
        except Exception as error:  # noqa: BLE001 - a program of this kind
            print(f"caught {error}")
        Thing("a")

    outcome = world.up(careless)
    assert outcome.result.result == "failed"
    assert "NotFound: no such zone" in outcome.messages()
    assert "caught" in " ".join(world.up_well(careful).said)


def test_a_program_that_raises_half_way_keeps_what_was_made_and_deletes_nothing(world: World) -> None:
    world.up_well(lambda: [Thing("old"), pulumi.export("x", 1)])

    def program() -> None:
        def fail(arn: str) -> None:
            raise RuntimeError(f"no use for {arn}")

        Thing("a").arn.apply(fail)

    outcome = world.up(program)
    assert outcome.result.result == "failed"
    assert "RuntimeError: no use for arn:a-1" in outcome.messages()
    assert world.cloud.names() == ["a", "old"]
    assert world.names() == ["a", "old"]
    assert world.state("shop-dev").outputs == {"x": 1}


def before_change() -> None:
    a = Thing("a", size=1)
    Thing("b", fixed=a.arn)
    Thing("gone", options(depends_on=[a]))
    box = Thing("box", exclusive=1)
    Thing("inside", fixed=box.arn)


def after_change() -> None:
    a = Thing("a", size=2, fixed=1)
    Thing("b", fixed=a.arn)
    Thing("new", source=a.arn)
    box = Thing("box", exclusive=2)
    Thing("inside", fixed=box.arn)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.integers(1, 14), second=st.integers(1, 14), parallel=st.sampled_from([1, 8]))
def test_whatever_fails_later_runs_get_there(
    tmp_path_factory: pytest.TempPathFactory, first: int, second: int, parallel: int
) -> None:
    world = World(tmp_path_factory.mktemp("failing"), FakeCloud())
    world.up_well(before_change)
    for number in (first, second):
        calls = []

        def before(call: Call, number: int = number, calls: list[Call] = calls) -> None:
            if call.verb in ("create", "update", "delete"):
                calls.append(call)
                if len(calls) == number:
                    raise ProviderError(f"{call}: Throttling")

        world.cloud.before = before
        outcome = world.up(after_change, parallel=parallel)
        assert outcome.result.result == ("failed" if len(calls) >= number else "succeeded")
        known = {r.id for r in world.snapshot.resources}
        assert world.cloud.things.keys() <= known
    world.cloud.before = None
    world.up_well()
    assert world.cloud.names() == ["a", "b", "box", "inside", "new"]
    assert not [r for r in world.snapshot.resources if r.delete or r.pending_replacement]
    assert world.up_well().changes == {}
