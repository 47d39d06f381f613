"""Whole programs over the local cloud, by both engines: from nothing, through changes, to nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from isostack.engine.secrets import PassphraseSecrets
from isostack.localcloud.server import LocalCloud
from tests.against_cli import official
from tests.against_cli.known import hold
from tests.against_cli.whole_programs import Both, both
from tests.command_line import PROGRAMS, project

ROOT = Path(__file__).parent.parent.parent
official.required()
OPTIONS = Path(__file__).parent / "options"
Load = Callable[[Path], Both]


@pytest.fixture
def load(
    local_cloud: LocalCloud,
    sealed: PassphraseSecrets,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[Load]:
    """Sets a project up for both engines; each stack is destroyed at the end, and what differs by then has to be known."""
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", official.PASSPHRASE)
    servers: list[grpc.Server] = []
    loaded: list[Both] = []

    def load(source: Path) -> Both:
        loaded.append(both(source, tmp_path, local_cloud, sealed, servers))
        return loaded[-1]

    yield load
    for server in servers:
        server.stop(grace=None)
    hold(request.node.name.removeprefix("test_"), loaded[0].found if loaded else ())


def benchmark(name: str, folder: Path, count: int = 0) -> Path:
    """One of the benchmarks' programs as a project, with its size."""
    source = (ROOT / "benchmarks" / "programs" / name / "__main__.py").read_text()
    return project(folder / name, source, name=name, dev=f"config:\n  aws:region: eu-west-1\n  {name}:count: {count}\n")


def operate(two: Both, *verbs: str) -> None:
    for verb in verbs:
        two.operate(verb)


def test_a_coroutine(load: Load) -> None:
    operate(load(PROGRAMS / "async_program"), "preview", "up", "preview", "destroy")


def test_a_function_whose_code_changes(load: Load) -> None:
    two = load(PROGRAMS / "serverless")
    operate(two, "up")
    two.edit("app/index.py", "def handler", "# another\ndef handler")
    operate(two, "preview", "up", "destroy")


def test_a_web_shop(load: Load) -> None:
    two = load(PROGRAMS / "webshop")
    operate(two, "preview", "up", "preview", "refresh")
    two.configure(instances=5)
    operate(two, "up")
    two.exchange()
    operate(two, "destroy")


def test_a_project_that_refers_to_another(load: Load) -> None:
    network = load(PROGRAMS / "network")
    network.stack = "live"
    consumer = network.beside(PROGRAMS / "consumer")
    operate(network, "up")
    operate(consumer, "up", "preview")
    network.configure(cidr="10.50.0.0/16")
    operate(network, "up")
    operate(consumer, "preview", "up", "destroy")
    operate(network, "destroy")


def test_look_ups_reads_and_an_import(load: Load) -> None:
    two = load(PROGRAMS / "lookups")
    for side in (two.ours, two.theirs):
        cloud = side.host.cloud("eu-west-1", "")
        cloud.client("sqs").create_queue(QueueName="adopted-queue")
    two.configure(endpoint=two.ours.host.endpoint())
    operate(two, "preview", "up", "preview", "destroy")


def test_a_chain_that_grows_shorter(load: Load, tmp_path: Path) -> None:
    two = load(benchmark("chain", tmp_path / "source", 4))
    operate(two, "up")
    two.configure(count=2)
    operate(two, "preview", "up", "destroy")


def test_a_wide_program(load: Load, tmp_path: Path) -> None:
    operate(load(benchmark("wide", tmp_path / "source", 3)), "up", "preview", "destroy")


def test_a_throwaway_environment(load: Load, tmp_path: Path) -> None:
    two = load(benchmark("throwaway", tmp_path / "source"))
    operate(two, "preview", "up", "preview", "refresh")
    two.exchange()
    operate(two, "destroy")


def test_our_own_dev_environment(load: Load, tmp_path: Path) -> None:
    operate(load(benchmark("environment", tmp_path / "source")), "up", "preview", "destroy")


def test_every_option_through_changes(load: Load) -> None:
    two = load(OPTIONS)
    operate(two, "preview", "up", "preview", "refresh")
    for stage in (2, 3):
        two.configure(stage=stage)
        operate(two, "preview", "up", "preview")
    two.exchange()
    operate(two, "destroy")
