"""A Docker engine for the tests: one that answers, else one that is started by hand, and an image that needs no registry.

Processes of one test run share the engine that they start; the last to leave stops it.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isostack.errors import IsostackError
from isostack.localcloud.docker_engine import DockerEngine, engine_for

_PROBE = Path(__file__).with_name("probe.go")
_DOCKERFILE = 'FROM scratch\nCOPY probe /probe\nENTRYPOINT ["/probe"]\n'
_STARTING_SECONDS = 20
_STOPPING_SECONDS = 20


class NoEngine(Exception):
    """Why the tests that need an engine cannot run here."""


@dataclass(frozen=True)
class Docker:
    """An engine, a folder to build the probe from, and an image of it."""

    host: str
    context: Path
    image: str

    def connect(self) -> DockerEngine:
        return DockerEngine(self.host)

    def references(self) -> dict[str, Any]:
        """What a case may refer to: the image, the folder, and a tag and addresses that nobody else uses."""
        addresses = f"198.18.{secrets.randbelow(256)}"  # two networks of one engine cannot have the same
        return {
            "image": self.image,
            "context": str(self.context),
            "tag": f"isostack-test-{uuid.uuid4().hex[:12]}:1",
            "subnet": f"{addresses}.0/24",
            "gateway": f"{addresses}.1",
            "range": f"{addresses}.128/25",
            "other_subnet": f"{addresses.replace('198.18', '198.19')}.0/24",
        }


@contextmanager
def docker_engine() -> Iterator[Docker]:
    """An engine for as long as the context lasts. Raises NoEngine, with the reason."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
    shared = Path(tempfile.gettempdir()) / f"isostack-docker-{run[:16]}"  # a short path: that of a socket is limited
    shared.mkdir(exist_ok=True)
    with (shared / "users").open("w") as users, (shared / "starting").open("w") as starting:
        fcntl.flock(users, fcntl.LOCK_SH)
        try:
            with _locked(starting):
                docker = _ready(shared)
            yield docker
        finally:
            with _locked(starting):
                if _is_last(users):
                    _stop(shared)


@contextmanager
def _locked(file: Any) -> Iterator[None]:
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def _is_last(users: Any) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _ready(shared: Path) -> Docker:
    context = shared / "probe"
    _compile(context)
    host = _host(shared)
    engine = DockerEngine(host)
    image = f"isostack-probe-{shared.name}:1".lower()
    if engine.inspect("image", image) is None:
        engine.api.import_image_from_data(
            (context / "probe.tar").read_bytes(), image.removesuffix(":1"), "1", ['ENTRYPOINT ["/probe"]']
        )
        (shared / "image").write_text(f"{host} {image}")
    return Docker(host, context, image)


def _compile(context: Path) -> None:
    """The probe, statically linked, beside a Dockerfile, and as a tar file that is the file system of an image."""
    go = shutil.which("go")
    if go is None:
        raise NoEngine("there is no Go to compile the image's program with")
    if (context / "probe.tar").exists():
        return
    context.mkdir(exist_ok=True)
    command = [go, "build", "-ldflags", "-s -w", "-o", str(context / "probe"), str(_PROBE)]
    subprocess.run(command, check=True, env={**os.environ, "CGO_ENABLED": "0"}, timeout=180)  # noqa: S603 - our own program
    (context / "Dockerfile").write_text(_DOCKERFILE)
    subprocess.run(["tar", "-C", str(context), "-cf", str(context / "probe.tar"), "probe"], check=True)  # noqa: S603, S607 - our own file
    (context / ".dockerignore").write_text("probe.tar\n")


def _host(shared: Path) -> str:
    """The address of an engine that answers, or of our own."""
    own = f"unix://{shared}/docker.sock"
    if (shared / "docker.sock").exists():
        return own
    try:
        return engine_for({}).address
    except IsostackError as error:
        reason = str(error)
    dockerd = shutil.which("dockerd")
    if dockerd is None or os.geteuid() != 0:
        raise NoEngine(f"{reason}; and none can be started by hand: dockerd is not installed or the user is not root")
    _start(dockerd, shared, own)
    return own


def _start(dockerd: str, shared: Path, host: str) -> None:
    command = [dockerd, "--data-root", f"{shared}/data", "--exec-root", f"{shared}/exec", "-p", f"{shared}/pid", "-H", host]
    with (shared / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)  # noqa: S603 - the system's dockerd
    deadline = time.monotonic() + _STARTING_SECONDS
    while True:
        try:
            DockerEngine(host)
        except IsostackError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                tail = (shared / "log").read_text()[-400:].strip()
                raise NoEngine(f"dockerd does not start here: {error}; it said: {tail}") from error
            time.sleep(0.1)
        else:
            return


def _stop(shared: Path) -> None:
    if (shared / "image").exists():
        host, image = (shared / "image").read_text().split()
        with suppress(IsostackError):
            engine = DockerEngine(host)
            with engine.errors():
                engine.api.remove_image(image, force=True)
    with suppress(OSError, ValueError):
        pid = int((shared / "pid").read_text())
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOPPING_SECONDS
        while time.monotonic() < deadline and _is_alive(pid):
            time.sleep(0.05)
    # A container with the host's network leaves a mount, and the folder could not be removed.
    for namespace in (shared / "exec" / "netns").glob("*"):
        subprocess.run(["umount", namespace], capture_output=True, check=False)  # noqa: S603, S607 - our own folder
    shutil.rmtree(shared, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    with suppress(ChildProcessError):
        return os.waitpid(pid, os.WNOHANG) == (0, 0)  # our own child, which is a zombie until it is waited for
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
