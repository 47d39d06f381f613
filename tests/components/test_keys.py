"""The keys, alone in somebody else's program."""

from __future__ import annotations

import pytest

from tests.components.conftest import Alone, Program, policy

SOURCE = """
import pulumi
import pulumi_aws as aws

from components.keys import Keys, KeysArgs

values = pulumi.Config().require_object("values")
account = aws.get_caller_identity().account_id
keys = Keys("shop", KeysArgs(tags={"team": "security"}, account_id=account, region="eu-west-1", **values))
pulumi.export("data_key_arn", keys.data_key_arn)
pulumi.export("logs_key_arn", keys.logs_key_arn)
"""
VALUES = {"deletion_days": 7, "rotation_days": 180}
KEY = "aws:kms/key:Key"


@pytest.fixture(scope="module")
def shop(alone: Alone) -> Program:
    return alone(SOURCE, VALUES)


def test_both_keys_rotate_and_can_be_had_back_for_as_long_as_is_given(shop: Program) -> None:
    keys = shop.all(KEY)
    assert keys.keys() == {"shop-data", "shop-logs"}
    for key in keys.values():
        assert (key["enableKeyRotation"], key["rotationPeriodInDays"]) == (True, 180)
        assert key["deletionWindowInDays"] == 7
        assert key["tagsAll"]["team"] == "security"


def test_each_key_is_found_by_an_alias(shop: Program) -> None:
    aliases = shop.all("aws:kms/alias:Alias")
    for name, key in shop.all(KEY).items():
        assert aliases[name]["targetKeyArn"] == key["arn"]
    assert shop.outputs["data_key_arn"] == aliases["shop-data"]["targetKeyArn"]
    assert shop.outputs["logs_key_arn"] == aliases["shop-logs"]["targetKeyArn"]


@pytest.mark.parametrize("name", ["shop-data", "shop-logs"])
def test_who_administers_a_key_cannot_use_it(shop: Program, name: str) -> None:
    statements = policy(shop.all(KEY)[name]["policy"])
    (administration,) = [one for one in statements if "Condition" not in one]
    assert administration["Principal"] == {"AWS": f"arn:aws:iam::{shop.account}:root"}
    using = ("Decrypt", "Encrypt", "ReEncrypt", "GenerateDataKey", "CreateGrant", "*")
    assert [action for action in administration["Action"] if action.removeprefix("kms:").startswith(using)] == []
    assert "kms:PutKeyPolicy" in administration["Action"], "else nobody could ever change the policy"


@pytest.mark.parametrize("name", ["shop-data", "shop-logs"])
def test_nobody_outside_the_account_is_let_in(shop: Program, name: str) -> None:
    for statement in policy(shop.all(KEY)[name]["policy"]):
        account_named = shop.account in str(statement["Principal"]) or shop.account in str(statement["Condition"])
        assert account_named, statement["Sid"]


def test_data_is_decrypted_through_the_services_that_keep_it(shop: Program) -> None:
    statements = {one["Sid"]: one for one in policy(shop.all(KEY)["shop-data"]["policy"])}
    hosts = statements["UseThroughServices"]["Condition"]["StringEquals"]["kms:ViaService"]
    assert {"s3.eu-west-1.amazonaws.com", "sqs.eu-west-1.amazonaws.com", "rds.eu-west-1.amazonaws.com"} <= set(hosts)
    assert statements["GrantsToServices"]["Condition"]["Bool"] == {"kms:GrantIsForAWSResource": "true"}
    assert statements["Alarms"]["Principal"] == {"Service": "cloudwatch.amazonaws.com"}


def test_logs_are_encrypted_for_log_groups_and_trails_of_the_account(shop: Program) -> None:
    statements = {one["Sid"]: one for one in policy(shop.all(KEY)["shop-logs"]["policy"])}
    assert statements["LogGroups"]["Principal"] == {"Service": "logs.eu-west-1.amazonaws.com"}
    assert statements["LogGroups"]["Condition"] == {
        "ArnLike": {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:eu-west-1:{shop.account}:log-group:*"}
    }
    trails = f"arn:aws:cloudtrail:eu-west-1:{shop.account}:trail/*"
    assert statements["Trails"]["Condition"] == {
        "StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": trails},
        "ArnLike": {"aws:SourceArn": trails},
    }


def test_they_stay_as_they_are_change_in_place_and_go_without_a_trace(alone: Alone) -> None:
    shop = alone(SOURCE, VALUES)
    assert shop.up().changes.changes == 0
    assert shop.refresh().changes.changes == 0

    shop.up(rotation_days=365)
    assert shop.steps == {f"{KEY} shop-data": {"update"}, f"{KEY} shop-logs": {"update"}}

    shop.destroy()
    assert shop.left == {}
