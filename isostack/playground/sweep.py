"""Removes what nobody needs any more: playgrounds whose time is over, and what bears a playground's tag but no state knows.

Owns the comparison of the cloud, and of a Docker engine, with all known states, and the removal in rounds. What there is in
the cloud is listed by :mod:`isostack.playground.listings`, on the engine by :mod:`isostack.playground.containers`; a playground
that is known goes by :mod:`isostack.playground.lifecycle`'s own ``down``.
"""

from __future__ import annotations

import fcntl
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isostack.engine.events import Phase, Sink
from isostack.engine.files import make_folder
from isostack.engine.provider import ProviderError
from isostack.engine.values import plain
from isostack.errors import BadInput, IsostackError, Locked, OperationFailed
from isostack.localcloud.client import Cloud
from isostack.localcloud.provider import GLOBAL_SERVICES, LocalCloudProvider
from isostack.playground import containers, listings, names, records
from isostack.playground.listings import Found
from isostack.playground.records import Record

if TYPE_CHECKING:
    from isostack.engine.state import Snapshot
    from isostack.localcloud.docker_engine import DockerEngine
    from isostack.playground.lifecycle import Playgrounds

AT_ONCE = 16
DOWN_AT_ONCE = 4
# What a program says so that a thing may be destroyed; an orphan has no program any more.
_DISPOSABLE = {
    "deletionWindowInDays": 7,
    "forceDelete": True,
    "forceDestroy": True,
    "forceDetachPolicies": True,
    "recoveryWindowInDays": 0,
    "skipFinalSnapshot": True,
}
_SNAPSHOT_TAKES = timedelta(hours=1)  # at most
Place = tuple[str, str]


@dataclass
class Swept:
    """What a sweep did, and in a line each what is in its way."""

    ended: list[dict[str, Any]] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)


@dataclass
class Orphans:
    """What no state knows, and in a line each what was not looked at."""

    found: list[Found] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Keep a second sweep of the same state folder out. Raises Locked where there is one."""
    make_folder(folder)
    with os.fdopen(os.open(folder / "sweep.lock", os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Locked(f"another sweep is under way (process {file.read() or 'unknown'}); wait until it has ended") from None
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield


# -- playgrounds whose time is over -------------------------------------------------------------------------------------


def end_expired(playgrounds: Playgrounds, sink: Sink) -> Swept:
    """Take down every playground that has expired, several at once, after a snapshot; one that cannot be is named, and the
    others go on."""
    swept = Swept()
    pool = ThreadPoolExecutor(DOWN_AT_ONCE)
    try:
        for ended, blocked in pool.map(lambda record: _end(playgrounds, record, sink), _expired(playgrounds)):
            swept.ended += ended
            swept.blocked += blocked
    finally:
        pool.shutdown(cancel_futures=True)
    return swept


def _end(playgrounds: Playgrounds, record: Record, sink: Sink) -> tuple[list[dict[str, Any]], list[str]]:
    """What was ended, and what is in the way, of one playground."""
    sink(Phase(f"taking down {record.name}"))
    try:
        if playgrounds.records.get(record.name) is None:
            playgrounds.records.keep(record)
        result, kept = playgrounds.down(record.name, sink)
    except IsostackError as error:
        return [], [f"playground {record.name}: {error}"]
    if result is not None and result.result != "succeeded":
        reasons = [diagnostic.message for diagnostic in result.diagnostics if diagnostic.severity == "error"]
        return [], [f"playground {record.name}: {reasons[0] if reasons else 'it was not removed'}"]
    removed = result.changes.delete if result else 0
    return [{"name": record.name, "resources": removed, "snapshot": kept.label if kept else None}], []


def drop_drafts(playgrounds: Playgrounds) -> None:
    """Remove what snapshots that were cut off have left behind."""
    for folder in playgrounds.records.folder.glob("*/snapshots"):
        playgrounds.snapshots(folder.parent.name).drop_drafts(_SNAPSHOT_TAKES)


def _expired(playgrounds: Playgrounds) -> list[Record]:
    """The records of what has expired; of a stack without one, as its tags tell."""
    project, known = playgrounds.project.name, {record.name: record for record in playgrounds.records.all()}
    for owner, stack in playgrounds.store.stacks():
        name = stack.removeprefix(names.PREFIX)
        if owner == project and stack.startswith(names.PREFIX) and name not in known:
            tags = _tags(playgrounds, stack)
            if "expires" in tags:
                known[name] = Record(name, project, tags.get("owner", ""), records.now().isoformat(), tags["expires"])
    return [record for record in known.values() if record.project == project and _is_over(record)]


def _is_over(record: Record) -> bool:
    try:
        return record.remaining <= timedelta()
    except (ValueError, TypeError):  # a tag may hold any text
        return False


def _tags(playgrounds: Playgrounds, stack: str) -> dict[str, str]:
    """The stack's own tags, or where it has none, those of its resources."""
    try:
        snapshot = playgrounds.store.load(playgrounds.project.name, stack).snapshot
    except BadInput:
        return {}
    all_tags = (plain(resource.outputs.get("tagsAll")) for resource in snapshot.resources)
    of_resources = next((dict(tags) for tags in all_tags if isinstance(tags, dict) and listings.TAG in tags), {})
    return snapshot.metadata.tags or of_resources


# -- what no state knows ------------------------------------------------------------------------------------------------


@dataclass
class _Known:
    """What the states know: ids and ARNs by place (the region is empty where names are the account's, or everybody's; an engine
    has neither account nor region)."""

    ids: dict[Place, set[str]] = field(default_factory=lambda: defaultdict(set))
    under_way: set[tuple[str, str]] = field(default_factory=set)
    """Stack and type of what a run that was cut off may have created: its next run looks for it."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """Stacks whose state cannot be read, and why."""

    def at(self, cloud: Cloud | DockerEngine) -> Set[str]:
        return self.ids[cloud.account_id, cloud.region] | self.ids[cloud.account_id, ""]

    def leaves(self, one: Found) -> bool:
        """Whether this is nobody's to remove."""
        stack = names.stack_of(one.playground)
        names_of_it = {one.id, str(one.outputs.get("arn") or one.id)}
        return stack in self.unreadable or (stack, one.type) in self.under_way or not self.at(one.cloud).isdisjoint(names_of_it)


def orphans(playgrounds: Playgrounds, name: str | None = None, *, in_cloud: bool = True) -> Orphans:
    """What bears a playground's tag or mark, or that of the one with this name, and no state of any stack knows.

    Where a state cannot be read, what it may know is not among it. The cloud is left out unless ``in_cloud``.
    """
    result = Orphans()
    in_cloud = in_cloud and not playgrounds.local_cloud.holds_nothing()
    marks = {mark for mark in playgrounds.records.marks() if name in (None, mark.rpartition("-")[0])}
    if not in_cloud and not marks:
        return result
    if in_cloud:
        playgrounds.host.identity()
    known = _known(playgrounds, names.stack_of(name) if name else None)
    for stack, why in known.unreadable.items():
        mend = f"isostack play reset {stack.removeprefix(names.PREFIX)}" if stack.startswith(names.PREFIX) else "mend it first"
        result.unseen.append(f"what {stack} knows is not known: {why}; {mend}")
        if not stack.startswith(names.PREFIX):
            return result
    if marks:
        _look_at_engine(result, playgrounds, marks, known)
    if in_cloud:
        _look_at_cloud(result, playgrounds, name, known)
    return result


def _look_at_engine(result: Orphans, playgrounds: Playgrounds, marks: Set[str], known: _Known) -> None:
    """Add what is on the Docker engine. One that does not answer runs nothing; it is missed where a playground is to be there."""
    try:
        engine = containers.engine()
        there = list(containers.marked(engine, marks))
    except (OperationFailed, ProviderError) as error:
        if any(record.containers and record.containers.mark in marks for record in playgrounds.records.all()):
            result.unseen.append(f"containers: {error}")
        return
    found = [Found(playground, type_, id_, {}, engine) for type_, id_, playground in there]
    result.found += [one for one in found if not known.leaves(one)]


def _look_at_cloud(result: Orphans, playgrounds: Playgrounds, name: str | None, known: _Known) -> None:
    past = {str(tombstone.get("name")) for tombstone in playgrounds.records.tombstones()}
    called = {name} if name else {*past, *(record.name for record in playgrounds.records.all())}
    found: dict[tuple[str, str, str], Found] = {}
    accounts: set[str] = set()
    for account, region in sorted(_places(playgrounds, known)):
        cloud = playgrounds.host.cloud(region, account)
        survey = listings.survey(cloud, known.at(cloud), called, everywhere=account not in accounts)
        accounts.add(account)
        result.unseen += survey.unseen
        for one in survey.found:
            if name in (None, one.playground) and not known.leaves(one):
                found.setdefault((account, one.type, one.id), one)  # some names are the account's, and shown in each region
    result.found += found.values()


def remove(playgrounds: Playgrounds, unknown: Iterable[Found], sink: Sink) -> list[str]:
    """Remove orphans, each playground's under its lock, in rounds until nothing more goes; gives what blocks the rest."""
    by_playground: dict[str, list[Found]] = defaultdict(list)
    for one in unknown:
        by_playground[one.playground].append(one)
    blocked: list[str] = []
    for name, group in by_playground.items():
        stack = names.stack_of(name)
        owners = {owner for owner, known in playgrounds.store.stacks() if known == stack} or {playgrounds.project.name}
        try:
            with ExitStack() as locks:
                for owner in sorted(owners):
                    locks.enter_context(playgrounds.store.lock(owner, stack, f"isostack play sweep {name}"))
                known = _known(playgrounds, stack)  # a run may have ended since they were found
                sink(Phase(f"removing {len(group)} orphans of {name}"))
                blocked += _remove_in_rounds([one for one in group if not known.leaves(one)])
        except IsostackError as error:
            blocked.append(f"orphans of playground {name}: {error}")
    return blocked


def _remove_in_rounds(group: list[Found]) -> list[str]:
    """What needs others to go first goes in a later round; gives why the rest does not."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        left = group
        while left:
            reasons = list(pool.map(_remove, left))
            staying = [one for one, reason in zip(left, reasons, strict=True) if reason]
            if not staying:  # something may be said to be gone because what it hung on is
                staying = [one for one, there in zip(group, pool.map(_is_there, group), strict=True) if there]
            if len(staying) >= len(left):
                return [f"{one}: {reason or 'it is still there'}" for one, reason in zip(left, reasons, strict=True)]
            left = staying
    return []


def _is_there(one: Found) -> bool:
    try:
        return _provider(one).read(one.type, one.id, {}, dict(one.outputs)) is not None
    except ProviderError:
        return True


def _remove(one: Found) -> str:
    """Why it cannot be removed now, or an empty string."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        if one.type == "aws:ec2/routeTable:RouteTable":
            _dissociate(one)
        _provider(one).delete(one.type, one.id, {**one.outputs, **_DISPOSABLE})
    except (ProviderError, ClientError, BotoCoreError) as error:
        return str(error)
    return ""


def _provider(one: Found) -> LocalCloudProvider:
    return LocalCloudProvider(one.cloud, {})  # type: ignore[arg-type]  # docker's rows get an engine as their cloud


def _dissociate(table: Found) -> None:
    """Let a route table go from its subnets: associations take no tags, and AWS keeps a table that has some."""
    cloud: Any = table.cloud
    ec2 = cloud.client("ec2")
    for found in ec2.describe_route_tables(Filters=[{"Name": "route-table-id", "Values": [table.id]}])["RouteTables"]:
        for association in found["Associations"]:
            if not association.get("Main"):
                ec2.disassociate_route_table(AssociationId=association["RouteTableAssociationId"])


def _known(playgrounds: Playgrounds, only: str | None = None) -> _Known:
    """What all states know, or those of the stacks of this name."""
    known = _Known()
    for project, stack in playgrounds.store.stacks():
        if only in (None, stack):
            try:
                snapshot = playgrounds.store.load(project, stack).snapshot
            except BadInput as error:
                known.unreadable[stack] = str(error)
                continue
            _add(known, stack, snapshot, playgrounds)
    return known


def _add(known: _Known, stack: str, snapshot: Snapshot, playgrounds: Playgrounds) -> None:
    clouds = clouds_of(snapshot, playgrounds)
    for resource in snapshot.resources:
        if resource.type.startswith("docker:"):
            known.ids["", ""].add(resource.id)
        cloud = clouds.get(resource.provider)
        if cloud is None:
            continue
        service = resource.type.split("/")[0].removeprefix("aws:")
        shared = service in GLOBAL_SERVICES or service == "s3"
        region = "" if shared else str(plain(resource.outputs.get("region")) or cloud.region)
        ids = known.ids[cloud.account_id, region]
        ids.add(resource.id)
        if isinstance(arn := plain(resource.outputs.get("arn")), str):
            ids.add(arn)
    known.under_way |= {(stack, pending.resource.type) for pending in snapshot.pending_operations if pending.type == "creating"}


def clouds_of(snapshot: Snapshot, playgrounds: Playgrounds) -> Mapping[str, Cloud]:
    """The accounts and regions that a stack works in, by the references to its AWS providers."""
    providers = (r for r in snapshot.resources if r.type == "pulumi:providers:aws")
    return {f"{r.urn}::{r.id}": playgrounds.host.configure("aws", plain(r.inputs)).cloud for r in providers}


def _places(playgrounds: Playgrounds, known: _Known) -> set[Place]:
    """Where playgrounds are, or have been, whatever became of their states."""
    return {place for place in known.ids if place[1]} | playgrounds.records.places() | playgrounds.usual_places()
