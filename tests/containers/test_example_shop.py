"""The images of examples/shop, built from its Dockerfile on an engine, and run as ECS would run them."""

from __future__ import annotations

import http.client
import importlib.metadata
import io
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tarfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from isostack.localcloud.client import Cloud
from isostack.localcloud.database_server import available
from tests.command_line import CommandLine
from tests.containers.engine import Docker

SHOP = Path(__file__).parents[2] / "examples" / "shop"
PACKAGES = Path("/packages")
NOT_NEEDED = re.compile(
    r"__pycache__|/(site-packages|dist-packages|test|tests|idlelib|tkinter|config-[^/]*)(/|$)|_tkinter|EXTERNALLY-MANAGED"
)


def locked() -> dict[str, str]:
    """What is installed in the image, with its versions."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)", (SHOP / "requirements.lock").read_text(), re.MULTILINE))


def test_the_image_is_made_of_the_versions_that_the_tests_run_with() -> None:
    mend = "make -C examples/shop lock LOCK_OPTIONS='--constraint ../../requirements-dev.lock --no-annotate'"
    assert locked() == {name: importlib.metadata.version(name) for name in locked()}, mend


# -- images -----------------------------------------------------------------------------------------------------------


def base_image() -> bytes:
    """A file system for ``FROM``, of what is here: this interpreter, a shell, their libraries, and the packages of the lock."""
    python = Path(sys.executable).resolve()
    standard = {Path(sysconfig.get_path(path)).resolve() for path in ("stdlib", "platstdlib")}
    files = {str(file): file for folder in standard for file in folder.rglob("*") if not NOT_NEEDED.search(str(file))}
    for name in [*locked(), "pip"]:
        parts = importlib.metadata.distribution(name).files or []
        files |= {str(PACKAGES / part): Path(str(part.locate())) for part in parts if ".." not in part.parts}
    files |= {str(python): python, "/bin/sh": Path("/bin/sh"), "/usr/local/bin/python": python}
    files |= libraries([python, Path("/bin/sh"), *(file for file in files.values() if ".so" in file.name)])
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, file in sorted(files.items()):
            if file.is_file() and "__pycache__" not in name:
                archive.add(file.resolve(), name)
        scratch = tarfile.TarInfo("tmp")
        scratch.type, scratch.mode = tarfile.DIRTYPE, 0o1777
        archive.addfile(scratch)
    return content.getvalue()


def libraries(files: Sequence[Path]) -> dict[str, Path]:
    """The loader and the system's libraries that these files are linked with; packages bring others of their own."""
    ran = subprocess.run(["ldd", *map(str, files)], capture_output=True, text=True, check=False)  # noqa: S603, S607 - our own files
    found = {Path(path) for path in re.findall(r"(/\S+) \(0x", ran.stdout)}
    return {str(file): file for file in found if "site-packages" not in file.parts}


@dataclass(frozen=True)
class Images:
    """The names of the two images, and the engine that has them."""

    docker: Docker
    shop: str
    worker: str


@pytest.fixture(scope="module")
def images(docker: Docker) -> Iterator[Images]:
    if sys.platform != "linux" or shutil.which("ldd") is None:
        pytest.skip("the base image is made of this interpreter's own files, and they run on Linux alone")
    engine = docker.connect()
    name = f"isostack-test-shop-{uuid.uuid4().hex[:12]}"
    # A copy of the interpreter does not find the rest of it by itself.
    settings = ["ENV PATH=/usr/local/bin:/bin", f"ENV PYTHONHOME={sys.base_prefix}", f"ENV PYTHONPATH={PACKAGES}"]
    engine.api.import_image_from_data(base_image(), f"{name}-base", "1", settings)
    made = [f"{name}-base:1"]
    try:
        for target in ("shop", "worker"):
            made.append(f"{name}-{target}:1")
            arguments = {"BASE": made[0]}
            engine.build(made[-1], context(), "Dockerfile", target=target, buildargs=arguments, network_mode="none", forcerm=True)
        yield Images(docker, *made[1:])
    finally:
        for image in reversed(made):
            if engine.inspect("image", image):
                engine.api.remove_image(image, force=True)


def context() -> io.BytesIO:
    """What ``docker build examples/shop`` would send."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for part in ("Dockerfile", "requirements.lock", "alembic.ini", "migrations", "shop"):
            archive.add(SHOP / part, part)
    content.seek(0)
    return content


# -- what they run on -------------------------------------------------------------------------------------------------


@pytest.fixture
def environment(cloud: Cloud) -> Mapping[str, str]:
    """What the service finds in its environment, in an account of its own."""
    if reason := available():
        pytest.skip(f"no PostgreSQL here: {reason}")
    rds, s3, sqs = (cloud.client(service) for service in ("rds", "s3", "sqs"))
    name = f"shop-{uuid.uuid4().hex[:12]}"
    instance = {"DBInstanceIdentifier": name, "DBInstanceClass": "db.t4g.micro", "AllocatedStorage": 20, "Engine": "postgres"}
    rds.create_db_instance(**instance, DBName="shop", MasterUsername="shop", MasterUserPassword="very-secret")
    rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 400})
    at = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]["Endpoint"]
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": cloud.region})
    key, secret, token = cloud.credentials()
    return {
        "DATABASE_URL": f"postgresql://shop:very-secret@{at['Address']}:{at['Port']}/shop",
        "ASSET_BUCKET": name,
        "JOB_QUEUE_URL": sqs.create_queue(QueueName=name)["QueueUrl"],
        "AWS_REGION": cloud.region,
        "AWS_ENDPOINT_URL": cloud.endpoint,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        **({"AWS_SESSION_TOKEN": token} if token else {}),
        "RELEASE": "r9",
        "HOST": "127.0.0.1",  # the containers have the host's network, where the local cloud is
        "PORT": str(free_port()),
    }


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


Run = Callable[..., str]


@pytest.fixture
def run(images: Images, environment: Mapping[str, str]) -> Iterator[Run]:
    """Starts an image as ECS does: nothing may be written but ``/tmp``, and no capability is left. Gives the container's id."""
    engine, made = images.docker.connect(), []

    def start(image: str, *command: str) -> str:
        confined = engine.api.create_host_config(network_mode="host", read_only=True, cap_drop=["ALL"], init=True)
        container = engine.api.create_container(image, list(command) or None, environment=dict(environment), host_config=confined)
        made.append(container["Id"])
        engine.api.start(made[-1])
        return made[-1]

    yield start
    for container in made:
        engine.api.remove_container(container, v=True, force=True)


def health(port: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    except OSError:
        return 0, None
    finally:
        connection.close()


def test_one_image_migrates_and_serves_and_its_worker_works(images: Images, environment: Mapping[str, str], run: Run) -> None:
    engine = images.docker.connect()

    shop = run(images.shop)
    port = environment["PORT"]
    parts = {"release": "r9", "bucket": "ok", "queue": "ok"}
    assert answer_of(engine, shop, port) == (503, {"status": "unavailable", "database": "not migrated", **parts})

    migration = run(images.shop, "python", "-m", "alembic", "upgrade", "head")
    assert engine.api.wait(migration, timeout=60)["StatusCode"] == 0, engine.api.logs(migration).decode()
    assert health(port) == (200, {"status": "ok", "database": "ok", **parts})
    check = engine.api.exec_create(shop, engine.api.inspect_container(shop)["Config"]["Healthcheck"]["Test"][1:])
    engine.api.exec_start(check)
    assert engine.api.exec_inspect(check)["ExitCode"] == 0

    worker = run(images.worker)
    assert "Healthcheck" not in engine.api.inspect_container(worker)["Config"], "it answers nobody"
    for _ in range(600):
        if b"worker is ready" in engine.api.logs(worker):
            break
        assert engine.api.inspect_container(worker)["State"]["Running"], engine.api.logs(worker).decode()
        time.sleep(0.05)
    for container, ended in ((shop, 128 + signal.SIGTERM), (worker, 0)):  # uvicorn ends by the signal that told it to
        engine.api.stop(container, timeout=30)
        state = engine.api.inspect_container(container)
        logs = engine.api.logs(container).decode()
        assert state["State"]["ExitCode"] == ended, logs
        assert state["Config"]["User"] == "10001:10001"
        assert {json.loads(line)["release"] for line in logs.splitlines()} == {"r9"}
        assert "very-secret" not in logs


def answer_of(engine: Any, container: str, port: str) -> tuple[int, Any]:
    """The first answer of a shop that is starting."""
    for _ in range(600):
        answer = health(port)
        if answer[0]:
            return answer
        assert engine.api.inspect_container(container)["State"]["Running"], engine.api.logs(container).decode()
        time.sleep(0.05)
    raise AssertionError("the shop did not begin to answer")


# -- in a playground ------------------------------------------------------------------------------------------------------


def test_a_playgrounds_services_run_in_containers_with_what_they_find_on_ecs(images: Images, tmp_path: Path) -> None:
    isostack = CommandLine(tmp_path / "home", {"DOCKER_HOST": images.docker.host})
    engine = images.docker.connect()

    def play(command: str, *arguments: str) -> Any:
        ran = isostack("play", command, *arguments, "--json", cwd=SHOP.parents[1])
        assert ran.code == 0, ran.out + ran.err
        return ran.json

    try:
        made = play("up", "boxed", "--image", images.shop, "--migrate", "python -m alembic upgrade head")
        urls = made["outputs"]["service_urls"]
        assert set(urls) == {"backend-blue", "backend-green"}
        for url in urls.values():
            status, parts = health(url.rpartition(":")[2])
            assert (status, parts["database"], parts["bucket"], parts["queue"]) == (200, "ok", "ok", "ok")
        found = [engine.inspect("container", item["Id"]) or {} for item in engine.api.containers()]
        (blue,) = [item for item in found if item["Name"].startswith("/shop-boxed-backend-blue-")]
        inside = {line.partition("=")[0] for line in blue["Config"]["Env"]}
        assert {
            "DATABASE_URL",
            "CACHE_URL",
            "ASSET_BUCKET",
            "JOB_QUEUE_URL",
            "PORT",
            "RELEASE",
            "LOG_LEVEL",
            "AWS_REGION",
        } <= inside
    finally:
        play("down", "boxed", "--no-snapshot")
        isostack("cloud", "stop", cwd=SHOP.parents[1])
    assert [item["Names"] for item in engine.api.containers(all=True) if "/shop-boxed" in item["Names"][0]] == []
