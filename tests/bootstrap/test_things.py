"""What an account gets before the first run: told first, made once, mended where it differs, and as closed as it says."""

from __future__ import annotations

import json
import uuid
from fnmatch import fnmatch
from typing import Any

import pytest

from isostack.bootstrap.roles import GITHUB, entry_things, pipeline_things
from isostack.bootstrap.state import policy, state_things
from isostack.bootstrap.things import Thing, costs, lines, make, seen
from isostack.cost.prices import prices
from isostack.errors import BadInput, OperationFailed, Refused
from isostack.localcloud.client import Cloud
from isostack.localcloud.trust import trusts

ENTRY = "arn:aws:iam::444444444444:role/isostack-entry"


class Here:
    """An account of the local cloud."""

    told = "an account of the tests"

    def __init__(self, cloud: Cloud) -> None:
        self.account_id, self.region = cloud.account_id, cloud.region
        self.client = cloud.client


@pytest.fixture
def here(cloud: Cloud) -> Here:
    return Here(cloud)


@pytest.fixture
def bucket() -> str:
    return f"acme-{uuid.uuid4().hex}"


def states(things: list[Thing]) -> set[str]:
    return {seen(thing).state for thing in things}


def done(things: list[Thing]) -> list[str]:
    """What was done, in order."""
    told: list[str] = []
    make(things, lambda one: told.append(f"{one.state} {one.thing.name}"))
    return told


def pipeline(here: Here, bucket: str, *environments: str) -> list[Thing]:
    entries = {name: (name.removesuffix("-plan"), ENTRY) for name in environments}
    return pipeline_things(here, "acme/shop", bucket, "shop", entries)


def test_nothing_is_made_before_it_was_asked_for_and_nothing_twice(here: Here, bucket: str) -> None:
    for things in (state_things(here, bucket), pipeline(here, bucket, "dev"), entry_things(here, "isostack-entry", [ENTRY])):
        assert states(things) == {"make"}
        assert states(things) == {"make"}, "looking makes nothing"
        assert len(done(things)) >= len(things) - 1, "a new bucket has its ownership by itself"
        assert done(things) == []
        assert states(things) == {"there"}
    keys = here.client("kms").list_keys()["Keys"]
    assert len(keys) == 1


def test_the_bucket_is_versioned_sealed_by_its_own_key_and_closed(here: Here, bucket: str) -> None:
    done(state_things(here, bucket))
    s3, kms = here.client("s3"), here.client("kms")
    key = kms.describe_key(KeyId=f"alias/{bucket}")["KeyMetadata"]["Arn"]
    assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert set(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()) == {True}
    put = s3.put_object(Bucket=bucket, Key="a", Body=b"state")
    assert (put["ServerSideEncryption"], put["SSEKMSKeyId"]) == ("aws:kms", key)
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert rule["NoncurrentVersionExpiration"]["NoncurrentDays"] == 90
    denied = {one["Sid"]: one for one in json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]}
    assert {one["Effect"] for one in denied.values()} == {"Deny"}
    assert denied["IsostackOnlyOverTls"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert denied["IsostackNothingForgotten"]["Action"] == ["s3:DeleteBucket", "s3:DeleteObjectVersion"]


@pytest.mark.parametrize(
    ("asked", "denied"),
    [
        ({}, False),  # the bucket's own key seals it
        ({"s3:x-amz-server-side-encryption": "aws:kms"}, False),
        ({"s3:x-amz-server-side-encryption": "aws:kms", "s3:x-amz-server-side-encryption-aws-kms-key-id": "key"}, False),
        ({"s3:x-amz-server-side-encryption": "AES256"}, True),
        ({"s3:x-amz-server-side-encryption": "aws:kms", "s3:x-amz-server-side-encryption-aws-kms-key-id": "other"}, True),
        ({"aws:SecureTransport": "false"}, True),
    ],
)
def test_writes_in_the_clear_or_by_another_key_are_denied(asked: dict[str, str], denied: bool) -> None:
    request = {"aws:SecureTransport": "true", **asked}
    assert is_denied("s3:PutObject", "stacks/shop/dev/head.json", request) is denied


def test_an_entry_of_the_record_is_written_once_and_stays() -> None:
    over_tls = {"aws:SecureTransport": "true"}
    for key in ("record/entries/000000000001.json", "team/record/entries/000000000001.json"):
        assert is_denied("s3:PutObject", key, over_tls)
        assert not is_denied("s3:PutObject", key, {**over_tls, "s3:if-none-match": "*"})
        assert is_denied("s3:DeleteObject", key, over_tls)
    assert not is_denied("s3:PutObject", "team/record/head.json", over_tls)
    assert not is_denied("s3:DeleteObject", "stacks/shop/dev/states/1.json", over_tls)


def is_denied(action: str, key: str, request: dict[str, str]) -> bool:
    return any(
        any(fnmatch(action, one) for one in listed(statement["Action"]))
        and any(fnmatch(f"arn:aws:s3:::acme/{key}", one) for one in listed(statement["Resource"]))
        and holds(statement.get("Condition", {}), request)
        for statement in policy("acme", "key")
    )


def listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def holds(condition: dict[str, Any], request: dict[str, str]) -> bool:
    """IAM's rules for the operators that the policy uses; a negated one holds where nothing was said."""
    operators = {
        "Bool": lambda wanted, given: given == wanted,
        "Null": lambda wanted, given: (given is None) is (wanted == "true"),
        "StringNotEquals": lambda wanted, given: given != wanted,
    }
    return all(operators[name](wanted, request.get(key)) for name, keys in condition.items() for key, wanted in keys.items())


def test_what_somebody_changed_is_told_and_mended_and_what_is_theirs_stays(here: Here, bucket: str) -> None:
    things = state_things(here, bucket)
    done(things)
    s3 = here.client("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    theirs = {
        "Sid": "Theirs",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutBucketAcl",
        "Resource": f"arn:aws:s3:::{bucket}",
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [theirs]}))
    told = list(lines(here, [seen(thing) for thing in things]))
    assert f"  ~ versions of bucket {bucket}" in told
    assert '      is      "Suspended"' in told
    assert f"  + policy of bucket {bucket}" in told
    assert done(things) == [f"change versions of bucket {bucket}", f"make policy of bucket {bucket}"]
    statements = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    assert theirs in statements
    assert len(statements) == 1 + len(policy(bucket, "key"))


def test_a_bucket_of_another_account_is_refused(here: Here, bucket: str, local_cloud: Any) -> None:
    other = Cloud(here.client("s3").meta.endpoint_url, account_id="999999999999").client("s3")
    other.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": here.region})
    with pytest.raises(Refused, match=f"bucket {bucket} is another account's, or is closed to you"):
        states(state_things(here, bucket))


def test_a_key_that_is_about_to_go_is_not_replaced(here: Here, bucket: str) -> None:
    things = state_things(here, bucket)
    done(things)
    here.client("kms").schedule_key_deletion(
        KeyId=here.client("kms").describe_key(KeyId=f"alias/{bucket}")["KeyMetadata"]["KeyId"], PendingWindowInDays=7
    )
    with pytest.raises(Refused, match="is PendingDeletion; enable it, or take back its deletion"):
        done(things)


def test_a_thing_that_does_not_come_to_be_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isostack.bootstrap.things.PAUSES", (0.0, 0.0))
    with pytest.raises(OperationFailed, match="the thing is not as it should be"):
        done([Thing("the thing", lambda: None, lambda: True, lambda: None)])


def test_a_thing_that_shows_after_a_while_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isostack.bootstrap.things.PAUSES", (0.0, 0.0, 0.0))
    looks = iter([None, None, None, True, True])
    assert done([Thing("the thing", lambda: next(looks), lambda: True, lambda: None)]) == ["make the thing"]


def test_the_costs_are_those_of_the_price_table(here: Here, bucket: str) -> None:
    found = [seen(thing) for thing in (*state_things(here, bucket), *pipeline(here, bucket, "dev"))]
    monthly, left_out = costs(found, here.region)
    assert monthly == prices().rates["key"].usd
    assert "requests to keys" in left_out
    assert "objects by GB" in left_out


# -- who gets in ---------------------------------------------------------------------------------------------------------


def token(repository: str, environment: str, audience: str = "sts.amazonaws.com", **more: str) -> dict[str, str]:
    subject = more.get("subject", f"repo:{repository}:environment:{environment}")
    return {"federated": GITHUB, f"{GITHUB}:aud": audience, f"{GITHUB}:sub": subject}


def test_a_role_trusts_its_environment_of_its_repository_and_nothing_else(here: Here, bucket: str) -> None:
    done(pipeline(here, bucket, "dev", "production-plan", "production"))
    iam = here.client("iam")
    trust = iam.get_role(RoleName="shop-pipeline-production")["Role"]["AssumeRolePolicyDocument"]
    action = "sts:AssumeRoleWithWebIdentity"
    assert trusts(trust, action, token("acme/shop", "production"))
    for other in (
        token("acme/shop", "dev"),
        token("acme/shop", "production-plan"),
        token("acme/shop-fork", "production"),
        token("evil/shop", "production"),
        token("acme/shop", "production", audience="others"),
        token("acme/shop", "", subject="repo:acme/shop:ref:refs/heads/main"),
        token("acme/shop", "", subject="repo:acme/shop:pull_request"),
    ):
        assert not trusts(trust, action, other), other
    assert not trusts(trust, "sts:AssumeRole", {"aws:PrincipalArn": ENTRY})
    sts = here.client("sts")
    assert [role["RoleName"] for role in iam.list_roles()["Roles"]].count("shop-pipeline-production") == 1
    assert sts.get_caller_identity()["Account"] == here.account_id


def test_a_role_reads_and_writes_its_own_stacks_state_and_enters_its_own_account(here: Here, bucket: str) -> None:
    done(pipeline(here, bucket, "dev"))
    document = here.client("iam").get_role_policy(RoleName="shop-pipeline-dev", PolicyName="state-and-entry")["PolicyDocument"]
    statements = {one["Sid"]: one for one in document["Statement"]}
    assert statements["Enter"]["Resource"] == ENTRY
    own = statements["Own"]
    assert "s3:DeleteObjectVersion" not in own["Action"]
    # What Pulumi's backend for buckets writes for a stack, as its version 3.260 does.
    for key in (
        "stacks/shop/dev.json", "stacks/shop/dev.json.bak", "history/shop/dev/dev-1.history.json",
        "history/shop/dev/dev-1.checkpoint.json", "backups/shop/dev/dev.1.json", "locks/organization/shop/dev/1-2.json",
    ):  # fmt: skip
        assert allowed(own["Resource"], f"arn:aws:s3:::{bucket}/.pulumi/{key}"), key
    for key in (
        "stacks/shop/dev2.json",
        "stacks/shop/production.json",
        "stacks/other/dev.json",
        "locks/organization/shop/dev2/1.json",
    ):
        assert not allowed(own["Resource"], f"arn:aws:s3:::{bucket}/.pulumi/{key}"), key


def allowed(resources: list[str], arn: str) -> bool:
    """No resource has a star but at its end."""
    assert all("*" not in one[:-1] for one in resources)
    return any(arn.startswith(one[:-1]) if one.endswith("*") else arn == one for one in resources)


def test_an_identity_provider_that_is_there_is_kept(here: Here, bucket: str) -> None:
    iam = here.client("iam")
    iam.create_open_id_connect_provider(Url=f"https://{GITHUB}", ClientIDList=["others"], ThumbprintList=["a" * 40])
    assert done(pipeline(here, bucket, "dev"))[0] == "change GitHub's identity provider"
    (provider,) = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider["Arn"])["ClientIDList"]
    assert found == ["others", "sts.amazonaws.com"]


def test_the_pipeline_is_not_put_into_an_environments_own_account(here: Here, bucket: str) -> None:
    entry = f"arn:aws:iam::{here.account_id}:role/isostack-entry"
    with pytest.raises(BadInput, match="keep state and pipeline in an account of their own"):
        pipeline_things(here, "acme/shop", bucket, "shop", {"dev": ("dev", entry)})


def test_the_entry_role_trusts_whom_it_was_told_and_others_no_more(here: Here) -> None:
    first, second = "arn:aws:iam::555555555555:role/shop-pipeline-dev", "arn:aws:iam::555555555555:role/operations"
    done(entry_things(here, "isostack-entry", [first, second]))
    assert done(entry_things(here, "isostack-entry", [first, second])) == []
    things = entry_things(here, "isostack-entry", [first])
    assert [seen(thing).state for thing in things] == ["change", "there"]
    done(things)
    trust = here.client("iam").get_role(RoleName="isostack-entry")["Role"]["AssumeRolePolicyDocument"]
    assert trusts(trust, "sts:AssumeRole", {"aws:PrincipalArn": first})
    assert not trusts(trust, "sts:AssumeRole", {"aws:PrincipalArn": second})
