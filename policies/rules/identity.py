"""Rules on identity: who may do what."""

from __future__ import annotations

from policies.rule import Rule

RULES: tuple[Rule, ...] = ()
