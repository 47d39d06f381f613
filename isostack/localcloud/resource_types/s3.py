"""Amazon S3: buckets, with the blocks that older programs put inside them. Source: the S3 API reference.

Settings that are resources of their own are :mod:`isostack.localcloud.resource_types.s3_settings`'s, objects
``s3_objects``'s. ``BucketV2`` is the same bucket with its blocks in lists.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types import s3_objects, s3_rules, s3_settings
from isostack.localcloud.resource_types.row import (
    AutoName,
    Created,
    Function,
    Properties,
    ResourceType,
    tag_list,
    tag_map,
)
from isostack.localcloud.resource_types.s3_settings import ABSENT, or_none
from isostack.localcloud.resource_types.s3_websites import hosted_zone, website_domain

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

_NAME = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_AES = {"rule": {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}, "bucketKeyEnabled": False}}
_UNSERVED = {
    "replicationConfiguration": "the local cloud replicates nothing",
    "grants": "use a BucketAcl with access_control_policy",
}

# -- blocks inside a bucket --------------------------------------------------------------------------------------------


def _put_inline_versioning(client: Any, bucket: str, versioning: Properties) -> None:
    status = {True: "Enabled", False: "Suspended"}[bool(versioning.get("enabled"))]
    if status == "Enabled" or s3_settings.get_versioning(client, bucket) != "Disabled":
        mfa = {"mfaDelete": "Enabled"} if versioning.get("mfaDelete") else {}
        s3_settings.put_versioning(client, bucket, {"status": status, **mfa})


def _get_inline_versioning(client: Any, bucket: str, known: Any) -> Properties:
    return {"enabled": s3_settings.get_versioning(client, bucket) == "Enabled", "mfaDelete": False}


def _get_inline_encryption(client: Any, bucket: str, known: Any) -> Properties:
    rules = [(known or {}).get("rule")]
    found = or_none(client, s3_settings.get_encryption, client, bucket, rules)
    return {"rule": found[0]} if found else _AES


def _get_inline_lifecycle(client: Any, bucket: str, known: Any) -> list[Properties]:
    return s3_rules.outline_lifecycle(s3_rules.get_lifecycle(client, bucket, None))


def _get_inline_website(client: Any, bucket: str, known: Any) -> Properties:
    return s3_rules.outline_website(s3_rules.get_website(client, bucket, s3_rules.inline_website(known or {})))


def _put_acl(client: Any, bucket: str, acl: str) -> None:
    s3_settings.require_acls(client, bucket, acl)
    client.put_bucket_acl(Bucket=bucket, ACL=acl)


def _put_payer(client: Any, bucket: str, payer: str) -> None:
    if payer != "BucketOwner":
        raise ProviderError("requestPayer: in the local cloud nobody pays; leave it out")


# Block to what writes it and what reads it: (client, bucket, value) and (client, bucket, known value).
_BLOCKS: dict[str, tuple[Callable[..., None], Callable[..., Any]]] = {
    "versioning": (_put_inline_versioning, _get_inline_versioning),
    "serverSideEncryptionConfiguration": (
        lambda client, bucket, value: s3_settings.put_encryption(client, bucket, [value["rule"]]),
        _get_inline_encryption,
    ),
    "objectLockConfiguration": (
        s3_settings.put_object_lock,
        lambda client, bucket, known: s3_settings.get_object_lock(client, bucket),
    ),
    "acl": (_put_acl, lambda client, bucket, known: known),
    "policy": (s3_settings.put_policy, s3_settings.get_policy),
    "corsRules": (s3_rules.put_cors, s3_rules.get_cors),
    "lifecycleRules": (
        lambda client, bucket, value: s3_rules.put_lifecycle(client, bucket, s3_rules.inline_lifecycle(value)),
        _get_inline_lifecycle,
    ),
    "website": (
        lambda client, bucket, value: s3_rules.put_website(client, bucket, s3_rules.inline_website(value)),
        _get_inline_website,
    ),
    "logging": (s3_settings.put_logging, s3_settings.get_logging),
    "accelerationStatus": (
        lambda client, bucket, value: client.put_bucket_accelerate_configuration(
            Bucket=bucket, AccelerateConfiguration={"Status": value}
        ),
        lambda client, bucket, known: client.get_bucket_accelerate_configuration(Bucket=bucket).get("Status"),
    ),
    "requestPayer": (_put_payer, lambda client, bucket, known: "BucketOwner"),
}
# How each looks in a bucket of which nobody has said anything.
_FRESH: Properties = {
    "requestPayer": "BucketOwner",
    "serverSideEncryptionConfiguration": _AES,
    "versioning": {"enabled": False, "mfaDelete": False},
}


def _put_blocks(client: Any, bucket: str, inputs: Properties, names: set[str]) -> None:
    for name, (put, _) in _BLOCKS.items():
        if name in names and inputs.get(name) not in (None, "", [], {}):
            put(client, bucket, inputs[name])


# -- buckets -----------------------------------------------------------------------------------------------------------


def _create_bucket(cloud: Cloud, inputs: Properties) -> Created:
    name, client = inputs["bucket"], cloud.client("s3")
    if not _NAME.fullmatch(name):
        raise ProviderError(
            f"InvalidBucketName: {name!r}; a bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens"
        )
    for property_, advice in _UNSERVED.items():
        if inputs.get(property_):
            raise ProviderError(f"Bucket: {property_} is not served: {advice}")
    if inputs.get("acl", "private") != "private":
        raise ProviderError(
            "InvalidBucketAclWithObjectOwnership: a new bucket takes no ACLs; use BucketOwnershipControls and a BucketAcl"
        )
    # AWS gives in us-east-1 an existing bucket of one's own as if it were new.
    if cloud.region == "us-east-1" and or_none(client, lambda: client.head_bucket(Bucket=name)):
        raise ProviderError(f"BucketAlreadyOwnedByYou: the bucket {name} is there already; import it, or rename this one")
    optional: Properties = {}
    if cloud.region != "us-east-1":
        optional["CreateBucketConfiguration"] = {"LocationConstraint": cloud.region}
    if _locks(inputs):
        optional["ObjectLockEnabledForBucket"] = True
    if inputs.get("bucketNamespace", "global") != "global":
        optional["BucketNamespace"] = inputs["bucketNamespace"]
    client.create_bucket(Bucket=name, **optional)
    try:
        if inputs.get("tagsAll"):
            client.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tag_list(inputs["tagsAll"])})
        _put_blocks(client, name, inputs, _BLOCKS.keys() - {"acl"})
    except Exception:
        client.delete_bucket(Bucket=name)
        raise
    outputs = {**_facts(cloud, name, inputs), **_FRESH, "tagsAll": inputs.get("tagsAll") or {}}
    if _locks(inputs):
        outputs |= {"objectLockEnabled": True, "versioning": {"enabled": True, "mfaDelete": False}}
    for block in _BLOCKS.keys() & inputs.keys():
        outputs |= _read_block(client, name, block, inputs)
    return Created(name, outputs)


def _locks(inputs: Properties) -> bool:
    lock = inputs.get("objectLockConfiguration") or {}
    return bool(inputs.get("objectLockEnabled")) or lock.get("objectLockEnabled") == "Enabled"


def _facts(cloud: Cloud, name: str, known: Properties) -> Properties:
    domain = website_domain(cloud.region)
    return {
        "arn": f"arn:{cloud.partition}:s3:::{name}",
        "bucket": name,
        "bucketDomainName": f"{name}.s3.amazonaws.com",
        "bucketNamespace": known.get("bucketNamespace") or "global",
        "bucketRegion": cloud.region,
        "bucketRegionalDomainName": f"{name}.s3.{cloud.region}.amazonaws.com",
        "hostedZoneId": hosted_zone(cloud.region),
        "objectLockEnabled": bool(known.get("objectLockEnabled")),
        **({"websiteDomain": domain, "websiteEndpoint": f"{name}.{domain}"} if known.get("website") else {}),
        **{key: known[key] for key in ("bucketPrefix",) if key in known},
    }


def _read_block(client: Any, bucket: str, block: str, known: Properties) -> Properties:
    value = or_none(client, _BLOCKS[block][1], client, bucket, known.get(block))
    return {} if value in (None, [], {}) else {block: value}


def _read_bucket(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    client = cloud.client("s3")
    head = client.head_bucket(Bucket=id_)
    region = head.get("BucketRegion") or cloud.region
    if region != cloud.region:
        raise ProviderError(f"Bucket: {id_} is in {region}, not in {cloud.region}; give the resource its region")
    tags = or_none(client, lambda: client.get_bucket_tagging(Bucket=id_)["TagSet"])
    # An import looks at everything; afterwards it is the blocks that the state has.
    blocks = _BLOCKS.keys() & known.keys() if "arn" in known or "bucket" in known else _BLOCKS.keys()
    outputs: Properties = {"tagsAll": tag_map(tags)}
    for block in sorted(blocks):
        outputs |= _read_block(client, id_, block, known)
    locked = known.get("objectLockEnabled")
    if locked is None:
        locked = or_none(client, s3_settings.get_object_lock, client, id_) is not None
    return {**_facts(cloud, id_, {**known, "objectLockEnabled": locked, "website": outputs.get("website")}), **outputs}


def _update_bucket(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    client = cloud.client("s3")
    for property_, advice in _UNSERVED.items():
        if property_ in changed and new.get(property_):
            raise ProviderError(f"Bucket: {property_} is not served: {advice}")
    if "tagsAll" in changed:
        if new.get("tagsAll"):
            client.put_bucket_tagging(Bucket=id_, Tagging={"TagSet": tag_list(new["tagsAll"])})
        else:
            client.delete_bucket_tagging(Bucket=id_)
    _put_blocks(client, id_, new, changed)


def _delete_bucket(cloud: Cloud, id_: str, known: Properties) -> None:
    client = cloud.client("s3")
    if known.get("forceDestroy"):
        s3_objects.empty(client, id_, bypass=bool(known.get("objectLockEnabled")))
    try:
        client.delete_bucket(Bucket=id_)
    except client.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "BucketNotEmpty":
            raise
        raise ProviderError(
            f"BucketNotEmpty: the bucket {id_} holds objects or versions of them; "
            "empty it, or set force_destroy=True and run up before you destroy it"
        ) from error


# -- BucketV2 ----------------------------------------------------------------------------------------------------------

_LISTS = {
    "loggings": "logging",
    "serverSideEncryptionConfigurations": "serverSideEncryptionConfiguration",
    "versionings": "versioning",
    "websites": "website",
    "replicationConfigurations": "replicationConfiguration",
}
# And inside these blocks.
_INNER = {
    "applyServerSideEncryptionByDefaults": "applyServerSideEncryptionByDefault",
    "defaultRetentions": "defaultRetention",
    "expirations": "expiration",
    "noncurrentVersionExpirations": "noncurrentVersionExpiration",
    "rules": "rule",
}
_WITH_INNER = ("lifecycleRules", "objectLockConfiguration", "serverSideEncryptionConfiguration")


def _unlisted(value: Any, names: dict[str, str]) -> Any:
    """Blocks that stand in lists of one, taken out of them."""
    if isinstance(value, list):
        return [_unlisted(item, names) for item in value]
    if not isinstance(value, dict):
        return value
    result = {}
    for key, item in value.items():
        single = key in names and isinstance(item, list)
        content = (item[0] if item else None) if single else item
        result[names[key] if single else key] = _unlisted(content, names)
    return result


def _listed(value: Any, names: dict[str, str]) -> Any:
    """The other way round."""
    if isinstance(value, list):
        return [_listed(item, names) for item in value]
    if not isinstance(value, dict):
        return value
    plural = {single: name for name, single in names.items()}
    return {
        plural.get(key, key): [_listed(item, names)] if key in plural and item is not None else _listed(item, names)
        for key, item in value.items()
    }


def _singular(properties: Properties) -> Properties:
    top = {_LISTS.get(key, key): (value[0] if value else None) if key in _LISTS else value for key, value in properties.items()}
    return {key: _unlisted(value, _INNER) if key in _WITH_INNER else value for key, value in top.items()}


def _plural(properties: Properties) -> Properties:
    plural = {single: name for name, single in _LISTS.items()}
    inner = {key: _listed(value, _INNER) if key in _WITH_INNER else value for key, value in properties.items()}
    return {plural.get(key, key): [value] if key in plural else value for key, value in inner.items()}


def _create_bucket_v2(cloud: Cloud, inputs: Properties) -> Created:
    created = _create_bucket(cloud, _singular(inputs))
    return Created(created.id, _plural(created.outputs or {}))


def _read_bucket_v2(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    outputs = _read_bucket(cloud, id_, _singular(known))
    return None if outputs is None else _plural(outputs)


def _update_bucket_v2(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    _update_bucket(cloud, id_, _singular(old), _singular(new), {_LISTS.get(name, name) for name in changed})


# -- look-ups ----------------------------------------------------------------------------------------------------------


def _get_bucket(cloud: Cloud, arguments: Properties) -> Properties:
    name, client = arguments["bucket"], cloud.client("s3")
    head = or_none(client, lambda: client.head_bucket(Bucket=name))
    if head is None:
        raise ProviderError(f"getBucket: there is no bucket {name}")
    facts = _facts(cloud, name, {"website": True})
    names = ("arn", "bucket", "bucketDomainName", "bucketRegion", "bucketRegionalDomainName", "hostedZoneId")
    result = {key: facts[key] for key in (*names, "websiteDomain", "websiteEndpoint")}
    return {**result, "id": name, "region": cloud.region}


def _get_bucket_policy(cloud: Cloud, arguments: Properties) -> Properties:
    name = arguments["bucket"]
    policy = cloud.client("s3").get_bucket_policy(Bucket=name)["Policy"]
    return {"bucket": name, "id": name, "policy": policy, "region": cloud.region}


def _get_canonical_user(cloud: Cloud, arguments: Properties) -> Properties:
    owner = cloud.client("s3").list_buckets()["Owner"]
    return {"id": owner["ID"], "displayName": owner.get("DisplayName", "")}


_FACTS: dict[str, Any] = {
    "service": "s3",
    "delete": _delete_bucket,
    "name": AutoName(property="bucket", max_length=63, lower=True, unless=("bucketPrefix",)),
    "replace_on": ("bucket", "bucketPrefix", "bucketNamespace", "objectLockEnabled"),
    "computed": (
        "arn",
        "bucketDomainName",
        "bucketRegion",
        "bucketRegionalDomainName",
        "hostedZoneId",
        "websiteDomain",
        "websiteEndpoint",
    ),
    "local": ("forceDestroy",),
    "defaults": {"forceDestroy": False},
    "json_documents": ("policy",),
    "tagged": True,
    "absent": ABSENT,
    "volatile": ("websiteDomain", "websiteEndpoint"),
    "limits": "no replication and no grants inside the bucket",
}
_STICKY = ("bucketNamespace", "grants", "objectLockEnabled", "replicationConfiguration", *_BLOCKS)

RESOURCE_TYPES = (
    ResourceType(
        token="aws:s3/bucket:Bucket",
        create=_create_bucket,
        read=_read_bucket,
        update=_update_bucket,
        sticky=_STICKY,
        sets=("lifecycleRules.transitions", "lifecycleRules.noncurrentVersionTransitions"),
        **_FACTS,
    ),
    ResourceType(
        token="aws:s3/bucketV2:BucketV2",
        create=_create_bucket_v2,
        read=_read_bucket_v2,
        update=_update_bucket_v2,
        sticky=tuple(_plural(dict.fromkeys(_STICKY))),
        sets=("lifecycleRules.transitions", "lifecycleRules.noncurrentVersionTransitions"),
        **_FACTS,
    ),
    *s3_settings.RESOURCE_TYPES,
    *s3_objects.RESOURCE_TYPES,
)

FUNCTIONS = (
    Function(token="aws:s3/getBucket:getBucket", service="s3", call=_get_bucket),
    Function(token="aws:s3/getBucketPolicy:getBucketPolicy", service="s3", call=_get_bucket_policy),
    Function(token="aws:s3/getCanonicalUserId:getCanonicalUserId", service="s3", call=_get_canonical_user),
    *s3_objects.FUNCTIONS,
)
