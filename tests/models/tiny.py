"""Tiny MGeo checkpoints with random weights, laid out as a hub model directory is.

Small enough that a test can make one in a fraction of a second; never a real model.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

_BIE_TYPES: Final = (
    "prov",
    "city",
    "district",
    "town",
    "road",
    "roadno",
    "intersection",
    "poi",
    "subpoi",
    "houseno",
    "cellno",
    "floorno",
    "community",
    "assist",
    "distance",
    "devzone",
    "village_group",
)
_SINGLE_TYPES: Final = ("assist", "community", "district", "poi", "intersection")

MGEO_LABELS: Final[tuple[str, ...]] = (
    "O",
    *(f"{mark}-{kind}" for kind in _BIE_TYPES for mark in "BIE"),
    *(f"S-{kind}" for kind in _SINGLE_TYPES),
)
"""The 57 labels of the published checkpoint: O and a sparse BIES over 17 types."""

Task = Literal["token-classification", "text-ranking", "text-classification", "fill-mask"]


def tiny_vocabulary() -> list[str]:
    """Special tokens, ASCII, word pieces ``##0-9a-z``, CJK punctuation and 3,755 hanzi."""
    ascii_characters = [chr(code) for code in range(0x21, 0x7F) if not chr(code).isupper()]
    pieces = [f"##{character}" for character in "0123456789abcdefghijklmnopqrstuvwxyz"]
    punctuation = list("、。，（）－—·《》“”：；？！〇")
    # GB 2312, level 1: the hanzi of everyday use, in the standard's own order.
    hanzi: list[str] = []
    for row in range(0xB0, 0xD8):
        cells = bytes(byte for cell in range(0xA1, 0xFF) for byte in (row, cell))
        hanzi.extend(cells.decode("gb2312", errors="ignore"))
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return special + ascii_characters + pieces + punctuation + hanzi


def write_tiny_checkpoint(
    directory: Path,
    *,
    seed: int,
    labels: Sequence[str] = MGEO_LABELS,
    layers: int = 2,
    hidden: int = 32,
    mgeo_keys: bool = True,
    fusion_layer: int | None = None,
    positions: int = 512,
    do_lower_case: bool = True,
    safetensors: bool = False,
    vocabulary: Sequence[str] | None = None,
    task: Task = "token-classification",
    scale: float = 0.02,
) -> Path:
    """Write a model directory as the hub's; the same arguments give the same weights.

    Args:
        directory: made if missing; files in it are overwritten.
        seed: of the random weights.
        labels: row ``i`` of the classifier is ``labels[i]``.
        layers: transformer layers in the file.
        hidden: model width, a multiple of 4 (the heads).
        mgeo_keys: name weights as MGeo does (``bert.text_encoder.``), else as transformers.
        fusion_layer: layers that text runs through; the file then also holds the cross
            attention of the layers from there on. Default: all layers, none of it.
        positions: longest sequence in tokens, special ones included.
        do_lower_case: what ``tokenizer_config.json`` says.
        safetensors: write ``model.safetensors`` instead of ``pytorch_model.bin``.
        vocabulary: default: :func:`tiny_vocabulary`.
        task: what ``configuration.json`` says the model is for.
        scale: standard deviation of the weights; larger ones make tags vary more.

    Returns:
        ``directory``.
    """
    import torch
    from transformers import BertConfig, BertForTokenClassification

    directory.mkdir(parents=True, exist_ok=True)
    tokens = list(vocabulary if vocabulary is not None else tiny_vocabulary())
    fusion = layers if fusion_layer is None else fusion_layer
    id2label = dict(enumerate(labels))
    config = BertConfig(
        vocab_size=len(tokens),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=2 * hidden,
        max_position_embeddings=positions,
        initializer_range=scale,
        id2label=id2label,
        label2id={label: index for index, label in id2label.items()},
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        weights = dict(BertForTokenClassification(config).state_dict())
        for layer in range(fusion, layers):
            prefix = f"bert.encoder.layer.{layer}."
            for name, tensor in list(weights.items()):
                if name.startswith(f"{prefix}attention."):
                    weights[name.replace(".attention.", ".crossattention.", 1)] = (
                        torch.randn_like(tensor) * scale
                    )
    if mgeo_keys:
        weights = {
            name.replace("bert.", "bert.text_encoder.", 1) if name.startswith("bert.") else name: t
            for name, t in weights.items()
        }
        # A buffer that checkpoints of the time carry along; it is no weight.
        weights["bert.text_encoder.embeddings.position_ids"] = torch.arange(positions)[None]
    weights = {name: tensor.contiguous().clone() for name, tensor in weights.items()}
    if safetensors:
        from safetensors.torch import save_file

        save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    else:
        torch.save(weights, directory / "pytorch_model.bin")

    facts = config.to_dict() | {
        "architectures": ["MGeoForTokenClassification"],
        "model_type": "bert",
        "gis_embedding": 0,
        "fusion_layer": fusion,
        "encoder_width": hidden,
    }
    _write_json(directory / "config.json", facts)
    _write_json(directory / "configuration.json", _configuration(task))
    _write_json(
        directory / "tokenizer_config.json",
        {"do_lower_case": do_lower_case, "tokenizer_class": "BertTokenizer"},
    )
    (directory / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    (directory / "README.md").write_text(
        "# A tiny model\n\nRandom weights, for tests.\n", encoding="utf-8"
    )
    return directory


def _configuration(task: Task) -> dict[str, Any]:
    pipeline = {"token-classification": "named-entity-recognition"}.get(task, task)
    return {
        "framework": "pytorch",
        "task": task,
        "model": {"type": "mgeo"},
        "preprocessor": {"type": "token-cls-tokenizer", "padding": "max_length"},
        "pipeline": {"type": pipeline},
    }


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
