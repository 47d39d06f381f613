"""The two engines as commands to run in a process of their own, with all that they keep under one temporary folder.

Owns what each needs around it: the local cloud, the provider plugins, an environment without anybody's credentials.
What is run, and how often, is :mod:`benchmarks.schedule`'s.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from isostack.localcloud.server import LocalCloud

PROGRAMS = Path(__file__).parent / "programs"
STACK = "bench"
ISOSTACK = (sys.executable, "-m", "isostack.cli")
PACKAGES = ("aws", "random")


class BenchmarkFailed(Exception):
    """A command ended with an error. ``str()`` says which, and what it printed last."""


@dataclass(frozen=True)
class Measured:
    """What one process took, in seconds of the clock and of CPU. ``peak`` is its resident memory at its highest, in bytes;
    children do not count.

    On Linux it is never less than what the process that started it had.
    """

    seconds: float
    peak: int
    cpu: float = 0.0


@dataclass(frozen=True)
class Operation:
    """One thing that both engines do to a stack; ``skip_preview`` is the option of that name."""

    title: str
    verb: Literal["preview", "up", "destroy"]
    skip_preview: bool = False


def measure(command: Sequence[str], cwd: Path, environment: Mapping[str, str], log: Path) -> Measured:
    """Run a command to its end. Raises BenchmarkFailed unless it succeeds."""
    with log.open("w+") as output:
        started = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - the two engines' own commands
            command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            raise BenchmarkFailed(f"{' '.join(command)} (exit code {process.returncode}):\n{output.read()[-2000:]}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Measured(seconds, usage.ru_maxrss * unit, usage.ru_utime + usage.ru_stime)


@dataclass(frozen=True)
class Engine:
    """An engine, and where it keeps its copies of the programs."""

    name: str
    folder: Path
    environment: Mapping[str, str]

    def project(self, program: str, count: int) -> Path:
        """The engine's own copy of a program, with its size in the stack's file. The same one each time."""
        name = f"{program}-{count}"
        project = self.folder / name
        if not project.exists():
            shutil.copytree(PROGRAMS / program, project, ignore=shutil.ignore_patterns("__pycache__"))
            (project / "Pulumi.yaml").write_text(f"name: {name}\nruntime: python\n")
            (project / f"Pulumi.{STACK}.yaml").write_text(f"config:\n  {name}:count: {count}\n")
            self._prepare(project)
        return project

    def run(self, operation: Operation, project: Path) -> Measured:
        """Do it, in a process of its own."""
        return measure(self._command(operation, project), project, self.environment, self.folder / "log")

    def _prepare(self, project: Path) -> None:
        """What is done once before the first operation on a project."""

    def _command(self, operation: Operation, project: Path) -> list[str]:
        raise NotImplementedError


class Embedded(Engine):
    """isostack's own engine."""

    def _command(self, operation: Operation, project: Path) -> list[str]:
        skip = ["--skip-preview"] if operation.skip_preview else []
        yes = ["--yes"] if operation.verb == "destroy" else []
        return [*ISOSTACK, operation.verb, STACK, *yes, *skip]


class PulumiCli(Engine):
    """The official CLI, with the local cloud's provider attached to it."""

    def _prepare(self, project: Path) -> None:
        measure(["pulumi", "stack", "init", STACK], project, self.environment, self.folder / "log")

    def _command(self, operation: Operation, project: Path) -> list[str]:
        yes = ["--yes"] if operation.verb != "preview" else []
        skip = ["--skip-preview"] if operation.skip_preview or operation.verb == "destroy" else []
        return ["pulumi", operation.verb, "--stack", STACK, "--non-interactive", "--color", "never", *yes, *skip]


def environment(home: Path) -> dict[str, str]:
    """This process's environment without what would change the outcome, and with a state folder."""
    unwanted = ("AWS_", "PULUMI_", "ISOSTACK_", "FORCE_COLOR", "NO_COLOR", "PYTHONDONTWRITEBYTECODE")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(unwanted)}
    return {**kept, "ISOSTACK_HOME": str(home)}


@contextmanager
def running_engines(folder: Path) -> Iterator[list[Engine]]:
    """The engines that there are, over one local cloud that already runs; ended with everything they started."""
    home = folder / "embedded" / "home"
    home.mkdir(parents=True)
    with ExitStack() as stack:
        cloud = LocalCloud(home)
        stack.callback(cloud.stop)
        cloud.ensure()
        engines: list[Engine] = [Embedded("embedded", home.parent, environment(home))]
        if shutil.which("pulumi"):
            ports = [stack.enter_context(plugin(package, home)) for package in PACKAGES]
            engines.append(_pulumi_cli(folder / "pulumi", home, ports))
        yield engines


def _pulumi_cli(folder: Path, home: Path, ports: list[str]) -> PulumiCli:
    (folder / "backend").mkdir(parents=True)
    own = {
        "AWS_ENDPOINT_URL": LocalCloud(home).ensure().url,  # this project's program asks where a run would go
        "PULUMI_BACKEND_URL": f"file://{folder / 'backend'}",
        "PULUMI_CONFIG_PASSPHRASE": "benchmark",
        "PULUMI_DEBUG_PROVIDERS": ",".join(ports),
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_PYTHON_CMD": sys.executable,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return PulumiCli("Pulumi CLI", folder, {**environment(home), **own, "PATH": path})


@contextmanager
def plugin(package: str, home: Path) -> Iterator[str]:
    """A running provider plugin, as ``PACKAGE:PORT``."""
    command = [*ISOSTACK, "cloud", "provider", package]
    with subprocess.Popen(command, env=environment(home), stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ours
        try:
            port = process.stdout.readline().strip() if process.stdout else ""
            if not port:
                raise BenchmarkFailed(f"{' '.join(command)} ended before it printed its port")
            yield f"{package}:{port}"
        finally:
            process.terminate()
