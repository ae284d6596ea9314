"""The AsyncAPI 3 document: topics, messages, keys, headers and examples. Pure: writes nothing.

It is written from the point of view of the whole system: it *receives* what publishers and
operators write and *sends* what others read.
"""

from __future__ import annotations

import json
from typing import Any, Final

from contracts.headers import EVENT_TYPES
from contracts.json_schemas import shared_schemas
from contracts.messages import MESSAGES, HeaderSpec, MessageSpec
from contracts.topics import TopicNames, TopicSpec, standard_topics

ASYNCAPI: Final = "3.0.0"
CONTRACT_VERSION: Final = "1.1.0"
"""Version of the contracts: a new field is a minor step, anything incompatible a major one."""

_KAFKA_BINDING: Final = "0.5.0"
_NUMBERS: Final = ("retention.ms", "retention.bytes", "delete.retention.ms", "max.message.bytes")

_OPERATIONS: Final = (
    ("events", "receive", "receiveAddresses", "Take addresses in"),
    ("interactive", "receive", "receiveUrgentAddresses", "Take in what somebody waits for"),
    ("parsed", "send", "sendResults", "Hand results out, exactly once"),
    ("replies", "send", "sendReplies", "Answer whoever waits, best effort"),
    ("dead_letters", "send", "sendDeadLetters", "Set aside what cannot be processed"),
    ("shadow", "send", "sendShadowPairs", "Record how a candidate compares"),
    ("control", "send", "sendRolloutState", "Say which model serves"),
    ("requests", "receive", "receiveRequests", "Take requests to the controller"),
    ("audit", "send", "sendAudit", "Say what the controller did and why"),
)


def asyncapi_document() -> dict[str, Any]:
    """The whole document, ready to be written as YAML or JSON."""
    names = TopicNames()
    topics = {topic.name: topic for topic in standard_topics(names)}
    by_kind = {message.kind: message for message in MESSAGES}
    kinds = [kind for kind, *_ in _OPERATIONS]
    return {
        "asyncapi": ASYNCAPI,
        "id": "urn:mgeo:stream",
        "info": {
            "title": "mgeo-stream",
            "version": CONTRACT_VERSION,
            "description": (
                "Chinese addresses in, parsed addresses out, exactly once, over Apache Kafka. "
                "Values are UTF-8 JSON; readers skip fields that they do not know."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "local": {
                "host": "127.0.0.1:9092",
                "protocol": "kafka",
                "description": "What `mgeo up` starts.",
            }
        },
        "channels": {
            kind: _channel(topics[getattr(names, kind)], by_kind.get(kind)) for kind in kinds
        },
        "operations": {
            name: _operation(kind, action, summary, by_kind.get(kind))
            for kind, action, name, summary in _OPERATIONS
        },
        "components": {
            "messages": {message.title: _message(message) for message in MESSAGES},
            "schemas": shared_schemas("#/components/schemas/{model}"),
        },
    }


def _channel(topic: TopicSpec, message: MessageSpec | None) -> dict[str, Any]:
    channel: dict[str, Any] = {
        "address": topic.name,
        "description": topic.purpose[:1].upper() + topic.purpose[1:] + ".",
    }
    if message is not None:
        channel["messages"] = {message.title: {"$ref": f"#/components/messages/{message.title}"}}
    binding: dict[str, Any] = {"partitions": topic.partitions}
    if topic.config:
        binding["topicConfiguration"] = {
            name: _setting(name, value) for name, value in sorted(topic.config.items())
        }
    channel["bindings"] = {"kafka": {**binding, "bindingVersion": _KAFKA_BINDING}}
    return channel


def _setting(name: str, value: str) -> Any:
    if name in _NUMBERS:
        return int(value)
    return value.split(",") if name == "cleanup.policy" else value


def _operation(kind: str, action: str, summary: str, message: MessageSpec | None) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "action": action,
        "channel": {"$ref": f"#/channels/{kind}"},
        "summary": summary,
    }
    if message is not None:
        operation["messages"] = [{"$ref": f"#/channels/{kind}/messages/{message.title}"}]
    return operation


def _message(message: MessageSpec) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": EVENT_TYPES.get(message.kind, message.title),
        "title": message.title,
        "summary": message.summary,
        "headers": _headers(message.headers),
    }
    if message.model is None:
        document["contentType"] = "application/octet-stream"
        document["payload"] = {"description": "The original bytes, whatever they are."}
    else:
        document["payload"] = {"$ref": f"#/components/schemas/{message.model.__name__}"}
    document["bindings"] = {
        "kafka": {
            "key": {"type": "string", "description": message.key},
            "bindingVersion": _KAFKA_BINDING,
        }
    }
    example: dict[str, Any] = {
        "headers": {name: value.decode() for name, value in message.example_headers}
    }
    if message.example is not None:
        example["payload"] = json.loads(message.example.model_dump_json())
    document["examples"] = [example]
    return document


def _headers(specs: tuple[HeaderSpec, ...]) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {spec.name: {"description": spec.meaning, **spec.schema} for spec in specs},
    }
    required = [spec.name for spec in specs if spec.required]
    return {**schema, "required": required} if required else schema
