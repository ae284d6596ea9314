"""A stand-in for kube-proxy: new connections go where the Service's endpoint slices lead.

Made-up pods answer nobody, so each colour's pods stand for one real gateway on this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from tests.kubernetes.plane.control_plane import Cluster

LOOK_EVERY_S = 0.2


class ServiceProxy:
    """Listens for callers of one Service.

    Args:
        cluster: says where its endpoints are.
        service: its name.
        ports: of the real servers, by a part of the pods' names.
    """

    def __init__(self, cluster: Cluster, service: str, ports: Mapping[str, int]) -> None:
        self._cluster = cluster
        self._service = service
        self._ports = ports
        self._behind: list[int] = []
        self._turns = itertools.count()
        self._talks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.connections: dict[int, int] = dict.fromkeys(ports.values(), 0)

    async def look(self) -> None:
        """See where the Service leads now."""
        found = await asyncio.to_thread(
            self._cluster.get,
            "endpointslices",
            "-l",
            f"kubernetes.io/service-name={self._service}",
        )
        self._behind = [
            port
            for piece in found["items"]
            for endpoint in piece.get("endpoints") or ()
            if endpoint["conditions"].get("ready")
            for part, port in self._ports.items()
            if part in endpoint["targetRef"]["name"]
        ]

    async def follow(self) -> None:
        """Look again and again."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection; it stays where it went, whatever becomes of the Service."""
        if not self._behind:  # as kube-proxy: who calls then is refused
            writer.close()
            return
        port = self._behind[next(self._turns) % len(self._behind)]
        self.connections[port] += 1
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_carry(reader, back), _carry(there, writer))


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while piece := await source.read(64 * 1024):
            target.write(piece)
            await target.drain()
    with contextlib.suppress(ConnectionError):
        target.close()


@asynccontextmanager
async def proxying(
    cluster: Cluster, service: str, ports: Mapping[str, int]
) -> AsyncIterator[ServiceProxy]:
    """A proxy that knows its endpoints."""
    proxy = ServiceProxy(cluster, service, ports)
    await proxy.look()
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    following = asyncio.create_task(proxy.follow())
    try:
        yield proxy
    finally:
        following.cancel()
        server.close()
        await asyncio.wait([following])
