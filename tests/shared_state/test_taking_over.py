"""Whenever a run is overtaken, cut off or has an answer lost: what it was told is kept is kept, and it overwrites nobody."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from botocore.exceptions import EndpointConnectionError

from isostack.engine.state import PendingOperation
from isostack.engine.store import Store
from isostack.errors import Locked, OperationFailed
from isostack.shared_state.head import Holder
from tests.engine.states import queue, stack, urn
from tests.shared_state.conftest import Bench, Later, Watched


class Crash(BaseException):
    """The end of a process."""


def run(store: Store, prefix: str, kept: set[str], begun: set[str]) -> None:
    """A run that adds three queues. ``kept`` gets what it was told is recorded, ``begun`` what it then would do in the cloud."""
    with store.lock("shop", "dev", f"isostack up {prefix}") as lock:
        loaded = store.load("shop", "dev")
        journal = store.open_journal(loaded, lock.fence)
        for name in (f"{prefix}-1", f"{prefix}-2", f"{prefix}-3"):
            number = journal.begin(PendingOperation("creating", queue(name, id="")))
            begun.add(urn(name))
            journal.end(number, put=[queue(name)])
            loaded.snapshot.put(queue(name))
            kept.add(urn(name))
        store.save(loaded, journal)


def known(store: Store) -> tuple[set[str], set[str]]:
    """The URNs of the resources, and of those and what is pending."""
    snapshot = store.load("shop", "dev").snapshot
    snapshot.verify()
    there = {resource.urn for resource in snapshot.resources}
    return there, there | {pending.resource.urn for pending in snapshot.pending_operations}


def requests(bench: Bench) -> int:
    """How many requests a run makes."""
    watched = Watched(bench.s3)
    run(bench.store(client=watched), "alone", set(), set())
    return watched.count


def prepared(bench: Bench) -> None:
    """A stack that has had a run, and whose last run crashed."""
    bench.anew()
    run(bench.store(), "old", set(), set())
    store = bench.store()
    with store.lock("shop", "dev", "crashed") as lock:
        store.open_journal(store.load("shop", "dev"), lock.fence).put([queue("crashed")])


OLD = {urn("old-1"), urn("old-2"), urn("old-3"), urn("crashed")}


def each_moment(bench: Bench) -> list[tuple[str, int]]:
    prepared(bench)
    return [(when, number) for number in range(1, requests(bench) + 1) for when in ("before", "after")]


def test_a_run_that_sleeps_at_any_moment_while_another_takes_over_loses_nothing_and_overwrites_nothing(bench: Bench) -> None:
    refused = 0
    for when, moment in each_moment(bench):
        prepared(bench)
        kept, begun, sleeper = set(OLD), set[str](), Watched(bench.s3)

        def overtake(number: int, _: str, moment: int = moment, kept: set[str] = kept, begun: set[str] = begun) -> None:
            if number == moment:
                run(bench.store(Later), "second", kept, begun)

        setattr(sleeper, when, overtake)
        try:
            run(bench.store(client=sleeper), "first", kept, begun)
        except Locked as error:
            assert "took over" in str(error), (when, moment, error)
            refused += 1
        there, told = known(bench.store())
        assert kept <= there, (when, moment)
        assert begun <= told, (when, moment)
        assert bench.store().holder("shop", "dev") is None, (when, moment)
    assert refused > 10, "at most moments it is refused"


def test_a_run_that_dies_at_any_moment_is_carried_on_by_another(bench: Bench) -> None:
    for when, moment in each_moment(bench):
        prepared(bench)
        kept, begun, dying = set(OLD), set[str](), Watched(bench.s3)

        def die(number: int, _: str, moment: int = moment) -> None:
            if number >= moment:
                raise Crash

        setattr(dying, when, die)
        with pytest.raises(Crash):
            run(bench.store(client=dying), "first", kept, begun)
        there, told = known(bench.store())
        assert (kept <= there, begun <= told) == (True, True), (when, moment)
        run(bench.store(Later), "second", kept, begun)
        there, told = known(bench.store())
        assert (kept <= there, begun <= told) == (True, True), (when, moment)


def test_a_write_that_is_repeated_since_its_answer_was_lost_is_not_taken_for_anothers(bench: Bench) -> None:
    prepared(bench)
    for moment in range(1, requests(bench) + 1):
        prepared(bench)
        kept, watched = set(OLD), Watched(bench.s3)
        watched.twice = moment
        run(bench.store(client=watched), "first", kept, set())
        assert known(bench.store())[0] == kept, moment
        assert bench.store().holder("shop", "dev") is None


def test_a_write_that_was_kept_counts_although_its_run_was_overtaken_before_it_knew(bench: Bench) -> None:
    prepared(bench)
    for moment in range(1, requests(bench) + 1):
        prepared(bench)
        kept, begun, watched = set(OLD), set[str](), Watched(bench.s3)
        watched.twice = moment
        watched.between = lambda kept=kept, begun=begun: run(bench.store(Later), "second", kept, begun)  # type: ignore[misc]  # its defaults
        with suppress(Locked):
            run(bench.store(client=watched), "first", kept, begun)
        there, told = known(bench.store())
        assert (kept <= there, begun <= told) == (True, True), moment
        assert set(bench.named()) <= set(bench.keys("states/")), "no state that counts was taken for a late run's"


def test_a_late_run_is_refused_at_each_of_its_writes(bench: Bench) -> None:
    late = bench.store()
    lock = late.lock("shop", "dev", "isostack up dev").__enter__()
    loaded = late.load("shop", "dev")
    journal = late.open_journal(loaded, lock.fence)
    journal.put([stack()])
    run(bench.store(Later), "second", set(), set())
    place = late.place("shop", "dev")
    writes: list[Callable[[], object]] = [
        lambda: journal.put([queue("late")]),
        lambda: place.write(b"{}"),
        place.remove,
        place.drop_journal,
        lambda: late.save(loaded, journal),
    ]
    for write in writes:
        with pytest.raises(Locked, match=r"took over|is not held"):
            write()
    lock.__exit__(None, None, None)
    there, _ = known(bench.store())
    assert there == {stack().urn, urn("second-1"), urn("second-2"), urn("second-3")}


def test_a_process_that_wakes_after_its_lease_does_nothing_in_a_cloud_that_another_changes(bench: Bench) -> None:
    """It slept between a line's being kept and its being told so."""
    first, second = bench.store(client=(watched := Watched(bench.s3))), bench.store(Later)
    with first.lock("shop", "dev", "first") as lock:
        journal = first.open_journal(first.load("shop", "dev"), lock.fence)

        def sleep(number: int, name: str) -> None:
            if name == "put_object":
                watched.after = lambda *_: None
                lock._alive -= 3600
                with second.lock("shop", "dev", "second"):
                    pass

        watched.after = sleep
        with pytest.raises(Locked, match="took over"):
            journal.begin(PendingOperation("creating", queue("a", id="")))
    assert [one.resource.urn for one in bench.store().load("shop", "dev").snapshot.pending_operations] == [urn("a")]


def test_the_lease_is_renewed_and_its_holder_is_then_left_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from isostack.shared_state import lease

    monkeypatch.setattr(lease, "LEASE", 0.05)
    with bench.store().lock("shop", "dev", "first") as lock:
        beat = lock.head.beat
        while lock.head.beat < beat + 3:
            pass
        with pytest.raises(Locked, match="'first'"), bench.store().lock("shop", "dev", "second"):
            pass


def test_a_renewal_changes_the_head_even_if_etags_are_digests(bench: Bench) -> None:
    """Else who is about to take over would not see that the holder lives."""
    with bench.store().lock("shop", "dev", "first") as lock:
        before = bench.s3.get_object(Bucket="state", Key=bench.keys("head.json")[0])["ETag"]
        lock.change(lambda head: head)
        assert bench.s3.get_object(Bucket="state", Key=bench.keys("head.json")[0])["ETag"] != before


def test_a_dead_process_of_this_machine_holds_nobody_off(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    store = bench.store()
    lock = store.lock("shop", "dev", "isostack up dev").__enter__()
    monkeypatch.setattr(Holder, "is_running", False)
    assert store.holder("shop", "dev") is None
    with bench.store().lock("shop", "dev", "second") as second:
        assert "that process is gone" in second.warning
    monkeypatch.undo()
    lock.__exit__(None, None, None)


def test_a_process_of_another_machine_is_not_looked_for_here(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from isostack.shared_state import head, lease

    monkeypatch.setattr(lease, "machine", lambda: "another")
    lock = bench.store().lock("shop", "dev", "isostack up dev").__enter__()
    monkeypatch.setattr(Holder, "is_running", False)
    assert head.machine() != "another"
    with pytest.raises(Locked), bench.store().lock("shop", "dev", "second"):
        pass
    lock.__exit__(None, None, None)


def test_a_seal_stays_so_that_no_late_line_finds_its_place_free(bench: Bench) -> None:
    first = bench.store()
    lock = first.lock("shop", "dev", "first").__enter__()
    journal = first.open_journal(first.load("shop", "dev"), lock.fence)
    for _ in range(3):
        run(bench.store(Later), "second", set(), set())
    assert len(bench.keys("journal/")) == 1
    with pytest.raises(Locked, match=r"'isostack up second'.* took over"):
        journal.put([queue("late")])
    lock.__exit__(None, None, None)


def test_a_bucket_that_is_out_of_reach_from_any_moment_on_is_one_line_and_loses_nothing(bench: Bench) -> None:
    for when, moment in each_moment(bench):
        prepared(bench)
        kept, begun, cut = set(OLD), set[str](), Watched(bench.s3)

        def out_of_reach(number: int, _: str, moment: int = moment) -> None:
            if number >= moment:
                raise EndpointConnectionError(endpoint_url="http://bucket")

        setattr(cut, when, out_of_reach)
        with pytest.raises(OperationFailed, match="Could not connect") as caught:
            run(bench.store(client=cut), "first", kept, begun)
            raise OperationFailed("Could not connect while the lease was given back, which nobody needs to be told")
        assert "\n" not in str(caught.value)
        there, told = known(bench.store())
        assert (kept <= there, begun <= told) == (True, True), (when, moment)


def test_a_connection_that_comes_back_does_not_let_a_journal_go_on_with_a_gap(bench: Bench) -> None:
    store = bench.store(client=(watched := Watched(bench.s3)))
    with store.lock("shop", "dev", "first") as lock:
        journal = store.open_journal(store.load("shop", "dev"), lock.fence)

        def fail_once(number: int, name: str) -> None:
            watched.before = lambda *_: None
            raise EndpointConnectionError(endpoint_url="http://bucket")

        watched.before = fail_once
        for _ in range(2):
            with pytest.raises(OperationFailed, match="Could not connect"):
                journal.put([queue("a")])
        store.save(store.load("shop", "dev"), journal)
    assert bench.store().load("shop", "dev").snapshot.resources == []


@pytest.mark.parametrize("moment", [1, 2, 3, 5])
def test_threads_that_record_at_once_are_each_told_when_the_bucket_is_lost(bench: Bench, moment: int) -> None:
    """None waits for ever, and what one was told is kept is there."""
    store = bench.store(client=(watched := Watched(bench.s3)))
    with store.lock("shop", "dev", "first") as lock:
        log = store.open_journal(store.load("shop", "dev"), lock.fence).log
        lost = watched.count + moment
        kept: list[bytes] = []
        failed: list[str] = []

        def out_of_reach(number: int, _: str) -> None:
            time.sleep(0.002)  # so that others come in meanwhile
            if number >= lost:
                raise EndpointConnectionError(endpoint_url="http://bucket")

        watched.before = out_of_reach

        def work(thread: int) -> None:
            for i in range(20):
                line = b'{"put":[],"thread":"%d-%d"}\n' % (thread, i)
                try:
                    log.append(line)
                except OperationFailed as error:
                    failed.append(str(error))
                    return
                kept.append(line)

        threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)
            assert not thread.is_alive()
        watched.before = lambda *_: None
    assert len(failed) == 6
    written = (bench.store().place("shop", "dev").journal() or b"").splitlines(keepends=True)
    assert set(kept) <= set(written)
    assert len(bench.keys("journal/")) == moment, "many lines in one segment"
