"""Objects under a prefix of a bucket: read with their age by the bucket's own clock, written under conditions.

Owns S3's errors, as one line each, and what a client has to be asked for so that a write happens once or not at all. Knows
nothing of what is in them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final

from isostack.errors import BadInput, OperationFailed

_BATCH: Final = 1000  # objects in one DeleteObjects
_ATTEMPTS: Final = 5
_REFUSED: Final = ("PreconditionFailed", "412", "ConditionalRequestConflict", "NoSuchKey", "404")


def bucket_and_prefix(address: str) -> tuple[str, str]:
    """The two parts of ``s3://BUCKET`` or ``s3://BUCKET/PREFIX``, the prefix with a slash at its end or empty.

    Raises BadInput for anything else.
    """
    match = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([\w./-]*?))?/?", address, re.ASCII)
    if match is None:
        raise BadInput(f"{address}: write s3://BUCKET or s3://BUCKET/PREFIX")
    return match[1], f"{match[2]}/" if match[2] else ""


class Conflict(Exception):
    """The condition of a write did not hold: somebody else has written."""


@dataclass(frozen=True)
class Found:
    """An object. ``age`` is in seconds since it was written, by the bucket's clock, which counts whole ones."""

    data: bytes
    etag: str
    version: str
    age: float


@dataclass(frozen=True)
class Written:
    """What S3 says of a write. ``version`` is empty where the bucket keeps no versions, ``sealed`` where it seals nothing."""

    etag: str
    version: str
    sealed: str


class Objects:
    """The objects under a prefix. ``client`` makes boto3's client when it is first needed."""

    def __init__(self, client: Callable[[], Any], address: str) -> None:
        self.address = address.rstrip("/")
        self.bucket, self.prefix = bucket_and_prefix(address)
        self._make_client = client
        self._client: Any = None

    def get(self, key: str, version: str = "") -> Found | None:
        """An object, or one version of it; None where it is not there."""
        which = {"VersionId": version} if version else {}
        with self._told("read", key) as s3:
            try:
                answer = s3.get_object(Bucket=self.bucket, Key=self.prefix + key, **which)
            except s3.exceptions.ClientError as error:
                if _code(error) in ("NoSuchKey", "NoSuchVersion", "404"):
                    return None
                raise
            now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
            age = (now - answer["LastModified"]).total_seconds()
            return Found(answer["Body"].read(), answer["ETag"], answer.get("VersionId", ""), age)
        raise AssertionError

    def put(self, key: str, data: bytes, etag: str | None = None, **metadata: str) -> Written:
        """Write an object that must not be there yet, or, with ``etag``, must be there as it was read with it.

        Raises Conflict where it is otherwise. A write may be repeated after its answer was lost: Conflict may then mean one's
        own first try.
        """
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        with self._told("write", key) as s3:
            for attempt in range(_ATTEMPTS):
                try:
                    answer = s3.put_object(
                        Bucket=self.bucket, Key=self.prefix + key, Body=data, ContentType="application/json",
                        Metadata=metadata, **condition,
                    )  # fmt: skip
                except s3.exceptions.ClientError as error:
                    if _code(error) == "ConditionalRequestConflict" and attempt < _ATTEMPTS - 1:
                        continue  # S3 has seen two at once and decided nothing
                    if _code(error) in _REFUSED:
                        raise Conflict from None
                    raise
                return Written(answer["ETag"], answer.get("VersionId", ""), answer.get("ServerSideEncryption", ""))
        raise AssertionError

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; their versions stay as long as the bucket keeps them."""
        for start in range(0, len(keys), _BATCH):
            batch = [{"Key": self.prefix + key} for key in keys[start : start + _BATCH]]
            with self._told("remove", keys[start]) as s3:
                s3.delete_objects(Bucket=self.bucket, Delete={"Objects": batch, "Quiet": True})

    def keys(self, under: str) -> list[str]:
        """The keys that begin with a text, sorted."""
        return [item["Key"].removeprefix(self.prefix) for page in self._pages(under) for item in page.get("Contents", [])]

    def folders(self, under: str) -> list[str]:
        """The names between a text and the next slash, sorted."""
        return [
            item["Prefix"].removeprefix(self.prefix + under).rstrip("/")
            for page in self._pages(under, Delimiter="/")
            for item in page.get("CommonPrefixes", [])
        ]

    def _pages(self, under: str, **more: str) -> Iterator[dict[str, Any]]:
        with self._told("list", under) as s3:
            yield from s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix + under, **more)

    @contextmanager
    def _told(self, verb: str, key: str) -> Iterator[Any]:
        """Lend the client, and say in one line what went wrong with S3."""
        from botocore.exceptions import BotoCoreError, ClientError

        if self._client is None:
            self._client = self._make_client()
        try:
            yield self._client
        except ClientError as error:
            if _code(error) == "NoSuchBucket":
                raise BadInput(f"there is no bucket {self.bucket}; isostack bootstrap state makes it") from None
            told = error.response.get("Error", {}).get("Message", "")
            raise OperationFailed(f"cannot {verb} {self.address}/{key}: {_code(error)}: {told}") from None
        except BotoCoreError as error:
            raise OperationFailed(f"cannot {verb} {self.address}/{key}: {error}") from None


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
