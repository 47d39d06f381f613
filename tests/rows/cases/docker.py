"""Networks, volumes, images and containers of a Docker engine; ``engine`` refers to the engine that the tests found."""

from __future__ import annotations

from typing import Any

from tests.rows.case import Case, Need, Ref

NETWORK, CONTAINER = "docker:index/network:Network", "docker:index/container:Container"
LABELS = [{"label": "team", "value": "shop"}]
IMAGE = {"image": Ref("engine", "image")}
EVERYTHING: dict[str, Any] = {
    "capabilities": {"adds": ["NET_ADMIN"], "drops": ["CHOWN", "KILL"]},
    "command": ["serve"],
    "cpuShares": 512,
    "cpus": "0.5",
    "destroyGraceSeconds": 1,
    "dns": ["127.0.0.1"],
    "domainname": "shop.example",
    "entrypoints": ["/probe"],
    "envs": ["GREETING=hello", "COLOUR=blue"],
    "groupAdds": ["100"],
    "healthcheck": {"tests": ["CMD", "/probe", "ask", "127.0.0.1:8080"], "interval": "1m30s", "timeout": "500ms", "retries": 3},
    "hostname": "web",
    "hosts": [{"host": "db.example", "ip": "192.0.2.7"}],
    "init": False,
    "labels": LABELS,
    "logDriver": "json-file",
    "logOpts": {"max-size": "1m"},
    "memory": 64,
    "memoryReservation": 32,
    "networksAdvanced": [{"name": Ref("network", "name"), "aliases": ["web", "www"]}],
    "ports": [{"internal": 8080}, {"internal": 9090, "protocol": "udp", "ip": "127.0.0.2"}],
    "readOnly": True,
    "restart": "on-failure",
    "maxRetryCount": 2,
    "securityOpts": ["no-new-privileges"],
    "shmSize": 16,
    "stopSignal": "SIGINT",
    "stopTimeout": 2,
    "sysctls": {"net.core.somaxconn": "512"},
    "tmpfs": {"/run": "rw,size=64k"},
    "ulimits": [{"name": "nofile", "soft": 200, "hard": 400}],
    "user": "65534:65534",
    "volumes": [{"volumeName": Ref("volume", "name"), "containerPath": "/data", "readOnly": True}],
    "mounts": [{"type": "tmpfs", "target": "/scratch", "tmpfsOptions": {"sizeBytes": 65536}}],
    "workingDir": "/data",
}

CASES = [
    Case(
        token=NETWORK,
        inputs={"labels": LABELS, "internal": True, "options": {"com.docker.network.bridge.enable_icc": "true"}},
        replace={"internal": False},
        expect={"driver": "bridge", "scope": "local", "ipamConfigs": list, "ipamDriver": "default", "labels": LABELS},
    ),
    Case(
        name="addresses",
        token=NETWORK,
        inputs={
            "ipamConfigs": [
                {"subnet": Ref("engine", "subnet"), "gateway": Ref("engine", "gateway"), "ipRange": Ref("engine", "range")}
            ]
        },
        replace={"ipamConfigs": [{"subnet": Ref("engine", "other_subnet")}]},
        expect={"internal": False, "ipv6": False},
    ),
    Case(
        token="docker:index/volume:Volume",
        inputs={"labels": LABELS, "driverOpts": {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}},
        replace={"driverOpts": {"type": "tmpfs", "device": "tmpfs", "o": "size=2m"}},
        expect={"driver": "local", "mountpoint": str, "labels": LABELS},
    ),
    Case(
        token="docker:index/image:Image",
        inputs={
            "imageName": Ref("engine", "tag"),
            "build": {"context": Ref("engine", "context"), "args": {"VERSION": "1"}},
            "skipPush": True,
        },
        update={"build": {"context": Ref("engine", "context"), "args": {"VERSION": "2"}}},
        expect={"repoDigest": str, "baseImageName": str, "context": str, "dockerfile": "Dockerfile", "platform": str},
        outlives_delete=True,
    ),
    Case(
        token="docker:index/remoteImage:RemoteImage",
        inputs={"name": Ref("engine", "tag"), "build": {"context": Ref("engine", "context"), "labels": {"team": "shop"}}},
        update={"keepLocally": True, "forceRemove": True},
        replace={"triggers": {"source": "changed"}},
        expect={"imageId": str},
        importable=False,
    ),
    Case(
        token=CONTAINER,
        inputs={**IMAGE, "mustRun": True},
        update={"memory": 32, "restart": "always", "waitTimeout": 10},
        replace={"envs": ["GREETING=bye"]},
        expect={"networkDatas": list, "hostname": str, "entrypoints": ["/probe"], "restart": "no", "exitCode": None},
    ),
    Case(
        name="everything",
        token=CONTAINER,
        needs={
            "network": Need(NETWORK, {}),
            "volume": Need("docker:index/volume:Volume", {}),
        },
        inputs={**IMAGE, **EVERYTHING},
        update={"memory": 128, "cpuShares": 256, "restart": "unless-stopped", "maxRetryCount": None},
        replace={"ports": [{"internal": 8080, "external": 18080}]},
        expect={"ports": list, "networkDatas": list, "envs": EVERYTHING["envs"], "labels": LABELS},
    ),
    Case(
        name="not-started",
        token=CONTAINER,
        inputs={**IMAGE, "start": False},
        update={"start": True},
        replace={"command": ["fail"]},
        expect={"mustRun": True, "exitCode": 0},
    ),
]
