"""Rules on network: who can be reached."""

from __future__ import annotations

from policies.rule import Rule

RULES: tuple[Rule, ...] = ()
