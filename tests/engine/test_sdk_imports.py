"""Generated packages are loaded name by name, and look as if loaded whole. Each test has an interpreter of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

LAZILY = "from isostack.engine.sdk_imports import name_by_name\nwith name_by_name():\n"
AS_USUAL = "if True:\n"


def outcome(program: str, how: str = LAZILY) -> Any:
    """What a program prints as JSON."""
    body = "import json, sys\nimport pulumi_aws as aws\n" + program
    code = how + "".join(f"    {line}\n" for line in body.splitlines())
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603 - our own
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_only_what_a_program_uses_is_imported() -> None:
    program = "aws.ec2.Vpc, aws.sqs.Queue\nprint(json.dumps([name for name in sys.modules if name.startswith('pulumi_aws.')]))"
    lazily, whole = set(outcome(program)), set(outcome(program, AS_USUAL))
    assert {"pulumi_aws.ec2.vpc", "pulumi_aws.sqs.queue"} <= lazily < whole
    assert "pulumi_aws.ec2._inputs" in whole - lazily


@pytest.mark.parametrize("service", ["iam", "lb", "s3", "ec2"])
def test_every_name_is_what_it_would_have_been(service: str) -> None:
    program = (
        f"names = [name for name in dir(aws.{service}) if not name.startswith('_')]\n"
        f"found = {{name: getattr(aws.{service}, name) for name in names}}\n"
        "print(json.dumps({name: [type(value).__name__, getattr(value, '__module__', '')] for name, value in found.items()}))"
    )
    whole = outcome(program, AS_USUAL)
    # What an __init__ imports for itself, and the modules that it imports from, are no names that anybody uses.
    exported = {name: what for name, what in whole.items() if what[0] != "module" or name == "outputs"}
    lazily = outcome(program)
    assert {name: lazily.get(name) for name in exported} == exported


def test_a_name_that_a_module_has_too_is_what_the_module_defines() -> None:
    program = (
        "import pulumi_aws.ec2.get_ami\n"
        "from pulumi_aws.ec2.get_vpc import get_vpc\n"
        "print(json.dumps([callable(aws.ec2.get_ami), callable(get_vpc), aws.ec2.get_vpc is get_vpc]))"
    )
    assert outcome(program) == [True, True, True]


def test_everything_can_be_imported_at_once() -> None:
    program = (
        "names = {}\nexec('from pulumi_aws.sqs import *', names)\nprint(json.dumps(sorted(n for n in names if n[0] != '_')))"
    )
    assert {"Queue", "QueueArgs", "get_queue"} <= set(outcome(program))
    assert set(outcome(program)) <= set(outcome(program, AS_USUAL))


def test_a_name_that_is_not_there_is_the_usual_error() -> None:
    program = "try:\n    aws.ec2.Nothing\nexcept AttributeError as error:\n    print(json.dumps(str(error)))"
    assert outcome(program) == outcome(program, AS_USUAL) == "module 'pulumi_aws.ec2' has no attribute 'Nothing'"


def test_what_few_programs_use_of_the_sdk_is_loaded_at_its_first_use() -> None:
    code = (
        "import sys\n"
        "from isostack.engine.sdk_imports import seldom_used_later\n"
        "with seldom_used_later():\n"
        "    import pulumi\n"
        "before = 'dill' in sys.modules\n"
        "from pulumi.dynamic import ResourceProvider\n"
        "print(before, 'dill' in sys.modules, ResourceProvider.__name__, pulumi.automation.Stack.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603 - our own
    assert done.stdout.split() == ["False", "True", "ResourceProvider", "Stack"], done.stderr
