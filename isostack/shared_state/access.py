"""How a bucket of state is reached: in the local cloud, or in an account that somebody has named.

Owns the safety rule: without a profile that is named for it, no credentials are read and nothing but a loopback address is
spoken to, whatever address the state has.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from isostack.errors import BadInput, Refused

PROFILE: Final = "ISOSTACK_STATE_PROFILE"
ENDPOINT: Final = "ISOSTACK_STATE_ENDPOINT"


def client(home: Path) -> Any:
    """boto3's client of S3 for the state: with the profile of ``ISOSTACK_STATE_PROFILE``, else of the local cloud of ``home``, or
    of the one at ``ISOSTACK_STATE_ENDPOINT``.

    Raises BadInput for an unknown profile, and Refused for an address that is no loopback one.
    """
    profile, endpoint = os.environ.get(PROFILE), os.environ.get(ENDPOINT)
    if profile:
        return _with_profile(profile, endpoint)
    from isostack.localcloud.client import Cloud
    from isostack.localcloud.server import LocalCloud

    try:
        return Cloud(endpoint or LocalCloud(home).ensure().url).client("s3")
    except Refused as error:
        raise Refused(f"{ENDPOINT}: {error}; for state in an account, name its profile in {PROFILE}") from None


def _with_profile(profile: str, endpoint: str | None) -> Any:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ProfileNotFound

    config = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 5})
    try:
        return boto3.Session(profile_name=profile).client("s3", endpoint_url=endpoint, config=config)
    except ProfileNotFound as error:
        raise BadInput(f"{PROFILE}: {error}") from None
