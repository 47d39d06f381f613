"""A store and a web service in front of it: the service is started once the store is healthy."""

import pulumi
import pulumi_docker as docker

config = pulumi.Config()
image = config.require("image")
greeting = config.get("greeting") or "hello"
token = config.require_secret("token")

network = docker.Network("backend", labels=[docker.NetworkLabelArgs(label="project", value=pulumi.get_project())])
data = docker.Volume("data")

store = docker.Container(
    "store",
    image=image,
    hostname="store",
    envs=[pulumi.Output.concat("GREETING=", greeting, " from the store")],
    networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=network.name, aliases=["store"])],
    volumes=[docker.ContainerVolumeArgs(volume_name=data.name, container_path="/data")],
    healthcheck=docker.ContainerHealthcheckArgs(
        tests=["CMD", "/probe", "ask", "127.0.0.1:8080"], interval="200ms", timeout="2s", retries=20
    ),
    memory=64,
    restart="unless-stopped",
    wait=True,
    wait_timeout=30,
)

web = docker.Container(
    "web",
    image=image,
    envs=[token.apply(lambda value: f"GREETING={value}")],
    networks_advanced=[{"name": network.id, "aliases": ["web"]}],
    ports=[docker.ContainerPortArgs(internal=8080)],
    uploads=[docker.ContainerUploadArgs(file="/etc/web/store", content=store.name)],
    read_only=False,
    opts=pulumi.ResourceOptions(depends_on=[store]),
)

question = docker.Container(
    "question",
    image=image,
    command=["ask", "store:8080"],
    networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=network.name)],
    attach=True,
    logs=True,
    must_run=False,
    opts=pulumi.ResourceOptions(depends_on=[store]),
)

pulumi.export("port", web.ports[0].external)
pulumi.export("url", web.ports[0].external.apply(lambda port: f"tcp://127.0.0.1:{int(port)}"))
pulumi.export("ip", web.ports[0].ip)
pulumi.export("web", web.name)
pulumi.export("store", store.name)
pulumi.export("answer", question.container_logs)
pulumi.export("exit_code", question.exit_code)
pulumi.export("address", store.network_datas[0].ip_address)
pulumi.export("subnet", docker.get_network_output(name=network.name).ipam_configs[0].subnet)
