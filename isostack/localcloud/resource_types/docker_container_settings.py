"""The translation of a container's inputs into what a Docker engine is asked for, and of its answer back into properties.

Pure: nothing here talks to an engine. Sizes are megabytes among the properties and bytes on the engine, durations Go's text
(``1m30s``) and nanoseconds. A port is published on 127.0.0.1 unless the program names another loopback address.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.docker_row import kept, label_list, marked_labels
from isostack.localcloud.resource_types.row import Properties

_MEGABYTE = 1024 * 1024
LOOPBACK = "127.0.0.1"
# The engine's names for properties that it takes as they are: of the container itself, and of how the host runs it.
_CONFIG = {
    "command": "Cmd",
    "domainname": "Domainname",
    "entrypoints": "Entrypoint",
    "envs": "Env",
    "hostname": "Hostname",
    "stdinOpen": "OpenStdin",
    "stopSignal": "StopSignal",
    "stopTimeout": "StopTimeout",
    "tty": "Tty",
    "user": "User",
    "workingDir": "WorkingDir",
}
_HOST = {
    "cgroupParent": "CgroupParent",
    "cgroupnsMode": "CgroupnsMode",
    "cpuPeriod": "CpuPeriod",
    "cpuQuota": "CpuQuota",
    "cpuSet": "CpusetCpus",
    "cpuShares": "CpuShares",
    "deviceCgroupRules": "DeviceCgroupRules",
    "dns": "Dns",
    "dnsOpts": "DnsOptions",
    "dnsSearches": "DnsSearch",
    "groupAdds": "GroupAdd",
    "init": "Init",
    "ipcMode": "IpcMode",
    "networkMode": "NetworkMode",
    "pidMode": "PidMode",
    "privileged": "Privileged",
    "readOnly": "ReadonlyRootfs",
    "rm": "AutoRemove",
    "runtime": "Runtime",
    "securityOpts": "SecurityOpt",
    "storageOpts": "StorageOpt",
    "sysctls": "Sysctls",
    "tmpfs": "Tmpfs",
    "usernsMode": "UsernsMode",
}
_MEGABYTES = {"memory": "Memory", "memoryReservation": "MemoryReservation", "memorySwap": "MemorySwap", "shmSize": "ShmSize"}
_DEVICE_RATES = {
    "deviceReadBps": "BlkioDeviceReadBps",
    "deviceReadIops": "BlkioDeviceReadIOps",
    "deviceWriteBps": "BlkioDeviceWriteBps",
    "deviceWriteIops": "BlkioDeviceWriteIOps",
}
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_HEALTH_DURATIONS = {
    "interval": "Interval",
    "startInterval": "StartInterval",
    "startPeriod": "StartPeriod",
    "timeout": "Timeout",
}

# What `docker update` can change on a container that exists; Terraform's provider replaces for all else.
UPDATED = ("cpuSet", "cpuShares", "maxRetryCount", "memory", "memorySwap", "restart")


def refuse(inputs: Properties) -> None:
    """Raise ProviderError for what would open a container to the network, and for what cannot come true."""
    for index, port in enumerate(inputs.get("ports") or []):
        ip = port.get("ip") if isinstance(port, dict) else None
        if isinstance(ip, str) and ip and not _is_loopback(ip):
            raise ProviderError(
                f"ports[{index}].ip: {ip} would open the container to the network; leave ip out, or say {LOOPBACK}"
            )
    if inputs.get("publishAllPorts") is True:
        raise ProviderError("publishAllPorts: opens every port to the network; name the ports instead: ports=[{'internal': 80}]")
    if inputs.get("networkMode") == "host":
        raise ProviderError("networkMode: host opens what listens in the container to the network; publish its ports instead")
    if inputs.get("gpus") and inputs.get("deviceRequests"):
        raise ProviderError("gpus: give either gpus or deviceRequests")
    if inputs.get("attach") is True and inputs.get("mustRun") is True:
        raise ProviderError("attach: waits until the container has ended, which mustRun rules out; say must_run=False")
    for index, network in enumerate(inputs.get("networksAdvanced") or []):
        if isinstance(network, dict) and network.get("gwPriority"):
            raise ProviderError(f"networksAdvanced[{index}].gwPriority: not served; the first network is the default route")


def _is_loopback(ip: str) -> bool:
    try:
        return ipaddress.ip_address(ip).is_loopback
    except ValueError:
        return False


# -- asking ------------------------------------------------------------------------------------------------------------


def engine_config(inputs: Properties) -> Properties:
    """What the engine is asked to create."""
    given = {key: value for key, value in inputs.items() if value is not None}
    ports = [(_port_key(port), port) for port in given.get("ports") or []]
    config: Properties = {theirs: given[ours] for ours, theirs in _CONFIG.items() if ours in given}
    config |= {
        "Image": given["image"],
        "Labels": marked_labels(inputs),
        "ExposedPorts": {key: {} for key, _ in ports},
        "HostConfig": _host_config(given, ports),
    }
    volumes = [volume["containerPath"] for volume in given.get("volumes") or [] if _is_anonymous(volume)]
    config["Volumes"] = {path: {} for path in volumes}
    if "healthcheck" in given:
        config["Healthcheck"] = _healthcheck(given["healthcheck"])
    networks = given.get("networksAdvanced") or []
    if networks:  # an engine before 25 takes no more than one here
        config["HostConfig"]["NetworkMode"] = networks[0]["name"]
        config["NetworkingConfig"] = {"EndpointsConfig": {networks[0]["name"]: endpoint(networks[0])}}
    return config


def _host_config(given: Properties, ports: list[tuple[str, Properties]]) -> Properties:
    host: Properties = {theirs: given[ours] for ours, theirs in _HOST.items() if ours in given}
    host |= {theirs: to_bytes(given[ours]) for ours, theirs in _MEGABYTES.items() if ours in given}
    for ours, theirs in _DEVICE_RATES.items():
        host[theirs] = [{"Path": item["path"], "Rate": item["rate"]} for item in given.get(ours) or []]
    bindings: dict[str, list[dict[str, str]]] = {}
    for key, port in ports:
        binding = {"HostIp": port.get("ip") or LOOPBACK, "HostPort": str(port.get("external") or "")}
        bindings.setdefault(key, []).append(binding)
    host["PortBindings"] = bindings
    host["RestartPolicy"] = restart_policy(given)
    volumes = given.get("volumes") or []
    host["Binds"] = [_bind(volume) for volume in volumes if not volume.get("fromContainer") and not _is_anonymous(volume)]
    host["VolumesFrom"] = [
        f"{volume['fromContainer']}:ro" if volume.get("readOnly") else volume["fromContainer"]
        for volume in volumes
        if volume.get("fromContainer")
    ]
    host["Mounts"] = [_mount(mount) for mount in given.get("mounts") or []]
    host["ExtraHosts"] = [f"{item['host']}:{item['ip']}" for item in given.get("hosts") or []]
    host["Ulimits"] = [{key.capitalize(): item[key] for key in ("name", "soft", "hard")} for item in given.get("ulimits") or []]
    host["Devices"] = [
        {
            "PathOnHost": item["hostPath"],
            "PathInContainer": item.get("containerPath") or item["hostPath"],
            "CgroupPermissions": item.get("permissions") or "rwm",
        }
        for item in given.get("devices") or []
    ]
    capabilities = given.get("capabilities") or {}
    host |= {"CapAdd": capabilities.get("adds") or [], "CapDrop": capabilities.get("drops") or []}
    if "cpus" in given:
        host["NanoCpus"] = round(float(given["cpus"]) * 10**9)
    if "logDriver" in given or "logOpts" in given:
        host["LogConfig"] = {"Type": given.get("logDriver") or "", "Config": given.get("logOpts") or {}}
    if "gpus" in given or "deviceRequests" in given:
        host["DeviceRequests"] = _device_requests(given)
    return host


def restart_policy(given: Properties) -> Properties:
    """The restart policy as the engine takes it."""
    return {"Name": given.get("restart") or "no", "MaximumRetryCount": given.get("maxRetryCount") or 0}


def endpoint(network: Properties) -> Properties:
    """The place of a container in a network, as the engine takes it."""
    addresses = {
        "IPv4Address": network.get("ipv4Address"),
        "IPv6Address": network.get("ipv6Address"),
        "LinkLocalIPs": network.get("linkLocalIps"),
    }
    place = {
        "Aliases": network.get("aliases"),
        "DriverOpts": network.get("driverOpts"),
        "IPAMConfig": {key: value for key, value in addresses.items() if value},
        "MacAddress": network.get("macAddress"),
    }
    return {key: value for key, value in place.items() if value}


def to_bytes(megabytes: int) -> int:
    """Megabytes in bytes; -1 (no limit) stays."""
    return int(megabytes) * _MEGABYTE if megabytes > 0 else int(megabytes)


def _port_key(port: Properties) -> str:
    return f"{int(port['internal'])}/{port.get('protocol') or 'tcp'}"


def _is_anonymous(volume: Properties) -> bool:
    return not any(volume.get(key) for key in ("fromContainer", "hostPath", "volumeName"))


def _bind(volume: Properties) -> str:
    options = [volume["selinuxRelabel"]] if volume.get("selinuxRelabel") else []
    options.append("ro" if volume.get("readOnly") else "rw")
    return f"{volume.get('volumeName') or volume['hostPath']}:{volume['containerPath']}:{','.join(options)}"


def _mount(mount: Properties) -> Properties:
    result: Properties = {"Type": mount["type"], "Target": mount["target"], "ReadOnly": bool(mount.get("readOnly"))}
    if mount.get("source"):
        result["Source"] = mount["source"]
    if bind := mount.get("bindOptions"):
        result["BindOptions"] = {"Propagation": bind.get("propagation") or ""}
    if tmpfs := mount.get("tmpfsOptions"):
        result["TmpfsOptions"] = {"SizeBytes": tmpfs.get("sizeBytes") or 0, "Mode": tmpfs.get("mode") or 0}
    if options := mount.get("volumeOptions"):
        result["VolumeOptions"] = {
            "NoCopy": bool(options.get("noCopy")),
            "Labels": {item["label"]: item["value"] for item in options.get("labels") or []},
            "DriverConfig": {"Name": options.get("driverName") or "", "Options": options.get("driverOptions") or {}},
            **({"Subpath": options["subpath"]} if options.get("subpath") else {}),
        }
    return result


def _healthcheck(check: Properties) -> Properties:
    durations = {theirs: nanoseconds(check[ours]) for ours, theirs in _HEALTH_DURATIONS.items() if check.get(ours)}
    return {"Test": check.get("tests") or [], "Retries": check.get("retries") or 0, **durations}


def _device_requests(given: Properties) -> list[Properties]:
    gpus = given.get("gpus")
    if gpus:
        if gpus == "all":
            return [{"Count": -1, "Capabilities": [["gpu"]]}]
        return [{"DeviceIDs": str(gpus).removeprefix("device=").split(","), "Capabilities": [["gpu"]]}]
    return [
        {
            "Driver": item.get("driver") or "",
            "Count": item.get("count") or 0,
            "DeviceIDs": item.get("deviceIds") or [],
            "Capabilities": item.get("capabilities") or [],
            "Options": item.get("options") or {},
        }
        for item in given["deviceRequests"] or []
    ]


def nanoseconds(duration: str) -> int:
    """A duration as Go writes it (``1m30s``, ``500ms``) in nanoseconds. Raises ProviderError."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)", duration)
    if duration != "0" and "".join(number + unit for number, unit in parts) != duration:
        raise ProviderError(f"healthcheck: {duration!r} is no duration; write 500ms, 30s or 1m30s")
    return round(sum(float(number) * _UNITS[unit] for number, unit in parts))


def duration_text(amount: int) -> str:
    """Nanoseconds as Go writes a duration."""
    if amount % 10**9:
        return f"{amount / 10**6:g}ms"
    minutes, seconds = divmod(amount // 10**9, 60)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + f"{seconds}s"


# -- reading back ------------------------------------------------------------------------------------------------------

# Outputs that follow the container's life; of all others the engine's answer never changes.
_CHANGING = (*UPDATED, "bridge", "containerLogs", "exitCode", "mustRun", "name", "networkDatas", "ports")


def outputs_of(found: Mapping[str, Any], known: Properties) -> Properties:
    """The outputs of a container that the engine describes; ``known`` is empty for an import."""
    config, host, state = found["Config"], found["HostConfig"], found["State"]
    actual = {ours: config.get(theirs) for ours, theirs in _CONFIG.items()}
    actual |= {ours: host.get(theirs) for ours, theirs in _HOST.items()}
    actual |= {ours: _megabytes(host.get(theirs) or 0) for ours, theirs in _MEGABYTES.items()}
    actual |= _nested(config, host)
    running = bool(state["Running"])
    actual |= {
        "name": found["Name"].lstrip("/"),
        "image": found["Image"],
        "bridge": found["NetworkSettings"].get("Bridge") or "",
        "networkDatas": [_network_data(name, item) for name, item in sorted(found["NetworkSettings"]["Networks"].items())],
        "ports": _ports(found, known),
        # As Terraform shows a container that was stopped behind its back; the update starts it.
        "mustRun": bool(known.get("mustRun", True)) and (running or not known.get("start", True)),
    }
    if not running:
        actual["exitCode"] = state["ExitCode"]
    shown = {key: value for key, value in actual.items() if value not in (None, "", [], {}) or key in known}
    return {"id": found["Id"], **kept(shown, known, mutable=_CHANGING)}


def _nested(config: Properties, host: Properties) -> Properties:
    capabilities = {"adds": _short(host.get("CapAdd")), "drops": _short(host.get("CapDrop"))}
    log = host.get("LogConfig") or {}
    check = config.get("Healthcheck") or {}
    return {
        "labels": label_list(config.get("Labels")),
        "capabilities": {key: value for key, value in capabilities.items() if value},
        "cpus": f"{host['NanoCpus'] / 10**9:g}" if host.get("NanoCpus") else None,
        "devices": [
            {"hostPath": item["PathOnHost"], "containerPath": item["PathInContainer"], "permissions": item["CgroupPermissions"]}
            for item in host.get("Devices") or []
        ],
        "healthcheck": {
            "tests": check["Test"],
            "retries": check.get("Retries") or 0,
            **{ours: duration_text(check.get(theirs) or 0) for ours, theirs in _HEALTH_DURATIONS.items()},
        }
        if check.get("Test")
        else None,
        "hosts": [dict(zip(("host", "ip"), item.split(":", 1), strict=True)) for item in host.get("ExtraHosts") or []],
        "logDriver": log.get("Type"),
        "logOpts": log.get("Config"),
        "maxRetryCount": host["RestartPolicy"].get("MaximumRetryCount") or 0,
        "restart": host["RestartPolicy"].get("Name") or "no",
        "mounts": [_mount_of(item) for item in host.get("Mounts") or []],
        "volumes": [_volume_of(item) for item in host.get("Binds") or []],
        "ulimits": [{"name": item["Name"], "soft": item["Soft"], "hard": item["Hard"]} for item in host.get("Ulimits") or []],
    }


def _short(capabilities: list[str] | None) -> list[str]:
    return [item.removeprefix("CAP_") for item in capabilities or []]


def _megabytes(amount: int) -> int:
    return amount // _MEGABYTE if amount > 0 else amount


def _mount_of(mount: Properties) -> Properties:
    result = {"type": mount["Type"], "target": mount["Target"], "source": mount.get("Source")}
    return {**{key: value for key, value in result.items() if value}, "readOnly": bool(mount.get("ReadOnly"))}


def _volume_of(bind: str) -> Properties:
    source, path, *options = bind.split(":")
    key = "hostPath" if source.startswith("/") else "volumeName"
    return {key: source, "containerPath": path, "readOnly": "ro" in ",".join(options).split(",")}


def _ports(found: Mapping[str, Any], known: Properties) -> list[Properties]:
    """The published ports, in the program's order; of a container that is stopped those that it was given."""
    published = found["NetworkSettings"].get("Ports") or found["HostConfig"].get("PortBindings") or {}
    actual = []
    for key, bindings in sorted(published.items()):
        internal, _, protocol = key.partition("/")
        for item in bindings or []:
            port = {"internal": int(internal), "ip": item.get("HostIp") or LOOPBACK, "protocol": protocol}
            actual.append(port | ({"external": int(item["HostPort"])} if item.get("HostPort") else {}))
    wanted = known.get("ports")
    if wanted is None:
        return actual
    ordered = []
    for port in wanted:
        match = next((item for item in actual if _fits(item, port)), None)
        if match is not None:
            actual.remove(match)
            ordered.append({**port, **match})
    return ordered + actual


def _fits(actual: Properties, wanted: Properties) -> bool:
    asked = {
        "internal": int(wanted["internal"]),
        "protocol": wanted.get("protocol") or "tcp",
        "ip": wanted.get("ip") or LOOPBACK,
    }
    return all(actual[key] == value for key, value in asked.items()) and (
        "external" not in actual or not wanted.get("external") or int(wanted["external"]) == actual["external"]
    )


def _network_data(name: str, item: Properties) -> Properties:
    return {
        "networkName": name,
        "ipAddress": item.get("IPAddress") or "",
        "ipPrefixLength": item.get("IPPrefixLen") or 0,
        "gateway": item.get("Gateway") or "",
        "globalIpv6Address": item.get("GlobalIPv6Address") or "",
        "globalIpv6PrefixLength": item.get("GlobalIPv6PrefixLen") or 0,
        "ipv6Gateway": item.get("IPv6Gateway") or "",
        "macAddress": item.get("MacAddress") or "",
    }
