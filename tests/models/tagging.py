"""An MGeo checkpoint that tags a few addresses rightly, made without training.

The transformer is random; the classifier is solved for, so that the tags of the addresses
below come out with a wide margin. Tests can then compare entities and not only numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from safetensors.torch import save_file

from consumer.parser.checkpoint import build_network, read_checkpoint, read_weights
from consumer.parser.tokenizer import AddressTokenizer
from tests.models.tiny import MGEO_LABELS, write_tiny_checkpoint

Labelled = Sequence[tuple[str, str | None]]

ADDRESSES: Final[tuple[Labelled, ...]] = (
    (("北京市", "city"), ("海淀区", "district"), ("中关村大街", "road"), ("1号", "roadno")),
    (("上海市", "city"), ("浦东新区", "district"), ("张江高科技园区", "devzone")),
    (
        ("浙江省", "prov"),
        ("杭州市", "city"),
        ("余杭区", "district"),
        ("文一西路", "road"),
        ("969号", "roadno"),
        ("西溪园区", "poi"),
        ("12号楼", "houseno"),
        ("3单元", "cellno"),
        ("15层", "floorno"),
    ),
    (("江苏省", "prov"), ("苏州市", "city"), ("花桥镇", "town"), ("金城路", "road")),
    (("四川省", "prov"), ("成都市", "city"), ("，", None), ("天府广场", "poi"), ("旁", "assist")),
)
"""Addresses as (text, type) pieces; None is text outside components."""


def text_of(address: Labelled) -> str:
    """The address as one string."""
    return "".join(piece for piece, _ in address)


def entities_of(address: Labelled) -> list[tuple[str, int, int]]:
    """(type, start, end) of its components."""
    found, position = [], 0
    for piece, kind in address:
        if kind is not None:
            found.append((kind, position, position + len(piece)))
        position += len(piece)
    return found


def write_tagging_checkpoint(directory: Path, *, seed: int = 11, safetensors: bool = False) -> Path:
    """Write a model directory whose tags for ``ADDRESSES`` are right.

    Args:
        directory: made if missing.
        seed: of the random transformer.
        safetensors: write ``model.safetensors`` instead of ``pytorch_model.bin``.
    """
    write_tiny_checkpoint(
        directory, seed=seed, hidden=256, layers=2, scale=0.05, safetensors=safetensors
    )
    checkpoint = read_checkpoint(directory)
    network = build_network(checkpoint)
    tokenizer = AddressTokenizer.from_directory(directory)
    states, wanted = [], []
    for address in ADDRESSES:
        [(ids, offsets)] = tokenizer.encode([text_of(address)])
        row = torch.tensor([[tokenizer.special.first, *ids, tokenizer.special.last]])
        with torch.inference_mode():
            hidden = network.bert(input_ids=row).last_hidden_state[0, 1:-1]  # type: ignore[operator]  # a Module's attribute
        states.append(hidden.double().numpy())
        wanted += [MGEO_LABELS.index(tag) for tag in _tags(address, offsets)]
    features = np.concatenate(states)
    features = np.hstack([features, np.ones((len(features), 1))])
    targets = np.full((len(wanted), len(MGEO_LABELS)), -8.0)
    targets[np.arange(len(wanted)), wanted] = 8.0
    solution = np.linalg.lstsq(features, targets, rcond=None)[0]
    weights = read_weights(directory)
    weights["classifier.weight"] = torch.tensor(solution[:-1].T.copy(), dtype=torch.float32)
    weights["classifier.bias"] = torch.tensor(solution[-1], dtype=torch.float32)
    if safetensors:
        save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    else:
        torch.save(weights, directory / "pytorch_model.bin")
    return directory


def _tags(address: Labelled, offsets: Sequence[tuple[int, int]]) -> list[str]:
    tags = []
    for start, end in offsets:
        tag = "O"
        for kind, first, last in entities_of(address):
            if first <= start and end <= last:
                mark = "B" if start == first else "E" if end == last else "I"
                tag = f"S-{kind}" if end - start == last - first else f"{mark}-{kind}"
        tags.append(tag)
    return tags
