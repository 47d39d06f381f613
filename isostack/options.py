"""The options and arguments that several commands share: one wording and one type of each."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

Env = Annotated[str, typer.Argument(metavar="ENV", help="The environment: the name of a stack.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output and nothing else.")]
Cwd = Annotated[Path, typer.Option("--cwd", metavar="DIR", help="The Pulumi project to work on.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


class EngineName(StrEnum):
    """Who runs a program."""

    EMBEDDED = "embedded"
    PULUMI = "pulumi"


Engine = Annotated[
    EngineName, typer.Option("--engine", help="Who runs the program: the embedded engine, or the Pulumi CLI on the path.")
]
PolicyPacks = Annotated[
    list[Path] | None,
    typer.Option("--policy-pack", metavar="DIR", help="This pack too, beside the project's own; may be repeated."),
]
PolicyConfigs = Annotated[
    list[Path] | None,
    typer.Option("--policy-pack-config", metavar="FILE", help="A pack's configuration; one for each --policy-pack."),
]

HERE = Path()
"""The default of ``--cwd``."""


def repeated(cwd: Path, engine: EngineName = EngineName.EMBEDDED) -> str:
    """The options ``--cwd`` and ``--engine`` as a command that is named to the person has to repeat them; empty where neither
    was given."""
    by = "" if engine is EngineName.EMBEDDED else f" --engine {engine.value}"
    return by if cwd == HERE else f"{by} --cwd {shlex.quote(str(cwd))}"
