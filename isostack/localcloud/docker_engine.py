"""The connection to a Docker engine on this machine: what the rows of package ``docker`` get as their cloud.

Owns where an engine may be (a socket or a loopback address), whether it answers, and how its errors read. Neither the
user's registry credentials nor the proxies in Docker's configuration file are read. What is made on an engine is the rows'.
"""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from isostack.engine.provider import ProviderError, ResourceGone
from isostack.errors import BadInput, OperationFailed, Refused
from isostack.localcloud.client import require_loopback

if TYPE_CHECKING:
    from docker import APIClient

INSTEAD = "start one, name another with DOCKER_HOST, or run the services as plain processes, which need no engine"
_ANSWER_SECONDS = 10
_CALL_SECONDS = 120
# What leads to an engine elsewhere, or to what only Docker's own command line knows.
_REFUSED = ("caMaterial", "certMaterial", "certPath", "keyMaterial", "sshOpts")
_SDK_LOCK = threading.Lock()


class DockerEngine:
    """An engine that answers. Thread-safe."""

    region = account_id = ""  # of a cloud the provider asks for its region; an engine has none, and no accounts

    def __init__(self, address: str, credentials: Mapping[str, Mapping[str, str]] | None = None) -> None:
        """``credentials``: a registry's host name to ``username`` and ``password``. Raises OperationFailed without an answer."""
        self.address = require_local(address)
        self.credentials = dict(credentials or {})
        self.api = self._connect()

    def __str__(self) -> str:
        return f"the Docker engine at {self.address}"

    def _connect(self) -> APIClient:
        from docker.errors import DockerException

        try:
            _knock(self.address)
            client = _client(self.address.replace("tcp://", "http://"), self.credentials)
        except OSError as error:
            raise OperationFailed(f"no Docker engine answers at {self.address} ({error.strerror or error}): {INSTEAD}") from error
        except DockerException as error:
            raise OperationFailed(f"no Docker engine answers at {self.address} ({error}): {INSTEAD}") from error
        client.timeout = _CALL_SECONDS
        return client

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn the engine's errors into ProviderError, and what it does not know into ResourceGone."""
        from docker.errors import APIError, DockerException, NotFound
        from requests import RequestException

        try:
            yield
        except NotFound as error:
            raise ResourceGone(_line(error.explanation)) from error
        except APIError as error:
            raise ProviderError(_line(error.explanation or str(error))) from error
        except (DockerException, RequestException) as error:
            raise ProviderError(f"{self}: {_line(error)}") from error

    def inspect(self, kind: str, name: str) -> dict[str, Any] | None:
        """What the engine knows of a container, image, network or volume; None where it has none of that name or id."""
        from docker.errors import NotFound

        try:
            found: dict[str, Any] = getattr(self.api, f"inspect_{kind}")(name)
        except NotFound:
            return None
        return found

    def pull(self, name: str, platform: str | None = None) -> None:
        """Fetch an image from its registry. Raises ProviderError where the engine cannot."""
        from docker.auth import resolve_repository_name
        from docker.utils import parse_repository_tag

        registry, _ = resolve_repository_name(parse_repository_tag(name)[0])
        # An empty dictionary keeps the SDK from looking for credentials of its own.
        auth = dict(self.credentials.get(registry, {}))
        try:
            with self.errors():
                _follow(self.api.pull(name, stream=True, decode=True, auth_config=auth, platform=platform))
        except ProviderError as error:
            raise ProviderError(f"image {name} is not on {self} and could not be pulled: {error}") from error

    def build(self, name: str, archive: IO[bytes], dockerfile: str, **options: Any) -> None:
        """Build an image from a context in a tar file; ``options`` as ``docker.APIClient.build`` takes them."""
        known = {key: value for key, value in options.items() if value not in (None, {}, [])}
        given: dict[str, Any] = {"rm": True, **known, "use_config_proxy": False}
        lines = self.api.build(fileobj=archive, custom_context=True, dockerfile=dockerfile, tag=name, decode=True, **given)
        try:
            _follow(lines)
        except ProviderError as error:
            raise ProviderError(f"image {name} could not be built: {error}") from error


def engine_for(config: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> DockerEngine:
    """The engine that a provider's configuration names, else DOCKER_HOST, else the one that is usual on this machine.

    Raises Refused for one that is elsewhere and OperationFailed for one that does not answer.
    """
    context = config.get("context") or environment.get("DOCKER_CONTEXT")
    if context and context != "default":
        raise Refused(
            f"docker context {context!r}: the embedded engine looks no contexts up; name its socket with DOCKER_HOST instead "
            f"(docker context inspect {context} shows it)"
        )
    for name in _REFUSED:
        if config.get(name):
            raise Refused(
                f"provider docker: {name} is for an engine on another machine; the embedded engine works with one on this "
                "machine only"
            )
    address = config.get("host") or environment.get("DOCKER_HOST") or _usual_address(environment)
    return DockerEngine(str(address), _credentials(config.get("registryAuth") or []))


def require_local(address: str) -> str:
    """The address of an engine, if it is a socket or a loopback address of this machine; else Refused."""
    if re.fullmatch(r"unix:///[^\s?#]+|npipe:////\./pipe/\w+", address):
        return address
    if address.startswith(("tcp://", "http://")):
        http = f"http://{address.partition('://')[2]}"
        try:
            require_loopback(http)
        except Refused:
            pass
        else:
            if urlsplit(http).path in ("", "/"):
                return address.rstrip("/")
    raise Refused(
        f"Docker engine {address}: the embedded engine works with one on this machine only, at unix:///PATH or at "
        "tcp://127.0.0.1:PORT; use the Pulumi CLI for any other"
    )


def _usual_address(environment: Mapping[str, str]) -> str:
    """The first socket that exists: the system's, Docker Desktop's, or that of an engine without root."""
    if os.name == "nt":
        return "npipe:////./pipe/docker_engine"
    usual = Path("/var/run/docker.sock")
    own = [Path(environment.get("HOME", "/")) / ".docker/run/docker.sock"]
    own += [Path(environment["XDG_RUNTIME_DIR"]) / "docker.sock"] if environment.get("XDG_RUNTIME_DIR") else []
    return f"unix://{next((path for path in (usual, *own) if path.exists()), usual)}"


def _credentials(entries: Any) -> dict[str, dict[str, str]]:
    """What a program gives as ``registryAuth``, by the registry's host name."""
    found = {}
    for given in entries:
        entry = {key.replace("_", "").lower(): value for key, value in given.items()}  # a plain dictionary has Python's names
        if entry.get("configfile") or entry.get("configfilecontent"):
            raise BadInput("provider docker: registry_auth.config_file is not read here; give username and password instead")
        if entry.get("username") and not entry.get("authdisabled"):
            host = re.sub(r"^https?://", "", str(entry["address"])).partition("/")[0]
            host = "docker.io" if host in ("index.docker.io", "registry-1.docker.io", "registry.hub.docker.com") else host
            found[host] = {"username": str(entry["username"]), "password": str(entry.get("password") or "")}
    return found


def _knock(address: str) -> None:
    """Raise an OSError that says why nothing can be reached at an address; the SDK wraps it four times."""
    scheme, _, place = address.partition("://")
    if scheme == "unix":
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knocking:
            knocking.settimeout(_ANSWER_SECONDS)
            knocking.connect(place)
    elif scheme != "npipe":
        parts = urlsplit(f"http://{place}")
        socket.create_connection((parts.hostname or "", parts.port or 2375), _ANSWER_SECONDS).close()


def _client(base_url: str, credentials: Mapping[str, Mapping[str, str]]) -> APIClient:
    import docker.api.client as sdk
    from docker.auth import encode_header

    class Client(sdk.APIClient):  # type: ignore[misc]  # the SDK has no types
        def _set_auth_headers(self, headers: dict[str, str]) -> None:
            """The SDK would look into Docker's configuration file before each build."""
            if credentials:
                headers["X-Registry-Config"] = encode_header(dict(credentials))

    with _SDK_LOCK:
        # A client reads Docker's configuration file, with credentials and proxies, when it is made; there is no way to ask
        # it not to. What is empty it would look for elsewhere.
        load = sdk.config.load_general_config
        sdk.config.load_general_config = lambda *_: {"auths": {}}
        try:
            client = Client(base_url, version="auto", timeout=_ANSWER_SECONDS, max_pool_size=32)
        finally:
            sdk.config.load_general_config = load
    client.trust_env = False  # no proxy of the environment for a loopback address
    return client


def _follow(lines: Iterable[Any]) -> None:
    """Read what the engine says while it works; raises ProviderError for what went wrong."""
    for line in lines:
        if isinstance(line, dict) and line.get("error"):
            raise ProviderError(_line(line["error"]))


def _line(text: object) -> str:
    return " ".join(str(text).split())
