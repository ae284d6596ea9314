"""The label map of a model directory: which row of the scores means what.

Labels are looked up where modelscope looks, in its order; never assumed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contracts.components import COMPONENT_TYPES
from contracts.errors import UsageError


def read_json_object(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file of a model directory, or None when there is no such file.

    Raises:
        UsageError: ``bad_model_config`` when it is something else.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise UsageError(f"{path.name} is not a JSON object", code="bad_model_config")
    return content


def read_labels(directory: Path) -> tuple[str, ...]:
    """The labels, row by row, of a token classifier over address components.

    Looked up in ``label_mapping.json``, then ``configuration.json`` (under ``model``, then
    ``preprocessor``), then ``config.json``.

    Raises:
        UsageError: ``wrong_model_kind`` when there is no map, or one that names no address
            component; ``bad_label_map`` when its rows have gaps, or a type lacks the labels
            that BIES needs.
    """
    found = _find(directory)
    if found is None:
        raise UsageError(
            "the model directory holds no label map: this is not a token classifier",
            code="wrong_model_kind",
            hint="element tagging models name their labels in label_mapping.json or config.json",
        )
    labels = _in_order(found)
    _check_scheme(labels)
    return labels


def _find(directory: Path) -> Mapping[str, int] | None:
    mapping = read_json_object(directory / "label_mapping.json")
    if mapping is not None:
        return _label_to_row(mapping)
    configuration = read_json_object(directory / "configuration.json") or {}
    config = read_json_object(directory / "config.json") or {}
    for place in (configuration.get("model"), configuration.get("preprocessor"), config):
        if not isinstance(place, dict):
            continue
        for key, turn in (("label2id", False), ("id2label", True)):
            mapping = place.get(key)
            if isinstance(mapping, dict) and mapping:
                pairs = {v: k for k, v in mapping.items()} if turn else mapping
                return _label_to_row(pairs)
    return None


def _label_to_row(mapping: Mapping[Any, Any]) -> dict[str, int]:
    try:
        return {str(label): int(row) for label, row in mapping.items()}
    except (TypeError, ValueError):
        raise UsageError(
            "the label map has a row that is not a number", code="bad_label_map"
        ) from None


def _in_order(mapping: Mapping[str, int]) -> tuple[str, ...]:
    if sorted(mapping.values()) != list(range(len(mapping))):
        raise UsageError(
            f"the label map's {len(mapping)} rows are not 0 to {len(mapping) - 1}, each once",
            code="bad_label_map",
        )
    return tuple(sorted(mapping, key=mapping.__getitem__))


def _check_scheme(labels: tuple[str, ...]) -> None:
    marks: dict[str, set[str]] = {}
    for label in labels:
        mark, dash, kind = label.partition("-")
        if label != "O" and (mark not in {"B", "I", "E", "S"} or not dash or not kind):
            raise UsageError(
                "the model's labels are no BIES tags of address components "
                f"(one of them is {label[:40]!r})",
                code="wrong_model_kind",
                hint="similarity, alignment and ranking models cannot parse addresses",
            )
        if label != "O":
            marks.setdefault(kind, set()).add(mark)
    if "O" not in labels:
        raise UsageError("the label map has no O", code="bad_label_map")
    if marks.keys().isdisjoint(COMPONENT_TYPES):
        raise UsageError(
            "none of the model's labels names an address component", code="wrong_model_kind"
        )
    for kind, known in marks.items():
        if "S" not in known and not {"B", "E"} <= known:
            raise UsageError(
                f"label map: {kind!r} has neither S nor both B and E, so no span can be legal",
                code="bad_label_map",
                hint="BIO models need their labels converted to BIES",
            )
