"""What the Pulumi SDK talks to instead of the CLI's resource monitor and engine services.

Owns the protocol (``pulumirpc.ResourceMonitor`` and ``pulumirpc.Engine``, as Python objects in this process): URNs,
aliases, inherited providers, features, and which requests are refused. What becomes of a resource is
:mod:`isostack.engine.apply`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import grpc
from pulumi.runtime.proto import callback_pb2, engine_pb2, resource_pb2

from isostack.engine import urn as urns
from isostack.engine.apply import Applier
from isostack.engine.deployment import STACK_TYPE, Deployment, Registered
from isostack.engine.events import Diagnostic, Sink
from isostack.engine.plan import Goal, inherited_name, seconds
from isostack.engine.provider import ProviderError
from isostack.engine.transforms import Transforms
from isostack.engine.values import UNKNOWN_STRING, PropertyMap
from isostack.engine.wire import from_struct, from_value, to_struct

if TYPE_CHECKING:
    from google.protobuf.empty_pb2 import Empty

# The features that the SDK may use. Those that the engine refuses are claimed all the same: without them the SDK tells
# the user to update the CLI, which would be the wrong advice.
FEATURES = (
    resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACEMENT_TRIGGER,
    resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACE_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_TRANSFORMS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_INVOKE_TRANSFORMS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_PARAMETERIZATION,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ERROR_HOOKS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_STATE_MIGRATIONS,
)

_RESULTS = {
    "done": resource_pb2.SUCCESS,
    "failed": resource_pb2.FAIL,
    "skipped": resource_pb2.FAIL,
}


class InvokeFailed(grpc.RpcError):
    """A failed call, in the shape that the SDK turns into the program's exception."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self._message = message

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNKNOWN

    def details(self) -> str:
        return self._message


class Monitor:
    """The resource monitor of one run of a program. Its methods are called from the SDK's worker threads."""

    def __init__(self, deployment: Deployment, project: str, stack: str, stack_outputs: Callable[[str], PropertyMap]) -> None:
        self.deployment = deployment
        self.applier = Applier(deployment)
        self.project = project
        self.stack = stack
        self.stack_outputs = stack_outputs
        self.stack_urn = ""
        self._outputs: PropertyMap | None = None
        self.transforms = Transforms()
        self._providers: dict[str, dict[str, str]] = {}  # component URN → package → provider reference
        self._aliases: dict[str, list[str]] = {}
        self._parents: dict[str, str] = {}

    # -- the protocol --------------------------------------------------------------------------------------------------

    def GetDeploymentInfo(self, request: Empty) -> resource_pb2.DeploymentInfo:
        return resource_pb2.DeploymentInfo(
            project=self.project, stack=self.stack, dryRun=self.deployment.preview, supportedFeatures=FEATURES
        )

    def SignalAndWaitForShutdown(self, request: Empty) -> None:
        return None

    def RegisterResource(self, request: Any) -> resource_pb2.RegisterResourceResponse:
        self._refuse_unsupported(request)
        if request.type != STACK_TYPE:
            request = self.transforms.apply(request, self._ancestors(request.parent))
        goal = self._goal(request)
        if request.transforms:
            self.transforms.of_resources[goal.urn] = list(request.transforms)
        if not goal.custom:
            self._providers[goal.urn] = {**self._providers.get(goal.parent, {}), **request.providers}
        if request.type == STACK_TYPE:
            self.stack_urn = goal.urn
        registered = self.applier.register(goal)
        return resource_pb2.RegisterResourceResponse(
            urn=registered.urn,
            id="" if registered.id == UNKNOWN_STRING else registered.id,
            object=to_struct(registered.outputs),
            result=_RESULTS[registered.result],
            unknown=registered.result != "done",
        )

    def RegisterResourceOutputs(self, request: Any) -> None:
        if request.urn == self.stack_urn:
            self._outputs = from_struct(request.outputs)
        else:
            self.applier.register_outputs(request.urn, from_struct(request.outputs))

    def record_stack_outputs(self, *, complete: bool) -> None:
        """Record what the program exported, once it has ended; unless all went well, earlier outputs stay beside it."""
        if self._outputs is not None:
            self.applier.register_outputs(self.stack_urn, self._outputs, complete=complete)

    def ReadResource(self, request: Any) -> resource_pb2.ReadResourceResponse:
        goal = Goal(
            type=request.type,
            name=request.name,
            urn=self._urn(request.type, request.name, request.parent),
            custom=True,
            inputs=from_struct(request.properties),
            parent=request.parent,
            provider=request.provider or self._inherited_provider(request.parent, request.type),
            dependencies=sorted(request.dependencies),
            additional_secret_outputs=sorted(request.additionalSecretOutputs),
        )
        registered: Registered
        if request.type == "pulumi:pulumi:StackReference":
            registered = self.applier.read_stack_reference(goal, request.id, self.stack_outputs)
        else:
            registered = self.applier.read(goal, request.id)
        return resource_pb2.ReadResourceResponse(
            urn=registered.urn,
            id=registered.id,
            properties=to_struct(registered.outputs),
            result=_RESULTS[registered.result],
            unknown=registered.result != "done",
        )

    def Invoke(self, request: Any) -> Any:
        if request.tok == "pulumi:pulumi:getResource":
            state = self.deployment.snapshot.get(from_struct(request.args)["urn"])
            if state is None:
                raise InvokeFailed(f"unknown resource {from_struct(request.args)['urn']}")
            return _invoked({"urn": state.urn, "id": state.id, "state": state.outputs})
        request = self.transforms.apply_to_invoke(request)
        try:
            result = self.applier.invoke(request.tok, from_struct(request.args), request.provider)
            return resource_pb2.ResourceInvokeResponse(unknown=True) if result is None else _invoked(result)
        except ProviderError as error:
            raise InvokeFailed(str(error)) from error

    def RegisterStackTransform(self, callback: callback_pb2.Callback) -> None:
        self.transforms.of_stack.append(callback)

    def RegisterStackInvokeTransform(self, callback: callback_pb2.Callback) -> None:
        self.transforms.of_invokes.append(callback)

    # What the engine does not do, by name.

    def Call(self, request: Any) -> Any:
        self.deployment.refuse(f"method call {request.tok}")
        raise InvokeFailed(f"method call {request.tok} is not supported")

    def RegisterResourceHook(self, request: Any) -> None:
        self.deployment.refuse(f"resource hook {request.name!r}")

    def RegisterErrorHook(self, request: Any) -> None:
        self.deployment.refuse(f"error hook {request.name!r}")

    def RegisterPackage(self, request: Any) -> Any:
        self.deployment.refuse(f"parameterized package {request.parameterization.name or request.name}")
        return resource_pb2.RegisterPackageResponse(ref="refused")

    def ExistsResource(self, request: Any) -> Any:
        self.deployment.refuse(f"existence check of {request.type} {request.id!r}")
        return resource_pb2.ExistsResourceResponse(unknown=True)

    def _refuse_unsupported(self, request: Any) -> None:
        label = f"{request.type} {request.name!r}"
        if request.remote:
            self.deployment.refuse(f"remote component {label}")
        if request.state_migrations:
            self.deployment.refuse(f"state migration of {label}")
        if request.envVarMappings:
            self.deployment.refuse(f"env_var_mappings of {label}")

    # -- requests to goals ---------------------------------------------------------------------------------------------

    def _goal(self, request: Any) -> Goal:
        urn = self._urn(request.type, request.name, request.parent)
        self._parents[urn] = request.parent
        aliases = self._alias_urns(request, urn)
        self._aliases[urn] = aliases
        timeouts = request.customTimeouts
        inputs = from_struct(request.object)
        if request.HasField("replacement_trigger"):
            trigger = from_value(request.replacement_trigger)
            if trigger is not None:
                self.deployment.refuse(f"replacement_trigger of {request.type} {request.name!r}")
        return Goal(
            type=request.type,
            name=request.name,
            urn=urn,
            custom=request.custom,
            inputs=inputs,
            parent=request.parent,
            provider=request.provider or (self._inherited_provider(request.parent, request.type) if request.custom else ""),
            dependencies=sorted(request.dependencies),
            property_dependencies={k: sorted(v.urns) for k, v in request.propertyDependencies.items()},
            protect=request.protect,
            ignore_changes=list(request.ignoreChanges),
            replace_on_changes=list(request.replaceOnChanges),
            delete_before_replace=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
            additional_secret_outputs=sorted(request.additionalSecretOutputs),
            alias_urns=aliases,
            import_id=request.importId,
            custom_timeouts={k: seconds(v) for k in ("create", "update", "delete") if (v := getattr(timeouts, k))},
            retain_on_delete=request.retainOnDelete,
            deleted_with=request.deletedWith,
            replace_with=list(request.replace_with),
        )

    def _urn(self, type_: str, name: str, parent: str) -> str:
        return urns.make(self.stack, self.project, urns.qualified_type(parent) if parent else "", type_, name)

    def _ancestors(self, parent: str) -> list[str]:
        ancestors = []
        while parent:
            ancestors.append(parent)
            parent = self._parents.get(parent, "")
        return ancestors

    def _inherited_provider(self, parent: str, type_: str) -> str:
        return self._providers.get(parent, {}).get(type_.partition(":")[0], "")

    def _alias_urns(self, request: Any, urn: str) -> list[str]:
        """The URNs that this resource may have had: its own aliases, under the URNs that its parent may have had."""
        parents = [request.parent, *self._aliases.get(request.parent, ())] if request.parent else [""]
        result: dict[str, None] = {}
        for parent in parents:
            inherited = request.name
            if parent:
                inherited = inherited_name(request.name, urns.name_of(request.parent), urns.name_of(parent))
            result[self._urn(request.type, inherited, parent)] = None
            for alias in request.aliases:
                if alias.WhichOneof("alias") == "urn":
                    result[alias.urn] = None
                    continue
                spec = alias.spec
                which = spec.WhichOneof("parent")
                alias_parent = spec.parentUrn if which == "parentUrn" and spec.parentUrn else parent
                if which == "noParent" and spec.noParent:
                    alias_parent = self.stack_urn
                result[
                    urns.make(
                        spec.stack or self.stack,
                        spec.project or self.project,
                        urns.qualified_type(alias_parent) if alias_parent else "",
                        spec.type or request.type,
                        spec.name or inherited,
                    )
                ] = None
        result.pop(urn, None)
        return list(result)


def _invoked(result: PropertyMap) -> resource_pb2.ResourceInvokeResponse:
    response = resource_pb2.ResourceInvokeResponse()
    getattr(response, "return").CopyFrom(to_struct(result))
    return response


class EngineService:
    """The engine service: takes the program's log messages."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink

    def Log(self, request: Any) -> None:
        severity = {engine_pb2.INFO: "info", engine_pb2.WARNING: "warning", engine_pb2.ERROR: "error"}.get(request.severity)
        if severity and not request.ephemeral:
            self.sink(Diagnostic(severity, request.message, request.urn))  # type: ignore[arg-type]  # one of the three

    def RequirePulumiVersion(self, request: Any) -> None:
        return None
