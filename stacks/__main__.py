"""Configuration → parameters → build → export."""

import pulumi

from stacks.parameters import load
from stacks.program import build

config = pulumi.Config("isostack")
environment = build(config.require("environment"), load(config.require("parameters")))
for name, value in environment.outputs.items():
    pulumi.export(name, value)
