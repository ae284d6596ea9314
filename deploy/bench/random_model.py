"""MGeo-architecture checkpoints with random weights: the speed of a model without the model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_TYPES: Final = (
    *("prov", "city", "district", "town", "road", "roadno", "intersection", "poi", "subpoi"),
    *("houseno", "cellno", "floorno", "community", "assist", "distance", "devzone"),
    "village_group",
)
_SINGLE: Final = ("assist", "community", "district", "poi", "intersection")
LABELS: Final = (
    "O",
    *(f"{mark}-{kind}" for kind in _TYPES for mark in "BIE"),
    *(f"S-{kind}" for kind in _SINGLE),
)
"""The 57 labels of the published element-tagging checkpoint."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of a network: ``vocabulary`` is how many rows its embedding has."""

    layers: int
    hidden: int
    heads: int
    intermediate: int
    vocabulary: int
    positions: int = 512


BASE: Final = Shape(12, 768, 12, 3072, 21128)
"""The published base model: 102 M parameters."""

SMALL: Final = Shape(3, 256, 4, 1024, 5800)
"""The order of size of a starter model."""


def write_random_checkpoint(directory: Path, shape: Shape, *, seed: int) -> Path:
    """Write a model directory laid out as on the hub; the same arguments give the same weights."""
    import torch
    import transformers
    from safetensors.torch import save_file

    bert: Any = transformers  # it declares types for some of its code only
    directory.mkdir(parents=True, exist_ok=True)
    id2label = dict(enumerate(LABELS))
    config = bert.BertConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.intermediate,
        max_position_embeddings=shape.positions,
        id2label=id2label,
        label2id={label: row for row, label in id2label.items()},
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        weights = bert.BertForTokenClassification(config).state_dict()
    named = {
        name.replace("bert.", "bert.text_encoder.", 1) if name.startswith("bert.") else name: value
        for name, value in weights.items()
    }
    # As a pickle, because modelscope's own loader looks for that name first.
    torch.save(named, directory / "pytorch_model.bin")
    save_file(
        {name: tensor.contiguous().clone() for name, tensor in weights.items()},
        directory / "model.safetensors",
        metadata={"format": "pt"},
    )
    facts = config.to_dict() | {
        "architectures": ["MGeoForTokenClassification"],
        "gis_embedding": 0,
        "fusion_layer": shape.layers,
        "encoder_width": shape.hidden,
    }
    _write(directory / "config.json", facts)
    _write(
        directory / "configuration.json",
        {
            "framework": "pytorch",
            "task": "token-classification",
            "model": {"type": "mgeo"},
            "preprocessor": {"type": "token-cls-tokenizer", "padding": "max_length"},
            "pipeline": {"type": "named-entity-recognition"},
        },
    )
    _write(
        directory / "tokenizer_config.json",
        {"do_lower_case": True, "tokenizer_class": "BertTokenizer"},
    )
    (directory / "vocab.txt").write_text(
        "\n".join(_vocabulary(shape.vocabulary)) + "\n", encoding="utf-8"
    )
    return directory


def _vocabulary(size: int) -> list[str]:
    """Special tokens, ASCII, word pieces and as many hanzi as fit, common ones first."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    ascii_ = [chr(code) for code in range(0x21, 0x7F) if not chr(code).isupper()]
    pieces = [f"##{character}" for character in "0123456789abcdefghijklmnopqrstuvwxyz"]
    # GB 2312 in the standard's own order: everyday hanzi first; then the rest of the plane.
    rows = range(0xB0, 0xF8)
    common = [
        bytes((row, cell)).decode("gb2312", errors="ignore")
        for row in rows
        for cell in range(0xA1, 0xFF)
    ]
    hanzi = [character for character in common if character]
    rest = [chr(code) for code in range(0x4E00, 0x9FA6)]
    tokens = list(dict.fromkeys([*special, *ascii_, *pieces, *hanzi, *rest]))[:size]
    return tokens + [f"[unused{index}]" for index in range(size - len(tokens))]


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
