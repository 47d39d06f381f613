"""The project itself: as it is, or a copy whose parameters a test may change."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isostack.engine.state import ResourceState
from isostack.engine.store import Store
from isostack.engine.values import plain
from isostack.localcloud.client import Cloud
from isostack.localcloud.server import LocalCloud
from tests.command_line import CommandLine, Ran

ROOT = Path(__file__).parent.parent.parent
RESTRICTED = ("staging", "production")
ENVIRONMENTS = ("dev", "integration", "staging", "production")


class Shop:
    """A copy of the project with a state folder and a local cloud of its own, driven by the command line."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "project"
        for part in ("stacks", "components", "policies"):
            shutil.copytree(ROOT / part, self.root / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "Pulumi.yaml", self.root)
        # The copy's own packages, and not those of the project that is installed here.
        self.run = CommandLine(folder / "home", {"PYTHONPATH": str(self.root)})
        self.store = Store(folder / "home")
        self.local_cloud = LocalCloud(folder / "home")

    def __call__(self, *arguments: str) -> Ran:
        return self.run(*arguments, cwd=self.root)

    def done(self, *arguments: str) -> dict[str, Any]:
        """The document of a command that succeeds."""
        ran = self(*arguments, "--json")
        assert ran.code == 0, ran.out + ran.err
        document: dict[str, Any] = ran.json
        return document

    def operate(self, environment: str, person: str = "alice") -> None:
        """Log in to an environment as one of those who may run it, where only some may."""
        if environment in RESTRICTED:
            self.done("cloud", "login", "operations", environment, "--as", person, "--mfa", "123456")

    def up(self, environment: str) -> dict[str, Any]:
        """Bring an environment up, by somebody who may, once somebody else has approved what has to be approved."""
        if environment not in RESTRICTED or not self.resources(environment):
            self.operate(environment)
            return self.done("up", environment)
        self.operate(environment, "bob")
        self.done("approve", environment, "--yes")
        return self.up_as_planned(environment)

    def up_as_planned(self, environment: str) -> dict[str, Any]:
        """Bring an environment to what a preview of it has saved."""
        self.operate(environment)
        self.done("preview", environment, "--save", "plan.json")
        return self.done("up", environment, "--plan", "plan.json")

    def pin(self, environment: str, version: str) -> None:
        (self.root / f"stacks/Pulumi.{environment}.yaml").write_text(
            f"config:\n  isostack:environment: {environment}\n  isostack:parameters: {version}\n"
        )

    def draft(self, version: str) -> None:
        """A new version of the parameters, like the newest; it can be edited, since nobody has published it."""
        self.done("parameters", "new", version)

    def edit(self, version: str, *changes: tuple[str, str]) -> None:
        """Put one text in the place of another, in a draft. Each must be there once."""
        file = self.root / f"stacks/parameter_sets/{version}.yaml"
        text = file.read_text()
        for before, after in changes:
            assert text.count(before) == 1, (before, text.count(before))
            text = text.replace(before, after)
        file.write_text(text)

    def resources(self, environment: str) -> list[ResourceState]:
        """What an environment has: no components, no providers."""
        snapshot = self.store.load("isostack", environment).snapshot
        return [r for r in snapshot.resources if r.custom and not r.type.startswith("pulumi:")]

    def client(self, service: str, account: str) -> Any:
        return Cloud(self.local_cloud.ensure().url, "eu-west-1", account).client(service)

    def known(self, environment: str) -> dict[str, tuple[str, Any]]:
        """Id and inputs of everything that an environment has, by type and logical name; secrets in the clear."""
        return {
            f"{r.type} {r.urn.rpartition('::')[2]}": (r.id, {k: v for k, v in plain(r.inputs).items() if k != "__defaults"})
            for r in self.resources(environment)
        }


def changed(before: dict[str, tuple[str, Any]], after: dict[str, tuple[str, Any]]) -> set[str]:
    """The logical names of what is new, gone, another one, or has other inputs."""
    names = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return {name.partition(" ")[2] for name in names}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    shop = Shop(tmp_path_factory.mktemp("shop"))
    yield shop
    shop.local_cloud.stop()
