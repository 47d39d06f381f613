"""Which Docker engines are used, what is said where none answers, and what a build context is."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isostack.engine.provider import ProviderError
from isostack.engine.values import UNKNOWN
from isostack.errors import BadInput, OperationFailed, Refused
from isostack.localcloud.docker_engine import DockerEngine, engine_for, require_local
from isostack.localcloud.provider import LocalCloudProvider
from isostack.localcloud.resource_types.docker_container_settings import duration_text, nanoseconds
from isostack.localcloud.resource_types.docker_contexts import BuildContext
from tests.command_line import CommandLine, project
from tests.containers.engine import Docker

CONTAINER = "docker:index/container:Container"


@pytest.mark.parametrize(
    "address", ["unix:///run/docker.sock", "tcp://127.0.0.1:2375", "http://localhost:2375", "tcp://[::1]:2375"]
)
def test_an_engine_of_this_machine_is_taken(address: str) -> None:
    assert require_local(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "tcp://10.0.0.7:2375",
        "tcp://0.0.0.0:2375",
        "tcp://127.0.0.1:2375@evil.example",
        "tcp://127.0.0.1:2375/elsewhere",
        "https://127.0.0.1:2376",
        "ssh://me@build.example",
        "unix://docker.sock",
        "npipe:////build.example/pipe/docker_engine",
        "",
    ],
)
def test_an_engine_elsewhere_is_refused_by_name(address: str) -> None:
    with pytest.raises(Refused, match=r"Docker engine .*on this machine only"):
        require_local(address)


@pytest.mark.parametrize(
    ("config", "environment", "name"),
    [
        ({"context": "build"}, {}, "docker context 'build'"),
        ({}, {"DOCKER_CONTEXT": "build"}, "docker context 'build'"),
        ({"certPath": "certs"}, {}, "certPath"),
        ({"sshOpts": ["-i"]}, {}, "sshOpts"),
    ],
)
def test_what_leads_to_an_engine_elsewhere_is_refused_by_name(
    config: dict[str, Any], environment: dict[str, str], name: str
) -> None:
    with pytest.raises(Refused, match=name):
        engine_for(config, environment)


def test_a_file_with_credentials_is_refused(docker: Docker) -> None:
    entry = {"address": "registry.example", "config_file": "config.json"}
    with pytest.raises(BadInput, match="give username and password"):
        engine_for({"host": docker.host, "registryAuth": [entry]}, {})


def test_the_providers_host_comes_before_the_environments(tmp_path: Path) -> None:
    with pytest.raises(OperationFailed, match=f"unix://{tmp_path}/a"):
        engine_for({"host": f"unix://{tmp_path}/a"}, {"DOCKER_HOST": f"unix://{tmp_path}/b"})
    with pytest.raises(OperationFailed, match=f"unix://{tmp_path}/b"):
        engine_for({}, {"DOCKER_HOST": f"unix://{tmp_path}/b"})


def test_the_socket_of_an_engine_without_root_is_found(tmp_path: Path) -> None:
    if Path("/var/run/docker.sock").exists():
        pytest.skip("this machine has an engine of its own, which comes first")
    (tmp_path / "docker.sock").touch()
    with pytest.raises(OperationFailed, match=f"unix://{tmp_path}/docker.sock"):
        engine_for({}, {"HOME": str(tmp_path / "home"), "XDG_RUNTIME_DIR": str(tmp_path)})


def test_where_no_engine_answers_one_line_says_so_and_nothing_is_changed(tmp_path: Path) -> None:
    source = "import pulumi_aws as aws\nimport pulumi_docker as docker\naws.sqs.Queue('queue')\ndocker.Volume('data')\n"
    folder = project(tmp_path / "program", source)
    isostack = CommandLine(tmp_path / "home")
    try:
        ran = isostack("up", "dev", cwd=folder, env={"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
        assert ran.code == 1
        (line,) = [line for line in (ran.out + ran.err).splitlines() if line.startswith("error: ")]
        assert line == (
            f"error: no Docker engine answers at unix://{tmp_path}/none.sock (No such file or directory): start one, name "
            "another with DOCKER_HOST, or run the services as plain processes, which need no engine"
        )
        assert not isostack("export", "dev", cwd=folder).json["deployment"].get("resources")
    finally:
        isostack("cloud", "stop", cwd=folder)


_opened: list[str] = []
_watching: list[bool] = []


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event == "open":
        _opened.append(str(arguments[0]))


@pytest.fixture
def opened() -> Iterator[list[str]]:
    """The files that are opened from here on."""
    if not _opened:
        sys.addaudithook(_note)
    _opened[:] = ["watching"]
    _watching.append(True)
    yield _opened
    _watching.clear()


def test_neither_credentials_nor_proxies_of_the_user_are_read(
    docker: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: list[str]
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"proxies": {"default": {"httpProxy": "http://proxy.example"}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    opened.clear()
    engine = docker.connect()
    name = docker.references()["tag"]
    context = BuildContext.at(str(docker.context), docker.context / "Dockerfile")
    with context.archive() as archive:
        engine.build(name, archive, context.inside)
    with pytest.raises(ProviderError, match="could not be pulled"):
        engine.pull("127.0.0.1:1/nobody/nothing:1")
    engine.api.remove_image(name)
    assert any(path.endswith("Dockerfile") for path in opened)
    assert [path for path in opened if path.startswith(str(tmp_path))] == []


def test_a_container_of_the_same_name_that_others_have_made_is_not_taken_for_ours(docker: Docker) -> None:
    engine = docker.connect()
    provider = LocalCloudProvider(engine, {})
    inputs = {"image": docker.image, "name": docker.references()["tag"].partition(":")[0]}
    theirs = engine.api.create_container_from_config({"Image": docker.image}, inputs["name"])["Id"]
    try:
        found = provider.find(CONTAINER, inputs)
        assert found.ids == ()
        assert docker.host in found.advice
        with pytest.raises(ProviderError, match="already in use"):
            provider.create(CONTAINER, inputs)
    finally:
        engine.api.remove_container(theirs)


def test_what_a_container_said_is_read_once_it_has_ended(docker: Docker, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = docker.connect()
    logs, wait, ended = engine.api.logs, engine.api.wait, []

    def wait_and_note(*arguments: Any, **named: Any) -> Any:
        ended.append(wait(*arguments, **named))
        return ended[-1]

    # As an engine under load does it: a log that is followed ends with the container, before its words are in it.
    monkeypatch.setattr(engine.api, "logs", lambda *arguments, **named: logs(*arguments, **named) if ended else b"")
    monkeypatch.setattr(engine.api, "wait", wait_and_note)
    provider = LocalCloudProvider(engine, {})
    inputs = {"image": docker.image, "command": ["say", "done"], "attach": True, "logs": True, "mustRun": False}
    urn = f"urn:pulumi:test::test::{CONTAINER}::short"
    made = provider.create(CONTAINER, provider.check(CONTAINER, urn, None, inputs).inputs)
    try:
        assert made.outputs["containerLogs"] == "done\n"
    finally:
        engine.api.remove_container(made.id)


def test_what_a_preview_does_not_know_yet_is_no_reason_to_refuse(docker: Docker) -> None:
    provider = LocalCloudProvider(docker.connect(), {})
    inputs = {"image": UNKNOWN, "ports": [{"internal": UNKNOWN, "ip": UNKNOWN}], "networksAdvanced": UNKNOWN}
    assert provider.check(CONTAINER, f"urn:pulumi:test::test::{CONTAINER}::web", None, inputs).failures == ()
    image = {"imageName": "app:1", "skipPush": True, "build": {"context": UNKNOWN}}
    token = "docker:index/image:Image"
    assert provider.check(token, f"urn:pulumi:test::test::{token}::app", None, image).failures == ()


# -- build contexts ----------------------------------------------------------------------------------------------------


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    (folder / "logs").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM scratch\n")
    (folder / "main.py").write_text("print(1)\n")
    (folder / "logs" / "today.log").write_text("noise")
    (folder / ".dockerignore").write_text("# what is not needed\nlogs\n*.md\n!README.md\nDockerfile\n")
    return folder


def digest(folder: Path) -> str:
    return BuildContext.at(str(folder), folder / "Dockerfile").digest


def test_the_digest_tells_what_is_sent_and_nothing_else(app: Path) -> None:
    before = digest(app)
    (app / "logs" / "today.log").write_text("more noise")
    (app / "notes.md").write_text("ignored")
    os.utime(app / "main.py", (1, 1))
    assert digest(app) == before
    (app / "README.md").write_text("an exception")
    with_exception = digest(app)
    assert with_exception != before
    (app / "main.py").chmod(0o755)
    executable = digest(app)
    assert executable != with_exception
    (app / "main.py").rename(app / "other.py")
    assert digest(app) != executable


def test_a_dockerfile_that_is_ignored_is_sent_all_the_same(app: Path) -> None:
    import tarfile

    with BuildContext.at(str(app), app / "Dockerfile").archive() as archive, tarfile.open(fileobj=archive) as tar:
        assert sorted(tar.getnames()) == [".dockerignore", "Dockerfile", "main.py"]


def test_a_dockerfile_may_lie_outside_of_its_context(app: Path, tmp_path: Path) -> None:
    outside = tmp_path / "web.Dockerfile"
    outside.write_text("FROM scratch\n")
    context = BuildContext.at(str(app), outside)
    assert context.inside == ".isostack.Dockerfile"
    before = context.digest
    outside.write_text("FROM other\n")
    assert BuildContext.at(str(app), outside).digest != before


def test_a_context_that_is_not_there_is_said_with_its_mend(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(app.parent)
    with pytest.raises(ProviderError, match=r"build\.context: nowhere is no directory"):
        BuildContext.at("nowhere", "Dockerfile")
    with pytest.raises(ProviderError, match=r"there is no file Dockerfile; did you mean app/Dockerfile\?"):
        BuildContext.at("app", "Dockerfile")


@pytest.mark.parametrize(
    ("text", "amount"), [("0s", 0), ("500ms", 5 * 10**8), ("30s", 3 * 10**10), ("1m30s", 9 * 10**10), ("1h0m5s", 3605 * 10**9)]
)
def test_durations_are_as_go_writes_them(text: str, amount: int) -> None:
    assert nanoseconds(text) == amount
    assert duration_text(amount) == text


def test_a_duration_that_is_none_is_refused() -> None:
    with pytest.raises(ProviderError, match="'soon' is no duration"):
        nanoseconds("soon")


def test_an_engine_is_named_where_it_is_spoken_of(docker: Docker) -> None:
    assert str(DockerEngine(docker.host)) == f"the Docker engine at {docker.host}"
