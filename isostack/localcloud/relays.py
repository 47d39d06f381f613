"""Relays through which containers reach the local cloud, which listens on 127.0.0.1 alone.

A relay listens on the gateway address of one Docker network, on the very ports of the local cloud and its databases, and passes
on to 127.0.0.1 what comes from that network. Others get nothing: the address exists on this machine only while the network
does, and a connection from outside the network's addresses is closed unread. A neighbour who pretends to have one of them gets
no further, for the answer goes into the network. Runs inside the local cloud's process, and ends with it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import sys
import threading
from contextlib import suppress
from typing import Any

HOST = "127.0.0.1"
_IP_FREEBIND = 15  # of Linux: an address may be bound before its network exists; Python has no name for it
_WIDEST = 16
_CHUNK = 64 * 1024
_OPEN_SECONDS = 10


class RelayError(Exception):
    """A relay that cannot be opened."""


class Relays:
    """The relays of one local cloud, by the addresses that they listen on. Thread-safe."""

    def __init__(self) -> None:
        self._ports: set[int] = set()
        self._networks: dict[str, ipaddress.IPv4Network] = {}
        self._servers: dict[tuple[str, int], asyncio.Server] = {}
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self, address: str, subnet: str) -> dict[str, Any]:
        """Let what is in the subnet reach every port there is, and every one to come. Raises RelayError."""
        network = ipaddress.IPv4Network(subnet)
        if network.prefixlen < _WIDEST or not network.is_private or ipaddress.IPv4Address(address) not in network:
            raise RelayError(f"{address} in {subnet} is no private network's gateway")
        with self._lock:
            self._networks[address] = network
            for port in sorted(self._ports):
                self._listen(address, port)
        return {}

    def close(self, address: str) -> dict[str, Any]:
        with self._lock:
            self._networks.pop(address, None)
            for port in sorted(self._ports):
                self._end(address, port)
        return {}

    def serve(self, port: int) -> None:
        """Pass a port of 127.0.0.1 on to the networks. One that a relay cannot have is said in the log."""
        with self._lock:
            self._ports.add(port)
            for address in self._networks:
                try:
                    self._listen(address, port)
                except RelayError as error:
                    print(error, file=sys.stderr)  # noqa: T201 - the process's log

    def withdraw(self, port: int) -> None:
        """Pass it on no longer: the next who gets this port of 127.0.0.1 may be a stranger."""
        with self._lock:
            self._ports.discard(port)
            for address in self._networks:
                self._end(address, port)

    # -- listening ----------------------------------------------------------------------------------------------------

    def _listen(self, address: str, port: int) -> None:
        if (address, port) in self._servers:
            return
        try:
            self._servers[address, port] = self._run(self._start(address, port))
        except OSError as error:
            raise RelayError(f"containers cannot reach port {port}: {address}:{port}: {error.strerror or error}") from error

    def _end(self, address: str, port: int) -> None:
        server = self._servers.pop((address, port), None)
        if server is not None:
            self._run(self._stop(server))

    async def _stop(self, server: asyncio.Server) -> None:
        server.close()

    async def _start(self, address: str, port: int) -> asyncio.Server:
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((address, port))
        except OSError:
            listening.close()
            raise

        async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            peer = ipaddress.IPv4Address(writer.get_extra_info("peername")[0])
            network = self._networks.get(address)
            if network is None or peer not in network:
                writer.transport.abort()
                return
            await _relay(reader, writer, port)

        return await asyncio.start_server(passed_on, sock=listening)

    def _run(self, started: Any) -> Any:
        """The result of a coroutine on the relays' own thread."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._loop.run_forever, daemon=True).start()
        return asyncio.run_coroutine_threadsafe(started, self._loop).result(_OPEN_SECONDS)


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Pass both directions on until both have ended."""
    try:
        onward_reader, onward_writer = await asyncio.open_connection(HOST, port)
    except OSError:
        writer.transport.abort()
        return
    await asyncio.gather(_copy(reader, onward_writer), _copy(onward_reader, writer))
    for end in (writer, onward_writer):
        end.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    with suppress(OSError):
        writer.write_eof()
