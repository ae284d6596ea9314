"""The shape of a network, from ``config.json``: what it says, and which weights that takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from consumer.parser.labels import read_json_object
from contracts.errors import UsageError

_SHAPE_KEYS: Final = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
)

ACTIVATIONS: Final = ("gelu", "gelu_new", "relu", "silu")
"""The values of ``hidden_act`` that ``network`` computes."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """The shape of the network, from ``config.json``."""

    vocab_size: int
    hidden_size: int
    layers: int
    """Layers that text runs through: MGeo's ``fusion_layer``, else all."""
    heads: int
    intermediate_size: int
    positions: int
    """Longest sequence, special tokens included."""
    token_types: int
    activation: str
    layer_norm_epsilon: float


def read_architecture(directory: Path) -> Architecture:
    """Read and check ``config.json``.

    Text goes through layers ``0`` to ``fusion_layer - 1``, as in modelscope's ``BertEncoder``
    with ``mode="text"``; a plain BERT has no such key and runs all of them.

    Raises:
        UsageError: ``model_incomplete``, ``bad_model_config``, ``wrong_model_kind``.
    """
    config = read_json_object(directory / "config.json")
    if config is None:
        raise UsageError("the model directory has no config.json", code="model_incomplete")
    for key in _SHAPE_KEYS:
        if not _is_count(config.get(key)):
            raise UsageError(
                f"config.json: {key} must be a positive whole number", code="bad_model_config"
            )
    if config.get("gis_embedding", 0) != 0:
        raise UsageError(
            "this model embeds map features, not text (gis_embedding is not 0)",
            code="wrong_model_kind",
        )
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise UsageError(
            "config.json: only absolute position embeddings are known", code="bad_model_config"
        )
    stored: int = config["num_hidden_layers"]
    layers = config.get("fusion_layer", stored)
    if not _is_count(layers) or layers > stored:
        raise UsageError(
            f"config.json: fusion_layer must lie between 1 and {stored}", code="bad_model_config"
        )
    if config["hidden_size"] % config["num_attention_heads"]:
        raise UsageError(
            "config.json: hidden_size is not a multiple of num_attention_heads",
            code="bad_model_config",
        )
    activation = str(config.get("hidden_act", "gelu"))
    if activation not in ACTIVATIONS:
        raise UsageError(
            f"config.json: the activation {activation[:40]!r} is not known",
            code="bad_model_config",
        )
    return Architecture(
        vocab_size=config["vocab_size"],
        hidden_size=config["hidden_size"],
        layers=layers,
        heads=config["num_attention_heads"],
        intermediate_size=config["intermediate_size"],
        positions=config["max_position_embeddings"],
        token_types=int(config.get("type_vocab_size", 2)),
        activation=activation,
        layer_norm_epsilon=float(config.get("layer_norm_eps", 1e-12)),
    )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def expected_weights(shape: Architecture, labels: int) -> dict[str, tuple[int, ...]]:
    """Name, as transformers has it, and shape of every weight of the token classifier."""
    width, wide = shape.hidden_size, shape.intermediate_size
    expected: dict[str, tuple[int, ...]] = {
        "bert.embeddings.word_embeddings.weight": (shape.vocab_size, width),
        "bert.embeddings.position_embeddings.weight": (shape.positions, width),
        "bert.embeddings.token_type_embeddings.weight": (shape.token_types, width),
        "bert.embeddings.LayerNorm.weight": (width,),
        "bert.embeddings.LayerNorm.bias": (width,),
        "classifier.weight": (labels, width),
        "classifier.bias": (labels,),
    }
    for layer in range(shape.layers):
        prefix = f"bert.encoder.layer.{layer}"
        products = {
            "attention.self.query": (width, width),
            "attention.self.key": (width, width),
            "attention.self.value": (width, width),
            "attention.output.dense": (width, width),
            "intermediate.dense": (wide, width),
            "output.dense": (width, wide),
        }
        for name, (rows, columns) in products.items():
            expected[f"{prefix}.{name}.weight"] = (rows, columns)
            expected[f"{prefix}.{name}.bias"] = (rows,)
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            expected[f"{prefix}.{name}.weight"] = (width,)
            expected[f"{prefix}.{name}.bias"] = (width,)
    return expected
