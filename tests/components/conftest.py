"""Components as somebody else would use them: alone, in a program of their own, through the engine, on the local cloud.

A test module writes that program once, as text, and makes it a fixture that its tests share::

    SOURCE = '''
    import pulumi
    from components.queue import Queue, QueueArgs

    values = pulumi.Config().require_object("values")
    queue = Queue("shop", QueueArgs(tags={"team": "shop"}, **values))
    pulumi.export("url", queue.url)
    '''
    VALUES = {"visibility_timeout_seconds": 30}

    @pytest.fixture(scope="module")
    def shop(alone: Alone) -> Program:
        return alone(SOURCE, VALUES)  # it is up

A test that changes or destroys something asks ``alone`` for a program of its own: it lives in another account.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from isostack.engine import run
from isostack.engine.events import Event, Op, Result, StepDone
from isostack.engine.project import load_project, load_stack
from isostack.engine.state import ResourceState
from isostack.engine.store import Store
from isostack.engine.values import plain
from isostack.localcloud.client import Cloud
from isostack.localcloud.provider import LocalCloudHost
from isostack.localcloud.server import LocalCloud
from tests.command_line import project

Alone = Callable[[str, Mapping[str, Any]], "Program"]


class Failed(AssertionError):
    """An operation did not succeed, or said something; the text is what it said."""


class Program:
    """A program with one stack, in an account of its own. The program finds ``values`` in its configuration.

    ``cloud`` gives boto3 clients of the account; ``steps`` says what the last operation did, as
    ``{"aws:sqs/queue:Queue shop-jobs": {"update"}}``, without what stayed as it was.
    """

    def __init__(self, folder: Path, source: str, values: Mapping[str, Any], local_cloud: LocalCloud) -> None:
        self.account = str(random.SystemRandom().randrange(10**11, 10**12))
        self.cloud = Cloud(local_cloud.ensure().url, account_id=self.account)
        self.values = dict(values)
        self.steps: dict[str, set[str]] = {}
        self._local_cloud = local_cloud
        self._folder = project(folder / "program", source)
        self._store = Store(folder / "home")

    def up(self, **changed: Any) -> Result:
        """Bring it up; ``changed`` values stay changed. Raises Failed where that does not succeed."""
        self.values |= changed
        return self._do(run.up)

    def destroy(self) -> Result:
        """Delete all of it. Raises Failed where that does not succeed."""
        return self._do(run.destroy)

    def refresh(self) -> Result:
        """Bring its state in line with the cloud. Raises Failed where that does not succeed."""
        return self._do(run.refresh)

    @property
    def resources(self) -> list[ResourceState]:
        """What is in its state and lives in a cloud or is random: no components, no providers."""
        return [r for r in self._store.load("small", "test").snapshot.resources if r.custom and "pulumi:" not in r.type]

    def all(self, type_: str) -> dict[str, dict[str, Any]]:
        """Settled outputs of the resources of a type (``aws:sqs/queue:Queue``), by logical name; secrets in the clear."""
        return {r.urn.rpartition("::")[2]: plain(r.outputs) for r in self.resources if r.type == type_}

    def one(self, type_: str, name: str = "") -> dict[str, Any]:
        """Settled outputs of the only resource of a type, or of the one with this logical name."""
        found = self.all(type_)
        if name:
            return found[name]
        (only,) = found.values()
        return only

    @property
    def outputs(self) -> dict[str, Any]:
        """What the program exports; secrets in the clear."""
        snapshot = self._store.load("small", "test").snapshot
        (stack,) = [r for r in snapshot.resources if r.type == "pulumi:pulumi:Stack"]
        outputs: dict[str, Any] = plain(stack.outputs)
        return outputs

    @property
    def left(self) -> dict[str, int]:
        """How many things there are in its account, by service."""
        return self._local_cloud.resources(self.account)

    def _do(self, operation: Callable[[run.Stack], Result]) -> Result:
        self.steps = {}
        role = json.dumps([{"roleArn": f"arn:aws:iam::{self.account}:role/entry"}])
        config = {"aws:region": "eu-west-1", "aws:assumeRoles": role, "small:values": json.dumps(self.values)}
        (self._folder / "Pulumi.test.yaml").write_text(json.dumps({"config": config}))
        loaded = load_project(self._folder)
        stack_config = load_stack(loaded, "test", self._store.keyring.open)
        host = LocalCloudHost(self._local_cloud)
        result = operation(run.Stack(loaded, "test", stack_config, self._store, host, self._note))
        if (result.result, result.diagnostics) != ("succeeded", ()):
            raise Failed("\n".join(f"{one.severity}: {one.message} {one.urn}" for one in result.diagnostics))
        return result

    def _note(self, event: Event) -> None:
        if isinstance(event, StepDone) and event.op not in (Op.SAME, Op.REFRESH):
            type_, _, name = event.urn.rpartition("::")
            self.steps.setdefault(f"{type_.rpartition('::')[2].rpartition('$')[2]} {name}", set()).add(event.op.value)


@pytest.fixture(scope="session")
def alone(local_cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Alone:
    """Brings up a program (its source, and the values that it is given) on the shared local cloud."""

    def start(source: str, values: Mapping[str, Any]) -> Program:
        program = Program(tmp_path_factory.mktemp("program"), source, values, local_cloud)
        program.up()
        return program

    return start


def policy(text: str) -> list[dict[str, Any]]:
    """The statements of a policy document."""
    document = json.loads(text)
    assert document["Version"] == "2012-10-17"
    statements: list[dict[str, Any]] = document["Statement"]
    return statements
