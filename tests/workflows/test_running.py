"""Steps run as the workflows have them: the preview in a checkout of a request that is merged into its base."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from isostack.playground.names import cleaned, stack_of
from tests.command_line import CommandLine, project
from tests.workflows.github import NUMBER, run
from tests.workflows.test_comment import comment
from tests.workflows.test_files import ROOT, steps

PROGRAM = "import pulumi\nimport pulumi_aws as aws\n\naws.sqs.Queue('jobs', visibility_timeout_seconds={})\n"
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main")
PAGE = "https://github.com/example-shop/platform/actions/runs/77"


def git(folder: Path, *arguments: str) -> None:
    subprocess.run([*GIT, *arguments], cwd=folder, check=True, capture_output=True, timeout=30)  # noqa: S603 - no shell


@pytest.fixture
def merged(tmp_path: Path) -> Path:
    """The base has moved on since the request was begun; the request changes a queue."""
    folder = project(tmp_path / "checkout", PROGRAM.format(60), dev="config: {}\n")
    (folder / ".gitignore").write_text(".venv\npreview\nhome\n")
    git(folder, "init")
    git(folder, "add", "-A")
    git(folder, "commit", "-m", "begin")
    git(folder, "checkout", "-b", "request")
    (folder / "__main__.py").write_text(PROGRAM.format(90))
    git(folder, "commit", "-am", "longer")
    git(folder, "checkout", "main")
    (folder / "words.md").write_text("on main")
    git(folder, "add", "-A")
    git(folder, "commit", "-m", "words")
    git(folder, "merge", "--no-ff", "-m", "merged", "request")
    standing_in(folder, f'exec {sys.executable} -m isostack.cli "$@"')
    return folder


def step(folder: Path, workflow: str, name: str) -> int:
    """Run a step as GitHub's runner does; its exit code."""
    [script] = [one["run"] for one in steps(ROOT / ".github" / "workflows" / workflow) if one.get("name") == name]
    shell = ["bash", "--noprofile", "--norc", "-e", "-c", script]
    env = CommandLine(folder / "home").env({"NUMBER": str(NUMBER), "RUN_PAGE": PAGE, "RUNNER_TRACKING_ID": "github_1"})
    done = subprocess.run(shell, cwd=folder, env=env, check=False, capture_output=True, text=True, timeout=120)  # noqa: S603 - ours
    return done.returncode


def standing_in(folder: Path, script: str) -> None:
    """A command of ours in place of isostack."""
    command = folder / ".venv" / "bin" / "isostack"
    command.parent.mkdir(parents=True)
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)


def test_the_preview_step_leaves_all_that_the_comment_and_the_artefact_need(merged: Path) -> None:
    assert step(merged, "preview.yml", "preview") == 0
    left = merged / "preview"
    assert {file.name for file in left.iterdir()} == {"number", "comment.md", "page.html", "preview.json"}
    text = (left / "comment.md").read_text()
    assert "60 => 90" in text
    section = comment.section_of(run(), text, "https://github.com/example-shop/platform")
    assert section.startswith(text.removeprefix("<!-- isostack preview -->\n").strip())
    assert f"[Everything, as a page]({PAGE}#artifacts)" in section


def test_a_request_that_fails_leaves_its_comment_and_the_run_is_red(merged: Path) -> None:
    (merged / "__main__.py").write_text("raise KeyError('region')\n")
    git(merged, "commit", "-am", "broken")
    assert step(merged, "preview.yml", "preview") == 1
    assert "KeyError" in (merged / "preview" / "comment.md").read_text()


ADDRESS = "http://shop.127.0.0.1.nip.example:4566/"
PLAYGROUND = """
echo "$* tracked=$RUNNER_TRACKING_ID" >>said
case "$1 $2" in "outputs play-pr-12") echo ADDRESS;; "play up") exit CODE;; esac
"""


def test_the_playgrounds_address_goes_into_the_comment(tmp_path: Path) -> None:
    standing_in(tmp_path, PLAYGROUND.replace("ADDRESS", ADDRESS).replace("CODE", "0"))
    assert step(tmp_path, "playground.yml", "up") == 0
    said = (tmp_path / "said").read_text().splitlines()
    assert said == [f"play up pr-{NUMBER} tracked=", f"outputs {stack_of(cleaned(f'pr-{NUMBER}'))} url tracked="]
    section = comment.section_of(
        run("playground"), (tmp_path / "playground" / "comment.md").read_text(), "https://github.com/a/b"
    )
    assert ADDRESS in section
    assert "too long" not in section


def test_a_playground_that_fails_is_told_in_the_comment(tmp_path: Path) -> None:
    standing_in(tmp_path, PLAYGROUND.replace("CODE", "1"))
    assert step(tmp_path, "playground.yml", "up") == 1
    assert {file.name for file in (tmp_path / "playground").iterdir()} == {"number"}
    assert "did not come to an end" in comment.section_of(run("playground"), "", "https://github.com/a/b")


@pytest.mark.parametrize("there", ["pr-12", "pr-123"])
def test_a_playground_goes_if_it_is_still_there_and_the_comment_says_so(tmp_path: Path, there: str) -> None:
    listed = json.dumps({"project": "shop", "playgrounds": [{"name": there, "owner": "ci"}]}, indent=2)
    standing_in(tmp_path, f"""echo "$*" >>said; if [ "$2" = list ]; then echo '{listed}'; fi""")
    assert step(tmp_path, "playground.yml", "down") == 0
    downs = ["play down pr-12 --no-snapshot"] if there == "pr-12" else []
    assert (tmp_path / "said").read_text().splitlines() == ["play list --json", *downs]
    assert "is gone" in (tmp_path / "playground" / "comment.md").read_text()
