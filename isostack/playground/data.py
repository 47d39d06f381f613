"""What people would miss of an environment, read out of its cloud and put back: databases, files, messages, values, items.

Owns one kind of store a class; which of them a stack has is seen from its state. Where it is kept, and that it is whole, is
:mod:`isostack.playground.snapshots`'s. Secret values leave here sealed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from isostack.engine.state import ResourceState, Snapshot
from isostack.engine.values import plain
from isostack.errors import OperationFailed


class Sealer(Protocol):
    """Encrypts and decrypts what must not be readable in a file; the state's own secrets do it."""

    def encrypt_value(self, value: Any) -> dict[str, str]: ...
    def decrypt_value(self, sealed: Mapping[str, Any]) -> Any: ...


class Cloud(Protocol):
    """An account in a region."""

    def client(self, service: str) -> Any: ...


class Clouds(Protocol):
    """The accounts that providers lead to: ``configure(package, inputs).cloud`` is a :class:`Cloud`."""

    def configure(self, package: str, config: dict[str, Any]) -> Any: ...


class Keeper(Protocol):
    """What keeps databases and tells messages, which no call of AWS gives as data: see :class:`LocalCloud`."""

    def keep_database(self, arn: str, copy: str, *, goes: bool = False) -> tuple[str, int]: ...
    def bring_database_back(self, arn: str, copy: str, digest: str) -> None: ...
    def drop_database_copy(self, copy: str) -> None: ...
    def messages(self, queue_arn: str) -> list[dict[str, Any]]: ...
    def drop_messages(self, queue_arn: str) -> None: ...


@dataclass(frozen=True)
class Store:
    """A resource that holds data, in its account. ``known`` are its outputs, in the clear."""

    resource: ResourceState
    cloud: Cloud
    known: dict[str, Any]


@dataclass(frozen=True)
class Context:
    """What reading and writing need beside a store. ``copy`` is a name of this snapshot's own, for copies of databases;
    ``goes`` says that all of it is removed next."""

    folder: Path
    copy: str
    local_cloud: Keeper
    sealer: Sealer
    goes: bool = False


@dataclass(frozen=True)
class Kind:
    """How a type of resource is kept. ``save`` gives facts for the manifest (JSON), ``load`` gets them back."""

    word: str
    save: Callable[[Store, Context], dict[str, Any]]
    load: Callable[[Store, Context, dict[str, Any]], None]


def stores(snapshot: Snapshot, host: Clouds) -> Iterator[tuple[Kind, Store]]:
    """Everything in a stack that holds data, in the state's order."""
    providers = {f"{r.urn}::{r.id}": r for r in snapshot.resources if r.type == "pulumi:providers:aws"}
    clouds: dict[str, Cloud] = {}
    for resource in snapshot.resources:
        kind = KINDS.get(resource.type)
        if kind is None or resource.delete or resource.external:
            continue
        provider = providers.get(resource.provider)
        if resource.provider not in clouds:
            configured = host.configure("aws", plain(provider.inputs) if provider else {})
            clouds[resource.provider] = configured.cloud
        known = plain({**resource.inputs, **resource.outputs})
        if resource.type.startswith("aws:rds") and known.get("engine") != "postgres":
            continue
        yield kind, Store(resource, clouds[resource.provider], known)


COPY_SUFFIX = ".database"
"""Of an empty file in a snapshot's folder that is called as the copy of a database, which lies elsewhere."""

# -- databases ----------------------------------------------------------------------------------------------------------


def _save_database(store: Store, context: Context) -> dict[str, Any]:
    copy = f"{context.copy}-{hashlib.sha256(store.resource.urn.encode()).hexdigest()[:8]}"
    (context.folder / f"{copy}{COPY_SUFFIX}").touch(mode=0o600)  # before there is a copy, so that none is forgotten
    digest, size = context.local_cloud.keep_database(store.known["arn"], copy, goes=context.goes)
    return {"copy": copy, "digest": digest, "bytes": size}


def _load_database(store: Store, context: Context, facts: dict[str, Any]) -> None:
    context.local_cloud.bring_database_back(store.known["arn"], facts["copy"], facts["digest"])


# -- buckets ------------------------------------------------------------------------------------------------------------

_KEPT_HEADERS = ("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType", "Metadata")


def _save_bucket(store: Store, context: Context) -> dict[str, Any]:
    """Every version of every object, oldest first, with its metadata and tags; the bodies are files."""
    s3, bucket = store.cloud.client("s3"), store.resource.id
    folder = context.folder / f"bucket-{bucket}"
    folder.mkdir(mode=0o700)
    versions, size = [], 0
    for number, (key, version) in enumerate(_versions(s3, bucket)):
        entry: dict[str, Any] = {"key": key, "latest": version["IsLatest"]}
        if "Size" not in version:
            entry["deleted"] = True
        else:
            got = s3.get_object(Bucket=bucket, Key=key, VersionId=version["VersionId"])
            with (folder / str(number)).open("wb") as file:
                shutil.copyfileobj(got["Body"], file)
            tags = s3.get_object_tagging(Bucket=bucket, Key=key, VersionId=version["VersionId"])["TagSet"]
            entry |= {"file": str(number), "tags": tags, **{name: got[name] for name in _KEPT_HEADERS if got.get(name)}}
            size += version["Size"]
        versions.append(entry)
    (folder / "versions.json").write_text(json.dumps(versions))
    return {"folder": folder.name, "objects": len(versions), "bytes": size}


def _versions(s3: Any, bucket: str) -> list[tuple[str, dict[str, Any]]]:
    """All versions and delete markers of a bucket, each key's oldest first."""
    found: list[tuple[str, dict[str, Any]]] = []
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        found += [(item["Key"], item) for item in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]]
    return sorted(found, key=lambda pair: (pair[0], pair[1]["LastModified"], pair[1]["IsLatest"]))


def _load_bucket(store: Store, context: Context, facts: dict[str, Any]) -> None:
    s3, bucket, folder = store.cloud.client("s3"), store.resource.id, context.folder / facts["folder"]
    there = [{"Key": key, "VersionId": version["VersionId"]} for key, version in _versions(s3, bucket)]
    for start in range(0, len(there), 1000):
        s3.delete_objects(
            Bucket=bucket, Delete={"Objects": there[start : start + 1000], "Quiet": True}, BypassGovernanceRetention=True
        )
    for entry in json.loads((folder / "versions.json").read_text()):
        if entry.get("deleted"):
            s3.delete_object(Bucket=bucket, Key=entry["key"])
            continue
        given = {name: entry[name] for name in _KEPT_HEADERS if name in entry}
        with (folder / entry["file"]).open("rb") as body:
            put = s3.put_object(Bucket=bucket, Key=entry["key"], Body=body, **given)
        if entry["tags"]:
            version = {"VersionId": put["VersionId"]} if "VersionId" in put else {}
            s3.put_object_tagging(Bucket=bucket, Key=entry["key"], Tagging={"TagSet": entry["tags"]}, **version)


# -- queues -------------------------------------------------------------------------------------------------------------


def _save_queue(store: Store, context: Context) -> dict[str, Any]:
    """The messages that wait, without receiving them: a receive counts, and may end in the dead-letter queue."""
    messages = context.local_cloud.messages(store.known["arn"])
    name = f"queue-{store.known['name']}.json"
    (context.folder / name).write_text(json.dumps(messages))
    return {"file": name, "messages": len(messages)}


def _load_queue(store: Store, context: Context, facts: dict[str, Any]) -> None:
    sqs, url = store.cloud.client("sqs"), store.known["url"]
    context.local_cloud.drop_messages(store.known["arn"])
    for message in json.loads((context.folder / facts["file"]).read_text()):
        sqs.send_message(QueueUrl=url, **_request_of(message))


def _request_of(message: Mapping[str, Any]) -> dict[str, Any]:
    """A kept message as SendMessage takes it."""
    attributes = {
        name: {
            "DataType": value["type"],
            **({"BinaryValue": base64.b64decode(value["binary"])} if "binary" in value else {"StringValue": value["string"]}),
        }
        for name, value in message["attributes"].items()
    }
    request: dict[str, Any] = {"MessageBody": message["body"], "MessageAttributes": attributes}
    if message.get("group"):
        request |= {"MessageGroupId": message["group"], "MessageDeduplicationId": message["deduplication"]}
    return request


# -- values and items ---------------------------------------------------------------------------------------------------


def _save_secret(store: Store, context: Context) -> dict[str, Any]:
    client = store.cloud.client("secretsmanager")
    try:
        value = client.get_secret_value(SecretId=store.resource.id)
    except client.exceptions.ResourceNotFoundException:  # it has no value yet
        return {"sealed": None}
    held = {"string": value["SecretString"]} if "SecretString" in value else {"binary": _text(value["SecretBinary"])}
    return {"sealed": context.sealer.encrypt_value(held)}


def _load_secret(store: Store, context: Context, facts: dict[str, Any]) -> None:
    if facts["sealed"] is None:
        return
    held = context.sealer.decrypt_value(facts["sealed"])
    client = store.cloud.client("secretsmanager")
    given = {"SecretString": held["string"]} if "string" in held else {"SecretBinary": base64.b64decode(held["binary"])}
    try:
        now = client.get_secret_value(SecretId=store.resource.id)
        if all(now.get(key) == value for key, value in given.items()):
            return
    except client.exceptions.ResourceNotFoundException:
        pass
    client.put_secret_value(SecretId=store.resource.id, **given)


def _save_parameter(store: Store, context: Context) -> dict[str, Any]:
    found = store.cloud.client("ssm").get_parameter(Name=store.known["name"], WithDecryption=True)["Parameter"]
    return {"sealed": context.sealer.encrypt_value({"value": found["Value"], "type": found["Type"]})}


def _load_parameter(store: Store, context: Context, facts: dict[str, Any]) -> None:
    held = context.sealer.decrypt_value(facts["sealed"])
    ssm = store.cloud.client("ssm")
    ssm.put_parameter(Name=store.known["name"], Value=held["value"], Type=held["type"], Overwrite=True)


def _save_table(store: Store, context: Context) -> dict[str, Any]:
    """Items in DynamoDB's own JSON; bytes in Base64."""
    dynamodb, name = store.cloud.client("dynamodb"), f"table-{store.known['name']}.jsonl"
    count = 0
    with (context.folder / name).open("w") as file:
        for page in dynamodb.get_paginator("scan").paginate(TableName=store.known["name"], ConsistentRead=True):
            for item in page["Items"]:
                file.write(json.dumps(item, default=_bytes) + "\n")
                count += 1
    return {"file": name, "items": count}


def _load_table(store: Store, context: Context, facts: dict[str, Any]) -> None:
    dynamodb, table = store.cloud.client("dynamodb"), store.known["name"]
    schema = dynamodb.describe_table(TableName=table)["Table"]["KeySchema"]
    keys = [element["AttributeName"] for element in schema]
    wanted = [json.loads(line, object_hook=_from_bytes) for line in (context.folder / facts["file"]).read_text().splitlines()]
    for page in dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        for item in page["Items"]:
            dynamodb.delete_item(TableName=table, Key={key: item[key] for key in keys})
    for item in wanted:
        dynamodb.put_item(TableName=table, Item=item)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"bytes in base64": _text(value)}
    raise OperationFailed(f"an item holds a {type(value).__name__}, which cannot be kept")


def _from_bytes(value: dict[str, Any]) -> Any:
    return base64.b64decode(value["bytes in base64"]) if value.keys() == {"bytes in base64"} else value


KINDS = {
    "aws:rds/instance:Instance": Kind("database", _save_database, _load_database),
    "aws:s3/bucket:Bucket": Kind("bucket", _save_bucket, _load_bucket),
    "aws:s3/bucketV2:BucketV2": Kind("bucket", _save_bucket, _load_bucket),
    "aws:sqs/queue:Queue": Kind("queue", _save_queue, _load_queue),
    "aws:secretsmanager/secret:Secret": Kind("secret", _save_secret, _load_secret),
    "aws:ssm/parameter:Parameter": Kind("parameter", _save_parameter, _load_parameter),
    "aws:dynamodb/table:Table": Kind("table", _save_table, _load_table),
}
