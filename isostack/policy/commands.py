"""The commands ``isostack policy …``: what they ask and show."""

from __future__ import annotations

import typer

policy_app = typer.Typer(help="Policy packs: what may be made, and what may not.", no_args_is_help=True)


@policy_app.callback()
def _policy() -> None:
    """Policy packs."""
