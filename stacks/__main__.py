"""Configuration → parameters → build → export."""

import pulumi

from stacks import cloud
from stacks.parameters import load
from stacks.program import build

config = pulumi.Config("isostack")
cloud.require(config.get("cloud"))
parameters = load(config.require("parameters")).forced(config.get_object("columns") or {})
environment = build(config.require("environment"), parameters, config.get_object("playground"))
for name, value in environment.outputs.items():
    pulumi.export(name, value)
