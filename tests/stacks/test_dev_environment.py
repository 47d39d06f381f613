"""The first environment, from its parameters to the local cloud and back, as `make up` brings it up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from isostack.engine import run
from isostack.engine.events import Result
from isostack.engine.project import load_project, load_stack
from isostack.engine.state import Snapshot
from isostack.engine.store import Store
from isostack.engine.values import Secret
from isostack.localcloud.provider import LocalCloudHost
from isostack.localcloud.server import LocalCloud

ROOT = Path(__file__).parent.parent.parent


class Environment:
    """The project's dev stack with a state folder and a local cloud of its own."""

    def __init__(self, home: Path) -> None:
        self.project = load_project(ROOT)
        self.store = Store(home)
        self.cloud = LocalCloud(home)

    def stack(self) -> run.Stack:
        config = load_stack(self.project, "dev", self.store.keyring.open)
        return run.Stack(self.project, "dev", config, self.store, LocalCloudHost(self.cloud), lambda event: None)

    def up(self) -> Result:
        return run.up(self.stack())

    @property
    def snapshot(self) -> Snapshot:
        return self.store.load(self.project.name, "dev").snapshot


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    environment = Environment(tmp_path_factory.mktemp("home"))
    yield environment
    environment.cloud.stop()


def test_dev_comes_up_stays_as_it_is_and_goes_without_a_trace(environment: Environment) -> None:
    first = environment.up()
    assert (first.result, first.diagnostics) == ("succeeded", ())
    resources = [r for r in environment.snapshot.resources if r.custom and not r.type.startswith("pulumi:")]
    assert len(resources) >= 25
    assert first.outputs["url"].startswith("http://")
    assert isinstance(first.outputs["database_url"], Secret)
    assert environment.cloud.status().resources["rds"] >= 1

    second = environment.up()
    assert second.changes.changes == 0

    refreshed = run.refresh(environment.stack())
    assert refreshed.changes.changes == 0, "what AWS gives back is what was asked for"

    away = run.destroy(environment.stack())
    assert (away.result, away.diagnostics) == ("succeeded", ())
    assert environment.cloud.status().resources == {}


def test_everything_carries_the_environments_tags(environment: Environment) -> None:
    environment.up()
    untagged = [
        r.urn
        for r in environment.snapshot.resources
        if "tagsAll" in r.outputs and r.outputs["tagsAll"].get("environment") != "dev"
    ]
    assert untagged == []
