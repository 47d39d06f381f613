"""Writes small policy packs, and attaches them to what the engine runs."""

from __future__ import annotations

import itertools
import json
import textwrap
from pathlib import Path
from typing import Any

from isostack.engine.project import StackConfig, load_project
from isostack.policy.analyzer import Policies
from isostack.policy.attach import attach

_numbers = itertools.count(1)

# A pack of one policy on all Things, whose validate says what it does to (args, report).
ONE = """
from pulumi_policy import *

THING = "aws:test/thing:Thing"

def validate(args, report):
    if args.resource_type == THING:
{body}

PolicyPack("small", [ResourceValidationPolicy("one", "Things are as they should be", validate)], EnforcementLevel.{level})
"""
STACK = """
from pulumi_policy import *

def validate(args, report):
{body}

PolicyPack("small", [StackValidationPolicy("whole", "The whole is as it should be", validate)], EnforcementLevel.{level})
"""


def write(folder: Path, source: str, file: str = "runtime: python\nversion: 1.2.3\n") -> Path:
    """A pack in a folder of its own, below this one."""
    pack = folder / f"pack-{next(_numbers)}"
    pack.mkdir(parents=True)
    (pack / "PulumiPolicy.yaml").write_text(file)
    (pack / "__main__.py").write_text(textwrap.dedent(source))
    return pack


def one(folder: Path, body: str, *, level: str = "MANDATORY", template: str = ONE) -> Path:
    """A pack of one policy; ``body`` is what it does with a Thing, or with the stack."""
    indent = " " * (8 if template is ONE else 4)
    return write(folder, template.format(body=textwrap.indent(textwrap.dedent(body), indent), level=level))


def attached(folder: Path, *packs: Path, config: dict[str, Any] | None = None, **values: str) -> Policies:
    """These packs, for a stack ``dev`` with these configuration values; ``config`` is the first pack's."""
    project = folder / "judged"
    project.mkdir(exist_ok=True)
    (project / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    files = []
    if config is not None:
        files = [folder / f"config-{next(_numbers)}.json"]
        files[0].write_text(json.dumps(config))
    loaded = load_project(project)
    policies = attach(loaded, StackConfig("dev", loaded.stack_file("dev"), values), packs, files)
    assert policies is not None
    return policies
