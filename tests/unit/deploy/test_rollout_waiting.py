"""What a waiting command tells where nobody watches: each phase, and what is waited for."""

from __future__ import annotations

import pytest

from contracts.control import ServingSet
from contracts.phases import Phase
from deploy.cli.rollout_waiting import progress_line
from rollout.standing import Standing
from tests.models import instant
from tests.streams.stand_in_controller import rollout


def standing(phase: Phase, waiting_for: tuple[int, ...] = ()) -> Standing:
    return Standing(
        rollout=rollout(waiting_for=waiting_for),
        phase=phase,
        paused=False,
        serving=ServingSet(stable=instant.spec(), serving_epoch=7),
        revision=9,
        current=True,
        judgement=None,
    )


def test_a_pipe_is_told_that_shadow_workers_are_waited_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress_line() as show:
        show(standing(Phase.WARMING, (0, 1)))
        show(standing(Phase.WARMING, (0, 1)))
        show(standing(Phase.WARMING, (1,)))
        show(standing(Phase.SHADOWING))

    told = capsys.readouterr().err.splitlines()

    assert len(told) == 3, "one line for each thing that is new"
    assert "WARMING: waits for shadow workers" in told[0]
    assert told[1] != told[0]
    assert told[2].endswith("SHADOWING")
