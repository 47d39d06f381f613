"""The local cloud as a background process: starting, finding, asking, emptying and ending it.

The process itself is :mod:`isostack.localcloud.simulator`; it listens on 127.0.0.1 only and outlives the command that
started it. In the state folder ``cloud.json`` says which process it is and which port it had last, ``cloud.log`` has
what it printed, and ``cloud.lock`` keeps two commands from starting it twice. What it holds is kept in the system's memory
where that has a folder: one that was killed comes back as it was, if nothing had changed just then, or as it was a little
earlier, if that is wanted (:mod:`isostack.localcloud.content`).
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from isostack.engine.files import locked
from isostack.errors import BadInput, OperationFailed
from isostack.localcloud.database_server import end_strays

_HOST = "127.0.0.1"
_MEMORY = Path("/dev/shm")  # noqa: S108 - nothing is read there but what is the owner's own
_ANSWER_SECONDS = 10.0
_COPY_SECONDS = 600.0
_START_SECONDS = 60.0
_STOP_SECONDS = 5.0
_ENDING_SECONDS = 1.0  # so long a process that was killed may be seen yet
_POLL_SECONDS = 0.01
# What the process gets of the environment: nothing that speaks of AWS, moto, proxies or certificates.
_PASSED_ON = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "PYTHONUSERBASE", "TMPDIR", "TZ")
_ENVIRONMENT = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "MOTO_DISABLE_GLOBAL_CORS": "true",
}


@dataclass(frozen=True)
class Endpoint:
    """Where the local cloud answers. ``notice`` tells people, in a line, that the port is not the one it had last."""

    url: str
    port: int
    notice: str = ""


@dataclass(frozen=True)
class Status:
    """The local cloud as it is now. ``resources`` counts by service, without the services that have none."""

    running: bool
    endpoint: str = ""
    pid: int = 0
    uptime_seconds: float = 0.0
    identity: str = ""
    resources: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Record:
    """``cloud.json``. After a stop only the port is left; ``pid`` is then 0. ``content`` is the file for what it holds."""

    port: int
    pid: int = 0
    process_started: float = 0.0
    started: str = ""
    endpoint: str = ""
    content: str = ""

    @property
    def url(self) -> str:
        return f"http://{_HOST}:{self.port}"


class LocalCloud:
    """The local cloud of one state folder."""

    def __init__(self, home: Path) -> None:
        self.home = Path(home).absolute()
        self.log = self.home / "cloud.log"
        self.or_older = False
        """Whether one that is started in the place of one that was killed at work may have what that held a little earlier; it
        comes back empty otherwise."""
        self._file = self.home / "cloud.json"
        self._child: subprocess.Popen[bytes] | None = None

    def ensure(self, port: int | None = None) -> Endpoint:
        """Start the local cloud where it does not run, wait until it answers, and say where.

        ``port`` asks for this port and no other; else it is the one it had last, or a free one. Raises BadInput where
        the port that was asked for is taken, or is not the one it runs on, and OperationFailed where it does not start
        or does not answer.
        """
        with locked(self.home / "cloud.lock"):
            record = self._record()
            if record and record.pid and self._answers(record):
                if port not in (None, record.port):
                    raise BadInput(
                        f"port {port}: the local cloud runs on port {record.port}; "
                        "end it with `isostack cloud stop` before it can move"
                    )
                return Endpoint(record.url, record.port)
            last = record.port if record else 0
            with _listening(port, last) as listening:
                record = self._start(listening, record.content if record else "")
            moved = last and not port and record.port != last
            notice = f"port {last} is taken; the local cloud is on port {record.port} from now on" if moved else ""
            return Endpoint(record.url, record.port, notice)

    def stop(self) -> bool:
        """End the process, and with it what it held; whether one ran. Raises OperationFailed if it cannot be ended."""
        with locked(self.home / "cloud.lock"):
            record = self._record()
            if not record or not record.pid:
                return False
            alive = _is_alive(record)
            if alive:
                self._end(record)
            end_strays(self.home)
            if record.content:
                drop(Path(record.content))
            self._write(_Record(record.port))
            return alive

    def status(self) -> Status:
        """What runs and what it holds. Raises OperationFailed where it runs but does not answer."""
        record = self._record()
        if not record or not record.pid or not _is_alive(record):
            return Status(running=False)
        identity = self._answer(record)["identity"]
        return Status(
            running=True,
            endpoint=record.url,
            pid=record.pid,
            uptime_seconds=round(time.time() - datetime.fromisoformat(record.started).timestamp(), 1),
            identity=identity,
            resources=self.resources(),
        )

    def holds_nothing(self) -> bool:
        """Whether it does not run, and would be empty when it did."""
        record = self._record()
        return not (record and record.pid and (self._has_left(record.content) or _is_alive(record)))

    def identity(self) -> str:
        """A name for the cloud's content, new after each reset and restart. Raises OperationFailed if it is stopped."""
        return str(self._answer(self._running())["identity"])

    def resources(self, account_id: str | None = None) -> dict[str, int]:
        """How many things there are by service, of one account or of all; services without any are left out."""
        query = f"?account={account_id}" if account_id else ""
        counts: dict[str, int] = json.loads(self._ask(self._running(), "GET", f"/isostack/resources{query}"))
        return counts

    def messages(self, queue_arn: str) -> list[dict[str, Any]]:
        """The messages that wait in a queue, oldest first, without receiving them."""
        found: list[dict[str, Any]] = json.loads(self._ask(self._running(), "GET", f"/isostack/messages?queue={queue_arn}"))
        return found

    def drop_messages(self, queue_arn: str) -> None:
        """Empty a queue."""
        self._ask(self._running(), "DELETE", f"/isostack/messages?queue={queue_arn}")

    def keep_database(self, arn: str, copy: str, *, goes: bool = False) -> tuple[str, int]:
        """Keep a copy of a real database under a name, whatever becomes of the cloud: its digest and its bytes.

        One that ``goes`` is deleted next, and does not run any more; if it stays, it runs again when somebody asks RDS for it
        by name. Raises OperationFailed where no such database runs.
        """
        kept = self._databases(do="keep", arn=arn, copy=copy, goes=goes)
        return str(kept["digest"]), int(kept["bytes"])

    def bring_database_back(self, arn: str, copy: str, digest: str) -> None:
        """Give a database the content of a kept copy; role, password and port stay as they are.

        Raises OperationFailed, with nothing changed, where the copy is gone or is not what was kept.
        """
        self._databases(do="bring_back", arn=arn, copy=copy, digest=digest)

    def make_database_copy_ready(self, copy: str, digest: str) -> None:
        """Have a kept copy, checked, lie ready for a database that is to be made, and given it then.

        Raises OperationFailed where the copy is gone or is not what was kept.
        """
        self._databases(do="make_ready", copy=copy, digest=digest)

    def drop_database_copy(self, copy: str) -> None:
        """Remove a kept copy, if it is there."""
        self._databases(do="drop", copy=copy)

    def expect(self, service: str) -> None:
        """Have the cloud load what answers for a service, by botocore's name for it, before it is first asked."""
        self._own("services", service=service)

    def open_relay(self, address: str, subnet: str) -> None:
        """Let the containers of a Docker network, which has this subnet and gateway, reach this cloud and its databases.

        Raises OperationFailed where that cannot be.
        """
        self._own("relays", do="open", address=address, subnet=subnet)

    def close_relay(self, address: str) -> None:
        """Let a network's containers reach it no longer."""
        self._own("relays", do="close", address=address)

    def _databases(self, **asked: str | bool) -> dict[str, Any]:
        return self._own("databases", **asked)

    def _own(self, page: str, **asked: str | bool) -> dict[str, Any]:
        record = self._running()
        status, body = _request(record, "POST", f"/isostack/{page}", _COPY_SECONDS, json.dumps(asked))
        answer: dict[str, Any] = json.loads(body)
        if status != http.client.OK:
            raise OperationFailed(f"the local cloud: {answer['error']}")
        return answer

    def reset(self) -> str:
        """Empty the cloud, all accounts of it; gives its new identity. Raises OperationFailed if it is stopped."""
        self._ask(self._running(), "POST", "/moto-api/reset")
        return self.identity()

    # -- the process --------------------------------------------------------------------------------------------------

    def _start(self, listening: socket.socket, predecessor: str) -> _Record:
        """``predecessor`` is the file for what one held that was killed."""
        import psutil

        # Databases of a local cloud that was killed. What they were told last is not in their files yet.
        end_strays(self.home, for_good=not self._has_left(predecessor))
        content = str(_MEMORY / f"isostack-{secrets.token_hex(8)}") if _MEMORY.is_dir() else ""
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | _ENVIRONMENT
        with _private(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as log:
            left = [content, predecessor, "older" if self.or_older else ""]
            child = subprocess.Popen(  # noqa: S603 - this interpreter and a module of ours
                [sys.executable, "-P", "-m", "isostack.localcloud", str(listening.fileno()), *left],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[listening.fileno()],
                cwd=self.home,
                env=environment,
                start_new_session=True,
            )
        self._child = child
        port = listening.getsockname()[1]
        started = 0.0
        with suppress(psutil.NoSuchProcess):
            started = psutil.Process(child.pid).create_time()
        url = f"http://{_HOST}:{port}"
        record = _Record(port, child.pid, started, datetime.now(UTC).isoformat(timespec="milliseconds"), url, content)
        self._write(record)
        listening.close()  # so that a connection is refused, and not left waiting, if the process dies
        deadline = time.monotonic() + _START_SECONDS
        while child.poll() is None and time.monotonic() < deadline:
            with suppress(OSError, http.client.HTTPException):
                _request(record, "GET", "/isostack/identity", _START_SECONDS)
                return record
            time.sleep(_POLL_SECONDS)
        self._end(record)
        self._write(_Record(port))
        lines = self.log.read_text(errors="replace").strip().splitlines() or ["it printed nothing"]
        raise OperationFailed(f"the local cloud did not start: {lines[-1]} (all of it is in {self.log})")

    def _has_left(self, content: str) -> bool:
        """Whether one that was killed has left something under this name to begin with."""
        return bool(content) and any(file.is_file() for file in (Path(content), older(Path(content)))[: 1 + self.or_older])

    def _end(self, record: _Record) -> None:
        import psutil

        for number in (signal.SIGTERM, signal.SIGKILL):
            if _is_alive(record):
                with suppress(psutil.NoSuchProcess):
                    psutil.Process(record.pid).send_signal(number)
            deadline = time.monotonic() + _STOP_SECONDS
            while time.monotonic() < deadline:
                if self._child is not None:
                    self._child.poll()  # a process that its parent has not asked about stays as a zombie
                if not _is_alive(record):
                    return
                time.sleep(_POLL_SECONDS)
        raise OperationFailed(f"the local cloud (process {record.pid}) cannot be ended; end it by hand and try again")

    def _running(self) -> _Record:
        record = self._record()
        if not record or not record.pid:
            raise OperationFailed(f"the local cloud of {self.home} does not run; start it with `isostack cloud start`")
        return record

    def _answers(self, record: _Record) -> bool:
        """Whether it runs. Raises OperationFailed where it does and does not answer, unless it is ending."""
        if not _is_alive(record):
            return False
        try:
            self._answer(record)
        except OperationFailed:
            deadline = time.monotonic() + _ENDING_SECONDS
            while _is_alive(record):
                if time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_SECONDS)
            return False
        return True

    def _answer(self, record: _Record) -> dict[str, Any]:
        """What the process says of itself, if it is the one we know."""
        answer: dict[str, Any] = json.loads(self._ask(record, "GET", "/isostack/identity"))
        if answer.get("pid") != record.pid:
            raise OperationFailed(
                f"port {record.port} is answered by process {answer.get('pid')}, which is not the local cloud of "
                f"{self.home}; run `isostack cloud stop`, then `isostack cloud start`"
            )
        return answer

    def _ask(self, record: _Record, method: str, path: str) -> bytes:
        try:
            status, body = _request(record, method, path, _ANSWER_SECONDS)
            if status == http.client.OK:
                return body
            reason = f"status {status}"
        except (OSError, http.client.HTTPException) as error:
            if not _is_alive(record):
                raise OperationFailed(
                    f"the local cloud of {self.home} has ended; `isostack cloud start` starts it again, with what it held if "
                    f"it was quiet, else empty (its log: {self.log})"
                ) from error
            reason = f"{type(error).__name__}: {error}"
        raise OperationFailed(
            f"the local cloud (process {record.pid}, port {record.port}) does not answer: {reason}; "
            f"end it with `isostack cloud stop` (its log: {self.log})"
        )

    # -- the state folder ---------------------------------------------------------------------------------------------

    def _record(self) -> _Record | None:
        try:
            return _Record(**json.loads(self._file.read_text()))
        except (OSError, ValueError, TypeError):
            return None  # absent, or left half-written or foreign: as good as absent

    def _write(self, record: _Record) -> None:
        draft = self._file.with_name(f"cloud.json.{os.getpid()}")
        with _private(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as descriptor:
            os.write(descriptor, json.dumps(vars(record), indent=2).encode())
        draft.replace(self._file)


def older(content: Path) -> Path:
    """The name for what a cloud held a little earlier, beside that for what it holds."""
    return content.with_name(f"{content.name}.older")


def draft_of(content: Path) -> Path:
    """The name under which it is written."""
    return content.with_name(f"{content.name}.draft")


def drop(content: Path) -> None:
    """Remove all that a cloud has kept, and what it may have been killed over."""
    for left in (content, older(content), draft_of(content)):
        left.unlink(missing_ok=True)


@contextmanager
def _private(path: Path, flags: int) -> Iterator[int]:
    """A file descriptor of a file that only its owner may read."""
    descriptor = os.open(path, flags, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _listening(port: int | None, last: int) -> Iterator[socket.socket]:
    """A socket that listens: on the port that is asked for; else on the last one; else, where that is taken, on any."""
    for candidate in (port,) if port else (last, 0):
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((_HOST, candidate))
            listening.listen(128)
        except (OSError, OverflowError) as error:
            listening.close()
            if port:
                raise BadInput(f"port {port} on {_HOST} cannot be used: {error}; choose another, or none") from error
            continue
        with listening:
            yield listening
            return
    raise OperationFailed(f"no port on {_HOST} is free for the local cloud")


def _is_alive(record: _Record) -> bool:
    """Whether this very process runs, and not another that got its number since."""
    import psutil

    try:
        process = psutil.Process(record.pid)
        # The start time follows the wall clock, which may have been set since.
        if abs(process.create_time() - record.process_started) > 2:
            return False
        # A process that is ending shows as a zombie while threads of it still hold its port.
        return process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1
    except psutil.NoSuchProcess:
        return False


def _request(record: _Record, method: str, path: str, timeout: float, body: str | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(_HOST, record.port, timeout=timeout)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
