"""The OpenAPI document of the gateway, from the contracts' models. Pure.

``contracts/schemas`` has no part in it: this is the HTTP side, written to
``docs/reference/openapi.json`` and served at ``/openapi.json``.
"""

from __future__ import annotations

import functools
import json
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from contracts import examples
from contracts.asyncapi import CONTRACT_VERSION
from contracts.http import (
    EPOCH_HEADER,
    MODEL_HEADER,
    ORIGIN_HEADER,
    PROBLEM_TYPE,
    REQUEST_ID_HEADER,
    TIMEOUT_HEADER,
    TRACK_HEADER,
    VERSION_HEADER,
    BatchAnswer,
    BatchRequest,
    EventsAnswer,
    EventsRequest,
    ParsedAddress,
    ParseRequest,
    Problem,
)
from contracts.problems import PROBLEMS, problem_type
from producer.gateway.views import batch_body, parsed_body

OPERATIONS: Final = {
    ("POST", "/parse"): "parse",
    ("POST", "/parse/batch"): "parseBatch",
    ("POST", "/events"): "publishEvents",
    ("GET", "/livez"): "livez",
    ("GET", "/readyz"): "readyz",
    ("GET", "/metrics"): "metrics",
}
"""Method and path to operation id."""

_REF: Final = "#/components/schemas/{model}"
_BODY_STATUSES: Final = (400, 408, 413, 415, 422, 431)
_WAITING_STATUSES: Final = (*_BODY_STATUSES, 409, 429, 500, 502, 503, 504)
_EVENTS_STATUSES: Final = (*_BODY_STATUSES, 429, 500, 503, 504)

_MEANINGS: Final = {
    400: "It is no JSON that can be read: malformed, a key twice, nested too deep, NaN.",
    408: "The body did not come whole in time.",
    409: "The model that was asked for does not answer; `detail` says why.",
    413: "Too many bytes, characters or addresses.",
    415: "Not `application/json`, or compressed.",
    422: "A field or header is not as it must be; `errors` names each.",
    429: "More waits than can be answered in time. Ask again after `Retry-After` seconds.",
    431: "The header fields are too large.",
    500: "The gateway, or the model on this address, failed.",
    502: "A worker's reply does not fit the request.",
    503: "Nobody would answer now: no worker, no model, or Kafka is away.",
    504: "No answer came by the deadline.",
}

_PARAMETERS: Final = [
    {
        "name": VERSION_HEADER,
        "in": "header",
        "required": False,
        "description": (
            "Which model must answer: `stable`, `canary` (from STAGING on), or a version that "
            "serves. Left out, the rollout's share decides."
        ),
        "schema": {
            "type": "string",
            "pattern": r"^(stable|canary|[a-z0-9]+(-[a-z0-9]+)+-[0-9]{8}(@(fp32|fp16|bf16))?)$",
        },
        "examples": {
            "canary": {"value": "canary"},
            "exact": {"value": examples.CANDIDATE.name},
        },
    },
    {
        "name": TIMEOUT_HEADER,
        "in": "header",
        "required": False,
        "description": (
            "How long the answer may take, in milliseconds; `Prefer: wait=SECONDS` says the same. "
            "The gateway bounds it."
        ),
        "schema": {"type": "integer", "minimum": 1, "maximum": 999_999_999},
        "example": 2000,
    },
    {
        "name": REQUEST_ID_HEADER,
        "in": "header",
        "required": False,
        "description": (
            "Comes back, and stands in the gateway's log, where it is 1 to 64 of "
            "`A-Z a-z 0-9 . _ -`; default: a new random one."
        ),
        "schema": {"type": "string"},
        "example": "order-4711",
    },
]

_ANSWER_HEADERS: Final = {
    MODEL_HEADER: ("`VERSION@precision` that answered.", examples.STABLE.name),
    TRACK_HEADER: ("`stable` or `canary`.", "stable"),
    EPOCH_HEADER: ("The serving epoch under which it did.", "7"),
    ORIGIN_HEADER: ("Where the durable result comes from.", "address.interactive/3/1234"),
    "Server-Timing": (
        "Milliseconds in the worker's queue, in the model, and in all.",
        "queue;dur=1.2, model;dur=4.0, total;dur=9.8",
    ),
}


def document() -> dict[str, Any]:
    """The whole document; a new copy each time."""
    copy: dict[str, Any] = json.loads(_rendered())
    return copy


def rendered() -> str:
    """The document as it is committed."""
    return json.dumps(document(), ensure_ascii=False, indent=2) + "\n"


@functools.cache
def _rendered() -> str:
    return json.dumps(_document())


def _document() -> dict[str, Any]:
    parsed = json.loads(parsed_body(examples.PARSED_BATCH.results[0]))
    batch = json.loads(batch_body((one.id, one) for one in examples.PARSED_BATCH.results))
    text = examples.ADDRESS_BATCH.addresses[0].text
    addresses = [one.model_dump() for one in examples.ADDRESS_BATCH.addresses]
    origin = examples.PARSED_BATCH.origin
    accepted = {
        "batch_id": "b-1",
        "records": [
            {
                "topic": origin.topic,
                "partition": origin.partition,
                "offset": origin.offset,
                "origin": origin.id,
                "addresses": 2,
            }
        ],
        "rejected": [],
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mgeo-stream",
            "version": CONTRACT_VERSION,
            "summary": "Chinese addresses in, components out.",
            "description": (
                "From the same models, under the same rollout, as the stream. For equal text and "
                "model the body is the same bytes; what differs stands in response headers. "
                "There is no authentication: put what does it in front."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://127.0.0.1:8000", "description": "`mgeo gateway`"}],
        "paths": {
            "/parse": {
                "post": {
                    "operationId": OPERATIONS["POST", "/parse"],
                    "summary": "Parse one address",
                    "parameters": _PARAMETERS,
                    "requestBody": _body("ParseRequest", {"address": text}),
                    "responses": {
                        "200": _answer("What the model found.", "ParsedAddress", parsed),
                        **_problems(_WAITING_STATUSES),
                    },
                }
            },
            "/parse/batch": {
                "post": {
                    "operationId": OPERATIONS["POST", "/parse/batch"],
                    "summary": "Parse some addresses, all by one model",
                    "description": (
                        "Results come in the order of the request. What is wrong with one address "
                        "is that address's alone: it has `status: error` in its place."
                    ),
                    "parameters": _PARAMETERS,
                    "requestBody": _body("BatchRequest", {"addresses": addresses}),
                    "responses": {
                        "200": _answer("One result for each address.", "BatchAnswer", batch),
                        **_problems(_WAITING_STATUSES),
                    },
                }
            },
            "/events": {
                "post": {
                    "operationId": OPERATIONS["POST", "/events"],
                    "summary": "Publish addresses and go",
                    "description": (
                        "Answered once Kafka has them safely. Results come on `address.parsed`; "
                        "each names the origin that stands here. Asking again after 504 may "
                        "publish twice."
                    ),
                    "parameters": _PARAMETERS[1:],
                    "requestBody": _body(
                        "EventsRequest", {"addresses": addresses, "source": "orders"}
                    ),
                    "responses": {
                        "202": _answer("They are in the log.", "EventsAnswer", accepted, own=False),
                        **_problems(_EVENTS_STATUSES),
                    },
                }
            },
            "/livez": {
                "get": {
                    "operationId": OPERATIONS["GET", "/livez"],
                    "summary": "Whether the process answers",
                    "responses": {"200": _status("It does.")},
                }
            },
            "/readyz": {
                "get": {
                    "operationId": OPERATIONS["GET", "/readyz"],
                    "summary": "Whether it can take requests, and how many workers there are",
                    "responses": {
                        "200": _status("It can."),
                        "503": _status("It cannot; `reason` says why."),
                    },
                }
            },
            "/metrics": {
                "get": {
                    "operationId": OPERATIONS["GET", "/metrics"],
                    "summary": "Metrics for Prometheus",
                    "responses": {
                        "200": {
                            "description": "Text format.",
                            "content": {"text/plain": {"schema": {"type": "string"}}},
                        }
                    },
                }
            },
        },
        "components": {"schemas": _schemas()},
    }


def _schemas() -> dict[str, Any]:
    _, asked = models_json_schema(
        [(model, "validation") for model in (ParseRequest, BatchRequest, EventsRequest)],
        ref_template=_REF,
    )
    _, answered = models_json_schema(
        [(model, "serialization") for model in (ParsedAddress, BatchAnswer, EventsAnswer, Problem)],
        ref_template=_REF,
    )
    schemas: dict[str, Any] = {**asked["$defs"], **answered["$defs"]}
    # Not an enumeration: a worker of a later release may have codes of its own.
    schemas["Problem"]["properties"]["code"]["examples"] = sorted(PROBLEMS)
    schemas["Problem"]["required"].remove("errors")  # only where a field is at fault
    for name in ("ParsedAddress", "BatchedAddress"):
        # Not text: what is not there has no key, and an error has none of these.
        schemas[name]["required"] = [
            one for one in ("id", "status") if one in schemas[name]["properties"]
        ]
    for name in ("BatchRequest", "EventsRequest"):
        # Anything may stand there: what is no address is told in its place.
        schemas[name]["properties"]["addresses"]["items"] = {
            "anyOf": [{"$ref": _REF.format(model="AddressItem")}, {"type": "string"}, {}]
        }
    return dict(sorted(schemas.items()))


def _body(model: str, example: dict[str, Any]) -> dict[str, Any]:
    return {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": _REF.format(model=model)}, "example": example}
        },
    }


def _answer(
    meaning: str, model: str, example: dict[str, Any], *, own: bool = True
) -> dict[str, Any]:
    headers = {REQUEST_ID_HEADER: ("As asked, or made up.", "order-4711")}
    if own:
        headers |= _ANSWER_HEADERS
    return {
        "description": meaning,
        "headers": {
            name: {"description": text, "schema": {"type": "string"}, "example": value}
            for name, (text, value) in headers.items()
        },
        "content": {
            "application/json": {"schema": {"$ref": _REF.format(model=model)}, "example": example}
        },
    }


def _problems(statuses: tuple[int, ...]) -> dict[str, Any]:
    return {str(status): _problem(status) for status in sorted(statuses)}


def _problem(status: int) -> dict[str, Any]:
    code, spec = next((code, spec) for code, spec in PROBLEMS.items() if spec.status == status)
    example = {
        "type": problem_type(code),
        "title": spec.title,
        "status": status,
        "detail": "what is wrong this time, and what to do",
        "code": code,
    }
    response: dict[str, Any] = {
        "description": _MEANINGS[status],
        "content": {
            PROBLEM_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}, "example": example}
        },
    }
    if status in (429, 503):
        response["headers"] = {
            "Retry-After": {"description": "Whole seconds.", "schema": {"type": "integer"}}
        }
    return response


def _status(meaning: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {
            "status": {"enum": ["ok", "unavailable"]},
            "code": {"type": "string"},
            "reason": {"type": "string"},
            "workers": {"type": "integer", "minimum": 0},
            "stable": {"type": "string"},
        },
        "required": ["status"],
    }
    return {"description": meaning, "content": {"application/json": {"schema": schema}}}
