"""The workflow files: sound as GitHub reads them, with no more power than they need, and of commands that there are."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from isostack.cli import app

ROOT = Path(__file__).parent.parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FILES = [*WORKFLOWS, *sorted((ROOT / ".github" / "actions").glob("*/action.yml"))]
SELF_HOSTED = {"playground.yml", "sweep.yml"}
WRITES = {
    ("comment.yml", "comment"): {"pull-requests"},
    ("deploy.yml", "open"): {"id-token"},
    ("deploy.yml", "staging"): {"id-token"},
    ("deploy.yml", "production"): {"id-token"},
    ("reviewed.yml", "plan"): {"id-token"},
    ("reviewed.yml", "apply"): {"id-token"},
}
"""What a job may write; every other one only reads."""
each_file = pytest.mark.parametrize("file", FILES, ids=[f"{file.parent.name}/{file.name}" for file in FILES])
each_workflow = pytest.mark.parametrize("file", WORKFLOWS, ids=[file.name for file in WORKFLOWS])


def document(file: Path) -> dict[str, Any]:
    """A file. YAML 1.1 reads the key ``on`` as true."""
    loaded = yaml.safe_load(file.read_text())
    return {"on" if key is True else key: value for key, value in loaded.items()}


def steps(file: Path) -> Iterator[dict[str, Any]]:
    known = document(file)
    for job in known.get("jobs", {}).values():
        yield from job.get("steps", [])
    yield from known.get("runs", {}).get("steps", [])


def jobs() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for file in WORKFLOWS:
        for name, job in document(file)["jobs"].items():
            yield file.name, name, job


def test_there_are_the_workflows_that_the_docs_name() -> None:
    assert {file.name for file in WORKFLOWS} == {
        "ci.yml", "preview.yml", "comment.yml", "deploy.yml", "reviewed.yml", "sweep.yml", "playground.yml",
    }  # fmt: skip
    guide = (ROOT / "docs" / "ci.md").read_text()
    assert [file.name for file in WORKFLOWS if f"`{file.name}`" not in guide] == []


# -- as GitHub reads them -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["workflows", "actions"])
def test_the_files_keep_to_the_published_schema(kind: str) -> None:
    files = [str(file) for file in FILES if (file in WORKFLOWS) == (kind == "workflows")]
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.github-{kind}", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - this interpreter
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("actionlint") is None, reason="actionlint is not on the path: only the schema is checked")
def test_actionlint_has_nothing_to_say() -> None:
    command = ["actionlint", *map(str, WORKFLOWS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=ROOT)  # noqa: S603 - no shell
    assert done.returncode == 0, done.stdout + done.stderr


# -- no more power than they need ---------------------------------------------------------------------------------------


@each_file
def test_every_action_is_pinned_to_a_commit_and_says_its_version(file: Path) -> None:
    used = [line for line in file.read_text().splitlines() if re.search(r"\buses:", line)]
    foreign = [line for line in used if "uses: ./" not in line]
    assert [line for line in foreign if not re.search(r"uses: [\w.-]+(/[\w.-]+)+@[0-9a-f]{40} # v\d+(\.\d+){2}$", line)] == []


def test_an_action_is_the_same_commit_everywhere() -> None:
    found = {pair for file in FILES for pair in re.findall(r"uses: ([\w./-]+)@(.*)", file.read_text())}
    assert len({name for name, _ in found}) == len(found)


@each_workflow
def test_a_workflow_has_no_permission_and_each_job_asks_for_its_own(file: Path) -> None:
    known = document(file)
    assert known["permissions"] == {}
    for name, job in known["jobs"].items():
        granted = job["permissions"]
        assert {key for key, level in granted.items() if level == "write"} == WRITES.get((file.name, name), set())
        assert set(granted.values()) <= {"read", "write"}


def test_every_job_ends_in_time_and_says_where_it_runs() -> None:
    for file, name, job in jobs():
        if "uses" in job:
            continue
        assert 0 < job["timeout-minutes"] <= 120, (file, name)
        assert (job["runs-on"] == "ubuntu-24.04") == (file not in SELF_HOSTED), (file, name)


def test_everything_that_can_run_twice_at_once_is_in_a_concurrency_group() -> None:
    for file, name, job in jobs():
        reads_only = (file, name) in {("deploy.yml", "check"), ("reviewed.yml", "plan")} or "uses" in job
        assert reads_only or "concurrency" in document(ROOT / ".github/workflows" / file) or "concurrency" in job, (file, name)


def test_nothing_that_changes_an_environment_is_called_off_half_way() -> None:
    for file, name, job in jobs():
        group = job.get("concurrency") or document(ROOT / ".github/workflows" / file).get("concurrency")
        if group and file in ("deploy.yml", "reviewed.yml", "playground.yml", "sweep.yml", "comment.yml"):
            assert group["cancel-in-progress"] is False, (file, name)


@each_file
def test_no_checkout_leaves_its_token_behind(file: Path) -> None:
    for step in steps(file):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@each_file
def test_no_expression_is_put_into_a_shell(file: Path) -> None:
    assert [step["run"] for step in steps(file) if "${{" in step.get("run", "")] == []


def test_what_runs_a_requests_code_has_no_secret_and_no_token_that_writes() -> None:
    for file in WORKFLOWS:
        known, text = document(file), file.read_text()
        assert "pull_request_target" not in known["on"]
        if "pull_request" in known["on"]:
            assert "secrets" not in text, file.name
            assert "github.token" not in text, file.name
            assert "write" not in {level for job in known["jobs"].values() for level in job["permissions"].values()}


def test_what_may_write_a_comment_runs_nothing_but_the_main_branchs_script() -> None:
    found = list(steps(ROOT / ".github" / "workflows" / "comment.yml"))
    assert [step.get("run") for step in found] == [None, "python3 .github/comment.py"]
    assert found[0]["with"]["ref"] == "${{ github.event.repository.default_branch }}"
    imported = re.findall(r"^(?:import|from) (\w+)", (ROOT / ".github" / "comment.py").read_text(), re.MULTILINE)
    assert [name for name in imported if name not in sys.stdlib_module_names] == []


def test_only_branches_of_the_repository_itself_reach_a_machine_of_the_team() -> None:
    for file, name, job in jobs():
        if file == "playground.yml":
            assert "github.event.pull_request.head.repo.full_name == github.repository" in job["if"], name


def test_staging_and_production_are_applied_from_the_plan_that_was_reviewed() -> None:
    apply = document(ROOT / ".github" / "workflows" / "reviewed.yml")["jobs"]["apply"]
    commands = [step["run"] for step in apply["steps"] if "run" in step]
    assert apply["environment"] == "${{ inputs.environment }}"
    assert "sha256sum --check" in commands[0]
    assert "--plan plan.json" in commands[1]
    texts = {name: json.dumps(job) for _, name, job in jobs()}
    assert [name for name, text in texts.items() if re.search("(pulumi|isostack) up", text) and "--plan" not in text] == ["open"]


# -- of commands that there are -----------------------------------------------------------------------------------------


def commands(tool: str) -> list[list[str]]:
    """Every use of a tool in a step, split as a shell would. Redirections and what follows || are left out."""
    found = []
    for file in FILES:
        for step in steps(file):
            for line in step.get("run", "").splitlines():
                for use in re.findall(rf"(?<![\w/-])(?:\.venv/bin/)?{tool} (.*)", line):
                    if not line.lstrip().startswith("echo"):
                        found.append(shlex.split(re.split(r" \|\| | >>?|\)$", use)[0]))
    return found


def accept(arguments: list[str]) -> None:
    """Raise a usage error unless the command line takes these arguments. Nothing is run."""
    command: Any = typer.main.get_command(app)
    context = typer.Context(command)
    while hasattr(command, "resolve_command"):
        _, command, arguments = command.resolve_command(context, arguments)
        context = typer.Context(command, parent=context)
    command.make_context(command.name, list(arguments), parent=context.parent)


def test_every_isostack_command_is_one_that_a_person_can_type() -> None:
    used = commands("isostack")
    assert {" ".join(words[:2]) for words in used} >= {"preview --all", "play up", "play down", "play sweep", "parameters check"}
    for arguments in used:
        accept(arguments)


@pytest.mark.parametrize("wrong", [["previw", "--all"], ["preview", "--al"], ["play", "swep"], ["preview", "--format"]])
def test_a_command_that_there_is_not_would_be_noticed(wrong: list[str]) -> None:
    with pytest.raises(Exception, match=r"No such|requires an argument"):
        accept(wrong)


def test_every_make_target_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text().replace("$(VENV)", ".venv")
    used = commands("make")
    assert used
    assert [target for [target] in used if not re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE)] == []


def test_the_cli_that_deploys_is_of_the_sdks_version() -> None:
    locked = re.search(r"^pulumi==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    given = [step.get("with", {}) for step in steps(ROOT / ".github" / "actions" / "pulumi" / "action.yml")]
    [version] = [inputs["pulumi-version"] for inputs in given if "pulumi-version" in inputs]
    assert locked
    assert version == locked[1]


@pytest.mark.skipif(shutil.which("pulumi") is None, reason="pulumi is not on the path: what deploy.yml types is not checked")
def test_every_pulumi_command_has_its_options_in_the_cli(tmp_path: Path) -> None:
    used = commands("pulumi")
    assert used
    for command, *arguments in used:
        env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PULUMI_EXPERIMENTAL": "true", "PULUMI_SKIP_UPDATE_CHECK": "true"}
        asked = [shutil.which("pulumi") or "pulumi", command, "--help"]
        told = subprocess.run(asked, capture_output=True, text=True, check=True, env=env, timeout=60).stdout  # noqa: S603 - no shell
        assert [option for option in arguments if option.startswith("--") and not re.search(rf"{option}\b", told)] == []
