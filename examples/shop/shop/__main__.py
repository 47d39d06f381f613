"""``python -m shop``: serves the shop on HOST and PORT."""

from __future__ import annotations

import os
import sys

import uvicorn

from shop import logs
from shop.app import create_app
from shop.settings import Settings, SettingsError, secrets_of

GRACE_SECONDS = 20  # less than what ECS waits before it kills


def main() -> None:
    """Serve until told to stop, and finish the requests that are under way."""
    try:
        settings = Settings.read(os.environ)
    except SettingsError as error:
        sys.exit(f"shop: {error}")
    logs.configure(settings.release, settings.log_level, secrets_of(settings.database_url))
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,  # else it would set up logs of its own
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


if __name__ == "__main__":
    main()
