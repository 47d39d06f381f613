"""The bucket that snapshots of an account are kept in.

Owns its layout, files under ``<stack>/<label>/<a word>/``, and ``<stack>/<label>/manifest.json``, which is written last and
without which there is no snapshot; and what a bucket has to be like: versioned, encrypted, closed to the public.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isostack.errors import BadInput, OperationFailed, Refused
from isostack.playground.snapshots import MANIFEST, Manifest
from isostack.shared_state.objects import bucket_and_prefix

if TYPE_CHECKING:
    from isostack.playground.account import Account

_CLOSED = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")


class Bucket:
    """Where snapshots are kept. ``address`` is ``s3://BUCKET`` or ``s3://BUCKET/PREFIX``."""

    def __init__(self, account: Account, address: str) -> None:
        self.name, self._prefix = bucket_and_prefix(address)
        self._s3, self._region = account.client("s3"), account.region

    def prepare(self) -> None:
        """Make the bucket where there is none: versioned, encrypted, closed to the public and to what is not TLS. Raises Refused
        for one that is there and is not like that."""
        from botocore.exceptions import ClientError

        try:
            self._s3.head_bucket(Bucket=self.name)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
                raise
            self._make()
        lacking = self._lacking()
        if lacking:
            raise Refused(
                f"bucket {self.name} is no place for snapshots: it is not {', '.join(lacking)}; mend it or name another"
            )

    def _make(self) -> None:
        where = {} if self._region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": self._region}}
        self._s3.create_bucket(Bucket=self.name, ObjectOwnership="BucketOwnerEnforced", **where)
        self._s3.put_public_access_block(Bucket=self.name, PublicAccessBlockConfiguration=dict.fromkeys(_CLOSED, True))
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}
        self._s3.put_bucket_encryption(Bucket=self.name, ServerSideEncryptionConfiguration={"Rules": [rule]})
        self._s3.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": "Enabled"})
        arn = f"arn:aws:s3:::{self.name}"
        statement = {
            "Sid": "OnlyOverTls",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, f"{arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        self._s3.put_bucket_policy(Bucket=self.name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))

    def _lacking(self) -> list[str]:
        from botocore.exceptions import ClientError

        encryption: Any = {}
        closed: dict[str, bool] = {}
        with suppress(ClientError):
            encryption = self._s3.get_bucket_encryption(Bucket=self.name)["ServerSideEncryptionConfiguration"]["Rules"]
        with suppress(ClientError):
            closed = self._s3.get_public_access_block(Bucket=self.name)["PublicAccessBlockConfiguration"]
        lacking = {
            "versioned": self._s3.get_bucket_versioning(Bucket=self.name).get("Status") == "Enabled",
            "encrypted": bool(encryption),
            "closed to the public": all(closed.get(name) for name in _CLOSED),
        }
        return [name for name, there in lacking.items() if not there]

    def put(self, stack: str, manifest: Manifest, folder: Path) -> str:
        """Upload a snapshot's files, then its manifest, by which it is there. Gives the folder of the one before, if any."""
        from boto3.exceptions import Boto3Error

        before = self._document(stack, manifest.label).get("folder", "")
        inside = secrets.token_hex(8)
        try:
            for name in manifest.files:
                self._s3.upload_file(str(folder / name), self.name, f"{self._key(stack, manifest.label)}{inside}/{name}")
        except Boto3Error as error:
            raise OperationFailed(f"bucket {self.name}: {error}") from error
        document = json.dumps({"folder": inside, "manifest": asdict(manifest)}, indent=1)
        self._s3.put_object(Bucket=self.name, Key=f"{self._key(stack, manifest.label)}{MANIFEST}", Body=document.encode())
        return str(before)

    def drop(self, stack: str, label: str, folder: str) -> None:
        """Remove a snapshot's files; their versions stay as long as the bucket keeps them."""
        for key in list(self._keys(f"{self._key(stack, label)}{folder}/")):
            self._s3.delete_object(Bucket=self.name, Key=key)

    def manifests(self, stack: str) -> list[Manifest]:
        """The snapshots of a stack, oldest first."""
        labels = [key.split("/")[-2] for key in self._keys(self._key(stack)) if key.endswith(f"/{MANIFEST}")]
        found = [Manifest(**self._document(stack, label)["manifest"]) for label in dict.fromkeys(labels)]
        return sorted(found, key=lambda manifest: manifest.taken)

    def get(self, stack: str, label: str | None, folder: Path) -> Manifest:
        """Fetch a snapshot, the newest where no label is given. Raises BadInput where there is none."""
        found = {manifest.label: manifest for manifest in self.manifests(stack)}
        if not found or (label is not None and label not in found):
            raise BadInput(f"{stack} has no snapshot {label or ''} in {self.name}; there are: {', '.join(found) or 'none'}")
        manifest = found[label] if label else list(found.values())[-1]
        inside = self._document(stack, manifest.label)["folder"]
        for name in manifest.files:
            (folder / manifest.label / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            key = f"{self._key(stack, manifest.label)}{inside}/{name}"
            self._s3.download_file(self.name, key, str(folder / manifest.label / name))
        return manifest

    def _document(self, stack: str, label: str) -> dict[str, Any]:
        with suppress(self._s3.exceptions.NoSuchKey):
            body = self._s3.get_object(Bucket=self.name, Key=f"{self._key(stack, label)}{MANIFEST}")["Body"].read()
            found: dict[str, Any] = json.loads(body)
            return found
        return {}

    def _keys(self, prefix: str) -> Iterator[str]:
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix):
            yield from (item["Key"] for item in page.get("Contents", []))

    def _key(self, stack: str, label: str = "") -> str:
        return f"{self._prefix}{stack}/{label}/" if label else f"{self._prefix}{stack}/"
