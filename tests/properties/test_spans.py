"""The span decoder returns the best legal path and its exact probabilities, whatever the map."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from consumer.parser.spans import BiesDecoder, TokenSpan

TYPES = ("city", "road")
TAGS = [f"{mark}-{kind}" for kind in TYPES for mark in "BIES"]

Path = tuple[str, ...]


def is_legal(path: Path) -> bool:
    """The grammar, said a second time: each tag and its successor, with both ends."""
    for left, right in itertools.pairwise(("O", *path, "O")):
        if left[0] in "BI":
            if right not in {f"I-{left[2:]}", f"E-{left[2:]}"}:
                return False
        elif right[0] in "IE":
            return False
    return True


def spans_of(path: Path) -> list[tuple[str, int, int]]:
    found, start = [], 0
    for index, tag in enumerate(path):
        if tag[0] in "BS":
            start = index
        if tag[0] in "ES":
            found.append((tag[2:], start, index + 1))
    return found


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[str], NDArray[np.float32], float]:
    """A label map with any tags left out, scores for it, a temperature."""
    kept = draw(st.sets(st.sampled_from(TAGS), min_size=0))
    labels = draw(st.permutations(["O", *sorted(kept)]))
    length = draw(st.integers(1, 4))
    values = st.floats(-8, 8, width=16)
    scores = draw(
        st.lists(
            st.lists(values, min_size=len(labels), max_size=len(labels)),
            min_size=length,
            max_size=length,
        )
    )
    temperature = draw(st.sampled_from([0.5, 1.0, 2.5]))
    return labels, np.array(scores, dtype=np.float32), temperature


@settings(deadline=None)
@given(cases())
def test_path_and_probabilities_equal_those_of_trying_every_path(
    case: tuple[list[str], NDArray[np.float32], float],
) -> None:
    labels, scores, temperature = case
    column = {label: index for index, label in enumerate(labels)}
    paths = [p for p in itertools.product(labels, repeat=len(scores)) if is_legal(p)]
    total = {p: sum(float(scores[t, column[tag]]) for t, tag in enumerate(p)) for p in paths}
    best = max(total.values())
    weight = {p: math.exp((value - best) / temperature) for p, value in total.items()}
    everything = sum(weight.values())

    decoder = BiesDecoder(dict(enumerate(labels)), temperature)
    (answer,) = decoder.decode_paths(scores)

    chosen = [p for p in paths if spans_of(p) == [(s.type, s.start, s.end) for s in answer.spans]]
    assert len(chosen) == 1
    assert total[chosen[0]] == pytest.approx(best, abs=1e-3)
    assert answer.confidence == pytest.approx(weight[chosen[0]] / everything, abs=1e-5)
    for span in answer.spans:
        key = (span.type, span.start, span.end)
        marginal = sum(w for p, w in weight.items() if key in spans_of(p)) / everything
        assert span.confidence == pytest.approx(marginal, abs=1e-5)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 40), min_size=1, max_size=9))
def test_a_row_is_decoded_as_if_it_were_alone(seed: int, lengths: list[int]) -> None:
    rng = np.random.default_rng(seed)
    labels = ["O", *TAGS]
    scores = (rng.normal(size=(len(lengths), 40, len(labels))) * 30).astype(np.float32)
    for row, length in enumerate(lengths):
        scores[row, length:] = np.nan  # padding may hold anything
    decoder = BiesDecoder(dict(enumerate(labels)))
    together = decoder.decode_paths(scores, lengths)
    for row, length in enumerate(lengths):
        (alone,) = decoder.decode_paths(scores[row : row + 1, :length])
        assert [s[:3] for s in alone.spans] == [s[:3] for s in together[row].spans]
        ends = [0, *(s.end for s in alone.spans)]
        assert all(s.start >= end for s, end in zip(alone.spans, ends, strict=False))
        assert ends[-1] <= length
        assert all(0.0 <= s.confidence <= 1.0 for s in alone.spans)
        assert together[row].confidence == pytest.approx(alone.confidence, abs=1e-6)


@pytest.mark.parametrize("factor", [1.0, 1e4, 1e6])
def test_long_texts_and_huge_scores_keep_confidence_a_number(factor: float) -> None:
    rng = np.random.default_rng(5)
    decoder = BiesDecoder(dict(enumerate(["O", *TAGS])))
    scores = (rng.normal(size=(2, 510, 9)) * factor).astype(np.float32)
    for path in decoder.decode_paths(scores):
        assert 0.0 <= path.confidence <= 1.0
        assert all(0.0 <= s.confidence <= 1.0 for s in path.spans)


def test_an_illegal_tag_that_dwarfs_all_legal_ones_leaves_their_probabilities_exact() -> None:
    labels = {0: "O", 1: "B-city", 2: "I-city", 3: "E-city", 4: "S-city"}
    scores = np.array([[0, -8, 20, 0, 0.0], [-3, 0, 0, 0, -2]], dtype=np.float32)
    (path,) = BiesDecoder(labels, temperature=0.5).decode_paths(scores)
    # O and S-city are as likely at both places as their scores alone say.
    (span,) = [span for span in path.spans if span.start == 1]
    assert span.confidence == pytest.approx(1 / (1 + math.exp(-2)), abs=1e-5)


def test_temperature_softens_confidence_and_leaves_the_path() -> None:
    labels = {0: "O", 1: "B-city", 2: "E-city"}
    scores = np.array([[0, 5, 0], [0, 0, 5]], dtype=np.float32)
    ((sharp,),) = BiesDecoder(labels).decode(scores)
    ((soft,),) = BiesDecoder(labels, temperature=4.0).decode(scores)
    assert sharp[:3] == soft[:3] == ("city", 0, 2)
    assert sharp.confidence > soft.confidence > 0.5


def test_a_lone_inner_tag_is_no_span_however_high_it_scores() -> None:
    labels = {0: "O", 1: "B-city", 2: "I-city", 3: "E-city"}
    scores = np.array([[0, -9, 50, -9]], dtype=np.float32)
    assert BiesDecoder(labels).decode(scores) == [[]]


def test_nothing_to_decode_is_no_error() -> None:
    decoder = BiesDecoder({0: "O", 1: "S-poi"})
    assert decoder.decode(np.zeros((0, 5, 2), dtype=np.float32)) == []
    assert decoder.decode(np.zeros((2, 0, 2), dtype=np.float32)) == [[], []]
    certain = np.array([[[0, 30]]], dtype=np.float32)
    assert decoder.decode(certain, [0]) == [[]]
    assert decoder.decode(certain, [1]) == [[TokenSpan("poi", 0, 1, pytest.approx(1.0))]]


@pytest.mark.parametrize(
    "labels",
    [{1: "O"}, {0: "B-city"}, {0: "O", 1: "X-city"}, {0: "O", 1: "B-"}, {0: "O", 1: "O"}],
)
def test_label_maps_that_are_not_bies_are_refused(labels: dict[int, str]) -> None:
    with pytest.raises(ValueError, match="label"):
        BiesDecoder(labels)


def test_broken_model_output_is_refused() -> None:
    decoder = BiesDecoder({0: "O", 1: "S-poi"})
    with pytest.raises(ValueError, match="finite"):
        decoder.decode(np.array([[0, np.nan]], dtype=np.float32))
    with pytest.raises(ValueError, match="expected"):
        decoder.decode(np.zeros((3, 5), dtype=np.float32))
