"""CloudTrail's resource types."""

from __future__ import annotations

import json

from tests.rows.case import Case, Need, Ref


def _needs(bucket: str) -> dict[str, Need]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudtrail.amazonaws.com"},
        "Action": ["s3:GetBucketAcl", "s3:PutObject"],
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return {
        "bucket": Need("aws:s3/bucket:Bucket", {"bucket": bucket}),
        "policy": Need("aws:s3/bucketPolicy:BucketPolicy", {"bucket": bucket, "policy": policy}),
    }


CASES = [
    Case(
        token="aws:cloudtrail/trail:Trail",
        needs={**_needs("shop-audit-trail"), "topic": Need("aws:sns/topic:Topic", {"name": "audit"})},
        inputs={
            "name": "audit",
            "s3BucketName": Ref("bucket", "bucket"),
            "s3KeyPrefix": "trail",
            "snsTopicName": Ref("topic", "arn"),
            "isMultiRegionTrail": True,
            "enableLogFileValidation": True,
            "cloudWatchLogsGroupArn": "arn:aws:logs:eu-west-1:123456789012:log-group:audit:*",
            "cloudWatchLogsRoleArn": "arn:aws:iam::123456789012:role/trail",
            "eventSelectors": [
                {
                    "readWriteType": "WriteOnly",
                    "dataResources": [{"type": "AWS::S3::Object", "values": ["arn:aws:s3:::shop/"]}],
                }
            ],
            "insightSelectors": [{"insightType": "ApiCallRateInsight"}],
            "tags": {"a": "1", "b": "1"},
        },
        update={"snsTopicName": None, "eventSelectors": None, "enableLogging": False, "tags": {"a": "2"}},
        replace={"name": "records"},
        expect={"arn": str, "homeRegion": "eu-west-1", "snsTopicArn": str},
    ),
    Case(
        token="aws:cloudtrail/trail:Trail",
        name="plain",
        needs=_needs("shop-audit-trail-plain"),
        inputs={"s3BucketName": Ref("bucket", "bucket")},
        update={
            "advancedEventSelectors": [
                {"name": "writes", "fieldSelectors": [{"field": "eventCategory", "equals": ["Management"]}]}
            ]
        },
        expect={"arn": str, "name": str, "enableLogging": True},
    ),
]
