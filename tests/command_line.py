"""Drives the real command line as a user would: in a process of its own, on a copy of a program."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROGRAMS = Path(__file__).parent / "programs"
COMMAND = (sys.executable, "-m", "isostack.cli")


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on standard output. Raises ValueError where there is anything else."""
        return json.loads(self.out)


@dataclass
class CommandLine:
    """The command line with one state folder, and so one local cloud. ``everything`` is all that it ever printed."""

    home: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    everything: str = ""
    command: Sequence[str] = COMMAND

    def env(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The process's environment: ours without what would change the outcome."""
        unwanted = ("AWS_", "PULUMI_", "ISOSTACK_", "FORCE_COLOR", "NO_COLOR", "COLUMNS", "LINES")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(unwanted)}
        # A program that is changed within the second must not run from its old bytecode.
        own = {"ISOSTACK_HOME": str(self.home), "PYTHONDONTWRITEBYTECODE": "1", "TERM": "xterm-256color"}
        return {**kept, **own, **self.environment, **(more or {})}

    def __call__(
        self,
        *arguments: str | Path,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        before: Callable[[], None] | None = None,
    ) -> Ran:
        """Run a command in a folder; ``before`` runs in the new process beforehand."""
        done = subprocess.run(  # noqa: S603 - this interpreter and our own module
            [*self.command, *map(str, arguments)],
            cwd=cwd,
            env=self.env(env),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            preexec_fn=before,
            check=False,
        )
        self.everything += done.stdout + done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    def starts(self, *arguments: str | Path, cwd: Path) -> subprocess.Popen[str]:
        """A command that is not waited for."""
        return subprocess.Popen(  # noqa: S603 - this interpreter and our own module
            [*self.command, *map(str, arguments)],
            cwd=cwd,
            env=self.env(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A suite that a script runs in the background ignores Ctrl-C, and so would what it starts.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - takes no lock
        )


def program(name: str, folder: Path) -> Path:
    """A copy of one of the programs, to run and to change."""
    return Path(shutil.copytree(PROGRAMS / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")))


def project(folder: Path, source: str, *, name: str = "small", extra: str = "", **stacks: str) -> Path:
    """A project with one file of source, ``extra`` lines in Pulumi.yaml, and the stack files given by name."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Pulumi.yaml").write_text(f"name: {name}\nruntime: python\n{extra}")
    (folder / "__main__.py").write_text(source)
    for stack, text in stacks.items():
        (folder / f"Pulumi.{stack}.yaml").write_text(text)
    return folder
