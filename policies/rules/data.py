"""Rules on data: what is kept, and how safely."""

from __future__ import annotations

from policies.rule import Rule

RULES: tuple[Rule, ...] = ()
