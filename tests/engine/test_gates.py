"""Gates: they see the whole intent before anything is changed, and can stop it."""

from __future__ import annotations

from collections.abc import Callable

import pulumi
import pytest

from isostack.engine.events import Op
from isostack.engine.foreseen import Foreseen
from isostack.engine.plan import Goal
from isostack.engine.run import Intent
from isostack.engine.state import ResourceState, Snapshot
from isostack.errors import Refused
from tests.engine.harness import THING, Thing, World, options


def one() -> None:
    Thing("a", size=1)
    Thing("b", size=1)


def other() -> None:
    Thing("a", size=2)
    Thing("c", options(depends_on=[Thing("d")]), size=1)


def _names(intent: Intent, op: Op) -> list[str]:
    return sorted(step.name for step in intent.steps if step.op is op and not step.component)


def _refuse(intent: Intent) -> None:
    raise Refused(f"{intent.operation}: not today")


@pytest.mark.parametrize("skip_preview", [False, True])
def test_what_a_gate_refuses_changes_nothing(world: World, skip_preview: bool) -> None:
    world.up_well(one)
    calls = len(world.cloud.calls)
    with pytest.raises(Refused, match="up: not today"):
        world.up(other, gates=[_refuse], skip_preview=skip_preview)
    with pytest.raises(Refused, match="destroy: not today"):
        world.destroy(gates=[_refuse])
    assert [call for call in world.cloud.calls[calls:] if call.verb in ("create", "update", "delete")] == []
    assert world.names() == ["a", "b"]


def test_a_gate_sees_each_step_and_the_state_before_and_after(world: World) -> None:
    world.up_well(one)
    seen: list[Intent] = []
    world.up_well(other, gates=[seen.append])
    (intent,) = seen
    assert (_names(intent, Op.CREATE), _names(intent, Op.UPDATE), _names(intent, Op.DELETE)) == (["c", "d"], ["a"], ["b"])
    a = world.urn("a")
    assert [state.inputs["size"] for side in (intent.before, intent.after) if (state := side.get(a))] == [1, 2]
    assert world.names() == ["a", "c", "d"]


def test_a_preview_asks_as_well(world: World) -> None:
    seen: list[Intent] = []
    world.preview(one, gates=[seen.append])
    assert _names(seen[0], Op.CREATE) == ["a", "b"]
    assert seen[0].before.get(world.urn("a")) is None
    with pytest.raises(Refused, match="preview: not today"):
        world.preview(one, gates=[_refuse])


def test_a_gate_of_destroy_sees_what_goes(world: World) -> None:
    world.up_well(one)
    seen: list[Intent] = []
    world.destroy(gates=[seen.append])
    assert _names(seen[0], Op.DELETE) == ["a", "b"]
    assert seen[0].before.get(world.urn("a")) is not None and seen[0].after.get(world.urn("a")) is None
    assert world.cloud.names() == []


def _as_shown(then: Callable[[], object], now: Callable[[], object]) -> Callable[[], None]:
    """A program that shows one thing when it is looked at and does another."""
    return lambda: (then if pulumi.runtime.is_dry_run() else now)() and None


def test_a_run_that_is_held_to_what_gates_saw_does_nothing_else(world: World) -> None:
    world.up_well(one)
    seen: list[Intent] = []

    def more() -> None:
        Thing("a", size=1)
        Thing("b", size=1)
        Thing("c", size=1)

    for now, said in (
        (other, "not what was looked at before this run: size"),
        (more, "was not there when this run was looked at"),
    ):
        outcome = world.up(_as_shown(one, now), gates=[seen.append], exactly=True)
        assert outcome.result.result == "failed"
        assert said in outcome.messages()
        assert outcome.calls == []
    outcome = world.up(_as_shown(one, lambda: Thing("a", size=1)), gates=[seen.append], exactly=True)
    assert "::b was there when this run was looked at, and is not now: nothing is deleted" in outcome.messages()
    assert (outcome.calls, world.names()) == ([], ["a", "b"])


def test_secrets_and_options_are_held_too_and_no_value_is_shown(world: World) -> None:
    def secret(text: str) -> Callable[[], object]:
        return lambda: Thing("a", password=pulumi.Output.secret(text))

    world.up_well(secret("hunter1"))
    outcome = world.up(_as_shown(secret("hunter2"), secret("hunter3")), exactly=True, gates=[lambda intent: None])
    assert "looked at before this run: password" in outcome.messages()
    assert "hunter" not in outcome.messages()

    def kept(protect: bool) -> Callable[[], object]:
        return lambda: Thing("a", options(protect=protect), password=pulumi.Output.secret("hunter1"))

    outcome = world.up(_as_shown(kept(True), kept(False)), exactly=True, gates=[lambda intent: None])
    assert "looked at before this run: protect" in outcome.messages()


def test_what_was_unknown_may_come_out_as_anything(world: World) -> None:
    def program() -> None:
        a = Thing("a", size=1)
        Thing("b", options(depends_on=[a]), arn_of_a=a.arn, nothing=a.arn.apply(lambda _: None))

    for _ in range(2):
        assert world.up(program, exactly=True, gates=[lambda intent: None]).result.result == "succeeded"


def test_automatic_names_may_end_otherwise_wherever_they_stand() -> None:
    def named(name: str, text: str) -> dict[str, object]:
        return {"name": name, "__defaults": ["name"], "text": text}

    after = Snapshot([ResourceState("u", THING, True, inputs=named("queue-1234567", "at queue-1234567.fifo: 1"))])
    foreseen = Foreseen(Snapshot([]), after, {"u"})

    def problem(name: str, text: str) -> str:
        return foreseen.problem(Goal(THING, "u", "u", custom=True), named(name, text))

    assert problem("queue-89abcde", "at queue-89abcde.fifo: 1") == ""
    for text in ("at queue-89abcde.fifo: 2", "at other-89abcde.fifo: 1", "at queue-anything.fifo: 1"):
        assert "looked at before this run: text" in problem("queue-89abcde", text)
