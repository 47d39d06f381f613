"""Snapshots of a stack in a real account, by boto3: its databases by RDS, all else in a bucket; usable or absent, never half.

Owns how an account is reached (with the person's own credentials and the role of the stack's provider, and only because it was
asked for), and how RDS and SQS keep what the local cloud keeps by itself. The bucket is
:mod:`isostack.playground.snapshot_bucket`'s, what is kept of which store :mod:`isostack.playground.data`'s, and that it is whole,
:mod:`isostack.playground.snapshots`'s.
"""

from __future__ import annotations

import base64
import json
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from isostack.engine import state_file, urn
from isostack.engine.store import Loaded, StackSecrets
from isostack.errors import BadInput, OperationFailed, Refused
from isostack.playground.snapshot_bucket import Bucket
from isostack.playground.snapshots import Manifest, Snapshots, check_label, told

if TYPE_CHECKING:
    from isostack.engine.secrets import Keyring

_POLL_SECONDS = 15.0
_LONGEST_SECONDS = 2 * 3600.0
_INVISIBLE_SECONDS = 300


class Account:
    """An account in one region, as data is read from it and put back."""

    def __init__(self, session: Any, region: str) -> None:
        self._session = session
        self.region = region
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._session.client(service, region_name=self.region)
        return self._clients[service]


class AccountHost:
    """The accounts that the providers of a stack work in, reached from a boto3 session of the person's."""

    def __init__(self, session: Any, region: str) -> None:
        self._session = session
        self.home = Account(session, region)
        self.accounts = [self.home]

    def configure(self, package: str, config: Mapping[str, Any]) -> Any:
        """Raises Refused where the credentials lead to an account that the provider does not allow."""
        import boto3

        session, region = self._session, str(config.get("region") or self.home.region)
        for role in _parsed(config.get("assumeRoles")) or []:
            sts = session.client("sts", region_name=region)
            arn = role.get("roleArn") or role["role_arn"]  # as the program's dictionary had it
            got = sts.assume_role(RoleArn=arn, RoleSessionName="isostack-snapshot")["Credentials"]
            session = boto3.Session(got["AccessKeyId"], got["SecretAccessKey"], got["SessionToken"], region)
        allowed = [str(account) for account in _parsed(config.get("allowedAccountIds")) or []]
        if allowed:
            there = session.client("sts", region_name=region).get_caller_identity()["Account"]
            if there not in allowed:
                raise Refused(f"these credentials lead to account {there}, and the stack is in {', '.join(allowed)}")
        self.accounts.append(Account(session, region))
        return SimpleNamespace(cloud=self.accounts[-1])


class AccountStores:
    """What the local cloud does for snapshots by itself, done by RDS and SQS."""

    def __init__(self, host: AccountHost, poll_seconds: float = _POLL_SECONDS) -> None:
        self._host = host
        self._poll = poll_seconds

    # -- databases ----------------------------------------------------------------------------------------------------

    def keep_database(self, arn: str, copy: str, *, goes: bool = False) -> tuple[str, int]:
        """A snapshot of RDS with the instance's tags: which one it is, and its size in bytes at most."""
        rds, instance, name = self._client("rds", arn), arn.rpartition(":")[2], _identifier(copy)
        tags = rds.list_tags_for_resource(ResourceName=arn)["TagList"]
        rds.create_db_snapshot(DBSnapshotIdentifier=name, DBInstanceIdentifier=instance, Tags=tags)
        try:
            found = self._until(lambda: _snapshot(rds, name), f"snapshot {name}")
        except OperationFailed:
            rds.delete_db_snapshot(DBSnapshotIdentifier=name)
            raise
        return _which(found), int(found["AllocatedStorage"]) * 2**30

    def bring_database_back(self, arn: str, copy: str, digest: str) -> None:
        """Put an instance that is made from the snapshot in the place of the present one, under the same name and address.

        Cut off and run again it goes on. Raises OperationFailed, with nothing changed, where the snapshot is gone or another one,
        and for an instance that is protected.
        """
        rds, name = self._client("rds", arn), arn.rpartition(":")[2]
        kept = _snapshot(rds, _identifier(copy))
        if kept is None or _which(kept) != digest:
            raise OperationFailed(f"the copy {_identifier(copy)} is not there any more, or is not what was kept")
        new, old = f"{name[:54]}-restored", f"{name[:54]}-replaced"
        present = _instance(rds, name)
        if present is not None:
            if present.get("DeletionProtection"):
                raise OperationFailed(f"database {name} is protected against deletion; take the protection away first")
            self._delete(rds, new)
            self._delete(rds, old)
            rds.restore_db_instance_from_db_snapshot(
                DBInstanceIdentifier=new, DBSnapshotIdentifier=_identifier(copy), **_like(rds, present)
            )
            self._until(lambda: _instance(rds, new), f"database {new}")
            self._rename(rds, name, old)
        self._rename(rds, new, name)
        self._delete(rds, old)

    def drop_database_copy(self, copy: str) -> None:
        for account in self._host.accounts:
            rds = account.client("rds")
            if _snapshot(rds, _identifier(copy)) is not None:
                rds.delete_db_snapshot(DBSnapshotIdentifier=_identifier(copy))

    def _rename(self, rds: Any, old: str, new: str) -> None:
        rds.modify_db_instance(DBInstanceIdentifier=old, NewDBInstanceIdentifier=new, ApplyImmediately=True)
        self._until(lambda: _instance(rds, new), f"database {new}")

    def _delete(self, rds: Any, name: str) -> None:
        if _instance(rds, name) is None:
            return
        rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
        self._until(lambda: None if _instance(rds, name) else {"Status": "available"}, f"the removal of {name}")

    def _until(self, look: Callable[[], dict[str, Any] | None], what: str) -> dict[str, Any]:
        """What ``look`` finds once it is available; under a new name it may not be found for a while."""
        deadline = time.monotonic() + _LONGEST_SECONDS
        while True:
            found = look()
            status = str((found or {}).get("DBInstanceStatus") or (found or {}).get("Status") or "")
            if found is not None and status == "available":
                return found
            if "fail" in status or "incompatible" in status or time.monotonic() > deadline:
                raise OperationFailed(f"{what}: RDS says {status or 'nothing'}")
            time.sleep(self._poll)

    # -- messages -----------------------------------------------------------------------------------------------------

    def messages(self, queue_arn: str) -> list[dict[str, Any]]:
        """The messages that wait; each is received once for it and waits again. Raises OperationFailed for a FIFO queue that
        has some: of a group no more than a few can be seen at a time."""
        sqs, url = self._queue(queue_arn)
        if url.endswith(".fifo"):
            count = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
            if int(count["ApproximateNumberOfMessages"]):
                raise OperationFailed("messages of a FIFO queue cannot be read without taking them; let it run empty first")
            return []
        received: dict[str, dict[str, Any]] = {}
        try:
            for message in _received(sqs, url):
                received[message["MessageId"]] = message
        finally:
            for message in received.values():
                sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
        in_order = sorted(received.values(), key=lambda message: int(message["Attributes"]["SentTimestamp"]))
        return [_kept(message) for message in in_order]

    def drop_messages(self, queue_arn: str) -> None:
        sqs, url = self._queue(queue_arn)
        for message in _received(sqs, url):  # PurgeQueue would take what is sent within the next minute, too
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def _queue(self, arn: str) -> tuple[Any, str]:
        sqs = self._client("sqs", arn)
        *_, owner, name = arn.split(":")
        return sqs, str(sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=owner)["QueueUrl"])

    def _client(self, service: str, arn: str) -> Any:
        """Of the last account in the resource's region: the one that its own provider has led to."""
        region = arn.split(":")[3]
        return next(account for account in reversed(self._host.accounts) if account.region == region).client(service)


def _instance(rds: Any, name: str) -> dict[str, Any] | None:
    with suppress(rds.exceptions.DBInstanceNotFoundFault):
        found: dict[str, Any] = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
        return found
    return None


def _snapshot(rds: Any, name: str) -> dict[str, Any] | None:
    with suppress(rds.exceptions.DBSnapshotNotFoundFault):
        found: list[dict[str, Any]] = rds.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"]
        return found[0] if found else None
    return None


def _which(snapshot: Mapping[str, Any]) -> str:
    """What tells a snapshot from another one that got its name later."""
    return f"{snapshot['DBSnapshotArn']} of {snapshot['SnapshotCreateTime'].isoformat()}"


def _like(rds: Any, instance: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an instance that a restored one does not have by itself."""
    groups = [group["VpcSecurityGroupId"] for group in instance.get("VpcSecurityGroups") or []]
    parameters = [group["DBParameterGroupName"] for group in instance.get("DBParameterGroups") or []]
    given = {
        "DBInstanceClass": instance["DBInstanceClass"],
        "DBSubnetGroupName": (instance.get("DBSubnetGroup") or {}).get("DBSubnetGroupName"),
        "VpcSecurityGroupIds": groups,
        "DBParameterGroupName": parameters[0] if parameters else None,
        "Port": (instance.get("Endpoint") or {}).get("Port"),
        "MultiAZ": instance.get("MultiAZ"),
        "PubliclyAccessible": bool(instance.get("PubliclyAccessible")),
        "AutoMinorVersionUpgrade": instance.get("AutoMinorVersionUpgrade"),
        "EnableIAMDatabaseAuthentication": instance.get("IAMDatabaseAuthenticationEnabled"),
        "CopyTagsToSnapshot": instance.get("CopyTagsToSnapshot"),
        "Tags": rds.list_tags_for_resource(ResourceName=instance["DBInstanceArn"])["TagList"],
    }
    return {name: value for name, value in given.items() if value not in (None, [], "")}


def _received(sqs: Any, url: str) -> Iterator[dict[str, Any]]:
    """Every message that waits, each once, invisible to others for some minutes."""
    while batch := sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=10,
        VisibilityTimeout=_INVISIBLE_SECONDS,
        WaitTimeSeconds=1,  # without waiting, SQS asks some of its servers only
        MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["All"],
    ).get("Messages"):
        yield from batch


def _kept(message: Mapping[str, Any]) -> dict[str, Any]:
    attributes = {
        name: {
            "type": value["DataType"],
            **(
                {"binary": base64.b64encode(value["BinaryValue"]).decode()}
                if "BinaryValue" in value
                else {"string": value["StringValue"]}
            ),
        }
        for name, value in (message.get("MessageAttributes") or {}).items()
    }
    return {"body": message["Body"], "attributes": attributes}


def _identifier(copy: str) -> str:
    """A copy's name as RDS takes it."""
    return re.sub(r"-+", "-", re.sub(r"[^a-z0-9-]", "-", f"isostack-{copy.lower()}")).strip("-")


def _parsed(value: Any) -> Any:
    """A provider's setting: in a state those that are no texts are JSON."""
    return json.loads(value) if isinstance(value, str) else value


# -- taking and putting back --------------------------------------------------------------------------------------------


def stack_in(text: str, origin: str, keyring: Keyring) -> Loaded:
    """The stack of an exported state. Raises BadInput for another text, and for a state without resources."""
    try:
        document = state_file.parse(text, origin)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{origin}: this is no exported state: {error}; pulumi stack export writes one") from None
    sealed = StackSecrets(keyring, state_file.secrets_state(document, origin))
    codec = state_file.Codec(sealed)
    snapshot = state_file.to_snapshot(document, codec, origin)
    if not snapshot.resources:
        raise BadInput(f"{origin}: there are no resources in this state")
    owner = urn.parse(snapshot.resources[0].urn)
    return Loaded(owner.project, owner.stack, snapshot, sealed, codec, None)


class AccountSnapshots:
    """The snapshots of one stack in its account. ``loaded`` is its state, as the Pulumi CLI exports it."""

    def __init__(self, loaded: Loaded, host: AccountHost, bucket: Bucket, poll_seconds: float = _POLL_SECONDS) -> None:
        self._loaded = loaded
        self._host = host
        self._bucket = bucket
        self._stores = AccountStores(host, poll_seconds)

    def take(self, label: str, exported: str, progress: Callable[[str], None]) -> Manifest:
        """Keep everything under a label. Raises OperationFailed where something cannot be kept; there is then no new snapshot."""
        check_label(label)
        with tempfile.TemporaryDirectory(prefix="isostack-snapshot-") as folder, told(f"bucket {self._bucket.name}"):
            self._bucket.prepare()
            local = self._local(Path(folder))
            older = {manifest.label: manifest for manifest in self._bucket.manifests(self._loaded.stack)}.get(label)
            manifest = local.take(label, self._loaded.snapshot, exported, "", self._loaded.secrets, progress)
            try:
                before = self._bucket.put(self._loaded.stack, manifest, Path(folder) / label)
            except BaseException:
                local.remove_all()
                raise
            if before:
                self._bucket.drop(self._loaded.stack, label, before)
            for facts in older.stores.values() if older else ():
                if facts["kind"] == "database":
                    self._stores.drop_database_copy(facts["copy"])
        return manifest

    def restore(self, label: str | None, keyring: Keyring, progress: Callable[[str], None]) -> Manifest:
        """Give the stores of the stack the content that they had. Raises OperationFailed, with nothing changed, for a snapshot
        that is damaged."""
        with tempfile.TemporaryDirectory(prefix="isostack-snapshot-") as folder, told(f"bucket {self._bucket.name}"):
            manifest = self._bucket.get(self._loaded.stack, label, Path(folder))
            self._local(Path(folder)).put_back(manifest, self._loaded.snapshot, keyring, progress)
        return manifest

    def all(self) -> list[Manifest]:
        """What there is, oldest first."""
        with told(f"bucket {self._bucket.name}"):
            return self._bucket.manifests(self._loaded.stack)

    def _local(self, folder: Path) -> Snapshots:
        return Snapshots(folder, self._loaded.stack, self._host, self._stores)
