"""S3's resource types."""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import Any

from isostack.engine.values import ARCHIVE_SIGNATURE, ASSET_SIGNATURE, SIGNATURE_KEY
from tests.rows.case import Case, Need, Ref


def _policy(*actions: str, bucket: str = "bucket-of-a-case") -> str:
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
                    "Action": list(actions),
                    "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
                }
            ],
        },
        indent=2,
    )


def _policy_here(*actions: str) -> Ref:
    """The policy for the bucket that is a need."""
    escaped = _policy(*actions, bucket="BUCKET").replace("{", "{{").replace("}", "}}")
    return Ref("bucket", "id", wrap=escaped.replace("BUCKET", "{0}"))


def _text(text: str) -> dict[str, Any]:
    return {SIGNATURE_KEY: ASSET_SIGNATURE, "text": text}


_BUCKET = Need("aws:s3/bucket:Bucket", {"forceDestroy": True})
_VERSIONED = Need("aws:s3/bucket:Bucket", {"versioning": {"enabled": True}})
_OTHER = Need("aws:s3/bucket:Bucket")
_WITH_ACLS = Need(
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
    {"bucket": Ref("bucket", "id"), "rule": {"objectOwnership": "BucketOwnerPreferred"}},
)
_HERE, _THERE = Ref("bucket", "id"), {"bucket": Ref("other", "id")}
_NEEDS = {"bucket": _BUCKET, "other": _OTHER}


def _both(case: Case) -> list[Case]:
    """The case, and the same for the name with V2."""
    plain = case.token.rpartition(":")[2]
    token = f"aws:s3/{plain[0].lower()}{plain[1:]}V2:{plain}V2"
    return [case, dataclasses.replace(case, token=token)]


CASES = [
    Case(
        token="aws:s3/bucket:Bucket",
        inputs={"bucket": "assets-of-a-shop", "forceDestroy": True, "tags": {"a": "1", "b": "1"}},
        update={"forceDestroy": False, "tags": {"a": "2"}},
        replace={"bucket": "other-assets-of-a-shop"},
        expect={
            "arn": "arn:aws:s3:::assets-of-a-shop",
            "bucketDomainName": "assets-of-a-shop.s3.amazonaws.com",
            "bucketRegionalDomainName": "assets-of-a-shop.s3.eu-west-1.amazonaws.com",
            "hostedZoneId": "Z1BKCTXD74EZPE",
            "region": "eu-west-1",
            "versioning": {"enabled": False, "mfaDelete": False},
        },
    ),
    Case(
        token="aws:s3/bucket:Bucket",
        name="named-automatically",
        inputs={"objectLockEnabled": True},
        update={"tags": {"a": "1"}},
        replace={"bucketPrefix": "something"},
        expect={"bucket": str, "objectLockEnabled": True, "versioning": {"enabled": True, "mfaDelete": False}},
    ),
    Case(
        token="aws:s3/bucket:Bucket",
        name="with-blocks",
        inputs={
            "bucket": "bucket-of-a-case",
            "acl": "private",
            "accelerationStatus": "Enabled",
            "corsRules": [{"allowedMethods": ["GET", "PUT"], "allowedOrigins": ["https://example.com"], "maxAgeSeconds": 60}],
            "lifecycleRules": [
                {
                    "enabled": True,
                    "id": "logs",
                    "prefix": "logs/",
                    "tags": {"kind": "log"},
                    "abortIncompleteMultipartUploadDays": 3,
                    "expiration": {"days": 90},
                    "transitions": [
                        {"days": 30, "storageClass": "STANDARD_IA"},
                        {"days": 60, "storageClass": "GLACIER"},
                    ],
                    "noncurrentVersionExpiration": {"days": 10},
                    "noncurrentVersionTransitions": [{"days": 5, "storageClass": "GLACIER"}],
                },
                {"enabled": False, "id": "old", "expiration": {"expiredObjectDeleteMarker": True}},
            ],
            "policy": _policy("s3:GetObject"),
            "serverSideEncryptionConfiguration": {
                "rule": {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms"}, "bucketKeyEnabled": True}
            },
            "versioning": {"enabled": True},
            "website": {"indexDocument": "index.html", "errorDocument": "404.html"},
        },
        update={
            "corsRules": [{"allowedMethods": ["GET"], "allowedOrigins": ["*"]}],
            "lifecycleRules": [{"enabled": True, "id": "all", "expiration": {"days": 1}}],
            "policy": _policy("s3:GetObject", "s3:PutObject"),
            "serverSideEncryptionConfiguration": {"rule": {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}},
            "versioning": {"enabled": False},
            "website": {"redirectAllRequestsTo": "https://example.com"},
        },
        replace={"objectLockEnabled": True},
        expect={"websiteEndpoint": "bucket-of-a-case.s3-website-eu-west-1.amazonaws.com"},
    ),
    Case(
        token="aws:s3/bucketV2:BucketV2",
        inputs={
            "bucketPrefix": "v2-",
            "lifecycleRules": [{"enabled": True, "id": "all", "expirations": [{"days": 1}]}],
            "serverSideEncryptionConfigurations": [
                {"rules": [{"applyServerSideEncryptionByDefaults": [{"sseAlgorithm": "aws:kms"}]}]}
            ],
            "versionings": [{"enabled": True}],
            "tags": {"a": "1"},
        },
        update={"tags": {}, "versionings": [{"enabled": False}]},
        replace={"bucketPrefix": "v3-"},
        expect={"bucket": str},
    ),
    *_both(
        Case(
            token="aws:s3/bucketVersioning:BucketVersioning",
            needs=_NEEDS,
            inputs={"bucket": _HERE, "versioningConfiguration": {"status": "Enabled"}},
            update={"versioningConfiguration": {"status": "Suspended"}},
            replace=_THERE,
            outlives_delete=True,
        )
    ),
    *_both(
        Case(
            token="aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
            needs={**_NEEDS, "key": Need("aws:kms/key:Key")},
            inputs={
                "bucket": _HERE,
                "rules": [
                    {
                        "applyServerSideEncryptionByDefault": {
                            "sseAlgorithm": "aws:kms",
                            "kmsMasterKeyId": Ref("key", "arn"),
                        },
                        "bucketKeyEnabled": True,
                    }
                ],
            },
            update={"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]},
            replace=_THERE,
        )
    ),
    Case(
        token="aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        needs=_NEEDS,
        inputs={"bucket": _HERE, "blockPublicAcls": True, "blockPublicPolicy": True},
        update={"blockPublicPolicy": False, "ignorePublicAcls": True, "restrictPublicBuckets": True},
        replace=_THERE,
        expect={"blockPublicAcls": True, "restrictPublicBuckets": False},
    ),
    Case(
        token="aws:s3/bucketPolicy:BucketPolicy",
        needs=_NEEDS,
        inputs={"bucket": _HERE, "policy": _policy_here("s3:GetObject")},
        update={"policy": _policy_here("s3:GetObject", "s3:ListBucket")},
        replace=_THERE,
    ),
    *_both(
        Case(
            token="aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
            needs=_NEEDS,
            inputs={
                "bucket": _HERE,
                "rules": [
                    {
                        "id": "logs",
                        "status": "Enabled",
                        "filter": {"and": {"prefix": "logs/", "tags": {"kind": "log"}, "objectSizeGreaterThan": 9}},
                        "expiration": {"days": 90},
                        "transitions": [{"days": 30, "storageClass": "STANDARD_IA"}],
                        "noncurrentVersionExpiration": {"noncurrentDays": 9, "newerNoncurrentVersions": 2},
                        "noncurrentVersionTransitions": [{"noncurrentDays": 3, "storageClass": "GLACIER"}],
                        "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
                    },
                    {
                        "id": "dated",
                        "status": "Disabled",
                        "filter": {"tag": {"key": "a", "value": "1"}},
                        "expiration": {"date": "2030-01-01T00:00:00Z"},
                    },
                    {"id": "all", "status": "Enabled", "filter": {}, "expiration": {"expiredObjectDeleteMarker": True}},
                    {"id": "old", "status": "Enabled", "prefix": "old/", "expiration": {"days": 1}},
                ],
            },
            update={"rules": [{"id": "all", "status": "Enabled", "filter": {"prefix": ""}, "expiration": {"days": 3}}]},
            replace=_THERE,
            expect={"transitionDefaultMinimumObjectSize": "all_storage_classes_128K"},
        )
    ),
    Case(
        token="aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        needs=_NEEDS,
        inputs={"bucket": _HERE, "rule": {"objectOwnership": "BucketOwnerPreferred"}},
        update={"rule": {"objectOwnership": "ObjectWriter"}},
        replace=_THERE,
    ),
    *_both(
        Case(
            token="aws:s3/bucketAcl:BucketAcl",
            needs={"bucket": _BUCKET, "other": _OTHER, "controls": _WITH_ACLS},
            inputs={"bucket": _HERE, "acl": "private"},
            update={"acl": "log-delivery-write"},
            replace=_THERE,
            expect={"accessControlPolicy": dict},
            outlives_delete=True,
        )
    ),
    Case(
        token="aws:s3/bucketAcl:BucketAcl",
        name="with-grants",
        needs={"bucket": _BUCKET, "other": _OTHER, "controls": _WITH_ACLS},
        inputs={
            "bucket": _HERE,
            "accessControlPolicy": {
                "owner": {"id": "75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a"},
                "grants": [
                    {
                        "grantee": {"type": "Group", "uri": "http://acs.amazonaws.com/groups/s3/LogDelivery"},
                        "permission": "READ_ACP",
                    }
                ],
            },
        },
        replace=_THERE,
        outlives_delete=True,
    ),
    *_both(
        Case(
            token="aws:s3/bucketCorsConfiguration:BucketCorsConfiguration",
            needs=_NEEDS,
            inputs={
                "bucket": _HERE,
                "corsRules": [
                    {
                        "id": "app",
                        "allowedHeaders": ["*"],
                        "allowedMethods": ["GET", "POST"],
                        "allowedOrigins": ["https://example.com"],
                        "exposeHeaders": ["ETag"],
                        "maxAgeSeconds": 3000,
                    },
                    {"allowedMethods": ["GET"], "allowedOrigins": ["*"]},
                ],
            },
            update={"corsRules": [{"allowedMethods": ["HEAD"], "allowedOrigins": ["*"]}]},
            replace=_THERE,
        )
    ),
    *_both(
        Case(
            token="aws:s3/bucketLogging:BucketLogging",
            needs={
                "bucket": _BUCKET,
                "other": _OTHER,
                "controls": _WITH_ACLS,
                "acl": Need("aws:s3/bucketAcl:BucketAcl", {"bucket": _HERE, "acl": "log-delivery-write"}),
            },
            inputs={
                "bucket": Ref("other", "id"),
                "targetBucket": _HERE,
                "targetPrefix": "log/",
                "targetObjectKeyFormat": {"partitionedPrefix": {"partitionDateSource": "EventTime"}},
            },
            update={"targetPrefix": "", "targetObjectKeyFormat": None},
            replace={"bucket": _HERE},
        )
    ),
    *_both(
        Case(
            token="aws:s3/bucketWebsiteConfiguration:BucketWebsiteConfiguration",
            needs=_NEEDS,
            inputs={
                "bucket": _HERE,
                "indexDocument": {"suffix": "index.html"},
                "errorDocument": {"key": "error.html"},
                "routingRules": [{"condition": {"keyPrefixEquals": "docs/"}, "redirect": {"replaceKeyPrefixWith": "documents/"}}],
            },
            update={"errorDocument": {"key": "404.html"}},
            replace=_THERE,
            expect={
                "websiteDomain": "s3-website-eu-west-1.amazonaws.com",
                "websiteEndpoint": str,
            },
        )
    ),
    Case(
        token="aws:s3/bucketWebsiteConfiguration:BucketWebsiteConfiguration",
        name="that-redirects",
        needs=_NEEDS,
        inputs={"bucket": _HERE, "redirectAllRequestsTo": {"hostName": "example.com", "protocol": "https"}},
        update={"redirectAllRequestsTo": {"hostName": "example.org"}},
    ),
    Case(
        token="aws:s3/bucketNotification:BucketNotification",
        needs={
            **_NEEDS,
            "queue": Need("aws:sqs/queue:Queue", {"name": "uploads"}),
            "topic": Need("aws:sns/topic:Topic", {"name": "uploads"}),
        },
        inputs={
            "bucket": _HERE,
            "eventbridge": True,
            "queues": [
                {
                    "id": "images",
                    "queueArn": Ref("queue", "arn"),
                    "events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"],
                    "filterPrefix": "images/",
                    "filterSuffix": ".png",
                }
            ],
            "topics": [{"topicArn": Ref("topic", "arn"), "events": ["s3:ObjectCreated:Put"]}],
        },
        update={
            "eventbridge": False,
            "queues": [{"queueArn": Ref("queue", "arn"), "events": ["s3:ObjectCreated:*"]}],
            "topics": None,
        },
        replace=_THERE,
    ),
    *_both(
        Case(
            token="aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
            needs={
                "bucket": Need("aws:s3/bucket:Bucket", {"objectLockEnabled": True}),
                "other": _OTHER,
            },
            inputs={"bucket": _HERE, "rule": {"defaultRetention": {"mode": "COMPLIANCE", "days": 5}}},
            update={"rule": {"defaultRetention": {"mode": "GOVERNANCE", "years": 1}}},
            replace=_THERE,
        )
    ),
    Case(
        token="aws:s3/bucketObject:BucketObject",
        needs=_NEEDS,
        inputs={"bucket": _HERE, "key": "//pages/index.html", "source": _text("<p>hi</p>"), "contentType": "text/html"},
        update={"source": _text("<p>ho</p>"), "tags": {"a": "1"}},
        replace={"key": "index.html"},
        import_id="s3://{bucket}/{key}",
        expect={"etag": "343fc7b27c1b966b623aa483c880210c"},
    ),
    Case(
        token="aws:s3/bucketObjectv2:BucketObjectv2",
        needs={"bucket": _VERSIONED, "other": _OTHER},
        inputs={
            "bucket": _HERE,
            "cacheControl": "max-age=60",
            "content": "hello",
            "contentEncoding": "identity",
            "contentLanguage": "en",
            "contentType": "text/plain",
            "metadata": {"author": "me"},
            "storageClass": "STANDARD_IA",
            "tags": {"a": "1"},
        },
        update={"content": None, "contentBase64": base64.b64encode(b"bye").decode(), "metadata": None},
        replace=_THERE,
        expect={"key": "subject", "etag": "5d41402abc4b2a76b9719d911017c592", "versionId": str, "arn": str},
    ),
    Case(
        token="aws:s3/bucketObjectv2:BucketObjectv2",
        name="of-an-archive",
        needs=_NEEDS,
        inputs={
            "bucket": _HERE,
            "key": "function.zip",
            "source": {SIGNATURE_KEY: ARCHIVE_SIGNATURE, "assets": {"main.py": _text("def handler(): ...")}},
            "serverSideEncryption": "aws:kms",
            "checksumAlgorithm": "SHA256",
        },
        update={"tags": {"a": "1"}},
        replace=_THERE,
        expect={"checksumSha256": str, "serverSideEncryption": "aws:kms"},
    ),
]
