"""Calls the program's transforms: functions of the program that change a request before the engine takes it.

The SDK serves them over gRPC (``pulumirpc.Callbacks``) in the program's own process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import grpc
from pulumi.runtime.proto import callback_pb2, callback_pb2_grpc, resource_pb2


class Transforms:
    """The transforms of one run of a program. Its methods may be called from several threads."""

    def __init__(self) -> None:
        self.of_stack: list[callback_pb2.Callback] = []
        self.of_invokes: list[callback_pb2.Callback] = []
        self.of_resources: dict[str, Sequence[callback_pb2.Callback]] = {}
        self.program_at_work: Callable[[], AbstractContextManager[None]] = nullcontext
        """Surrounds each wait for the program's own functions, which may need threads meanwhile."""
        self._lock = threading.Lock()
        self._channels: dict[str, grpc.Channel] = {}

    def close(self) -> None:
        """Let go of the program's functions, before the SDK ends the server in front of them."""
        with self._lock:
            for channel in self._channels.values():
                channel.close()
            self._channels.clear()

    def apply(self, request: Any, ancestors: Sequence[str]) -> Any:
        """The registration after its own transforms, those of its ancestors (parent first), and the stack's."""
        callbacks = [*request.transforms]
        for ancestor in ancestors:
            callbacks += self.of_resources.get(ancestor, ())
        callbacks += self.of_stack
        for callback in callbacks:
            asked = resource_pb2.TransformRequest(
                type=request.type,
                name=request.name,
                custom=request.custom,
                parent=request.parent,
                properties=request.object,
                options=_transform_options(request),
            )
            answer = resource_pb2.TransformResponse.FromString(self._call_back(callback, asked))
            changed = resource_pb2.RegisterResourceRequest()
            changed.CopyFrom(request)
            if answer.HasField("options"):
                _apply_options(changed, answer.options)
            if answer.HasField("properties"):
                changed.object.CopyFrom(answer.properties)
            request = changed
        if callbacks:
            of_properties = {urn for needed in request.propertyDependencies.values() for urn in needed.urns}
            request.dependencies.extend(sorted(of_properties - {*request.dependencies}))
        return request

    def apply_to_invoke(self, request: Any) -> Any:
        """The invocation after all transforms of invocations."""
        for callback in self.of_invokes:
            options = resource_pb2.TransformInvokeOptions(
                provider=request.provider, version=request.version, plugin_download_url=request.pluginDownloadURL
            )
            asked = resource_pb2.TransformInvokeRequest(token=request.tok, args=request.args, options=options)
            answer = resource_pb2.TransformInvokeResponse.FromString(self._call_back(callback, asked))
            changed = resource_pb2.ResourceInvokeRequest()
            changed.CopyFrom(request)
            if answer.HasField("args"):
                changed.args.CopyFrom(answer.args)
            if answer.HasField("options"):
                changed.provider = answer.options.provider
            request = changed
        return request

    def _call_back(self, callback: callback_pb2.Callback, request: Any) -> bytes:
        with self._lock:
            if callback.target not in self._channels:
                self._channels[callback.target] = grpc.insecure_channel(callback.target)
            stub = callback_pb2_grpc.CallbacksStub(self._channels[callback.target])
        with self.program_at_work():
            answer = stub.Invoke(callback_pb2.CallbackInvokeRequest(token=callback.token, request=request.SerializeToString()))
        return bytes(answer.response)


_LISTS = {
    "depends_on": "dependencies",
    "ignore_changes": "ignoreChanges",
    "replace_on_changes": "replaceOnChanges",
    "aliases": "aliases",
    "additional_secret_outputs": "additionalSecretOutputs",
    "replace_with": "replace_with",
}
_SCALARS = {
    "provider": "provider",
    "version": "version",
    "plugin_download_url": "pluginDownloadURL",
    "deleted_with": "deletedWith",
    "protect": "protect",
    "retain_on_delete": "retainOnDelete",
    "import": "importId",
}


def _transform_options(request: Any) -> resource_pb2.TransformResourceOptions:
    options = resource_pb2.TransformResourceOptions()
    for name, field in _LISTS.items():
        getattr(options, name).extend(getattr(request, field))
    for name, field in _SCALARS.items():
        value = getattr(request, field)
        if value:
            setattr(options, name, value)
    if request.deleteBeforeReplaceDefined:
        options.delete_before_replace = request.deleteBeforeReplace
    options.custom_timeouts.CopyFrom(request.customTimeouts)
    options.providers.update(request.providers)
    return options


def _apply_options(request: Any, options: resource_pb2.TransformResourceOptions) -> None:
    for name, field in _LISTS.items():
        del getattr(request, field)[:]
        getattr(request, field).extend(getattr(options, name))
    for name, field in _SCALARS.items():
        setattr(request, field, getattr(options, name))
    request.deleteBeforeReplaceDefined = options.HasField("delete_before_replace")
    request.deleteBeforeReplace = options.delete_before_replace
    request.customTimeouts.CopyFrom(options.custom_timeouts)
    request.providers.clear()
    request.providers.update(options.providers)
    if options.HasField("replacement_trigger"):
        request.replacement_trigger.CopyFrom(options.replacement_trigger)
