"""From a checkpoint nobody vouches for to the form that is stored, or to a refusal.

No pickle is executed and no code of the model runs: tensors are read by torch's weights-only
loader and written as safetensors; of the JSON files only known keys go on.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from consumer.parser.labels import read_json_object
from consumer.store.kinds import refuse_by_configuration, refuse_by_weights
from consumer.store.manifest import (
    CALIBRATION_NAME,
    CARD_NAME,
    CONFIG_NAME,
    CONFIGURATION_NAME,
    PICKLED_WEIGHTS_NAME,
    TOKENIZER_NAME,
    VOCABULARY_NAME,
    WEIGHTS_NAME,
)
from consumer.store.release import tensor_shapes
from contracts.errors import MgeoError, UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from consumer.parser.checkpoint import Checkpoint

_TOKENIZER_KEYS: Final = ("do_lower_case", "strip_accents", "tokenize_chinese_chars")
_SLACK_BYTES: Final = 1024 * 1024


def convert(taken: Path, prepared: Path) -> None:
    """Check a checkpoint and write it, in stored form, into the empty ``prepared``.

    Args:
        taken: a private copy (``intake.take``); read only.
        prepared: gets ``config.json``, ``vocab.txt``, ``tokenizer_config.json``,
            ``model.safetensors`` (names as in transformers, the precision they came in) and,
            where there are such, ``calibration.json`` and ``README.md``.

    Raises:
        UsageError: ``wrong_model_kind``, ``model_incomplete``, ``bad_model_config``,
            ``bad_label_map``, ``bad_vocabulary``, ``bad_tokenizer_config``,
            ``bad_calibration``, ``unsafe_weights``, ``bad_weights``, ``extra_missing``.
    """
    refuse_by_configuration(
        read_json_object(taken / CONFIGURATION_NAME), read_json_object(taken / CONFIG_NAME)
    )
    try:
        from consumer.parser.calibration import read_temperature
        from consumer.parser.checkpoint import build_network, read_checkpoint
        from consumer.parser.tokenizer import AddressTokenizer
    except ImportError as error:
        raise UsageError(
            f"adding a model needs {error.name}, which is not installed",
            code="extra_missing",
            hint="pip install 'mgeo-stream[worker]'",
        ) from error
    stored = _read_weights(taken)
    with _only_refusals():
        checkpoint = read_checkpoint(taken)
    _refuse_endless(checkpoint)
    with _only_refusals():
        tokenizer = AddressTokenizer.from_directory(taken)
    if tokenizer.size > checkpoint.architecture.vocab_size:
        raise UsageError(
            f"vocab.txt has {tokenizer.size} tokens, config.json says "
            f"{checkpoint.architecture.vocab_size}",
            code="bad_vocabulary",
        )
    with _only_refusals():
        read_temperature(taken)
        _try_out(build_network(checkpoint), tokenizer.special.first, tokenizer.special.last)
    _write_weights(prepared / WEIGHTS_NAME, {name: stored[name] for name in checkpoint.weights})
    _write_json(prepared / CONFIG_NAME, _config(checkpoint))
    _write_json(prepared / TOKENIZER_NAME, _tokenizer_options(taken))
    shutil.copyfile(taken / VOCABULARY_NAME, prepared / VOCABULARY_NAME)
    for name in (CALIBRATION_NAME, CARD_NAME):
        if (taken / name).exists():
            shutil.copyfile(taken / name, prepared / name)


def _read_weights(taken: Path) -> dict[str, Tensor]:
    """Every tensor by the name transformers gives it."""
    from consumer.parser.checkpoint import read_weights, transformers_name

    if (taken / WEIGHTS_NAME).exists():
        tensor_shapes(taken / WEIGHTS_NAME)
    elif (taken / PICKLED_WEIGHTS_NAME).exists():
        _refuse_compressed(taken / PICKLED_WEIGHTS_NAME)
    with _only_refusals():
        tensors = read_weights(taken)
    _refuse_inflated(tensors, taken)
    named = {transformers_name(name): tensor for name, tensor in tensors.items()}
    refuse_by_weights({name: tuple(tensor.shape) for name, tensor in named.items()})
    return named


@contextmanager
def _only_refusals() -> Iterator[None]:
    """A hostile file can end in any exception; it is a refusal, and no text of it is shown."""
    try:
        yield
    except MgeoError:
        raise
    except Exception as error:
        raise _unreadable() from error


def _refuse_endless(checkpoint: Checkpoint) -> None:
    """A layer count that the weights do not have would be built layer by layer for ever."""
    layers = {
        name.split(".")[3] for name in checkpoint.weights if name.startswith("bert.encoder.layer.")
    }
    if checkpoint.architecture.layers > len(layers):
        raise UsageError(
            f"config.json says {checkpoint.architecture.layers} layers, the weights have "
            f"{len(layers)}",
            code="bad_weights",
        )


def _refuse_compressed(path: Path) -> None:
    """torch never compresses; a small file that unpacks to a huge one is an attack."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise _unreadable() from error
    if unpacked > path.stat().st_size:
        raise UsageError(
            f"{path.name} unpacks to {unpacked:,} bytes: it was not written by torch",
            code="unsafe_weights",
            hint="ask its maker for safetensors",
        )


def _refuse_inflated(tensors: Mapping[str, Tensor], taken: Path) -> None:
    """A tensor may claim any shape over a few bytes; what is not in the file is not stored."""
    import torch

    claimed = 0
    for name, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
            raise UsageError(f"weight {name[:80]!r} is no plain tensor", code="bad_weights")
        claimed += tensor.numel() * tensor.element_size()
    present = sum(path.stat().st_size for path in taken.iterdir())
    if claimed > present + _SLACK_BYTES:
        raise UsageError(
            f"the weights claim {claimed:,} bytes and the file has {present:,}",
            code="bad_weights",
            hint="tensors that share memory must be written out; ask its maker for safetensors",
        )


def _try_out(network: Any, first: int, last: int) -> None:
    """One forward pass: whatever else is wrong with a model shows here, not in production."""
    import torch

    with torch.inference_mode():
        scores = network(input_ids=torch.tensor([[first, last]])).logits
    if not bool(torch.isfinite(scores).all()):
        raise UsageError("the network's scores are not numbers", code="bad_weights")


def _write_weights(path: Path, weights: Mapping[str, Tensor]) -> None:
    import torch
    from safetensors.torch import save_file

    kept: dict[str, Tensor] = {}
    for name in sorted(weights):
        tensor = weights[name]
        if not bool(torch.isfinite(tensor).all()):
            raise UsageError(
                f"weight {name} holds values that are not finite",
                code="bad_weights",
                hint="the training broke off or overflowed: use an earlier checkpoint",
            )
        if tensor.dtype not in (torch.float16, torch.bfloat16):
            tensor = tensor.to(torch.float32)
        kept[name] = tensor.contiguous().clone()
    save_file(kept, path, metadata={"format": "pt"})


def _config(checkpoint: Checkpoint) -> dict[str, Any]:
    shape = checkpoint.architecture
    return {
        "architectures": ["BertForTokenClassification"],
        "model_type": "bert",
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.hidden_size,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.intermediate_size,
        "max_position_embeddings": shape.positions,
        "type_vocab_size": shape.token_types,
        "hidden_act": shape.activation,
        "layer_norm_eps": shape.layer_norm_epsilon,
        "id2label": {str(row): label for row, label in enumerate(checkpoint.labels)},
        "label2id": {label: row for row, label in enumerate(checkpoint.labels)},
    }


def _tokenizer_options(taken: Path) -> dict[str, Any]:
    options = read_json_object(taken / TOKENIZER_NAME) or {}
    kept: dict[str, Any] = {"tokenizer_class": "BertTokenizer", "do_lower_case": True}
    return kept | {key: options[key] for key in _TOKENIZER_KEYS if key in options}


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _unreadable() -> UsageError:
    return UsageError(
        "the model cannot be read: its weights or one of its JSON files are damaged, cut short "
        "or made to mislead",
        code="bad_weights",
        hint="fetch the model again",
    )
