"""Feature flags: an AppConfig application whose hosted configuration says which features are on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import appconfig

from components.base import Component


@dataclass(frozen=True, kw_only=True)
class FlagsValues:
    """Each flag by its key (a small letter, then letters, digits, ``-`` and ``_``), and whether it is on."""

    flags: Mapping[str, bool]


@dataclass(frozen=True, kw_only=True)
class FeatureFlagsArgs(FlagsValues):
    """The flags, and the tags of what holds them."""

    tags: Mapping[str, str]


class FeatureFlags(Component):
    """Gives ``application_id``, ``profile_id`` and ``version_number``, a number that grows with every change of a flag."""

    def __init__(self, name: str, args: FeatureFlagsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args.tags, opts)
        self.application = self._application()
        self.profile = self._profile()
        self.version = self._hosted_version(args.flags)
        self.application_id = self.application.id
        self.profile_id = self.profile.configuration_profile_id
        self.version_number = self.version.version_number
        self.register_outputs(
            {
                "application_id": self.application_id,
                "profile_id": self.profile_id,
                "version_number": self.version_number,
            }
        )

    def _application(self) -> appconfig.Application:
        return appconfig.Application(
            self.child("flags"),
            description="Feature flags",
            tags=self.named("flags"),
            opts=self.options(),
        )

    def _profile(self) -> appconfig.ConfigurationProfile:
        return appconfig.ConfigurationProfile(
            self.child("flags"),
            application_id=self.application.id,
            description="Which features are on",
            location_uri="hosted",
            type="AWS.AppConfig.FeatureFlags",
            tags=self.named("flags"),
            opts=self.options(),
        )

    def _hosted_version(self, flags: Mapping[str, bool]) -> appconfig.HostedConfigurationVersion:
        """A version cannot be changed: other flags are a new version."""
        return appconfig.HostedConfigurationVersion(
            self.child("flags"),
            application_id=self.application.id,
            configuration_profile_id=self.profile.configuration_profile_id,
            content_type="application/json",
            content=document(flags),
            opts=self.options(),
        )


def document(flags: Mapping[str, bool]) -> str:
    """The flags in the JSON that AppConfig's type ``AWS.AppConfig.FeatureFlags`` asks for."""
    return json.dumps(
        {
            "version": "1",
            "flags": {key: {"name": key} for key in sorted(flags)},
            "values": {key: {"enabled": flags[key]} for key in sorted(flags)},
        }
    )
