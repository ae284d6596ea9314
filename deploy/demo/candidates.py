"""Candidates with a known flaw, made from a good checkpoint: for the demo, tests and benchmarks.

Each is a model directory like any other and takes the road of any other, `mgeo model add`.
Nothing here changes how a model is run: the flaw is in the weights.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from torch import Tensor

_PARTS: Final = ("config.json", "configuration.json", "tokenizer_config.json", "vocab.txt")
_CALIBRATION: Final = "calibration.json"
_WEIGHTS: Final = "model.safetensors"
_LAYER: Final = re.compile(r"(.*\.encoder\.layer\.)(\d+)(\..*)")

Weights = dict[str, "Tensor"]


def copy_of(base: Path, target: Path) -> Path:
    """The same model in another directory, to be added under another version."""
    return _write(base, target, _read(base))


def with_tags_exchanged(base: Path, target: Path, one: str, other: str) -> Path:
    """A model that calls one kind of component by the name of another.

    What a label map in the wrong order does: fluent answers with high confidence, well formed,
    and wrong wherever one of the two occurs. The rows of the classifier for both are exchanged.

    Args:
        base: a model directory with ``model.safetensors``.
        target: made if missing.
        one: a component type, for example ``roadno``.
        other: another one, with the same tags.

    Raises:
        ValueError: the label map has no tag that the two have in common.
    """
    weights = _read(base)
    labels = json.loads((base / "config.json").read_text("utf-8"))["id2label"]
    row_of = {label: int(row) for row, label in labels.items()}
    pairs = [
        (row_of[f"{mark}-{one}"], row_of[f"{mark}-{other}"])
        for mark in "BIES"
        if f"{mark}-{one}" in row_of and f"{mark}-{other}" in row_of
    ]
    if not pairs:
        raise ValueError(f"{one} and {other} have no tags in common")
    order = list(range(len(labels)))
    for first, second in pairs:
        order[first], order[second] = second, first
    for name in ("classifier.weight", "classifier.bias"):
        weights[name] = weights[name][order].contiguous()
    return _write(base, target, weights)


def with_random_answers(base: Path, target: Path, *, seed: int) -> Path:
    """A model whose classifier is noise: garbage, at full speed and without an error."""
    import torch

    weights = _read(base)
    generator = torch.Generator().manual_seed(seed)
    shape = weights["classifier.weight"].shape
    noise = torch.randn(shape, generator=generator)
    weights["classifier.weight"] = noise.to(weights["classifier.weight"].dtype)
    return _write(base, target, weights)


def with_added_layers(base: Path, target: Path, extra: int) -> Path:
    """The same answers from a deeper network: slower by the time of ``extra`` real layers.

    An added layer has the query, key, value and inner weights of the last one and computes as
    much; its two output products are zero, so that only the residual passes. What is left of
    it are two layer norms, and a norm without scale and shift leaves what is already
    normalised as it is: hence the last layer's final norm becomes a bare one, and its scale
    and shift move to the final norm of the last added layer.

    Args:
        base: a model directory with ``model.safetensors``.
        target: made if missing.
        extra: layers to add, at least 1.
    """
    weights = _read(base)
    config = json.loads((base / "config.json").read_text("utf-8"))
    layers: int = config["num_hidden_layers"]
    last = {
        (found[1], found[3]): tensor
        for name, tensor in weights.items()
        if (found := _LAYER.fullmatch(name)) is not None and int(found[2]) == layers - 1
    }
    for number in range(layers, layers + extra):
        for (prefix, name), tensor in last.items():
            weights[f"{prefix}{number}{name}"] = _passing(name, tensor)
    for (prefix, name), tensor in last.items():
        if name.startswith(".output.LayerNorm."):
            weights[f"{prefix}{layers - 1}{name}"] = _passing(name, tensor)
            weights[f"{prefix}{layers + extra - 1}{name}"] = tensor.clone()
    config["num_hidden_layers"] = layers + extra
    if "fusion_layer" in config:
        config["fusion_layer"] = layers + extra
    return _write(base, target, weights, config)


def _passing(name: str, tensor: Tensor) -> Tensor:
    """This weight of a layer that lets normalised values through unchanged."""
    if name.startswith((".attention.output.dense.", ".output.dense.")):
        return tensor.new_zeros(tensor.shape)
    if ".LayerNorm." in name:
        bare = tensor.new_ones if name.endswith((".weight", ".gamma")) else tensor.new_zeros
        return bare(tensor.shape)
    return tensor.clone()


def _read(base: Path) -> Weights:
    from safetensors.torch import load_file

    return load_file(base / _WEIGHTS)


def _write(
    base: Path, target: Path, weights: Weights, config: Mapping[str, Any] | None = None
) -> Path:
    from safetensors.torch import save_file

    target.mkdir(parents=True, exist_ok=True)
    for name in (*_PARTS, _CALIBRATION):
        if (base / name).is_file():
            shutil.copyfile(base / name, target / name)
    if config is not None:
        (target / "config.json").write_text(json.dumps(config), encoding="utf-8")
    save_file(weights, target / _WEIGHTS, metadata={"format": "pt"})
    return target
