"""Which cloud a stack is for, by its own word (``isostack:cloud``), held against where a run would go.

The address of a local cloud differs from machine to machine: it comes from the environment, and is neither configuration
nor among the provider's inputs, which the state would keep. AWS's SDKs and Pulumi's AWS provider take it from there.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from pulumi import RunError

LOCAL = "local"
AWS = "aws"
ENDPOINT = "AWS_ENDPOINT_URL"
ENGINE = "ISOSTACK_ENGINE"
"""Set by the embedded engine, which reaches the local cloud and nothing else, whatever the environment says."""


class WrongCloud(RunError):
    """The run would go to another cloud than the stack's (exit code 2); nothing has been registered."""

    exit_code = 2


def require(cloud: str | None, environment: Mapping[str, str] = os.environ) -> None:
    """Raise WrongCloud unless a run in this environment goes where the stack's ``cloud`` says; by default that is local."""
    cloud = cloud or LOCAL
    if cloud not in (LOCAL, AWS):
        raise WrongCloud(
            f"isostack:cloud is {cloud!r}: there are {LOCAL}, the simulated AWS on this machine, and {AWS}, an account"
        )
    if environment.get(ENGINE) == "embedded":
        return
    endpoints = {name: url for name, url in environment.items() if name.startswith(ENDPOINT) and url}
    if cloud == AWS and any(map(_is_loopback, endpoints.values())):
        raise WrongCloud(
            "isostack:cloud is aws, and this shell leads to a local cloud; use a shell without `isostack cloud env`, "
            "or set isostack:cloud to local"
        )
    if cloud == LOCAL and not (
        ENDPOINT in endpoints
        and all(map(_is_loopback, endpoints.values()))
        and environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() != "true"
    ):
        raise WrongCloud(
            'isostack:cloud is local, and this shell does not lead to the local cloud: run eval "$(isostack cloud env)" first, '
            "or, for a real account, set isostack:cloud to aws in the stack's file"
        )


def _is_loopback(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
