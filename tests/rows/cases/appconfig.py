"""AppConfig's resource types."""

from __future__ import annotations

import json

from tests.rows.case import Case, Need, Ref

_APPLICATION = Need("aws:appconfig/application:Application", {"name": "shop"})
_FLAGS = {
    "version": "1",
    "flags": {"newCheckout": {"name": "new checkout"}},
    "values": {"newCheckout": {"enabled": True}},
}

CASES = [
    Case(
        token="aws:appconfig/application:Application",
        inputs={"description": "the shop", "tags": {"a": "1"}},
        update={"name": "shop", "description": None, "tags": {"b": "2"}},
        expect={"arn": str, "name": str},
    ),
    Case(
        token="aws:appconfig/configurationProfile:ConfigurationProfile",
        needs={"application": _APPLICATION},
        inputs={
            "applicationId": Ref("application", "id"),
            "description": "switches",
            "locationUri": "hosted",
            "validators": [{"type": "JSON_SCHEMA", "content": json.dumps({"type": "object"})}],
            "kmsKeyIdentifier": "alias/shop",
            "tags": {"a": "1"},
        },
        update={"description": "flags", "validators": None, "kmsKeyIdentifier": "alias/other", "tags": {"a": "2"}},
        replace={"type": "AWS.AppConfig.FeatureFlags"},
        expect={"arn": str, "configurationProfileId": str, "type": "AWS.Freeform"},
    ),
    Case(
        token="aws:appconfig/hostedConfigurationVersion:HostedConfigurationVersion",
        needs={
            "application": _APPLICATION,
            "profile": Need(
                "aws:appconfig/configurationProfile:ConfigurationProfile",
                {
                    "applicationId": Ref("application", "id"),
                    "name": "flags",
                    "locationUri": "hosted",
                    "type": "AWS.AppConfig.FeatureFlags",
                },
            ),
        },
        inputs={
            "applicationId": Ref("application", "id"),
            "configurationProfileId": Ref("profile", "configurationProfileId"),
            "content": json.dumps(_FLAGS),
            "contentType": "application/json",
            "description": "the first",
            "versionLabel": "v1",
        },
        replace={"content": json.dumps({**_FLAGS, "values": {}})},
        expect={"arn": str, "versionNumber": 1},
    ),
]
