"""Sessions: what several logins at once leave behind."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from isostack.gates.identity import Session, Sessions

SESSION = Session("staging", "operations", "alice", "1" * 12, "arn", "2100-01-01T00:00:00+00:00", "key", "secret", "token")


def test_who_logs_in_while_somebody_else_does_takes_nobody_elses_session_away(tmp_path: Path) -> None:
    stacks = [f"stack-{number}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda stack: Sessions(tmp_path / "home").keep("shop", replace(SESSION, stack=stack)), stacks))
    assert sorted(Sessions(tmp_path / "home").all()) == sorted(f"shop/{stack}" for stack in stacks)
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda stack: Sessions(tmp_path / "home").end("shop", stack), stacks[:30])) == 30
    assert sorted(Sessions(tmp_path / "home").all()) == sorted(f"shop/{stack}" for stack in stacks[30:])
