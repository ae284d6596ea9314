"""From where a rollout stands to what a waiting command leaves with. Pure."""

from __future__ import annotations

from contracts.judgement import Verdict
from contracts.phases import ENDED, Phase
from deploy.cli import exit_codes
from rollout.progress import has_reached

NO_DATA_CODES = frozenset(
    {"no_traffic", "stale_evidence", "shadow_silent", "no_shadow_workers", "shadow_incomplete"}
)
"""Endings that say that there was nothing to judge, rather than too little."""

_NO_DATA_VERDICTS = frozenset({"no_data", "stale"})

_WAY_BACK = frozenset({Phase.ROLLING_BACK, Phase.ROLLED_BACK})


def exit_of(
    phase: Phase,
    *,
    code: str = "",
    verdict: Verdict | None = None,
    verdict_code: str = "",
    approved: bool = False,
    until: Phase = Phase.PROMOTED,
) -> int | None:
    """What to leave with; None while there is something to wait for.

    Args:
        phase: where the rollout is.
        code: why it is there.
        verdict: of the newest judgement.
        verdict_code: the code of that judgement.
        approved: whether an approval was accepted already.
        until: the phase that is waited for.
    """
    if has_reached(phase, until):
        return exit_codes.OK
    if phase is Phase.AWAITING_APPROVAL:
        return None if approved else exit_codes.AWAITING_APPROVAL
    if phase not in ENDED:
        return None
    if phase is Phase.PROMOTED:
        # It can still be rolled back, and somebody waits for just that.
        return None if until in _WAY_BACK else exit_codes.FAILED
    if phase is not Phase.INCONCLUSIVE:
        return exit_codes.FAILED
    without_data = code in NO_DATA_CODES or (
        verdict in _NO_DATA_VERDICTS and code in (verdict_code, "max_duration")
    )
    return exit_codes.NO_DATA if without_data else exit_codes.INCONCLUSIVE
