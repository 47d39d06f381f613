"""Rules on trace: what leaves a trace."""

from __future__ import annotations

from policies.rule import Rule

RULES: tuple[Rule, ...] = ()
