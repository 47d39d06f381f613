"""What the command line says of itself, and of what people type."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.mail import mail_project
from tests.command_line import CommandLine, project

COMMANDS = (
    "up", "preview", "destroy", "refresh", "outputs", "export", "import", "status",
    "cloud start", "cloud stop", "cloud status", "cloud reset",
)  # fmt: skip


def test_help_lists_every_command_and_each_explains_itself(isostack: CommandLine, tmp_path: Path) -> None:
    top, cloud = isostack("--help", cwd=tmp_path), isostack("cloud", "-h", cwd=tmp_path)
    assert (top.code, cloud.code) == (0, 0)
    for command in COMMANDS:
        assert f"\n  {command.split()[-1]} " in (cloud if command.startswith("cloud ") else top).out
    one = isostack("up", "--help", cwd=tmp_path).out
    for option in ("--json", "--cwd", "--target", "--parallel", "--skip-preview", "--refresh", "--debug"):
        assert f"  {option}" in one
    assert isostack(cwd=tmp_path).code == 2
    assert "Usage:" in isostack("cloud", cwd=tmp_path).out + isostack("cloud", cwd=tmp_path).err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("up",), "ENV"),
        (("up", "dev", "--no-such-option"), "--no-such-option"),
        (("upp", "dev"), "upp"),
        (("up", "dev", "--parallel", "0"), "--parallel"),
        (("up", "dev", "--cwd", "nowhere"), "nowhere"),
        (("up", "prod"), "no environment 'prod' in usage; there are dev"),
        (("up", "de v"), "de v"),
        (("destroy", "dev", "--yes"), "dev has no state yet; bring it up first: isostack up dev"),
        (("outputs", "dev"), "dev has no state yet"),
        (("export", "dev"), "dev has no state yet"),
        (("outputs", "prod"), "no environment 'prod'"),
        (("import", "dev", "no-such-file.json"), "no-such-file.json"),
        (("cloud", "reset"), "--yes"),
        (("cloud", "start", "--port", "many"), "--port"),
    ],
)
def test_bad_usage_is_one_line_or_one_document_and_code_2(
    isostack: CommandLine, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    folder = mail_project(tmp_path, "usage")
    ran = isostack(*arguments, cwd=folder)
    assert ran.code == 2
    assert ran.out in ("", "Updating dev (usage)\n")
    (line,) = ran.err.splitlines()
    assert line.startswith("error: ")
    assert said in line
    machine = isostack(*arguments, "--json", cwd=folder)
    assert (machine.code, machine.err) == (2, "")
    assert machine.json["exit_code"] == 2
    assert machine.json["result"] == "failed"
    assert said in machine.json["diagnostics"][0]["message"]


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("name: [broken\n", 2, "Pulumi.yaml, line 2"),
        ("runtime: python\n", 2, "no 'name'"),
        ("name: other\nruntime: nodejs\n", 3, "Pulumi CLI"),
        ("name: other\nruntime: python\nmain: src\n", 2, "'src'"),
        ("name: other\nruntime: python\n", 2, "__main__.py"),
    ],
)
def test_a_broken_project_says_what_to_mend(isostack: CommandLine, tmp_path: Path, text: str, code: int, said: str) -> None:
    folder = project(tmp_path / "other", "", name="other")
    (folder / "Pulumi.yaml").write_text(text)
    (folder / "__main__.py").unlink()
    ran = isostack("up", "dev", cwd=folder)
    assert ran.code == code
    assert said in ran.err
    assert len([line for line in ran.err.splitlines() if line.startswith("error: ")]) == 1


def test_outside_of_a_project_it_says_so(isostack: CommandLine, tmp_path: Path) -> None:
    ran = isostack("status", cwd=tmp_path)
    assert ran.code == 2
    assert "Pulumi.yaml" in ran.err


def test_debug_shows_the_traceback(isostack: CommandLine, tmp_path: Path) -> None:
    ran = isostack("status", "--debug", cwd=tmp_path)
    assert ran.code == 2
    assert "Traceback" in ran.err
    assert ran.err.splitlines()[-1].startswith("error: ")


def test_a_terminal_that_knows_only_ascii_is_no_reason_to_fail(isostack: CommandLine, tmp_path: Path) -> None:
    folder = mail_project(tmp_path, "ascii")
    ran = isostack("preview", "dev", cwd=folder, env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert ran.code == 0
    assert ran.out.isascii()
    assert "mail-inbox create" in ran.out
