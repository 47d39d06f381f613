"""A shell as a person has it who types ``pulumi``: what ``isostack cloud env`` says, and nothing more."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.command_line import CommandLine, Ran

ROOT = Path(__file__).parent.parent.parent


@dataclass
class Shell:
    """Both command lines on one local cloud and one passphrase."""

    isostack: CommandLine
    environment: Mapping[str, str]

    def pulumi(self, *arguments: str | Path, cwd: Path, stdin: str = "", fails: bool = False) -> str:
        """What the CLI printed; it must succeed, or, with ``fails``, must not."""
        done = subprocess.run(  # noqa: S603 - the official CLI
            ["pulumi", *map(str, arguments), "--non-interactive", "--color", "never"],  # noqa: S607 - from the path
            cwd=cwd,
            env=dict(self.environment),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stdout if not fails else done.stdout + done.stderr

    def state(self, cwd: Path, stack: str) -> list[dict[str, Any]]:
        """The resources of a stack, as the CLI exports them."""
        deployment = json.loads(self.pulumi("stack", "export", "--stack", stack, cwd=cwd))["deployment"]
        assert not deployment.get("pending_operations")
        return list(deployment.get("resources", []))

    def ours(self, *arguments: str | Path, cwd: Path, stdin: str = "") -> Ran:
        """What isostack printed; it must succeed."""
        ran = self.isostack(*arguments, cwd=cwd, stdin=stdin)
        assert ran.code == 0, ran.out + ran.err
        return ran


def opened(home: Path, folder: Path) -> Shell:
    """A shell with the variables of ``isostack cloud env``, and the CLI's state in a folder."""
    isostack = CommandLine(home, {"PULUMI_BACKEND_URL": f"file://{folder}"})
    said = isostack("cloud", "env", "--json", cwd=folder).json
    environment = {
        **isostack.env(),
        **{name: value for name, value in said.items() if value is not None},
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_PYTHON_CMD": sys.executable,
    }
    environment["PATH"] = f"{said['PATH']}{os.pathsep}{Path(sys.executable).parent}"
    return Shell(isostack, environment)


def cloned(folder: Path) -> Path:
    """This project as a clone of it has it, with a virtual environment."""
    for name in ("stacks", "components", "policies"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Pulumi.yaml", folder)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder
