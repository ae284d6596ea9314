"""The serving ledger says no to a result by another model than the epoch allows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.control import ServingSet
from contracts.routing import takes_candidate
from contracts.spec import ModelSpec
from deploy.ledger import Place
from deploy.serving_ledger import Served, serving_violations


def spec(number: int) -> ModelSpec:
    return ModelSpec(
        version=f"mgeo-m-v{number}-20260101",
        digest=f"sha256:{number}" + "0" * 63,
        precision="fp32",
        fingerprint="0" * 16,
    )


OLD, NEW = spec(1), spec(2)
SETS = {
    1: ServingSet(stable=OLD, serving_epoch=1),
    2: ServingSet(stable=OLD, candidate=NEW, share=0.5, serving_epoch=2, rollout_id="r"),
    3: ServingSet(stable=NEW, serving_epoch=3),
}


def right(offset: int, epoch: int) -> Served:
    takes = epoch == 3 or (epoch == 2 and takes_candidate("r", 0, offset, 0.5))
    return Served(Place("bulk", 0, offset), NEW if takes else OLD, epoch, 1)


GOOD = [right(offset, 1 + offset // 20) for offset in range(60)]


def test_a_faultless_history_passes() -> None:
    assert {one.model.version for one in GOOD[20:40]} == {OLD.version, NEW.version}
    assert serving_violations(GOOD, SETS) == []


def test_a_track_that_was_asked_for_goes_before_the_share() -> None:
    other = NEW if GOOD[30].model == OLD else OLD
    asked = {Place("bulk", 0, 30): "canary" if other == NEW else "stable"}
    served = [*GOOD[:30], replace(GOOD[30], model=other), *GOOD[31:]]

    assert serving_violations(served, SETS, asked) == []
    assert serving_violations(served, SETS) != []


@pytest.mark.parametrize(
    ("at", "change", "word"),
    [
        (5, {"model": NEW}, "expected mgeo-m-v1"),
        (50, {"model": OLD}, "expected mgeo-m-v2"),
        (50, {"epoch": 1}, "epoch 1 after 3"),
        (50, {"epoch": 9}, "nobody has written"),
        (50, {"model": NEW.model_copy(update={"precision": "fp16"})}, "expected mgeo-m-v2"),
    ],
)
def test_every_kind_of_damage_is_named(at: int, change: dict[str, object], word: str) -> None:
    served = [*GOOD[:at], replace(GOOD[at], **change), *GOOD[at + 1 :]]  # type: ignore[arg-type]  # by parameter

    assert any(word in line for line in serving_violations(served, SETS))
