"""Four environments of one shape: they come up beside each other, each in its own account, and follow their parameters."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.stacks.conftest import ENVIRONMENTS, Shop, changed

ACCOUNTS = dict(zip(ENVIRONMENTS, ("111111111111", "222222222222", "333333333333", "444444444444"), strict=True))
DATA = (
    "aws:dynamodb/table:Table",
    "aws:kms/key:Key",
    "aws:rds/instance:Instance",
    "aws:s3/bucket:Bucket",
    "aws:secretsmanager/secret:Secret",
    "aws:sqs/queue:Queue",
    "aws:cloudtrail/trail:Trail",
)
NEEDED_BY_CALLERS = {
    "url",
    "asset_bucket",
    "job_queue_url",
    "database_endpoint",
    "database_url",
    "database_secret_arn",
    "cache_endpoint",
    "cluster_arn",
    "service_names",
    "task_role_arns",
    "target_group_arns",
    "role_arns",
    "alarm_topic_arn",
    "trail_arn",
    "vpc_id",
}  # fmt: skip - a list of words


@pytest.fixture(scope="module")
def everything(shop: Shop) -> dict[str, dict[str, Any]]:
    """All four, brought up at the same time: the documents of their ups."""
    with ThreadPoolExecutor(4) as pool:
        return dict(zip(ENVIRONMENTS, pool.map(shop.up, ENVIRONMENTS), strict=True))


def test_all_four_come_up_at_the_same_time_with_the_same_resources(shop: Shop, everything: dict[str, Any]) -> None:
    assert {document["result"] for document in everything.values()} == {"succeeded"}
    names = [set(shop.known(environment)) for environment in ENVIRONMENTS]
    assert names[0] == names[1] == names[2] == names[3]
    assert len(names[0]) > 100


def test_each_lives_in_an_account_of_its_own(shop: Shop, everything: dict[str, Any]) -> None:
    for environment, account in ACCOUNTS.items():
        arns = [r.outputs["arn"] for r in shop.resources(environment) if isinstance(r.outputs.get("arn"), str)]
        assert {arn.split(":")[4] for arn in arns if "::aws:policy" not in arn} - {""} == {account}
        assert shop.client("sts", account).get_caller_identity()["Account"] == account
        vpcs = shop.client("ec2", account).describe_vpcs(Filters=[{"Name": "tag:environment", "Values": ["*"]}])["Vpcs"]
        tags = [{tag["Key"]: tag["Value"] for tag in vpc["Tags"]}["environment"] for vpc in vpcs]
        assert tags == [environment]


def test_callers_get_what_they_need_and_secrets_stay_secret(everything: dict[str, Any]) -> None:
    for document in everything.values():
        assert document["outputs"].keys() >= NEEDED_BY_CALLERS
        assert document["outputs"]["database_url"] == document["outputs"]["service_environment"] == "[secret]"


def test_everything_that_takes_tags_says_whose_it_is_and_what_it_was_made_from(shop: Shop, everything: dict[str, Any]) -> None:
    for environment in ENVIRONMENTS:
        for resource in shop.resources(environment):
            if "tagsAll" in resource.outputs and resource.type != "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup":
                tags = resource.outputs["tagsAll"]
                assert tags.get("environment") == environment, resource.urn
                assert {"owner", "parameters", "release"} <= tags.keys(), resource.urn


def test_status_shows_the_four_side_by_side(shop: Shop, everything: dict[str, Any]) -> None:
    rows = {row["environment"]: row for row in shop.done("status")["environments"]}
    assert set(rows) == set(ENVIRONMENTS)
    assert {row["deployed"] for row in rows.values()} == {"1.0.0"}
    assert len({row["resources"] for row in rows.values()}) == 1


def test_a_second_up_and_a_refresh_change_nothing(shop: Shop, everything: dict[str, Any]) -> None:
    for environment in ("dev", "production"):
        for document in (shop.up_as_planned(environment), shop.done("refresh", environment)):
            changes = document["changes"]
            assert {word: n for word, n in changes.items() if n and word != "same"} == {}, document["operation"]


def test_production_is_protected_by_what_aws_has_for_it(shop: Shop, everything: dict[str, Any]) -> None:
    rds = shop.client("rds", ACCOUNTS["production"])
    (instance,) = rds.describe_db_instances()["DBInstances"]
    assert (instance["DeletionProtection"], instance["MultiAZ"], instance["StorageEncrypted"]) == (True, True, True)
    (dev,) = shop.client("rds", ACCOUNTS["dev"]).describe_db_instances()["DBInstances"]
    assert (dev["DeletionProtection"], dev["MultiAZ"]) == (False, False)


def test_production_lets_somebody_break_the_glass_for_a_ticket(shop: Shop, everything: dict[str, Any]) -> None:
    given = ("--ticket", "INC-7", "--reason", "the shop's queue doesn't drain, and nobody answers", "--mfa", "123456")
    session = shop.done("break-glass", "production", *given, "--as", "carol")
    assert ":assumed-role/shop-break-glass" in session["arn"]
    assert session["alarm"]
    entry = shop.done("record")["entries"][-1]
    assert (entry["kind"], entry["ticket"], entry["person"]) == ("break-glass", "INC-7", "carol")


def test_playgrounds_live_beside_dev_and_leave_it_as_it_was(shop: Shop, everything: dict[str, Any]) -> None:
    before = shop.local_cloud.resources()
    for name in ("ana", "ben"):
        document = shop.done("play", "up", name)
        assert document["playground"]["expires"] > document["playground"]["created"]
    assert [row["name"] for row in shop.done("play", "list")["playgrounds"]] == ["ana", "ben"]
    ran = shop("play", "run", "ana", "--", "sh", "-c", 'echo "$DATABASE_URL $ASSET_BUCKET $JOB_QUEUE_URL $CACHE_URL"')
    assert ran.code == 0, ran.err
    database, bucket, queue, cache = ran.out.split()
    assert database.startswith("postgresql://shop_ana:")
    assert (bucket.startswith("shop-ana-"), "shop-ana-" in queue, cache.startswith("rediss://")) == (True, True, True)
    for name in ("ana", "ben"):
        shop.done("play", "down", name, "--no-snapshot")
    assert shop.local_cloud.resources() == before
    assert shop.done("play", "list")["playgrounds"] == []


# -- these change environments: each has a copy of its own -----------------------------------------------------------------


@pytest.fixture
def own_shop(tmp_path_factory: pytest.TempPathFactory) -> Any:
    shop = Shop(tmp_path_factory.mktemp("own"))
    yield shop
    shop.local_cloud.stop()


@pytest.mark.parametrize("environment", ["dev", "production"])
def test_a_running_environment_moves_to_the_next_version_and_back_and_keeps_its_data(own_shop: Shop, environment: str) -> None:
    shop = own_shop
    shop.up(environment)
    first = shop.known(environment)
    shop.pin(environment, "1.1.0")
    moved = shop.up(environment)
    second = shop.known(environment)
    assert moved["result"] == "succeeded"
    assert moved["changes"]["create"] > 0, "the worker is new"
    assert _data(first) == _data(second), "nothing that holds data was replaced"
    shop.pin(environment, "1.0.0")
    shop.up(environment)
    third = shop.known(environment)
    assert _data(first) == _data(third)
    assert set(first) == set(third)
    assert {name: _without_ids(inputs) for name, (_, inputs) in third.items() if _settled(name)} == {
        name: _without_ids(inputs) for name, (_, inputs) in first.items() if _settled(name)
    }


def _data(known: dict[str, tuple[str, Any]]) -> dict[str, str]:
    return {name: id_ for name, (id_, _) in known.items() if name.partition(" ")[0] in DATA}


def _settled(name: str) -> bool:
    """Whether a resource's inputs are the parameters' alone: names of replaced things have new endings in what uses them."""
    return not name.startswith(
        ("aws:ecs/", "aws:cloudwatch/dashboard", "aws:appautoscaling/", "aws:ec2/route", "aws:ec2/natGateway")
    )


def _without_ids(inputs: Any) -> str:
    return json.dumps(inputs, sort_keys=True, default=str)


ONE_CHANGE = {
    "a larger database": (
        [("{dev: db.t4g.micro, integration", "{dev: db.t4g.small, integration")],
        {"shop-database"},
    ),
    "the switch of traffic is two numbers": (
        [("blue: {dev: 0,", "blue: {dev: 100,"), ("green: {dev: 100,", "green: {dev: 0,")],
        {"shop-traffic"},
    ),
    "a partner's new address": (
        [("cidrs: {dev: [],", "cidrs: {dev: [192.0.2.0/28],")],
        {"shop-balancer", "shop-partners"},
    ),
    "a longer timeout of jobs": ([("visibility_timeout: 5m", "visibility_timeout: 10m")], {"shop-jobs"}),
}


def test_one_parameter_changes_exactly_what_it_feeds(own_shop: Shop) -> None:
    shop = own_shop
    shop.draft("9.9.9")
    shop.pin("dev", "9.9.9")
    shop.done("up", "dev")
    for what, (edits, expected) in ONE_CHANGE.items():
        before = shop.known("dev")
        shop.edit("9.9.9", *edits)
        document = shop.done("up", "dev")
        after = shop.known("dev")
        assert document["changes"]["replace"] == document["changes"]["delete"] == 0, what
        assert changed(before, after) == expected, what


def test_an_environment_that_goes_leaves_its_account_empty_and_the_others_as_they_are(own_shop: Shop) -> None:
    shop = own_shop
    for environment in ("dev", "integration"):
        shop.done("up", environment)
    before = shop.local_cloud.resources(ACCOUNTS["integration"])
    shop.done("destroy", "dev", "--yes")
    assert shop.local_cloud.resources(ACCOUNTS["dev"]) == {}
    assert shop.local_cloud.resources(ACCOUNTS["integration"]) == before


def test_a_provider_that_gets_into_another_account_is_refused_before_anything_changes(own_shop: Shop) -> None:
    shop = own_shop
    file = shop.root / "stacks/program.py"
    file.write_text(file.read_text().replace("iam::{values.account}:role", "iam::999999999999:role"))
    ran = shop("up", "dev")
    assert ran.code == 1
    assert "nothing was changed" in ran.out
    assert "account 999999999999 is not allowed" in ran.out + ran.err
    assert shop.local_cloud.resources() == {}


def test_a_published_version_that_was_edited_is_not_used(own_shop: Shop) -> None:
    shop = own_shop
    shop.edit("1.0.0", ("owner: platform-team", "owner: somebody"))
    ran = shop("up", "dev")
    assert ran.code == 3
    assert "1.0.0" in ran.out + ran.err
