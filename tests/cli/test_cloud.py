"""The local cloud from the command line: its life, its port, and what a stack makes of its loss."""

from __future__ import annotations

import re
import socket
from pathlib import Path

from tests.cli.mail import mail_project
from tests.command_line import CommandLine


def test_the_life_of_the_local_cloud(alone: CommandLine, tmp_path: Path) -> None:
    """No project is needed where ISOSTACK_HOME says which cloud is meant."""
    assert "not running" in alone("cloud", "status", cwd=tmp_path).out
    assert alone("cloud", "status", "--json", cwd=tmp_path).json["running"] is False
    assert alone("cloud", "stop", "--json", cwd=tmp_path).json == {"stopped": False}
    assert alone("cloud", "reset", "--yes", cwd=tmp_path).code == 1

    started = alone("cloud", "start", "--json", cwd=tmp_path).json
    assert started["running"] is True
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", started["endpoint"])
    text = alone("cloud", "start", cwd=tmp_path).out
    assert re.search(rf"^local cloud   {re.escape(started['endpoint'])}$", text, re.M)
    assert re.search(rf"^process       {started['pid']}, up \d+ s$", text, re.M)
    assert 'eval "$(isostack cloud env)"' in text

    folder = mail_project(tmp_path, "lost")
    assert alone("up", "dev", cwd=folder).code == 0
    assert alone("cloud", "status", "--json", cwd=folder).json["resources"]["sqs"] == 3
    emptied = alone("cloud", "reset", "--yes", "--json", cwd=folder).json
    assert emptied["resources"].get("sqs", 0) == 0
    assert emptied["identity"] != started["identity"]

    # What the state knew is gone, which is said; it is made anew, not updated.
    again = alone("up", "dev", cwd=folder)
    assert again.code == 0
    assert "warning: the local cloud was reset or restarted since the last run: 3 resources" in again.out
    assert re.search(r"^dev: done, 3 created \(2 unchanged\)", again.out, re.M)

    assert alone("cloud", "stop", cwd=folder).out == "the local cloud is stopped\n"
    assert alone("destroy", "dev", "--yes", cwd=folder).code == 0
    assert alone("cloud", "status", "--json", cwd=folder).json["resources"].get("sqs", 0) == 0


def test_a_port_that_is_taken(alone: CommandLine, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        asked = alone("cloud", "start", "--port", str(port), cwd=tmp_path)
        assert asked.code == 2
        assert f"port {port} on 127.0.0.1 cannot be used" in asked.err
    assert alone("cloud", "start", "--port", str(port), "--json", cwd=tmp_path).json["endpoint"].endswith(f":{port}")
    assert alone("cloud", "stop", cwd=tmp_path).code == 0
    # The port that it had last is taken when it starts again: it moves, and says so.
    with socket.create_server(("127.0.0.1", port)):
        moved = alone("cloud", "start", cwd=tmp_path)
    assert moved.code == 0
    assert f"port {port} is taken" in moved.err


def test_a_state_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = CommandLine(tmp_path / "file" / "home")("cloud", "start", cwd=tmp_path)
    there = tmp_path / "file" / "home" / "cloud.lock"
    assert (ran.code, ran.err) == (2, f"error: cannot lock {there}: Not a directory; a file stands where a folder should\n")
