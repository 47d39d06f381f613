"""The bucket that holds state, and the key that seals it: versioned, closed to the public, reached by TLS alone.

The same bucket serves `pulumi login` and isostack's own shared state. It is written for one command to make and for no program to
own: a program's state cannot lie in a bucket that the program makes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from isostack.bootstrap.things import Reach, Thing
from isostack.errors import BadInput, Refused

CLOSED: Final = dict.fromkeys(("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True)
DAYS: Final = 90
"""How long what was written over or deleted can be brought back."""
_OURS: Final = "Isostack"  # how the Sids of our statements, and the ids of our rules, begin: others stay as they are


def state_things(reach: Reach, bucket: str) -> list[Thing]:
    """What a bucket of state consists of, in the order in which it is made."""
    s3, kms = reach.client("s3"), reach.client("kms")
    alias = alias_of(bucket)
    owned = {"Bucket": bucket, "ExpectedBucketOwner": reach.account_id}

    def key() -> dict[str, Any] | None:
        return _described(kms, alias)

    def arn() -> str:
        return str((key() or {}).get("Arn", ""))

    def setting(name: str, look: Callable[[], Any], wanted: Callable[[], Any], put: Callable[[], Any]) -> Thing:
        return Thing(f"{name} of bucket {bucket}", _absent_is_none(look), wanted, put)

    def encryption() -> dict[str, Any]:
        sealed = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": arn()}
        return {"ApplyServerSideEncryptionByDefault": sealed, "BucketKeyEnabled": True}

    def present_encryption() -> Any:
        rule = s3.get_bucket_encryption(**owned)["ServerSideEncryptionConfiguration"]["Rules"][0]
        return {name: rule.get(name) for name in encryption()}

    def statements() -> list[dict[str, Any]]:
        return json.loads(s3.get_bucket_policy(**owned)["Policy"])["Statement"]  # type: ignore[no-any-return]

    def put_statements() -> None:
        kept = [one for one in _absent_is_none(statements)() or [] if not str(one.get("Sid", "")).startswith(_OURS)]
        document = {"Version": "2012-10-17", "Statement": [*kept, *policy(bucket, arn())]}
        s3.put_bucket_policy(**owned, Policy=json.dumps(document))

    def rules() -> list[dict[str, Any]]:
        return s3.get_bucket_lifecycle_configuration(**owned)["Rules"]  # type: ignore[no-any-return]

    def put_rules() -> None:
        kept = [rule for rule in _absent_is_none(rules)() or [] if not str(rule.get("ID", "")).startswith(_OURS)]
        s3.put_bucket_lifecycle_configuration(**owned, LifecycleConfiguration={"Rules": [*kept, lifecycle()]})

    return [
        Thing(f"key {alias}", lambda: key() and _state(key()), lambda: "Enabled", lambda: _make_key(kms, alias, bucket, key()),
              "aws:kms/key:Key"),
        Thing(f"yearly rotation of key {alias}", lambda: key() and (_rotates(kms, arn()) or None), lambda: True,
              lambda: kms.enable_key_rotation(KeyId=arn())),
        Thing(f"bucket {bucket}", lambda: _is_there(s3, owned), lambda: True, lambda: _make_bucket(s3, reach, bucket),
              "aws:s3/bucket:Bucket"),
        setting("no public access", lambda: s3.get_public_access_block(**owned)["PublicAccessBlockConfiguration"],
                lambda: CLOSED, lambda: s3.put_public_access_block(**owned, PublicAccessBlockConfiguration=CLOSED)),
        setting("ownership", lambda: s3.get_bucket_ownership_controls(**owned)["OwnershipControls"]["Rules"],
                lambda: [{"ObjectOwnership": "BucketOwnerEnforced"}],
                lambda: s3.put_bucket_ownership_controls(
                    **owned, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})),
        setting("versions", lambda: s3.get_bucket_versioning(**owned).get("Status"), lambda: "Enabled",
                lambda: s3.put_bucket_versioning(**owned, VersioningConfiguration={"Status": "Enabled"})),
        setting("encryption by the key", present_encryption, encryption,
                lambda: s3.put_bucket_encryption(**owned, ServerSideEncryptionConfiguration={"Rules": [encryption()]})),
        setting("policy", lambda: _ours(statements(), "Sid"), lambda: policy(bucket, arn()), put_statements),
        setting("lifecycle", lambda: _ours(rules(), "ID"), lambda: [lifecycle()], put_rules),
    ]  # fmt: skip


def require_bucket(reach: Reach, bucket: str) -> None:
    """Raise BadInput where this account has no such bucket: names of buckets are everybody's, so a slip may be a stranger's."""
    if not _is_there(reach.client("s3"), {"Bucket": bucket, "ExpectedBucketOwner": reach.account_id}):
        raise BadInput(
            f"account {reach.account_id} has no bucket {bucket}; make it first: isostack bootstrap state s3://{bucket}"
        )


def alias_of(bucket: str) -> str:
    """The name of a bucket's key."""
    return f"alias/{bucket.replace('.', '-')}"


def policy(bucket: str, key: str) -> list[dict[str, Any]]:
    """What nobody may do with the bucket, its account's administrators included.

    A write without a word on encryption is sealed by the bucket's own key, and so are the Pulumi CLI's. A write that asks for
    another key, or for S3's own, is denied: ``Null`` comes with it since a negated condition also holds for what is not said.
    Entries of the record (:mod:`isostack.gates.shared_record`) are written once, under whatever prefix, and stay.
    """
    arn = f"arn:aws:s3:::{bucket}"
    asked = "s3:x-amz-server-side-encryption"
    entries = [f"{arn}/record/entries/*", f"{arn}/*/record/entries/*"]

    def deny(name: str, action: str | list[str], resource: str | list[str], condition: dict[str, Any]) -> dict[str, Any]:
        statement = {"Sid": f"{_OURS}{name}", "Effect": "Deny", "Principal": "*", "Action": action, "Resource": resource}
        return {**statement, "Condition": condition} if condition else statement

    return [
        deny("OnlyOverTls", "s3:*", [arn, f"{arn}/*"], {"Bool": {"aws:SecureTransport": "false"}}),
        deny("OnlyByKms", "s3:PutObject", f"{arn}/*", {"Null": {asked: "false"}, "StringNotEquals": {asked: "aws:kms"}}),
        deny("OnlyByItsKey", "s3:PutObject", f"{arn}/*", {
            "Null": {f"{asked}-aws-kms-key-id": "false"}, "StringNotEquals": {f"{asked}-aws-kms-key-id": key}}),
        deny("RecordedOnce", "s3:PutObject", entries, {"Null": {"s3:if-none-match": "true"}}),
        deny("RecordedForGood", "s3:DeleteObject", entries, {}),
        deny("NothingForgotten", ["s3:DeleteBucket", "s3:DeleteObjectVersion"], [arn, f"{arn}/*"], {}),
    ]  # fmt: skip


def lifecycle() -> dict[str, Any]:
    """Old versions go after a while; the lifecycle is the only one that removes any."""
    return {
        "ID": f"{_OURS}OldVersions",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "NoncurrentVersionExpiration": {"NoncurrentDays": DAYS},
        "Expiration": {"ExpiredObjectDeleteMarker": True},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    }


def _ours(found: list[dict[str, Any]], name: str) -> list[dict[str, Any]] | None:
    return [one for one in found if str(one.get(name, "")).startswith(_OURS)] or None


def _absent_is_none(look: Callable[[], Any]) -> Callable[[], Any]:
    """Gives None where S3 says that there is no such bucket or setting."""

    def looked() -> Any:
        from botocore.exceptions import ClientError

        try:
            return look()
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code.startswith("NoSuch") or code.endswith("NotFoundError") or code in ("404", "OwnershipControlsNotFound"):
                return None
            raise

    return looked


def _is_there(s3: Any, owned: dict[str, str]) -> bool | None:
    from botocore.exceptions import ClientError

    try:
        s3.head_bucket(**owned)
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in ("404", "NoSuchBucket"):
            return None
        if code in ("403", "AccessDenied"):
            raise Refused(f"bucket {owned['Bucket']} is another account's, or is closed to you; choose another name") from None
        raise
    return True


def _make_bucket(s3: Any, reach: Reach, bucket: str) -> None:
    where = {} if reach.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": reach.region}}
    s3.create_bucket(Bucket=bucket, ObjectOwnership="BucketOwnerEnforced", **where)


def _described(kms: Any, alias: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = kms.describe_key(KeyId=alias)["KeyMetadata"]
    except kms.exceptions.NotFoundException:
        return None
    return found


def _state(key: dict[str, Any] | None) -> str:
    return str((key or {}).get("KeyState", "Enabled" if (key or {}).get("Enabled") else "Disabled"))


def _rotates(kms: Any, arn: str) -> bool:
    return bool(kms.get_key_rotation_status(KeyId=arn)["KeyRotationEnabled"])


def _make_key(kms: Any, alias: str, bucket: str, present: dict[str, Any] | None) -> None:
    """Make the key, or refuse to go on with one that seals nothing: another key could not open what this one has sealed."""
    if present is not None:
        raise Refused(f"key {alias} is {_state(present)}; enable it, or take back its deletion, before anything else")
    made = kms.create_key(Description=f"Seals the state in bucket {bucket}", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]
    kms.create_alias(AliasName=alias, TargetKeyId=made["KeyId"])
