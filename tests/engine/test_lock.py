"""A stack has one run at a time, a dead run holds nobody off, and a late one cannot write."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from isostack.engine import lock as module
from isostack.engine.lock import Fence, StackLock, holder
from isostack.errors import BadInput, Locked

HOLD = """
import sys
from pathlib import Path
from isostack.engine.lock import StackLock
with StackLock(Path(sys.argv[1]), sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""

RACE = """
import sys
from pathlib import Path
from isostack.engine.lock import StackLock
from isostack.errors import Locked
sys.stdin.readline()
lock = StackLock(Path(sys.argv[1]), "race")
try:
    lock.__enter__()
    print("won", lock.fence, flush=True)
except Locked:
    print("lost", flush=True)
sys.stdin.readline()
"""


def run(code: str, *arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603  # our own code


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def pretend(folder: Path, **changes: Any) -> None:
    """Change what the lock file says of its holder."""
    path = folder / "lock.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "stacks" / "shop" / "dev"


def leave_lock(folder: Path, **changes: Any) -> None:
    """A lock that nobody has given back."""
    with StackLock(folder, "isostack up dev"):
        text = (folder / "lock.json").read_text()
    (folder / "lock.json").write_text(text)
    pretend(folder, **changes)


def test_a_second_run_is_refused_and_told_who_holds_the_lock(folder: Path) -> None:
    process = run(HOLD, folder, "isostack up dev")
    try:
        assert line_of(process) == "held"
        told = rf"@\S+ \(process {process.pid}, since \d+-\d+-\d+ .* UTC, running 'isostack up dev'\)"
        with pytest.raises(Locked, match=told) as caught, StackLock(folder, "isostack destroy dev"):
            pass
        assert caught.value.exit_code == 4
        assert "\n" not in str(caught.value)
        assert f"process {process.pid}" in str(holder(folder))
    finally:
        process.communicate()
    with StackLock(folder, "isostack destroy dev") as lock:
        assert lock.warning == ""


def test_a_run_is_refused_within_the_same_process_too(folder: Path) -> None:
    with StackLock(folder, "first"), pytest.raises(Locked), StackLock(folder, "second"):
        pass


def test_a_killed_runs_lock_is_taken_over_at_once_with_a_warning(folder: Path) -> None:
    process = run(HOLD, folder, "isostack up dev")
    assert line_of(process) == "held"
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and not yet reaped: a zombie
    assert holder(folder) is None
    with StackLock(folder, "isostack up dev") as lock:
        assert f"process {process.pid}" in lock.warning
        assert "that process is gone" in lock.warning
    process.communicate()


def test_a_process_number_that_was_given_anew_is_not_the_holder(folder: Path) -> None:
    leave_lock(folder, started=1.0)
    with StackLock(folder, "second") as lock:
        assert "that process is gone" in lock.warning


@pytest.mark.parametrize("elsewhere", [{"host": "another"}, {"space": "pid:[another]"}])
def test_another_machines_lock_is_taken_over_after_its_expiry_only(folder: Path, elsewhere: dict[str, str]) -> None:
    leave_lock(folder, **elsewhere, pid=2**30, expires=time.time() + 1000)
    with pytest.raises(Locked), StackLock(folder, "second"):
        pass
    pretend(folder, expires=time.time() - 1)
    with StackLock(folder, "second") as lock:
        assert "no sign of life" in lock.warning


def test_a_damaged_lock_file_holds_for_a_lease(folder: Path) -> None:
    leave_lock(folder)
    (folder / "lock.json").write_text('{"user": ')
    with pytest.raises(Locked, match="a damaged lock file"), StackLock(folder, "second"):
        pass
    os.utime(folder / "lock.json", (0, 0))
    with StackLock(folder, "second") as lock:
        assert "a damaged lock file" in lock.warning


def test_the_fence_rises_with_every_acquisition(folder: Path) -> None:
    numbers = []
    for _ in range(3):
        with StackLock(folder, "run") as lock:
            numbers.append(lock.fence)
    assert numbers == [1, 2, 3]


@pytest.mark.parametrize("damage", [b"garbage", b"\0" * 20])
def test_a_damaged_fence_goes_on_above_every_earlier_number(folder: Path, damage: bytes) -> None:
    with StackLock(folder, "run") as lock:
        earlier = lock.fence
    (folder / "fence").write_bytes(damage)
    with StackLock(folder, "run") as lock:
        assert lock.fence > earlier
        Fence(folder, lock.fence).check()
    with StackLock(folder, "run") as later:
        assert later.fence == lock.fence + 1


def test_the_fence_lets_the_present_holder_through_and_nobody_earlier(folder: Path) -> None:
    with StackLock(folder, "first") as lock:
        fence = Fence(folder, lock.fence)
        fence.check()
    fence.check()
    with StackLock(folder, "isostack up dev"), pytest.raises(Locked, match=r"'isostack up dev'.* took over the stack"):
        fence.check()
    with pytest.raises(Locked, match="another run took over"):
        fence.check()
    fence.close()


def test_the_lease_is_renewed(folder: Path) -> None:
    with StackLock(folder, "run", lease=0.05):
        first = json.loads((folder / "lock.json").read_text())
        while json.loads((folder / "lock.json").read_text())["expires"] == first["expires"]:
            time.sleep(0.005)
        later = json.loads((folder / "lock.json").read_text())
    assert later["expires"] > first["expires"]
    assert {**later, "expires": 0} == {**first, "expires": 0}


def test_a_lock_that_another_run_took_is_neither_renewed_nor_released(folder: Path) -> None:
    with StackLock(folder, "first", lease=0.03) as first:
        pretend(folder, host="gone", expires=0.0)
        assert first._renewal is not None
        with StackLock(folder, "second"):
            first._renewal.join()
            taken = (folder / "lock.json").read_bytes()
            first.__exit__(None, None, None)
            assert (folder / "lock.json").read_bytes() == taken
    assert not (folder / "lock.json").exists()


def test_releasing_leaves_the_fence_alone(folder: Path) -> None:
    with StackLock(folder, "run"):
        pass
    assert [path.name for path in folder.iterdir()] == ["fence"]
    assert holder(folder) is None


def test_the_lock_is_its_owners_alone(folder: Path) -> None:
    with StackLock(folder, "run"):
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [folder, folder.parent, *folder.iterdir()]}
    assert modes == {"dev": 0o700, "shop": 0o700, "lock.json": 0o600, "fence": 0o600}


def test_of_several_processes_exactly_one_wins(folder: Path) -> None:
    with StackLock(folder, "before"):
        pass
    leave_lock(folder, pid=2**30)  # a dead holder's lock, which all of them may take over
    processes = [run(RACE, folder) for _ in range(6)]
    for process in processes:
        tell(process)
    answers = [line_of(process) for process in processes]
    for process in processes:
        process.communicate("\n")
    assert sorted(answers) == ["lost"] * 5 + ["won 3"]


def test_of_several_threads_exactly_one_wins(folder: Path) -> None:
    start, won = threading.Barrier(8), []

    def compete() -> None:
        lock = StackLock(folder, "race")
        start.wait()
        try:
            lock.__enter__()
        except Locked:
            return
        won.append(lock)

    threads = [threading.Thread(target=compete) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    won[0].__exit__(None, None, None)


def test_a_run_that_hangs_while_it_takes_the_lock_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    folder.mkdir(parents=True)
    with (
        module._critical_section(folder),
        pytest.raises(Locked, match=r"another run holds .*fence"),
        StackLock(folder, "run"),
    ):
        pass


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match=r"cannot lock .*; a file stands where a folder should"):
        StackLock(tmp_path / "file" / "shop", "run").__enter__()


def test_a_read_only_folder_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> int:
        raise PermissionError(13, "Permission denied")

    folder.mkdir(parents=True)
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(BadInput, match=r"cannot lock .*dev: Permission denied; change its permissions"):
        StackLock(folder, "run").__enter__()


def test_a_holder_in_words_says_who_and_since_when() -> None:
    ada = module.Holder("ada", "loom", "", 7, 0.0, "isostack up dev", "noon", 0.0, 1)
    assert str(ada) == "ada@loom (process 7, since noon, running 'isostack up dev')"
