"""What Ctrl-C does while an engine is at work: the first is told, any further one is raised.

Python raises KeyboardInterrupt between any two of its steps, also where that breaks what was about to happen: an event loop
that has taken a callback from its queue never calls it, a lock may stay held, and what waits for these waits for ever.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


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

    def press(number: int, frame: FrameType | None) -> None:
        presses.count += 1
        if presses.count == 1:
            stop()
        if presses.count > 1 or raised(frame):
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, press)
    try:
        yield presses
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
