"""The official CLI: run with a backend of its own, its states read and written as ours, and what it did, step by step.

Owns processes and files. What is compared is :mod:`tests.against_cli.both`'s.
"""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2_grpc

from isostack.engine import state_file
from isostack.engine.program import _surroundings
from isostack.engine.secrets import Passphrase, PassphraseSecrets
from isostack.engine.state import ResourceState, Snapshot

PASSPHRASE = "correct horse"
PULUMI = shutil.which("pulumi")
# A failure of one resource lets the others go on, as the embedded engine does; see docs/engines-compared.md.
GOES_ON = "--continue-on-error"
_CALLED = {
    "create-replacement": "replace",
    "delete-replaced": "delete",
    "discard": "delete",
    "discard-replaced": "delete",
    "import-replacement": "import",
    "read-discard": "delete",
    "read-replacement": "read",
    "remove-pending-replace": "delete",
}
_NOT_SHOWN = ("refresh", "replace")

Step = tuple[str, str, str]
"""URN, what was done, and how it ended: ``done``, ``failed`` or ``skipped``."""


@dataclass(frozen=True)
class Ran:
    """What a command of the CLI did: its exit code, all that it printed, its steps, and what it compared.

    ``diffs`` has for each updated or replaced URN the top-level properties that differ.
    """

    code: int
    printed: str
    steps: Sequence[Step] = ()
    diffs: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass
class Cli:
    """The CLI over one folder, which has its backend. ``more`` is added to the environment."""

    folder: Path
    more: Mapping[str, str]
    secrets: PassphraseSecrets

    def __call__(self, *arguments: str, cwd: Path) -> Ran:
        """Run a command; where it does steps, say which."""
        log = self.folder / f"events-{cwd.name}.jsonl"
        log.unlink(missing_ok=True)
        logged = ["--event-log", str(log)] if arguments[0] in ("up", "preview", "destroy", "refresh") else []
        done = subprocess.run(  # noqa: S603 - the official CLI
            [str(PULUMI), *arguments, *logged, "--non-interactive", "--color", "never"],
            cwd=cwd,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        events = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return Ran(done.returncode, done.stdout + done.stderr, *_told_by(events, arguments[0] == "preview"))

    def environment(self) -> dict[str, str]:
        unwanted = ("AWS_", "PULUMI_", "ISOSTACK_")
        own = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PULUMI_BACKEND_URL": f"file://{self.backend}",
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_DEBUG_COMMANDS": "true",  # or there is no --event-log
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_DISABLE_CHECKPOINT_BACKUPS": "true",
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_PYTHON_CMD": sys.executable,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return {**{k: v for k, v in os.environ.items() if not k.startswith(unwanted)}, **own, **self.more}

    @property
    def backend(self) -> Path:
        return self.folder / "backend"

    def prepare(self) -> None:
        """Make the backend, in the layout that has projects."""
        (self.backend / ".pulumi").mkdir(parents=True)
        (self.backend / ".pulumi" / "meta.yaml").write_text("version: 1\n")

    # -- states -------------------------------------------------------------------------------------------------------

    def checkpoint(self, project: str, stack: str) -> Path:
        return self.backend / ".pulumi" / "stacks" / project / f"{stack}.json"

    def write(self, project: str, stack: str, snapshot: Snapshot) -> None:
        """Make this the stack's state."""
        own = Snapshot([replace(resource) for resource in snapshot.resources])  # without the text that another salt sealed
        own.secrets_state = dict(self.secrets.state)
        document = json.loads(state_file.to_text(own, state_file.Codec(self.secrets), own=False))
        latest = {"stack": f"organization/{project}/{stack}", "latest": document["deployment"]}
        path = self.checkpoint(project, stack)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"version": 3, "checkpoint": latest}))

    def read(self, project: str, stack: str) -> list[ResourceState]:
        """The stack's resources. What only Pulumi's own engine keeps is in ``others``."""
        document = json.loads(self.checkpoint(project, stack).read_text())
        codec = state_file.Codec(self.secrets)
        resources = (document["checkpoint"].get("latest") or {}).get("resources") or []
        kept = [({k: v for k, v in r.items() if k not in state_file._REFUSED}, r) for r in resources]
        return [_with_others(codec.decode(fields, "the CLI's state"), whole) for fields, whole in kept]

    def project(self, name: str, stack: str, source: str, config: Mapping[str, Any], secret_keys: frozenset[str]) -> Path:
        """A folder with a project's files, which name the program ``source``."""
        folder = self.folder / "projects" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "Pulumi.yaml").write_text(f"name: {name}\nruntime: python\nmain: {source}\n")
        sealed = {k: {"secure": self.secrets.encrypt(v)} if k in secret_keys else v for k, v in config.items()}
        settings = {"encryptionsalt": self.secrets.state["salt"], "config": sealed}
        (folder / f"Pulumi.{stack}.yaml").write_text(json.dumps(settings))  # JSON is YAML
        return folder


def _with_others(resource: ResourceState, whole: Mapping[str, Any]) -> ResourceState:
    others = {key: value for key, value in whole.items() if key in (*resource.others, *state_file._REFUSED)}
    return replace(resource, others={**resource.others, **others})


def required() -> None:
    """Skip the rest of a test module, and say so, where there is no CLI."""
    if PULUMI is None:
        pytest.skip("PULUMI IS NOT ON THE PATH: whether the two engines agree is not tried", allow_module_level=True)


def new_secrets() -> PassphraseSecrets:
    """Secrets whose key is derived already: a test may have made deriving cheaper than the CLI's."""
    secrets = PassphraseSecrets.new(Passphrase(PASSPHRASE, "the tests"))
    assert secrets.state
    return secrets


def _told_by(events: Sequence[Mapping[str, Any]], preview: bool) -> tuple[list[Step], dict[str, frozenset[str]]]:
    steps: list[Step] = []
    diffs: dict[str, frozenset[str]] = {}
    ended = {"resourcePreEvent": "done", "resOutputsEvent": "done", "resOpFailedEvent": "failed"}
    for event in events:
        for kind, status in ended.items():
            metadata = (event.get(kind) or {}).get("metadata")
            if not metadata or metadata["op"] in _NOT_SHOWN or "::default" in metadata["urn"]:
                continue  # the embedded engine tells of no default providers
            states = [state for state in (metadata.get("old"), metadata.get("new")) if state]
            is_component = not any(state.get("custom") for state in states)
            if kind == "resourcePreEvent" and not (preview or is_component):
                continue  # it has only begun; a component has no end unless it registers outputs
            op = _CALLED.get(metadata["op"], metadata["op"])
            steps.append((metadata["urn"], op, status))
            if op in ("update", "replace"):
                diffs[metadata["urn"]] = frozenset(metadata.get("diffs") or ())
    return steps, diffs


class _Program(LanguageServer):
    """Runs a program's file where it lies, as the official language host does in a process of its own."""

    def __init__(self, main: Path, root: Path) -> None:
        super().__init__(lambda: runpy.run_path(str(main), run_name="__main__") and None)
        self.main, self.root = main, root

    def Run(self, request: Any, context: Any) -> Any:
        with _surroundings(self.main, self.root, lambda event: None):
            return super().Run(request, context)


@contextmanager
def inline(main: Path, root: Path) -> Iterator[tuple[str, ...]]:
    """Options by which the CLI runs the program in this process: a start of Python less, and closures of tests are at hand."""
    server = grpc.server(ThreadPoolExecutor(4))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(_Program(main, root), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"--client=127.0.0.1:{port}", "--exec-kind=auto.inline"
    finally:
        server.stop(grace=None).wait()
