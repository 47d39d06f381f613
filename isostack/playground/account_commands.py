"""The commands ``isostack play account …``: snapshots of a stack that the Pulumi CLI has brought up in a real account.

They work with the person's own AWS credentials, as boto3 finds them, and are the only ones of isostack that do.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isostack.errors import BadInput
from isostack.options import HERE, Cwd, Debug, Json
from isostack.playground.commands import working

if TYPE_CHECKING:
    from isostack.playground.account import AccountSnapshots
    from isostack.playground.commands import Work

account_app = typer.Typer(help="Snapshots of a stack in a real AWS account.", no_args_is_help=True)

State = Annotated[str, typer.Option("--state", metavar="FILE", help="The stack's state, by pulumi stack export; - reads it.")]
Bucket = Annotated[
    str, typer.Option("--bucket", metavar="s3://BUCKET", help="Where snapshots are kept; made if it is not there.")
]
Profile = Annotated[str | None, typer.Option("--profile", help="The AWS profile; boto3's default if none is given.")]
Region = Annotated[str | None, typer.Option("--region", help="The bucket's region; the profile's if none is given.")]


@account_app.command()
def snapshot(
    label: Annotated[str, typer.Argument(metavar="LABEL", help="What to call it.")],
    state: State,
    bucket: Bucket,
    profile: Profile = None,
    region: Region = None,
    as_json: Json = False,
    cwd: Cwd = HERE,
    debug: Debug = False,
) -> None:
    """Keep all data of a stack: databases as snapshots of RDS, all else in the bucket."""
    from isostack.playground.snapshots import size_shown

    with working(cwd, as_json) as work:
        kept, exported = _snapshots(work, state, bucket, profile, region)
        with work.shown(f"Taking snapshot {label}"):
            manifest = kept.take(label, exported, work.phase)
        work.document({"result": "succeeded", "snapshot": asdict(manifest)})
        work.say(f"snapshot {manifest.label}: {size_shown(manifest.bytes)}; bring it back: isostack play account restore {label}")


@account_app.command()
def restore(
    state: State,
    bucket: Bucket,
    label: Annotated[str | None, typer.Argument(metavar="[LABEL]", help="The snapshot; the newest by default.")] = None,
    profile: Profile = None,
    region: Region = None,
    as_json: Json = False,
    cwd: Cwd = HERE,
    debug: Debug = False,
) -> None:
    """Bring the data of a stack that is up back to a snapshot."""
    with working(cwd, as_json) as work:
        kept, _ = _snapshots(work, state, bucket, profile, region)
        with work.shown("Restoring"):
            manifest = kept.restore(label, work.playgrounds.store.keyring, work.phase)
        work.document({"result": "succeeded", "snapshot": asdict(manifest)})
        work.say(f"the data is as it was at {manifest.taken} ({manifest.label})")


@account_app.command("list")
def list_snapshots(
    state: State,
    bucket: Bucket,
    profile: Profile = None,
    region: Region = None,
    as_json: Json = False,
    cwd: Cwd = HERE,
    debug: Debug = False,
) -> None:
    """Show the snapshots of a stack that a bucket has."""
    from isostack.playground.snapshots import size_shown

    with working(cwd, as_json) as work:
        found = _snapshots(work, state, bucket, profile, region)[0].all()
        work.document({"snapshots": [asdict(manifest) for manifest in found]})
        for manifest in found:
            work.say(f"{manifest.label}  {manifest.taken}  {size_shown(manifest.bytes)}")
        if not found:
            work.say("no snapshots; isostack play account snapshot LABEL takes one")


def _snapshots(work: Work, state: str, bucket: str, profile: str | None, region: str | None) -> tuple[AccountSnapshots, str]:
    """What the commands work with, and the exported state."""
    import boto3
    from botocore.exceptions import ProfileNotFound

    from isostack.playground.account import AccountHost, AccountSnapshots, stack_in
    from isostack.playground.snapshot_bucket import Bucket as Place

    try:
        exported = sys.stdin.read() if state == "-" else Path(state).read_text()
    except OSError as error:
        raise BadInput(f"--state {state}: {error.strerror}; pulumi stack export writes it") from None
    try:
        session: Any = boto3.Session(profile_name=profile, region_name=region)
    except ProfileNotFound as error:
        raise BadInput(f"--profile: {error}") from None
    if not session.region_name:
        raise BadInput("no region: say --region, or set AWS_REGION")
    host = AccountHost(session, session.region_name)
    loaded = stack_in(exported, state, work.playgrounds.store.keyring)
    return AccountSnapshots(loaded, host, Place(host.home, bucket)), exported
