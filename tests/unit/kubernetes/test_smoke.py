"""What a gateway must answer before callers are sent to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from contracts.errors import TransientError
from deploy.switching.smoke import SMOKE_ADDRESS, smoke

GOOD: dict[str, tuple[int, Any]] = {
    "/livez": (200, {"status": "ok"}),
    "/readyz": (200, {"status": "ok", "workers": 2, "stable": "m@fp32"}),
    "/parse": (200, {"components": [{"text": "北京市", "start": 0, "end": 3}]}),
}


@contextmanager
def answering(answers: dict[str, tuple[int, Any]]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, document = answers[self.path]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            assert json.loads(self.rfile.read(length)) == {"address": SMOKE_ADDRESS}
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base's name)
            del format, args

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_a_gateway_that_lives_is_warm_and_parses_passes() -> None:
    with answering(GOOD) as url:
        checks = list(smoke(url, "green"))

    assert [one.name for one in checks] == ["livez", "readyz", "parse"]


@pytest.mark.parametrize(
    ("path", "status", "document", "at"),
    [
        ("/livez", 500, {}, "livez"),
        ("/readyz", 503, {"reason": "it waits for Kafka"}, "readyz"),
        ("/readyz", 200, {"workers": 0}, "readyz"),
        ("/readyz", 200, "not an object", "readyz"),
        ("/parse", 429, {"code": "overloaded"}, "parse"),
        ("/parse", 200, {"components": []}, "parse"),
        ("/parse", 200, {"components": [{"text": "上海市", "start": 0, "end": 3}]}, "parse"),
    ],
)
def test_a_gateway_that_does_not_is_named_with_the_reason(
    path: str, status: int, document: Any, at: str
) -> None:
    with (
        answering(GOOD | {path: (status, document)}) as url,
        pytest.raises(TransientError) as refused,
    ):
        list(smoke(url, "green"))

    assert refused.value.code == "smoke_failed"
    assert f"green fails its smoke test at {at}" in str(refused.value)
    assert SMOKE_ADDRESS not in str(refused.value)


def test_a_gateway_that_is_not_there_fails() -> None:
    with pytest.raises(TransientError) as refused:
        list(smoke("http://127.0.0.1:9", "green"))

    assert refused.value.code == "smoke_failed"
