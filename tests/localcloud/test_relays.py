"""Who gets through a relay to the local cloud, and who does not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from isostack.localcloud.relays import RelayError, Relays

GATEWAY, SUBNET, INSIDE, OUTSIDE = "127.0.7.1", "127.0.7.0/24", "127.0.7.2", "127.0.8.2"


@pytest.fixture
def port() -> Iterator[int]:
    """A port of 127.0.0.1 on which somebody says back what they hear, until they hear the end."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    while heard := connection.recv(1024):
                        connection.sendall(heard)

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def said(source: str, port: int) -> bytes | None:
    """What comes back through the relay; None where nobody listens there."""
    try:
        connection = socket.create_connection((GATEWAY, port), timeout=10, source_address=(source, 0))
    except ConnectionRefusedError:
        return None
    with connection:
        try:
            connection.sendall(b"hello")
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(1024), b""))
        except OSError:
            return b""


@pytest.mark.skipif(not hasattr(socket, "SO_BINDTODEVICE"), reason="containers reach this machine's loopback on Linux alone")
def test_only_what_comes_from_the_network_gets_through_and_only_while_it_may(port: int) -> None:
    relays = Relays()
    relays.serve(port)
    relays.open(GATEWAY, SUBNET)
    assert said(INSIDE, port) == b"hello"
    assert said(OUTSIDE, port) == b""
    relays.withdraw(port)
    assert said(INSIDE, port) is None
    relays.serve(port)
    assert said(INSIDE, port) == b"hello"
    relays.close(GATEWAY)
    assert said(INSIDE, port) is None


@pytest.mark.parametrize(
    ("address", "subnet"), [("10.1.0.1", "0.0.0.0/0"), ("8.8.8.8", "8.8.8.0/24"), ("10.1.0.1", "10.2.0.0/24")]
)
def test_none_is_opened_to_the_public_or_to_another_network(address: str, subnet: str) -> None:
    with pytest.raises(RelayError, match="is no private network's gateway"):
        Relays().open(address, subnet)
