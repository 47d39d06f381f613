"""What a command loads: heavy packages only where it needs them, since their imports are most of a short command's time.

Nothing is timed here; ``python -m benchmarks`` does that.
"""

from __future__ import annotations

from pathlib import Path

from tests.cli.mail import mail_project
from tests.command_line import CommandLine

HEAVY = {"boto3", "botocore", "cryptography", "grpc", "moto", "psutil", "pulumi", "pulumi_aws", "pydantic", "rich", "yaml"}


def loaded(isostack: CommandLine, *arguments: str, cwd: Path) -> set[str]:
    """The heavy packages that a command imports; it must succeed."""
    ran = isostack(*arguments, cwd=cwd, env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert ran.code == 0, ran.err[-2000:]
    names = {line.rpartition("|")[2].strip() for line in ran.err.splitlines() if line.startswith("import time:")}
    assert "isostack.errors" in names
    return {name.partition(".")[0] for name in names} & HEAVY


def test_the_help_loads_nothing_heavy(isostack: CommandLine, tmp_path: Path) -> None:
    for command in ((), ("up",), ("play",), ("cloud", "start")):
        assert loaded(isostack, *command, "--help", cwd=tmp_path) == set()


def test_each_operation_loads_what_it_needs(isostack: CommandLine, tmp_path: Path) -> None:
    folder = mail_project(tmp_path, "loading")
    state = {"psutil", "yaml"}
    program = state | {"cryptography", "grpc", "pulumi", "pulumi_aws"}
    assert loaded(isostack, "up", "dev", "--skip-preview", cwd=folder) == program | {"botocore"}
    assert loaded(isostack, "preview", "dev", cwd=folder) <= program
    assert loaded(isostack, "up", "dev", "--skip-preview", cwd=folder) <= program
    assert loaded(isostack, "outputs", "dev", cwd=folder) <= state
    assert loaded(isostack, "status", cwd=folder) <= state
    assert loaded(isostack, "refresh", "dev", cwd=folder) == state | {"botocore", "cryptography"}
    assert loaded(isostack, "destroy", "dev", "--yes", cwd=folder) == state | {"botocore", "cryptography"}
