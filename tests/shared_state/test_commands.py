"""Shared state by the command line: how it is named, what it wants, what it refuses, and what a damaged one is told."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from isostack import composition
from isostack.engine.project import load_project
from isostack.engine.store import Store
from isostack.errors import BadInput, Refused
from isostack.localcloud.client import Cloud
from isostack.localcloud.server import LocalCloud
from isostack.shared_state.access import client
from isostack.shared_state.bucket import Bucket
from isostack.shared_state.objects import Objects
from tests.command_line import CommandLine, project

SECRET = "correct horse"
PROGRAM = "import pulumi\npulumi.export('greeting', 'hello')\npulumi.export('token', pulumi.Output.secret('hunter2'))\n"


class Shared:
    """A project with its state in a bucket of the local cloud, by the variable or by its own word."""

    def __init__(self, local_cloud: LocalCloud, cloud: Cloud, folder: Path) -> None:
        self.s3 = cloud.client("s3")
        self.prefix = uuid.uuid4().hex
        self.address = f"s3://state/{self.prefix}"
        self.folder = project(folder / "team", PROGRAM, extra=f"isostack:\n  state: {self.address}\n")
        self.isostack = CommandLine(local_cloud.home, {"PULUMI_CONFIG_PASSPHRASE": SECRET})

    def names(self) -> list[str]:
        """The keys of the objects that there are."""
        found = self.s3.list_objects_v2(Bucket="state", Prefix=f"{self.prefix}/").get("Contents", [])
        return [item["Key"] for item in found]

    def body(self, key: str) -> bytes:
        read: bytes = self.s3.get_object(Bucket="state", Key=key)["Body"].read()
        return read


@pytest.fixture
def shared(local_cloud: LocalCloud, state_bucket: Cloud, tmp_path: Path) -> Shared:
    return Shared(local_cloud, state_bucket, tmp_path)


def test_state_goes_to_the_bucket_and_every_command_finds_it_there(shared: Shared) -> None:
    (shared.folder / "Pulumi.dev.yaml").write_text("config: {}\n")
    assert shared.isostack("up", "dev", cwd=shared.folder).code == 0
    assert shared.isostack("outputs", "dev", "greeting", cwd=shared.folder).out == "hello\n"
    assert shared.isostack("status", "--json", cwd=shared.folder).json["environments"][0]["result"] == "succeeded"
    previewed = shared.isostack("preview", "--all", "--json", cwd=shared.folder).json["environments"][0]
    assert previewed["compared_with"].startswith("the state that up left"), previewed
    assert json.loads(shared.isostack("export", "dev", cwd=shared.folder).out)["version"] == 3
    assert not (shared.isostack.home / "stacks" / "small" / "dev").exists()

    head, state = shared.names()
    # docs/shared-state.md shows this layout
    assert head.endswith("/stacks/small/dev/head.json")
    assert state.endswith("/stacks/small/dev/states/000000000001-0001.json")
    pointer = json.loads(shared.body(head))["state"]
    written = shared.s3.get_object(Bucket="state", Key=state)
    assert (written["Metadata"]["sha256"], written["VersionId"]) == (pointer["sha256"], pointer["version"])
    assert written["ServerSideEncryption"] == "aws:kms"
    assert b"hunter2" not in shared.body(head) + shared.body(state)

    shared.s3.put_object(Bucket="state", Key=state, Body=b"by hand")
    assert shared.isostack("outputs", "dev", "greeting", cwd=shared.folder).out == "hello\n", "the version that was written"


def test_a_damaged_state_is_refused_and_the_one_before_it_offered_and_put_back(shared: Shared) -> None:
    assert shared.isostack("up", "dev", cwd=shared.folder).code == 0
    (shared.folder / "__main__.py").write_text(PROGRAM.replace("hello", "good morning"))
    assert shared.isostack("up", "dev", cwd=shared.folder).code == 0
    key = max(name for name in shared.names() if "/states/" in name)
    shared.s3.delete_object(Bucket="state", Key=key, VersionId=shared.s3.get_object(Bucket="state", Key=key)["VersionId"])
    shared.s3.put_object(Bucket="state", Key=key, Body=b'{"version":3,"deployment":{}}')
    ran = shared.isostack("up", "dev", cwd=shared.folder)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "is damaged (its digest is" in ran.err
    assert "is sound: isostack import dev --previous puts it in its place; then run refresh" in ran.err
    assert shared.isostack("import", "dev", "--previous", cwd=shared.folder).code == 0
    assert shared.isostack("outputs", "dev", "greeting", cwd=shared.folder).out == "hello\n"


def test_without_a_passphrase_nothing_begins(shared: Shared) -> None:
    ran = CommandLine(shared.isostack.home)("up", "dev", cwd=shared.folder)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert f"the state in {shared.address} is shared: set PULUMI_CONFIG_PASSPHRASE" in ran.err
    assert shared.names() == []


@pytest.mark.parametrize("endpoint", ["https://s3.eu-west-1.amazonaws.com", "http://10.0.0.1:5000", "http://127.0.0.1@evil/"])
def test_an_endpoint_that_is_not_on_loopback_is_refused(tmp_path: Path, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ISOSTACK_STATE_PROFILE", raising=False)
    monkeypatch.setenv("ISOSTACK_STATE_ENDPOINT", endpoint)
    with pytest.raises(Refused, match="for state in an account, name its profile in ISOSTACK_STATE_PROFILE"):
        client(tmp_path)


def test_the_variable_names_the_bucket_as_well_and_a_profile_is_used_because_it_was_named(shared: Shared, tmp_path: Path) -> None:
    assert shared.isostack("up", "dev", cwd=shared.folder).code == 0
    elsewhere = project(tmp_path / "elsewhere", PROGRAM)
    env = {"ISOSTACK_HOME": shared.address, "ISOSTACK_STATE_ENDPOINT": LocalCloud(shared.isostack.home).ensure().url}
    assert shared.isostack("outputs", "dev", "greeting", cwd=elsewhere, env=env).out == "hello\n"
    assert not (elsewhere / ".isostack" / "stacks").exists()

    file = tmp_path / "config"
    file.write_text("[profile team]\nregion = eu-west-1\naws_access_key_id = isostack\naws_secret_access_key = isostack\n")
    env |= {"AWS_CONFIG_FILE": str(file), "ISOSTACK_STATE_PROFILE": "team"}
    assert shared.isostack("outputs", "dev", "greeting", cwd=elsewhere, env=env).out == "hello\n"
    ran = shared.isostack("status", cwd=elsewhere, env=env | {"ISOSTACK_STATE_PROFILE": "others"})
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "ISOSTACK_STATE_PROFILE: The config profile (others) could not be found" in ran.err


def store_in(shared: Shared, home: Path, bucket: str) -> Store:
    return Store(home, backend=Bucket(Objects(lambda: shared.s3, f"s3://{bucket}")))


def test_a_bucket_that_is_not_there_is_one_line(shared: Shared, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"^there is no bucket nothing-here; isostack bootstrap state makes it$"):
        store_in(shared, tmp_path, "nothing-here").lock("small", "dev", "a test").__enter__()


def test_a_bucket_that_keeps_no_versions_is_no_place_for_state(shared: Shared, tmp_path: Path) -> None:
    name = f"plain-{uuid.uuid4().hex}"
    shared.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    store = store_in(shared, tmp_path, name)
    with pytest.raises(BadInput, match=f"bucket {name} keeps no versions"):
        store.lock("small", "dev", "a test").__enter__()
    assert store.holder("small", "dev") is None, "its lease is given back"


def test_an_import_names_a_file_or_the_previous_state(shared: Shared) -> None:
    for arguments in ((), ("file.json", "--previous")):
        ran = shared.isostack("import", "dev", *arguments, cwd=shared.folder)
        assert (ran.code, "--previous" in ran.err) == (2, True)


def test_playgrounds_stay_on_their_persons_machine(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ISOSTACK_HOME", raising=False)
    found = load_project(shared.folder)
    assert composition.store_of(found).backend.origin == shared.address
    assert composition.own_store_of(found).backend.origin == str(shared.folder / ".isostack")


def test_a_slip_in_the_address_of_a_bucket_names_no_folder(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOSTACK_HOME", "s3:/bucket/team")
    with pytest.raises(BadInput, match="s3:/bucket/team: write s3://BUCKET or s3://BUCKET/PREFIX"):
        composition.store_of(load_project(shared.folder))


@pytest.mark.parametrize(
    ("block", "complaint"),
    [
        ("isostack: s3://b", "'isostack' must be a mapping"),
        ("isostack:\n  stat: s3://bucket", "all that it may have is state"),
        ("isostack:\n  state: [1]", "'state' must be text"),
        ("isostack:\n  state: /var/state", "must be s3://BUCKET/PREFIX; a folder is named by ISOSTACK_HOME"),
        ("isostack:\n  state: s3://b", "write s3://BUCKET or s3://BUCKET/PREFIX"),
    ],
)
def test_an_address_that_is_none_is_one_line(tmp_path: Path, block: str, complaint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ISOSTACK_HOME", raising=False)
    folder = project(tmp_path / "wrong", PROGRAM, extra=f"{block}\n")
    with pytest.raises(BadInput, match=complaint) as caught:
        composition.store_of(load_project(folder))
    assert "\n" not in str(caught.value)
