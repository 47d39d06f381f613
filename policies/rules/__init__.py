"""Every rule, in the order of their numbers."""

from __future__ import annotations

from policies.rule import Rule
from policies.rules import data, emergency, environment, identity, network, trace, trust

AREAS = (identity, trust, network, data, trace, environment, emergency)
RULES: tuple[Rule, ...] = tuple(sorted((rule for area in AREAS for rule in area.RULES), key=lambda rule: rule.number))
