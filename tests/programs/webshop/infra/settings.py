"""What the stack's configuration says, read once and in one place."""

from dataclasses import dataclass
from typing import Any

import pulumi


@dataclass(frozen=True)
class Settings:
    domain: str
    instances: int
    high_availability: bool
    office_networks: list[str]
    database: dict[str, Any]
    payment_key: pulumi.Output[str]

    @staticmethod
    def load() -> "Settings":
        config = pulumi.Config()
        return Settings(
            domain=config.require("domain"),
            instances=config.require_int("instances"),
            high_availability=config.require_bool("highAvailability"),
            office_networks=config.require_object("officeNetworks"),
            database=config.require_object("database"),
            payment_key=config.require_secret("paymentKey"),
        )
