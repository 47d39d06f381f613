"""Runs a Pulumi Python program in this process, against a monitor of ours.

Owns what the official language host does around a program: settings, configuration, working directory, module path,
what it prints, and waiting until everything that the program started has settled. Each run has a context of its own and
leaves the process as it found it, so that a program can be run twice (preview, then for real).
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import io
import logging
import os
import runpy
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import isostack
from isostack.engine.events import Diagnostic, Sink
from isostack.engine.interruption import SECONDS_TO_NOTICE, told
from isostack.engine.project import Project, StackConfig
from isostack.engine.sdk_imports import name_by_name
from isostack.engine.sdk_overhead import left_out
from isostack.errors import BadInput, IsostackError, OperationFailed, Refused

# Registrations block a worker thread each; look-ups need further threads beside them.
SPARE_THREADS = 16
SECONDS_TO_END = 2
"""For what is left of a program that has failed or was interrupted; it may not want to end."""


class _Threads(ThreadPoolExecutor):
    """Threads for the SDK's calls: one more for each call that waits for a transform, which may make calls itself."""

    def __init__(self, count: int) -> None:
        super().__init__(count, thread_name_prefix="registration")
        self._counting = threading.Lock()

    @contextlib.contextmanager
    def one_more(self) -> Iterator[None]:
        self._allow(1)
        try:
            yield
        finally:
            self._allow(-1)

    def join(self) -> None:
        """Wait for the calls under way, once it is shut down."""
        for thread in list(self._threads):
            while thread.is_alive():
                thread.join(SECONDS_TO_NOTICE)

    def _allow(self, more: int) -> None:
        with self._counting:
            self._max_workers += more


def run_program(
    project: Project,
    stack: str,
    config: StackConfig,
    monitor: Any,
    sink: Sink,
    *,
    preview: bool,
    parallel: int,
    positions: bool = False,
) -> None:
    """Run the program to its end. With ``positions`` the SDK says where each resource is registered.

    Raises OperationFailed with one line where the program itself fails, and BadInput where a configuration value is
    missing or unfit, or where the program says so of its input (by an ``exit_code`` of 2 on what it raises; of 3: Refused).
    """
    context = contextvars.copy_context()
    context.run(_run, project, stack, config, monitor, sink, preview, parallel, positions)


def _run(
    project: Project,
    stack: str,
    config: StackConfig,
    monitor: Any,
    sink: Sink,
    preview: bool,
    parallel: int,
    positions: bool,
) -> None:
    from pulumi.runtime import config as runtime_config
    from pulumi.runtime import settings

    from isostack.engine.deployment import Interrupted
    from isostack.engine.monitor import EngineService

    settings.configure(
        settings.Settings(
            project=project.name,
            stack=stack,
            monitor=monitor,
            engine=EngineService(sink),
            parallel=parallel,
            dry_run=preview,
            organization="organization",
            root_directory=str(project.root),
        )
    )
    settings.ROOT.set(None)
    runtime_config.set_all_config(dict(config.values), list(config.secret_keys))
    main = project.program()
    loop = asyncio.new_event_loop()
    executor = _Threads(parallel + SPARE_THREADS)
    monitor.transforms.program_at_work = executor.one_more
    loop.set_default_executor(executor)
    deployment, ended = monitor.deployment, False

    def stop() -> None:
        deployment.stop.set()
        if not loop.is_closed():
            loop.call_soon_threadsafe(lambda: None if ended else loop.stop())

    with (
        name_by_name(),
        _surroundings(main, project.root, sink),
        left_out(positions=positions),
        told(stop, _is_in_program) as presses,
        _woken_by_signals(loop),
    ):
        try:
            loop.run_until_complete(_run_in_stack(main, monitor))
        except IsostackError:
            raise
        except KeyboardInterrupt:
            deployment.stop.set()
            raise
        except SystemExit as error:
            if error.code not in (None, 0):
                ending = f" with exit code {error.code}" if isinstance(error.code, int) else f": {error.code}"
                raise OperationFailed(f"{_where(error, project)}the program ended{ending}") from error
        except Exception as error:
            # What ended the run reaches the program as whatever the SDK makes of it.
            with contextlib.suppress(Interrupted):
                deployment.check_stop()
            raise deployment.fatal or _failure(error, project) from error
        finally:
            ended = True
            executor.shutdown(wait=False, cancel_futures=True)
            # The SDK leaves futures behind that nobody asks for what they failed with; that has been told already.
            loop.set_exception_handler(lambda _loop, _context: None)
            if presses.count < 2:
                executor.join()
                _cancel_rest(loop)
                loop.close()
    deployment.check_stop()


async def _run_in_stack(main: Path, monitor: Any) -> None:
    """Like the SDK's ``run_in_stack``, but with a wait that does not look at every output again at each wake-up."""
    from pulumi.runtime import stack as sdk

    await sdk._load_monitor_feature_support()  # type: ignore[attr-defined, no-untyped-call]  # the SDK's own start
    failure: BaseException | None = None
    try:
        root = sdk.Stack()
        runpy.run_path(str(main), run_name="__main__")
        program = root._take_async_program()
        if program is not None:
            root._add_program_outputs(await program())
        root._finish()
    except KeyboardInterrupt:
        raise  # nothing more begins
    except BaseException as error:  # noqa: BLE001 - raised again below, once what has begun has ended
        failure = error
    try:
        await _settle()
    except Exception:
        if failure is None:
            raise
    finally:
        monitor.transforms.close()
        with contextlib.suppress(RuntimeError):  # a wait that an interruption has left behind has no loop any more
            await sdk._shutdown_callbacks()  # type: ignore[attr-defined, no-untyped-call]  # the SDK's own end
    if failure is not None:
        raise failure


async def _settle() -> None:
    """Wait for all registrations and outputs, those that they start included."""
    from pulumi.runtime.settings import SETTINGS

    manager = SETTINGS.rpc_manager
    while True:
        while manager.rpcs:
            await asyncio.sleep(0)
            await manager.rpcs.pop()
        if manager.unhandled_exception is not None:
            raise manager.unhandled_exception.with_traceback(manager.exception_traceback)
        with SETTINGS.lock:
            pending = list(SETTINGS.outputs)
            SETTINGS.outputs.clear()
        if pending:
            done, rest = await asyncio.wait(pending, return_when=asyncio.FIRST_EXCEPTION)
            with SETTINGS.lock:
                SETTINGS.outputs.update(rest)
            for task in done:
                task.result()
        elif not manager.rpcs:
            return


@contextlib.contextmanager
def _woken_by_signals(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Let Ctrl-C end the loop's wait: a signal that arrives just before the wait begins would be seen only after it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    receiver, sender = socket.socketpair()
    with receiver, sender:
        receiver.setblocking(False)
        sender.setblocking(False)
        loop.add_reader(receiver, lambda: receiver.recv(4096))
        before = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)


def _is_in_program(frame: FrameType | None) -> bool:
    """Whether the program's own code is at work, which alone knows when it returns; else it is the SDK or the event loop."""
    while frame is not None and frame.f_code is not _run.__code__:
        file = frame.f_code.co_filename
        folder = next((folder for folder in _not_the_program() if file.startswith(folder)), None)
        if folder is None or "site-packages" in file.removeprefix(folder):
            return True
        frame = frame.f_back
    return False


@functools.cache
def _not_the_program() -> tuple[str, ...]:
    import pulumi

    return tuple(f"{Path(file).parent}{os.sep}" for file in (os.__file__, pulumi.__file__, isostack.__file__))


def _cancel_rest(loop: asyncio.AbstractEventLoop) -> None:
    rest = asyncio.all_tasks(loop)
    for task in rest:
        task.cancel()
    with contextlib.suppress(Exception, KeyboardInterrupt):
        if rest:
            loop.run_until_complete(asyncio.wait(rest, timeout=SECONDS_TO_END))
    for task in rest:
        if task.done() and not task.cancelled():
            task.exception()  # seen: the first failure has been raised already


@contextlib.contextmanager
def _surroundings(main: Path, root: Path, sink: Sink) -> Iterator[None]:
    """The program's working directory, module path, arguments and output; what it changed is put back afterwards."""
    directory, path, argv, environment = Path.cwd(), list(sys.path), sys.argv, dict(os.environ)
    handlers, level = list(logging.root.handlers), logging.root.level
    modules = set(sys.modules)
    output = _Lines(sink)
    os.chdir(main.parent)
    sys.path.insert(0, str(main.parent))
    sys.argv = [str(main)]
    os.environ["ISOSTACK_ENGINE"] = "embedded"  # by which a program can tell
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            yield
    finally:
        output.close()
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = argv
        sys.path[:] = path
        os.chdir(directory)
        forget_modules(modules, root)


def forget_modules(kept: set[str], root: Path) -> None:
    """Drop the program's own modules, so that the next run executes them anew. Installed packages and isostack stay."""
    own = Path(__file__).parent.parent
    for name, module in list(sys.modules.items()):
        if name not in kept and _is_part_of(module, root) and not _is_part_of(module, own):
            del sys.modules[name]


def _is_part_of(module: ModuleType, folder: Path) -> bool:
    """Whether the module lies in the folder; a namespace package does if one of its folders does."""
    if issubclass(type(module), ModuleType):  # others say that they are one, and are not
        known = object.__getattribute__(module, "__dict__")  # any other way loads a lazy module, of which the SDK has hundreds
    else:
        known = {name: getattr(module, name, None) for name in ("__file__", "__path__")}
    files = [file] if (file := known.get("__file__")) else list(known.get("__path__") or ())
    inside, installed = f"{folder}{os.sep}", f"{os.sep}site-packages{os.sep}"
    # As text: there are thousands of modules, and paths are slow to make.
    return any(f"{file}{os.sep}".startswith(inside) and installed not in file for file in files)


class _Lines(io.TextIOBase):
    """Takes what the program prints and passes it on line by line. What comes after the end is dropped."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._rest = ""
        self._over = False

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self._over:
            return len(text)
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._sink(Diagnostic("info", line))
        return len(text)

    def close(self) -> None:
        """End, but stay open: the program's own log handlers may outlive it and hold on to this."""
        if self._rest:
            self._sink(Diagnostic("info", self._rest))
        self._rest, self._over = "", True


def _failure(error: Exception, project: Project) -> IsostackError:
    """What the program raised, as one line for a person."""
    from pulumi.config import ConfigMissingError, ConfigTypeError

    where = _where(error, project)
    text = " ".join(str(error).split()) or "no message"
    if isinstance(error, ConfigMissingError):
        value = "secure: …" if error.secret else "…"
        return BadInput(
            f"{where}the program requires the configuration value {error.key!r}, which is not set; "
            f"add '{error.key}: {value}' to the config of the stack's file"
        )
    if isinstance(error, ConfigTypeError):
        return BadInput(f"{where}{text}; mend it in the stack's file")
    for kind in (BadInput, Refused):
        if getattr(error, "exit_code", None) == kind.exit_code:
            return kind(str(error))
    if isinstance(error, ModuleNotFoundError):
        return OperationFailed(_missing_module(error, project))
    if isinstance(error, SyntaxError) and error.filename:
        return OperationFailed(f"{project.relative(Path(error.filename))}:{error.lineno}: {type(error).__name__}: {error.msg}")
    return OperationFailed(f"{where}{type(error).__name__}: {text}")


def _missing_module(error: ModuleNotFoundError, project: Project) -> str:
    name = (error.name or "").partition(".")[0]
    return (
        f"{_where(error, project)}the program imports {error.name!r}, which is not installed here: "
        f"{sys.executable} -m pip install {name.replace('_', '-')}"
    )


def _where(error: BaseException, project: Project) -> str:
    """File and line of the innermost frame that belongs to the program, as ``file:line: ``."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(project.root) and not {"site-packages", ".venv"}.intersection(path.parts):
            return f"{project.relative(Path(frame.filename))}:{frame.lineno}: "
    return ""
