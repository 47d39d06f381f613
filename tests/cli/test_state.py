"""Outputs, export, import, status, locks and damage: what the command line makes of a stack's state."""

from __future__ import annotations

import json
import os
import pwd
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.mail import SECRET, configure, mail_project
from tests.command_line import CommandLine, project


@pytest.fixture
def stack(isostack: CommandLine, tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    """A stack that is up, in a project named after the test; destroyed afterwards, if its state still can be read."""
    name = re.sub(r"\W+", "-", request.node.name)[:40].strip("-")
    folder = mail_project(tmp_path, name)
    ran = isostack("up", "dev", cwd=folder)
    assert ran.code == 0, ran.out + ran.err
    yield folder
    isostack("destroy", "dev", "--yes", cwd=folder)


def state_file(isostack: CommandLine, folder: Path) -> Path:
    """The file that holds the stack's state."""
    (found,) = [
        path for path in isostack.home.rglob("*.json")
        if folder.name in str(path.relative_to(isostack.home)) and '"deployment"' in path.read_text(errors="replace")
    ]  # fmt: skip
    return Path(found)


def row(isostack: CommandLine, folder: Path) -> dict[str, Any]:
    """The line of ``dev`` in the overview."""
    (found,) = isostack("status", "--json", cwd=folder).json["environments"]
    return dict(found)


def test_outputs_are_printed_for_people_scripts_and_machines(isostack: CommandLine, stack: Path) -> None:
    text = isostack("outputs", "dev", cwd=stack).out
    assert re.search(r"^  inbox   mail-inbox-[0-9a-f]{7}$", text, re.M)
    assert '"key": "[secret]"' in text
    alone = isostack("outputs", "dev", "inbox", cwd=stack).out
    assert re.fullmatch(r"mail-inbox-[0-9a-f]{7}\n", alone)
    assert isostack("outputs", "dev", "nested", "--json", cwd=stack).json == {"key": "[secret]", "list": [1, "two"]}
    unknown = isostack("outputs", "dev", "outbox", cwd=stack)
    assert unknown.code == 2
    assert "inbox, nested" in unknown.err
    assert SECRET not in isostack.everything

    reader = CommandLine(isostack.home)  # what it prints may hold the secret
    clear = reader("outputs", "dev", "--show-secrets", "--json", cwd=stack).json
    assert clear["nested"]["key"] == SECRET
    assert SECRET in reader("outputs", "dev", "--show-secrets", cwd=stack).out


def test_an_export_can_be_imported_and_goes_on_as_if_nothing_had_happened(
    isostack: CommandLine, stack: Path, tmp_path: Path
) -> None:
    exported = isostack("export", "dev", cwd=stack)
    assert exported.code == 0
    document = exported.json
    assert document["version"] == 3
    assert {"manifest", "resources", "secrets_providers"} <= set(document["deployment"])
    assert document["deployment"]["secrets_providers"]["type"] == "passphrase"
    assert SECRET not in exported.out
    urns = [r["urn"] for r in document["deployment"]["resources"]]
    assert "urn:pulumi:dev::" + stack.name + "::small:mail:Mail$aws:sqs/queue:Queue::mail-inbox" in urns
    same = isostack("export", "dev", "--json", cwd=stack).json
    assert same["deployment"]["resources"] == document["deployment"]["resources"]

    # By a file, by standard input, and on a machine that has nothing but the file and the passphrase.
    (tmp_path / "state.json").write_text(exported.out)
    imported = isostack("import", "dev", tmp_path / "state.json", cwd=stack)
    assert imported.code == 0, imported.err
    assert re.fullmatch(rf"dev: {len(urns)} resources imported\n", imported.out)
    by_pipe = isostack("import", "dev", "-", "--json", cwd=stack, stdin=exported.out)
    assert by_pipe.json == {"stack": "dev", "result": "succeeded", "resources": len(urns)}
    assert isostack("export", "dev", cwd=stack).json["deployment"]["resources"] == document["deployment"]["resources"]
    again = isostack("up", "dev", cwd=stack)
    assert "dev: no changes, 5 resources as before" in again.out

    elsewhere = CommandLine(tmp_path / "elsewhere")
    taken = elsewhere("import", "dev", tmp_path / "state.json", cwd=stack)
    assert taken.code in (0, 2)
    wrong = elsewhere("outputs", "dev", "--show-secrets", cwd=stack, env={"PULUMI_CONFIG_PASSPHRASE": "not this one"})
    assert wrong.code == 2
    assert SECRET not in wrong.out + wrong.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "JSON"),
        ("[]", ""),
        ('{"version": 3}', "deployment"),
        ('{"version": 99, "deployment": {}}', "99"),
    ],
)
def test_what_is_no_state_is_not_imported(isostack: CommandLine, tmp_path: Path, text: str, said: str) -> None:
    folder = mail_project(tmp_path, "no-state")
    ran = isostack("import", "dev", "-", cwd=folder, stdin=text)
    assert ran.code == 2
    assert said in ran.err
    assert row(isostack, folder)["resources"] == 0


def test_status_shows_every_environment(isostack: CommandLine, stack: Path) -> None:
    (stack / "Pulumi.empty.yaml").write_text("config:\n  isostack:parameters: 1.2.3\n")
    first, second = isostack("status", "--json", cwd=stack).json["environments"]
    assert (first["environment"], first["engine"], second["engine"]) == ("dev", "embedded", None)
    assert (first["resources"], first["operation"], first["result"]) == (3, "up", "succeeded")
    assert re.match(r"\d{4}-\d\d-\d\d", first["last_change"])
    assert (first["lock"], first["problem"]) == (None, None)
    assert (second["environment"], second["pinned"], second["resources"]) == ("empty", "1.2.3", 0)
    lines = isostack("status", cwd=stack).out.splitlines()
    assert lines[0].split() == ["environment", "engine", "pinned", "deployed", "resources", "last", "change", "lock"]
    assert re.match(r"dev +embedded +- +- +3  up succeeded, \d{4}-.* free$", lines[1])
    assert re.match(r"empty +- +1\.2\.3 +- +0  - +free$", lines[2])


def test_a_stack_in_use_is_locked_and_says_by_whom(isostack: CommandLine, tmp_path: Path) -> None:
    source = "import time\nimport pulumi_aws as aws\ndef wait(arn):\n    time.sleep(600)\naws.sqs.Queue('held').arn.apply(wait)\n"
    folder = project(tmp_path / "held", source, name="held")
    process = isostack.starts("up", "dev", cwd=folder)
    try:
        assert process.stdout is not None
        assert any("Queue held created" in line for line in process.stdout)
        ran = isostack("up", "dev", cwd=folder)
        assert ran.code == 4
        assert f"process {process.pid}" in ran.err
        assert "isostack up dev" in ran.err
        machine = isostack("destroy", "dev", "--yes", "--json", cwd=folder)
        assert machine.code == machine.json["exit_code"] == 4
        (shown,) = isostack("status", "--json", cwd=folder).json["environments"]
        assert f"process {process.pid}" in shown["lock"]
    finally:
        process.kill()
        process.communicate()
    # Killed without a chance to clean up: the next run takes over, says so, and finds what was made.
    (folder / "__main__.py").write_text("import pulumi_aws as aws\naws.sqs.Queue('held')\n")
    carried_on = isostack("up", "dev", cwd=folder)
    assert carried_on.code == 0, carried_on.err
    assert "warning: took over the lock of" in carried_on.out
    assert "no changes" in carried_on.out
    isostack("destroy", "dev", "--yes", cwd=folder)


def test_a_damaged_state_file_is_kept_and_named_and_never_overwritten(isostack: CommandLine, stack: Path) -> None:
    file = state_file(isostack, stack)
    good = file.read_bytes()
    damaged = good[: len(good) // 2]
    file.write_bytes(damaged)
    ran = isostack("up", "dev", cwd=stack)
    assert ran.code != 0
    (error,) = [line for line in (ran.out + ran.err).splitlines() if line.startswith("error: ")]
    kept = [path for path in file.parent.iterdir() if path.is_file() and path.read_bytes() == damaged]
    assert kept
    assert any(str(path) in error or path.name in error for path in kept), error
    assert row(isostack, stack)["problem"] or not file.exists()
    # Mended by hand from what is there, it goes on.
    file.write_bytes(good)
    assert "no changes" in isostack("up", "dev", cwd=stack).out


def test_a_state_of_a_newer_version_is_left_alone(isostack: CommandLine, stack: Path) -> None:
    file = state_file(isostack, stack)
    good = file.read_text()
    newer = json.dumps({**json.loads(good), "version": 4})
    file.write_text(newer)
    ran = isostack("up", "dev", cwd=stack)
    assert ran.code == 2
    assert "version 4" in ran.err
    assert file.read_text() == newer
    assert isostack("status", cwd=stack).out.splitlines()[-1].startswith("dev: ")
    file.write_text(good)


def limit_files_to(size: int) -> Callable[[], None]:
    """What makes every write beyond so many bytes of a file fail, as on a full disk (Python ignores SIGXFSZ)."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_disk_that_fills_up_stops_the_run_and_loses_nothing(alone: CommandLine, tmp_path: Path) -> None:
    folder = mail_project(tmp_path, "full")
    alone("cloud", "start", cwd=folder)
    for size in (0, 300, 2500, 6000):
        ran = alone("up", "dev", cwd=folder, before=limit_files_to(size))
        assert ran.code in (1, 2), f"{size} bytes: {ran.out}{ran.err}"
        said = [line for line in (ran.out + ran.err).splitlines() if line.startswith("error: ")]
        assert any("File too large" in line for line in said), f"{size} bytes: {ran.out}{ran.err}"
        assert "defect of isostack" not in ran.err
    assert alone("up", "dev", cwd=folder).code == 0
    # Nothing was made twice: what the stack knows is all that there is.
    assert alone("cloud", "status", "--json", cwd=folder).json["resources"]["sqs"] == row(alone, folder)["resources"] == 3


def test_a_state_folder_that_is_a_file_is_an_error_of_one_line(isostack: CommandLine, tmp_path: Path) -> None:
    folder = mail_project(tmp_path, "file")
    (tmp_path / "home").write_text("not a folder")
    ran = isostack("up", "dev", cwd=folder, env={"ISOSTACK_HOME": str(tmp_path / "home")})
    assert ran.code in (1, 2)
    assert len([line for line in ran.err.splitlines() if line.startswith("error: ")]) == 1
    assert str(tmp_path / "home") in ran.err
    assert "defect of isostack" not in ran.err


def test_a_state_folder_that_cannot_be_written_is_an_error_of_one_line(isostack: CommandLine, tmp_path: Path) -> None:
    folder = mail_project(tmp_path, "closed")
    home = tmp_path / "home"
    home.mkdir()
    user = "nobody" if os.geteuid() == 0 else None
    if user:
        for path in (tmp_path, folder, *folder.iterdir()):
            path.chmod(0o755)
        if not _can_run_this(user, folder / "Pulumi.yaml"):
            pytest.skip("permissions do not bind root, and no other user can run this interpreter here")
    home.chmod(0o555)
    before = (lambda: os.setuid(pwd.getpwnam(user).pw_uid)) if user else None
    ran = isostack("up", "dev", cwd=folder, env={"ISOSTACK_HOME": str(home)}, before=before)
    assert ran.code in (1, 2)
    assert "Permission denied" in ran.err
    assert str(home) in ran.err
    assert "defect of isostack" not in ran.err
    home.chmod(0o755)


def _can_run_this(user: str, file: Path) -> bool:
    """Whether that user exists, and may use this interpreter, the package and the file."""
    check = "import isostack.cli, sys; open(sys.argv[1])"
    try:
        done = subprocess.run([sys.executable, "-c", check, file], user=user, capture_output=True, check=False)  # noqa: S603
    except (LookupError, PermissionError):
        return False
    return done.returncode == 0


def test_a_copy_of_the_project_finds_the_same_stack(isostack: CommandLine, stack: Path, tmp_path: Path) -> None:
    """The state belongs to the state folder, the project's name and the stack's, not to where the project lies."""
    copy = tmp_path / "copy" / stack.name
    shutil.copytree(stack, copy)
    configure(copy, timeout="45")
    assert "1 to update" in isostack("preview", "dev", "--cwd", copy, cwd=tmp_path).out
