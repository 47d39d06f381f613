"""What commands stand on: the project that ``--cwd`` names, its state folder, the local cloud, and a stack made of them.

Modules of the engine and of the cloud are imported where they are needed, since a short command's time is mostly imports.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isostack.errors import BadInput, Refused
from isostack.options import EngineName

if TYPE_CHECKING:
    from isostack.engine.backend import Backend
    from isostack.engine.events import Result, Sink
    from isostack.engine.operation import Options, Stack
    from isostack.engine.project import Project
    from isostack.engine.state import Snapshot
    from isostack.engine.store import Store
    from isostack.gates.admission import Guard
    from isostack.gates.record import Record
    from isostack.localcloud.server import LocalCloud
    from isostack.shared_state.objects import Objects

HOME = "ISOSTACK_HOME"
"""The variable that names the folder of states and of this machine's own things, or, as ``s3://``, the bucket of states."""


def project_at(cwd: Path) -> Project:
    """The Pulumi project in a folder or above it. Raises BadInput where there is none."""
    from isostack.engine.project import load_project

    if not cwd.is_dir():
        raise BadInput(f"--cwd {cwd}: no such directory")
    return load_project(cwd.resolve())


def home_of(project: Project) -> Path:
    """The folder of this machine's own things: the one that ``ISOSTACK_HOME`` names, or the project's own."""
    return _chosen_home() or project.root / ".isostack"


def store_of(project: Project) -> Store:
    """The project's states: in the bucket that ``ISOSTACK_HOME`` or the project names, else in the folder."""
    from isostack.engine.store import Store

    home, backend = home_of(project), backend_of(project)
    if backend is None:
        return Store(home)
    from isostack.engine.secrets import Keyring

    return Store(home, Keyring(home, shared=backend.origin), backend)


def own_store_of(project: Project) -> Store:
    """The states in the folder, whatever the project's others are: playgrounds are one person's."""
    from isostack.engine.store import Store

    return Store(home_of(project))


def backend_of(project: Project) -> Backend | None:
    """The bucket that holds the project's states, or None. Raises BadInput for an address that is none."""
    objects = _objects_of(project)
    if objects is None:
        return None
    from isostack.shared_state.bucket import Bucket

    return Bucket(objects)


def record_of(project: Project) -> Record:
    """The record of who approved, ran and broke in: in the bucket where states are shared, else in the folder."""
    from isostack.gates.record import FolderLines, Record

    objects = _objects_of(project)
    if objects is None:
        return Record(FolderLines(home_of(project)))
    from isostack.gates.shared_record import SharedLines

    return Record(SharedLines(objects))


def local_cloud_at(cwd: Path) -> LocalCloud:
    """The local cloud of the state folder; without a project where ``ISOSTACK_HOME`` names the folder."""
    from isostack.localcloud.server import LocalCloud

    return LocalCloud(_chosen_home() or home_of(project_at(cwd)))


def stack_of(project: Project, store: Store, env: str, sink: Sink, engine: EngineName = EngineName.EMBEDDED) -> Stack:
    """The stack, for this engine. Raises BadInput where its configuration does not fit, Refused where it is out of reach."""
    from isostack.engine.operation import Stack
    from isostack.engine.project import CLOUD_KEY, load_stack
    from isostack.localcloud.provider import LocalCloudHost
    from isostack.localcloud.server import LocalCloud

    config = load_stack(project, env, store.keyring.open)
    if engine is EngineName.EMBEDDED and config.values.get(CLOUD_KEY) == "aws":
        raise Refused(
            f"{env} lives in an account ({CLOUD_KEY} is aws), and the embedded engine reaches the local cloud only; "
            "add --engine pulumi, or use isostack preview --all, which needs no cloud"
        )
    return Stack(project, env, config, store, LocalCloudHost(LocalCloud(store.home)), sink)


def done_by(engine: EngineName, operation: str) -> Callable[[Stack, Options], Result]:
    """An operation (``up``, ``preview``, ``destroy``, ``refresh``, ``preview_destroy``) as this engine does it."""
    found: Callable[[Stack, Options], Result]
    if engine is EngineName.PULUMI:
        from isostack.official import run as official

        found = getattr(official, operation)
    else:
        from isostack.engine import run as embedded

        found = getattr(embedded, operation)
    return found


def guard_before(project: Project, store: Store, env: str, suffix: str, engine: EngineName = EngineName.EMBEDDED) -> Guard | None:
    """What stands before an environment that only some may run; None for any other.

    ``suffix`` is added to the commands that refusals name. Raises Refused for one in an account whose record nobody shares.
    """
    from isostack.parameters import has_parameters

    if not has_parameters(project):
        return None
    from isostack.engine.project import CLOUD_KEY, load_stack
    from isostack.gates.admission import guard_of

    config = load_stack(project, env, store.keyring.open).values
    in_account = engine is EngineName.PULUMI and config.get(CLOUD_KEY) == "aws"
    guard = guard_of(project, env, config, store.home, record_of(project), suffix, in_account)
    if guard is not None:
        guard.engine = engine.value
        if in_account:
            _require_shared_record(project, env)
    return guard


def _require_shared_record(project: Project, env: str) -> None:
    from isostack.shared_state.access import PROFILE

    if _objects_of(project) is None:
        why = "its approvals and its record would stay on this machine"
        way = f"add to {project.file.name}: isostack: {{state: s3://BUCKET/PREFIX}}, or export {HOME}=s3://BUCKET/PREFIX"
    elif not os.environ.get(PROFILE):
        why = "its approvals and its record are in a bucket, which is reached in an account by a profile alone"
        way = f"export {PROFILE}=PROFILE"
    else:
        return
    raise Refused(f"{env} lives in an account, and {why}; {way} (docs/shared-state.md)")


def require_stack(project: Project, store: Store, env: str) -> None:
    """Raise BadInput for an unknown stack: a project that has stack files has no others, but for those that the state knows."""
    from isostack.engine.project import known_stacks

    known = known_stacks(project)
    if known and env not in known and (project.name, env) not in store.stacks():
        raise BadInput(f"no environment {env!r} in {project.name}; there are {', '.join(known)}")


def require_state(project: Project, store: Store, env: str) -> None:
    """Raise BadInput for a stack that has no state."""
    if (project.name, env) not in store.stacks():
        require_stack(project, store, env)
        require_own(project, store, env)
        raise BadInput(f"{env} has no state yet; bring it up first: isostack up {env}")


def require_own(project: Project, store: Store, env: str) -> None:
    """Raise BadInput where the Pulumi CLI has made the stack and the embedded engine has nothing of it: it would make all of it
    a second time."""
    from isostack.localcloud.server import LocalCloud
    from isostack.official import last_run

    note = last_run.of(store.folder(project.name, env))
    if not note.get("resources") or not note.get("cloud"):
        return
    if note["cloud"] != LocalCloud(store.home).status().identity or has_resources(project, store, env):
        return
    over = f"pulumi stack export -s {env} | isostack import {env} -"
    raise BadInput(f"the Pulumi CLI has made {env}, and has its state; add --engine pulumi, or move it over: {over}")


def has_resources(project: Project, store: Store, env: str) -> bool:
    """Whether the embedded engine's state of a stack knows anything in the cloud."""
    known = (project.name, env) in store.stacks()
    return known and any(resource.in_cloud for resource in store.load(project.name, env).snapshot.resources)


def recorded(project: Project, store: Store, env: str, engine: EngineName) -> Snapshot:
    """What an engine's state says of a stack. Raises BadInput where it has none."""
    if engine is EngineName.PULUMI:
        return in_the_backend(project, store, env)[1]
    require_state(project, store, env)
    return store.load(project.name, env).snapshot


def in_the_backend(project: Project, store: Store, env: str) -> tuple[dict[str, Any], Snapshot]:
    """A state that the Pulumi CLI keeps, as it exports it and as a snapshot. Raises BadInput where there is none."""
    from isostack.official.run import state_of

    require_stack(project, store, env)
    return state_of(stack_of(project, store, env, lambda event: None, engine=EngineName.PULUMI))


def _chosen_home() -> Path | None:
    chosen = os.environ.get(HOME)
    return Path(chosen).expanduser().resolve() if chosen and not _chosen_state() else None


def _chosen_state() -> str:
    chosen = os.environ.get(HOME, "")
    return chosen if chosen.startswith("s3:") else ""


def _objects_of(project: Project) -> Objects | None:
    address = _chosen_state() or project.state
    if not address:
        return None
    from functools import partial

    from isostack.shared_state.access import client
    from isostack.shared_state.objects import Objects

    return Objects(partial(client, home_of(project)), address)
