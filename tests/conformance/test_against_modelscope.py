"""Same weights, modelscope's own implementation and ours: the same numbers and entities.

And where modelscope's pipeline does the wrong thing today, ours does the right one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from consumer.address_parser import AddressParser
from consumer.parser.isolation import padded
from consumer.parser.model import MgeoModel, load_model
from consumer.settings import ParserSettings
from contracts.events import AddressResult
from tests.models.tagging import (
    ADDRESSES,
    entities_of,
    text_of,
    write_tagging_checkpoint,
)
from tests.models.tiny import write_tiny_checkpoint

pytestmark = pytest.mark.conformance

TEXTS = [text_of(address) for address in ADDRESSES]
DIGEST = "sha256:" + "0" * 64


def ours(directory: Path, **changes: Any) -> MgeoModel:
    settings = ParserSettings(device="cpu", **changes)
    return load_model(directory, version="mgeo-test-20260101", digest=DIGEST, settings=settings)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tagging_checkpoint(tmp_path_factory.mktemp("models") / "tagging")


@pytest.fixture(scope="module")
def parser(directory: Path) -> AddressParser:
    return AddressParser.from_directory(directory, settings=ParserSettings(device="cpu"))


@pytest.fixture(scope="module")
def pipeline(directory: Path) -> Callable[..., Any]:
    """modelscope's pipeline with the settings of the model's card."""
    from modelscope.pipelines.nlp import TokenClassificationPipeline

    built: Callable[..., Any] = TokenClassificationPipeline(
        model=str(directory), device="cpu", sequence_length=64
    )
    return built


def parse(parser: AddressParser, text: str) -> AddressResult:
    result = parser.parse(text)
    assert isinstance(result, AddressResult)
    return result


def entities(result: AddressResult) -> list[tuple[str, int, int]]:
    return [(c.type, c.start, c.end) for c in result.components]


@pytest.mark.parametrize(("layers", "fusion_layer"), [(2, None), (4, 4), (4, 2), (3, 1)], ids=str)
def test_scores_equal_modelscopes_within_1e_5(
    tmp_path: Path, layers: int, fusion_layer: int | None
) -> None:
    from modelscope.models.multi_modal.mgeo import MGeoForTokenClassification

    directory = write_tiny_checkpoint(
        tmp_path / "model", seed=7, hidden=64, layers=layers, fusion_layer=fusion_layer, scale=0.1
    )
    theirs = MGeoForTokenClassification.from_pretrained(str(directory)).eval()
    model = ours(directory)
    windows = [address.windows[0] for address in model.prepare(TEXTS)]
    ids, lengths = padded([window.token_ids for window in windows])
    real = np.arange(ids.shape[1]) < lengths[:, None]
    with torch.inference_mode():
        expected = theirs(
            input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(real).long()
        ).logits.numpy()
    scores = model.encoder.encode(ids, lengths)
    assert np.abs(expected[real]).max() > 0.05
    assert np.abs(scores - expected)[real].max() < 1e-5


def test_padding_changes_no_score(directory: Path) -> None:
    model = ours(directory)
    [address] = model.prepare(TEXTS[:1])
    ids = address.windows[0].token_ids[None]
    alone = model.encoder.encode(ids, np.array([ids.shape[1]]))
    padded = model.encoder.encode(np.pad(ids, ((0, 0), (0, 17))), np.array([ids.shape[1]]))
    assert np.abs(padded[:, : ids.shape[1]] - alone).max() < 1e-5


def test_entities_equal_modelscopes_on_clean_text(
    parser: AddressParser, pipeline: Callable[..., Any]
) -> None:
    for address, text in zip(ADDRESSES, TEXTS, strict=True):
        theirs = [(e["type"], e["start"], e["end"]) for e in pipeline(text)["output"]]
        assert theirs == entities_of(address)
        assert entities(parse(parser, text)) == theirs


class TestDefects:
    """One test for each known defect of the pipeline: theirs shown, ours held to be right."""

    def test_1_confidence_belongs_to_its_own_component(
        self, parser: AddressParser, pipeline: Callable[..., Any]
    ) -> None:
        text = TEXTS[0]
        [first, *_] = pipeline(text)["output"]
        preprocessed = pipeline.preprocessor(text)  # type: ignore[attr-defined]  # it is untyped
        with torch.inference_mode():
            logits = pipeline.model(  # type: ignore[attr-defined]  # it is untyped
                input_ids=preprocessed["input_ids"], attention_mask=preprocessed["attention_mask"]
            )["logits"]
        of_special_token = torch.softmax(logits[0], -1)[0]
        assert any(
            math.isclose(float(p), float(first["prob"]), rel_tol=1e-4) for p in of_special_token
        )
        result = parse(parser, text)
        assert all(component.confidence > 0.99 for component in result.components)

    def test_2_an_unknown_character_costs_nothing_else(
        self, parser: AddressParser, pipeline: Callable[..., Any]
    ) -> None:
        for odd in ("😀", "𪚥", "\u200b"):
            text = TEXTS[2] + odd
            if odd != "\u200b":
                with pytest.raises(ValueError, match="substring not found"):
                    pipeline(text)
            result = parse(parser, text)
            assert result.status == "ok"
            for c in result.components:
                assert text[c.start : c.end] == c.text
        results = parser.parse([TEXTS[0], "😀", TEXTS[1]])
        assert [entities(results[i]) for i in (0, 2)] == [entities_of(a) for a in ADDRESSES[:2]]

    def test_3_short_texts_are_not_padded_to_the_window(
        self, directory: Path, pipeline: Callable[..., Any]
    ) -> None:
        assert pipeline.preprocessor(TEXTS[0])["input_ids"].shape[1] == 64  # type: ignore[attr-defined]  # it is untyped
        [address] = ours(directory).prepare(TEXTS[:1])
        assert address.windows[0].length == len(TEXTS[0]) + 2

    def test_4_a_list_is_batched_whatever_its_lengths(
        self, parser: AddressParser, directory: Path
    ) -> None:
        from modelscope.pipelines.nlp import TokenClassificationPipeline

        theirs = TokenClassificationPipeline(
            model=str(directory), device="cpu", sequence_length=64, padding="longest"
        )
        with pytest.raises(RuntimeError):
            theirs(TEXTS, batch_size=len(TEXTS))
        assert [entities(r) for r in parser.parse(TEXTS)] == [entities_of(a) for a in ADDRESSES]

    def test_5_long_text_is_parsed_to_its_end(
        self, parser: AddressParser, pipeline: Callable[..., Any]
    ) -> None:
        text = "，".join([TEXTS[2]] * 12)
        assert len(text) < parser.settings.limits.max_address_chars
        assert max(e["end"] for e in pipeline(text)["output"]) < 100
        assert max(c.end for c in parse(parser, text).components) > len(text) - 10

    def test_6_a_broken_path_is_decoded_as_the_best_legal_one(self) -> None:
        from modelscope.pipelines.nlp import TokenClassificationPipeline

        from consumer.parser.spans import BiesDecoder

        tags = ["B-city", "I-city", "O", "O", "E-road"]
        labels = ["O", "B-city", "I-city", "E-city", "B-road", "I-road", "E-road"]
        scores = np.full((5, len(labels)), -9.0, dtype=np.float32)
        for row, tag in enumerate(tags):
            scores[row, labels.index(tag)] = 9.0
        bare = TokenClassificationPipeline.__new__(TokenClassificationPipeline)
        bare.id2label = dict(enumerate(labels))
        chunks = bare._chunk_process(
            {
                "text": "杭州市西路",
                "logits": torch.from_numpy(scores)[None],
                "offset_mapping": torch.tensor([[[i, i + 1] for i in range(5)]]),
            }
        )
        assert [(c["type"], c["start"], c["end"]) for c in chunks] == [("city", 0, 5)]
        spans = BiesDecoder(dict(enumerate(labels))).decode(scores)[0]
        assert all((span.type, span.start, span.end) != ("city", 0, 5) for span in spans)

    def test_7_no_component_is_cut_by_a_window(
        self, directory: Path, pipeline: Callable[..., Any]
    ) -> None:
        text = TEXTS[2]
        cut = pipeline(text, split_max_length=8)["output"]
        assert [(e["type"], e["start"], e["end"]) for e in cut] != entities_of(ADDRESSES[2])
        model = ours(directory, sequence_length=16)
        [address] = model.prepare([text])
        assert len(address.windows) > 1
        scores = [
            model.encoder.encode(w.token_ids[None], np.array([w.length]))[0]
            for w in address.windows
        ]
        [result] = model.interpret([address], [scores])
        assert "".join(text[c.start : c.end] for c in result.components) in text
        assert all(
            a.end <= b.start for a, b in zip(result.components, result.components[1:], strict=False)
        )

    def test_8_results_are_json(self, parser: AddressParser, pipeline: Callable[..., Any]) -> None:
        with pytest.raises(TypeError):
            json.dumps(pipeline(TEXTS[0]))
        result = parse(parser, TEXTS[0])
        assert json.loads(json.dumps(result.model_dump()))["address"]["city"] == "北京市"
        assert AddressResult.model_validate_json(result.model_dump_json()) == result

    def test_9_the_name_of_the_folder_changes_nothing(self, tmp_path: Path) -> None:
        directory = write_tagging_checkpoint(tmp_path / "an-lstm-like-name")
        from modelscope.pipelines.nlp import TokenClassificationPipeline

        theirs = TokenClassificationPipeline(model=str(directory), device="cpu", sequence_length=64)
        ids = theirs.preprocessor(TEXTS[0])["input_ids"][0]
        parser = AddressParser.from_directory(directory, settings=ParserSettings(device="cpu"))
        assert ids[0] != 2  # [CLS] is gone
        assert entities(parse(parser, TEXTS[0])) == entities_of(ADDRESSES[0])
