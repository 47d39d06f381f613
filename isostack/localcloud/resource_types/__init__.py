"""The table of resource types: one module per AWS service, imported only when a program uses it."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from isostack.localcloud.resource_types.row import Function, ResourceType

# The first part of a token's middle ("ec2" in aws:ec2/vpc:Vpc) to the module that holds its rows. "index" is looked up per
# function, since aws:index/… holds functions of several services.
MODULES = {
    "acm": "acm",
    "alb": "lb",
    "appconfig": "appconfig",
    "appautoscaling": "appautoscaling",
    "cloudtrail": "cloudtrail",
    "cloudwatch": "cloudwatch",
    "dynamodb": "dynamodb",
    "ec2": "ec2",
    "ecr": "ecr",
    "ecs": "ecs",
    "elasticache": "elasticache",
    "iam": "iam",
    "index": "index",
    "kms": "kms",
    "lambda": "lambda_",
    "lb": "lb",
    "rds": "rds",
    "route53": "route53",
    "s3": "s3",
    "secretsmanager": "secretsmanager",
    "sns": "sns",
    "sqs": "sqs",
    "ssm": "ssm",
    "vpc": "vpc",
    "wafv2": "wafv2",
}


# Packages other than aws, with a module each.
_PACKAGES = ("docker", "random")


@cache
def _module(name: str) -> tuple[dict[str, ResourceType], dict[str, Function]]:
    module = import_module(f"isostack.localcloud.resource_types.{name}")
    return (
        {row.token: row for row in getattr(module, "RESOURCE_TYPES", ())},
        {function.token: function for function in getattr(module, "FUNCTIONS", ())},
    )


def _module_of(token: str) -> str | None:
    package, _, rest = token.partition(":")
    if package in _PACKAGES:
        return package
    if package != "aws":
        return None
    return MODULES.get(rest.partition("/")[0].partition(":")[0])


def resource_type(token: str) -> ResourceType | None:
    """The row of a resource type, or None."""
    module = _module_of(token)
    return _module(module)[0].get(token) if module else None


def function(token: str) -> Function | None:
    """The row of a function, or None."""
    module = _module_of(token)
    return _module(module)[1].get(token) if module else None


def all_rows() -> tuple[list[ResourceType], list[Function]]:
    """Every row, by token."""
    names = sorted({*MODULES.values(), *_PACKAGES})
    types = [row for name in names for row in _module(name)[0].values()]
    functions = [row for name in names for row in _module(name)[1].values()]
    return sorted(types, key=lambda row: row.token), sorted(functions, key=lambda row: row.token)
