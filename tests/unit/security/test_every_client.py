"""Every Kafka client of the project is made from ``client_options``, and so is secured alike."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = ("contracts", "producer", "consumer", "rollout", "deploy", "benchmarks")
CLIENTS = {
    "AIOKafkaAdminClient",
    "AIOKafkaClient",
    "AIOKafkaConsumer",
    "AIOKafkaProducer",
    "create_conn",
}
CONNECTION = {
    "bootstrap_servers",
    "sasl_mechanism",
    "sasl_plain_password",
    "sasl_plain_username",
    "security_protocol",
    "ssl_context",
}
"""The keyword arguments that say how Kafka is reached; ``client_options`` alone makes them."""

MAKES_THEM = Path("contracts/settings.py")
ASKS_PLAINLY = {Path("contracts/access.py"): 1}
"""Clients without options: the one that finds out whether a server speaks without TLS at all."""


def faults(source: str, *, plain: int = 0) -> list[str]:
    """What a module does otherwise: a client without options, or options of its own making."""
    if not any(word in source for word in CLIENTS | CONNECTION):
        return []  # most modules: parsing them all takes seconds
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and _name(node.func) in CLIENTS:
            given = {keyword.arg for keyword in node.keywords}
            if None not in given:
                found.append(f"line {node.lineno}: no **options")
            found += [f"line {node.lineno}: {name} by hand" for name in given & CONNECTION]
        elif isinstance(node, ast.Dict):
            keys = {str(key.value) for key in node.keys if isinstance(key, ast.Constant)}
            found += [f"line {node.lineno}: {name} in a dict" for name in keys & CONNECTION]
    without = [one for one in found if one.endswith("no **options")]
    for one in without[:plain]:
        found.remove(one)
    return found


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def modules() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (ROOT / package).rglob("*.py")


def test_no_client_is_made_otherwise() -> None:
    wrong = {}
    for path in modules():
        place = path.relative_to(ROOT)
        if place != MAKES_THEM:
            found = faults(path.read_text(encoding="utf-8"), plain=ASKS_PLAINLY.get(place, 0))
            if found:
                wrong[str(place)] = found
    assert wrong == {}


def test_all_kinds_of_clients_are_found_in_the_code() -> None:
    """The check above looks at what there is: none of these names has been renamed away."""
    text = "".join(path.read_text(encoding="utf-8") for path in modules())
    assert [name for name in CLIENTS if f"{name}(" not in text] == []


@pytest.mark.parametrize(
    "source",
    [
        "AIOKafkaProducer()",
        "aiokafka.AIOKafkaConsumer('topic')",
        "AIOKafkaAdminClient(bootstrap_servers='here', **more)",
        "AIOKafkaClient(security_protocol='PLAINTEXT', **client_options(kafka))",
        "options = {'bootstrap_servers': 'here'}",
    ],
)
def test_each_other_way_is_noticed(source: str) -> None:
    assert faults(source)
