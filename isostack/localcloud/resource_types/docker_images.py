"""Images of a Docker engine: built from a context (``Image``), or pulled or built by their name (``RemoteImage``).

``Image`` is rebuilt when the content of its context changes, ``RemoteImage`` only when an input does. Nothing is pushed.
The engine's first builder builds, since Docker's SDK cannot speak to BuildKit.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
from isostack.engine.values import UNKNOWN, has_unknown
from isostack.localcloud.resource_types.docker_contexts import BuildContext
from isostack.localcloud.resource_types.docker_row import docker_type
from isostack.localcloud.resource_types.row import Function, Properties

if TYPE_CHECKING:
    from isostack.localcloud.docker_engine import DockerEngine

_BUILDER = "builds with Docker's first builder: a Dockerfile that needs BuildKit (RUN --mount) is refused by the engine"

# -- Image -------------------------------------------------------------------------------------------------------------


def _complete_image(inputs: Properties) -> Properties:
    """The inputs with the digest of the context, as Pulumi's provider adds it, and without a registry's password."""
    if inputs.get("skipPush") is not UNKNOWN and not inputs.get("skipPush"):
        raise ProviderError("skipPush: images are not pushed from here; say skip_push=True")
    result = {**inputs, "build": inputs.get("build") or {}}
    registry = result.pop("registry", None)
    if isinstance(registry, dict) and registry.get("server"):
        result["registry"] = {"server": registry["server"]}
    if isinstance(result["build"], dict) and not has_unknown({**result["build"], "args": None}):
        result["build"] = {**result["build"], "contextDigest": _context(result["build"]).digest}
    return result


def _context(build: Properties) -> BuildContext:
    root = str(build.get("context") or ".")
    return BuildContext.at(root, build.get("dockerfile") or Path(root) / "Dockerfile")


def _build_image(engine: DockerEngine, inputs: Properties) -> str:
    build, name = inputs["build"], str(inputs["imageName"])
    context = _context(build)
    with context.archive() as archive:
        engine.build(
            name,
            archive,
            context.inside,
            buildargs={key: str(value) for key, value in (build.get("args") or {}).items()},
            cache_from=(build.get("cacheFrom") or {}).get("images"),
            extra_hosts=build.get("addHosts"),
            network_mode=build.get("network"),
            platform=build.get("platform"),
            target=build.get("target"),
        )
    return name


def _read_image(engine: DockerEngine, id_: str, known: Properties) -> Properties | None:
    name = str(known.get("imageName") or id_)
    found = engine.inspect("image", name)
    if found is None:
        return None
    build = known.get("build") or {}
    root = str(build.get("context") or ".")
    dockerfile = build.get("dockerfile")
    return {
        "imageName": name,
        "baseImageName": name,
        "context": root,
        "dockerfile": Path(dockerfile).name if dockerfile else "Dockerfile",
        "platform": _platform(found),
        "registryServer": (known.get("registry") or {}).get("server") or "",
        "repoDigest": found["Id"],
    }


def _rebuild_image(engine: DockerEngine, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    _build_image(engine, new)


def _leave_image(engine: DockerEngine, id_: str, known: Properties) -> None:
    """Pulumi's provider leaves the image and its tag, too."""


# -- RemoteImage -------------------------------------------------------------------------------------------------------

# Properties of a build that Docker's SDK can ask for, by its own names.
_BUILD_OPTIONS = {
    "buildArgs": "buildargs",
    "cacheFroms": "cache_from",
    "extraHosts": "extra_hosts",
    "forceRemove": "forcerm",
    "networkMode": "network_mode",
    "noCache": "nocache",
    "platform": "platform",
    "pullParent": "pull",
    "remove": "rm",
    "shmSize": "shmsize",
    "squash": "squash",
    "target": "target",
}
# What is about the builder itself, or asks for no other than the first.
_NO_MATTER = ("context", "dockerfile", "label", "labels", "tags", "suppressOutput", "useLegacyBuilder", "version", "buildId")


def _complete_remote_image(inputs: Properties) -> Properties:
    build = inputs.get("build")
    if isinstance(build, dict):
        strange = sorted(key for key, value in build.items() if value and key not in (*_BUILD_OPTIONS, *_NO_MATTER))
        if strange:
            raise ProviderError(f"build.{strange[0]}: not served; leave it out, or build with docker.Image")
    return inputs


def _create_remote_image(engine: DockerEngine, inputs: Properties) -> str:
    name = str(inputs["name"])
    if inputs.get("build"):
        _build_remote_image(engine, name, inputs["build"])
    elif engine.inspect("image", name) is None:
        engine.pull(name, inputs.get("platform"))
    found = engine.inspect("image", name)
    if found is None:
        raise ProviderError(f"image {name} is not on {engine} after all")
    return f"{found['Id']}{name}"


def _build_remote_image(engine: DockerEngine, name: str, build: Properties) -> None:
    root = str(build["context"])
    context = BuildContext.at(root, Path(root) / (build.get("dockerfile") or "Dockerfile"))
    options: dict[str, Any] = {theirs: build[ours] for ours, theirs in _BUILD_OPTIONS.items() if ours in build}
    labels = {**(build.get("label") or {}), **(build.get("labels") or {})}
    with context.archive() as archive:
        engine.build(name, archive, context.inside, labels=labels, **options)
    for tag in build.get("tags") or []:
        repository, _, version = str(tag).rpartition(":")
        engine.api.tag(name, repository or tag, version if repository else "latest")


def _read_remote_image(engine: DockerEngine, id_: str, known: Properties) -> Properties | None:
    name = str(known.get("name") or id_)
    found = engine.inspect("image", name)
    if found is None:
        return None
    return {
        "id": f"{found['Id']}{name}",
        "name": name,
        "imageId": found["Id"],
        "repoDigest": next(iter(found.get("RepoDigests") or []), ""),
    }


def _update_remote_image(engine: DockerEngine, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    """``keepLocally`` and ``forceRemove`` matter to a delete only."""


def _delete_remote_image(engine: DockerEngine, id_: str, known: Properties) -> None:
    if not known.get("keepLocally"):
        engine.api.remove_image(known["name"], force=bool(known.get("forceRemove")))


def _get_remote_image(engine: DockerEngine, arguments: Properties) -> Properties:
    name = arguments["name"]
    with engine.errors():
        found = engine.inspect("image", name)
    if found is None:
        raise ProviderError(f"getRemoteImage: {engine} has no image {name!r}; docker pull {name} fetches it")
    return {"id": found["Id"], "name": name, "repoDigest": next(iter(found.get("RepoDigests") or []), "")}


def _platform(image: Properties) -> str:
    return "/".join(filter(None, (image.get("Os"), image.get("Architecture"), image.get("Variant"))))


RESOURCE_TYPES = (
    docker_type(
        token="docker:index/image:Image",
        create=_build_image,
        read=_read_image,
        update=_rebuild_image,
        delete=_leave_image,
        complete=_complete_image,
        required=("imageName",),
        defaults={"buildOnPreview": False, "skipPush": False},
        local=("build", "buildOnPreview", "registry", "skipPush"),
        computed=("baseImageName", "context", "dockerfile", "platform", "registryServer", "repoDigest"),
        volatile=("baseImageName", "context", "dockerfile", "platform", "registryServer", "repoDigest"),
        adopts=True,
        limits=f"skipPush must be true, nothing is built at preview; {_BUILDER}",
    ),
    docker_type(
        token="docker:index/remoteImage:RemoteImage",
        create=_create_remote_image,
        read=_read_remote_image,
        update=_update_remote_image,
        delete=_delete_remote_image,
        complete=_complete_remote_image,
        required=("name",),
        replace_on=("build", "name", "platform", "pullTriggers", "triggers"),
        local=("build", "forceRemove", "keepLocally", "platform", "pullTriggers", "triggers"),
        computed=("imageId", "repoDigest"),
        sets=("pullTriggers",),
        adopts=True,
        limits=_BUILDER,
    ),
)

FUNCTIONS = (Function(token="docker:index/getRemoteImage:getRemoteImage", service="docker", call=_get_remote_image),)  # type: ignore[arg-type]  # an engine is docker's cloud
