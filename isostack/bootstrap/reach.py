"""How an account is reached: by a profile that somebody has named, or in the local cloud where none is.

Owns that credentials are read for a named profile alone, and what S3's and IAM's errors are in one line.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from isostack.errors import BadInput, IsostackError, OperationFailed, Refused

if TYPE_CHECKING:
    from isostack.localcloud.server import LocalCloud


class ByProfile:
    """The account that a profile leads to. Raises BadInput for an unknown one, and where no region is known."""

    def __init__(self, profile: str, region: str | None) -> None:
        import boto3
        from botocore.exceptions import ProfileNotFound

        try:
            self._session = boto3.Session(profile_name=profile, region_name=region)
        except ProfileNotFound as error:
            raise BadInput(f"--profile: {error}") from None
        self.region: str = self._session.region_name or ""
        if not self.region:
            raise BadInput(f"--profile {profile}: it has no region; say --region")
        with told():
            self.account_id = str(self.client("sts").get_caller_identity()["Account"])
        self.told = f"account {self.account_id}, by profile {profile}, in {self.region}"

    def client(self, service: str) -> Any:
        from botocore.config import Config

        return self._session.client(service, config=Config(s3={"addressing_style": "path"}))


class InLocalCloud:
    """An account of the local cloud, which is started. Raises BadInput for a region that AWS does not have."""

    def __init__(self, local_cloud: LocalCloud, region: str | None, account_id: str | None) -> None:
        from isostack.localcloud.client import DEFAULT_ACCOUNT, DEFAULT_REGION, Cloud, is_region

        if region and not is_region(region):
            raise BadInput(f"--region {region}: AWS has no such region; eu-west-1 is one")
        self._cloud = Cloud(local_cloud.ensure().url, region or DEFAULT_REGION, account_id or DEFAULT_ACCOUNT)
        self.region, self.account_id = self._cloud.region, self._cloud.account_id
        self.told = f"account {self.account_id} of the local cloud, in {self.region} (--profile names a real one)"

    def client(self, service: str) -> Any:
        return self._cloud.client(service)


@contextmanager
def told() -> Iterator[None]:
    """AWS's errors as one line each: Refused where it says no, OperationFailed for all else."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except IsostackError:
        raise
    except ClientError as error:
        code, message = (error.response.get("Error", {}).get(name, "") for name in ("Code", "Message"))
        kind = Refused if "Denied" in code or code in ("403", "AuthorizationError") else OperationFailed
        raise kind(f"{error.operation_name}: {code}: {' '.join(message.split())}") from None
    except BotoCoreError as error:
        raise OperationFailed(" ".join(str(error).split())) from None
