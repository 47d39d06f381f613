"""The one program: an environment from the parameters of a version."""

from __future__ import annotations

import pulumi_aws as aws
from pulumi import ResourceOptions

from components.environment import Environment, EnvironmentArgs
from stacks.parameters import ParameterSet


def build(environment: str, parameters: ParameterSet) -> Environment:
    """Register the environment's resources. Its name decides nothing but names, tags and columns of tables."""
    values = parameters.of(environment)
    tags = {"environment": environment, "parameters": parameters.version, "managed-by": "isostack"}
    provider = aws.Provider(f"{parameters.name}-{environment}", region=parameters.region)
    return Environment(
        f"{parameters.name}-{environment}",
        EnvironmentArgs(
            region=parameters.region,
            zones=tuple(f"{parameters.region}{letter}" for letter in parameters.zones),
            **values.model_dump(),
        ),
        tags,
        ResourceOptions(providers=[provider]),
    )
