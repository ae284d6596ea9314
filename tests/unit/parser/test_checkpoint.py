"""What a model directory must be, and how each other thing is refused."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from consumer.parser.checkpoint import build_network, read_checkpoint
from contracts.errors import UsageError
from tests.models.tiny import MGEO_LABELS, write_tiny_checkpoint


def refusal(directory: Path) -> UsageError:
    with pytest.raises(UsageError) as caught:
        build_network(read_checkpoint(directory))
    return caught.value


def edit_json(path: Path, **changes: Any) -> None:
    content = json.loads(path.read_text())
    for key, value in changes.items():
        if value is None:
            content.pop(key, None)
        else:
            content[key] = value
    path.write_text(json.dumps(content))


def edit_weights(directory: Path, **changes: torch.Tensor | None) -> None:
    path = directory / "pytorch_model.bin"
    weights = torch.load(path, weights_only=True)
    for key, value in changes.items():
        name = key.replace("__", ".")
        if value is None:
            del weights[name]
        else:
            weights[name] = value
    torch.save(weights, path)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return write_tiny_checkpoint(tmp_path / "model", seed=3)


@pytest.mark.parametrize("mgeo_keys", [True, False])
@pytest.mark.parametrize("safetensors", [True, False])
def test_mgeo_and_plain_bert_checkpoints_load_from_either_file(
    tmp_path: Path, mgeo_keys: bool, safetensors: bool
) -> None:
    directory = write_tiny_checkpoint(
        tmp_path / "model", seed=3, mgeo_keys=mgeo_keys, safetensors=safetensors
    )
    checkpoint = read_checkpoint(directory)
    network = build_network(checkpoint)
    assert checkpoint.labels == MGEO_LABELS
    assert not network.training
    assert all(not tensor.is_meta for tensor in network.state_dict().values())


def test_text_runs_through_the_layers_below_fusion_layer_only(tmp_path: Path) -> None:
    directory = write_tiny_checkpoint(tmp_path / "model", seed=3, layers=3, fusion_layer=2)
    checkpoint = read_checkpoint(directory)
    assert checkpoint.architecture.layers == 2
    assert not any(".layer.2." in name or "crossattention" in name for name in checkpoint.weights)
    build_network(checkpoint)


@pytest.mark.parametrize("fusion_layer", [0, 5, "2", True])
def test_an_impossible_fusion_layer_is_refused(directory: Path, fusion_layer: object) -> None:
    edit_json(directory / "config.json", fusion_layer=fusion_layer)
    assert refusal(directory).code == "bad_model_config"


def test_labels_are_looked_up_where_modelscope_looks(directory: Path) -> None:
    reordered = [MGEO_LABELS[0], *reversed(MGEO_LABELS[1:])]
    edit_json(
        directory / "configuration.json",
        preprocessor={"label2id": {label: row for row, label in enumerate(reordered)}},
    )
    assert read_checkpoint(directory).labels == tuple(reordered)
    rotated = [*MGEO_LABELS[1:], MGEO_LABELS[0]]
    (directory / "label_mapping.json").write_text(
        json.dumps({label: row for row, label in enumerate(rotated)})
    )
    assert read_checkpoint(directory).labels == tuple(rotated)


@pytest.mark.parametrize(
    "task", ["text-ranking", "text-classification", "sentence-similarity", "fill-mask"]
)
def test_models_for_other_tasks_are_refused_by_name(directory: Path, task: str) -> None:
    edit_json(directory / "configuration.json", task=task)
    error = refusal(directory)
    assert error.code == "wrong_model_kind"
    assert task in str(error)


def test_other_heads_are_refused_even_without_a_task(directory: Path) -> None:
    (directory / "configuration.json").unlink()
    edit_json(directory / "config.json", id2label={"0": "no", "1": "yes"}, label2id=None)
    assert refusal(directory).code == "wrong_model_kind"
    edit_json(directory / "config.json", id2label=None, label2id=None)
    assert refusal(directory).code == "wrong_model_kind"


def test_a_backbone_and_a_map_encoder_are_refused(directory: Path) -> None:
    edit_json(directory / "config.json", gis_embedding=1)
    assert refusal(directory).code == "wrong_model_kind"
    edit_json(directory / "config.json", gis_embedding=0)
    edit_weights(directory, classifier__weight=None)
    assert refusal(directory).code == "wrong_model_kind"


def test_labels_that_no_span_can_be_built_from_are_refused(directory: Path) -> None:
    bio = ["O", *(label for label in MGEO_LABELS if label[0] in "BI")]
    edit_json(
        directory / "config.json", id2label=None, label2id={name: i for i, name in enumerate(bio)}
    )
    error = refusal(directory)
    assert error.code == "bad_label_map"
    assert "BIES" in error.hint


def test_a_label_map_that_does_not_fit_the_classifier_is_refused(directory: Path) -> None:
    fewer = MGEO_LABELS[:-1]
    mapping = {label: row for row, label in enumerate(fewer)}
    (directory / "label_mapping.json").write_text(json.dumps(mapping))
    assert refusal(directory).code == "bad_label_map"
    mapping[fewer[-1]] += 5
    (directory / "label_mapping.json").write_text(json.dumps(mapping))
    assert refusal(directory).code == "bad_label_map"


def test_missing_surplus_and_misshapen_weights_are_errors_that_name_them(directory: Path) -> None:
    word = "bert__text_encoder__embeddings__word_embeddings__weight"
    table = torch.load(directory / "pytorch_model.bin", weights_only=True)[word.replace("__", ".")]
    for change, expected in (
        ({word: None}, "are missing"),
        ({word: table, "bert__text_encoder__adapter__weight": torch.ones(2)}, "are not part"),
        ({"bert__text_encoder__adapter__weight": None, word: table[:-1]}, "another shape"),
    ):
        edit_weights(directory, **change)
        error = refusal(directory)
        assert error.code == "bad_weights"
        assert expected in str(error)
        assert "bert." in str(error)


def test_weights_of_the_parts_that_text_never_uses_are_left_alone(directory: Path) -> None:
    edit_weights(
        directory,
        bert__text_encoder__pooler__dense__weight=torch.ones(2, 2),
        bert__gis_encoder__embeddings__word_embeddings__weight=torch.ones(2, 2),
        bert__gis2text__weight=torch.ones(2, 2),
    )
    build_network(read_checkpoint(directory))


def test_a_pickle_that_would_run_code_is_not_opened(directory: Path, tmp_path: Path) -> None:
    trace = tmp_path / "ran"

    class Payload:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (trace,))

    (directory / "pytorch_model.bin").write_bytes(pickle.dumps({"a": Payload()}))
    assert refusal(directory).code in {"unsafe_weights", "bad_weights"}
    torch.save({"a": Payload()}, directory / "pytorch_model.bin")
    assert refusal(directory).code == "unsafe_weights"
    assert not trace.exists()


@pytest.mark.parametrize("safetensors", [True, False])
def test_a_file_cut_short_is_refused(tmp_path: Path, safetensors: bool) -> None:
    directory = write_tiny_checkpoint(tmp_path / "model", seed=3, safetensors=safetensors)
    path = directory / ("model.safetensors" if safetensors else "pytorch_model.bin")
    path.write_bytes(path.read_bytes()[:-2000])
    assert refusal(directory).code == "bad_weights"


def test_missing_files_are_named(directory: Path, tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere").code == "model_not_found"
    (directory / "pytorch_model.bin").unlink()
    assert refusal(directory).code == "model_incomplete"
    (directory / "config.json").write_text("[]")
    assert refusal(directory).code == "bad_model_config"
    (directory / "config.json").unlink()
    assert refusal(directory).code == "model_incomplete"


def test_remote_code_named_in_the_config_never_runs(directory: Path, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    (directory / "modeling_evil.py").write_text(f"open({str(trace)!r}, 'w')\n")
    edit_json(
        directory / "config.json",
        auto_map={"AutoModelForTokenClassification": "modeling_evil.Evil"},
        architectures=["Evil"],
    )
    build_network(read_checkpoint(directory))
    assert not trace.exists()
