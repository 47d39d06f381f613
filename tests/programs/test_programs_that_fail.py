"""Programs that cannot run are refused or fail with one clear message, and change nothing that they need not."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.command_line import CommandLine, program, project

QUEUE = 'import pulumi\nimport pulumi_aws as aws\n\nqueue = aws.sqs.Queue("made-first")\n'


def test_all_that_is_not_supported_is_refused_at_once_and_nothing_is_changed(isostack: CommandLine, tmp_path: Path) -> None:
    folder = program("bad_unsupported", tmp_path)
    ran = isostack("up", "dev", cwd=folder)
    assert ran.code == 3
    for what in (
        "dynamic provider of greeting",
        "resource hook 'tell'",
        "aws:sagemaker/notebookInstance:NotebookInstance",
        "aws:sagemaker/notebookInstanceLifecycleConfiguration:NotebookInstanceLifecycleConfiguration",
        "aws:kinesis/stream:Stream",
    ):
        assert ran.err.count(f"{what} ") + ran.err.count(f"{what}\n") == 1, ran.err
    assert ran.err.count("error:") == 1
    assert "Pulumi CLI" in ran.err
    assert resources_of(isostack, folder, "dev") == 0
    assert isostack("preview", "dev", cwd=folder).code == 3

    document = isostack("up", "dev", "--json", cwd=folder)
    assert document.code == 3
    assert document.json["result"] == "refused"
    assert document.json["exit_code"] == 3
    assert not any(document.json["changes"].values())
    assert "aws:kinesis/stream:Stream" in document.json["diagnostics"][0]["message"]


@pytest.mark.parametrize(
    ("source", "code", "said"),
    [
        pytest.param(
            QUEUE + 'raise RuntimeError("the sky\\nfell")\n',
            1,
            "__main__.py:5: RuntimeError: the sky fell",
            id="raises",
        ),
        pytest.param(
            QUEUE + "def fail(_):\n    raise KeyError('size')\npulumi.Output.from_input(1).apply(fail)\n",
            1,
            "__main__.py:6: KeyError: 'size'",
            id="raises in an apply",
        ),
        pytest.param(QUEUE + "import numpie_extra\n", 1, "pip install numpie-extra", id="imports what is missing"),
        pytest.param(QUEUE + "def broken(:\n", 1, "__main__.py:5: SyntaxError", id="is no Python"),
        pytest.param(QUEUE + 'import sys\nsys.exit("not today")\n', 1, "ended: not today", id="exits"),
        pytest.param(
            QUEUE + 'aws.sqs.Queue("made-first")\n',
            1,
            "duplicate URN urn:pulumi:dev::small::aws:sqs/queue:Queue::made-first",
            id="registers a name twice",
        ),
        pytest.param(
            QUEUE + 'pulumi.Config().require("colour")\n',
            2,
            "'small:colour', which is not set",
            id="misses configuration",
        ),
        pytest.param(
            QUEUE + 'pulumi.export("x", pulumi.Config("aws").require_int("region"))\n',
            2,
            "'aws:region' value 'eu-west-1' is not a valid",
            id="has unfit configuration",
        ),
        pytest.param(
            QUEUE + 'aws.sqs.get_queue(name="no-such-queue")\n',
            1,
            "__main__.py:5: ",
            id="looks up what is not there",
        ),
    ],
)
def test_a_program_that_fails_says_why_in_one_line_and_changes_nothing(
    isostack: CommandLine, tmp_path: Path, source: str, code: int, said: str
) -> None:
    folder = project(tmp_path / "small", source, dev="config:\n  aws:region: eu-west-1\n")
    ran = isostack("up", "dev", cwd=folder)
    assert ran.code == code, ran.out + ran.err
    (error,) = [line for line in (ran.out + ran.err).splitlines() if line.startswith("error: ")]
    assert said in error
    assert "Traceback" not in ran.out + ran.err
    assert resources_of(isostack, folder, "dev") == 0


def test_a_declared_value_that_is_missing_is_named_with_its_description(isostack: CommandLine, tmp_path: Path) -> None:
    folder = program("webshop", tmp_path)
    stack_file = folder / "config" / "Pulumi.dev.yaml"
    stack_file.write_text(stack_file.read_text().replace("  webshop:domain: dev.shop.example\n", ""))
    ran = isostack("up", "dev", cwd=folder)
    assert ran.code == 2
    assert "webshop:domain has no value (The zone that the shop's names live in)" in ran.err


def test_a_program_that_never_ends_can_be_interrupted_and_carried_on(isostack: CommandLine, tmp_path: Path) -> None:
    folder = program("bad_endless", tmp_path)
    process = isostack.starts("up", "dev", cwd=folder)
    assert process.stdout is not None
    for line in process.stdout:
        if "Queue first created" in line:
            break
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "interrupted" in rest
    assert errors == ""

    urns = [r["urn"] for r in isostack("export", "dev", cwd=folder).json["deployment"]["resources"]]
    assert [urn.rpartition("::")[2] for urn in urns if "sqs" in urn] == ["first"]

    (folder / "Pulumi.dev.yaml").write_text("config:\n  bad-endless:wait: false\n")
    carried_on = isostack("up", "dev", "--json", cwd=folder).json
    assert carried_on["result"] == "succeeded"
    assert carried_on["changes"]["create"] == 1
    assert "second-" in carried_on["outputs"]["second"]
    assert isostack("destroy", "dev", "--yes", cwd=folder).code == 0


def resources_of(isostack: CommandLine, folder: Path, stack: str) -> int:
    """How many resources the state has of the stack."""
    rows = isostack("status", "--json", cwd=folder).json["environments"]
    return sum(row["resources"] for row in rows if row["environment"] == stack)
