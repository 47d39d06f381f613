"""Containers of a Docker engine through their life: created, filled, started, waited for, changed, stopped and removed.

How properties translate is :mod:`~isostack.localcloud.resource_types.docker_container_settings`'s.
"""

from __future__ import annotations

import base64
import io
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isostack.engine.provider import CreatedPartially, ProviderError, Resource, ResourceGone
from isostack.localcloud.resource_types import docker_container_settings as settings
from isostack.localcloud.resource_types.docker_row import docker_type, is_marked
from isostack.localcloud.resource_types.row import AutoName, Created, Properties

if TYPE_CHECKING:
    from isostack.localcloud.docker_engine import DockerEngine

_POLL_SECONDS = 0.05
# As long as Terraform's provider looks whether a container that was started ends at once.
_SETTLE_SECONDS = 0.1
_REMOVAL_SECONDS = 30


def _complete(inputs: Properties) -> Properties:
    settings.refuse(inputs)
    return inputs


# -- creating ----------------------------------------------------------------------------------------------------------


def _create(engine: DockerEngine, inputs: Properties) -> Created:
    image = str(inputs["image"])
    if engine.inspect("image", image) is None:
        engine.pull(image, inputs.get("platform"))
    made = engine.api.create_container_from_config(settings.engine_config(inputs), inputs["name"], inputs.get("platform"))
    id_ = str(made["Id"])
    try:
        with engine.errors():
            _connect(engine, id_, inputs)
            _upload(engine, id_, inputs)
    except ProviderError:
        _remove(engine, id_)
        raise
    if not inputs.get("start", True):
        return Created(id_)
    return Created(id_, _started(engine, id_, inputs))


def _started(engine: DockerEngine, id_: str, inputs: Properties) -> Properties:
    """Start a new container, and give its outputs once it is as it should be; a lame one stays to be looked at."""
    name = inputs["name"]
    try:
        with engine.errors():
            _start(engine, id_, inputs)
            ended = _attach(engine, id_, inputs) if inputs.get("attach") else {}
    except ProviderError as error:
        found = engine.inspect("container", id_)
        if found is None:
            raise
        advice = f"container {name}: {error}; docker logs {name} shows what it said"
        outputs = {key: value for key, value in settings.outputs_of(found, inputs).items() if key != "id"}
        raise CreatedPartially(advice, Resource(id_, inputs, outputs)) from error
    found = ended or engine.inspect("container", id_)
    if found is None:
        raise ProviderError(f"container {name} has ended and removed itself (rm)")
    return {**settings.outputs_of(found, inputs), **({"containerLogs": ended["logs"]} if "logs" in ended else {})}


def _start(engine: DockerEngine, id_: str, inputs: Properties) -> None:
    engine.api.start(id_)
    if inputs.get("wait"):
        _wait_until_healthy(engine, id_, float(inputs.get("waitTimeout") or 60))
    elif inputs.get("mustRun", True) and not inputs.get("attach"):
        time.sleep(_SETTLE_SECONDS)
        _state_while_running(engine, id_)


def _state_while_running(engine: DockerEngine, id_: str) -> Properties:
    found = engine.inspect("container", id_)
    if found is None:
        raise ProviderError("it has ended and removed itself (rm)")
    state: Properties = found["State"]
    if not state["Running"]:
        raise ProviderError(f"it ended at once, with exit code {state['ExitCode']}")
    return state


def _wait_until_healthy(engine: DockerEngine, id_: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        state = _state_while_running(engine, id_)
        health = state.get("Health")
        if not health or health["Status"] == "none":
            raise ProviderError("wait needs a healthcheck, which neither the container nor its image has")
        if health["Status"] == "healthy":
            return
        if time.monotonic() > deadline:
            raise ProviderError(f"it is {health['Status']} after {seconds:g} seconds (waitTimeout)")
        time.sleep(_POLL_SECONDS)


def _attach(engine: DockerEngine, id_: str, inputs: Properties) -> dict[str, Any]:
    """What the engine knows of a container once it has ended, with its ``logs`` where they are asked for."""
    found = engine.inspect("container", id_) or {}
    logs: dict[str, Any] = {}
    if inputs.get("logs") and inputs.get("rm"):  # nothing is left to read once it has ended
        logs["logs"] = _said(engine, id_, follow=True)
    try:
        with engine.errors():
            code = engine.api.wait(id_, timeout=None)["StatusCode"]
    except ResourceGone:  # it has removed itself
        code = 0
    ended = {**found, "State": {"Running": False, "ExitCode": code}}
    # A log that is followed can end before what a short-lived container has said is in it.
    if inputs.get("logs") and not inputs.get("rm"):
        logs["logs"] = _said(engine, id_, follow=False)
    return {**(engine.inspect("container", id_) or ended), **logs}


def _said(engine: DockerEngine, id_: str, follow: bool) -> str:
    text: str = engine.api.logs(id_, follow=follow).decode(errors="replace")
    return text


def _connect(engine: DockerEngine, id_: str, inputs: Properties) -> None:
    for network in (inputs.get("networksAdvanced") or [])[1:]:
        engine.api.connect_container_to_network(
            id_,
            network["name"],
            ipv4_address=network.get("ipv4Address"),
            ipv6_address=network.get("ipv6Address"),
            aliases=network.get("aliases"),
            link_local_ips=network.get("linkLocalIps"),
            driver_opt=network.get("driverOpts"),
            mac_address=network.get("macAddress"),
        )


def _upload(engine: DockerEngine, id_: str, inputs: Properties) -> None:
    uploads = inputs.get("uploads") or []
    if not uploads:
        return
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for upload in uploads:
            data = _content(upload)
            member = tarfile.TarInfo(str(upload["file"]).lstrip("/"))
            member.size = len(data)
            member.mtime = int(time.time())
            member.mode = int(str(upload.get("permissions") or ("0744" if upload.get("executable") else "0644")), 8)
            member.uid, member.gid = (_number(upload, key) for key in ("owner", "group"))
            archive.addfile(member, io.BytesIO(data))
    engine.api.put_archive(id_, "/", target.getvalue())


def _content(upload: Properties) -> bytes:
    given = [key for key in ("content", "contentBase64", "source") if upload.get(key)]
    if len(given) != 1:
        raise ProviderError(f"uploads: {upload['file']} needs exactly one of content, contentBase64 and source")
    if given == ["content"]:
        return str(upload["content"]).encode()
    if given == ["contentBase64"]:
        return base64.b64decode(upload["contentBase64"])
    try:
        return Path(upload["source"]).read_bytes()
    except OSError as error:
        raise ProviderError(f"uploads: cannot read {upload['source']}: {error.strerror} (looked in {Path.cwd()})") from error


def _number(upload: Properties, key: str) -> int:
    value = str(upload.get(key) or "0")
    if not value.isdigit():
        raise ProviderError(f"uploads: {key} {value!r} of {upload['file']}: names are not looked up; give the number")
    return int(value)


# -- what is there -----------------------------------------------------------------------------------------------------


def _read(engine: DockerEngine, id_: str, known: Properties) -> Properties | None:
    found = engine.inspect("container", id_)
    if found is None or found["State"].get("Dead") or found["State"]["Status"] == "removing":
        return None
    logs = {"containerLogs": known["containerLogs"]} if "containerLogs" in known else {}
    return {**settings.outputs_of(found, known), **logs}


def _find(engine: DockerEngine, inputs: Properties) -> list[str]:
    found = engine.inspect("container", inputs["name"])
    return [found["Id"]] if found and is_marked(found["Config"].get("Labels"), inputs) else []


def _update(engine: DockerEngine, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    if changed & {*settings.UPDATED}:
        memory = int(new.get("memory") or 0)
        # An engine refuses a limit above the old one with swap, which it has set itself to twice the limit.
        swap = int(new["memorySwap"]) if "memorySwap" in new else 2 * memory
        engine.api.update_container(
            id_,
            cpu_shares=new.get("cpuShares") or 0,
            cpuset_cpus=new.get("cpuSet") or "",
            mem_limit=settings.to_bytes(memory),
            memswap_limit=settings.to_bytes(swap),
            restart_policy=settings.restart_policy(new),
        )
    found = engine.inspect("container", id_)
    stopped = found is not None and not found["State"]["Running"]
    if stopped and changed & {"mustRun", "start"} and new.get("mustRun", True) and new.get("start", True):
        _start(engine, id_, new)


# -- removing ----------------------------------------------------------------------------------------------------------


def _delete(engine: DockerEngine, id_: str, known: Properties) -> None:
    grace = known.get("destroyGraceSeconds") or 0
    if grace and not known.get("attach"):
        engine.api.stop(id_, timeout=int(grace))
    _remove(engine, id_, volumes=bool(known.get("removeVolumes", True)))


def _remove(engine: DockerEngine, id_: str, volumes: bool = True) -> None:
    """Remove a container whatever it does, and wait until its name and its networks are free."""
    try:
        with engine.errors():
            engine.api.remove_container(id_, v=volumes, force=True)
    except ProviderError as error:
        if "already in progress" not in str(error):
            raise
    deadline = time.monotonic() + _REMOVAL_SECONDS
    while engine.inspect("container", id_) is not None:
        if time.monotonic() > deadline:
            raise ProviderError(f"container {id_[:12]} is still being removed after {_REMOVAL_SECONDS} seconds")
        time.sleep(_POLL_SECONDS)


_IN_PLACE = (
    *settings.UPDATED,
    "attach",
    "containerReadRefreshTimeoutMilliseconds",
    "destroyGraceSeconds",
    "logs",
    "mustRun",
    "removeVolumes",
    "rm",
    "start",
    "wait",
    "waitTimeout",
)
_REPLACING = (
    *("capabilities", "cgroupParent", "cgroupnsMode", "command", "cpuPeriod", "cpuQuota", "cpus", "deviceCgroupRules"),
    *("deviceReadBps", "deviceReadIops", "deviceRequests", "deviceWriteBps", "deviceWriteIops", "devices", "dns", "dnsOpts"),
    *("dnsSearches", "domainname", "entrypoints", "envs", "gpus", "groupAdds", "healthcheck", "hostname", "hosts", "image"),
    *("init", "ipcMode", "labels", "logDriver", "logOpts", "memoryReservation", "mounts", "name", "networkMode"),
    *("networksAdvanced", "pidMode", "platform", "ports", "privileged", "publishAllPorts", "readOnly", "runtime"),
    *("securityOpts", "shmSize", "stdinOpen", "stopSignal", "stopTimeout", "storageOpts", "sysctls", "tmpfs", "tty"),
    *("ulimits", "uploads", "user", "usernsMode", "volumes", "workingDir"),
)

RESOURCE_TYPES = (
    docker_type(
        token="docker:index/container:Container",
        create=_create,
        read=_read,
        update=_update,
        delete=_delete,
        find=_find,
        complete=_complete,
        required=("image",),
        replace_on=_REPLACING,
        computed=("bridge", "containerLogs", "exitCode", "networkDatas", "ports.external", "ports.ip", "ports.protocol"),
        volatile=("exitCode", "networkDatas"),
        sticky=(
            *("cgroupnsMode", "command", "entrypoints", "envs", "healthcheck", "hostname", "init", "ipcMode", "labels"),
            *("logDriver", "runtime", "securityOpts", "shmSize", "stopSignal", "stopTimeout", "user", "workingDir"),
        ),
        local=tuple(name for name in (*_IN_PLACE, *_REPLACING) if name not in {*settings.UPDATED, "mustRun", "name", "ports"}),
        defaults={
            "attach": False,
            "containerReadRefreshTimeoutMilliseconds": 15000,
            "logs": False,
            "mustRun": True,
            "networkMode": "bridge",
            "readOnly": False,
            "removeVolumes": True,
            "restart": "no",
            "rm": False,
            "start": True,
            "stdinOpen": False,
            "tty": False,
            "wait": False,
            "waitTimeout": 60,
        },
        sets=(
            *("capabilities.adds", "capabilities.drops", "deviceCgroupRules", "devices", "dns", "dnsOpts", "dnsSearches"),
            *("envs", "groupAdds", "hosts", "labels", "mounts", "networksAdvanced", "networksAdvanced.aliases"),
            *("securityOpts", "ulimits", "uploads", "volumes"),
        ),
        name=AutoName(),
        limits=(
            "ports are published on loopback addresses only, and on 127.0.0.1 unless another is given; publishAllPorts, "
            "networkMode host and gwPriority are refused; owners of uploads are numbers"
        ),
    ),
)
