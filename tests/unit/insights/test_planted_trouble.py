"""Trouble that was planted is found through the real parser, and clean addresses are left alone.

What is planted knows nothing of the detectors. The measured figures, from more addresses, stand in
``benchmarks/insights.json``.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from benchmarks import insights, planted_trouble
from rollout.insights.classes import CLASSES

pytest.importorskip("torch", reason="the starter model runs on the worker's libraries")


def test_the_planting_code_imports_nothing_of_the_detectors() -> None:
    source = ast.parse(Path(planted_trouble.__file__).read_text("utf-8"))
    modules = {
        name
        for node in ast.walk(source)
        for name in (
            [one.name for one in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert not [name for name in modules if name.startswith(("rollout", "contracts"))]
    assert set(planted_trouble.CODES) == {one.code for one in CLASSES}


def test_planted_trouble_is_found_and_clean_addresses_are_left_alone() -> None:
    found = insights.measure(seed=12, of_each=40, clean=300)
    for code, score in found.scores.items():
        # Of 40 each, so a little below what is measured over more.
        assert score.recall >= 0.8, code
        assert score.precision >= 0.75, code
    assert found.false_alarms < 0.04


def test_the_published_figures_keep_their_promise() -> None:
    stored = json.loads(insights.STORED.read_text("utf-8"))
    assert set(stored["classes"]) == set(planted_trouble.CODES)
    for code, one in stored["classes"].items():
        assert one["precision"] >= 0.9, code
        assert one["recall"] >= 0.9, code
    assert stored["clean"]["raised"] < 0.02 * stored["clean"]["addresses"]
