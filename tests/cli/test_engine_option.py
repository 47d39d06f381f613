"""What ``--engine pulumi`` needs of the machine, and what the embedded engine leaves to it; no CLI is needed for any of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.command_line import CommandLine, project

INSTALL = "curl -fsSL https://get.pulumi.com | sh"
PROGRAM = "import pulumi\npulumi.export('one', 1)\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return project(tmp_path / "small", PROGRAM, dev="config: {}\n", far="config:\n  isostack:cloud: aws\n")


def path_with(tmp_path: Path, script: str | None) -> dict[str, str]:
    """A path without the official CLI, but with a ``pulumi`` that is this script."""
    commands = tmp_path / "commands"
    commands.mkdir()
    if script is not None:
        file = commands / "pulumi"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
    others = [part for part in os.environ["PATH"].split(os.pathsep) if part and not (Path(part) / "pulumi").exists()]
    return {"PATH": os.pathsep.join([str(commands), *others])}


@pytest.mark.parametrize(
    ("script", "wanted"),
    [
        (None, "there is no pulumi on the path"),
        ("echo v3.100.0", "it is version 3.100.0, and --engine pulumi needs 3.206.0"),
        ("echo what", "Could not parse the Pulumi CLI version"),
        ("exit 3", "does not run"),
    ],
)
@pytest.mark.parametrize("operation", ["up", "preview", "outputs"])
def test_a_cli_that_is_missing_or_does_not_fit_is_one_line_with_the_command_that_installs_it(
    tmp_path: Path, folder: Path, operation: str, script: str | None, wanted: str
) -> None:
    run = CommandLine(tmp_path / "home", path_with(tmp_path, script))
    ran = run(operation, "dev", "--engine", "pulumi", cwd=folder)
    assert (ran.code, ran.err.count("\n")) == (2, 1), ran.err
    assert wanted in ran.err
    assert ran.err.endswith(f": {INSTALL}\n")


def test_the_document_of_such_an_error_names_the_engine(tmp_path: Path, folder: Path) -> None:
    run = CommandLine(tmp_path / "home", path_with(tmp_path, None))
    said = run("up", "dev", "--engine", "pulumi", "--json", cwd=folder).json
    assert (said["engine"], said["result"], said["exit_code"]) == ("pulumi", "failed", 2)


def test_another_engine_is_bad_usage(tmp_path: Path, folder: Path) -> None:
    ran = CommandLine(tmp_path / "home")("up", "dev", "--engine", "terraform", cwd=folder)
    assert ran.code == 2
    assert "'terraform' is not one of 'embedded', 'pulumi'" in ran.err


def test_the_embedded_engine_leaves_a_stack_that_lives_in_an_account_to_the_cli(tmp_path: Path, folder: Path) -> None:
    ran = CommandLine(tmp_path / "home")("up", "far", cwd=folder)
    assert ran.code == 3
    assert "add --engine pulumi" in ran.err


def test_a_stack_of_the_local_cloud_keeps_its_state_on_this_machine(tmp_path: Path, folder: Path) -> None:
    run = CommandLine(tmp_path / "home", path_with(tmp_path, "echo v3.260.0"))
    ran = run("up", "dev", "--engine", "pulumi", cwd=folder, env={"PULUMI_BACKEND_URL": "s3://team?secret=one"})
    assert (ran.code, "secret=one" in ran.err) == (2, False)
    assert "names a backend elsewhere (s3): for a real account set isostack:cloud: aws in Pulumi.dev.yaml" in ran.err


def test_previews_of_all_environments_are_the_embedded_engines(tmp_path: Path, folder: Path) -> None:
    ran = CommandLine(tmp_path / "home")("preview", "--all", "--engine", "pulumi", cwd=folder)
    assert ran.code == 2
    assert "--engine go with one environment" in ran.err


def test_the_automation_api_is_not_loaded_unless_the_engine_is_asked_for() -> None:
    import subprocess

    script = "import isostack.cli, sys; sys.exit('pulumi.automation' in sys.modules or 'isostack.official.run' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0  # noqa: S603 - this interpreter
