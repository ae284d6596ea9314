"""The published schemas are those of the code, and describe what is really on the topics."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from contracts import generate
from contracts.asyncapi import asyncapi_document
from contracts.headers import (
    EVENT_TYPES,
    Header,
    cloud_event,
    dead_letter_headers,
    result_headers,
)
from contracts.json_schemas import schema_files
from contracts.messages import MESSAGES, MessageSpec
from contracts.topics import TopicNames, standard_topics
from tests.properties.addresses import MODEL, ORIGIN
from tests.unit.clock import NOON

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "tests/conformance/samples/v1"
FROZEN = {
    "AddressBatch": ["address_batch", "address_batch_bare", "address_batch_escaped"],
    "ParsedBatch": ["parsed_batch"],
    "ShadowPair": ["shadow_pair", "shadow_pair_of_rollout"],
    "RolloutState": ["rollout_state", "rollout_state_first", "rollout_state_running"],
    "RolloutRequest": ["rollout_request_start", "rollout_request_abort"],
    "AuditRecord": ["audit_transition", "audit_cut", "audit_request"],
}
WITH_MODEL = [message for message in MESSAGES if message.model]


def test_the_files_are_what_the_code_generates() -> None:
    on_disk = {path.name: path.read_text("utf-8") for path in generate.DIRECTORY.iterdir()}

    assert on_disk == generate.generated_files(), (
        f"contracts/schemas is behind the code: run `{generate.COMMAND}`"
    )


def test_generating_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from contracts import generate; "
        "generate.write(pathlib.Path(sys.argv[1]))"
    )
    for number in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": number, "PYTHONPATH": str(ROOT)}
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / number)], env=environment, check=True
        )

    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / number).iterdir()}
        for number in ("1", "2")
    )
    assert first == second
    # What goes to two topics in the same shape has one schema.
    assert len(first) == len({message.model for message in WITH_MODEL}) + 1


def test_what_is_no_longer_generated_is_removed(tmp_path: Path) -> None:
    (tmp_path / "mgeo.address.gone.v0.json").write_text("{}")

    generate.write(tmp_path)

    assert not (tmp_path / "mgeo.address.gone.v0.json").exists()


@pytest.mark.parametrize("schema", schema_files().values(), ids=schema_files())
def test_each_schema_is_a_sound_one(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("message", WITH_MODEL, ids=lambda message: message.title)
def test_each_example_and_each_frozen_sample_is_valid_by_its_schema(message: MessageSpec) -> None:
    assert message.example is not None
    schema = schema_files()[f"{EVENT_TYPES[message.kind]}.json"]
    validator = jsonschema.Draft202012Validator(schema)
    example = json.loads(message.example.model_dump_json())

    validator.validate(example)
    samples = [SAMPLES / f"{name}.value" for name in FROZEN[schema["title"]]]
    for path in samples:
        validator.validate(json.loads(path.read_bytes()))

    for field in schema["required"]:
        broken = {key: value for key, value in example.items() if key != field}
        assert not validator.is_valid(broken), field


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.title)
def test_example_headers_are_valid_by_the_headers_schema(message: MessageSpec) -> None:
    assert_headers(message, list(message.example_headers))


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        ("parsed", result_headers(ORIGIN, MODEL, at=NOON, traceparent=None)),
        ("events", cloud_event(event_id="b", source="/x", kind="events", at=NOON)),
        (
            "dead_letters",
            dead_letter_headers(
                ORIGIN,
                code="crashed_worker",
                stage="TASK_PUT",
                error_class="PermanentError",
                original=[("big", b"x" * 40_000)],
            ),
        ),
    ],
)
def test_headers_that_the_code_makes_are_the_documented_ones(kind: str, made: list[Header]) -> None:
    (message,) = (one for one in MESSAGES if one.kind == kind)

    assert_headers(message, made)


def assert_headers(message: MessageSpec, made: list[Header]) -> None:
    schema = asyncapi_document()["components"]["messages"][message.title]["headers"]
    texts = {name: value.decode() for name, value in made}
    jsonschema.Draft202012Validator(schema).validate(texts)
    assert set(texts) <= set(schema["properties"])


def test_the_document_has_every_topic_with_its_settings_and_nothing_dangling() -> None:
    document = yaml.safe_load((generate.DIRECTORY / "asyncapi.yaml").read_text("utf-8"))

    assert document["asyncapi"] == "3.0.0"
    channels = {channel["address"]: channel for channel in document["channels"].values()}
    topics = {topic.name: topic for topic in standard_topics(TopicNames())}
    assert set(channels) == set(topics)
    for name, topic in topics.items():
        binding = channels[name]["bindings"]["kafka"]
        assert binding["partitions"] == topic.partitions
        written = binding.get("topicConfiguration", {})
        flat = {
            key: ",".join(value) if isinstance(value, list) else str(value)
            for key, value in written.items()
        }
        assert flat == dict(topic.config)
    references = list(all_references(document))
    assert len(references) > 20
    for reference in references:
        target: Any = document
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]


def all_references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [one for item in value.values() for one in all_references(item)]
    if isinstance(value, list):
        return [one for item in value for one in all_references(item)]
    return []
