"""Feature flags in somebody else's program: AppConfig holds what the values say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.components.conftest import Alone, Program

SOURCE = """
import pulumi

from components.flags import FeatureFlags, FeatureFlagsArgs

flags = FeatureFlags("shop", FeatureFlagsArgs(tags={"team": "theirs"}, **pulumi.Config().require_object("values")))
for name in ("application_id", "profile_id", "version_number"):
    pulumi.export(name, getattr(flags, name))
"""
VALUES = {"flags": {"new-checkout": True, "gift_cards": False}}
VERSION = "aws:appconfig/hostedConfigurationVersion:HostedConfigurationVersion"


@pytest.fixture(scope="module")
def shop(alone: Alone) -> Program:
    return alone(SOURCE, VALUES)


def stored(shop: Program) -> dict[str, Any]:
    """The document that AppConfig gives out for the version that the program names."""
    answer = shop.cloud.client("appconfig").get_hosted_configuration_version(
        ApplicationId=shop.outputs["application_id"],
        ConfigurationProfileId=shop.outputs["profile_id"],
        VersionNumber=int(shop.outputs["version_number"]),
    )
    assert answer["ContentType"] == "application/json"
    document: dict[str, Any] = json.loads(answer["Content"].read())
    return document


def test_the_flags_are_in_the_form_that_appconfig_asks_for(shop: Program) -> None:
    assert stored(shop) == {
        "version": "1",
        "flags": {"new-checkout": {"name": "new-checkout"}, "gift_cards": {"name": "gift_cards"}},
        "values": {"new-checkout": {"enabled": True}, "gift_cards": {"enabled": False}},
    }


def test_the_profile_is_one_of_feature_flags_and_tagged(shop: Program) -> None:
    profile = shop.one("aws:appconfig/configurationProfile:ConfigurationProfile")
    assert (profile["type"], profile["locationUri"]) == ("AWS.AppConfig.FeatureFlags", "hosted")
    assert profile["applicationId"] == shop.outputs["application_id"]
    assert profile["tagsAll"] == {"team": "theirs", "Name": "shop-flags"}
    assert shop.one("aws:appconfig/application:Application")["tagsAll"] == {"team": "theirs", "Name": "shop-flags"}


def test_a_second_run_and_a_refresh_find_nothing_to_do(shop: Program) -> None:
    assert shop.up().changes.changes == 0
    assert shop.refresh().changes.changes == 0


def test_the_order_in_which_flags_are_given_is_no_change(alone: Alone) -> None:
    shop = alone(SOURCE, VALUES)
    assert shop.up(flags=dict(reversed(VALUES["flags"].items()))).changes.changes == 0


def test_another_value_is_a_new_version_of_the_same_profile(alone: Alone) -> None:
    shop = alone(SOURCE, VALUES)
    before = shop.outputs
    shop.up(flags={**VALUES["flags"], "gift_cards": True})
    assert shop.steps.keys() == {f"{VERSION} shop-flags"}
    after = shop.outputs
    assert (after["application_id"], after["profile_id"]) == (before["application_id"], before["profile_id"])
    assert after["version_number"] > before["version_number"]
    assert stored(shop)["values"]["gift_cards"] == {"enabled": True}
    shop.destroy()
    assert shop.left == {}
