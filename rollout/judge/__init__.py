"""From outcomes to a judgement: gates, verdict, golden set, bake. Pure."""

from rollout.judge.bake import BakeWatch
from rollout.judge.expected import ExpectedDecision, expected_decision
from rollout.judge.judge import Judge
from rollout.judge.look import Look

__all__ = ["BakeWatch", "ExpectedDecision", "Judge", "Look", "expected_decision"]
