"""A model directory of the MGeo kind, read and checked.

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

from consumer.parser.architecture import Architecture, expected_weights, read_architecture
from consumer.parser.labels import read_json_object, read_labels
from consumer.store.kinds import refuse_by_configuration, refuse_by_weights
from contracts.errors import UsageError

# What a text-only token classifier never runs: the pooler, the geographic encoder of the
# multi-modal models, buffers, the cross attention to that encoder.
_UNUSED: Final = re.compile(
    r"bert\.(pooler|gis_encoder|gis2text|gis_type)\b"
    r"|bert\.embeddings\.(position_ids|token_type_ids)$"
    r"|bert\.encoder\.layer\.\d+\.crossattention\."
)
_LAYER: Final = re.compile(r"bert\.encoder\.layer\.(\d+)\.")


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
    rows = weights["classifier.weight"].shape[:1]
    if rows != (labels,):
        raise UsageError(
            f"the classifier has {rows.numel()} rows and the label map {labels}",
            code="bad_label_map",
        )
    _check_names_and_shapes(weights, architecture, labels)
    return weights


def build_network(checkpoint: Checkpoint) -> torch.nn.Module:
    """transformers' ``BertForTokenClassification`` with these weights, in eval mode, SDPA.

    Serving uses ``network.TaggingNetwork``, which needs none of the seconds that importing
    transformers takes; this is what a model is tried out with when it is added to a store, and
    what our own network is tested against.

    Raises:
        UsageError: ``bad_model_config`` when transformers refuses the architecture.
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
    network.load_state_dict(dict(checkpoint.weights), strict=True, assign=True)
    _fill_buffers(network, shape)
    return network.eval().requires_grad_(False)


def _check_names_and_shapes(weights: Mapping[str, Tensor], shape: Architecture, rows: int) -> None:
    stored = {match[1] for match in map(_LAYER.match, weights) if match is not None}
    if len(stored) < shape.layers:
        # Said first: to list the weights of a million layers would take for ever.
        raise UsageError(
            f"config.json says {shape.layers} layers, the weights have {len(stored)}",
            code="bad_weights",
        )
    wanted = expected_weights(shape, rows)
    missing, surplus = sorted(wanted.keys() - weights), sorted(weights.keys() - wanted)
    misshapen = sorted(
        name for name in wanted.keys() & weights if tuple(weights[name].shape) != wanted[name]
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
