"""Gates: they see the whole intent before anything is changed, and can stop it."""

from __future__ import annotations

import pytest

from isostack.engine.events import Op
from isostack.engine.run import Intent
from isostack.errors import Refused
from tests.engine.harness import Thing, World, options


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
