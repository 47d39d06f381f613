"""The local cloud's provider over Pulumi's plugin protocol, so that the official CLI can use it as well.

``isostack cloud provider PACKAGE`` serves one package on a loopback port, which it prints, until it is ended. The CLI starts
that as a plugin on its path (:mod:`isostack.localcloud.launchers`), or attaches to one that runs
(``PULUMI_DEBUG_PROVIDERS=aws:PORT,random:PORT``).

Owns the protocol (``pulumirpc.ResourceProvider``) only; what is answered is :mod:`isostack.localcloud.provider`'s.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any

import grpc
from google.protobuf import any_pb2, empty_pb2, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from isostack.engine import plan
from isostack.engine.events import Change
from isostack.engine.provider import CreatedPartially, Diff, Provider, ProviderError, ProviderHost
from isostack.engine.values import UNKNOWN, PropertyMap, mark_secrets, plain
from isostack.engine.wire import from_struct, to_struct
from isostack.errors import IsostackError
from isostack.localcloud.resource_types import resource_type

_THREADS = 32
_MESSAGE_BYTES = 400 * 1024 * 1024  # as much as Pulumi itself allows
_GRACE_SECONDS = 10.0
_LOOK_SECONDS = 1.0
# What Cancel ends: the methods that call the cloud.
_ACTING = frozenset({"Create", "Read", "Update", "Delete", "Invoke"})
_REFUSED = "the operation was cancelled before this began; nothing was done"
_GIVEN_UP = "cancelled while this was under way; whether it was done is not known (`pulumi refresh` looks)"
_Kind = provider_pb2.PropertyDiff.Kind
# A change's kind, and the one of a change that forces replacement.
_KINDS = {
    "add": (_Kind.ADD, _Kind.ADD_REPLACE),
    "delete": (_Kind.DELETE, _Kind.DELETE_REPLACE),
    "update": (_Kind.UPDATE, _Kind.UPDATE_REPLACE),
}


class _Connection:
    """One end of the CLI's: the provider that was configured through it, and whether it has been cancelled."""

    def __init__(self) -> None:
        self.provider: Provider | None = None
        self.cancelled: Future[None] = Future()


class Plugin(provider_pb2_grpc.ResourceProviderServicer):
    """Serves one package of a provider host. Its methods are called from several threads at once."""

    def __init__(self, package: str, host: ProviderHost) -> None:
        self.package = package
        self.host = host
        self._lock = threading.Lock()
        # The CLI opens a connection for each provider of a program, and says nothing else of which one it means.
        self._connections: dict[str, _Connection] = {}
        self._last = _Connection()

    def connection(self, context: grpc.ServicerContext) -> _Connection:
        with self._lock:  # a connection may break and be made anew, and then is the last one
            return self._connections.get(context.peer(), self._last)

    def _provider(self, context: grpc.ServicerContext) -> Provider:
        provider = self.connection(context).provider
        if provider is None:
            raise ProviderError(f"the provider of package {self.package} has not been configured")
        return provider

    # -- a provider's life --------------------------------------------------------------------------------------------

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self._lock:  # an attached plugin outlives the run that cancelled it
            self._connections[context.peer()] = self._last = _Connection()
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    def Attach(self, request: Any, context: grpc.ServicerContext) -> Any:
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        cancelled = self.connection(context).cancelled
        with self._lock:
            if not cancelled.done():
                cancelled.set_result(None)
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        return plugin_pb2.PluginInfo(version=self.host.version(self.package))

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> Any:
        from isostack.localcloud.schema import schema_of

        return provider_pb2.GetSchemaResponse(schema=json.dumps(schema_of(self.package, self.host.version(self.package))))

    def GetMapping(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.GetMappingResponse()

    def GetMappings(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.GetMappingsResponse()

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        old, new = _values(request.old_inputs), _values(request.news)
        changed = [key for key in sorted({*old, *new} - {"version"}) if old.get(key) != new.get(key)]
        return _diff_response(Diff(tuple(changed)), old, new)

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:
        config = {key: value for key, value in _values(request.args).items() if value is not UNKNOWN}
        self.connection(context).provider = self.host.configure(self.package, config)
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    # -- deciding -----------------------------------------------------------------------------------------------------

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        olds, news = _values(request.olds) or None, from_struct(request.news)
        checked = self._provider(context).check(request.type, request.urn, olds, plain(news), request.randomSeed)
        failures = [provider_pb2.CheckFailure(property=f.property, reason=f.reason) for f in checked.failures]
        inputs = plan.remarked_with_derived(checked.inputs, news)
        return provider_pb2.CheckResponse(inputs=to_struct(inputs), failures=failures)

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        old_inputs, old_outputs, inputs = _values(request.old_inputs), _values(request.olds), _values(request.news)
        diff = self._provider(context).diff(request.type, old_inputs, old_outputs, inputs)
        return _diff_response(diff, old_inputs, inputs)

    # -- acting -------------------------------------------------------------------------------------------------------

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        provider, marked = self._provider(context), from_struct(request.properties)
        inputs = plain(marked)
        if request.preview:
            planned = provider.planned(request.type, inputs, None, ())
            return provider_pb2.CreateResponse(properties=_outputs(request.type, planned, marked))
        try:
            made = provider.create(request.type, inputs)
        except CreatedPartially as error:
            outputs = _outputs(request.type, error.resource.outputs, marked)
            detail = _half_created(error.resource.id, request.properties, outputs, str(error))
            context.set_trailing_metadata((("grpc-status-details-bin", detail),))
            raise
        return provider_pb2.CreateResponse(id=made.id, properties=_outputs(request.type, made.outputs, marked))

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        state, inputs = from_struct(request.properties), from_struct(request.inputs)
        # An import has no inputs; for a `get` the CLI sends what it knows as both.
        known = plain(inputs) if request.HasField("inputs") and inputs != state else None
        found = self._provider(context).read(request.type, request.id, known, plain(state))
        if found is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=found.id,
            properties=_outputs(request.type, found.outputs, {**inputs, **state}),
            inputs=_outputs(request.type, found.inputs, inputs),
        )

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        marked = from_struct(request.news)
        old_inputs, old_outputs, inputs = _values(request.old_inputs), _values(request.olds), plain(marked)
        provider = self._provider(context)
        changed = provider.diff(request.type, old_inputs, old_outputs, inputs).changed
        if request.preview:
            outputs = provider.planned(request.type, inputs, old_outputs, changed)
        else:
            outputs = provider.update(request.type, request.id, old_inputs, old_outputs, inputs, changed)
        return provider_pb2.UpdateResponse(properties=_outputs(request.type, outputs, marked))

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._provider(context).delete(request.type, request.id, _values(request.properties))
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:
        answer = self._provider(context).invoke(request.tok, _values(request.args))
        response = provider_pb2.InvokeResponse()
        getattr(response, "return").CopyFrom(to_struct(answer))
        return response


def _values(struct: struct_pb2.Struct) -> PropertyMap:
    values: PropertyMap = plain(from_struct(struct))
    return values


def _outputs(type_: str, values: PropertyMap, marked: PropertyMap) -> struct_pb2.Struct:
    """The values, secret where ``marked`` has a secret and where the type always has one."""
    row = resource_type(type_)
    return to_struct(mark_secrets(values, marked, row.secret_outputs if row else ()))


def _diff_response(diff: Diff, old: PropertyMap, new: PropertyMap) -> provider_pb2.DiffResponse:
    response = provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if diff else provider_pb2.DiffResponse.DIFF_NONE,
        diffs=diff.changed,
        replaces=diff.replaces,
        deleteBeforeReplace=diff.delete_before_replace,
        hasDetailedDiff=True,
    )
    for key in diff.changed:  # one at a time: the protocol wants a path for each, and no key left out for a person's sake
        for change in plan.changes(old, new, [key], diff.replaces) or [Change(key, "update", replaces=key in diff.replaces)]:
            response.detailedDiff[change.path].kind = _KINDS[change.kind][change.replaces]
            response.detailedDiff[change.path].inputDiff = True
    return response


class _Calls(grpc.ServerInterceptor):  # type: ignore[type-arg]  # generic in grpc's stubs only
    """Turns what a method raises into the status that the CLI shows, and ends what is under way when it is cancelled."""

    def __init__(self, plugin: Plugin) -> None:
        self._plugin = plugin
        self._acting = ThreadPoolExecutor(_THREADS)

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        handler = continuation(details)
        if handler is None or handler.unary_unary is None:
            return handler
        method = handler.unary_unary
        if details.method.rpartition("/")[2] in _ACTING:
            method = self._endable(method)

        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            try:
                return method(request, context)
            except (ProviderError, IsostackError) as error:
                context.abort(grpc.StatusCode.UNKNOWN, str(error))

        return grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _endable(self, method: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        """The method, refused once its connection is cancelled; what is under way then has a while to end by itself.

        Most calls end within milliseconds, and what they made is better recorded than given up.
        """

        def endable(request: Any, context: grpc.ServicerContext) -> Any:
            cancelled = self._plugin.connection(context).cancelled
            if cancelled.done():
                context.abort(grpc.StatusCode.CANCELLED, _REFUSED)
            work = self._acting.submit(method, request, context)
            wait((work, cancelled), return_when=FIRST_COMPLETED)
            if not wait((work,), _GRACE_SECONDS).done:
                context.abort(grpc.StatusCode.UNKNOWN, _GIVEN_UP)
            return work.result()

        return endable


def _half_created(id_: str, inputs: struct_pb2.Struct, outputs: struct_pb2.Struct, reason: str) -> bytes:
    """The detail of a status that hands over a resource which exists, though its create has failed."""
    detail = any_pb2.Any()
    detail.Pack(provider_pb2.ErrorResourceInitFailed(id=id_, properties=outputs, inputs=inputs, reasons=[reason]))
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=reason, details=[detail])
    return bytes(status.SerializeToString())


def serve(package: str, host: ProviderHost) -> tuple[grpc.Server, int]:
    """Start serving a package on 127.0.0.1; gives the server and its port."""
    options = [("grpc.max_receive_message_length", _MESSAGE_BYTES), ("grpc.so_reuseport", 0)]
    plugin = Plugin(package, host)
    server = grpc.server(ThreadPoolExecutor(_THREADS), interceptors=[_Calls(plugin)], options=options)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(plugin, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def serve_until_ended(package: str, host: ProviderHost, say: Callable[[int], None], *, with_parent: int | None) -> None:
    """Serve until SIGTERM or SIGINT, or until the process ``with_parent``, which has started this one, is gone."""
    server, port = serve(package, host)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop(grace=None))
    if with_parent is not None:
        threading.Thread(target=_end_with, args=(with_parent, server), daemon=True).start()
    with suppress(BrokenPipeError):
        say(port)
    server.wait_for_termination()


def _end_with(parent: int, server: grpc.Server) -> None:
    """The CLI ends its plugins, but not where it is killed itself."""
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    server.stop(grace=None)
