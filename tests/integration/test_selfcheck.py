"""A stored model is held against modelscope's own implementation and the known addresses."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from consumer.selfcheck import KNOWN_ADDRESSES, selfcheck
from consumer.selfcheck.conformance import Conformance, compare
from consumer.selfcheck.known import KnownAddress, judge, read_known
from consumer.settings import ParserSettings
from consumer.store import open_store
from consumer.store.add import add_directory
from consumer.store.manifest import ModelSource
from contracts.errors import UsageError
from tests.models.tagging import (
    ADDRESSES,
    entities_of,
    text_of,
    write_tagging_checkpoint,
)

VERSION = "mgeo-tiny-v1-20261101"


def write_known(path: Path, *, wrong: int = 0) -> Path:
    """The addresses that the tagging checkpoint gets right; the first ``wrong`` ones altered."""
    lines = []
    for number, address in enumerate(ADDRESSES):
        text = text_of(address)
        spans = entities_of(address)
        if number < wrong:
            kind, start, end = spans[0]
            spans[0] = ("town" if kind != "town" else "city", start, end)
        parts = [{"type": t, "start": s, "end": e, "text": text[s:e]} for t, s, e in spans]
        lines.append(json.dumps({"text": text, "components": parts}, ensure_ascii=False))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> ParserSettings:
    root = tmp_path_factory.mktemp("selfcheck")
    settings = ParserSettings(
        model_store=str(root / "store"), model_cache=root / "cache", version=VERSION, device="cpu"
    )
    add_directory(
        open_store(settings),
        write_tagging_checkpoint(root / "model"),
        version=VERSION,
        source=ModelSource(kind="directory"),
        created=datetime(2026, 11, 1, tzinfo=UTC),
    )
    return settings


@pytest.mark.conformance
def test_a_sound_model_conforms_and_gets_the_known_addresses_right(
    settings: ParserSettings, tmp_path: Path
) -> None:
    check = selfcheck(None, settings, known=write_known(tmp_path / "known.jsonl"))
    assert check.spec.version == VERSION
    assert check.conformance.holds is True
    assert check.conformance.tokens > 50
    assert (check.known.whole, check.known.addresses) == (len(ADDRESSES), len(ADDRESSES))
    assert check.known.right_share == 1.0


def test_what_is_wrong_is_counted_and_named_by_line(
    settings: ParserSettings, tmp_path: Path
) -> None:
    report = selfcheck(None, settings, known=write_known(tmp_path / "k", wrong=2)).known
    assert report.misses == (1, 2)
    assert report.whole == len(ADDRESSES) - 2
    counts = {count.type: count for count in report.types}
    assert (counts["town"].expected, counts["town"].right) == (3, 1)
    assert counts["city"].said == counts["city"].expected + 2
    assert 0.8 < report.right_share < 1.0


@pytest.mark.conformance
def test_a_model_whose_numbers_differ_does_not_conform(
    settings: ParserSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: with one weight changed on the way, the comparison must say so."""
    from consumer.selfcheck import conformance

    real = conformance.write_for_modelscope

    def changed(checkpoint: object, directory: Path) -> None:
        checkpoint.weights["bert.encoder.layer.0.output.dense.bias"][0] += 0.01  # type: ignore[attr-defined]
        real(checkpoint, directory)  # type: ignore[arg-type]
        checkpoint.weights["bert.encoder.layer.0.output.dense.bias"][0] -= 0.01  # type: ignore[attr-defined]

    monkeypatch.setattr(conformance, "write_for_modelscope", changed)
    directory = open_store(settings).open(VERSION).directory
    result = compare(directory, [np.array([2, 100, 200, 3])])
    assert result.holds is False


def test_not_run_is_neither_right_nor_wrong() -> None:
    assert Conformance(None, why_not="modelscope is not installed").holds is None


def test_types_a_model_cannot_name_count_neither_way() -> None:
    known = [KnownAddress("x" * 9, frozenset({("road", 0, 3), ("roomno", 3, 6)}))]
    report = judge(known, [[("road", 0, 3), ("houseno", 4, 6)]], {"road", "houseno"})
    assert report.whole == 1
    assert report.unknown_types == ("roomno",)
    assert [count.type for count in report.types] == ["road"]
    strict = judge(known, [[("road", 0, 3), ("houseno", 4, 6)]], {"road", "houseno", "roomno"})
    assert strict.whole == 0


def test_the_known_addresses_of_the_package_are_read() -> None:
    assert len(read_known(KNOWN_ADDRESSES)) == 50


@pytest.mark.parametrize(
    "line",
    [
        "",
        "no json",
        '{"text": "abc"}',
        '{"text": "abc", "components": [{"type": "road", "start": 0, "end": 2, "text": "x"}]}',
        '{"text": "abc", "components": [{"type": "no", "start": 0, "end": 1, "text": "a"}]}',
    ],
)
def test_a_broken_file_of_known_addresses_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "known.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(UsageError) as refused:
        read_known(path)
    assert refused.value.code == "bad_known_addresses"
    assert "abc" not in str(refused.value)
