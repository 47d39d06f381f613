"""The settings of a bucket that are resources of their own: versioning, encryption, public access, policy and so on.

Their ids are the bucket's name, and their creates overwrite what is there. Each has two tokens, since pulumi_aws 7 keeps
the names with ``V2`` beside the plain ones. Translating rules and websites is
:mod:`isostack.localcloud.resource_types.s3_rules`'s; the bucket itself is ``s3``'s.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.iam_policies import policy_text, require_policy
from isostack.localcloud.resource_types.row import Created, Properties, ResourceType
from isostack.localcloud.resource_types.s3_rules import (
    get_cors,
    get_lifecycle,
    get_notifications,
    get_website,
    put_cors,
    put_lifecycle,
    put_notifications,
    put_website,
)
from isostack.localcloud.resource_types.s3_websites import website_domain
from isostack.localcloud.resource_types.shapes import from_aws, remember, to_aws

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

ABSENT = (
    "404",
    "NoSuchBucket",
    "NoSuchBucketPolicy",
    "NoSuchCORSConfiguration",
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "NoSuchTagSet",
    "NoSuchWebsiteConfiguration",
    "ObjectLockConfigurationNotFoundError",
    "OwnershipControlsNotFoundError",
    "ServerSideEncryptionConfigurationNotFoundError",
)
_KMS = {"kmsMasterKeyId": "KMSMasterKeyID", "sseAlgorithm": "SSEAlgorithm"}
_ID = {"id": "ID", "uri": "URI"}
_ACLS_OFF = "BucketOwnerEnforced"


def or_none(client: Any, call: Callable[..., Any], *arguments: Any) -> Any:
    """What the call gives, or None where S3 says that there is no such setting."""
    try:
        return call(*arguments)
    except client.exceptions.ClientError as error:
        if error.response["Error"]["Code"] in ABSENT:
            return None
        raise


# -- versioning and encryption -----------------------------------------------------------------------------------------


def put_versioning(client: Any, bucket: str, configuration: Properties) -> None:
    """``configuration``: ``status`` and ``mfaDelete``, as S3 spells their values."""
    if configuration.get("mfaDelete") == "Enabled":
        raise ProviderError("versioning: the local cloud has no MFA devices; leave out mfaDelete")
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": configuration["status"]})


def get_versioning(client: Any, bucket: str) -> str:
    """``Enabled``, ``Suspended`` or, where it never was enabled, ``Disabled``."""
    return str(client.get_bucket_versioning(Bucket=bucket).get("Status") or "Disabled")


def _put_versioning(cloud: Cloud, bucket: str, inputs: Properties) -> None:
    configuration = inputs["versioningConfiguration"]
    client = cloud.client("s3")
    if configuration["status"] != "Disabled":
        put_versioning(client, bucket, configuration)
    elif get_versioning(client, bucket) != "Disabled":
        raise ProviderError("versioningConfiguration.status: a bucket with versions cannot go back to Disabled")


def _get_versioning(cloud: Cloud, bucket: str, known: Properties) -> Properties:
    status = {"status": get_versioning(cloud.client("s3"), bucket)}
    return {"versioningConfiguration": remember(status, known.get("versioningConfiguration"))}


def _suspend(cloud: Cloud, bucket: str, known: Properties) -> None:
    """Not where there is an object lock: S3 refuses it, and Terraform lets the versions be."""
    client = cloud.client("s3")
    locked = or_none(client, get_object_lock, client, bucket) is not None
    if not locked and get_versioning(client, bucket) == "Enabled":
        put_versioning(client, bucket, {"status": "Suspended"})


def put_encryption(client: Any, bucket: str, rules: list[Properties]) -> None:
    if len(rules) != 1:
        raise ProviderError("server-side encryption: a bucket has exactly one rule")
    for rule in rules:
        default = rule.get("applyServerSideEncryptionByDefault") or {}
        if default.get("kmsMasterKeyId") and default.get("sseAlgorithm") == "AES256":
            raise ProviderError("InvalidArgument: kmsMasterKeyId goes with the algorithm aws:kms only")
    known = [{key: value for key, value in rule.items() if key != "blockedEncryptionTypes"} for rule in rules]
    client.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": to_aws(known, _KMS)})


def get_encryption(client: Any, bucket: str, known: Any) -> list[Properties]:
    answer = client.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    rules: list[Properties] = remember(from_aws(answer, _KMS), known)
    return rules


# -- access ------------------------------------------------------------------------------------------------------------

_BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")


def _put_access_block(cloud: Cloud, bucket: str, inputs: Properties) -> None:
    blocks = {name[0].upper() + name[1:]: bool(inputs.get(name)) for name in _BLOCKS}
    cloud.client("s3").put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=blocks)


def _get_access_block(cloud: Cloud, bucket: str, known: Properties) -> Properties:
    answer = cloud.client("s3").get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    return {name: bool(answer.get(name[0].upper() + name[1:])) for name in _BLOCKS}


def _clear_access_block(cloud: Cloud, bucket: str, known: Properties) -> None:
    if not known.get("skipDestroy"):
        cloud.client("s3").delete_public_access_block(Bucket=bucket)


def put_policy(client: Any, bucket: str, policy: str) -> None:
    """Write a bucket policy. Raises ProviderError for what AWS refuses and moto takes."""
    require_policy(policy, "policy")
    statements = json.loads(policy)["Statement"]
    statements = [statements] if isinstance(statements, dict) else statements
    for statement in statements:
        if not statement.keys() & {"Principal", "NotPrincipal"}:
            raise ProviderError("MalformedPolicy: a bucket policy needs a Principal in each statement")
        resources = statement.get("Resource", statement.get("NotResource", []))
        for resource in [resources] if isinstance(resources, str) else resources:
            if resource != "*" and not fnmatchcase(bucket, resource.rpartition(":")[2].partition("/")[0]):
                raise ProviderError(f"MalformedPolicy: {resource} is not in the bucket {bucket} that the policy is for")
    if any(_is_public(statement) for statement in statements):
        block = or_none(client, lambda: client.get_public_access_block(Bucket=bucket))
        # A bucket that nobody has told otherwise blocks public access.
        if block is None or block["PublicAccessBlockConfiguration"].get("BlockPublicPolicy"):
            raise ProviderError(
                f"AccessDenied: the policy makes the bucket {bucket} public, and its public access block forbids it; "
                "first create a BucketPublicAccessBlock with block_public_policy=False, and let the policy depend on it"
            )
    client.put_bucket_policy(Bucket=bucket, Policy=policy)


def _is_public(statement: Properties) -> bool:
    """Whether the statement lets everybody in for certain; conditions get the benefit of the doubt."""
    principal = statement.get("Principal")
    everybody = principal == "*" or (isinstance(principal, dict) and principal.get("AWS") in ("*", ["*"]))
    return statement.get("Effect") == "Allow" and everybody and not statement.get("Condition")


def get_policy(client: Any, bucket: str, known: Any) -> str:
    return policy_text(client.get_bucket_policy(Bucket=bucket)["Policy"], known)


def _put_ownership(cloud: Cloud, bucket: str, inputs: Properties) -> None:
    rules = [{"ObjectOwnership": inputs["rule"]["objectOwnership"]}]
    cloud.client("s3").put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": rules})


def _get_ownership(cloud: Cloud, bucket: str, known: Properties) -> Properties:
    answer = cloud.client("s3").get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]
    return {"rule": {"objectOwnership": answer["Rules"][0]["ObjectOwnership"]}}


def require_acls(client: Any, bucket: str, acl: str) -> None:
    """Raise ProviderError where S3 takes no ACL: object ownership rules it out unless somebody has changed that."""
    controls = or_none(client, lambda: client.get_bucket_ownership_controls(Bucket=bucket))
    owner = controls["OwnershipControls"]["Rules"][0]["ObjectOwnership"] if controls else _ACLS_OFF
    if owner == _ACLS_OFF and acl != "bucket-owner-full-control":
        raise ProviderError(
            f"AccessControlListNotSupported: the bucket {bucket} takes no ACLs; first create BucketOwnershipControls "
            'with object_ownership="BucketOwnerPreferred", and let this depend on it; or use a policy'
        )


def _put_acl(cloud: Cloud, bucket: str, inputs: Properties) -> None:
    client = cloud.client("s3")
    acl, policy = inputs.get("acl"), inputs.get("accessControlPolicy")
    if bool(acl) == bool(policy):
        raise ProviderError("BucketAcl: give either acl or accessControlPolicy")
    require_acls(client, bucket, acl or "")
    if acl:
        client.put_bucket_acl(Bucket=bucket, ACL=acl)
    else:
        client.put_bucket_acl(Bucket=bucket, AccessControlPolicy=to_aws(policy, _ID))


def _create_acl(cloud: Cloud, inputs: Properties) -> str:
    _put_acl(cloud, inputs["bucket"], inputs)
    parts = (inputs["bucket"], inputs.get("expectedBucketOwner"), inputs.get("acl"))
    return ",".join(part for part in parts if part)


def _read_acl(cloud: Cloud, id_: str, known: Properties) -> Properties:
    bucket, *rest = id_.split(",")
    answer = cloud.client("s3").get_bucket_acl(Bucket=bucket)
    policy = from_aws({"Owner": answer["Owner"], "Grants": answer["Grants"]}, _ID)
    outputs: Properties = {"bucket": bucket, "accessControlPolicy": remember(policy, known.get("accessControlPolicy"))}
    for part in rest:
        outputs["expectedBucketOwner" if part.isdigit() else "acl"] = part
    if "acl" in known:
        outputs["acl"] = known["acl"]
    return outputs


def _update_acl(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    if changed & {"acl", "accessControlPolicy"}:
        _put_acl(cloud, new["bucket"], new)


def _leave_acl(cloud: Cloud, id_: str, known: Properties) -> None:
    """A bucket always has an ACL; deleting leaves it as it is, as in Terraform."""


# -- logging and object lock -------------------------------------------------------------------------------------------


def put_logging(client: Any, bucket: str, inputs: Properties) -> None:
    names = ("targetBucket", "targetGrants", "targetObjectKeyFormat")
    enabled = to_aws({name: inputs.get(name) for name in names}, _ID)
    enabled["TargetPrefix"] = inputs.get("targetPrefix") or ""
    if (inputs.get("targetObjectKeyFormat") or {}).get("simplePrefix") is not None:
        enabled["TargetObjectKeyFormat"] = {"SimplePrefix": {}}
    client.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={"LoggingEnabled": enabled})


def get_logging(client: Any, bucket: str, known: Any) -> Properties | None:
    """``targetBucket``, ``targetPrefix`` and so on; None where nothing is logged."""
    answer = client.get_bucket_logging(Bucket=bucket).get("LoggingEnabled")
    if not answer:
        return None
    logging = {key: value for key, value in from_aws(answer, _ID).items() if value not in (None, [])}
    kept = {key: (known or {}).get(key) for key in ("targetGrants", "targetObjectKeyFormat")}
    return {"targetPrefix": "", **{key: value for key, value in kept.items() if value is not None}, **logging}


def put_object_lock(client: Any, bucket: str, inputs: Properties) -> None:
    retention = ((inputs.get("rule") or {}).get("defaultRetention")) or {}
    lock: Properties = {"ObjectLockEnabled": "Enabled"}
    if retention:
        lock["Rule"] = {"DefaultRetention": to_aws({key: value for key, value in retention.items() if value})}
    client.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=lock)


def get_object_lock(client: Any, bucket: str) -> Properties:
    answer: Properties = from_aws(client.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"])
    retention = (answer.get("rule") or {}).get("defaultRetention") or {}
    retention = {key: value for key, value in retention.items() if value}
    return {"objectLockEnabled": "Enabled", **({"rule": {"defaultRetention": retention}} if retention else {})}


def _get_object_lock(cloud: Cloud, bucket: str, known: Properties) -> Properties | None:
    lock = get_object_lock(cloud.client("s3"), bucket)
    return lock if "rule" in lock else None


# -- rows --------------------------------------------------------------------------------------------------------------

_Put = Callable[["Cloud", str, Properties], None]
_Get = Callable[["Cloud", str, Properties], Properties | None]


def _setting(name: str, put: _Put, get: _Get, clear: _Put, *, v2: bool = True, echo: bool = False, **facts: Any) -> Any:
    """The rows of one setting. ``echo``: reading it back would give the inputs."""

    def create(cloud: Cloud, inputs: Properties) -> Created:
        put(cloud, inputs["bucket"], inputs)
        id_ = ",".join(inputs[key] for key in ("bucket", "expectedBucketOwner") if inputs.get(key))
        return Created(id_, dict(inputs) if echo else None)

    def read(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
        bucket, _, owner = id_.partition(",")
        outputs = get(cloud, bucket, known)
        if outputs is None:
            return None
        return {**outputs, "bucket": bucket, **({"expectedBucketOwner": owner} if owner else {})}

    def update(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
        put(cloud, new["bucket"], new)

    def delete(cloud: Cloud, id_: str, known: Properties) -> None:
        clear(cloud, id_.partition(",")[0], known)

    facts["required"] = ("bucket", *facts.pop("required", ()))
    return _both(
        name, v2, create=create, read=read, update=update, delete=delete,
        replace_on=("bucket", "expectedBucketOwner"), **facts,
    )  # fmt: skip


def _both(name: str, v2: bool, **facts: Any) -> tuple[ResourceType, ...]:
    names = (name, f"{name}V2") if v2 else (name,)
    facts = {"service": "s3", "adopts": True, "absent": ABSENT, **facts}
    return tuple(ResourceType(token=f"aws:s3/{n[0].lower()}{n[1:]}:{n}", **facts) for n in names)


def _clear(operation: str, **arguments: Any) -> _Put:
    return lambda cloud, bucket, known: getattr(cloud.client("s3"), operation)(Bucket=bucket, **arguments)


def _wrapped(name: str, put: Callable[..., None], get: Callable[..., Any]) -> tuple[_Put, _Get]:
    """The pair for a setting whose whole content is one property."""

    def put_it(cloud: Cloud, bucket: str, inputs: Properties) -> None:
        put(cloud.client("s3"), bucket, inputs[name])

    def get_it(cloud: Cloud, bucket: str, known: Properties) -> Properties:
        return {name: get(cloud.client("s3"), bucket, known.get(name))}

    return put_it, get_it


def _put_lifecycle(cloud: Cloud, bucket: str, inputs: Properties) -> None:
    put_lifecycle(cloud.client("s3"), bucket, inputs.get("rules") or [], inputs.get("transitionDefaultMinimumObjectSize"))


def _get_lifecycle(cloud: Cloud, bucket: str, known: Properties) -> Properties:
    size = known.get("transitionDefaultMinimumObjectSize") or "all_storage_classes_128K"
    rules = get_lifecycle(cloud.client("s3"), bucket, known.get("rules"))
    return {"rules": rules, "transitionDefaultMinimumObjectSize": size}


def _get_website(cloud: Cloud, bucket: str, known: Properties) -> Properties:
    domain = website_domain(cloud.region)
    website = get_website(cloud.client("s3"), bucket, known)
    return {**website, "websiteDomain": domain, "websiteEndpoint": f"{bucket}.{domain}"}


def _get_notifications(cloud: Cloud, bucket: str, known: Properties) -> Properties | None:
    found = get_notifications(cloud.client("s3"), bucket)
    if not found and (known.get("queues") or known.get("topics") or known.get("lambdaFunctions")):
        return None
    return {"eventbridge": bool(known.get("eventbridge")), **found}


RESOURCE_TYPES: tuple[ResourceType, ...] = (
    *_setting(
        "BucketVersioning", _put_versioning, _get_versioning, _suspend,
        echo=True, required=("versioningConfiguration",), local=("mfa",),
        limits="no MFA delete",
    ),
    *_setting(
        "BucketServerSideEncryptionConfiguration", *_wrapped("rules", put_encryption, get_encryption),
        _clear("delete_bucket_encryption"), required=("rules",), sets=("rules",),
    ),
    *_setting(
        "BucketPublicAccessBlock", _put_access_block, _get_access_block, _clear_access_block,
        v2=False, echo=True, defaults=dict.fromkeys(_BLOCKS, False), local=("skipDestroy",),
    ),
    *_setting(
        "BucketPolicy", *_wrapped("policy", put_policy, get_policy), _clear("delete_bucket_policy"),
        v2=False, echo=True, required=("policy",), json_documents=("policy",),
    ),
    *_setting(
        "BucketLifecycleConfiguration", _put_lifecycle, _get_lifecycle, _clear("delete_bucket_lifecycle"),
        sticky=("transitionDefaultMinimumObjectSize",), local=("timeouts",),
        sets=("rules.transitions", "rules.noncurrentVersionTransitions"),
        limits="rules are kept, and nothing ever expires",
    ),
    *_setting(
        "BucketOwnershipControls", _put_ownership, _get_ownership, _clear("delete_bucket_ownership_controls"),
        v2=False, echo=True, required=("rule",),
    ),
    *_setting(
        "BucketCorsConfiguration", *_wrapped("corsRules", put_cors, get_cors), _clear("delete_bucket_cors"),
        required=("corsRules",),
        sets=("corsRules", *(f"corsRules.{n}" for n in ("allowedHeaders", "allowedMethods", "allowedOrigins"))),
    ),
    *_setting(
        "BucketLogging", lambda cloud, bucket, inputs: put_logging(cloud.client("s3"), bucket, inputs),
        lambda cloud, bucket, known: get_logging(cloud.client("s3"), bucket, known),
        _clear("put_bucket_logging", BucketLoggingStatus={}),
        required=("targetBucket", "targetPrefix"), sets=("targetGrants",),
        limits="nothing is logged",
    ),
    *_setting(
        "BucketWebsiteConfiguration", lambda cloud, bucket, inputs: put_website(cloud.client("s3"), bucket, inputs),
        _get_website, _clear("delete_bucket_website"),
        computed=("websiteDomain", "websiteEndpoint"), sticky=("routingRules", "routingRuleDetails"),
        json_documents=("routingRuleDetails",),
        limits="the website's address is not served",
    ),
    *_setting(
        "BucketNotification", lambda cloud, bucket, inputs: put_notifications(cloud.client("s3"), bucket, inputs),
        _get_notifications, _clear("put_bucket_notification_configuration", NotificationConfiguration={}),
        v2=False, defaults={"eventbridge": False},
        sets=("lambdaFunctions.events", "queues.events", "topics.events"),
    ),
    *_setting(
        "BucketObjectLockConfiguration", lambda cloud, bucket, inputs: put_object_lock(
            cloud.client("s3"), bucket, inputs
        ),
        _get_object_lock, lambda cloud, bucket, known: put_object_lock(cloud.client("s3"), bucket, {}),
        defaults={"objectLockEnabled": "Enabled"}, local=("token",),
    ),
    *_both(
        "BucketAcl", True, create=_create_acl, read=_read_acl, update=_update_acl, delete=_leave_acl,
        required=("bucket",), replace_on=("bucket", "expectedBucketOwner"), sticky=("accessControlPolicy",),
        sets=("accessControlPolicy.grants",),
    ),
)  # fmt: skip
