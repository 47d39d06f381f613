"""An interrupted run ends in order: what is under way ends, nothing new begins, and the state is written."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from isostack.engine.deployment import Deployment
from isostack.engine.events import Diagnostic
from isostack.engine.interruption import told
from isostack.engine.lock import StackLock
from isostack.engine.operation import INTERRUPTED_TWICE
from isostack.errors import Locked
from tests.engine.fake_cloud import Call
from tests.engine.harness import Thing, World


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """Python's own answer to Ctrl-C, which parallel tests are run without."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def deployments(monkeypatch: pytest.MonkeyPatch) -> list[Deployment]:
    """The deployments of all runs of the test, as they are made."""
    found: list[Deployment] = []
    made = Deployment.__init__

    def init(self: Deployment, **fields: object) -> None:
        made(self, **fields)  # type: ignore[arg-type]  # passed on as they came
        found.append(self)

    monkeypatch.setattr(Deployment, "__init__", init)
    return found


def interrupt(deployments: list[Deployment]) -> None:
    """Press Ctrl-C, and wait until that is noticed."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    assert deployments[-1].stop.wait(20)


def line() -> None:
    a = Thing("a")
    b = Thing("b", source=a.arn)
    Thing("c", source=b.arn)


def test_an_interruption_inside_the_program_ends_the_run(world: World) -> None:
    def program() -> None:
        Thing("a")
        raise KeyboardInterrupt

    outcome = world.up(program)
    assert outcome.result.result == "failed"
    assert "interrupted" in outcome.messages()
    assert outcome.calls == []


def test_an_interruption_that_the_program_swallows_ends_the_run_all_the_same(world: World) -> None:
    def swallow(arn: str) -> str:
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        return arn

    def program() -> None:
        a = Thing("a")
        Thing("b", source=a.arn.apply(swallow))

    outcome = world.up(program, skip_preview=True)
    assert outcome.calls == ["create a"]
    assert "interrupted" in outcome.messages()


def test_a_task_of_the_program_that_will_not_end_is_left_behind(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isostack.engine.program.SECONDS_TO_END", 0.1)

    async def stay() -> None:
        while True:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)

    def fail(arn: str) -> str:
        raise ValueError("no more")

    def program() -> None:
        a = Thing("a")
        kept.append(asyncio.ensure_future(stay()))
        Thing("b", source=a.arn.apply(fail))

    kept: list[object] = []
    assert "no more" in world.up(program, skip_preview=True).messages()


@pytest.mark.parametrize("operation", ["up", "preview"])
@pytest.mark.parametrize("place", ["in the loop", "as if in the program"])
@pytest.mark.parametrize("turn", range(8))
def test_an_interruption_between_two_steps_of_the_event_loop_ends_the_run(
    world: World, monkeypatch: pytest.MonkeyPatch, operation: str, turn: int, place: str
) -> None:
    """The loop has taken a callback from its queue, and not called it yet."""
    pressed: list[str] = []
    turns = iter(range(1000))
    run = asyncio.Handle._run

    def interrupted(handle: asyncio.Handle) -> None:
        if armed.is_set() and not pressed and next(turns) == turn:
            pressed.append("once")
            signal.raise_signal(signal.SIGINT)
        run(handle)

    def again() -> None:
        pressed.append("again")
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def program() -> None:
        line()
        armed.set()

    armed = threading.Event()
    if place == "in the loop":
        interrupted.__code__ = interrupted.__code__.replace(co_filename=run.__code__.co_filename)
    monkeypatch.setattr("isostack.engine.program.SECONDS_TO_END", 0.1)
    monkeypatch.setattr(asyncio.Handle, "_run", interrupted)
    watch = threading.Timer(15, again)
    watch.daemon = True
    watch.start()
    outcome = world.up(program, skip_preview=True) if operation == "up" else world.preview(program)
    watch.cancel()
    assert pressed == ["once"]
    assert outcome.result.result == "failed"
    assert "interrupted" in outcome.messages()
    assert world.names() == world.cloud.names()


@pytest.mark.parametrize("operation", ["up", "destroy"])
def test_an_interruption_lets_the_call_under_way_end_and_begins_no_other(
    world: World, deployments: list[Deployment], operation: str
) -> None:
    if operation == "destroy":
        world.up_well(line)
    interrupted = threading.Event()

    def before(call: Call) -> None:
        if call.subject.startswith("b") and not interrupted.is_set():
            interrupted.set()
            interrupt(deployments)

    world.cloud.before = before
    outcome = world.up(line) if operation == "up" else world.destroy()
    assert outcome.result.result == "failed"
    assert "interrupted" in outcome.messages()
    assert world.cloud.names() == (["a", "b"] if operation == "up" else ["a"])
    assert world.names() == world.cloud.names()
    if operation == "up":
        assert world.up_well().calls == ["create c"]
    else:
        assert world.destroy().calls == ["delete a-1"]


@pytest.mark.parametrize("operation", ["up", "destroy", "refresh"])
def test_a_run_that_is_told_to_stop_stops(world: World, deployments: list[Deployment], operation: str) -> None:
    if operation != "up":
        world.up_well(line)
    world.cloud.before = lambda call: deployments[-1].stop.set() if call.subject.startswith("b") else None
    outcome = {"up": lambda: world.up(line), "destroy": world.destroy, "refresh": lambda: world.refresh(parallel=1)}[operation]()
    assert outcome.result.result == "failed"
    assert "interrupted" in outcome.messages()
    done = {"up": ["create a", "create b"], "destroy": ["delete c-1", "delete b-1"], "refresh": []}
    assert outcome.calls == done[operation]


def test_an_interrupted_refresh_keeps_what_it_saw(world: World, deployments: list[Deployment]) -> None:
    world.up_well(lambda: [Thing("a", size=1), Thing("b", size=1)])
    world.cloud.named("a").inputs["size"] = world.cloud.named("b").inputs["size"] = 2
    first = threading.Event()

    def before(call: Call) -> None:
        if not first.is_set():
            first.set()
            interrupt(deployments)

    world.cloud.before = before
    outcome = world.refresh(parallel=1)
    assert "interrupted" in outcome.messages()
    assert sorted(world.state(name).inputs["size"] for name in "ab") in ([1, 2], [2, 2])


@pytest.mark.parametrize("operation", ["up", "destroy"])
def test_a_second_interruption_does_not_wait_for_the_call_under_way(
    world: World, deployments: list[Deployment], operation: str
) -> None:
    if operation == "destroy":
        world.up_well(line)
    go_on, has_gone_on = threading.Event(), threading.Event()

    def before(call: Call) -> None:
        if call.subject.startswith("b") and not go_on.is_set():
            interrupt(deployments)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            go_on.wait(20)

    world.cloud.before = before
    world.cloud.after = lambda call: has_gone_on.set() if call.subject.startswith("b") else None
    with pytest.raises(AssertionError):  # by which any other operation would leave nothing pending
        world.up(line) if operation == "up" else world.destroy()
    assert not has_gone_on.is_set()
    go_on.set()
    assert has_gone_on.wait(20)
    assert INTERRUPTED_TWICE in [event.message for event in world.events if isinstance(event, Diagnostic)]
    if operation == "up":
        assert world.names() == ["a"]
        assert [each.resource.urn for each in world.snapshot.pending_operations] == [world.urn("b")]
    else:
        assert world.destroy().result.result == "succeeded"
        assert world.cloud.things == {}


def test_a_stack_that_is_in_use_is_not_touched(world: World) -> None:
    world.up_well(lambda: Thing("a"))
    with StackLock(world.stack_folder, "another run"):
        for operation in (world.up, world.destroy, world.refresh):
            with pytest.raises(Locked):
                operation()
    assert world.destroy().result.result == "succeeded"


def test_one_thing_at_a_time_where_that_is_asked_for(world: World) -> None:
    world.up_well(lambda: [Thing(f"t{i}", size=1) for i in range(20)], parallel=1)
    world.up_well(lambda: [Thing(f"t{i}", size=2) for i in range(20)], parallel=1)
    world.refresh(parallel=1)
    world.destroy(parallel=1)
    assert world.cloud.most_at_once == 1


@pytest.mark.parametrize("parallel", [2, 7])
def test_as_many_things_at_once_as_are_asked_for(world: World, parallel: int) -> None:
    together = threading.Barrier(parallel, timeout=20)
    world.cloud.before = lambda call: together.wait() and None
    count = parallel * 3
    world.up_well(lambda: [Thing(f"t{i}", size=1) for i in range(count)], parallel=parallel)
    world.refresh(parallel=parallel)
    world.destroy(parallel=parallel)
    assert world.cloud.most_at_once == parallel
    assert world.cloud.things == {}


def test_a_run_that_heeds_no_interruption_is_ended_after_the_second() -> None:
    script = """
import signal
from contextlib import suppress
from isostack.engine import interruption

interruption.PATIENCE = 0.05
with interruption.told(lambda: print("told", flush=True), lambda frame: True):
    for _ in range(2):
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    signal.pause()
"""
    ended = started(script)
    assert ended.returncode == 1
    assert ended.stdout == "told\n"
    assert ended.stderr.startswith("error: interrupted twice")
    assert ended.stderr.count("\n") == 1


def test_the_command_line_does_not_wait_for_calls_that_an_interruption_has_left_under_way() -> None:
    script = """
import threading
from isostack import cli

def app(**_):
    threading.Thread(target=threading.Event().wait).start()
    raise KeyboardInterrupt

cli.app, cli._leave_out_other_commands = app, lambda arguments: None
cli.main()
"""
    ended = started(script)
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", "error: interrupted\n")


def test_an_ignored_interruption_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does for what it runs in the background
    try:
        with told(lambda: pytest.fail("told")):
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def started(script: str) -> subprocess.CompletedProcess[str]:
    """A Python process that has run this, with Python's own answer to Ctrl-C."""
    return subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", f"import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n{script}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
