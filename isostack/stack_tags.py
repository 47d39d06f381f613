"""``isostack tags``: what all of a stack's resources are tagged with, which is what a backend's stack tags ought to say.

Pulumi's stack tags are the backend's and go over with no state; owner, environment and expiry are the program's to say, and it
says them to each resource. So they are taken from there, and no second list can differ from them.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from isostack.composition import project_at, recorded, store_of
from isostack.console import print_json, print_lines
from isostack.options import HERE, Cwd, Debug, Engine, EngineName, Env, Json

if TYPE_CHECKING:
    from isostack.engine.state import Snapshot


def tags(env: Env, as_json: Json = False, cwd: Cwd = HERE, engine: Engine = EngineName.EMBEDDED, debug: Debug = False) -> None:
    """Print what all resources of an environment are tagged with, as commands that make them the CLI's stack tags."""
    project = project_at(cwd)
    found = common_tags(recorded(project, store_of(project), env, engine))
    if as_json:
        print_json(found)
    else:
        stack = shlex.quote(env)
        print_lines(f"pulumi stack tag set -s {stack} {shlex.quote(key)} {shlex.quote(value)}" for key, value in found.items())


def common_tags(snapshot: Snapshot) -> dict[str, str]:
    """The tags that all tagged resources of a stack share, sorted. One that is secret is none."""
    tagged = [r.outputs["tagsAll"] for r in snapshot.resources if isinstance(r.outputs.get("tagsAll"), dict) and not r.external]
    shared = set.intersection(*({(k, v) for k, v in one.items() if isinstance(v, str)} for one in tagged)) if tagged else set()
    return dict(sorted(shared))
