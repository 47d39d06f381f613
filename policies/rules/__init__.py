"""Every rule, by area, in the order of their numbers."""

from __future__ import annotations

from policies.rule import Rule
from policies.rules import data, environment, identity, network, trace, trust

RULES: tuple[Rule, ...] = (
    *identity.RULES,
    *trust.RULES,
    *network.RULES,
    *data.RULES,
    *trace.RULES,
    *environment.RULES,
)
