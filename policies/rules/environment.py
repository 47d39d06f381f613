"""Rules on environment: what no other pack has; they look at a whole stack."""

from __future__ import annotations

from policies.rule import Rule

RULES: tuple[Rule, ...] = ()
