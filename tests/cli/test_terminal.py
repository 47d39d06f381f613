"""What a person sees on a terminal: a live tree that leaves nothing behind but its end."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from pathlib import Path

from tests.cli.mail import RESOURCES, configure, mail_project
from tests.command_line import COMMAND, CommandLine

WIDTH, HEIGHT = 72, 30
_CONTROL = re.compile(r"\x1b\[(\?)?([0-9;]*)([A-Za-z])|\r|\n|[^\x1b\r\n]+")


class Screen:
    """As much of a terminal as is needed: text, carriage return, line feed, cursor up, erasing a line, colours.

    ``overflows`` are the texts that ran over the right edge; ``pictures`` is the screen whenever the cursor was at a
    line's end before it moved up.
    """

    def __init__(self) -> None:
        self.lines = [""]
        self.row = self.column = 0
        self.cursor_hidden = False
        self.overflows: list[str] = []
        self.pictures: list[str] = []

    def feed(self, text: str) -> None:
        """Take what a program writes."""
        for match in _CONTROL.finditer(text):
            private, number, letter = match.groups()
            if letter is None:
                self._write(match[0])
            elif letter == "A":
                self.pictures.append("\n".join(self.lines))
                self.row = max(0, self.row - int(number or 1))
            elif letter == "K":
                self.lines[self.row] = "" if number == "2" else self.lines[self.row][: self.column]
            elif private and number == "25":
                self.cursor_hidden = letter == "l"
            else:
                assert letter == "m", f"the test's terminal does not know {match[0]!r}"

    def _write(self, text: str) -> None:
        if text == "\r":
            self.column = 0
        elif text == "\n":
            self.row += 1
            self.column = 0
            if self.row == len(self.lines):
                self.lines.append("")
        else:
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + text + line[self.column + len(text) :]
            self.column += len(text)
            if self.column > WIDTH:
                self.overflows.append(self.lines[self.row])


def on_a_terminal(isostack: CommandLine, *arguments: str, cwd: Path) -> tuple[int, Screen]:
    """Run a command on a terminal of WIDTH columns and HEIGHT lines."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    process = subprocess.Popen(  # noqa: S603 - this interpreter and our own module
        [*COMMAND, *arguments], cwd=cwd, env=isostack.env(), stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    written = b""
    with contextlib.suppress(OSError):  # the end of a terminal is an error on Linux
        while block := os.read(ours, 65536):
            written += block
    os.close(ours)
    text = written.decode()
    isostack.everything += text
    screen = Screen()
    screen.feed(text)
    return process.wait(), screen


def test_a_live_tree_ends_as_a_tree_with_outputs_and_a_summary(isostack: CommandLine, tmp_path: Path) -> None:
    folder = mail_project(tmp_path, "live")
    code, screen = on_a_terminal(isostack, "up", "dev", cwd=folder)
    end = "\n".join(screen.lines)
    assert code == 0, end
    assert screen.overflows == []
    assert not screen.cursor_hidden
    assert any("under way" in picture for picture in screen.pictures)
    assert "under way" not in end
    assert screen.lines[0] == "Updating dev (live)"
    for label in RESOURCES:
        assert len(re.findall(rf"^[├└│─ ]+\+  {label} created( \d+\.\d\d s)?$", end, re.M)) == 1, end
    assert re.search(r"^[│ ]  [├└]─ \+  aws:sqs:Queue mail-inbox created", end, re.M)
    assert end.index("Outputs:") < end.index("dev: done, 5 created") < end.index("next: isostack outputs dev")

    configure(folder, fifo="true", short="true")
    code, screen = on_a_terminal(isostack, "preview", "dev", cwd=folder)
    end = "\n".join(screen.lines)
    assert "+- aws:sqs:Queue mail-inbox replace" in end
    assert "forces replacement" in end
    assert "dev: would change, 1 to update, 1 to replace, 1 to delete" in end

    code, screen = on_a_terminal(isostack, "destroy", "dev", "--yes", cwd=folder)
    assert code == 0
    assert "dev: done, 5 deleted" in "\n".join(screen.lines)


def test_a_tree_that_is_taller_than_the_terminal_does_not_pile_up(isostack: CommandLine, tmp_path: Path) -> None:
    folder = mail_project(tmp_path, "tall")
    source = folder / "__main__.py"
    long = "a-queue-whose-name-is-longer-than-the-terminal-is-wide-by-far-so-it-is-cut"
    source.write_text(source.read_text() + f"for i in range(50):\n    aws.sqs.Queue(f'{{i}}-{long}')\n")
    code, screen = on_a_terminal(isostack, "up", "dev", cwd=folder)
    end = "\n".join(screen.lines)
    assert code == 0, end
    assert screen.overflows == []
    assert end.count("-a-queue-whose-name") == 50
    assert end.count("Updating dev (tall)") == 1
    assert max(picture.count("\n") for picture in screen.pictures) < HEIGHT
    isostack("destroy", "dev", "--yes", cwd=folder)


def test_errors_come_last_and_in_full_on_a_narrow_terminal(isostack: CommandLine, tmp_path: Path) -> None:
    folder = mail_project(tmp_path, "narrow")
    source = folder / "__main__.py"
    source.write_text(source.read_text() + "aws.sqs.Queue('bad', name='not a name!')\npulumi.warn('w ' * 60 + 'end')\n")
    code, screen = on_a_terminal(isostack, "up", "dev", cwd=folder)
    end = " ".join(" ".join(screen.lines).split())
    assert code == 1
    assert screen.overflows == []
    warning, error = end.index("warning: w w"), end.index("error: bad (aws:sqs/queue:Queue) could not be created:")
    assert warning < end.index("w end") < error < end.index("dev: failed, 5 created")
    isostack("destroy", "dev", "--yes", cwd=folder)
