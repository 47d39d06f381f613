"""The process of the local cloud: moto behind a listening socket that the starter hands over.

Run as ``python -m isostack.localcloud DESCRIPTOR [KEPT [PREDECESSOR'S [OR OLDER]]]``. Owns how requests get in (HTTP/1.1 over
connections that stay open, one request at a time), what moto is spared (data that it would load per account), and that
nothing gets out: this process connects to loopback addresses only. Starting, finding and ending it is the task of
:mod:`isostack.localcloud.server`; counting what there is, of :mod:`isostack.localcloud.inventory`.

Beside AWS's calls it answers ``GET /isostack/identity`` (``{"identity", "pid"}``), ``GET /isostack/resources`` (a
count by service, of one account where ``?account=`` says so), ``GET`` and ``DELETE /isostack/messages?queue=ARN``, ``POST
/isostack/services`` (``{"service"}``, which is loaded before it is first asked), ``POST
/isostack/databases`` (``{"do": "keep" | "bring_back" | "make_ready" | "drop", …}``: the arguments of :class:`Databases`' method
of that name; 409 with ``{"error"}`` where it fails), and ``POST /isostack/relays`` (``"open" | "close"``, as of :class:`Relays`).
One that takes the place of a process that was killed begins with what :mod:`isostack.localcloud.content` has of it.
"""

from __future__ import annotations

import atexit
import gc
import io
import ipaddress
import json
import os
import secrets
import signal
import socket
import sys
import threading
import traceback
from copy import copy
from functools import cache
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import botocore.session
import moto
import moto.utilities.utils
import requests
from moto import backends
from moto.core import config, loaders, responses
from moto.core import utils as moto_utils
from moto.core.base_backend import AccountSpecificBackend, BackendDict, BaseBackend
from moto.moto_server import werkzeug_app
from moto.utilities.utils import load_resource

from isostack.engine.provider import lineage
from isostack.localcloud import messages
from isostack.localcloud.buckets import mend_buckets
from isostack.localcloud.client import DEFAULT_REGION
from isostack.localcloud.content import Content, only_reads
from isostack.localcloud.database_server import DatabaseError, available
from isostack.localcloud.databases import Databases, give_rds_real_databases
from isostack.localcloud.inventory import resources
from isostack.localcloud.mends import mend_what_is_loaded
from isostack.localcloud.relays import RelayError, Relays
from isostack.localcloud.server import drop, older
from isostack.localcloud.service_models import DataFiles, Models

RESERVED_ACCOUNT = "000000000000"
"""The account that holds the cloud's identity; users never see it."""


class _Identity(BaseBackend):
    """A service of moto whose whole content is a random name: a reset or a restart of moto changes it like all else."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.value = secrets.token_hex(16)


class Simulator:
    """moto as a WSGI application: one request at a time, with isostack's own two pages."""

    def __init__(self, kept: Path | None = None) -> None:
        """``kept`` is a file for what it holds, from which a successor may take it over."""
        self._moto = werkzeug_app.DomainDispatcherApplication(_application_of)
        # It looks through moto's folders and 200 patterns at each request.
        self._moto.get_backend_for_host = cache(self._moto.get_backend_for_host)  # type: ignore[method-assign]
        # moto changes plain dictionaries from whichever thread a request came in by, and is not made for that.
        self._one_at_a_time = threading.RLock()
        self._identities = BackendDict(_Identity, "isostack", use_boto3_regions=False, additional_regions=["aws"])
        self.content = Content(kept, self._one_at_a_time, self._objects_of, _databases_now)

    def take_over(self, kept: Path, or_older: bool) -> None:
        """Begin with what a local cloud that was killed has kept under this name: just what it held, or else, if that may be,
        what it held a little earlier; then its identity is another of the same lineage."""
        exact = kept.exists() or not or_older
        services, databases = self.content.load(kept if exact else older(kept), exact=exact)
        drop(kept)
        if services and not exact:
            identity = self._identities[RESERVED_ACCOUNT]["aws"]
            identity.value = f"{lineage(identity.value)}.{secrets.token_hex(4)}"
        if databases:
            _databases().take_over(databases)

        def expect() -> None:
            for service in services:
                if service != "isostack":
                    self._expect(service)

        threading.Thread(target=expect, daemon=True).start()

    def _objects_of(self, service: str) -> BackendDict[Any]:
        return self._identities if service == "isostack" else _objects_of(service)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        path = environ["PATH_INFO"]
        if path.startswith("/isostack/"):
            return self._own_page(path, environ, start_response)
        # A receive that waits for messages would hold up everybody, the sender included.
        if environ.get("HTTP_X_AMZ_TARGET") == "AmazonSQS.ReceiveMessage" or _names_receive(environ):
            self.content.changes()
            try:
                return _answer(self._moto, environ, start_response)
            finally:
                self.content.changes()
        with self._one_at_a_time:
            if not only_reads(environ):
                self.content.changes()
            answer = _answer(self._moto, environ, start_response)
            if path == "/moto-api/reset":
                self.content.forget()
            return answer

    def _own_page(self, path: str, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if path == "/isostack/identity":
            identity = self._identities[RESERVED_ACCOUNT]["aws"].value
            page: Any = {"identity": identity, "pid": os.getpid()}
        elif path == "/isostack/resources":
            account = parse_qs(environ["QUERY_STRING"]).get("account", [None])[0]
            with self._one_at_a_time:
                page = resources(RESERVED_ACCOUNT, account)
        elif path == "/isostack/messages":
            with self._one_at_a_time:
                queue = parse_qs(environ["QUERY_STRING"])["queue"][0]
                if environ["REQUEST_METHOD"] == "DELETE":
                    self.content.changes()
                    messages.drop(queue)
                page = messages.waiting(queue)
        elif path == "/isostack/services":
            service = json.loads(environ["wsgi.input"].read())["service"]
            self._expect(service)
            if service == "rds" and not available():
                _databases().prepare()
            page = {}
        elif path in ("/isostack/databases", "/isostack/relays"):
            asked = json.loads(environ["wsgi.input"].read())
            self.content.changes()
            try:
                page = _act(path, asked.pop("do"))(**asked)
            except (DatabaseError, RelayError, OSError) as error:
                start_response("409 Conflict", [("Content-Type", "application/json")])
                return [json.dumps({"error": str(error)}).encode()]
        else:
            start_response("404 Not Found", [])
            return []
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(page).encode()]

    def _expect(self, service: str) -> None:
        """Load what moto answers a service's calls with, as its first call would."""
        with self._one_at_a_time:
            signed = moto_utils.get_service_model(service).signing_name
            scope = f"AWS4-HMAC-SHA256 Credential=any/day/{DEFAULT_REGION}/{signed}/aws4_request,"
            target = "DynamoDB_20120810.Any"
            environ = {"PATH_INFO": "/", "HTTP_HOST": "", "HTTP_AUTHORIZATION": scope, "HTTP_X_AMZ_TARGET": target}
            self._moto.get_application(environ)


def _act(path: str, name: str) -> Any:
    """The method that an own page stands for."""
    if path == "/isostack/relays":
        return {"open": _relays().open, "close": _relays().close}[name]
    databases = _databases()
    actions = (databases.keep, databases.bring_back, databases.make_ready, databases.drop)
    return next(action for action in actions if action.__name__ == name)


def _names_receive(environ: dict[str, Any]) -> bool:
    """Whether the request is SQS's ReceiveMessage in the form that older SDKs send."""
    form = "urlencoded" in environ.get("CONTENT_TYPE", "")
    return form and b"Action=ReceiveMessage" in environ["wsgi.input"].getvalue()


def _answer(application: Any, environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """The application's answer; where moto breaks down or lacks an operation, an error in the form the client reads."""
    try:
        answer = application(environ, start_response)
        try:
            return list(answer)
        finally:
            if hasattr(answer, "close"):
                answer.close()
    except Exception as error:  # noqa: BLE001 - whatever breaks inside moto must become an answer
        missing = isinstance(error, NotImplementedError)
        if not missing:
            traceback.print_exc()
        code = "NotImplemented" if missing else "InternalFailure"
        message = f"the local cloud cannot do this: {error or 'not implemented'}" if missing else f"{error!r} in moto"
        body = json.dumps({"__type": code, "message": message})
        if not environ.get("HTTP_X_AMZ_TARGET") and "json" not in environ.get("CONTENT_TYPE", ""):
            body = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
            signed_for = environ.get("HTTP_AUTHORIZATION", "")
            if "/ec2/aws4_request" in signed_for:
                body = f"<Response><Errors>{body}</Errors></Response>"
            elif "/s3/aws4_request" not in signed_for:
                body = f"<ErrorResponse>{body}</ErrorResponse>"
        # 501, for clients repeat what fails with 500.
        start_response("501 Not Implemented", [("Content-Type", "text/plain"), ("x-amzn-errortype", code)])
        return [body.encode()]


class _Handler(werkzeug_app.MotoRequestHandler):
    """Reads a request, has it answered and keeps the connection; Werkzeug's own handler closes it after each answer."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def run_wsgi(self) -> None:
        environ = self.make_environ()
        body = (
            environ["wsgi.input"].read()
            if environ.get("wsgi.input_terminated")
            else self.rfile.read(int(environ.get("CONTENT_LENGTH") or 0))
        )
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
            started[:] = status, headers

        content = b"".join(self.server.app(environ, start_response))
        status, headers = started
        lines = [f"HTTP/1.1 {status}", f"Date: {self.date_time_string()}"]
        length = str(len(content))
        for name, value in headers:
            if name.lower() == "content-length":
                length = value if self.command == "HEAD" else length
            elif name.lower() not in ("connection", "transfer-encoding", "date"):
                lines.append(f"{name}: {value}")
        if not status.startswith(("1", "204", "304")):
            lines.append(f"Content-Length: {length}")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")
        self.connection.sendall(head if self.command == "HEAD" else head + content)


class _Server(ThreadingMixIn, TCPServer):
    """A thread for each connection, on a socket that somebody else has opened."""

    daemon_threads = True
    # What Werkzeug's handler asks its server for.
    multithread, multiprocess, ssl_context, _server_version = True, False, None, "isostack"

    def __init__(self, listening: socket.socket, app: Simulator) -> None:
        super().__init__(listening.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.app = app

    def log(self, kind: str, message: str, *arguments: Any) -> None:
        print(message % arguments if arguments else message, file=sys.stderr)  # noqa: T201 - the process's log


# -- what moto is spared ----------------------------------------------------------------------------------------------


def _application_of(service: Any) -> Any:
    """moto's application of a service, with what its modules load changed before they first do."""
    _objects_of(service)
    return werkzeug_app.create_backend_app(service)


def _objects_of(service: Any) -> Any:
    """Where moto has what a service holds."""
    _leave_offerings_out()
    objects = backends.get_backend(service)  # imports the service's modules
    _load_policies_on_demand()
    if "moto.ec2.models" in sys.modules:
        _load_images_on_demand()
        _load_offerings_on_demand()
    if "moto.s3.models" in sys.modules:
        mend_buckets()
    if "moto.kms.models" in sys.modules:
        _make_private_keys_on_demand()
    if "moto.rds.models" in sys.modules:
        _keep_changed_subnet_groups()
        _make_databases_real()
    mend_what_is_loaded()
    return objects


def _databases_now() -> Any | None:
    """What a successor must know of databases; None while some come or go."""
    if "moto.rds.models" not in sys.modules or available():
        return ()
    from moto.rds.models import rds_backends

    in_use: Any = [backend for *_, backend in rds_backends.iter_backends()]
    return _databases().to_take_over(instance for backend in in_use for instance in backend.databases.values())


@cache
def _databases() -> Databases:
    return Databases(Path.cwd(), _relays())  # the state folder: this process was started there


@cache
def _relays() -> Relays:
    return Relays()


@cache
def _make_databases_real() -> None:
    give_rds_real_databases(_databases())


@cache
def _keep_changed_subnet_groups() -> None:
    """moto 5.2.5 takes a subnet group out of its list when it is changed, and does not put it back."""
    from moto.rds.models import RDSBackend

    modify = RDSBackend.modify_db_subnet_group

    def modify_and_keep(self: Any, *arguments: Any, **named: Any) -> Any:
        group = modify(self, *arguments, **named)
        self.subnet_groups[group.name] = group
        return group

    RDSBackend.modify_db_subnet_group = modify_and_keep  # type: ignore[method-assign]  # that is what mends it


@cache
def _load_policies_on_demand() -> None:
    """Make AWS's own policies appear when an account first asks for a policy.

    moto either has none, or reads its 1,500 in each of seven partitions of each account, which takes a second.
    """
    from moto.iam.aws_managed_policies import aws_managed_policies_data
    from moto.iam.models import AWSManagedPolicy, IAMBackend

    @cache
    def originals() -> list[Any]:
        policies = json.loads(aws_managed_policies_data)
        make: Any = AWSManagedPolicy
        return [make.from_data(name, "aws", "aws", data) for name, data in policies.items()]

    def load(backend: Any) -> dict[str, Any]:
        found: dict[str, Any] | None = vars(backend).get("managed_policies")
        if found is None:
            found = {}
            for original in originals():
                policy = found[original.arn] = copy(original)
                policy.account_id = backend.account_id
            vars(backend)["managed_policies"] = found
        return found

    def ignore(backend: Any, value: Any) -> None:
        """The constructor sets what is loaded later."""

    def of_aws(backend: Any) -> list[Any]:
        return [policy for policy in load(backend).values() if isinstance(policy, AWSManagedPolicy)]

    patched: Any = IAMBackend
    patched._init_managed_policies = lambda backend: {}
    patched.aws_managed_policies = property(of_aws, ignore)
    patched.managed_policies = property(load, ignore)


@cache
def _make_private_keys_on_demand() -> None:
    """Spare symmetric keys the RSA key that moto makes for each of them, a tenth of a second, and never uses."""
    import moto.kms.models

    kms: Any = moto.kms.models
    generate = kms.generate_private_key

    kms.generate_private_key = lambda spec: _Later() if spec == "SYMMETRIC_DEFAULT" else generate(spec)


class _Later:
    """An RSA key that is made when it is first used."""

    def __getattr__(self, name: str) -> Any:
        import moto.kms.utils

        vars(self)["made"] = made = vars(self).get("made") or moto.kms.utils.generate_private_key("RSA_2048")
        return getattr(made, name)

    def __reduce__(self) -> Any:
        return _Later, (), vars(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)


@cache
def _load_images_on_demand() -> None:
    """Make AWS's machine images appear when a region is first asked for one.

    moto makes its 1,300 images as soon as an account does anything in a region, or asks what bears a tag: they bear none.
    """
    from moto.ec2.models import EC2Backend
    from moto.ec2.models.amis import AmiBackend

    original = AmiBackend._load_amis
    tagged = EC2Backend.iter_tagged_resources

    def load(backend: Any) -> Any:
        if "amis" not in vars(backend):
            vars(backend)["amis"] = {}
            original(backend)
        return vars(backend)["amis"]

    def ignore(backend: Any, value: Any) -> None:
        """The constructor sets what is loaded later."""

    def iter_tagged_resources(backend: Any) -> Any:
        known = vars(backend)
        if "amis" in known:
            return tagged(backend)
        known["amis"] = {}
        try:
            return iter(list(tagged(backend)))
        finally:
            del known["amis"]

    patched: Any = AmiBackend
    patched._load_amis = lambda backend: None
    patched.amis = property(load, ignore)
    patched = EC2Backend
    patched.iter_tagged_resources = iter_tagged_resources


_OFFERINGS = "ec2/resources/instance_type_offerings"


@cache
def _leave_offerings_out() -> None:
    """Keep moto's EC2 from reading, as it is imported, which of 100 places offer which type of instance: a tenth of a second."""
    vars(moto.utilities.utils)["load_resource"] = lambda path: [] if path.startswith(_OFFERINGS) else load_resource(path)


@cache
def _load_offerings_on_demand() -> None:
    from moto.ec2.models import instance_types, instances, spot_requests

    offerings = _Offerings()
    for module in (instance_types, instances, spot_requests):
        vars(module)["INSTANCE_TYPE_OFFERINGS"] = offerings


class _Offerings(dict[str, dict[str, list[dict[str, str]]]]):
    """What is offered, by the kind of place and the region; a kind is read when it is first asked for."""

    def __missing__(self, kind: str) -> dict[str, list[dict[str, str]]]:
        found = self[kind] = {}
        for file in (Path(moto.__file__).parent / _OFFERINGS / kind).iterdir():
            offered = [one | {"LocationType": kind} for one in load_resource(f"{_OFFERINGS}/{kind}/{file.name}")]
            found[file.name.partition(".")[0]] = offered
        return found


def _remember_what_never_changes() -> None:
    """Cache what moto works out anew for each request or account, and botocore's files, read anew for each session."""
    for module, name in (
        (responses, "method_names_from_class"),
        (responses, "camelcase_to_underscores"),
    ):
        setattr(module, name, cache(getattr(module, name)))
    # Each new loader looks through the folders of all 400 services; moto's adds what is in its own folder.
    for module, loader in ((botocore.session, Models()), (moto_utils, loaders.create_loader())):
        loader.file_loader = DataFiles()
        vars(module)["create_loader"] = lambda *_, loader=loader: loader
    patched: Any = AccountSpecificBackend
    patched._generate_regions = lambda backend, service: _regions_of(service)


@cache
def _regions_of(service: str) -> list[str]:
    session = AccountSpecificBackend.get_session()
    return [
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions(service, partition_name=partition)
    ]


# -- what never gets out ----------------------------------------------------------------------------------------------


def _stay_on_this_machine(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook. moto delivers to web hooks and talks to Docker in places; here such a call goes nowhere."""
    if event == "socket.connect":
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    try:
        local = host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        local = False
    if not local:
        raise PermissionError(f"the local cloud connects to nothing outside this machine ({host or arguments[1]})")


def _deliver_later(url: str, **options: Any) -> None:
    """Stands in for ``requests.post``, by which moto's SNS delivers: a publisher does not wait, or fail, for others."""

    def deliver() -> None:
        try:
            requests.request("POST", url, timeout=15, **options)
        except (requests.RequestException, OSError) as error:
            print(f"not delivered to {url}: {error}", file=sys.stderr)  # noqa: T201 - the process's log

    threading.Thread(target=deliver, daemon=True).start()


def main(descriptor: int, kept: str = "", predecessor: str = "", or_older: str = "") -> None:
    """Serve on the listening socket with this descriptor until the process is ended. What it holds is kept in one file; what one
    that was killed held is in the other, or how it was a little earlier beside that."""
    sys.addaudithook(_stay_on_this_machine)
    config.default_user_config["lambda"]["use_docker"] = False
    config.default_user_config["batch"]["use_docker"] = False
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))  # in order, so that the databases end as well
    requests.post = _deliver_later  # type: ignore[assignment]
    _remember_what_never_changes()
    simulator = Simulator(Path(kept) if kept else None)
    server = _Server(socket.socket(fileno=descriptor), simulator)
    _relays().serve(server.socket.getsockname()[1])
    atexit.register(simulator.content.forget)
    if predecessor:
        simulator.take_over(Path(predecessor), bool(or_older))
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)  # moto makes much that stays
    gc.enable()
    server.serve_forever(poll_interval=3600)
