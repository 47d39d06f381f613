"""Rules on trust: who may become whom."""

from __future__ import annotations

from policies.rule import Rule

RULES: tuple[Rule, ...] = ()
