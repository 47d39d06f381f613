"""A playground's life: up, down, extended, kept, put back, and brought back from whatever state it is in.

Owns what the commands do; how an environment is brought up is the engine's, and what a playground is made of, the project's.
"""

from __future__ import annotations

import getpass
import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isostack.engine import run
from isostack.engine.deployment import STACK_TYPE, is_default_provider
from isostack.engine.events import Diagnostic, Event, Op, Phase, Result, Sink, StepDone, Tally
from isostack.engine.folders import PREVIOUS_FILE, STATE_FILE
from isostack.engine.project import PINNED_KEY, Project, StackConfig, load_stack
from isostack.engine.provider import lineage
from isostack.engine.values import plain
from isostack.errors import BadInput, IsostackError, OperationFailed, Refused
from isostack.localcloud.client import DEFAULT_ACCOUNT, DEFAULT_REGION, Cloud
from isostack.localcloud.provider import LocalCloudHost
from isostack.parameters import restricted
from isostack.playground import containers, names, records, sweep
from isostack.playground.containers import Asked
from isostack.playground.records import Record, Records
from isostack.playground.snapshots import Manifest, Snapshots, environment_of
from isostack.policy.attach import attach

if TYPE_CHECKING:
    from isostack.engine.state import Snapshot
    from isostack.engine.store import Store
    from isostack.localcloud.server import LocalCloud

BASE = "dev"
"""The environment that a playground is one of."""
SERVICE_ENVIRONMENT = "service_environment"
"""The output of a program that says, by name, what its services find in their environment."""
LAST = "last"
"""The label of the snapshot that ``down`` takes."""


class Playgrounds:
    """The playgrounds of a project in one state folder."""

    def __init__(self, project: Project, store: Store, local_cloud: LocalCloud) -> None:
        self.project = project
        self.store = store
        self.local_cloud = local_cloud
        self.records = Records(store.home)
        self.host = LocalCloudHost(local_cloud)

    # -- finding ------------------------------------------------------------------------------------------------------

    def named(self, name: str | None) -> str:
        """A playground's name as it is in use, for what a person says or for this user and branch."""
        return names.cleaned(name) if name else names.default(self.project.root)

    def get(self, name: str) -> Record:
        """The record of a playground. Raises BadInput where there is none."""
        record = self.records.get(name)
        if record is None:
            there = ", ".join(known.name for known in self.records.all()) or "none"
            raise BadInput(f"no playground {name}; there are: {there}; isostack play up {name} makes it")
        return record

    def snapshots(self, name: str) -> Snapshots:
        return Snapshots(self.records.of(name) / "snapshots", name, self.host, self.local_cloud)

    def derive_key(self) -> None:
        """Begin to derive the key of the playgrounds' secrets, which takes a quarter of a second of another core."""
        if salt := self.records.salt():
            with suppress(BadInput):  # whoever opens a secret is told
                self.store.keyring.open(salt, prefetch=True)

    # -- up and down --------------------------------------------------------------------------------------------------

    def up(
        self,
        name: str,
        sink: Sink,
        lifetime: str | None = None,
        label: str | None = None,
        options: run.Options | None = None,
        asked: Asked = Asked(),  # noqa: B008 - it never changes
    ) -> tuple[Record, Result]:
        """Make a playground, or bring it to what the program says now; with the data of a snapshot where a label says so.

        One that is there keeps its expiry, unless a lifetime is given, and its containers, unless ``asked`` says otherwise.
        """
        base = self._base()
        manifest = self.snapshots(name).get(label) if label else None
        if manifest:
            self.snapshots(name).check(manifest)
        record = self.records.get(name) or self._new(name, base)
        if lifetime or record.remaining <= timedelta():
            longest, usual = self._lifetimes(base)
            record = record.until(records.now() + (records.lifetime(lifetime, longest) if lifetime else usual))
        record = replace(record, parameters=base.values.get(PINNED_KEY, ""), containers=self._containers(record, asked))
        ahead = _Ahead(self, record, manifest)
        stack = self._stack(record, base, ahead.watching(sink))
        self.records.keep(record)
        if record.containers:
            self.records.add_mark(record.containers.mark)
        threading.Thread(target=self._start_cloud, daemon=True).start()
        is_new = (self.project.name, stack.name) not in self.store.stacks()
        if is_new:
            self._share_salt()
        # A rehearsal spares what is there from a program that cannot be carried out.
        options = options or run.Options(skip_preview=is_new, analyzer=attach(self.project, stack.config))
        if record.containers and containers.drop_failed(record.containers):
            options = replace(options, refresh=True)
        result = run.up(stack, options)
        self._note_places(record)
        if manifest and result.result == "succeeded":
            self._put_back(record, manifest, sink, ahead)
            self._migrate_again(record, sink)
        return record, result

    def down(self, name: str, sink: Sink, snapshot: bool = True) -> tuple[Result | None, Manifest | None]:
        """Remove a playground: resources, state, record. Takes a snapshot first, unless told not to; what it left to come
        back from stays, and a line says so."""
        record = self.get(name)
        stack = self._stack(replace(record, containers=None), self._base(), sink)
        has_state = (self.project.name, stack.name) in self.store.stacks()
        kept = self.take(name, LAST, sink, goes=True) if snapshot and has_state and self._is_there(stack.name) else None
        result = run.destroy(stack) if has_state else None
        if result is not None and result.result != "succeeded":
            return result, kept
        if record.containers and self.local_cloud.status().running:
            self.local_cloud.close_relay(record.containers.gateway)
        self.store.remove(self.project.name, stack.name)
        if not snapshot:
            self.snapshots(name).remove_all()
        labels = [manifest.label for manifest in self.snapshots(name).all()]
        back = f"isostack play up {name} --from {labels[-1]}" if labels else f"isostack play up {name}"
        resources = result.changes.delete if result else 0
        self.records.remove(record, resources=resources, snapshots=labels, bring_back=back)
        return result, kept

    def extend(self, name: str, lifetime: str, sink: Sink) -> tuple[Record, Result]:
        """Let a playground live for this long from now; its resources' tags say so."""
        self.get(name)
        return self.up(name, sink, lifetime, options=run.Options(skip_preview=True))

    # -- data ---------------------------------------------------------------------------------------------------------

    def take(self, name: str, label: str, sink: Sink, *, goes: bool = False) -> Manifest:
        """Keep all data of a playground under a label. One that ``goes`` is removed next."""
        record = self.get(name)
        stack = names.stack_of(record.name)
        loaded = self._state(stack)
        exported = self.store.exported(loaded)

        def told(what: str) -> None:
            sink(Phase(f"keeping {what}"))

        snapshots = self.snapshots(name)
        return snapshots.take(label, loaded.snapshot, exported, record.expires, loaded.secrets, told, goes=goes)

    def restore(self, name: str, label: str | None, sink: Sink) -> tuple[Manifest, Result]:
        """Bring the environment up and its data to what a snapshot holds: the one with this label, or the newest.

        Where the environment still is the one that the snapshot was taken of, as its state has it, the program is not run.
        """
        manifest = self.snapshots(name).get(label)
        self.snapshots(name).check(manifest)
        record = self.records.get(name)
        result = self._as_it_was(record, manifest) if record else None
        if record is None or result is None:
            return manifest, self.up(name, sink, label=manifest.label, options=run.Options(skip_preview=True))[1]
        self._put_back(record, manifest, sink)
        self._migrate_again(record, sink)
        return manifest, result

    def reset(self, name: str, sink: Sink) -> tuple[Manifest | None, Result]:
        """Bring a playground back, whatever state it is in: its resources as the program says, its data as the newest
        sound snapshot has it. A state that cannot be read is put aside, and what only that one knew is removed.

        Raises OperationFailed where there are snapshots and none could be put back.
        """
        self.local_cloud.or_older = (self.project.name, names.stack_of(name)) in self.store.stacks()
        was_empty = self.local_cloud.holds_nothing()
        starting = threading.Thread(target=self._start_cloud, daemon=True)
        starting.start()
        base = self._base()
        record = self.records.get(name) or self._new(name, base)
        self.records.keep(record)
        self._mend_state(names.stack_of(name), sink)
        self._load_what_takes_long(names.stack_of(name))
        starting.join()
        self._know_again(names.stack_of(name))
        ahead = _Ahead(self, record, next(reversed(self.snapshots(name).all()), None), at_once=True)
        self._remove_what_was_lost(record, sink, in_cloud=not was_empty)
        if record.containers:
            containers.drop_failed(record.containers)
        result = run.up(self._stack(record, base, ahead.watching(sink)), run.Options(refresh=True, skip_preview=True))
        self._note_places(record)
        if result.result != "succeeded":
            return None, result
        problem = ""
        for label in self.snapshots(name).damaged():
            problem = f"snapshot {label} is damaged, and left aside"
            sink(Diagnostic("warning", problem))
        for manifest in reversed(self.snapshots(name).all()):
            try:
                self._put_back(record, manifest, sink, ahead)
            except OperationFailed as error:
                problem = str(error)
                sink(Diagnostic("warning", problem))
                continue
            self._migrate_again(record, sink)
            return manifest, result
        if problem:
            raise OperationFailed(f"playground {name} is up, but no snapshot could be put back: {problem}")
        return None, result

    def environment(self, name: str) -> dict[str, str]:
        """What a developer's own program finds in its environment: what services find, and how to reach the local cloud."""
        self.get(name)
        snapshot = self._state(names.stack_of(name)).snapshot
        outputs: dict[str, Any] = next((plain(r.outputs) for r in snapshot.resources if r.type == STACK_TYPE), {})
        given = outputs.get(SERVICE_ENVIRONMENT) or {}
        cloud = self._cloud(snapshot)
        key, secret, token = cloud.credentials()
        return {
            **{str(variable): str(value) for variable, value in given.items()},
            "AWS_ENDPOINT_URL": cloud.endpoint,
            "AWS_REGION": cloud.region,
            "AWS_DEFAULT_REGION": cloud.region,
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            **({"AWS_SESSION_TOKEN": token} if token else {}),
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def overview(self) -> list[dict[str, Any]]:
        """A row for each playground, the soonest to expire first."""
        rows = []
        for record in sorted(self.records.all(), key=lambda known: known.expires):
            kept = self.snapshots(record.name).all()
            count, monthly = self._held(names.stack_of(record.name))
            rows.append(
                {
                    "name": record.name,
                    "owner": record.owner,
                    "created": record.created,
                    "expires": record.expires,
                    "expired": record.remaining <= timedelta(),
                    "parameters": record.parameters,
                    "resources": count,
                    "monthly": monthly,
                    "snapshots": [manifest.label for manifest in kept],
                    "snapshot_bytes": sum(manifest.bytes for manifest in kept),
                }
            )
        return rows

    # -- what they stand on -------------------------------------------------------------------------------------------

    def _start_cloud(self) -> None:
        """Start the local cloud while the project is being read; what goes wrong shows where it is needed."""
        with suppress(Exception):
            self.host.identity()

    def _load_what_takes_long(self, stack: str) -> None:
        """Import what a run will need, for which the local cloud may be waited for."""
        import botocore.session  # noqa: F401

        from isostack.engine.sdk_imports import load_ahead

        with suppress(BadInput):
            loaded = self._state(stack)
            loaded.secrets.prefetch()
            load_ahead(sorted({resource.type for resource in loaded.snapshot.resources if resource.custom}))

    def _base(self) -> StackConfig:
        if not self.project.stack_file(BASE).exists():
            raise BadInput(f"{self.project.name} has no environment {BASE!r}, which a playground would be one of")
        config = load_stack(self.project, BASE, self.store.keyring.open)
        if environment := restricted(self.project, BASE, config.values):
            raise Refused(f"playgrounds are {BASE}, and {config.file.name} makes that {environment}, which only some may run")
        return config

    def _new(self, name: str, base: StackConfig) -> Record:
        created = records.now()
        expires = created + self._lifetimes(base)[1]
        return Record(name, self.project.name, _owner(), created.isoformat(), expires.isoformat())

    def _lifetimes(self, base: StackConfig) -> tuple[timedelta, timedelta]:
        """The longest lifetime and the usual one, as the parameter set says; 72 and 8 hours where it says nothing."""
        said = self._parameters(base).get("playground", {})
        longest = records.lifetime(said["max_ttl"], timedelta.max) if "max_ttl" in said else records.LONGEST_LIFETIME
        usual = records.lifetime(said["default_ttl"], longest) if "default_ttl" in said else records.DEFAULT_LIFETIME
        return longest, usual

    def _parameters(self, base: StackConfig) -> dict[str, Any]:
        """What the parameter set says of the base environment; nothing for a project without parameter sets."""
        from isostack.parameters import parameters_of

        version = base.values.get(PINNED_KEY)
        try:
            return parameters_of(self.project).load(version).plain(BASE) if version else {}
        except BadInput:
            return {}

    def usual_places(self) -> set[tuple[str, str]]:
        """The account and region that the parameters give to playgrounds, if they do."""
        said = self._parameters(self._base())
        return {(str(said["account"]), str(said["region"]))} if said.keys() >= {"account", "region"} else set()

    def _share_salt(self) -> None:
        """Let a new stack have the salt of the others, if the passphrase still is the one that it goes with."""
        if salt := self.records.salt():
            with suppress(BadInput):
                self.store.keyring.open(salt).check()
                self.store.usual_salt = salt

    def _note_places(self, record: Record) -> None:
        snapshot = self.store.load(self.project.name, names.stack_of(record.name)).snapshot
        self.records.keep_salt(snapshot.secrets_state)
        self.records.add_places((cloud.account_id, cloud.region) for cloud in sweep.clouds_of(snapshot, self).values())

    def _remove_what_was_lost(self, record: Record, sink: Sink, *, in_cloud: bool) -> None:
        """Remove what bears the playground's tag but is not in its state: names may be taken, and nothing is to be doubled."""
        orphans = sweep.orphans(self, record.name, in_cloud=in_cloud)
        for line in orphans.unseen + sweep.remove(self, orphans.found, sink):
            sink(Diagnostic("warning", line))

    def _containers(self, record: Record, asked: Asked) -> containers.Containers | None:
        others = [other.containers for other in self.records.all() if other.containers and other.name != record.name]
        return containers.remembered(record.containers, asked, others, record.name)

    def _told_of_containers(self, record: Record, base: StackConfig) -> dict[str, Any]:
        """What the program is told of the containers, which can reach the local cloud from now on."""
        assert record.containers is not None  # noqa: S101 - for the type checker
        services = self._parameters(base).get("services", {})
        declared = {service: str(said["image"]) for service, said in services.items() if "image" in said}
        sources = containers.sources_of(record.containers, declared, containers.engine())
        endpoint = self.local_cloud.ensure().url
        state = self.store.load(self.project.name, names.stack_of(record.name)).snapshot
        account, region = next(iter(sorted(self.usual_places())), (DEFAULT_ACCOUNT, DEFAULT_REGION))
        same = state.metadata.cloud == self.local_cloud.identity()
        given = containers.credentials(state.resources, Cloud(endpoint, region, account), same)
        variables = {**given, "AWS_REGION": region, "AWS_DEFAULT_REGION": region, "AWS_EC2_METADATA_DISABLED": "true"}
        told = containers.told(record.containers, sources, endpoint, variables)
        self.local_cloud.open_relay(record.containers.gateway, record.containers.subnet)
        return told

    def _stack(self, record: Record, base: StackConfig, sink: Sink) -> run.Stack:
        tags = {"playground": record.name, "owner": record.owner, "expires": record.expires}
        playground: dict[str, Any] = {"name": record.name, "owner": record.owner, "expires": record.expires}
        if record.containers:
            playground["containers"] = self._told_of_containers(record, base)
        name = names.stack_of(record.name)
        config = replace(base, stack=name, values={**base.values, "isostack:playground": json.dumps(playground)})
        return run.Stack(self.project, name, config, self.store, self.host, sink, tags)

    def _state(self, stack: str) -> Any:
        if (self.project.name, stack) not in self.store.stacks():
            raise BadInput(f"{stack} has no state; isostack play up makes it")
        return self.store.load(self.project.name, stack)

    def _clouds(self, stack: str) -> tuple[str, str]:
        """The identities of the cloud that the state speaks of, and of the one there is: empty where that holds nothing."""
        known = self._state(stack).snapshot.metadata.cloud
        return known, "" if self.local_cloud.holds_nothing() else self.host.identity()

    def _is_there(self, stack: str) -> bool:
        """Whether the cloud still has what the state speaks of."""
        known, here = self._clouds(stack)
        return bool(here) and known == here

    def _as_it_was(self, record: Record, manifest: Manifest) -> Result | None:
        """That nothing was to be done, where the environment is the one that the snapshot was taken of; else None."""
        started, stack = time.perf_counter(), names.stack_of(record.name)
        if record.remaining <= timedelta() or (self.project.name, stack) not in self.store.stacks():
            return None
        try:
            snapshot = self.store.load(self.project.name, stack).snapshot
        except BadInput:
            return None
        as_it_was = not snapshot.pending_operations and environment_of(snapshot, record.expires) == manifest.environment
        if not as_it_was or not self._is_there(stack):
            return None
        outputs = next((r.outputs for r in snapshot.resources if r.type == STACK_TYPE), {})
        same = Tally(same=sum(not is_default_provider(resource) for resource in snapshot.resources))
        return Result(stack, "up", "succeeded", same, round(time.perf_counter() - started, 3), outputs)

    def _put_back(self, record: Record, manifest: Manifest, sink: Sink, ahead: _Ahead | None = None) -> None:
        state = self._state(names.stack_of(record.name)).snapshot
        done = ahead.done(manifest, state) if ahead else set()

        def told(what: str) -> None:
            sink(Phase(f"putting back {what}"))

        self.snapshots(record.name).put_back(manifest, state, self.store.keyring, told, done=done)

    def _migrate_again(self, record: Record, sink: Sink) -> None:
        if record.containers and record.containers.migrate:
            sink(Phase("migrating what was put back"))
            containers.migrate_again(record.containers)

    def _mend_state(self, stack: str, sink: Sink) -> None:
        """Put a state that cannot be read aside, and go on from the one before it, or from none."""
        folder = self.store.folder(self.project.name, stack)
        for file in (folder / STATE_FILE, folder / PREVIOUS_FILE):
            try:
                self.store.load(self.project.name, stack)
                return
            except BadInput as error:
                sink(Diagnostic("warning", str(error)))
            if file.exists() and file.name == STATE_FILE:
                file.rename(_free_name(folder / "state.unreadable.json"))
                previous = folder / PREVIOUS_FILE
                if previous.exists():
                    previous.rename(file)
            elif (folder / STATE_FILE).exists():
                (folder / STATE_FILE).rename(_free_name(folder / "state.unreadable.json"))

    def _know_again(self, stack: str) -> None:
        """Where the cloud is as it was a little earlier, take up what the state knew then; a refresh tells what is there."""
        with suppress(BadInput):
            known, here = self._clouds(stack)
            if known != here and lineage(known) == lineage(here):
                with self.store.lock(self.project.name, stack, f"isostack play reset {stack.removeprefix(names.PREFIX)}"):
                    self.store.know_again(self.project.name, stack)

    def _cloud(self, snapshot: Any) -> Cloud:
        """The account and region that the stack's own provider works in."""
        providers = [r for r in snapshot.resources if r.type == "pulumi:providers:aws"]
        configured = self.host.configure("aws", plain(providers[-1].inputs) if providers else {})
        cloud: Cloud = configured.cloud
        return cloud

    def _held(self, stack: str) -> tuple[int, float | None]:
        """How many resources it has, and what they would cost a month if left on, in dollars as estimated; none and None where
        its state cannot be read."""
        from isostack.cost import estimate

        try:
            snapshot = self._state(stack).snapshot
        except BadInput:
            return 0, None
        return sum(resource.in_cloud for resource in snapshot.resources), estimate.of(snapshot).monthly


class _Ahead:
    """The databases of a snapshot, put back in the background while a run looks at the resources or makes them: each that is
    made as soon as it is there, of a copy that lies ready by then; and ``at_once`` those that are there. What goes wrong is left
    to whoever puts all of it back."""

    def __init__(self, playgrounds: Playgrounds, record: Record, manifest: Manifest | None, *, at_once: bool = False) -> None:
        self._playgrounds = playgrounds
        self._record = record
        self._manifest = manifest
        stores = manifest.stores if manifest else {}
        self._databases = {urn: facts for urn, facts in stores.items() if facts["kind"] == "database"}
        self._of: dict[str, tuple[str, str]] = {}
        self._turn = threading.Lock()
        self._threads: list[threading.Thread] = []
        if self._databases:
            self._begin(self._put_back if at_once else self._make_ready)

    def watching(self, sink: Sink) -> Sink:
        """A sink that passes a run's events on."""

        def watch(event: Event) -> None:
            match event:
                case StepDone(urn, Op.CREATE | Op.REPLACE, "done") if urn in self._databases:
                    self._begin(self._put_back)
            sink(event)

        return watch

    def _begin(self, work: Callable[[], None]) -> None:
        self._threads.append(threading.Thread(target=work))
        self._threads[-1].start()

    def _put_back(self) -> None:
        stack, snapshots = names.stack_of(self._record.name), self._playgrounds.snapshots(self._record.name)
        with self._turn, suppress(IsostackError):
            known, here = self._playgrounds._clouds(stack)
            if self._manifest and here and lineage(known) == lineage(here):
                state = self._playgrounds._state(stack).snapshot
                done, keyring = self._which_are(state), self._playgrounds.store.keyring
                urns = snapshots.put_back_databases(self._manifest, state, keyring, done=done)
                self._of |= {urn: self._which(state, urn) for urn in urns}
        self._make_ready()

    def _make_ready(self) -> None:
        for urn, facts in self._databases.items():
            if urn not in self._of:
                with suppress(IsostackError):
                    self._playgrounds.host.endpoint()
                    self._playgrounds.local_cloud.make_database_copy_ready(facts["copy"], facts["digest"])

    def done(self, manifest: Manifest, state: Snapshot) -> set[str]:
        """The URNs of the databases that have a snapshot's content already: none that was made anew since."""
        for thread in self._threads:
            thread.join()
        return self._which_are(state) if manifest == self._manifest else set()

    def _which_are(self, state: Snapshot) -> set[str]:
        return {urn for urn, which in self._of.items() if self._which(state, urn) == which}

    @staticmethod
    def _which(state: Snapshot, urn: str) -> tuple[str, str]:
        resource = state.get(urn)
        return (resource.id, resource.created) if resource else ("", "")


def warnings(all_records: list[Record], show: Callable[[str], None]) -> None:
    """Say which playgrounds end within half an hour, or have ended."""
    for record in all_records:
        if record.remaining <= timedelta():
            show(f"playground {record.name} has expired; isostack play extend 4h {record.name}, or isostack play sweep")
        elif record.remaining <= records.WARN_BEFORE:
            show(f"playground {record.name} expires in {records.shown(record.remaining)}; isostack play extend 4h {record.name}")


def _owner() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "somebody"


def _free_name(path: Path) -> Path:
    number = 0
    while (candidate := path.with_suffix(f".{number}{path.suffix}" if number else path.suffix)).exists():
        number += 1
    return candidate
