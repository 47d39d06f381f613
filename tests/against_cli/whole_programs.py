"""One program's project on two engines, each with a copy of it, a state and an account of its own in one local cloud.

Owns the copies, the runs, and the words for what is given by chance.
"""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from isostack.engine import run
from isostack.engine.events import Event, Op, StepDone, StepStarted
from isostack.engine.project import load_project, load_stack
from isostack.engine.run import Options
from isostack.engine.secrets import Passphrase, PassphraseSecrets
from isostack.engine.state import ResourceState, Snapshot
from isostack.engine.store import Store
from isostack.engine.values import plain
from isostack.localcloud import plugin
from isostack.localcloud.client import Cloud
from isostack.localcloud.provider import LocalCloudHost
from tests.against_cli.both import Done, Seen, by_urn, differences
from tests.against_cli.official import GOES_ON, PASSPHRASE, Cli, inline

PACKAGES = ("aws", "random")
_OPERATIONS: Mapping[str, Callable[[run.Stack, Options], Any]] = {
    "up": run.up,
    "preview": run.preview,
    "destroy": run.destroy,
    "refresh": run.refresh,
}
_BY_CHANCE = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"\b(?:127\.0\.0\.1|localhost):\d+"), "<endpoint>"),
    (re.compile(r"(?<=[\w>])-[0-9a-f]{7,26}\b"), "-<digits>"),
    (re.compile(r"(?<=scalable-target/)\w+"), "<digits>"),
    (re.compile(r"\.\w{6}(?=\.\w{4}\.cache\.)"), ".<digits>"),
    (re.compile(r"\b[0-9a-f]{16,64}\b"), "<digits>"),
    (re.compile(r"\b[A-Z0-9]{13,21}\b"), "<id>"),
)
# Outputs that the cloud gives by chance, where the program has not chosen them.
_OUTPUTS_BY_CHANCE = (
    "availabilityZone", "availabilityZoneId", "configurationProfileId", "lockToken", "privateIp", "publicDns", "publicIp",
)  # fmt: skip
_FIRST_PORT_BY_CHANCE = 30_000


class OneAccount(LocalCloudHost):
    """Whatever account a program names, it is this one: two engines do not meet in a cloud."""

    account = ""

    def cloud(self, region: str, account: str) -> Cloud:
        return super().cloud(region, self.account)


@dataclass
class Side:
    """An engine's copy of the project, and its account. ``words`` stand for what it was given by chance so far."""

    folder: Path
    host: OneAccount
    words: dict[str, str] = field(default_factory=dict)

    def _learn(self, state: Sequence[ResourceState]) -> None:
        words = {self.host.account: "<account>", str(self.folder): "<project>"}
        for resource in state:
            outputs = plain(resource.outputs)
            if resource.in_cloud:  # several may have one id: a bucket and its settings
                name = f"<{resource.urn.rpartition('::')[2]}>"
                words[resource.id] = min(name, words.get(resource.id, name), self.words.get(resource.id, name))
            if resource.type.startswith("random:"):
                words |= {value: "<random>" for value in outputs.values() if isinstance(value, str)}
            words |= {outputs[key]: f"<{key}>" for key in _OUTPUTS_BY_CHANCE if key in outputs and key not in resource.inputs}
        self.words |= {value: word for value, word in words.items() if len(value) > 4}

    def normal(self, state: Sequence[ResourceState]) -> Callable[[Any], Any]:
        """Takes chance out of the values of a state: ids become the names of their resources."""
        self._learn(state)
        chance = re.compile("|".join(map(re.escape, sorted(self.words, key=len, reverse=True))))

        def text(value: str) -> str:
            value = chance.sub(lambda found: self.words[found[0]], value)
            for pattern, word in _BY_CHANCE:
                value = pattern.sub(word, value)
            return value

        def normal(value: Any) -> Any:
            if isinstance(value, str):
                return text(value)
            if isinstance(value, dict):
                return {text(key): normal(item) for key, item in value.items()}
            if isinstance(value, list):
                items = [normal(item) for item in value]
                return sorted(items) if all(isinstance(item, str) for item in items) else items
            return "<port>" if type(value) is int and value > _FIRST_PORT_BY_CHANCE else value

        return normal


@dataclass
class Both:
    """``stacks`` are set up in both engines' states. ``found`` are the differences so far."""

    ours: Side
    theirs: Side
    store: Store
    cli: Cli
    stack: str = "dev"
    found: list[str] = field(default_factory=list)
    compared: int = 0

    def beside(self, source: Path) -> Both:
        """Another project in the same states and accounts; its differences are found here."""
        sides = [Side(copied(source, side.folder.parent), side.host, side.words) for side in (self.ours, self.theirs)]
        return Both(*sides, self.store, self.cli, self.stack, self.found)

    def edit(self, file: str, old: str, new: str) -> None:
        """Change one file of the project, in both copies."""
        for side in (self.ours, self.theirs):
            path = side.folder / file
            text = path.read_text()
            assert old in text, f"{file} has no {old!r}"
            path.write_text(text.replace(old, new))

    def configure(self, **values: Any) -> None:
        """Set the project's own configuration values in both copies."""
        for side in (self.ours, self.theirs):
            project = load_project(side.folder)
            file = project.stack_file(self.stack)
            settings = yaml.safe_load(file.read_text())
            settings["config"] |= {f"{project.name}:{key}": value for key, value in values.items()}
            file.write_text(json.dumps(settings))  # which is YAML

    def operate(self, verb: str) -> Seen:
        """Do it on both; gives what the embedded engine did."""
        ours, mine = self._embedded(verb, self.stack)
        theirs = self._official(verb, self.stack)
        self.compared += 1
        normal = (self.ours.normal(ours.state), self.theirs.normal(theirs.state))
        lines = differences(ours, theirs, mine, normal=normal, label=by_urn)
        project = load_project(self.ours.folder).name
        self.found += [f"{project} {self.compared} {verb}: {line}" for line in lines]
        assert ours.succeeded, ours.said
        assert theirs.succeeded, theirs.said
        return ours

    def exchange(self) -> None:
        """Let each engine preview with the other's state, over the other's account; what it would change is found."""
        name = load_project(self.ours.folder).name
        ours = self.store.load(name, self.stack).snapshot
        checkpoint = self.cli.checkpoint(name, self.stack)
        theirs = {"version": 3, "deployment": json.loads(checkpoint.read_text())["checkpoint"]["latest"]}

        events: list[Event] = []
        store = Store(self.store.home / "exchanged")
        store.import_(name, self.stack, json.dumps(theirs), "the CLI's state")
        project = load_project(self.theirs.folder)
        config = load_stack(project, self.stack, store.keyring.open)
        result = run.preview(run.Stack(project, self.stack, config, store, self.theirs.host, events.append))
        assert result.result == "succeeded", result.diagnostics
        by_us = [(event.urn, str(event.op), event.status) for event in events if isinstance(event, StepDone)]

        kept, account = checkpoint.read_text(), self.theirs.host.account
        self.theirs.host.account = self.ours.host.account
        self.cli.write(name, self.stack, ours)
        with inline(project.program(), project.root) as options:
            ran = self.cli("preview", f"--stack={self.stack}", *options, cwd=self.theirs.folder)
        checkpoint.write_text(kept)
        self.theirs.host.account = account
        assert ran.code == 0, ran.printed
        for engine, steps in (("embedded", by_us), ("official", ran.steps)):
            changing = sorted(f"{op} {urn.rpartition('::')[2]}" for urn, op, _ in steps if op not in ("same", "read"))
            self.found += [f"{name} {engine} with the other's state: {step}" for step in changing]

    def _embedded(self, verb: str, name: str) -> tuple[Seen, list[ResourceState]]:
        events: list[Event] = []
        project = load_project(self.ours.folder)
        config = load_stack(project, name, self.store.keyring.open)
        stack = run.Stack(project, name, config, self.store, self.ours.host, events.append)
        before = self.store.load(project.name, name).snapshot.resources
        result = _OPERATIONS[verb](stack, Options(skip_preview=True))
        done = [
            (event.urn, "delete" if event.op is Op.FORGET else str(event.op), event.status)
            for event in events
            if isinstance(event, StepDone) and event.op is not Op.REFRESH
        ]
        diffs = {
            event.urn: frozenset(change.path.partition(".")[0].partition("[")[0] for change in event.changes)
            for event in events
            if isinstance(event, StepStarted) and event.op in (Op.UPDATE, Op.REPLACE)
        }
        said = "\n".join(diagnostic.message for diagnostic in result.diagnostics)
        state = self.store.load(project.name, name).snapshot.resources
        steps, calls = _compared(verb, done)
        return Seen(result.result == "succeeded", steps, diffs, calls, state, said), before

    def _official(self, verb: str, name: str) -> Seen:
        project = load_project(self.theirs.folder)
        self._prepare(project.name, name, project.stack_file(name))
        arguments = [f"--stack={name}", *([] if verb == "preview" else ["--yes", "--skip-preview"])]
        if verb in ("up", "destroy"):
            arguments.append(GOES_ON)
        with inline(project.program(), project.root) as options:
            ran = self.cli(verb, *arguments, *options, cwd=self.theirs.folder)
        state = self.cli.read(project.name, name)
        steps, calls = _compared(verb, ran.steps)
        return Seen(ran.code == 0, steps, ran.diffs, calls, state, ran.printed)

    def _prepare(self, project: str, stack: str, stack_file: Path) -> None:
        """Let the stack begin with nothing, and with the salt that its file names."""
        settings = yaml.safe_load(stack_file.read_text()) if stack_file.exists() else {}
        salt = settings.setdefault("encryptionsalt", self.cli.secrets.state["salt"])
        if salt != self.cli.secrets.state["salt"]:
            self.cli.secrets = PassphraseSecrets.from_state({"salt": salt}, Passphrase(PASSPHRASE, "the tests"))
        stack_file.write_text(json.dumps(settings))
        if not self.cli.checkpoint(project, stack).exists():
            self.cli.write(project, stack, Snapshot())


def _compared(verb: str, done: Sequence[tuple[str, str, str]]) -> tuple[frozenset[tuple[str, str, str]], list[Done]]:
    """The steps as a set, and in order those that change something."""
    steps = dict.fromkeys(step for step in done if not (verb == "refresh" and step[1] == "same"))
    acting = [
        Done(f"{op} {_type(urn)} {urn.rpartition('::')[2]}", urn)
        for urn, op, _ in steps
        if op in ("create", "update", "replace", "delete", "import") and _type(urn).partition(":")[0] in PACKAGES
    ]
    return frozenset(steps), acting


def _type(urn: str) -> str:
    return urn.rpartition("::")[0].rpartition("::")[2].rpartition("$")[2]


def copied(source: Path, folder: Path) -> Path:
    return Path(shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("__pycache__", ".*")))


def both(source: Path, folder: Path, cloud: Any, secrets: PassphraseSecrets, servers: list[Any]) -> Both:
    """Set a project up for both engines. What serves the CLI's plugins is added to ``servers``, to be stopped at the end."""
    sides = []
    for name in ("embedded", "official"):
        host = OneAccount(cloud)
        host.account = str(random.SystemRandom().randrange(10**11, 10**12))
        sides.append(Side(copied(source, folder / name), host))
    ports = []
    for package in PACKAGES:
        server, port = plugin.serve(package, sides[1].host)
        servers.append(server)
        ports.append(f"{package}:{port}")
    cli = Cli(folder / "cli", {"PULUMI_DEBUG_PROVIDERS": ",".join(ports)}, secrets)
    cli.prepare()
    return Both(*sides, Store(folder / "home"), cli)
