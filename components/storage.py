"""The asset bucket: encrypted, versioned, closed to the public."""

from __future__ import annotations

import pulumi
from pulumi_aws import s3

from components.base import Component


class Storage(Component):
    """Gives ``bucket_name`` and ``bucket_arn``."""

    def __init__(self, name: str, tags: dict[str, str], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, tags, opts)
        self.bucket = s3.Bucket(self.child("assets"), tags=self.named("assets"), opts=self.options())
        s3.BucketVersioning(
            self.child("assets"),
            bucket=self.bucket.id,
            versioning_configuration={"status": "Enabled"},
            opts=self.options(),
        )
        s3.BucketServerSideEncryptionConfiguration(
            self.child("assets"),
            bucket=self.bucket.id,
            rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "aws:kms"}}],
            opts=self.options(),
        )
        s3.BucketPublicAccessBlock(
            self.child("assets"),
            bucket=self.bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self.options(),
        )
        self.bucket_name = self.bucket.bucket
        self.bucket_arn = self.bucket.arn
        self.register_outputs({"bucket_name": self.bucket_name, "bucket_arn": self.bucket_arn})
