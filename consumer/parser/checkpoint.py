"""A model directory of the MGeo kind, read into transformers' BERT token classifier.

Reads data only: no code from the directory ever runs, no pickle is executed. Weights must
fit the architecture exactly; a checkpoint of another kind is refused by name.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from consumer.parser.labels import read_json_object, read_labels
from consumer.parser.network import supports
from consumer.store.kinds import refuse_by_configuration, refuse_by_weights
from contracts.errors import UsageError

_SHAPE_KEYS: Final = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
)

# What a text-only token classifier never runs: the pooler, the geographic encoder of the
# multi-modal models, buffers, the cross attention to that encoder.
_UNUSED: Final = re.compile(
    r"bert\.(pooler|gis_encoder|gis2text|gis_type)\b"
    r"|bert\.embeddings\.(position_ids|token_type_ids)$"
    r"|bert\.encoder\.layer\.\d+\.crossattention\."
)
_LAYER: Final = re.compile(r"bert\.encoder\.layer\.(\d+)\.")


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


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """One model directory, read: fp32 weights named as transformers names them."""

    architecture: Architecture
    labels: tuple[str, ...]
    weights: Mapping[str, Tensor]


def read_checkpoint(directory: Path) -> Checkpoint:
    """Read architecture, labels and weights.

    Raises:
        UsageError: ``model_not_found``, ``model_incomplete``, ``bad_model_config``,
            ``wrong_model_kind``, ``bad_label_map``, ``unsafe_weights``, ``bad_weights``.
    """
    if not directory.is_dir():
        raise UsageError(f"there is no model directory {directory}", code="model_not_found")
    refuse_by_configuration(
        read_json_object(directory / "configuration.json"),
        read_json_object(directory / "config.json"),
    )
    architecture = read_architecture(directory)
    labels = read_labels(directory)
    return Checkpoint(
        architecture, labels, _select(read_weights(directory), architecture, len(labels))
    )


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
    if not supports(activation):
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


def read_weights(directory: Path) -> dict[str, Tensor]:
    """Read ``model.safetensors`` or, without it, ``pytorch_model.bin`` (tensors only).

    Raises:
        UsageError: ``model_incomplete`` when neither is there, ``unsafe_weights`` when a
            pickle holds anything but tensors, ``bad_weights`` when a file is damaged.
    """
    safe, pickled = directory / "model.safetensors", directory / "pytorch_model.bin"
    if safe.exists():
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(safe)
        except (SafetensorError, OSError, ValueError) as error:
            raise _damaged(safe) from error
    if not pickled.exists():
        sharded = any(directory.glob("*.index.json"))
        raise UsageError(
            "the model directory has no model.safetensors and no pytorch_model.bin",
            code="model_incomplete",
            hint="join the shards into one file first" if sharded else "",
        )
    try:
        content = torch.load(pickled, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UsageError(
            "pytorch_model.bin holds more than tensors: it was not opened",
            code="unsafe_weights",
            hint="ask its maker for safetensors; loading it could run their code",
        ) from error
    except (RuntimeError, OSError, EOFError, ValueError, KeyError) as error:
        raise _damaged(pickled) from error
    if not isinstance(content, Mapping):
        raise _damaged(pickled)
    return {str(name): value for name, value in content.items() if isinstance(value, Tensor)}


def _damaged(path: Path) -> UsageError:
    return UsageError(
        f"{path.name} cannot be read: it is damaged or cut short",
        code="bad_weights",
        hint="fetch the model again",
    )


def transformers_name(name: str) -> str:
    """The name that transformers' BERT gives a weight of an MGeo checkpoint."""
    name = name.replace("bert.text_encoder.", "bert.", 1)
    # BERT's first checkpoints call the two halves of a layer norm so.
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace(
        "LayerNorm.beta", "LayerNorm.bias"
    )


def _select(
    stored: Mapping[str, Tensor], architecture: Architecture, labels: int
) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = {}
    for stored_name, tensor in stored.items():
        name = transformers_name(stored_name)
        layer = _LAYER.match(name)
        beyond = layer is not None and int(layer[1]) >= architecture.layers
        if not beyond and not _UNUSED.match(name):
            weights[name] = tensor.to(torch.float32) if tensor.is_floating_point() else tensor
    refuse_by_weights({name: tuple(tensor.shape) for name, tensor in weights.items()})
    head = weights["classifier.weight"]
    if head.shape[0] != labels:
        raise UsageError(
            f"the classifier has {head.shape[0]} rows and the label map {labels}",
            code="bad_label_map",
        )
    return weights


def build_network(checkpoint: Checkpoint) -> torch.nn.Module:
    """transformers' ``BertForTokenClassification`` with these weights, in eval mode, SDPA.

    Raises:
        UsageError: ``bad_weights`` when a weight is missing, left over or of another shape;
            ``bad_model_config`` when transformers refuses the architecture.
    """
    import transformers

    # transformers declares types for some of its code only.
    bert: Any = transformers
    shape = checkpoint.architecture
    config = bert.BertConfig(
        vocab_size=shape.vocab_size,
        hidden_size=shape.hidden_size,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.intermediate_size,
        max_position_embeddings=shape.positions,
        type_vocab_size=shape.token_types,
        hidden_act=shape.activation,
        layer_norm_eps=shape.layer_norm_epsilon,
        num_labels=len(checkpoint.labels),
        attn_implementation="sdpa",
    )
    try:
        # Weights that are about to be replaced are not worth drawing at random.
        with torch.device("meta"):
            network: torch.nn.Module = bert.BertForTokenClassification(config)
    except (KeyError, ValueError) as error:
        raise UsageError(
            "config.json describes a network that transformers does not know",
            code="bad_model_config",
        ) from error
    _check_names_and_shapes(network.state_dict(), checkpoint.weights)
    network.load_state_dict(dict(checkpoint.weights), strict=True, assign=True)
    _fill_buffers(network, shape)
    return network.eval().requires_grad_(False)


def _check_names_and_shapes(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    missing, surplus = sorted(wanted.keys() - given.keys()), sorted(given.keys() - wanted.keys())
    misshapen = sorted(
        name
        for name, tensor in given.items()
        if name in wanted and tensor.shape != wanted[name].shape
    )
    for names, what in (
        (missing, "are missing"),
        (surplus, "are not part of a BERT token classifier"),
        (misshapen, "have another shape than config.json says"),
    ):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise UsageError(f"weights {what}: {', '.join(names[:3])}{more}", code="bad_weights")


def _fill_buffers(network: torch.nn.Module, shape: Architecture) -> None:
    # Not in any checkpoint, and still without storage after the build on "meta".
    for module in network.modules():
        for name, buffer in module.named_buffers(recurse=False):
            if buffer.is_meta:
                values = {
                    "position_ids": torch.arange(shape.positions),
                    "token_type_ids": torch.zeros(shape.positions, dtype=torch.long),
                }[name]
                module.register_buffer(name, values.expand((1, -1)), persistent=False)
