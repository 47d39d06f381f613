"""A bucket in memory, which answers as S3 does what :mod:`isostack.shared_state.objects` asks, in microseconds."""

from __future__ import annotations

import hashlib
import threading
from datetime import UTC, datetime
from email.utils import format_datetime
from io import BytesIO
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

PAGE = 7  # so that lists come in pages


class MemoryBucket:
    """The client. Every write is a version; a deletion takes the present one away."""

    exceptions = SimpleNamespace(ClientError=ClientError)

    def __init__(self) -> None:
        self._objects: dict[str, dict[str, Any]] = {}
        self._versions: dict[tuple[str, str], dict[str, Any]] = {}
        self._lock = threading.Lock()

    def get_object(self, Bucket: str, Key: str, VersionId: str = "") -> dict[str, Any]:
        found = self._versions.get((Key, VersionId)) if VersionId else self._objects.get(Key)
        if found is None:
            raise ClientError({"Error": {"Code": "NoSuchVersion" if VersionId else "NoSuchKey"}}, "GetObject")
        date = {"HTTPHeaders": {"date": format_datetime(datetime.now(UTC), usegmt=True)}}
        return {**found, "Body": BytesIO(found["Body"]), "ResponseMetadata": date}

    def put_object(
        self,
        Bucket: str,
        Key: str,
        Body: bytes,
        IfMatch: str | None = None,
        IfNoneMatch: str | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        with self._lock:
            there = self._objects.get(Key)
            if (IfNoneMatch and there) or (IfMatch and (there is None or there["ETag"] != IfMatch)):
                raise ClientError({"Error": {"Code": "PreconditionFailed"}}, "PutObject")
            version = str(len(self._versions))
            written = {
                "Body": Body,
                "ETag": hashlib.md5(Body, usedforsecurity=False).hexdigest(),
                "VersionId": version,
                "LastModified": datetime.now(UTC).replace(microsecond=0),
            }
            self._objects[Key] = self._versions[Key, version] = written
            return {**written, "ServerSideEncryption": "aws:kms"}

    def delete_objects(self, Bucket: str, Delete: dict[str, Any]) -> dict[str, Any]:
        for one in Delete["Objects"]:
            self._objects.pop(one["Key"], None)
        return {}

    def list_objects_v2(self, Bucket: str, Prefix: str) -> dict[str, Any]:
        return {"Contents": [{"Key": key} for key in sorted(self._objects) if key.startswith(Prefix)]}

    def get_paginator(self, name: str) -> Any:
        return SimpleNamespace(paginate=self._pages)

    def _pages(self, Bucket: str, Prefix: str, Delimiter: str = "") -> list[dict[str, Any]]:
        keys = [key for key in sorted(self._objects) if key.startswith(Prefix)]
        if Delimiter:
            below = [key[len(Prefix) :].split(Delimiter)[0] for key in keys if Delimiter in key[len(Prefix) :]]
            keys = [f"{Prefix}{name}{Delimiter}" for name in dict.fromkeys(below)]
            return [
                {"CommonPrefixes": [{"Prefix": key} for key in keys[at : at + PAGE]]} for at in range(0, len(keys), PAGE)
            ] or [{}]
        return [{"Contents": [{"Key": key} for key in keys[at : at + PAGE]]} for at in range(0, len(keys), PAGE)] or [{}]
