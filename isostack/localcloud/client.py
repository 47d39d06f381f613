"""boto3 clients that can reach the local cloud and nothing else.

Owns the safety rule: the endpoint is a loopback address, credentials are made up here, and neither the environment's
credentials, profiles and proxies nor its files are read.
"""

from __future__ import annotations

import ipaddress
import os
import re
import threading
from contextlib import suppress
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from isostack.errors import Refused

DEFAULT_ACCOUNT = "123456789012"
DEFAULT_REGION = "eu-west-1"


def require_loopback(endpoint: str) -> str:
    """The endpoint, if it is a loopback address; else :class:`~isostack.errors.Refused`."""
    host = ""
    # Two parsers may see two hosts in an address with user information, a backslash or white space.
    if re.fullmatch(r"https?://[^@\\\s]+", endpoint, re.ASCII):
        with suppress(ValueError):
            host = urlsplit(endpoint).hostname or ""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback:
        raise Refused(
            f"endpoint {endpoint}: the embedded engine talks to the local cloud on a loopback address only; "
            "use the Pulumi CLI for anything else"
        )
    return endpoint


class Cloud:
    """One account and region of the local cloud: what a row's functions get to work with. Thread-safe."""

    def __init__(self, endpoint: str, region: str = DEFAULT_REGION, account_id: str = DEFAULT_ACCOUNT) -> None:
        self.endpoint = require_loopback(endpoint)
        self.region = region
        self.account_id = account_id
        self.partition = "aws"
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.RLock()
        self._credentials: tuple[str, str, str | None] | None = None

    def __str__(self) -> str:
        return f"account {self.account_id} in {self.region}"

    def client(self, service: str, region: str | None = None) -> Any:
        """The boto3 client of a service; the same one each time."""
        key = (service, region or self.region)
        found = self._clients.get(key)
        if found is None:
            with self._lock:
                found = self._clients.get(key)
                if found is None:
                    found = self._clients[key] = self._create(*key)
        return found

    def _create(self, service: str, region: str) -> Any:
        return self._connect(service, region, self.credentials())

    def credentials(self) -> tuple[str, str, str | None]:
        """Key, secret and token by which moto knows the account: those of a role that is assumed there, once."""
        if self._credentials is None:
            if self.account_id == DEFAULT_ACCOUNT:
                return _MADE_UP
            role = f"arn:{self.partition}:iam::{self.account_id}:role/isostack"
            sts = self._connect("sts", self.region, _MADE_UP)
            answer = sts.assume_role(RoleArn=role, RoleSessionName="isostack")["Credentials"]
            self._credentials = answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"]
        return self._credentials

    def act_as(self, key: str, secret: str, token: str) -> None:
        """Use a session's credentials from now on, in place of isostack's own."""
        self._credentials = key, secret, token

    def _connect(self, service: str, region: str, credentials: tuple[str, str, str | None]) -> Any:
        from botocore.config import Config

        key, secret, token = credentials
        with _SESSION_LOCK:  # botocore fills its caches without one
            client = _session().create_client(
                service,
                region_name=region,
                endpoint_url=self.endpoint,
                use_ssl=False,
                verify=False,
                aws_access_key_id=key,
                aws_secret_access_key=secret,
                aws_session_token=token,
                config=Config(**_CONFIG),
            )
        client.meta.events.register_first("before-send", self._before_send)
        return client

    def _before_send(self, request: Any, **_: Any) -> None:
        """The last word before bytes leave: only the endpoint, whatever botocore's rules have made of it."""
        here, there = urlsplit(self.endpoint).netloc, urlsplit(request.url)
        if there.netloc.endswith(f".{here}"):  # s3control's rules put the account in front of the host
            request.url = there._replace(netloc=here).geturl()
        if not request.url.startswith(f"{self.endpoint.rstrip('/')}/"):
            raise Refused(f"a request to {request.url}: the embedded engine talks to the local cloud at {self.endpoint} only")
        # After a reset moto takes forgotten credentials for the default account's.
        request.headers["x-moto-account-id"] = self.account_id


def is_region(name: str) -> bool:
    """Whether AWS has a region of this name, in any partition, as far as botocore knows."""
    partitions = _session().get_available_partitions()
    return any(name in _session().get_available_regions("sts", partition_name=partition) for partition in partitions)


_MADE_UP = ("isostack", "isostack", None)
_SESSION_LOCK = threading.Lock()
_CONFIG: dict[str, Any] = {
    "connect_timeout": 2,
    "disable_request_compression": True,
    "inject_host_prefix": False,
    "max_pool_connections": 64,
    "proxies": {},
    "request_checksum_calculation": "when_required",
    "response_checksum_validation": "when_required",
    "retries": {"mode": "standard", "total_max_attempts": 2},
    "s3": {"addressing_style": "path"},
    "user_agent": "isostack",  # botocore takes a tenth of a call to put its own together
}


@cache
def _session() -> Any:
    """A botocore session, shared by all, that takes every setting's default and looks at no variable and no file."""
    from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES, ConfigValueStore, ConstantProvider
    from botocore.session import Session

    from isostack.localcloud.service_models import Models, make_classes_once

    make_classes_once()
    session = Session()
    defaults = {name: ConstantProvider(value[2]) for name, value in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()}
    for file in ("config_file", "credentials_file"):
        defaults[file] = ConstantProvider(os.devnull)
    session.register_component("config_store", ConfigValueStore(mapping=defaults))
    session.register_component("data_loader", Models())
    return session
