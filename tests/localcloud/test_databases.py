"""RDS instances for PostgreSQL are real: they take connections, keep data, and go when they are deleted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from isostack.errors import OperationFailed
from isostack.localcloud.client import Cloud
from isostack.localcloud.database_copies import DatabaseCopies
from isostack.localcloud.database_server import DatabaseError, DatabaseServers, available, free_port
from isostack.localcloud.server import LocalCloud

pytestmark = pytest.mark.skipif(bool(available()), reason=f"no PostgreSQL here: {available()}")
PASSWORD = "it's \\ a secret"


class Rds:
    """RDS in an account of a local cloud, and SQL by way of what it says of an instance."""

    def __init__(self, home: Path) -> None:
        self.cloud = LocalCloud(home)
        self.client = Cloud(self.cloud.ensure().url, "eu-west-1", "111111111111").client("rds")
        self.psql = DatabaseServers(home)._bin / "psql"

    def create(self, **changes: Any) -> str:
        name = f"i{uuid.uuid4().hex[:12]}"
        asked = {"Engine": "postgres", "DBInstanceClass": "db.t4g.micro", "AllocatedStorage": 20, "DBName": "shop"}
        asked |= {"MasterUsername": "keeper", "MasterUserPassword": PASSWORD, **changes}
        self.client.create_db_instance(DBInstanceIdentifier=name, **asked)
        self.wait(name)
        return name

    def wait(self, name: str) -> None:
        self.client.get_waiter("db_instance_available").wait(
            DBInstanceIdentifier=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 400}
        )

    def describe(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
        return found

    def sql(self, name: str, statement: str, password: str = PASSWORD) -> str:
        """What the statement gives, run by the master user over TCP; AssertionError where it fails."""
        endpoint = self.describe(name)["Endpoint"]
        return self.sql_at(endpoint["Address"], endpoint["Port"], statement, password)

    def sql_at(self, host: str, port: int, statement: str, password: str = PASSWORD) -> str:
        done = subprocess.run(  # noqa: S603 - the package's own psql
            [self.psql, "-X", "-A", "-t", "-q", "-h", host, "-p", str(port), "-U", "keeper", "-d", "shop", "-c", statement],
            env={"PGPASSWORD": password, "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture(scope="module")
def rds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rds]:
    rds = Rds(tmp_path_factory.mktemp("home"))
    yield rds
    rds.cloud.stop()


def test_an_instance_is_a_database_that_takes_the_master_users_password_and_no_other(rds: Rds) -> None:
    name = rds.create()
    assert rds.describe(name)["Endpoint"]["Address"] == "127.0.0.1"
    assert rds.sql(name, "select current_user || '@' || current_database()") == "keeper@shop"
    with pytest.raises(AssertionError, match="password authentication failed"):
        rds.sql(name, "select 1", "something else")


def test_the_master_user_is_no_superuser_but_makes_databases_and_roles(rds: Rds) -> None:
    name = rds.create()
    assert rds.sql(name, "select rolsuper from pg_roles where rolname = current_user") == "f"
    rds.sql(name, "create role reader")
    rds.sql(name, "create database reports")


def test_the_server_does_not_run_as_root_and_listens_on_loopback_alone(rds: Rds) -> None:
    name = rds.create()
    port = rds.describe(name)["Endpoint"]["Port"]
    listening = [c for c in psutil.net_connections("inet") if c.status == psutil.CONN_LISTEN and c.laddr.port == port]
    assert [c.laddr.ip for c in listening] == ["127.0.0.1"]
    assert psutil.Process(listening[0].pid).uids().effective != 0


def test_a_snapshot_is_restored_with_its_data_and_without_what_came_after(rds: Rds) -> None:
    name, snapshot, restored = rds.create(), f"s{uuid.uuid4().hex[:8]}", f"r{uuid.uuid4().hex[:8]}"
    rds.sql(name, "create table goods as select 42 as price")
    rds.client.create_db_snapshot(DBInstanceIdentifier=name, DBSnapshotIdentifier=snapshot)
    rds.sql(name, "update goods set price = 0")
    rds.client.restore_db_instance_from_db_snapshot(DBInstanceIdentifier=restored, DBSnapshotIdentifier=snapshot)
    rds.wait(restored)
    assert (rds.sql(restored, "select price from goods"), rds.sql(name, "select price from goods")) == ("42", "0")


def test_a_final_snapshot_outlives_its_instance(rds: Rds) -> None:
    name, snapshot, restored = rds.create(), f"s{uuid.uuid4().hex[:8]}", f"r{uuid.uuid4().hex[:8]}"
    rds.sql(name, "create table goods as select 7 as price")
    rds.client.delete_db_instance(DBInstanceIdentifier=name, FinalDBSnapshotIdentifier=snapshot)
    rds.client.restore_db_instance_from_db_snapshot(DBInstanceIdentifier=restored, DBSnapshotIdentifier=snapshot)
    rds.wait(restored)
    assert rds.sql(restored, "select price from goods") == "7"


def test_a_point_in_time_restore_has_the_content_of_now(rds: Rds) -> None:
    name, restored = rds.create(), f"r{uuid.uuid4().hex[:8]}"
    rds.sql(name, "create table goods as select 9 as price")
    rds.client.restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier=name, TargetDBInstanceIdentifier=restored, UseLatestRestorableTime=True
    )
    rds.wait(restored)
    assert rds.sql(restored, "select price from goods") == "9"


def test_a_changed_master_password_is_the_one_that_counts(rds: Rds) -> None:
    name = rds.create()
    rds.client.modify_db_instance(DBInstanceIdentifier=name, MasterUserPassword="another one", ApplyImmediately=True)
    assert rds.sql(name, "select 1", "another one") == "1"
    with pytest.raises(AssertionError, match="password authentication failed"):
        rds.sql(name, "select 1")


def test_a_password_that_rds_manages_is_the_one_in_secrets_manager(rds: Rds) -> None:
    name = f"i{uuid.uuid4().hex[:12]}"
    rds.client.create_db_instance(
        DBInstanceIdentifier=name,
        Engine="postgres",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        DBName="shop",
        MasterUsername="keeper",
        ManageMasterUserPassword=True,
    )  # fmt: skip - as one reads a request
    rds.wait(name)
    secrets = Cloud(rds.cloud.ensure().url, "eu-west-1", "111111111111").client("secretsmanager")
    value = secrets.get_secret_value(SecretId=rds.describe(name)["MasterUserSecret"]["SecretArn"])["SecretString"]
    assert rds.sql(name, "select 1", json.loads(value)["password"]) == "1"


def test_a_stopped_instance_refuses_connections_and_has_its_data_when_it_is_started(rds: Rds) -> None:
    name = rds.create()
    rds.sql(name, "create table goods as select 3 as price")
    rds.client.stop_db_instance(DBInstanceIdentifier=name)
    with pytest.raises(AssertionError, match="Connection refused"):
        rds.sql(name, "select 1")
    rds.client.start_db_instance(DBInstanceIdentifier=name)
    assert rds.sql(name, "select price from goods") == "3"


def test_a_deleted_instance_leaves_neither_a_server_nor_a_file(rds: Rds) -> None:
    name = rds.create()
    endpoint = rds.describe(name)["Endpoint"]
    files = DatabaseServers(rds.cloud.home).folder / "servers"
    assert [path for path in files.iterdir() if path.name.startswith(name)]
    rds.client.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    assert [path for path in files.iterdir() if path.name.startswith(name)] == []
    with pytest.raises(AssertionError, match="Connection refused"):
        rds.sql_at(endpoint["Address"], endpoint["Port"], "select 1")


def _servers(home: Path) -> list[psutil.Process]:
    """The PostgreSQL servers of a local cloud, found by the folder that they work in."""
    folder = str(DatabaseServers(home).folder.resolve())
    found = []
    for process in psutil.process_iter():
        try:
            if process.name() == "postgres" and process.cwd().startswith(folder):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_a_reset_ends_all_databases(tmp_path: Path) -> None:
    rds = Rds(tmp_path)
    try:
        rds.create()
        assert _servers(tmp_path)
        rds.cloud.reset()
        assert _servers(tmp_path) == []
    finally:
        rds.cloud.stop()


def test_stopping_the_local_cloud_ends_its_databases(tmp_path: Path) -> None:
    rds = Rds(tmp_path)
    rds.create()
    assert _servers(tmp_path)
    rds.cloud.stop()
    assert _servers(tmp_path) == []


def test_databases_of_a_killed_local_cloud_end_when_the_next_one_starts(tmp_path: Path) -> None:
    rds = Rds(tmp_path)
    rds.create()
    pid = rds.cloud.status().pid
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert _servers(tmp_path)
    if kept := json.loads((tmp_path / "cloud.json").read_text())["content"]:
        Path(kept).unlink(missing_ok=True)  # as if it had been at work
    rds.cloud.ensure()
    try:
        assert _servers(tmp_path) == []
    finally:
        rds.cloud.stop()


def test_what_a_new_database_starts_with_is_made_once_even_if_the_local_cloud_is_killed_and_goes_with_it(tmp_path: Path) -> None:
    rds = Rds(tmp_path)
    rds.cloud.expect("rds")
    rds.create()
    (made,) = DatabaseServers(tmp_path).folder.parent.glob("databases-new-*")
    before = made.stat()
    pid = rds.cloud.status().pid
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    rds = Rds(tmp_path)
    try:
        name = rds.create()
        assert rds.sql(name, "select count(*) from pg_database where datname = 'shop'") == "1"
        after = made.stat()
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    finally:
        rds.cloud.stop()
    assert not made.exists()


def test_the_files_of_the_next_server_lie_ready_where_one_is_expected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    servers = DatabaseServers(tmp_path)
    try:
        servers.make_spare()
        servers.make_spare()
        with monkeypatch.context() as patched:
            patched.setattr(servers, "copy", lambda *_: pytest.fail("they are there"))
            servers.create("one", free_port(), "keeper", "word", "shop")
        servers.create("two", free_port(), "keeper", "word", "shop")
        assert [servers.execute(name, "select 1", database="shop") for name in ("one", "two")] == ["1", "1"]
    finally:
        servers.clear(everything=True)


def test_a_kept_copy_outlives_the_local_cloud_and_comes_back_under_the_same_password(tmp_path: Path) -> None:
    rds = Rds(tmp_path)
    try:
        name = rds.create()
        rds.sql(name, "create table goods as select 42 as price")
        digest, size = rds.cloud.keep_database(rds.describe(name)["DBInstanceArn"], "kept")
        assert size > 1_000_000
        rds.cloud.stop()
        rds = Rds(tmp_path)
        name = rds.create(MasterUserPassword="a new password")
        before = rds.describe(name)["Endpoint"]
        rds.cloud.bring_database_back(rds.describe(name)["DBInstanceArn"], "kept", digest)
        assert rds.sql(name, "select price from goods", "a new password") == "42"
        assert rds.describe(name)["Endpoint"] == before
    finally:
        rds.cloud.stop()


def test_a_damaged_copy_is_refused_and_the_database_stays_as_it_is(rds: Rds) -> None:
    name, copy = rds.create(), f"k{uuid.uuid4().hex[:8]}"
    rds.sql(name, "create table goods as select 1 as price")
    digest, _ = rds.cloud.keep_database(rds.describe(name)["DBInstanceArn"], copy)
    file = DatabaseCopies(DatabaseServers(rds.cloud.home)).kept(copy) / "global" / "pg_control"
    data = bytearray(file.read_bytes())
    data[20] ^= 1
    file.write_bytes(data)
    with pytest.raises(OperationFailed, match="damaged"):
        rds.cloud.bring_database_back(rds.describe(name)["DBInstanceArn"], copy, digest)
    assert rds.sql(name, "select price from goods") == "1"


def test_a_copy_that_lies_ready_is_only_renamed_and_one_that_was_damaged_since_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers, port = DatabaseServers(tmp_path), free_port()
    copies = DatabaseCopies(servers)
    try:
        servers.create("one", port, "keeper", "word", "shop")
        servers.execute("one", "create table goods as select 1 as price")
        digest, _ = copies.keep("one", "kept")
        servers.execute("one", "drop table goods")
        wait_for_ready(copies, "one", "kept")
        with monkeypatch.context() as patched:
            patched.setattr(servers, "copy", lambda *_: pytest.fail("there is one already"))
            copies.bring_back("one", port, "kept", digest, "keeper", "word")
        assert servers.execute("one", "select price from goods") == "1"
        wait_for_ready(copies, "one", "kept")
        file = copies.kept("kept") / "global" / "pg_control"
        content = file.read_bytes()
        file.write_bytes(bytes([content[0] ^ 1]) + content[1:])
        with pytest.raises(DatabaseError, match="damaged"):
            copies.bring_back("one", port, "kept", digest, "keeper", "word")
        assert servers.execute("one", "select price from goods") == "1"
    finally:
        copies.leave("one")
        servers.clear()
        copies.drop("kept")


def test_a_copy_that_was_made_ready_for_a_server_to_come_is_only_renamed_and_given_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = DatabaseServers(tmp_path)
    copies, ports = DatabaseCopies(servers), {name: free_port() for name in ("one", "two")}
    try:
        servers.create("one", ports["one"], "keeper", "word", "shop")
        servers.execute("one", "create table goods as select 1 as price")
        digest, _ = copies.keep("one", "kept")
        copies.leave("one")
        servers.remove("one")
        with pytest.raises(DatabaseError, match="damaged"):
            copies.make_ready("kept", "another digest")
        copies.make_ready("kept", digest)
        for name in ports:
            servers.create(name, ports[name], "keeper", "word", "shop")
        with monkeypatch.context() as patched:
            patched.setattr(servers, "copy", lambda *_: pytest.fail("there is one already"))
            copies.bring_back("one", ports["one"], "kept", digest, "keeper", "word")
        copies.bring_back("two", ports["two"], "kept", digest, "keeper", "word")
        assert [servers.execute(name, "select price from goods") for name in ports] == ["1", "1"]
    finally:
        for name in ports:
            copies.leave(name)
        servers.clear()
        copies.drop("kept")


def wait_for_ready(copies: DatabaseCopies, name: str, copy: str) -> None:
    deadline = time.monotonic() + 60
    while copies._of(name).copy != copy:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_database_that_goes_is_its_own_copy_and_has_its_content_again_if_it_stays(rds: Rds) -> None:
    name, copy = rds.create(), f"k{uuid.uuid4().hex[:8]}"
    rds.sql(name, "create table goods as select 1 as price")
    endpoint = rds.describe(name)["Endpoint"]
    arn = rds.describe(name)["DBInstanceArn"]
    digest, _ = rds.cloud.keep_database(arn, copy, goes=True)
    files = DatabaseServers(rds.cloud.home).folder
    rds.client.describe_db_instances()  # somebody asks for all
    assert not list(files.glob(f"servers/{name}-????????/data")), "nothing was copied"
    assert rds.sql(name, "select price from goods") == "1", "whoever asks for it has it again"
    rds.sql(name, "update goods set price = 2")
    rds.cloud.bring_database_back(arn, copy, digest)
    assert rds.sql(name, "select price from goods") == "1"
    assert rds.describe(name)["Endpoint"] == endpoint
    rds.cloud.keep_database(arn, "another", goes=True)
    rds.cloud.drop_database_copy("another")  # as of a snapshot that came to nothing
    assert rds.sql(name, "select price from goods") == "1"


def test_a_copy_that_was_dropped_cannot_be_brought_back(rds: Rds) -> None:
    name, copy = rds.create(), f"k{uuid.uuid4().hex[:8]}"
    digest, _ = rds.cloud.keep_database(rds.describe(name)["DBInstanceArn"], copy)
    rds.cloud.drop_database_copy(copy)
    with pytest.raises(OperationFailed, match="not there"):
        rds.cloud.bring_database_back(rds.describe(name)["DBInstanceArn"], copy, digest)
