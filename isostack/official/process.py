"""The ``pulumi`` on the path as a process: which version it is, with which environment it runs, what it says of a run while it
runs, and what its errors mean.

Stands on Pulumi's Automation API for finding and running the CLI and for telling its errors apart. How events and plans read is
:mod:`isostack.official.events`' and :mod:`isostack.official.planned`'s.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Final

import grpc
from google.protobuf import empty_pb2
from pulumi.automation import CommandError, CommandResult, PulumiCommand, StackNotFoundError
from pulumi.automation.errors import ConcurrentUpdateError, InvalidVersionError
from pulumi.runtime.proto import events_pb2_grpc
from semver import VersionInfo

from isostack.engine.project import CLOUD_KEY
from isostack.engine.secrets import PASSPHRASE, PASSPHRASE_FILE
from isostack.errors import BadInput, Locked
from isostack.localcloud.launchers import environment_for_cli, unwanted

if TYPE_CHECKING:
    from isostack.engine.operation import Stack

INSTALL: Final = "curl -fsSL https://get.pulumi.com | sh"
# The first one that sends its events over a connection, as they happen.
OLDEST: Final = VersionInfo(3, 206, 0)
REAL_CLOUD: Final = "aws"
_MESSAGE_BYTES: Final = 400 * 1024 * 1024  # as much as Pulumi itself allows
_HOLDER: Final = re.compile(r"created by (\S+) \(pid (\d+)\) at (\S+)")

OnEvent = Callable[[dict[str, Any]], None]


class Cli:
    """The CLI on one stack. Raises BadInput where there is none, or one that is too old."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._command = _find()
        self.in_account = _lives_in_an_account(stack)
        if not self.in_account:
            _refuse_far_backend(stack)
            self._command.without = unwanted()
        self._environment = environment(stack)

    @property
    def version(self) -> str:
        """The CLI's own."""
        return str(self._command.version)

    @property
    def interrupted(self) -> bool:
        """Whether a Ctrl-C was passed on to the CLI."""
        return self._command.interrupted

    def export(self) -> dict[str, Any] | None:
        """What ``pulumi stack export`` says, secrets sealed; None where the backend has no such stack."""
        try:
            done = self.run(["stack", "export"])
        except StackNotFoundError:
            return None
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def make_stack(self) -> None:
        """Make the stack in the backend; the CLI writes the salt of its secrets into the stack's file."""
        self.run(["stack", "init", "--no-select"], positional=[self.stack.name])

    def tag(self, tags: Mapping[str, str]) -> None:
        """Set the stack's tags, those that are new or other ones."""
        known = json.loads(self.run(["stack", "tag", "ls", "--json"]).stdout)
        for name, value in tags.items():
            if known.get(name) != value:
                self.run(["stack", "tag", "set"], positional=[name, value])

    def operate(self, arguments: Sequence[str], on_event: OnEvent) -> None:
        """Run an operation, telling its events. Raises CommandError as the CLI ends with one, Locked where others are at it."""
        with _listening(on_event) as address:
            self.run([*arguments, "--color", "never", "--event-log", address])

    def run(self, arguments: Sequence[str], positional: Sequence[str] = ()) -> CommandResult:
        """Run a command on the stack. Raises Locked, BadInput for a wrong passphrase, or another CommandError."""
        selected = [] if positional == [self.stack.name] else ["--stack", self.stack.name]
        command = [*arguments, *selected, *(["--", *positional] if positional else [])]
        planned = {"--plan", "--save-plan"}.intersection(arguments)
        # Without the first the CLI knows no plans, without the second no event log.
        more = {**({"PULUMI_EXPERIMENTAL": "true"} if planned else {}), "PULUMI_DEBUG_COMMANDS": "true"}
        try:
            return self._command.run(command, str(self.stack.project.root), {**self._environment, **more})
        except ConcurrentUpdateError as error:
            wait = f"wait until that run has ended, or, where its process is gone: pulumi cancel -s {self.stack.name}"
            raise Locked(f"{self.stack.name} is locked: {_holder(error)}; {wait}") from None
        except CommandError as error:
            if "incorrect passphrase" not in said(error):
                raise
            mend = f"set {PASSPHRASE} (or {PASSPHRASE_FILE}) to the one they were made with"
            raise BadInput(f"{self.stack.name}: the passphrase does not open this stack's secrets; {mend}") from None


def environment(stack: Stack) -> dict[str, str]:
    """The variables, beside this process's own, for a stack: the local cloud's, unless its configuration says ``aws``."""
    # A program without an environment of its own runs in this one, as it does on the embedded engine.
    own = {"PULUMI_SKIP_UPDATE_CHECK": "true", "PULUMI_PYTHON_CMD": os.environ.get("PULUMI_PYTHON_CMD", sys.executable)}
    if _lives_in_an_account(stack):
        return own  # the backend, the passphrase and the credentials are the person's
    return {**own, **environment_for_cli(stack.store.home)}


def _lives_in_an_account(stack: Stack) -> bool:
    return stack.config.values.get(CLOUD_KEY) == REAL_CLOUD


def _refuse_far_backend(stack: Stack) -> None:
    """Raise BadInput where the state of a stack of this machine's cloud would be kept far from it, for others to find."""
    url = os.environ.get("PULUMI_BACKEND_URL", "")
    if url and not url.startswith("file:") and not re.search(r"\b(localhost|127\.0\.0\.1)\b", url):
        kind = url.partition(":")[0]
        kept = f"{stack.name} lives on this machine's local cloud, and PULUMI_BACKEND_URL names a backend elsewhere ({kind})"
        file = stack.project.relative(stack.config.file)
        raise BadInput(f"{kept}: for a real account set {CLOUD_KEY}: {REAL_CLOUD} in {file}, or else unset the variable")


def said(error: CommandError) -> str:
    """What the CLI says is wrong, in its words, without its decoration."""
    text = str(error).partition("\n stderr: ")[2] or str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")] or lines[-3:]
    return "; ".join(dict.fromkeys(told)) or "the Pulumi CLI does not say why"


class _Command(PulumiCommand):
    """Runs the CLI in a process group of its own, so that a Ctrl-C reaches it once, from here; and waits for its end."""

    interrupted = False
    without: Collection[str] = ()
    """The variables of this process that it must not have."""

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Callable[[str], Any] | None = None,
        on_error: Callable[[str], Any] | None = None,
    ) -> CommandResult:
        kept = {name: value for name, value in os.environ.items() if name not in self.without}
        own = {**kept, **additional_env, "PULUMI_AUTOMATION_API": "true"}
        process = subprocess.Popen(  # noqa: S603 - the person's own pulumi
            [self.command, "--non-interactive", *args],
            cwd=cwd,
            env=own,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            process_group=0,
        )
        with process, _ends_as_by_ctrl_c():
            texts = [_Reader(process.stdout), _Reader(process.stderr)]
            while process.poll() is None:
                try:
                    process.wait()
                except KeyboardInterrupt:
                    self.interrupted = True
                    process.send_signal(signal.SIGINT)
            out, err = (text.whole() for text in texts)
        result = CommandResult(stdout=out, stderr=err, code=process.returncode)
        if process.returncode:
            raise _error(result)
        return result


@contextmanager
def _ends_as_by_ctrl_c() -> Iterator[None]:
    """SIGTERM and SIGHUP as a Ctrl-C: without its reader the CLI would die at its next word, and leave its lock behind."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    in_turn = threading.current_thread() is threading.main_thread()
    numbers = [one for one in (signal.SIGTERM, signal.SIGHUP) if in_turn and signal.getsignal(one) is signal.SIG_DFL]
    for number in numbers:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


class _Reader:
    """Reads a stream to its end on a thread of its own."""

    def __init__(self, stream: IO[str] | None) -> None:
        self._text = ""
        self._stream = stream
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        self._text = self._stream.read() if self._stream else ""

    def whole(self) -> str:
        self._thread.join()
        return self._text


def _error(result: CommandResult) -> CommandError:
    from pulumi.automation.errors import create_command_error

    error: CommandError = create_command_error(result)
    return error


def _find() -> _Command:
    """The CLI on the path. Raises BadInput with the command that installs it."""
    if shutil.which("pulumi") is None:
        raise BadInput(f"--engine pulumi runs the Pulumi CLI, and there is no pulumi on the path; install it: {INSTALL}")
    try:
        return _Command(version=OLDEST)
    except InvalidVersionError as error:
        problem = _version_problem(error)
        raise BadInput(f"the Pulumi CLI on the path does not fit: {problem}; install a newer one: {INSTALL}") from None
    except (OSError, subprocess.SubprocessError) as error:
        raise BadInput(f"the Pulumi CLI on the path does not run ({error}); install it anew: {INSTALL}") from None


def _version_problem(error: InvalidVersionError) -> str:
    found = re.search(r"current CLI version is (\S+?)\.? ", f"{error} ")
    return f"it is version {found[1]}, and --engine pulumi needs {OLDEST}" if found else " ".join(str(error).split())


def _holder(error: CommandError) -> str:
    found = _HOLDER.search(str(error))
    return f"{found[1]} (process {found[2]}) runs it since {found[3]}" if found else said(error)


# -- events ------------------------------------------------------------------------------------------------------------


class _Events(events_pb2_grpc.EventsServicer):
    """Takes the engine's events as JSON. The Automation API's own classes for them leave a policy's severity out."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event

    def StreamEvents(self, request_iterator: Iterator[Any], context: grpc.ServicerContext) -> Any:
        for request in request_iterator:
            self._on_event(json.loads(request.event))
        return empty_pb2.Empty()


@contextmanager
def _listening(on_event: OnEvent) -> Iterator[str]:
    """A loopback address that takes events while the block runs; all that were sent have been told at its end."""
    problems: list[BaseException] = []

    def guarded(event: dict[str, Any]) -> None:
        try:
            on_event(event)
        except Exception as error:  # noqa: BLE001 - raised where the run ends; the CLI would only hear that a stream broke
            problems.append(error)

    server = grpc.server(ThreadPoolExecutor(2), options=[("grpc.max_receive_message_length", _MESSAGE_BYTES)])
    events_pb2_grpc.add_EventsServicer_to_server(_Events(guarded), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"tcp://127.0.0.1:{port}"
    finally:
        server.stop(grace=5).wait()
    if problems:
        raise problems[0]


__all__ = ["INSTALL", "OLDEST", "REAL_CLOUD", "Cli", "CommandError", "environment", "said"]
