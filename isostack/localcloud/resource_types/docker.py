"""The ``docker`` package: networks, volumes, images and containers on a Docker engine of this machine."""

from __future__ import annotations

from isostack.localcloud.resource_types import docker_containers, docker_images, docker_networks

RESOURCE_TYPES = (
    *docker_networks.RESOURCE_TYPES,
    *docker_images.RESOURCE_TYPES,
    *docker_containers.RESOURCE_TYPES,
)

FUNCTIONS = (*docker_networks.FUNCTIONS, *docker_images.FUNCTIONS)
