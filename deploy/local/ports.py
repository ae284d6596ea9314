"""Choosing TCP ports for a broker on this machine."""

from __future__ import annotations

import random
import socket

# Below the range from which Linux and macOS take ports for outgoing connections, so that no
# client of somebody else's lands on ours between our choice and the broker's start.
FREE_RANGE = range(20_000, 32_000)


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    # A server bound to another address of this machine leaves ours free to bind and unreachable.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.2)
        return probe.connect_ex((host, port)) != 0


def free_port(rng: random.Random | None = None) -> int:
    """Return a port that nothing listens on. Another process may still be faster: retry then."""
    rng = rng or random.SystemRandom()
    for _ in range(200):
        port = rng.choice(FREE_RANGE)
        if is_free(port):
            return port
    raise OSError("no free TCP port was found on this machine")
