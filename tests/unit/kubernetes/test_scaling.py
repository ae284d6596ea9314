"""Shadow workers come with a rollout and leave with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.control import RolloutState, ServingSet
from contracts.errors import UsageError
from contracts.phases import ENDED, SHADOWED, Phase
from deploy.scaling.api import Scale
from deploy.scaling.rule import shadow_replicas
from tests.models import instant
from tests.streams.stand_in_controller import rollout


def replicas(phase: Phase | None) -> int:
    state = RolloutState(
        incarnation="i",
        revision=1,
        serving=ServingSet(stable=instant.spec(), serving_epoch=1),
        phase=None if phase is None else str(phase),
        rollout=None if phase is None else rollout(),
        updated_at="2026-01-01T00:00:00+00:00",
    )
    return shadow_replicas(state, 3)


def test_without_a_rollout_there_are_none() -> None:
    assert replicas(None) == 0


@pytest.mark.parametrize("phase", sorted(ENDED))
def test_when_a_rollout_has_ended_they_go(phase: Phase) -> None:
    assert replicas(phase) == 0


@pytest.mark.parametrize("phase", [Phase.REGISTERED, *sorted(SHADOWED)])
def test_while_there_is_something_to_shadow_they_are_there(phase: Phase) -> None:
    assert replicas(phase) == 3


def test_a_rollback_waits_for_no_shadow() -> None:
    assert replicas(Phase.ROLLING_BACK) == 0


def test_outside_a_cluster_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        Scale("mgeo-shadow", tmp_path, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"})

    assert refused.value.code == "not_in_cluster"
