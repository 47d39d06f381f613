"""Playgrounds: how long they take to come, to go, to come back from whatever broke, and to be swept.

Every figure is a command of its own, on this repository's dev environment with its real database, in a state folder of its
own; a sweep is of many small playgrounds, whose program is ``programs/throwaway``, and of a few whole ones. Where the Pulumi CLI
is on the path, its destroy plus up of the same environment stands beside.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

import psutil

from benchmarks.engines import ISOSTACK, BenchmarkFailed, Engine, Operation, environment, measure
from benchmarks.report import Table, against
from benchmarks.schedule import Say
from isostack.engine.events import Event
from isostack.engine.project import load_project
from isostack.engine.store import Store
from isostack.errors import IsostackError
from isostack.localcloud.database_server import DatabaseServers, available
from isostack.localcloud.server import LocalCloud
from isostack.playground.lifecycle import Playgrounds

ROOT = Path(__file__).parent.parent
NAME = "bench"
SWEPT = 50
SWEPT_WHOLE = 5
COPY_MADE_SECONDS = 6.0
_FILL = "create table filling as select i, repeat(md5(i::text), 8) as text from generate_series(1, 850000) i"  # 300 MB
_LONG_AGO = "2020-01-01T08:00:00+00:00"

UP, DOWN = "play up, from nothing running", "play down, with its snapshot"
RESTORE = "play restore, with a database of 300 MB"
RESTORE_AT_ONCE = "play restore, right after its snapshot"
RESETS = {
    "as it was": "play reset, of what is whole",
    "database": "play reset, the data directory of the database removed",
    "state": "play reset, the state truncated",
    "queue": "play reset, a queue and a secret deleted",
    "cloud": "play reset, the local cloud killed",
    "cloud, restore": "play reset, the local cloud killed during a restore",
    "cloud, down": "play reset, the local cloud killed during a down",
    "cloud, up": "play reset, the local cloud killed during an up",
}
CUT_OFF = {
    "cloud, restore": (("restore", "full", "--name", NAME), "putting back", 1),
    "cloud, down": (("down", NAME), " deleted", 60),
    "cloud, up": (("up", NAME), " created", 60),
}
"""Commands, and what they print for so many times before the local cloud is killed: a third of an environment."""
SWEEP = f"play sweep of {SWEPT}, twelve resources each"
SWEEP_WHOLE = f"play sweep of {SWEPT_WHOLE} whole environments, with their snapshots"
AIMS = {UP: 6.0, DOWN: 2.0, RESTORE: 2.0, **dict.fromkeys(RESETS.values(), 4.0), SWEEP: 20.0}
CLI = "Pulumi CLI: destroy plus up --skip-preview"


@dataclass
class Taken:
    """Seconds by what was measured; and of CPU, of the command and of the local cloud with its databases, which tell more
    where the machine does other things as well."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)

    def add(self, title: str, seconds: float, cpu: float | None = None) -> None:
        self.seconds.setdefault(title, []).append(seconds)
        if cpu is not None:
            self.cpu.setdefault(title, []).append(cpu)

    def table(self) -> Table:
        """A row for each, with its aim."""
        found = {title: median(all_) for title, all_ in self.seconds.items()}
        cpu = {title: f"{median(all_):.2f} s" for title, all_ in self.cpu.items()}
        rows = [[title, f"{found[title]:.2f} s", cpu.get(title, "-"), against(found[title], AIMS.get(title))] for title in found]
        return Table("playgrounds", ("command", "seconds", "of CPU", "aim"), rows)


class Bench:
    """One playground of this repository's in a state folder of its own."""

    def __init__(self, folder: Path, project: Path, taken: Taken, say: Say) -> None:
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        self.project, self.taken, self.say, self.log = project, taken, say, folder / "log"
        self.cloud = LocalCloud(self.home)

    def play(self, *arguments: str, title: str = "") -> None:
        """Run ``isostack play …``, and note how long it took where it has a title."""
        if title:
            self.say(title)
        command, (process, before) = [*ISOSTACK, "play", *arguments], self._cloud_cpu()
        measured = measure(command, self.project, environment(self.home), self.log)
        if title:
            same, after = self._cloud_cpu()
            self.taken.add(title, measured.seconds, measured.cpu + after - (before if same == process else 0.0))

    def _cloud_cpu(self) -> tuple[int, float]:
        """The local cloud's process, and the seconds of CPU that it and its children which have ended took."""
        with suppress(IsostackError, psutil.NoSuchProcess):
            if pid := self.cloud.status().pid:
                return pid, sum(psutil.Process(pid).cpu_times()[:4])
        return 0, 0.0

    def fill(self) -> None:
        """Make the database one of 300 MB."""
        command = [*ISOSTACK, "play", "env", NAME, "--json"]
        told = subprocess.run(command, cwd=self.project, env=environment(self.home), capture_output=True, check=True)  # noqa: S603 - ours
        psql = str(DatabaseServers(self.home)._bin / "psql")
        url = json.loads(told.stdout)["DATABASE_URL"].split("?")[0]
        measure([psql, "-X", "-q", "-c", _FILL, url], self.project, {"PATH": os.environ["PATH"]}, self.log)

    def damage(self, what: str) -> None:
        if what == "cloud, up":
            self.play("down", NAME)
        if what in CUT_OFF:
            self._cut_off(*CUT_OFF[what])
        elif what == "cloud":
            os.kill(self.cloud.status().pid, signal.SIGKILL)
        elif what == "database":
            shutil.rmtree(next(DatabaseServers(self.home).folder.glob("servers/*/data")))
        elif what == "state":
            file = next(self.home.glob(f"stacks/*/play-{NAME}/state.json"))
            file.write_text(file.read_text()[:10_000])
        elif what == "queue":
            cloud = playgrounds_of(self.project, self.home)._cloud(self._state())
            sqs, secrets = cloud.client("sqs"), cloud.client("secretsmanager")
            sqs.delete_queue(QueueUrl=sqs.list_queues()["QueueUrls"][0])
            secret = secrets.list_secrets()["SecretList"][0]["ARN"]
            secrets.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)

    def _cut_off(self, arguments: Sequence[str], printed: str, times: int) -> None:
        """Kill the local cloud while ``isostack play …`` is at work, once it has printed something so many times."""
        command = [*ISOSTACK, "play", *arguments]
        with subprocess.Popen(  # noqa: S603 - ours
            command, cwd=self.project, env=environment(self.home), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdout is not None  # noqa: S101 - for the type checker
            told = 0
            for line in process.stdout:
                told += printed in line
                if told == times:
                    os.kill(self.cloud.status().pid, signal.SIGKILL)
                    process.stdout.read()
        if not process.returncode:
            raise BenchmarkFailed(f"{' '.join(command)} was to fail without its local cloud")

    def _state(self) -> object:
        store = Store(self.home)
        return store.load(load_project(self.project).name, f"play-{NAME}").snapshot

    def end(self) -> None:
        self.cloud.stop()
        for folder in (DatabaseServers(self.home).folder, DatabaseServers(self.home).folder.with_name("databases-kept")):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(self.home)


def playgrounds_of(project: Path, home: Path) -> Playgrounds:
    return Playgrounds(load_project(project), Store(home), LocalCloud(home))


def playgrounds(folder: Path, engines: Sequence[Engine], repeat: int, say: Say) -> Taken:
    """Take a playground through its life so many times, then sweep many; the CLI, if it is there, the same environment."""
    if reason := available():
        raise BenchmarkFailed(f"playgrounds are not measured: {reason}")
    taken = Taken()
    for number in range(repeat):
        bench = Bench(folder / f"life-{number}", ROOT, taken, say)
        try:
            _life(bench)
        finally:
            bench.end()
    for engine in engines[1:]:
        environment_of = replace(engine, environment={**engine.environment, "PYTHONPATH": str(ROOT)})
        _again(environment_of, repeat, taken, say)
    small = engines[0].project("throwaway", 0)
    (small / "Pulumi.dev.yaml").write_text("config: {}\n")
    for number in range(repeat):
        for project, count, title in ((small, SWEPT, SWEEP), (ROOT, SWEPT_WHOLE, SWEEP_WHOLE)):
            bench = Bench(folder / f"sweep-{count}-{number}", project, taken, say)
            try:
                _sweep(bench, count, title)
            finally:
                bench.end()
    return taken


def _life(bench: Bench) -> None:
    bench.play("up", NAME, title=UP)
    bench.play("down", NAME, title=DOWN)
    bench.play("up", NAME, title="play up, the local cloud running")
    bench.fill()
    bench.play("snapshot", "full", NAME, title="play snapshot, with a database of 300 MB")
    bench.play("restore", "full", "--name", NAME, title=RESTORE_AT_ONCE)
    for what, title in RESETS.items():
        time.sleep(COPY_MADE_SECONDS)  # as between a person's commands
        if what == "as it was":
            bench.play("restore", "full", "--name", NAME, title=RESTORE)
            time.sleep(COPY_MADE_SECONDS)
        bench.damage(what)
        bench.play("reset", NAME, title=title)
    bench.play("down", NAME, "--no-snapshot")


def _again(engine: Engine, repeat: int, taken: Taken, say: Say) -> None:
    project = engine.project("environment", 0)
    up, destroy = Operation("up", "up", skip_preview=True), Operation("destroy", "destroy")
    say(f"{engine.name}: up")
    engine.run(up, project)
    for number in range(repeat):
        say(f"{CLI}, {number + 1} of {repeat}")
        taken.add(CLI, engine.run(destroy, project).seconds + engine.run(up, project).seconds)
    engine.run(destroy, project)


def _sweep(bench: Bench, count: int, title: str) -> None:
    """Make so many playgrounds, let them expire, and sweep them."""
    there = playgrounds_of(bench.project, bench.home)
    for number in range(count):
        bench.say(f"play up, {number + 1} of {count} to sweep")
        record, result = there.up(f"p{number}", _ignore)
        if result.result != "succeeded":
            raise BenchmarkFailed(f"playground {record.name}: {result.diagnostics}")
        there.records.keep(replace(record, expires=_LONG_AGO))
    bench.play("sweep", "--yes", title=title)


def _ignore(event: Event) -> None:
    """Nobody watches."""
