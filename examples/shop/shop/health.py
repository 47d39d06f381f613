"""``python -m shop.health``: asks the shop in this container whether it is well; its exit code is the answer."""

from __future__ import annotations

import http.client
import os
import sys

SECONDS = 5


def main() -> None:
    """Exit code 0 where ``/healthz`` says 200, 1 where it does not."""
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("PORT", "8080")), timeout=SECONDS)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
    except OSError as error:
        sys.exit(f"shop: {error}")
    if answer.status != http.client.OK:
        sys.exit(answer.read().decode(errors="replace"))


if __name__ == "__main__":
    main()
