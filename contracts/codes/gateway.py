"""Codes of the HTTP gateway and its client."""

from __future__ import annotations

from typing import Final

from contracts.codes.spec import CodeSpec

CODES: Final = (
    CodeSpec(
        "bad_http",
        ("problem",),
        "The bytes are no HTTP/1.1 request.",
        "Speak HTTP to this port; TLS ends before it.",
    ),
    CodeSpec(
        "not_found",
        ("problem",),
        "The gateway has no such path.",
        "GET /openapi.json lists all of them.",
    ),
    CodeSpec(
        "method_not_allowed",
        ("problem",),
        "The path exists and does not take this method.",
        "Use one that the Allow header names.",
    ),
    CodeSpec(
        "body_timeout",
        ("problem",),
        "The body did not come whole within MGEO_GATEWAY_BODY_TIMEOUT_MS.",
        "Send it at once; look at the network in between.",
    ),
    CodeSpec(
        "no_candidate",
        ("problem",),
        "X-MGeo-Version asks for the canary, and no candidate is resident: there is one from "
        "STAGING until its rollout ends.",
        "Wait for a rollout to reach STAGING, or ask for stable; mgeo rollout status shows it.",
    ),
    CodeSpec(
        "version_not_resident",
        ("problem",),
        "X-MGeo-Version names a model that does not serve: it is neither stable nor the candidate.",
        "Ask for stable, canary or a version that mgeo rollout status names.",
    ),
    CodeSpec(
        "version_moved",
        ("problem",),
        "Another model answered than X-MGeo-Version asks for: a rollout moved on in between, or "
        "the worker cannot hold the candidate.",
        "Ask again; mgeo rollout status names workers that refuse the candidate.",
    ),
    CodeSpec(
        "body_too_large",
        ("problem",),
        "The body has more bytes than MGEO_GATEWAY_MAX_BODY_BYTES.",
        "Send fewer addresses in one request.",
    ),
    CodeSpec(
        "unsupported_media_type",
        ("problem",),
        "The content type is not application/json in UTF-8.",
        "Send Content-Type: application/json.",
    ),
    CodeSpec(
        "unsupported_encoding",
        ("problem",),
        "The body is compressed: a few kilobytes could unpack to anything.",
        "Send it without Content-Encoding.",
    ),
    CodeSpec(
        "bad_body",
        ("problem",),
        "The JSON is not what the path takes; errors names each field.",
        "Look at the examples in GET /openapi.json.",
    ),
    CodeSpec(
        "missing_field",
        ("problem",),
        "A field is missing that the path needs.",
        "Add it.",
    ),
    CodeSpec(
        "unknown_field",
        ("problem",),
        "A field is not known here, so what it was to do would not be done.",
        "Mend its name, or leave it out.",
    ),
    CodeSpec(
        "bad_request_header",
        ("problem",),
        "A request header has a value that is not understood; errors names it.",
        "Mend it, or leave it out.",
    ),
    CodeSpec(
        "overloaded",
        ("problem",),
        "More is waiting than can be answered in time.",
        "Ask again after Retry-After seconds; run more workers if it stays.",
    ),
    CodeSpec(
        "head_too_large",
        ("problem",),
        "The request's header fields have more than 16 KiB in all.",
        "Send fewer or shorter ones.",
    ),
    CodeSpec(
        "internal_error",
        ("problem",),
        "The gateway met an error of its own.",
        "Its log names the error beside the X-Request-Id; report it.",
    ),
    CodeSpec(
        "bad_reply",
        ("problem",),
        "A worker's reply does not fit the request.",
        "Run workers and gateway of one release; the result is on address.parsed all the same.",
    ),
    CodeSpec(
        "no_workers",
        ("problem",),
        "No stable worker is a member of the group, so nobody would answer.",
        "Start one with mgeo worker; if one runs, its /readyz says what it waits for.",
    ),
    CodeSpec(
        "stopping",
        ("problem",),
        "The gateway is about to leave.",
        "Ask again: another instance, or its successor, answers.",
    ),
    CodeSpec(
        "too_many_connections",
        ("problem",),
        "MGEO_GATEWAY_MAX_CONNECTIONS are open, or too many bodies are on their way.",
        "Use connections again instead of opening new ones, or run another gateway.",
    ),
    CodeSpec(
        "deadline_exceeded",
        ("problem",),
        "No answer came by the deadline. The address may still be parsed onto address.parsed.",
        "Ask again, with more patience by X-MGeo-Timeout-Ms; see mgeo_lag_records of the workers.",
    ),
    CodeSpec(
        "gateway_unreachable",
        ("transient",),
        "The client reached no gateway at its address.",
        "Start one with mgeo gateway, or mend the client's base_url.",
    ),
)
