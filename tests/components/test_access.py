"""Roles in somebody else's program: whom they trust, what their level lets them do, and what nobody can do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.components.conftest import Alone, Program, policy

SOURCE = """
import pulumi
from pulumi_aws import kms, s3, secretsmanager, sqs

from components.access import Access, AccessArgs

bucket, queue, key, secret = s3.Bucket("theirs"), sqs.Queue("theirs"), kms.Key("theirs"), secretsmanager.Secret("theirs")
access = Access(
    "shop",
    AccessArgs(
        tags={"team": "theirs"},
        account_id=queue.arn.apply(lambda arn: arn.split(":")[4]) if False else ACCOUNT,
        region="eu-west-1",
        bucket_arn=bucket.arn,
        queue_arn=queue.arn,
        database_resource_id="db-THEIRS",
        key_arn=key.arn,
        secret_arns={"DATABASE_URL": secret.arn},
        **pulumi.Config().require_object("values"),
    ),
)
for name in ("role_arns", "boundary_arn"):
    pulumi.export(name, getattr(access, name))
pulumi.export("theirs", {"bucket": bucket.arn, "queue": queue.arn, "key": key.arn, "secret": secret.arn})
"""
