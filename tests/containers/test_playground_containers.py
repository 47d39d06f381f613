"""Services of a playground in containers, by `isostack play`: they come, are remembered, come back and go."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.command_line import CommandLine, Ran, project
from tests.containers.engine import Docker

PROGRAM = """
import pulumi
import pulumi_aws as aws
from components.containers import Containers, ContainersArgs, ContainerService
from stacks.program import containers

play = pulumi.Config("isostack").get_object("playground")
provider = aws.Provider("account", region="eu-west-1", default_tags={"tags": {"playground": play["name"]}})
queue = aws.sqs.Queue("jobs", opts=pulumi.ResourceOptions(provider=provider))
if "containers" in play:
    variables = {"GREETING": pulumi.Output.secret("open sesame"), "JOB_QUEUE_URL": queue.url}
    web = ContainerService(image="127.0.0.1:1/web:1", port=8080, memory_mb=64, environment=variables)
    values = containers(play["containers"])
    made = Containers(play["name"], ContainersArgs(values=values, services={"web": web}, database_id="one"))
    pulumi.export("service_urls", made.urls)
"""
NO_CHANGE = {"create": 0, "update": 0, "replace": 0, "delete": 0}


class Yard:
    """A project, its state folder, and a folder to build the service's image from."""

    def __init__(self, folder: Path, docker: Docker) -> None:
        self.docker = docker
        self.engine = docker.connect()
        self.root = project(folder / "project", PROGRAM, name="boxed", dev="config: {}\n")
        self.isostack = CommandLine(folder / "home", {"DOCKER_HOST": docker.host, "PULUMI_CONFIG_PASSPHRASE": "correct horse"})
        self.app = folder / "app"
        self.app.mkdir()
        self.write("1")

    def write(self, version: str, check: str = 'HEALTHCHECK CMD ["/probe", "ask", "127.0.0.1:8080"]') -> None:
        (self.app / "version").write_text(version)
        (self.app / "Dockerfile").write_text(f"FROM {self.docker.image}\nCOPY version /version\n{check}\n")

    def play(self, command: str, *arguments: str | Path) -> Ran:
        return self.isostack("play", command, *arguments, cwd=self.root)

    def done(self, command: str, *arguments: str | Path) -> dict[str, Any]:
        ran = self.play(command, *arguments, "--json")
        assert ran.code == 0, ran.out + ran.err
        document: dict[str, Any] = ran.json
        return document

    def state(self, name: str) -> Path:
        return self.isostack.home / "stacks" / "boxed" / f"play-{name}" / "state.json"

    def mark(self, name: str) -> str:
        record = json.loads((self.isostack.home / "playgrounds" / name / "playground.json").read_text())
        mark: str = record["containers"]["mark"]
        return mark

    def things(self, mark: str) -> dict[str, list[str]]:
        """What is on the engine for a playground: ids by kind."""
        marked = {"label": f"isostack.playground={mark}"}
        return {
            "containers": [item["Id"] for item in self.engine.api.containers(all=True, filters=marked)],
            "networks": [item["Id"] for item in self.engine.api.networks(filters=marked)],
            "volumes": [item["Name"] for item in self.engine.api.volumes(filters=marked).get("Volumes") or []],
        }

    def web(self, mark: str) -> dict[str, Any]:
        """The service's container, as the engine knows it."""
        found = [self.engine.inspect("container", id_) or {} for id_ in self.things(mark)["containers"]]
        (web,) = [item for item in found if item["State"]["Running"]]
        return web

    def asked_of_cloud(self, container: str) -> str:
        """What the local cloud answers to the container."""
        command = self.engine.api.exec_create(container, ["/probe", "cloud", "/isostack/identity"])
        answer: bytes = self.engine.api.exec_start(command)
        return answer.decode()


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory, docker: Docker) -> Iterator[Yard]:
    yard = Yard(tmp_path_factory.mktemp("containers"), docker)
    yield yard
    for row in yard.done("list")["playgrounds"]:
        yard.done("down", row["name"], "--no-snapshot")
    yard.isostack("cloud", "stop", cwd=yard.root)


def answer(url: str) -> str:
    at = urlsplit(url)
    with socket.create_connection((at.hostname, at.port), timeout=10) as connection:
        return connection.makefile().read()


def variables(container: dict[str, Any]) -> dict[str, str]:
    return dict(line.split("=", 1) for line in container["Config"]["Env"])


def test_services_run_confined_reach_the_cloud_are_remembered_and_go(yard: Yard) -> None:
    first = yard.done("up", "ana", "--build", yard.app, "--migrate", "cloud /isostack/identity")
    url = first["outputs"]["service_urls"]["web"]
    assert answer(url) == "open sesame"
    mark = yard.mark("ana")
    web = yard.web(mark)
    assert web["State"]["Health"]["Status"] == "healthy"
    assert [binding["HostIp"] for bindings in web["NetworkSettings"]["Ports"].values() for binding in bindings] == ["127.0.0.1"]
    host = web["HostConfig"]
    assert (web["Config"]["User"], host["ReadonlyRootfs"], host["CapDrop"], host["Init"]) == ("10001", True, ["ALL"], True)
    assert '"pid"' in yard.asked_of_cloud(web["Id"])
    (network,) = web["NetworkSettings"]["Networks"].values()
    for name in ("AWS_ENDPOINT_URL", "JOB_QUEUE_URL"):
        assert urlsplit(variables(web)[name]).hostname == network["Gateway"], "127.0.0.1 would be the container itself"
    assert "open sesame" not in yard.isostack("export", "play-ana", cwd=yard.root).out

    again = yard.done("up", "ana")
    assert {key: again["changes"][key] for key in NO_CHANGE} == NO_CHANGE
    yard.done("extend", "9h", "ana")
    assert yard.web(mark)["Id"] == web["Id"]

    yard.write("2")
    yard.done("up", "ana")
    assert yard.web(mark)["Image"] != web["Image"], "its folder has changed"

    yard.done("up", "ana", "--no-containers")
    assert yard.things(mark) == {"containers": [], "networks": [], "volumes": []}
    assert yard.done("up", "ana")["changes"]["create"] == 0, "and is not brought back"


def test_a_reset_brings_back_containers_whatever_has_happened_and_leaves_none_behind(yard: Yard) -> None:
    yard.done("up", "ben", "--build", f"web={yard.app}", "--migrate", "cloud /isostack/identity")
    mark = yard.mark("ben")
    before = {kind: len(ids) for kind, ids in yard.things(mark).items()}
    assert before == {"containers": 2, "networks": 1, "volumes": 2}

    yard.done("snapshot", "kept", "ben")
    (migration,) = [id_ for id_ in yard.things(mark)["containers"] if id_ != yard.web(mark)["Id"]]
    migrated = (yard.engine.inspect("container", migration) or {})["State"]["FinishedAt"]
    yard.engine.api.remove_container(yard.web(mark)["Id"], force=True)
    yard.done("reset", "ben")
    assert (yard.engine.inspect("container", migration) or {})["State"]["FinishedAt"] > migrated, "the data may be older"

    for file in (yard.state("ben"), yard.state("ben").with_name("state.previous.json")):
        file.write_text("{")
    os.kill(yard.isostack("cloud", "status", "--json", cwd=yard.root).json["pid"], signal.SIGKILL)
    reset = yard.done("reset", "ben")
    assert answer(reset["outputs"]["service_urls"]["web"]) == "open sesame"
    assert {kind: len(ids) for kind, ids in yard.things(mark).items()} == before
    assert '"pid"' in yard.asked_of_cloud(yard.web(mark)["Id"])

    yard.done("down", "ben")
    assert yard.things(mark) == {"containers": [], "networks": [], "volumes": []}


def test_a_sweep_finds_containers_that_no_state_knows_and_leaves_those_of_others(yard: Yard) -> None:
    for name in ("joe", "kim"):
        yard.done("up", name, "--build", yard.app)
    lost, known = yard.mark("joe"), yard.things(yard.mark("kim"))
    shutil.rmtree(yard.state("joe").parent)
    shutil.rmtree(yard.isostack.home / "playgrounds" / "joe")
    elsewhere = yard.engine.api.create_volume(labels={"isostack.playground": "joe-0000aaaa"})["Name"]  # another state folder's
    try:
        seen = yard.done("sweep")
        kinds = [one["type"].rpartition(":")[2] for one in seen["orphans"] if one["type"].startswith("docker:")]
        assert sorted(kinds) == ["Container", "Network", "Volume"]
        assert {one["playground"] for one in seen["orphans"]} == {"joe"}
        assert all(yard.things(lost).values()), "nobody has confirmed it"
        yard.done("sweep", "--yes")
        assert yard.things(lost) == {"containers": [], "networks": [], "volumes": []}
        assert yard.things(yard.mark("kim")) == known
        assert yard.engine.inspect("volume", elsewhere)
    finally:
        yard.engine.api.remove_volume(elsewhere)
    record = yard.isostack.home / "playgrounds" / "kim" / "playground.json"
    mark = yard.mark("kim")
    record.write_text(json.dumps({**json.loads(record.read_text()), "expires": "2020-01-01T08:00:00+00:00"}))
    assert [ended["name"] for ended in yard.done("sweep", "--yes")["ended"]] == ["kim"]
    assert yard.things(mark) == {"containers": [], "networks": [], "volumes": []}


def test_a_migration_that_fails_and_an_image_without_a_check_are_named_and_mended_by_the_next_run(yard: Yard) -> None:
    failed = yard.play("up", "eva", "--build", yard.app, "--migrate", "fail")
    assert failed.code == 1
    assert "the migration ended with exit code 3; docker logs eva-migration-" in failed.out + failed.err
    (lame,) = yard.things(yard.mark("eva"))["containers"]  # no service starts on a database that is not migrated
    assert yard.play("up", "eva").code == 1
    assert yard.things(yard.mark("eva"))["containers"] != [lame], "it was tried again"

    unchecked = yard.play("up", "eva", "--image", f"web={yard.docker.image}", "--migrate", "say done")
    assert unchecked.code == 1
    assert "wait needs a healthcheck, which neither the container nor its image has" in unchecked.out + unchecked.err

    mended = yard.done("up", "eva", "--build", yard.app)
    assert answer(mended["outputs"]["service_urls"]["web"]) == "open sesame"


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (("--build", "wbe={app}"), 2, "containers: there is no service wbe; there are web"),
        (("--build", "{root}"), 2, "--build {root}: there is no Dockerfile in {root}; name the folder that has it"),
        (("--build", "{app}", "--image", "app:1"), 2, "--image app:1: an image for every service is given already"),
        (("--no-containers", "--image", "app:1"), 2, "--no-containers takes containers away; leave out --build, --image"),
        (("--image", "web="), 2, "--image web=: write [SERVICE=]NAME"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_line(yard: Yard, arguments: tuple[str, ...], code: int, line: str) -> None:
    places = {"app": yard.app, "root": yard.root}
    ran = yard.play("up", "tom", *(argument.format(**places) for argument in arguments))
    assert ran.code == code
    assert line.format(**places) in ran.out + ran.err


def test_where_no_engine_answers_one_line_says_so_and_nothing_is_changed(tmp_path: Path) -> None:
    root = project(tmp_path / "project", PROGRAM, name="boxed", dev="config: {}\n")
    isostack = CommandLine(tmp_path / "home", {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    ran = isostack("play", "up", "ana", "--containers", cwd=root)
    assert ran.code == 1
    (line,) = [line for line in (ran.out + ran.err).splitlines() if line.strip().startswith("error: ")]
    assert line.strip() == (
        f"error: no Docker engine answers at unix://{tmp_path}/none.sock (No such file or directory): start one, name "
        "another with DOCKER_HOST, or run the services as plain processes, which need no engine: isostack play run -- COMMAND"
    )
    assert isostack("play", "list", "--json", cwd=root).json["playgrounds"] == []
    assert not isostack("cloud", "status", "--json", cwd=root).json["running"]


# -- through the official engine ------------------------------------------------------------------------------------------

ALONE = """
import pulumi
from components.containers import Containers, ContainersArgs, ContainerService
from stacks.program import containers

web = ContainerService(image="127.0.0.1:1/web:1", port=8080, memory_mb=64, environment={"GREETING": "good evening"})
values = containers(pulumi.Config("isostack").require_object("playground")["containers"])
made = Containers("ida", ContainersArgs(values=values, services={"web": web}, database_id="one"))
pulumi.export("url", made.urls["web"])
"""


@pytest.mark.skipif(not shutil.which("pulumi"), reason="pulumi is not on the path: the component is not tried on the CLI")
def test_the_official_cli_runs_the_same_component(yard: Yard, tmp_path: Path) -> None:
    project(tmp_path / "project", ALONE, name="alone")
    (tmp_path / "backend").mkdir()
    free = yard.docker.references()
    addresses = {"subnet": free["subnet"], "gateway": free["gateway"]}
    told = {"sources": {"*": {"build": str(yard.app)}}, "migrate": "say done", "mark": "ida-cli", **addresses}
    environment = yard.isostack.env(
        {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PULUMI_BACKEND_URL": f"file://{tmp_path / 'backend'}",
            "PULUMI_HOME": str(tmp_path / "home"),
            "PULUMI_PYTHON_CMD": sys.executable,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
    )

    def pulumi(*arguments: str) -> str:
        command = ["pulumi", *arguments, "--non-interactive", "--color", "never"]
        done = subprocess.run(  # noqa: S603 - the official CLI
            command, cwd=tmp_path / "project", env=environment, capture_output=True, text=True, timeout=200, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    plugin = [sys.executable, "-m", "isostack.cli", "cloud", "provider", "docker"]
    own = {**environment, "ISOSTACK_HOME": str(yard.isostack.home)}
    with subprocess.Popen(plugin, stdout=subprocess.PIPE, text=True, env=own) as serving:  # noqa: S603 - our own module
        assert serving.stdout is not None
        environment["PULUMI_DEBUG_PROVIDERS"] = f"docker:{int(serving.stdout.readline())}"
        pulumi("stack", "init", "dev")
        pulumi("config", "set", "isostack:playground", json.dumps({"containers": told}))
        pulumi("up", "--yes", "--skip-preview")
        assert answer(json.loads(pulumi("stack", "output", "--json"))["url"]) == "good evening"
        pulumi("destroy", "--yes", "--skip-preview")
        serving.terminate()
    assert yard.things("ida-cli") == {"containers": [], "networks": [], "volumes": []}
