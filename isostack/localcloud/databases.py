"""RDS instances of the local cloud that are real: each PostgreSQL instance of moto's gets a server that answers.

Runs inside the local cloud's process. Owns when a server is made, copied and removed, after what RDS is asked for; the
servers themselves are :mod:`isostack.localcloud.database_server`'s. As in AWS an instance is ``creating`` at first, and
``available`` once it takes connections; one whose server cannot be made is ``failed``, and the log says why. A server that
has died is started again when somebody asks for its instance, and one whose files are gone is made anew, empty. Other
engines, and clusters, stay simulated. A read replica is another name of its source.
"""

from __future__ import annotations

import atexit
import inspect
import json
import re
import secrets
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

from isostack.localcloud.database_copies import DatabaseCopies
from isostack.localcloud.database_server import HOST, DatabaseError, DatabaseServers, available, free_port, is_free
from isostack.localcloud.relays import Relays


@dataclass
class _Real:
    """A server, and moto's instance that stands for it. ``settled`` once the server runs, or has failed to."""

    instance: Any
    name: str
    port: int
    settled: threading.Event = field(default_factory=threading.Event)
    changing: threading.RLock = field(default_factory=threading.RLock)


class Databases:
    """The servers of all accounts and regions, by moto's instances."""

    def __init__(self, home: Path, relays: Relays) -> None:
        self._home = home
        self._relays = relays
        self._servers: DatabaseServers | None = None
        self._copies: DatabaseCopies | None = None
        self._known: dict[int, _Real] = {}
        self._from_snapshot = threading.local()

    @property
    def servers(self) -> DatabaseServers:
        if self._servers is None:
            self._open().clear()  # what an earlier local cloud left: moto knows nothing of it
        assert self._servers is not None  # noqa: S101 - as above
        return self._servers

    def _open(self) -> DatabaseServers:
        self._servers = DatabaseServers(self._home)
        atexit.register(self._servers.clear, everything=True)
        self._copies = DatabaseCopies(self._servers)
        return self._servers

    @property
    def copies(self) -> DatabaseCopies:
        self.servers  # noqa: B018 - they make them
        assert self._copies is not None  # noqa: S101 - as above
        return self._copies

    def prepare(self) -> None:
        """Begin to make what the next new server starts with."""

        def make() -> None:
            with suppress(DatabaseError, OSError):  # whoever makes a server is told
                self.servers.make_spare()

        self.servers  # noqa: B018 - made here, once, and not by two threads
        threading.Thread(target=make, daemon=True).start()

    def of(self, instance: Any) -> _Real | None:
        return self._known.get(id(instance))

    def created(self, instance: Any) -> None:
        """Begin to make the server of a new instance, empty or from the snapshot that is being restored."""
        if instance.engine != "postgres" or instance.db_cluster_identifier:
            return
        port = free_port()  # not 5432, which is for the person's own PostgreSQL
        real = _Real(instance, f"{instance.db_instance_identifier}-{secrets.token_hex(4)}", port)
        self._known[id(instance)] = real
        instance.port = port
        instance.status = "creating"
        snapshot = getattr(self._from_snapshot, "name", None)
        password = _password(instance)

        def make() -> None:
            try:
                if snapshot and self.servers.has_snapshot(snapshot):
                    self.servers.restore(real.name, port, snapshot, instance.master_username, None)
                else:
                    self.servers.create(real.name, port, instance.master_username, password, instance.db_name or "")
                self._relays.serve(port)
                instance.status = "available"
            except (DatabaseError, OSError) as error:
                instance.status = "failed"
                _log(f"database {instance.db_instance_identifier}: {error}")
            finally:
                real.settled.set()

        self.servers  # noqa: B018 - made here, once, and not by two threads
        threading.Thread(target=make, daemon=True).start()

    def replicated(self, source: Any, replica: Any) -> None:
        if real := self.of(source):
            self._known[id(replica)] = real

    def deleted(self, instance: Any) -> None:
        real = self._known.pop(id(instance), None)
        if real and real.instance is instance:
            real.settled.wait()
            self._relays.withdraw(real.port)
            self.copies.leave(real.name)
            self.servers.remove(real.name)

    def modified(self, instance: Any, changes: dict[str, Any]) -> None:
        real = self.of(instance)
        password = changes.get("master_user_password") or (
            _password(instance) if "manage_master_user_password" in changes else None
        )
        if real and password and self._is_up(real):
            self.servers.set_password(real.name, instance.master_username, password)

    def stopped(self, instance: Any) -> None:
        if (real := self.of(instance)) and self._is_up(real):
            self.servers.stop(real.name)

    def started(self, instance: Any) -> None:
        if (real := self.of(instance)) and not self._is_up(real):
            self.servers.start(real.name, real.port)

    def revive(self, real: _Real) -> None:
        """Have a server that should be running do so. One that cannot is ``failed``."""
        instance = real.instance
        if not real.settled.is_set() or instance.status != "available" or self.servers.sound(real.name):
            return
        with real.changing:
            if self.servers.sound(real.name):
                return
            _log(f"database {instance.db_instance_identifier}: its server has ended, and is started again")
            self._revive(real)

    def _revive(self, real: _Real) -> None:
        instance = real.instance
        try:
            user, password = instance.master_username, _password(instance)
            self.copies.give_back(real.name)
            self.servers.revive(real.name, real.port, user, password, instance.db_name or "")
        except (DatabaseError, OSError) as error:
            instance.status = "failed"
            _log(f"database {instance.db_instance_identifier}: {error}")

    def to_take_over(self, instances: Iterable[Any]) -> Any | None:
        """What a local cloud that takes this one's place must know beside these instances of moto's; None while servers come
        or go, or copies are made."""
        known = [(instance, real) for instance in instances if (real := self.of(instance))]
        ready = self._copies.ready() if self._copies else {}
        if ready is None or not all(real.settled.is_set() for _, real in known):
            return None
        return [(instance, real.instance, real.name, real.port) for instance, real in known], ready

    def take_over(self, facts: Any) -> None:
        """Begin to start the servers of a local cloud that was killed; their files are where it left them."""
        known, ready = facts
        if not known:
            return
        self._open().keep_only({name for _, _, name, _ in known})
        self.copies.take_over(ready)
        reals: dict[str, _Real] = {}
        for instance, of, name, port in known:
            if name not in reals:
                if not is_free(port):
                    port = of.port = free_port()  # noqa: PLW2901 - somebody has taken it since
                reals[name] = _Real(of, name, port)
                threading.Thread(target=self._start_again, args=(reals[name],), daemon=True).start()
            self._known[id(instance)] = reals[name]

    def _start_again(self, real: _Real) -> None:
        # One without files is made anew when it is asked for, unless it is given a copy's first.
        if real.instance.status == "available" and self.servers.has_data(real.name):
            self._revive(real)
        self._relays.serve(real.port)
        real.settled.set()

    def take_snapshot(self, instance: Any, snapshot: str) -> None:
        if (real := self.of(instance)) and self._is_up(real):
            self.servers.take_snapshot(real.name, snapshot)

    def by_arn(self, arn: str) -> _Real:
        """The real one of an instance. Raises DatabaseError where there is none."""
        for real in list(self._known.values()):
            if real.instance.arn == arn:
                real.settled.wait()
                return real
        raise DatabaseError(f"there is no database {arn}")

    def keep(self, arn: str, copy: str, goes: bool = False) -> dict[str, Any]:
        """A copy of an instance's content that outlives the local cloud: its digest and its bytes. One that ``goes`` is ended."""
        real = self.by_arn(arn)
        self.revive(real)
        if not self.servers.running(real.name):
            raise DatabaseError(f"database {real.instance.db_instance_identifier} does not run")
        with real.changing:
            digest, size = (self.copies.take if goes else self.copies.keep)(real.name, copy)
        return {"digest": digest, "bytes": size}

    def goes(self, real: _Real) -> bool:
        """Whether its content was taken, because it is deleted next."""
        return self.copies.is_taken(real.name)

    def bring_back(self, arn: str, copy: str, digest: str) -> dict[str, Any]:
        """Give an instance a kept copy's content, whatever has become of its own; it runs afterwards."""
        real = self.by_arn(arn)
        with real.changing:
            user, password = real.instance.master_username, _password(real.instance)
            self.copies.bring_back(real.name, real.port, copy, digest, user, password)
            real.instance.status = "available"
        return {}

    def make_ready(self, copy: str, digest: str) -> dict[str, Any]:
        """Have a checked copy lie ready for an instance that is to be made."""
        self.copies.make_ready(copy, digest)
        return {}

    def drop(self, copy: str) -> dict[str, Any]:
        self.copies.drop(copy)
        return {}

    def restoring(self, snapshot: str, restore: Callable[[], Any]) -> Any:
        """Let an instance that ``restore`` creates have this snapshot's content."""
        self._from_snapshot.name = snapshot
        try:
            return restore()
        finally:
            self._from_snapshot.name = None

    def _is_up(self, real: _Real) -> bool:
        real.settled.wait()
        return self.servers.running(real.name)


def give_rds_real_databases(databases: Databases) -> None:
    """Let moto's RDS make, change and remove real servers, where PostgreSQL is there; else say so in the log."""
    if reason := available():
        _log(f"databases are simulated: {reason}")
        return
    from moto.rds.models import DBInstance, RDSBackend

    instance_class: Any = DBInstance
    simulated_address = instance_class.address.fget
    instance_class.address = property(lambda self: HOST if databases.of(self) else simulated_address(self))

    def after(name: str, then: Callable[[Any, Any, dict[str, Any]], None]) -> None:
        """Have ``then`` called with the backend, what the method gave, and its arguments by name."""
        method = getattr(RDSBackend, name)
        signature = inspect.signature(method)

        @wraps(method)
        def wrapped(self: Any, *arguments: Any, **named: Any) -> Any:
            result = method(self, *arguments, **named)
            then(self, result, signature.bind(self, *arguments, **named).arguments)
            return result

        setattr(RDSBackend, name, wrapped)

    def snapshot_taken(backend: Any, snapshot: Any, asked: dict[str, Any]) -> None:
        if snapshot.snapshot_type == "manual":
            instance = backend.databases[asked["db_instance_identifier"]]
            databases.take_snapshot(instance, _key(backend, snapshot.db_snapshot_identifier))

    def snapshot_copied(backend: Any, copied: Any, asked: dict[str, Any]) -> None:
        source = _key(backend, asked["source_db_snapshot_identifier"])
        if databases.servers.has_snapshot(source):
            databases.servers.copy_snapshot(source, _key(backend, copied.db_snapshot_identifier))

    def snapshot_deleted(backend: Any, snapshot: Any, asked: dict[str, Any]) -> None:
        databases.servers.remove_snapshot(_key(backend, snapshot.db_snapshot_identifier))

    def replicated(backend: Any, replica: Any, asked: dict[str, Any]) -> None:
        source = backend.find_db_from_id(asked["db_kwargs"]["source_db_instance_identifier"])
        databases.replicated(source, replica)

    def asked_for(backend: Any, instances: Any, asked: dict[str, Any]) -> None:
        for instance in instances:
            # Who asks for all wants to see none that goes: a sweep takes several playgrounds down at once.
            if (real := databases.of(instance)) and (asked.get("db_instance_identifier") or not databases.goes(real)):
                databases.revive(real)

    after("describe_db_instances", asked_for)
    after("create_db_instance", lambda backend, instance, asked: databases.created(instance))
    after("delete_db_instance", lambda backend, instance, asked: databases.deleted(instance))
    after("modify_db_instance", lambda backend, instance, asked: databases.modified(instance, asked["db_kwargs"]))
    after("stop_db_instance", lambda backend, instance, asked: databases.stopped(instance))
    after("start_db_instance", lambda backend, instance, asked: databases.started(instance))
    after("create_db_snapshot", snapshot_taken)
    after("copy_db_snapshot", snapshot_copied)
    after("delete_db_snapshot", snapshot_deleted)
    after("create_db_instance_read_replica", replicated)
    _restore_content(databases, RDSBackend)
    _remove_on_reset(databases, RDSBackend)


def _restore_content(databases: Databases, backend_class: Any) -> None:
    from_snapshot = backend_class.restore_db_instance_from_db_snapshot
    to_point_in_time = backend_class.restore_db_instance_to_point_in_time

    def restore(self: Any, from_snapshot_id: str, overrides: Any) -> Any:
        return databases.restoring(_key(self, from_snapshot_id), lambda: from_snapshot(self, from_snapshot_id, overrides))

    def restore_now(self: Any, source: str, target: str, overrides: Any) -> Any:
        """Whatever the point in time, the content is that of now: there is no log of the past."""
        instance = self.describe_db_instances(db_instance_identifier=source)[0]
        moment = f"moment-{secrets.token_hex(4)}"
        databases.take_snapshot(instance, moment)
        restored = databases.restoring(moment, lambda: to_point_in_time(self, source, target, overrides))
        if real := databases.of(restored):
            real.settled.wait()
        databases.servers.remove_snapshot(moment)
        return restored

    backend_class.restore_db_instance_from_db_snapshot = restore
    backend_class.restore_db_instance_to_point_in_time = restore_now


def _remove_on_reset(databases: Databases, backend_class: Any) -> None:
    reset = backend_class.reset

    def remove_and_reset(self: Any) -> None:
        for instance in list(self.databases.values()):
            databases.deleted(instance)
        for snapshot in list(self.database_snapshots):
            databases.servers.remove_snapshot(_key(self, snapshot))
        reset(self)

    backend_class.reset = remove_and_reset


def _key(backend: Any, snapshot: str) -> str:
    """A file's name for a snapshot, whose own is unique in its account and region; automated ones have a colon."""
    name = snapshot.rpartition(":snapshot:")[2].lower()
    return re.sub(r"[^a-z0-9-]", "_", f"{backend.account_id}-{backend.region_name}-{name}")


def _password(instance: Any) -> str:
    """The master user's: the one that was given, or the one that RDS keeps in Secrets Manager."""
    managed = getattr(instance, "master_user_secret", None)
    if managed is not None:
        value = instance.backend.secretsmanager.get_secret_value(managed.secret.arn, None, None)["SecretString"]
        return str(json.loads(value)["password"])
    return str(vars(instance).get("_master_user_password") or secrets.token_urlsafe(24))


def _log(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201 - the process's log
