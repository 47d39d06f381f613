"""Objects in S3 buckets: BucketObjectv2, the older BucketObject, and reading them. Ids are ``bucket/key``."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from isostack.engine.provider import ProviderError
from isostack.localcloud import assets
from isostack.localcloud.resource_types.row import (
    AutoName,
    Created,
    Function,
    Properties,
    ResourceType,
    tag_list,
    tag_map,
)
from isostack.localcloud.resource_types.s3_settings import ABSENT, require_acls

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

# Property to the name in PutObject and HeadObject.
_HEADERS = {
    "bucketKeyEnabled": "BucketKeyEnabled",
    "cacheControl": "CacheControl",
    "contentDisposition": "ContentDisposition",
    "contentEncoding": "ContentEncoding",
    "contentLanguage": "ContentLanguage",
    "contentType": "ContentType",
    "kmsKeyId": "SSEKMSKeyId",
    "metadata": "Metadata",
    "objectLockLegalHoldStatus": "ObjectLockLegalHoldStatus",
    "objectLockMode": "ObjectLockMode",
    "objectLockRetainUntilDate": "ObjectLockRetainUntilDate",
    "serverSideEncryption": "ServerSideEncryption",
    "storageClass": "StorageClass",
    "websiteRedirect": "WebsiteRedirectLocation",
}
_CHECKSUMS = {
    "checksumCrc32": "ChecksumCRC32",
    "checksumCrc32c": "ChecksumCRC32C",
    "checksumCrc64nvme": "ChecksumCRC64NVME",
    "checksumSha1": "ChecksumSHA1",
    "checksumSha256": "ChecksumSHA256",
}
_SOURCES = ("content", "contentBase64", "source")
# What can be changed without writing the object anew.
_LOCK = ("objectLockMode", "objectLockRetainUntilDate")
_APART = {"acl", "forceDestroy", "objectLockLegalHoldStatus", "tags", "tagsAll", *_LOCK}


def _key(key: str) -> str:
    """The key as Terraform sends it."""
    return re.sub("/+", "/", key.removeprefix("./").lstrip("/"))


def _body(inputs: Properties) -> bytes:
    given = [name for name in _SOURCES if inputs.get(name)]
    if len(given) > 1:
        raise ProviderError(f"BucketObject: give one of {' and '.join(given)}")
    if inputs.get("source"):
        return assets.content(inputs["source"])
    if inputs.get("contentBase64"):
        try:
            return base64.b64decode(inputs["contentBase64"], validate=True)
        except binascii.Error as error:
            raise ProviderError(f"BucketObject: contentBase64 is not Base64: {error}") from error
    return str(inputs.get("content") or "").encode()


def _tags(inputs: Properties) -> dict[str, str]:
    """The tags to write: the program may keep the provider's default tags off (an object has ten at most)."""
    return dict(inputs.get("tags" if inputs.get("overrideProvider") else "tagsAll") or {})


def _put_object(cloud: Cloud, inputs: Properties) -> Created:
    client, bucket, key = cloud.client("s3"), inputs["bucket"], _key(inputs["key"])
    given = {name: value for name, value in inputs.items() if value not in (None, "", {})}
    request = {header: given[name] for name, header in _HEADERS.items() if name in given}
    request.setdefault("ContentType", "application/octet-stream")
    if "kmsKeyId" in given:
        request.setdefault("ServerSideEncryption", "aws:kms")
    if uppercase := [name for name in given.get("metadata", {}) if name != name.lower()]:
        raise ProviderError(f"BucketObject: metadata must be lower case, and {uppercase[0]!r} is not")
    if given.get("acl", "private") != "private":
        require_acls(client, bucket, given["acl"])
    if "acl" in given:
        request["ACL"] = given["acl"]
    if "checksumAlgorithm" in given:
        request["ChecksumAlgorithm"] = given["checksumAlgorithm"]
    if tags := _tags(inputs):
        request["Tagging"] = urlencode(tags)
    body = _body(inputs)
    answer = client.put_object(Bucket=bucket, Key=key, Body=body, **request)
    if "objectLockMode" in given or "checksumAlgorithm" in given:
        return Created(f"{bucket}/{inputs['key']}")
    head = {**request, **answer, "ETag": answer.get("ETag", hashlib.md5(body, usedforsecurity=False).hexdigest())}
    return Created(f"{bucket}/{inputs['key']}", _outputs(cloud, bucket, inputs["key"], head, inputs, tags))


def _outputs(cloud: Cloud, bucket: str, key: str, head: Properties, known: Properties, tags: Any) -> Properties:
    outputs: Properties = {name: head[header] for name, header in _HEADERS.items() if head.get(header)}
    if isinstance(outputs.get("objectLockRetainUntilDate"), datetime):
        outputs["objectLockRetainUntilDate"] = outputs["objectLockRetainUntilDate"].strftime("%Y-%m-%dT%H:%M:%SZ")
    if not outputs.get("bucketKeyEnabled"):
        outputs["bucketKeyEnabled"] = False
    if outputs.get("serverSideEncryption", "AES256") == "AES256":
        outputs["serverSideEncryption"] = "AES256"  # moto does not say; S3 encrypts everything
        outputs.pop("kmsKeyId", None)
    same = known.get("overrideProvider") and tags == (known.get("tags") or {})
    return {
        **outputs,
        **{name: head.get(header, "") for name, header in _CHECKSUMS.items()},
        "arn": f"arn:{cloud.partition}:s3:::{bucket}/{_key(key)}",
        "bucket": bucket,
        "etag": head["ETag"].strip('"'),
        "key": key,
        "storageClass": head.get("StorageClass") or "STANDARD",
        "tagsAll": (known.get("tagsAll") or {}) if same else tags,
        "versionId": "" if head.get("VersionId") in (None, "null") else head["VersionId"],
    }


def _read_object(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    bucket, _, key = id_.removeprefix("s3://").partition("/")
    if not key:
        raise ProviderError(f"BucketObject {id_}: the id of an object is bucket/key")
    client = cloud.client("s3")
    mode = {"ChecksumMode": "ENABLED"} if known.get("checksumAlgorithm") else {}
    head = client.head_object(Bucket=bucket, Key=_key(key), **mode)
    tags = tag_map(client.get_object_tagging(Bucket=bucket, Key=_key(key))["TagSet"])
    outputs = _outputs(cloud, bucket, key, head, known, tags)
    return {**outputs, "id": f"{bucket}/{key}"}


def _update_object(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    client, bucket, key = cloud.client("s3"), new["bucket"], _key(new["key"])
    if changed - _APART:
        _put_object(cloud, new)
        return
    where = {"Bucket": bucket, "Key": key}
    if "acl" in changed and new.get("acl"):
        if new["acl"] != "private":
            require_acls(client, bucket, new["acl"])
        client.put_object_acl(**where, ACL=new["acl"])
    if "objectLockLegalHoldStatus" in changed:
        status = new.get("objectLockLegalHoldStatus") or "OFF"
        client.put_object_legal_hold(**where, LegalHold={"Status": status})
    if changed & {*_LOCK}:
        retention = {"Mode": new.get("objectLockMode"), "RetainUntilDate": new.get("objectLockRetainUntilDate")}
        client.put_object_retention(
            **where, Retention={name: value for name, value in retention.items() if value}, BypassGovernanceRetention=True
        )
    if changed & {"tags", "tagsAll"}:
        if tags := _tags(new):
            client.put_object_tagging(**where, Tagging={"TagSet": tag_list(tags)})
        else:
            client.delete_object_tagging(**where)


def _delete_object(cloud: Cloud, id_: str, known: Properties) -> None:
    client = cloud.client("s3")
    bucket, _, key = id_.partition("/")
    if known.get("versionId"):
        empty(client, bucket, only=_key(key), bypass=bool(known.get("forceDestroy")))
    else:
        client.delete_object(Bucket=bucket, Key=_key(key))


def empty(client: Any, bucket: str, *, only: str = "", bypass: bool = False) -> None:
    """Delete every version of every object, or of the one with the key ``only``; ``bypass`` lifts locks.

    Raises ProviderError for what S3 does not delete.
    """
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=only):
        listed = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        versions = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in listed if only in ("", item["Key"])]
        if bypass:
            for item in page.get("Versions", []):
                where = {"Bucket": bucket, "Key": item["Key"], "VersionId": item["VersionId"]}
                if client.head_object(**where).get("ObjectLockLegalHoldStatus") == "ON":
                    client.put_object_legal_hold(**where, LegalHold={"Status": "OFF"})
        if versions:
            answer = client.delete_objects(
                Bucket=bucket,
                Delete={"Objects": versions, "Quiet": True},
                **({"BypassGovernanceRetention": True} if bypass else {}),
            )
            for error in answer.get("Errors", []):
                raise ProviderError(f"{error['Code']}: {error['Key']} in {bucket}: {error['Message']}")


# -- look-ups ----------------------------------------------------------------------------------------------------------

_TEXT = re.compile(r"text/.+|application/(json|xml|javascript|x-sql|yaml|.+\+(json|xml))|image/svg\+xml", re.IGNORECASE)


def _get_bucket_object(cloud: Cloud, arguments: Properties) -> Properties:
    client, bucket, key = cloud.client("s3"), arguments["bucket"], arguments["key"]
    where = {"Bucket": bucket, "Key": _key(key)}
    if arguments.get("versionId"):
        where["VersionId"] = arguments["versionId"]
    ranged = {"Range": arguments["range"]} if arguments.get("range") else {}
    answer = client.get_object(**where, **ranged)
    outputs = {**dict.fromkeys(_HEADERS, ""), **_outputs(cloud, bucket, key, answer, {}, {})}
    redirect, kms_key = outputs.pop("websiteRedirect"), outputs.pop("kmsKeyId", "")
    content = answer["Body"].read()
    text = content.decode(errors="replace") if _TEXT.fullmatch(answer.get("ContentType", "")) else ""
    wanted = str(arguments.get("downloadBody", "")).lower() == "true"
    found: Properties = {
        **arguments,
        **outputs,
        "body": text,
        **({"bodyBase64": base64.b64encode(content).decode()} if wanted else {}),
        "contentLength": answer["ContentLength"],
        "expiration": answer.get("Expiration", ""),
        "expires": "",
        "id": f"{bucket}/{key}",
        "lastModified": answer["LastModified"].strftime("%a, %d %b %Y %H:%M:%S UTC"),
        "metadata": answer.get("Metadata", {}),
        "region": cloud.region,
        "sseKmsKeyId": kms_key,
        "tags": tag_map(client.get_object_tagging(**where)["TagSet"]),
        "websiteRedirectLocation": redirect,
    }
    del found["tagsAll"]
    return found


def _get_objects(cloud: Cloud, arguments: Properties) -> Properties:
    names = {"prefix": "Prefix", "delimiter": "Delimiter", "startAfter": "StartAfter"}
    request = {header: arguments[name] for name, header in names.items() if arguments.get(name)}
    keys: list[str] = []
    prefixes: list[str] = []
    owners: list[str] = []
    pages = (
        cloud.client("s3")
        .get_paginator("list_objects_v2")
        .paginate(
            Bucket=arguments["bucket"],
            FetchOwner=bool(arguments.get("fetchOwner")),
            PaginationConfig={"MaxItems": int(arguments.get("maxKeys") or 1000)},
            **request,
        )
    )
    for page in pages:
        keys += [item["Key"] for item in page.get("Contents", [])]
        owners += [item["Owner"]["ID"] for item in page.get("Contents", []) if "Owner" in item]
        prefixes += [item["Prefix"] for item in page.get("CommonPrefixes", [])]
    found = {"keys": keys, "commonPrefixes": prefixes, "owners": owners, "requestCharged": ""}
    return {**arguments, **found, "id": arguments["bucket"], "region": cloud.region}


_FACTS: dict[str, Any] = {
    "service": "s3",
    "create": _put_object,
    "read": _read_object,
    "update": _update_object,
    "delete": _delete_object,
    "find": lambda cloud, inputs: [
        _read_object(cloud, f"{inputs['bucket']}/{inputs['key']}", {})["id"]  # type: ignore[index]  # an absent one raises
    ],
    "required": ("bucket",),
    # Unlike other types, the name is the logical name as it is.
    "name": AutoName(property="key", max_length=1024, exact=True),
    "replace_on": ("bucket", "key"),
    "sticky": ("acl", "bucketKeyEnabled", "contentType", "etag", "kmsKeyId", "serverSideEncryption", "storageClass"),
    "local": (*_SOURCES, "acl", "checksumAlgorithm", "forceDestroy", "overrideProvider", "sourceHash"),
    "assets": ("source",),
    "tagged": True,
    "absent": (*ABSENT, "NoSuchKey", "MethodNotAllowed", "405"),
    "volatile": ("etag", "versionId", *_CHECKSUMS),
}

RESOURCE_TYPES = (
    ResourceType(
        token="aws:s3/bucketObjectv2:BucketObjectv2",
        computed=("arn", "versionId", *_CHECKSUMS),
        defaults={"forceDestroy": False},
        **_FACTS,
    ),
    ResourceType(
        token="aws:s3/bucketObject:BucketObject",
        computed=("arn", "versionId"),
        defaults={"acl": "private", "forceDestroy": False},
        **_FACTS,
    ),
)

FUNCTIONS = (
    Function(token="aws:s3/getObject:getObject", service="s3", call=_get_bucket_object),
    Function(token="aws:s3/getBucketObject:getBucketObject", service="s3", call=_get_bucket_object),
    Function(token="aws:s3/getObjects:getObjects", service="s3", call=_get_objects),
    Function(token="aws:s3/getBucketObjects:getBucketObjects", service="s3", call=_get_objects),
)
