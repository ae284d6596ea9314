"""The paths of the gateway: from an HTTP request to the desk, and back to a response.

No rule of its own. Whatever happens, the answer is a problem document and never an address.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException

from contracts.errors import MgeoError
from contracts.headers import TRACEPARENT, traceparent_of
from contracts.http import (
    EPOCH_HEADER,
    MODEL_HEADER,
    ORIGIN_HEADER,
    PROBLEM_TYPE,
    REQUEST_ID_HEADER,
    TRACK_HEADER,
    VERSION_HEADER,
)
from contracts.logs import get_logger
from contracts.tracing import tracer
from producer.gateway.bodies import batch_request, events_request, parse_request
from producer.gateway.desk import Answer
from producer.gateway.openapi import OPERATIONS, document
from producer.gateway.problem import ProblemError, problem_body
from producer.gateway.reading import (
    ClientGoneError,
    CloseOnUnread,
    check_head,
    patience_s,
    request_id,
)
from producer.gateway.versions import Wanted, wanted
from producer.gateway.views import batch_body, events_body, parsed_body

if TYPE_CHECKING:
    from producer.gateway.service import Gateway

_log = get_logger(__name__)
_JSON = "application/json"
_OUR_FAULT = frozenset({500, 502})
"""Worth a line each; what an outage or an overload brings by the thousand is counted alone."""

Handler = Callable[["Call"], Awaitable[Response]]


class Call:
    """One request on its way through a handler."""

    def __init__(self, gateway: Gateway, request: Request) -> None:
        self.gateway = gateway
        self.started = time.monotonic()
        self.headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in request.scope["headers"]
        }
        self.id = request_id(self.headers) or uuid.uuid4().hex
        value = self.headers.get(TRACEPARENT, "").encode("latin-1")
        self.traceparent = traceparent_of([(TRACEPARENT, value)])
        """The W3C trace context that came along; from the endpoint on, that of its step."""
        self._request = request
        self._leaving: asyncio.Task[None] | None = None

    @property
    def deadline(self) -> float:
        """On the clock of ``time.monotonic``."""
        return self.started + patience_s(self.headers, self.gateway.settings)

    async def body(self) -> bytes:
        """The whole body, within bounds."""
        return await self.gateway.bodies.read(self.headers, self._request.receive)

    def gone(self) -> asyncio.Task[None]:
        """Done as soon as the client has left; only once the body was read."""
        if self._leaving is None:
            self._leaving = asyncio.create_task(self._until_left())
        return self._leaving

    @property
    def has_left(self) -> bool:
        """Whether the client has."""
        return self._leaving is not None and self._leaving.done()

    async def end(self) -> None:
        """Stop looking out for the client."""
        if self._leaving is not None and not self._leaving.done():
            self._leaving.cancel()
            with suppress(asyncio.CancelledError):
                await self._leaving

    async def _until_left(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass


async def _parse(call: Call) -> Response:
    text = parse_request(await call.body(), call.gateway.limits)
    answer = await call.gateway.desk.parse(
        text, _wanted(call), call.deadline, gone=call.gone(), traceparent=call.traceparent
    )
    (result,) = answer.results
    if result.status == "error":
        raise ProblemError("the address could not be parsed", code=result.error or "internal_error")
    return _answered(call, parsed_body(result), answer)


async def _parse_batch(call: Call) -> Response:
    asked = batch_request(await call.body(), call.gateway.limits)
    want, deadline = _wanted(call), call.deadline
    good = [(one.id, one.text) for one in asked if one.text is not None]
    if not good:
        return Response(batch_body((one.id, one.fault or "") for one in asked), media_type=_JSON)
    answer = await call.gateway.desk.parse_batch(
        good, want, deadline, gone=call.gone(), traceparent=call.traceparent
    )
    results = iter(answer.results)
    body = batch_body(
        (one.id, (one.fault or "") if one.text is None else next(results)) for one in asked
    )
    return _answered(call, body, answer)


async def _events(call: Call) -> Response:
    asked = events_request(await call.body(), call.gateway.limits)
    published = await call.gateway.publish(asked, call.deadline, call.traceparent)
    return Response(events_body(published), status_code=202, media_type=_JSON)


async def _livez(call: Call) -> Response:
    del call
    return Response(b'{"status":"ok"}\n', media_type=_JSON)


async def _readyz(call: Call) -> Response:
    status, body = call.gateway.readiness()
    return Response(body, status_code=status, media_type=_JSON)


async def _metrics(call: Call) -> Response:
    call.gateway.note_gauges()
    return Response(
        generate_latest(call.gateway.metrics.registry),
        headers={"content-type": CONTENT_TYPE_LATEST},
    )


def _wanted(call: Call) -> Wanted:
    state = call.gateway.serving()
    return wanted(call.headers.get(VERSION_HEADER.lower()), state)


def _answered(call: Call, body: bytes, answer: Answer) -> Response:
    total_ms = (time.monotonic() - call.started) * 1000
    return Response(
        body,
        media_type=_JSON,
        headers={
            MODEL_HEADER: f"{answer.model.version}@{answer.model.precision}",
            TRACK_HEADER: answer.model.track,
            EPOCH_HEADER: str(answer.model.serving_epoch),
            ORIGIN_HEADER: answer.origin.id,
            "Server-Timing": (
                f"queue;dur={answer.timing.queue_ms:.1f}, "
                f"model;dur={answer.timing.service_ms:.1f}, total;dur={total_ms:.1f}"
            ),
        },
    )


_HANDLERS: dict[tuple[str, str], Handler] = {
    ("POST", "/parse"): _parse,
    ("POST", "/parse/batch"): _parse_batch,
    ("POST", "/events"): _events,
    ("GET", "/livez"): _livez,
    ("GET", "/readyz"): _readyz,
    ("GET", "/metrics"): _metrics,
}


def make_app(gateway: Gateway) -> FastAPI:
    """The ASGI application of a gateway."""
    # No /docs: those pages load their scripts from elsewhere.
    app = FastAPI(
        title="mgeo-stream",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
    )
    app.add_middleware(CloseOnUnread)
    app.openapi = document  # type: ignore[method-assign]  # FastAPI's own way to extend it
    for (method, path), handler in _HANDLERS.items():
        app.add_api_route(
            path,
            _endpoint(gateway, path, handler),
            methods=[method],
            operation_id=OPERATIONS[method, path],
            response_model=None,
        )

    async def unknown(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for that alone
        call = Call(gateway, request)
        code = "method_not_allowed" if error.status_code == 405 else "not_found"
        sentence = (
            "the path takes another method" if code == "method_not_allowed" else "no such path"
        )
        response = _problem(call, ProblemError(sentence, code=code), "other")
        response.headers.update(error.headers or {})
        return response

    app.add_exception_handler(HTTPException, unknown)
    return app


def _endpoint(
    gateway: Gateway, route: str, handler: Handler
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        call = Call(gateway, request)
        step = tracer().begin(
            f"{request.method} {route}",
            "server",
            parent=call.traceparent,
            attributes={"http.request.method": request.method, "http.route": route},
        )
        call.traceparent = step.traceparent
        try:
            check_head(request.scope["headers"], gateway.settings.max_head_bytes)
            response = await handler(call)
        except MgeoError as error:
            response = _problem(call, error, route)
        except ClientGoneError:
            response = _left(call)
        except asyncio.CancelledError:
            if not call.has_left:
                raise
            response = _left(call)
        except Exception as error:  # noqa: BLE001 - the last stop; its message may hold input
            _log.error(
                "request failed", route=route, request_id=call.id, error=type(error).__name__
            )
            response = _problem(
                call, ProblemError("the gateway failed", code="internal_error"), route
            )
        finally:
            await call.end()
        step.say({"http.response.status_code": response.status_code})
        step.end(error=str(response.status_code) if response.status_code >= 500 else None)
        response.headers[REQUEST_ID_HEADER] = call.id
        gateway.metrics.counter("mgeo_gateway_requests").labels(
            route=route, status=str(response.status_code)
        ).inc()
        if response.status_code < 400:
            gateway.metrics.histogram("mgeo_gateway_request_seconds").labels(route=route).observe(
                time.monotonic() - call.started
            )
        return response

    return endpoint


def _problem(call: Call, error: MgeoError, route: str) -> Response:
    status = ProblemError(str(error), code=error.code).status
    headers: dict[str, Any] = {REQUEST_ID_HEADER: call.id}
    if isinstance(error, ProblemError):
        if error.retry_after_s is not None:
            headers["Retry-After"] = str(error.retry_after_s)
        if error.close:
            headers["Connection"] = "close"
    call.gateway.metrics.counter("mgeo_gateway_problems").labels(code=error.code).inc()
    if status in _OUR_FAULT:
        _log.warning("not done", route=route, request_id=call.id, code=error.code)
    return Response(
        problem_body(error), status_code=status, media_type=PROBLEM_TYPE, headers=headers
    )


def _left(call: Call) -> Response:
    call.gateway.metrics.counter("mgeo_gateway_gone_clients").inc()
    return Response(status_code=499)  # nobody reads it; nginx's number for it in the metrics
