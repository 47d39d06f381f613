"""Containers of a stack on a Docker engine, as a team uses them: through the command line."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import CommandLine, Ran, program, project
from tests.containers.engine import Docker

NO_CHANGE = {"create": 0, "update": 0, "replace": 0, "delete": 0}


@pytest.fixture(scope="module")
def isostack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    home = tmp_path_factory.mktemp("containers-home")
    run = CommandLine(home, {"PULUMI_CONFIG_PASSPHRASE": "correct horse"})
    yield run
    run("cloud", "stop", cwd=home)


def succeeded(ran: Ran) -> dict[str, Any]:
    assert ran.code == 0, ran.out + ran.err
    document: dict[str, Any] = ran.json
    return document


def answer(port: int) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        return connection.makefile().read()


class Stack:
    """A project on the tests' engine; whatever it makes is destroyed at the end."""

    def __init__(self, isostack: CommandLine, folder: Path, docker: Docker) -> None:
        self.isostack, self.folder, self.docker = isostack, folder, docker

    def __call__(self, *arguments: str) -> Ran:
        operation, *rest = arguments
        return self.isostack(operation, "dev", *rest, cwd=self.folder, env={"DOCKER_HOST": self.docker.host})

    def up(self) -> dict[str, Any]:
        return succeeded(self("up", "--json"))


@pytest.fixture
def stack(isostack: CommandLine, docker: Docker, tmp_path: Path) -> Iterator[Any]:
    stacks = []

    def make(folder: Path) -> Stack:
        stacks.append(Stack(isostack, folder, docker))
        return stacks[-1]

    yield make
    for made in stacks:
        ran = made("destroy", "--yes")
        assert ran.code == 0 or "has no state yet" in ran.err, ran.out + ran.err


def small(stack: Any, tmp_path: Path, body: str, name: str = "small") -> Stack:
    """A program of a few lines, in which ``image`` is the probe's image and ``context`` the folder to build it from."""
    made: Stack = stack(tmp_path / name)
    head = "import pulumi\nimport pulumi_docker as docker\n"
    head += f"image = {made.docker.image!r}\ncontext = {str(made.docker.context)!r}\n"
    project(tmp_path / name, head + body, name=f"containers-{name}")
    return made


def test_services_in_containers_come_up_in_order_answer_change_and_go(stack: Any, docker: Docker, tmp_path: Path) -> None:
    services = stack(program("containers", tmp_path))
    stack_file = services.folder / "Pulumi.dev.yaml"
    settings = f"config:\n  containers:image: {docker.image}\n  containers:token: open sesame\n"
    stack_file.write_text(settings)
    first = services.up()
    outputs = first["outputs"]
    assert first["changes"]["create"] == 6
    assert outputs["answer"] == "hello from the store", "asked by its alias, once it was healthy"
    assert outputs["exit_code"] == 0
    assert outputs["ip"] == "127.0.0.1"
    assert outputs["url"] == f"tcp://127.0.0.1:{outputs['port']}"
    assert answer(outputs["port"]) == "open sesame"
    assert ipaddress.ip_address(outputs["address"]) in ipaddress.ip_network(outputs["subnet"])
    assert "open sesame" not in services("export").out

    again = services.up()
    assert {key: again["changes"][key] for key in NO_CHANGE} == NO_CHANGE
    assert again["outputs"] == outputs
    refreshed = succeeded(services("refresh", "--json"))
    assert {key: refreshed["changes"][key] for key in NO_CHANGE} == NO_CHANGE

    stack_file.write_text(f"{settings}  containers:greeting: good evening\n")
    changed = services.up()
    assert changed["changes"]["replace"] == 2, "the store, and the web service, which is told the name of the store"
    engine = docker.connect()
    assert engine.inspect("container", outputs["store"]) is None
    assert engine.inspect("container", changed["outputs"]["store"]) is not None

    succeeded(services("destroy", "--yes", "--json"))
    for name in (outputs["web"], changed["outputs"]["store"]):
        assert engine.inspect("container", name) is None


def test_what_is_stopped_or_removed_behind_our_back_is_noticed_and_mended(stack: Any, docker: Docker, tmp_path: Path) -> None:
    body = """
one = docker.Container("one", image=image)
two = docker.Container("two", image=image)
pulumi.export("names", [one.name, two.name])
"""
    pair = small(stack, tmp_path, body)
    one, two = pair.up()["outputs"]["names"]
    engine = docker.connect()
    engine.api.stop(one, timeout=0)
    engine.api.remove_container(two, force=True)
    changes = succeeded(pair("up", "--refresh", "--json"))["changes"]
    assert (changes["update"], changes["create"], changes["replace"]) == (1, 1, 0)
    found = engine.inspect("container", one)
    assert found is not None and found["State"]["Running"]


def test_an_image_is_rebuilt_when_what_the_dockerignore_leaves_has_changed(stack: Any, docker: Docker, tmp_path: Path) -> None:
    body = """
built = docker.Image("app", image_name=f"{image}-app", skip_push=True, build=docker.DockerBuildArgs(context="app"))
app = docker.Container("app", image=built.repo_digest, command=["show", "/note"], attach=True, logs=True, must_run=False)
pulumi.export("note", app.container_logs)
pulumi.export("digest", built.repo_digest)
"""
    built = small(stack, tmp_path, body)
    app = built.folder / "app"
    app.mkdir()
    (app / "Dockerfile").write_text(f"FROM {docker.image}\nCOPY note /note\n")
    (app / ".dockerignore").write_text("*.log\n")
    (app / "note").write_text("first")
    first = built.up()["outputs"]
    assert first["note"] == "first"
    (app / "debug.log").write_text("noise")
    assert built.up()["changes"]["update"] == 0
    (app / "note").write_text("second")
    second = built.up()
    assert (second["changes"]["update"], second["changes"]["replace"]) == (1, 1)
    assert second["outputs"]["note"] == "second"
    assert second["outputs"]["digest"] != first["digest"]
    docker.connect().api.remove_image(f"{docker.image}-app", force=True)


def test_a_container_that_ends_at_once_fails_and_the_next_run_mends_it(stack: Any, tmp_path: Path) -> None:
    body = "docker.Container('lame', image=image, command=['{}'])\n"
    lame = small(stack, tmp_path, body.format("fail"))
    failed = lame("up")
    assert failed.code == 1
    assert "it ended at once, with exit code 3; docker logs lame-" in failed.out + failed.err
    small(stack, tmp_path, body.format("serve"))
    assert succeeded(lame("up", "--json"))["changes"]["create"] == 0
    assert succeeded(lame("refresh", "--json"))["changes"]["update"] == 0


def test_a_container_that_does_not_get_healthy_in_time_fails(stack: Any, tmp_path: Path) -> None:
    check = "{'tests': ['CMD', '/probe', 'fail'], 'interval': '100ms', 'retries': 50}"
    arguments = f"image=image, wait=True, wait_timeout=1, healthcheck={check}"
    failed = small(stack, tmp_path, f"docker.Container('ill', {arguments})\n")("up")
    assert failed.code == 1
    assert "it is starting after 1 seconds (waitTimeout)" in failed.out + failed.err


def test_an_image_that_cannot_be_pulled_is_one_clear_line(stack: Any, tmp_path: Path) -> None:
    name = "127.0.0.1:1/nobody/nothing:1"
    failed = small(stack, tmp_path, f"docker.RemoteImage('none', name='{name}')\n")("up")
    assert failed.code == 1
    assert f"image {name} is not on the Docker engine at " in failed.out + failed.err


def test_a_volume_that_somebody_else_has_made_is_not_taken_over(stack: Any, docker: Docker, tmp_path: Path) -> None:
    engine = docker.connect()
    name = engine.api.create_volume()["Name"]
    try:
        failed = small(stack, tmp_path, f"docker.Volume('theirs', name='{name}')\n")("up")
        assert failed.code == 1
        assert f"a volume '{name}' exists already" in failed.out + failed.err
    finally:
        engine.api.remove_volume(name)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("ports=[{'internal': 80, 'ip': '0.0.0.0'}]", "ports[0].ip: 0.0.0.0 would open the container to the network"),
        ("ports=[{'internal': 80}, {'internal': 81, 'ip': '::'}]", "ports[1].ip: :: would open"),
        ("publish_all_ports=True", "publishAllPorts: opens every port to the network"),
        ("network_mode='host'", "networkMode: host opens what listens"),
        ("attach=True", "attach: waits until the container has ended"),
    ],
)
def test_what_would_open_a_container_to_the_network_is_refused_before_anything_is_changed(
    stack: Any, tmp_path: Path, arguments: str, reason: str
) -> None:
    body = f"docker.Volume('data')\ndocker.Container('open', image=image, {arguments})\n"
    refused = small(stack, tmp_path, body)
    ran = refused("up")
    assert ran.code != 0
    assert reason in ran.out + ran.err
    assert "docker:index/volume:Volume" not in refused("export").out


def test_a_push_is_refused_by_name(stack: Any, tmp_path: Path) -> None:
    refused = small(stack, tmp_path, "docker.Image('app', image_name='app:1', build={'context': context})\n")
    ran = refused("preview")
    assert ran.code != 0
    assert "skipPush: images are not pushed from here; say skip_push=True" in ran.out + ran.err
