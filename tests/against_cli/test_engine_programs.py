"""The programs of the tests of the engine, run by the official CLI as well, each operation from the same state."""

from __future__ import annotations

import functools
import inspect
import traceback
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from _pytest.fixtures import FixtureFunctionDefinition

from isostack.engine import secrets
from isostack.engine.secrets import PassphraseSecrets
from isostack.localcloud import plugin
from tests.against_cli import official
from tests.against_cli.known import hold, left_out
from tests.against_cli.two_engines import MODULES, TwoEngines
from tests.engine.fake_cloud import FakeCloud

official.required()
# A program that fails leaves coroutines behind in the SDK's own server.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sealed: PassphraseSecrets, request: pytest.FixtureRequest
) -> Iterator[TwoEngines]:
    """As the tests of the engine have it, with the CLI beside it. What differs in the end has to be known."""
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", official.PASSPHRASE)
    monkeypatch.setattr(secrets, "ROUNDS", 10)
    cloud = FakeCloud()
    served = [(package, *plugin.serve(package, cloud)) for package in ("aws", "random")]
    attached = ",".join(f"{package}:{port}" for package, _, port in served)
    cli = official.Cli(tmp_path / "official", {"PULUMI_DEBUG_PROVIDERS": attached}, sealed)
    cli.prepare()
    name = str(request.node.name)
    yield TwoEngines(tmp_path, cloud, cli=cli, name=name, beginnings=MODULES[name.removeprefix("test_").partition("__")[0]])
    for _, server, _ in served:
        server.stop(grace=None)


def on_both(test: Callable[..., None]) -> Callable[..., None]:
    """The test, and at its end a look at what has differed."""

    @functools.wraps(test)
    def run(**given: Any) -> None:
        try:
            test(**given)
        except AssertionError:
            # pytest would show every value on the way, among them futures that raise when they are looked at.
            pytest.fail(traceback.format_exc(), pytrace=False)
        hold(given["world"].name.removeprefix("test_"), given["world"].found)

    return run


def _programs() -> Iterator[tuple[str, Any]]:
    for module in MODULES:
        for name, value in vars(import_module(f"tests.engine.test_{module}")).items():
            if name.startswith("test_") and "world" in inspect.signature(value).parameters:
                label = f"{module}__{name.removeprefix('test_')}"
                if label not in left_out():
                    yield f"test_{label}", on_both(value)
            elif isinstance(value, FixtureFunctionDefinition) and name != "world":
                yield name, value


globals().update(_programs())
