"""The local cloud's provider over Pulumi's plugin protocol, so that the official CLI can use it as well.

``python -m isostack.localcloud.plugin PACKAGE --home DIR`` serves one package on a loopback port, which it prints, until
it is ended; ``PULUMI_DEBUG_PROVIDERS=aws:PORT,random:PORT`` makes the CLI attach to it instead of starting its own.

Owns the protocol (``pulumirpc.ResourceProvider``) only; what is answered is :mod:`isostack.localcloud.provider`'s.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import any_pb2, empty_pb2, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from isostack.engine.provider import CreatedPartially, Diff, Provider, ProviderError, ProviderHost
from isostack.engine.values import UNKNOWN, PropertyMap, plain
from isostack.engine.wire import from_struct, to_struct
from isostack.errors import IsostackError

_THREADS = 32
_MESSAGE_BYTES = 400 * 1024 * 1024  # as much as Pulumi itself allows


class Plugin(provider_pb2_grpc.ResourceProviderServicer):
    """Serves one package of a provider host. Its methods are called from several threads at once."""

    def __init__(self, package: str, host: ProviderHost) -> None:
        self.package = package
        self.host = host
        self._lock = threading.Lock()
        # The CLI opens a connection for each provider of a program, and says nothing else of which one it means.
        self._providers: dict[str, Provider] = {}
        self._last: Provider | None = None

    def _provider(self, context: grpc.ServicerContext) -> Provider:
        with self._lock:
            provider = self._providers.get(context.peer()) or self._last  # a connection may break and be made anew
        if provider is None:
            raise ProviderError(f"the provider of package {self.package} has not been configured")
        return provider

    # -- a provider's life --------------------------------------------------------------------------------------------

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.ProviderHandshakeResponse()

    def Attach(self, request: Any, context: grpc.ServicerContext) -> Any:
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        return plugin_pb2.PluginInfo(version=self.host.version(self.package))

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> Any:
        schema = {"name": self.package, "version": self.host.version(self.package)}
        return provider_pb2.GetSchemaResponse(schema=json.dumps(schema))

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        old, new = _values(request.old_inputs), _values(request.news)
        changed = [key for key in sorted({*old, *new} - {"version"}) if old.get(key) != new.get(key)]
        return _diff_response(Diff(tuple(changed)))

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:
        config = {key: value for key, value in _values(request.args).items() if value is not UNKNOWN}
        provider = self.host.configure(self.package, config)
        with self._lock:
            self._providers[context.peer()] = self._last = provider
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    # -- deciding -----------------------------------------------------------------------------------------------------

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        olds = _values(request.olds) or None
        checked = self._provider(context).check(request.type, request.urn, olds, _values(request.news), request.randomSeed)
        failures = [provider_pb2.CheckFailure(property=f.property, reason=f.reason) for f in checked.failures]
        return provider_pb2.CheckResponse(inputs=to_struct(checked.inputs), failures=failures)

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        old_inputs, old_outputs, inputs = _values(request.old_inputs), _values(request.olds), _values(request.news)
        return _diff_response(self._provider(context).diff(request.type, old_inputs, old_outputs, inputs))

    # -- acting -------------------------------------------------------------------------------------------------------

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        provider, inputs = self._provider(context), _values(request.properties)
        if request.preview:
            planned = provider.planned(request.type, inputs, None, ())
            return provider_pb2.CreateResponse(properties=to_struct(planned))
        made = provider.create(request.type, inputs)
        return provider_pb2.CreateResponse(id=made.id, properties=to_struct(made.outputs))

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        state, inputs = _values(request.properties), _values(request.inputs)
        # An import has no inputs; for a `get` the CLI sends what it knows as both.
        known = inputs if request.HasField("inputs") and inputs != state else None
        found = self._provider(context).read(request.type, request.id, known, state)
        if found is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(id=found.id, properties=to_struct(found.outputs), inputs=to_struct(found.inputs))

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        old_inputs, old_outputs, inputs = _values(request.old_inputs), _values(request.olds), _values(request.news)
        provider = self._provider(context)
        changed = provider.diff(request.type, old_inputs, old_outputs, inputs).changed
        if request.preview:
            outputs = provider.planned(request.type, inputs, old_outputs, changed)
        else:
            outputs = provider.update(request.type, request.id, old_inputs, old_outputs, inputs, changed)
        return provider_pb2.UpdateResponse(properties=to_struct(outputs))

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


def _diff_response(diff: Diff) -> provider_pb2.DiffResponse:
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if diff else provider_pb2.DiffResponse.DIFF_NONE,
        diffs=diff.changed,
        replaces=diff.replaces,
        deleteBeforeReplace=diff.delete_before_replace,
    )


class _Errors(grpc.ServerInterceptor):  # type: ignore[type-arg]  # generic in grpc's stubs only
    """Turns what a method raises into the status that the CLI shows or, for a create that half succeeded, records."""

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        handler = continuation(details)
        if handler is None or handler.unary_unary is None:
            return handler

        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            try:
                return handler.unary_unary(request, context)
            except CreatedPartially as error:
                context.set_trailing_metadata((("grpc-status-details-bin", _half_created(error)),))
                context.abort(grpc.StatusCode.UNKNOWN, str(error))
            except (ProviderError, IsostackError) as error:
                context.abort(grpc.StatusCode.UNKNOWN, str(error))

        return grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )


def _half_created(error: CreatedPartially) -> bytes:
    resource = error.resource
    detail = any_pb2.Any()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=resource.id,
            properties=to_struct(resource.outputs),
            inputs=to_struct(resource.inputs),
            reasons=[str(error)],
        )
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error), details=[detail])
    return bytes(status.SerializeToString())


def serve(package: str, host: ProviderHost) -> tuple[grpc.Server, int]:
    """Start serving a package on 127.0.0.1; gives the server and its port."""
    options = [("grpc.max_receive_message_length", _MESSAGE_BYTES), ("grpc.so_reuseport", 0)]
    server = grpc.server(ThreadPoolExecutor(_THREADS), interceptors=[_Errors()], options=options)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Plugin(package, host), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    from isostack.localcloud.provider import LocalCloudHost
    from isostack.localcloud.server import LocalCloud

    description = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m isostack.localcloud.plugin", description=description)
    parser.add_argument("package", metavar="PACKAGE", help="aws, docker or random")
    parser.add_argument("--home", metavar="DIR", type=Path, required=True, help="the local cloud's state folder")
    arguments = parser.parse_args()
    host = LocalCloudHost(LocalCloud(arguments.home))
    if not host.serves_package(arguments.package):
        parser.error(f"package {arguments.package!r} is not served; aws, docker and random are")
    server, port = serve(arguments.package, host)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop(grace=None))
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
