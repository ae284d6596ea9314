"""The page of topics, from ``contracts.topics`` and ``contracts.messages``."""

from __future__ import annotations

import json

from contracts.headers import EVENT_TYPES
from contracts.messages import MESSAGES, MessageSpec
from contracts.topics import TopicNames, TopicSpec, standard_topics
from deploy.reference.markdown import prose, table


def topics_page() -> str:
    """Every topic with its settings, and every message with key, headers and an example."""
    names = TopicNames()
    topics = {topic.name: topic for topic in standard_topics(names)}
    parts = [
        (
            "# Topics and messages\n\n"
            "Values are UTF-8 JSON. Readers skip fields that they do not know; adding an optional "
            "field is compatible, anything else is a new event type. The same as JSON Schema and "
            "AsyncAPI 3 is in [`contracts/schemas`](../../contracts/schemas). Every name may have "
            "a prefix (`MGEO_TOPIC_PREFIX`).\n\n"
        ),
        table(
            ("topic", "message", "partitions", "settings that must hold", "purpose"),
            (_topic_row(names, topic) for topic in topics.values()),
        ),
        (
            "\nPartitions marked = must be exactly as many; elsewhere there may be more. A result "
            "goes to its input's partition number, so results, dead letters and evidence need at "
            "least as many partitions as the input. Sizes follow from `MGEO_LIMITS`; "
            "those of its defaults are shown.\n"
        ),
    ]
    parts += [_message(names, message) for message in MESSAGES]
    return "".join(parts)


def _topic_row(names: TopicNames, topic: TopicSpec) -> tuple[str, ...]:
    titles = [message.title for message in MESSAGES if getattr(names, message.kind) == topic.name]
    return (
        f"`{topic.name}`",
        ", ".join(f"[{title}](#{title.lower()})" for title in titles) or "–",
        f"= {topic.partitions}" if topic.fixed_partitions else str(topic.partitions),
        ", ".join(f"`{key}={value}`" for key, value in sorted(topic.config.items())) or "–",
        topic.purpose,
    )


def _message(names: TopicNames, message: MessageSpec) -> str:
    kind = EVENT_TYPES.get(message.kind)
    parts = [
        f"\n## {message.title}\n\n{prose(message.summary)}\n\n",
        f"- Topic: `{getattr(names, message.kind)}`\n",
        f"- Key: {message.key}\n",
        f"- Schema: [`{kind}`](../../contracts/schemas/{kind}.json)\n"
        if message.model
        else "- Value: bytes as they came\n",
        "\n",
        table(
            ("header", "always", "meaning", "example"),
            (
                (
                    f"`{spec.name}`",
                    "yes" if spec.required else "no",
                    spec.meaning,
                    _example(message, spec.name),
                )
                for spec in message.headers
            ),
        ),
    ]
    if message.example is not None:
        document = json.loads(message.example.model_dump_json())
        text = json.dumps(document, ensure_ascii=False, indent=1)
        # What cannot be seen is written as an escape, as it may be in JSON.
        parts.append(f"\n```json\n{text.replace(chr(0x200B), chr(92) + 'u200b')}\n```\n")
    return "".join(parts)


def _example(message: MessageSpec, header: str) -> str:
    for name, value in message.example_headers:
        if name == header:
            return f"`{value.decode()}`"
    return "–"
