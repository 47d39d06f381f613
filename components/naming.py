"""AWS's limits on names, per kind of resource. Pure."""

from __future__ import annotations

import hashlib

# Longest names that AWS takes, from the services' API references, for those that are shorter than 255.
LIMITS = {
    "aws:elasticache/replicationGroup:ReplicationGroup": 40,
    "aws:lb/loadBalancer:LoadBalancer": 32,
    "aws:lb/targetGroup:TargetGroup": 32,
    "aws:iam/role:Role": 64,
    "aws:rds/instance:Instance": 63,
    "aws:s3/bucket:Bucket": 63,
    "aws:sqs/queue:Queue": 80,
}


# What Pulumi appends to a logical name to make a physical one: a hyphen and seven hex digits.
AUTOMATIC_SUFFIX = 8


def fitted(name: str, type_: str) -> str:
    """A logical name whose automatic physical name keeps the type's limit: cut where it is too long.

    A digest at its end keeps two long names apart.
    """
    limit = LIMITS.get(type_, 255) - AUTOMATIC_SUFFIX
    if len(name) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:7]
    return f"{name[: limit - 8].rstrip('-')}-{digest}"
