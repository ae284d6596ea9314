"""Codes of what publishers write: whole records, and single addresses."""

from __future__ import annotations

from typing import Final

from contracts.codes.spec import CodeSpec

CODES: Final = (
    CodeSpec(
        "empty_record",
        ("dead_letter",),
        "The record has no value.",
        "Publish an AddressBatch; a tombstone means nothing here.",
    ),
    CodeSpec(
        "record_too_large",
        ("dead_letter", "row", "usage"),
        "The value is longer than max_record_bytes.",
        "Publish fewer addresses per record, or raise the limit and the topic’s size together.",
    ),
    CodeSpec(
        "bad_headers",
        ("dead_letter",),
        "The name of a header is not UTF-8; bytes that are not stand as \\xNN in the dead letter.",
        "Write header names in UTF-8; mgeo dlq replay sends the record with the escaped names.",
    ),
    CodeSpec(
        "not_utf8",
        ("dead_letter", "usage"),
        "The bytes are not UTF-8.",
        "Write UTF-8; for files, name the encoding when publishing.",
    ),
    CodeSpec(
        "not_json",
        ("dead_letter", "row"),
        "The text is not JSON, or begins with a byte order mark.",
        "Write one JSON document per record, without a byte order mark.",
    ),
    CodeSpec(
        "duplicate_key",
        ("dead_letter", "row"),
        "An object names the same key twice, so its meaning is open.",
        "Name each key once.",
    ),
    CodeSpec(
        "bad_number",
        ("dead_letter", "row"),
        "A number is NaN, infinite, or too large to be read exactly.",
        "Leave it out or write a finite number; an unknown field counts too.",
    ),
    CodeSpec(
        "too_deep",
        ("dead_letter", "row"),
        "Objects or lists are nested deeper than 64.",
        "Flatten the record.",
    ),
    CodeSpec(
        "not_an_object",
        ("dead_letter", "row"),
        "The JSON is not an object.",
        "Wrap the addresses as an AddressBatch.",
    ),
    CodeSpec(
        "bad_batch_id",
        ("dead_letter", "usage"),
        "batch_id is missing, not text, empty, too long or not encodable.",
        "Give each batch an id of 1 to 200 characters.",
    ),
    CodeSpec(
        "bad_source",
        ("dead_letter", "usage"),
        "source is not text, too long or not encodable.",
        "Leave it out, or name the publisher in at most 200 characters.",
    ),
    CodeSpec(
        "bad_addresses",
        ("dead_letter",),
        "addresses is missing or not a list.",
        "Give a list of objects with id and text.",
    ),
    CodeSpec(
        "empty_batch",
        ("dead_letter", "usage"),
        "The batch has no address.",
        "Publish nothing instead.",
    ),
    CodeSpec(
        "too_many_addresses",
        ("dead_letter",),
        "The batch has more than max_addresses addresses.",
        "Publish several smaller batches.",
    ),
    CodeSpec(
        "bad_address",
        ("address",),
        "The element of addresses is not an object.",
        "Give an object with id and text.",
    ),
    CodeSpec(
        "bad_id",
        ("address", "row", "usage"),
        "The id is missing, not text, empty or too long; its result is named by its position.",
        "Give each address an id of 1 to 200 characters, as text.",
    ),
    CodeSpec(
        "bad_text",
        ("address", "row"),
        "The text is missing or not text.",
        "Give the address as a JSON string.",
    ),
    CodeSpec(
        "empty_text",
        ("address", "row"),
        "Nothing in the text can be seen: empty, or spaces, controls, zero-width characters.",
        "Drop such rows, or find out why they are empty.",
    ),
    CodeSpec(
        "text_too_long",
        ("address", "row"),
        "The text has more than max_address_chars characters.",
        "Check that it is one address; raise the limit if it is.",
    ),
    CodeSpec(
        "lone_surrogate",
        ("address", "row", "dead_letter"),
        "A text has half of a surrogate pair, which no encoding can carry.",
        "Mend the program that cut a character in two, usually by counting UTF-16 units.",
    ),
    CodeSpec(
        "result_too_large",
        ("address", "dead_letter"),
        "The result does not fit its topic; as few addresses as possible give way.",
        "Publish fewer addresses per record, or raise max_result_bytes and the topic’s size.",
    ),
    CodeSpec(
        "unknown",
        ("dead_letter",),
        "The dead letter says no reason: another program wrote it.",
        "Look at its other headers.",
    ),
)
