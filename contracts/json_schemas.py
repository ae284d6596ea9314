"""JSON Schema of every message, from its model. Pure: writes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from contracts.headers import EVENT_TYPES
from contracts.messages import MESSAGES, MessageSpec

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


class _WithoutFieldTitles(GenerateJsonSchema):
    """Leaves out the titles that only repeat the fields' names."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  (pydantic's signature)
        return False


def mode_of(message: MessageSpec) -> JsonSchemaMode:
    """What strangers may write is described as accepted, what we write as it always is."""
    return "validation" if message.strict else "serialization"


def message_schema(message: MessageSpec) -> dict[str, Any]:
    """The JSON Schema (2020-12) of one message's value.

    Raises:
        ValueError: the message has no model: its value is bytes that nobody reads.
    """
    if message.model is None:
        raise ValueError(f"{message.title} has no model")
    schema = message.model.model_json_schema(
        mode=mode_of(message), schema_generator=_WithoutFieldTitles
    )
    head = {"$schema": DIALECT, "$id": "urn:" + EVENT_TYPES[message.kind].replace(".", ":")}
    body: dict[str, Any] = _deep_sorted(schema)
    return head | body


def shared_schemas(ref_template: str) -> dict[str, Any]:
    """The schemas of all messages and their parts in one table, by class name."""
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        (message.model, mode_of(message)) for message in MESSAGES if message.model
    ]
    _, document = models_json_schema(
        models, ref_template=ref_template, schema_generator=_WithoutFieldTitles
    )
    definitions: dict[str, Any] = _deep_sorted(document["$defs"])
    return definitions


def schema_files(messages: Iterable[MessageSpec] = MESSAGES) -> dict[str, dict[str, Any]]:
    """File name to schema, one for each message that has a model."""
    return {
        f"{EVENT_TYPES[message.kind]}.json": message_schema(message)
        for message in messages
        if message.model is not None
    }


_WORDS_OF_A_SCHEMA = ("$ref", "title", "description", "type", "properties", "required")


def _deep_sorted(value: Any, *, names: bool = False) -> Any:
    """The same schema with its keywords in one order; names of fields keep their own."""
    if isinstance(value, list):
        return [_deep_sorted(item) for item in value]
    if not isinstance(value, dict):
        return value
    if not names:
        value = _without_later_fields(value)
    known = {word: position for position, word in enumerate(_WORDS_OF_A_SCHEMA)}
    keys = (
        list(value) if names else sorted(value, key=lambda key: (known.get(key, len(known)), key))
    )
    return {key: _deep_sorted(value[key], names=key in {"properties", "$defs"}) for key in keys}


def _without_later_fields(schema: dict[str, Any]) -> dict[str, Any]:
    """Fields that came in a later version are not required: older messages stay valid."""
    fields, required = schema.get("properties"), schema.get("required")
    if not isinstance(fields, dict) or not isinstance(required, list):
        return schema  # no object's schema; a default may have such keys of its own
    return {**schema, "required": [name for name in required if "x-since" not in fields[name]]}
