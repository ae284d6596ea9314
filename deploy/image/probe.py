"""``python -m deploy.image.probe ROLE [livez|readyz]``: the images' health check.

Started anew every few seconds, so it must import next to nothing: no HTTP library, no settings.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping

PORTS = {"worker": 9464, "controller": 9465, "gateway": 8000}
"""By default, as in the settings of each role."""

TIMEOUT_S = 4.0
"""For each wait; below the time-out of the health check itself."""

_MOST_BYTES = 16_384

_EVERY_ADDRESS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1", "[::]": "::1"}  # noqa: S104


def target(role: str, environment: Mapping[str, str]) -> tuple[str, int]:
    """Where a role listens by its environment, as seen from beside it.

    Raises:
        KeyError: there is no such role.
        ValueError: its port is no number.
    """
    prefix = "MGEO_GATEWAY_" if role == "gateway" else "MGEO_"
    host = environment.get(f"{prefix}HOST", "")
    port = environment.get(f"{prefix}PORT") or PORTS[role]
    return _EVERY_ADDRESS.get(host, host), int(port)


def is_yes(answer: bytes) -> bool:
    """Whether the first line of an HTTP answer says 2xx."""
    words = answer.split(b"\r\n", 1)[0].split(b" ")
    return len(words) >= 2 and words[0].startswith(b"HTTP/1.") and words[1][:1] == b"2"


def ask(host: str, port: int, page: str) -> bytes:
    """GET a page, and give what came within ``TIMEOUT_S``.

    Raises:
        OSError: nothing answers.
    """
    request = f"GET /{page} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    with socket.create_connection((host, port), timeout=TIMEOUT_S) as connection:
        connection.sendall(request.encode())
        answer = b""
        while len(answer) < _MOST_BYTES and (more := connection.recv(4096)):
            answer += more
        return answer


def main(arguments: list[str]) -> int:
    """0 when the page answers with 2xx, else 1, with the reason on standard error."""
    page = arguments[1] if len(arguments) > 1 else "livez"
    try:
        host, port = target(arguments[0], os.environ)
        answer = ask(host, port, page)
    except (IndexError, KeyError):
        print(f"usage: python -m deploy.image.probe {'|'.join(PORTS)} [livez|readyz]")
        return 2
    except (OSError, ValueError) as error:
        print(f"/{page} does not answer: {error}", file=sys.stderr)
        return 1
    if not is_yes(answer):
        print(f"/{page} says no: {answer[-200:].decode(errors='replace')}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
