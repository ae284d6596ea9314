"""The same weights through modelscope's own implementation and through what serves here.

modelscope reads a directory that is written here from the stored tensors, so nothing that
came with the model is ever given to it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from consumer.store.hub_client import quiet_modelscope

if TYPE_CHECKING:
    from consumer.parser.checkpoint import Checkpoint
    from consumer.parser.seams import TokenIds

TOLERANCE: Final = 1e-5
"""Largest difference of any score, in fp32 on the CPU, that rounding explains; where scores
are larger than 1, for each 1 of the largest of them."""


@dataclass(frozen=True, slots=True)
class Conformance:
    """How far apart the two implementations are."""

    largest_difference: float | None
    """Of any score of any token; None when it was not run."""
    largest_score: float = 0.0
    """Of any of them, without its sign."""
    tokens: int = 0
    """How many were compared."""
    why_not: str = ""
    """Why it was not run, for people."""

    @property
    def holds(self) -> bool | None:
        """None: not known."""
        if self.largest_difference is None:
            return None
        return self.largest_difference <= TOLERANCE * max(1.0, self.largest_score)


def compare(directory: Path, sequences: Sequence[TokenIds]) -> Conformance:
    """Score token sequences both ways, in fp32 on the CPU.

    Args:
        directory: a model of the store.
        sequences: each shape (tokens,), special tokens included.
    """
    try:
        import torch
        from modelscope.models.multi_modal.mgeo import MGeoForTokenClassification
    except ImportError as error:
        missing = error.name or "modelscope"
        return Conformance(None, why_not=f"modelscope's own MGeo needs {missing}")
    from consumer.parser.checkpoint import read_checkpoint
    from consumer.parser.encoder import TorchEncoder
    from consumer.parser.network import TaggingNetwork

    checkpoint = read_checkpoint(directory)
    ours = TorchEncoder(
        TaggingNetwork(checkpoint.weights, checkpoint.architecture),
        device=torch.device("cpu"),
        precision="fp32",
    )
    with tempfile.TemporaryDirectory() as exported, quiet_modelscope():
        write_for_modelscope(checkpoint, Path(exported))
        theirs = MGeoForTokenClassification.from_pretrained(exported).eval().float()
    largest = highest = 0.0
    for sequence in sequences:
        scores = ours.encode(sequence[None], np.array([len(sequence)]))
        ids = torch.from_numpy(sequence)[None]
        with torch.inference_mode():
            reference = theirs(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        largest = max(largest, float(np.abs(scores - reference.numpy()).max()))
        highest = max(highest, float(np.abs(scores).max()))
    return Conformance(
        largest, largest_score=highest, tokens=sum(len(sequence) for sequence in sequences)
    )


def write_for_modelscope(checkpoint: Checkpoint, directory: Path) -> None:
    """Write a checkpoint as modelscope's MGeo classes read it: their names, their keys."""
    import torch

    shape = checkpoint.architecture
    config = {
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
        "gis_embedding": 0,
        "fusion_layer": shape.layers,
        "encoder_width": shape.hidden_size,
        "id2label": {str(row): label for row, label in enumerate(checkpoint.labels)},
        "label2id": {label: row for row, label in enumerate(checkpoint.labels)},
    }
    configuration = {
        "framework": "pytorch",
        "task": "token-classification",
        "model": {"type": "mgeo"},
        "preprocessor": {"type": "token-cls-tokenizer", "padding": "max_length"},
        "pipeline": {"type": "named-entity-recognition"},
    }
    (directory / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (directory / "configuration.json").write_text(json.dumps(configuration), encoding="utf-8")
    weights = {
        name.replace("bert.", "bert.text_encoder.", 1) if name.startswith("bert.") else name: t
        for name, t in checkpoint.weights.items()
    }
    torch.save(weights, directory / "pytorch_model.bin")
