"""What Ctrl-C does while an engine is at work: the first is told, a second is raised, and that ends the process where it
is not heeded.

Python raises KeyboardInterrupt between any two of its steps, also where that breaks what was about to happen: an event loop
that has taken a callback from its queue never calls it, a lock may stay held, and what waits for these waits for ever.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType

SECONDS_TO_NOTICE = 0.2
"""The longest wait at a time: a signal that arrives just before a wait begins is seen only after it."""
PATIENCE = 5.0
"""Seconds after the second Ctrl-C, after which the process is ended: a program may swallow each of them."""
pressed = threading.Event()
"""Whether Ctrl-C was pressed while any run was at work."""
_NOT_HEEDED = "error: interrupted twice, and the run did not end; what was done is in the state; run again to go on\n"


@dataclass
class Presses:
    """How often Ctrl-C was pressed so far."""

    count: int = 0


def _never(frame: FrameType | None) -> bool:
    return False


@contextmanager
def told(stop: Callable[[], None], raised: Callable[[FrameType | None], bool] = _never) -> Iterator[Presses]:
    """While the block runs, let the first Ctrl-C call ``stop``, which must not wait. It is raised too where ``raised`` says so
    of the frame that it came upon; a second one always is.

    On other threads than the main one, and where Ctrl-C is ignored or has a handler already, nothing is changed.
    """
    presses = Presses()
    on_main = threading.current_thread() is threading.main_thread()
    if not on_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield presses
        return
    news: queue.SimpleQueue[str] = queue.SimpleQueue()  # the one queue that a signal's handler may use
    threading.Thread(target=_end_if_not_heeded, args=(news,), name="interruption", daemon=True).start()

    def press(number: int, frame: FrameType | None) -> None:
        presses.count += 1
        pressed.set()
        if presses.count == 1:
            stop()
        elif presses.count == 2:
            news.put("pressed again")
        if presses.count > 1 or raised(frame):
            raise KeyboardInterrupt

    try:
        signal.signal(signal.SIGINT, press)
        yield presses
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        news.put("over")


def _end_if_not_heeded(news: queue.SimpleQueue[str]) -> None:
    if news.get() == "over":
        return
    try:
        news.get(timeout=PATIENCE)
    except queue.Empty:
        with suppress(OSError):
            os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, _NOT_HEEDED.encode())
        os._exit(1)
