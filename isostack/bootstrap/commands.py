"""The commands ``isostack bootstrap …``: say what an account would get, and make it when told to.

They are for an account's administrator, who names a profile; without one they work in the local cloud, to be looked at.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isostack.console import Console, console, print_json
from isostack.errors import BadInput, Refused
from isostack.options import HERE, Cwd, Debug, Json

if TYPE_CHECKING:
    from isostack.bootstrap.things import Reach, Thing
    from isostack.parameters import Gates

bootstrap_app = typer.Typer(help="What an account needs before the first run.", no_args_is_help=True)

Bucket = Annotated[str, typer.Argument(metavar="s3://BUCKET", help="The bucket for the state.")]
Profile = Annotated[str | None, typer.Option("--profile", help="The AWS profile to work with; the local cloud without one.")]
Region = Annotated[str | None, typer.Option("--region", help="The region; the profile's if none is given.")]
DoIt = Annotated[bool, typer.Option("--yes", "-y", help="Do it; without, what would be done is told.")]


@bootstrap_app.command("state")
def state(
    bucket: Bucket,
    profile: Profile = None,
    region: Region = None,
    yes: DoIt = False,
    as_json: Json = False,
    cwd: Cwd = HERE,
    debug: Debug = False,
) -> None:
    """The bucket for state and its key: versioned, encrypted, closed."""
    from isostack.bootstrap.reach import told
    from isostack.bootstrap.state import state_things

    with told():
        reach = _reach(cwd, profile, region)
        _do(reach, state_things(reach, _parts(bucket)[0]), yes, as_json)


@bootstrap_app.command("pipeline")
def pipeline(
    bucket: Bucket,
    repository: Annotated[str, typer.Option("--repository", metavar="OWNER/NAME", help="The repository on GitHub.")],
    environments: Annotated[list[str] | None, typer.Argument(metavar="[ENV]...", help="Environments; all by default.")] = None,
    profile: Profile = None,
    region: Region = None,
    yes: DoIt = False,
    as_json: Json = False,
    cwd: Cwd = HERE,
    debug: Debug = False,
) -> None:
    """GitHub's identity provider and a role for each environment, in the account of the state."""
    from isostack.bootstrap.reach import told
    from isostack.bootstrap.roles import pipeline_things
    from isostack.bootstrap.state import require_bucket
    from isostack.composition import project_at
    from isostack.parameters import pins, restricted

    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository, re.ASCII):
        raise BadInput(f"--repository {repository}: write OWNER/NAME, as in GitHub's address")
    name, prefix = _parts(bucket)
    if prefix:
        raise BadInput(f"{bucket}: write s3://{name} alone: the roles are for the state that pulumi login s3://{name} keeps")
    project = project_at(cwd)
    entries: dict[str, tuple[str, str]] = {}
    for stack in environments or list(pins(project)):
        gates = _gates(cwd, stack)
        entry = f"arn:aws:iam::{gates.account}:role/{gates.entry_role}"
        # What is reviewed before it is done has a second environment on GitHub, for the run that makes the plan.
        for environment in (f"{stack}-plan", stack) if restricted(project, stack, {}) else (stack,):
            entries[environment] = (stack, entry)
    with told():
        reach = _reach(cwd, profile, region)
        if yes:
            require_bucket(reach, name)
        _do(reach, pipeline_things(reach, repository, name, project.name, entries), yes, as_json)


@bootstrap_app.command("account")
def account(
    env: Annotated[str, typer.Argument(metavar="ENV", help="The environment that the account is for.")],
    trust: Annotated[list[str], typer.Option("--trust", metavar="ARN", help="A role that may enter; may be repeated.")],
    profile: Profile = None,
    region: Region = None,
    yes: DoIt = False,
    as_json: Json = False,
    cwd: Cwd = HERE,
    debug: Debug = False,
) -> None:
    """The entry role in an environment's own account, by which it is built."""
    from isostack.bootstrap.reach import told
    from isostack.bootstrap.roles import entry_things

    for arn in trust:
        if not re.fullmatch(r"arn:aws:iam::\d{12}:role/[\w+=,.@/-]+", arn, re.ASCII):
            raise BadInput(f"--trust {arn}: name one role, as arn:aws:iam::ACCOUNT:role/NAME, without wildcards")
    gates = _gates(cwd, env)
    with told():
        reach = _reach(cwd, profile, region, gates.account)
        if reach.account_id != gates.account:
            raise Refused(f"profile {profile} leads to account {reach.account_id}, and {env} is in {gates.account}")
        _do(reach, entry_things(reach, gates.entry_role, trust), yes, as_json)


def _do(reach: Reach, things: Sequence[Thing], yes: bool, as_json: bool) -> None:
    from isostack.bootstrap.things import costs, lines, make, seen

    found = [seen(thing) for thing in things]
    open_ = sum(one.state != "there" for one in found)
    out = None if as_json else console()
    if out:
        for line in lines(reach, found):
            out.print(line)
    if yes:
        make(things, lambda one: _tell(out, f"{one.state[:-1]}ing {one.thing.name}"))
    if out:
        said = "nothing to do" if not open_ else "done" if yes else "nothing was changed; --yes does it"
        out.print(said)
        return
    monthly, left_out = costs(found, reach.region)
    print_json({
        "account": reach.account_id, "region": reach.region, "result": "succeeded", "done": yes and bool(open_),
        "things": [one.as_dict() for one in found], "monthly": monthly, "left_out": left_out,
    })  # fmt: skip


def _tell(out: Console | None, text: str) -> None:
    if out:
        out.print(f"{text}…")


def _reach(cwd: Path, profile: str | None, region: str | None, account_id: str | None = None) -> Reach:
    from isostack.bootstrap.reach import ByProfile, InLocalCloud
    from isostack.composition import local_cloud_at

    return ByProfile(profile, region) if profile else InLocalCloud(local_cloud_at(cwd), region, account_id)


def _parts(address: str) -> tuple[str, str]:
    from isostack.shared_state.objects import bucket_and_prefix

    return bucket_and_prefix(address)


def _gates(cwd: Path, env: str) -> Gates:
    """Account and entry role of an environment. Raises BadInput where the project's parameters do not say."""
    from isostack.composition import project_at
    from isostack.parameters import gates_of, pins

    project = project_at(cwd)
    pinned = pins(project)
    if env not in pinned:
        raise BadInput(f"no environment {env!r} pins parameters in {project.name}; there are {', '.join(pinned) or 'none'}")
    gates = gates_of(project, env, pinned[env])
    if gates is None:
        raise BadInput(f"{project.name} does not say which account {env} has (gates in its parameters.py)")
    return gates
