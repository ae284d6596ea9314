"""A fitted network as a model directory, laid out as MGeo's own on the hub.

Owns the files' form: the weights' names are those of MGeo checkpoints, in half precision, so
that a starter model is loaded by the very path that a real one takes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load_file, save_file

from consumer.starter.recipes import Recipe
from consumer.starter.tags import LABEL_ID, LABELS

CONFIGURATION: Final = {
    "framework": "pytorch",
    "task": "token-classification",
    "model": {"type": "mgeo"},
    "preprocessor": {"type": "token-cls-tokenizer", "padding": "max_length"},
    "pipeline": {"type": "named-entity-recognition"},
}
_BUFFERS: Final = ("bert.embeddings.position_ids", "bert.embeddings.token_type_ids")


def mgeo_name(name: str) -> str:
    """The name that MGeo's checkpoints give a weight of transformers' BERT."""
    return name.replace("bert.", "bert.text_encoder.", 1) if name.startswith("bert.") else name


def config_of(recipe: Recipe, vocabulary_size: int) -> dict[str, Any]:
    """``config.json``: BERT's keys, and MGeo's own."""
    shape = recipe.shape
    return {
        "architectures": ["MGeoForTokenClassification"],
        "model_type": "mgeo",
        "attention_probs_dropout_prob": recipe.dropout,
        "hidden_dropout_prob": recipe.dropout,
        "hidden_act": "gelu",
        "hidden_size": shape.hidden,
        "initializer_range": 0.02,
        "intermediate_size": shape.intermediate,
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": shape.positions,
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "pad_token_id": 0,
        "position_embedding_type": "absolute",
        "type_vocab_size": 2,
        "vocab_size": vocabulary_size,
        "gis_embedding": 0,
        "fusion_layer": shape.layers,
        "encoder_width": shape.hidden,
        "id2label": {str(row): label for row, label in enumerate(LABELS)},
        "label2id": LABEL_ID,
    }


def write_checkpoint(directory: Path, network: Any, recipe: Recipe, vocabulary: list[str]) -> None:
    """Write everything but the calibration, the card and the manifest."""
    directory.mkdir(parents=True, exist_ok=True)
    weights = {
        mgeo_name(name): tensor.detach().to(torch.float16).contiguous()
        for name, tensor in network.state_dict().items()
        if name not in _BUFFERS
    }
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    write_json(directory / "config.json", config_of(recipe, len(vocabulary)))
    write_json(directory / "configuration.json", CONFIGURATION)
    write_json(
        directory / "tokenizer_config.json",
        {
            "do_lower_case": True,
            "tokenize_chinese_chars": True,
            "strip_accents": None,
            "model_max_length": recipe.shape.positions,
            "tokenizer_class": "BertTokenizer",
            "unk_token": "[UNK]",
            "sep_token": "[SEP]",
            "pad_token": "[PAD]",
            "cls_token": "[CLS]",
            "mask_token": "[MASK]",
        },
    )
    (directory / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")


def read_weights(directory: Path) -> dict[str, Any]:
    """A written checkpoint's weights in single precision, named as transformers names them."""
    return {
        name.replace("bert.text_encoder.", "bert.", 1): tensor.float()
        for name, tensor in load_file(directory / "model.safetensors").items()
    }


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Readable JSON with a line end."""
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
