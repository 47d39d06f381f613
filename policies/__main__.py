"""Serves the pack to Pulumi. Constructing a PolicyPack starts a server and never returns, so nothing else is here."""

from pulumi_policy import PolicyPack

from policies.pack import DESCRIPTION, NAME, policies

PolicyPack(NAME, policies(), description=DESCRIPTION)
