"""The one look at the labelled set, before a rollout is asked for. Loads both models here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.components import ADMINISTRATIVE_TYPES
from contracts.errors import UsageError
from contracts.events import Component
from contracts.policy import Policy
from contracts.rollout import GoldenOutcome
from contracts.spec import ModelSpec
from rollout.golden import GoldenRow, GoldenSet, compare, read_golden

if TYPE_CHECKING:
    from consumer.parser.model import MgeoModel
    from consumer.settings import ParserSettings


def look(
    path: Path,
    *,
    reference: ModelSpec,
    candidate: ModelSpec,
    policy: Policy,
    settings: ParserSettings,
    progress: Callable[[int], None] = lambda _: None,
) -> GoldenOutcome:
    """What the labelled set says about two specs.

    Args:
        path: the golden file.
        reference: what serves.
        candidate: what may serve.
        policy: its ``golden.min_addresses`` is the least that the set must have.
        settings: device and model store. Without a GPU half precision is read as fp32: the
            same weights, on the device that this machine has.
        progress: told how many addresses are done.

    Raises:
        UsageError: ``bad_golden_set``, ``golden_too_small``, ``extra_missing``, and those of
            loading a model.
        FatalError: ``model_digest_mismatch``.
        TransientError: ``model_store_unreachable``.
    """
    golden = read_golden(path)
    check_size(golden, policy, path)
    require_torch()
    from deploy.paired_parsing import PairedParser, run_all

    parser = PairedParser(open_here(reference, settings), open_here(candidate, settings), settings)
    ours, theirs, _ = run_all(parser, [row.text for row in golden.rows], progress)
    return compare(golden, ours, theirs).outcome


def province_of(row: GoldenRow) -> str:
    """The province that the labels say or imply; empty where they leave it open."""
    from consumer.gazetteer.completion import default_completer

    named = ((kind, row.named(kind)) for kind in ADMINISTRATIVE_TYPES)
    places = [
        Component(type=kind, text=text, start=0, end=len(text), confidence=1.0)
        for kind, text in named
        if text
    ]
    return default_completer().complete(places).address.get("prov", "")


def check_size(golden: GoldenSet, policy: Policy, path: Path) -> None:
    """Refuse a set that is too small to see anything.

    Raises:
        UsageError: ``golden_too_small``.
    """
    size, least = len(golden.gating), policy.golden.min_addresses
    if size < least:
        raise UsageError(
            f"{path} has {size} labelled addresses that count, golden.min_addresses is {least}",
            code="golden_too_small",
            hint="Label more; mgeo golden check says what a set of a given size can see.",
        )


def require_torch() -> None:
    """Say what to install instead of failing in the middle.

    Raises:
        UsageError: ``extra_missing``.
    """
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise UsageError(
            "running models on this machine needs the worker's libraries",
            code="extra_missing",
            hint='pip install "mgeo-stream[worker]"',
        )


def open_here(spec: ModelSpec, settings: ParserSettings) -> MgeoModel:
    """The model of a spec, at its precision, or at fp32 where this machine has no GPU.

    Raises:
        UsageError, FatalError, TransientError: as ``consumer.parser.opening.open_spec``.
    """
    from consumer.parser.opening import open_spec

    try:
        return open_spec(spec, settings)
    except UsageError as error:
        if error.code != "bad_precision":
            raise
    return open_spec(spec.model_copy(update={"precision": "fp32"}), settings)
