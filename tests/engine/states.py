"""Small resources, and secrets without a passphrase, for tests of state files and journals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from isostack.engine.state import ResourceState
from isostack.engine.state_file import Codec
from isostack.engine.values import SECRET_SIGNATURE, SIGNATURE_KEY

PREFIX = "urn:pulumi:dev::shop::"
STACK = PREFIX + "pulumi:pulumi:Stack::shop-dev"
PROVIDER_URN = PREFIX + "pulumi:providers:aws::default"
PROVIDER = PROVIDER_URN + "::provider-id"


def urn(name: str) -> str:
    return f"{PREFIX}aws:sqs/queue:Queue::{name}"


def queue(name: str, *needed: str, **changes: Any) -> ResourceState:
    """A queue that depends on the queues of the ``needed`` names."""
    fields: dict[str, Any] = {"id": f"{name}-id", "dependencies": [urn(other) for other in needed]}
    return ResourceState(urn(name), "aws:sqs/queue:Queue", True, **{**fields, **changes})


def stack(**changes: Any) -> ResourceState:
    return ResourceState(STACK, "pulumi:pulumi:Stack", False, **changes)


def provider(**changes: Any) -> ResourceState:
    return ResourceState(PROVIDER_URN, "pulumi:providers:aws", True, **{"id": "provider-id", **changes})


class Reversed:
    """Secrets that are sealed by writing them backwards, and that count how many were opened."""

    def __init__(self, salt: str = "salt of the test") -> None:
        self.state = {"salt": salt}
        self.opened = 0

    def encrypt_value(self, value: Any) -> dict[str, str]:
        return {SIGNATURE_KEY: SECRET_SIGNATURE, "ciphertext": json.dumps(value)[::-1]}

    def decrypt_value(self, sealed: Mapping[str, Any]) -> Any:
        self.opened += 1
        return json.loads(sealed["plaintext"] if "plaintext" in sealed else sealed["ciphertext"][::-1])


def codec() -> Codec:
    return Codec(Reversed())
