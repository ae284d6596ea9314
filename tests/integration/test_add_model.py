"""What may come into the store, and every kind of directory that may not."""

from __future__ import annotations

import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import torch

from consumer.parser.checkpoint import build_network, read_checkpoint
from consumer.store.add import add_directory
from consumer.store.backends import open_files
from consumer.store.cache import ModelCache
from consumer.store.manifest import ModelSource
from consumer.store.starters import StarterReleases
from consumer.store.store import ModelStore
from contracts.errors import UsageError
from tests.models.tiny import MGEO_LABELS, write_tiny_checkpoint

VERSION = "mgeo-tiny-v1-20261101"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
HERE = ModelSource(kind="directory")


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(
        open_files(str(tmp_path / "store")),
        ModelCache(tmp_path / "cache"),
        StarterReleases(tmp_path / "no-starters"),
    )


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_tiny_checkpoint(tmp_path / "model", seed=1)


def add(store: ModelStore, directory: Path, version: str = VERSION) -> str:
    added = add_directory(store, directory, version=version, source=HERE, created=NOW)
    return added.manifest.digest


def refused(store: ModelStore, directory: Path) -> UsageError:
    with pytest.raises(UsageError) as caught:
        add(store, directory)
    assert store.versions() == [], "a refused model can be seen"
    return caught.value


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def logits(directory: Path) -> torch.Tensor:
    network = build_network(read_checkpoint(directory))
    with torch.inference_mode():
        return network(input_ids=torch.tensor([[2, 100, 200, 300, 3]])).logits


@pytest.mark.parametrize("safetensors", [False, True])
@pytest.mark.parametrize("fusion_layer", [None, 1])
def test_an_added_model_gives_the_scores_of_the_original(
    store: ModelStore, tmp_path: Path, safetensors: bool, fusion_layer: int | None
) -> None:
    source = write_tiny_checkpoint(
        tmp_path / "m", seed=2, safetensors=safetensors, fusion_layer=fusion_layer
    )
    add(store, source)
    opened = store.open(VERSION)
    assert torch.equal(logits(opened.directory), logits(source))
    assert opened.manifest.labels == MGEO_LABELS
    assert opened.manifest.architecture.layers == (fusion_layer or 2)
    assert sorted(path.name for path in opened.directory.iterdir()) == [
        "README.md",
        "config.json",
        "manifest.json",
        "model.safetensors",
        "tokenizer_config.json",
        "vocab.txt",
    ]


def test_adding_again_changes_nothing_and_another_model_is_refused(
    store: ModelStore, model: Path, tmp_path: Path
) -> None:
    digest = add(store, model)
    assert add(store, model) == digest
    with pytest.raises(UsageError) as taken:
        add(store, write_tiny_checkpoint(tmp_path / "other", seed=9))
    assert taken.value.code == "version_taken"
    assert add(store, tmp_path / "other", "mgeo-tiny-v2-20261201") != digest
    assert store.find(VERSION).manifest.digest == digest


def test_labels_are_taken_from_label_mapping_first(store: ModelStore, model: Path) -> None:
    turned = list(reversed(MGEO_LABELS))
    mapping = {label: row for row, label in enumerate(turned)}
    (model / "label_mapping.json").write_text(json.dumps(mapping))
    add(store, model)
    assert store.find(VERSION).manifest.labels == tuple(turned)


def test_half_precision_weights_stay_half_as_large(store: ModelStore, model: Path) -> None:
    weights = torch.load(model / "pytorch_model.bin", weights_only=True)
    halves = {n: t.half() if t.is_floating_point() else t for n, t in weights.items()}
    torch.save(halves, model / "pytorch_model.bin")
    add(store, model)
    manifest = store.find(VERSION).manifest
    weights_bytes = manifest.file("model.safetensors").size_bytes
    assert weights_bytes < 2.2 * manifest.architecture.parameters


class _Canary:
    """Unpickled, it runs a command that leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self._command = f"touch {path}"

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self._command,)


def test_a_malicious_pickle_is_refused_and_never_executed(
    store: ModelStore, model: Path, tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    weights = torch.load(model / "pytorch_model.bin", weights_only=True)
    torch.save({**weights, "extra": _Canary(canary)}, model / "pytorch_model.bin")
    assert refused(store, model).code == "unsafe_weights"
    assert not canary.exists()
    # The bait is good: a plain load springs it.
    torch.load(model / "pytorch_model.bin", weights_only=False)
    assert canary.exists()


def test_a_bare_malicious_pickle_is_refused_and_never_executed(
    store: ModelStore, model: Path, tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    (model / "pytorch_model.bin").write_bytes(pickle.dumps(_Canary(canary), protocol=2))
    assert refused(store, model).code in ("unsafe_weights", "bad_weights")
    assert not canary.exists()


def test_code_in_the_directory_never_runs_whatever_the_directory_is_called(
    store: ModelStore, tmp_path: Path
) -> None:
    model = write_tiny_checkpoint(tmp_path / "damo" / "model", seed=1)
    canary = tmp_path / "canary"
    for name in ("modeling.py", "ms_wrapper.py", "__init__.py"):
        (model / name).write_text(f"open({str(canary)!r}, 'w')")
    edit(
        model / "config.json",
        lambda c: c.update(auto_map={"AutoModel": "modeling.Model"}, trust_remote_code=True),
    )
    edit(model / "configuration.json", lambda c: c.update(allow_remote=True))
    added = add_directory(store, model, version=VERSION, source=HERE, created=NOW)
    assert added.ignored == ("__init__.py", "modeling.py", "ms_wrapper.py")
    assert not canary.exists()
    stored = store.open(VERSION).directory
    assert "auto_map" not in (stored / "config.json").read_text()
    assert not list(stored.glob("*.py"))


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.99])
@pytest.mark.parametrize("safetensors", [False, True])
def test_truncated_weights_are_refused(
    store: ModelStore, tmp_path: Path, kept: float, safetensors: bool
) -> None:
    model = write_tiny_checkpoint(tmp_path / "m", seed=1, safetensors=safetensors)
    path = model / ("model.safetensors" if safetensors else "pytorch_model.bin")
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data)) if isinstance(kept, float) else kept])
    assert refused(store, model).code in ("bad_weights", "unsafe_weights")


def test_a_safetensors_header_of_any_claimed_size_is_refused(
    store: ModelStore, tmp_path: Path
) -> None:
    model = write_tiny_checkpoint(tmp_path / "m", seed=1, safetensors=True)
    for length in (2**63, 2**40, 10):
        (model / "model.safetensors").write_bytes(struct.pack("<Q", length) + b"{" * 1000)
        assert refused(store, model).code == "bad_weights"


def test_a_compressed_bomb_is_refused_before_it_unpacks(store: ModelStore, model: Path) -> None:
    path = model / "pytorch_model.bin"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * (64 * 1024 * 1024))
    error = refused(store, model)
    assert error.code == "unsafe_weights"
    assert "unpacks to" in str(error)


def test_a_tensor_that_claims_more_than_the_file_holds_is_refused(
    store: ModelStore, model: Path
) -> None:
    weights = torch.load(model / "pytorch_model.bin", weights_only=True)
    weights["classifier.weight"] = torch.zeros(1).expand(1_000_000, 1_000_000)
    torch.save(weights, model / "pytorch_model.bin")
    assert "claim" in str(refused(store, model))


def test_weights_that_are_not_numbers_are_refused(store: ModelStore, model: Path) -> None:
    weights = torch.load(model / "pytorch_model.bin", weights_only=True)
    weights["classifier.bias"][3] = float("nan")
    torch.save(weights, model / "pytorch_model.bin")
    assert refused(store, model).code == "bad_weights"


def test_weights_under_other_names_are_refused(store: ModelStore, model: Path) -> None:
    weights = torch.load(model / "pytorch_model.bin", weights_only=True)
    weights["bert.surprise"] = torch.zeros(2)
    torch.save(weights, model / "pytorch_model.bin")
    assert "surprise" in str(refused(store, model))
    del weights["bert.surprise"], weights["bert.text_encoder.embeddings.LayerNorm.weight"]
    torch.save(weights, model / "pytorch_model.bin")
    assert "missing" in str(refused(store, model))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda c: c["id2label"].pop("56"), "bad_label_map"),
        (lambda c: c["id2label"].update({"57": "B-roomno"}), "bad_label_map"),
        (lambda c: c["id2label"].update({"5": "B-prov"}), "bad_label_map"),
        (lambda c: c.update(id2label={"0": "LABEL_0", "1": "LABEL_1"}), "wrong_model_kind"),
        (
            lambda c: c.update(id2label={str(i): f"S-{i}" if i else "O" for i in range(57)}),
            "wrong_model_kind",
        ),
        (lambda c: c.update(num_hidden_layers=3, fusion_layer=3), "bad_weights"),
        (lambda c: c.update(num_hidden_layers=10**9, fusion_layer=10**9), "bad_weights"),
        (lambda c: c.update(hidden_size=64), "bad_weights"),
        (lambda c: c.update(vocab_size=10**12), "bad_weights"),
        (lambda c: c.update(max_position_embeddings=10**12), "bad_weights"),
        (lambda c: c.update(num_attention_heads=0), "bad_model_config"),
        (lambda c: c.update(hidden_act="mystery"), "bad_model_config"),
        (lambda c: c.update(gis_embedding=1), "wrong_model_kind"),
        (lambda c: c.update(type_vocab_size="two"), "bad_weights"),
        (lambda c: c.pop("vocab_size"), "bad_model_config"),
    ],
)
def test_a_configuration_that_does_not_fit_the_weights_is_refused(
    store: ModelStore, model: Path, change: Callable[[dict[str, Any]], object], code: str
) -> None:
    edit(model / "config.json", lambda c: c.pop("label2id"))
    edit(model / "config.json", change)
    assert refused(store, model).code == code


@pytest.mark.parametrize("content", ["", "not json", "[]", "null", "{" * 100_000, '{"a": NaN'])
def test_a_config_that_is_no_json_object_is_refused(
    store: ModelStore, model: Path, content: str
) -> None:
    (model / "config.json").write_text(content)
    assert refused(store, model).code == "bad_model_config"


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("text-ranking", "address ranking"),
        ("text-classification", "similarity or entity alignment"),
        ("sentence-similarity", "similarity or entity alignment"),
        ("fill-mask", "backbone"),
        ("backbone", "backbone"),
        ("image-captioning", "image-captioning"),
    ],
)
def test_a_model_of_another_kind_is_refused_by_name(
    store: ModelStore, model: Path, task: str, said: str
) -> None:
    edit(model / "configuration.json", lambda c: c.update(task=task))
    error = refused(store, model)
    assert error.code == "wrong_model_kind"
    assert said in str(error)
    assert "element tagging" in error.hint


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ({}, "backbone"),
        ({"cls.predictions.bias": torch.zeros(4)}, "backbone"),
        ({"classifier.weight": torch.zeros(1, 32)}, "address ranking"),
        (
            {
                "classifier.weight": torch.zeros(3, 32),
                "bert.text_encoder.pooler.dense.weight": torch.zeros(32, 32),
            },
            "similarity or entity alignment",
        ),
    ],
)
def test_weights_give_a_mislabelled_kind_away(
    store: ModelStore, model: Path, head: dict[str, torch.Tensor], said: str
) -> None:
    weights = torch.load(model / "pytorch_model.bin", weights_only=True)
    del weights["classifier.weight"], weights["classifier.bias"]
    torch.save({**weights, **head}, model / "pytorch_model.bin")
    error = refused(store, model)
    assert error.code == "wrong_model_kind"
    assert said in str(error)


def test_links_out_of_the_directory_are_refused(
    store: ModelStore, model: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("[PAD]\n")
    for name in ("vocab.txt", "README.md"):
        (model / name).unlink()
        (model / name).symlink_to(secret)
        assert refused(store, model).code == "unsafe_model_directory"
    (model / "README.md").unlink()
    (model / "vocab.txt").unlink()
    (model / "vocab.txt").symlink_to("/dev/zero")
    assert refused(store, model).code == "unsafe_model_directory"


def test_links_inside_the_directory_are_followed(store: ModelStore, model: Path) -> None:
    (model / "blobs").mkdir()
    (model / "vocab.txt").rename(model / "blobs" / "abc")
    (model / "vocab.txt").symlink_to("blobs/abc")
    add(store, model)
    assert not (store.open(VERSION).directory / "vocab.txt").is_symlink()


def test_what_is_no_plain_file_is_refused(store: ModelStore, model: Path) -> None:
    (model / "README.md").unlink()
    os.mkfifo(model / "README.md")
    assert refused(store, model).code == "unsafe_model_directory"
    (model / "README.md").unlink()
    (model / "README.md").mkdir()
    assert refused(store, model).code == "unsafe_model_directory"


def test_oversized_files_are_refused_without_being_read_whole(
    store: ModelStore, model: Path
) -> None:
    for name in ("config.json", "vocab.txt", "README.md"):
        before = (model / name).read_bytes()
        with (model / name).open("r+b") as sparse:
            sparse.truncate(10**12)
        assert refused(store, model).code == "model_too_large"
        (model / name).write_bytes(before)


def test_a_vocabulary_that_does_not_fit_is_refused(store: ModelStore, model: Path) -> None:
    vocabulary = (model / "vocab.txt").read_text()
    for bad in (vocabulary + "more\n", vocabulary.replace("[CLS]\n", "x\n"), ""):
        (model / "vocab.txt").write_text(bad)
        assert refused(store, model).code == "bad_vocabulary"
    (model / "vocab.txt").write_bytes(b"\xff\xfe\x00")
    assert refused(store, model).code == "bad_vocabulary"


@pytest.mark.parametrize("temperature", [0, -1, "NaN", None, True])
def test_a_calibration_that_is_none_is_refused(
    store: ModelStore, model: Path, temperature: object
) -> None:
    (model / "calibration.json").write_text(json.dumps({"temperature": temperature}))
    assert refused(store, model).code == "bad_calibration"


def test_the_calibration_is_stored_with_the_model(store: ModelStore, model: Path) -> None:
    (model / "calibration.json").write_text(json.dumps({"temperature": 1.5}))
    add(store, model)
    opened = store.open(VERSION)
    assert opened.manifest.temperature == 1.5
    assert json.loads((opened.directory / "calibration.json").read_text())["temperature"] == 1.5


@pytest.mark.parametrize("name", ["config.json", "vocab.txt", "pytorch_model.bin"])
def test_a_missing_file_is_named(store: ModelStore, model: Path, name: str) -> None:
    (model / name).unlink()
    error = refused(store, model)
    assert error.code == "model_incomplete"
    assert name in str(error)


def test_any_damage_to_a_pickle_is_a_refusal_or_changes_no_meaning(
    store: ModelStore, model: Path
) -> None:
    """Every 40th byte of the pickled part is turned over: never another exception."""
    path = model / "pytorch_model.bin"
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        info = next(i for i in archive.infolist() if i.filename.endswith("data.pkl"))
    for position in range(info.header_offset + 80, info.header_offset + info.file_size, 400):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        try:
            add(store, model)
        except UsageError:
            continue
        store.remove(VERSION)


def test_nothing_is_left_in_the_working_directory(store: ModelStore, model: Path) -> None:
    add(store, model)
    (model / "config.json").write_text("broken")
    with pytest.raises(UsageError):
        add(store, model, "mgeo-tiny-v3-20261101")
    with store.workspace() as workspace:
        assert [p for p in workspace.parent.glob(".partial-*") if p != workspace] == []
