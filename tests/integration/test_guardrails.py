"""A real controller refuses what is looser than its guardrails, by the field's name."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.policy import Policy
from contracts.rollout import GoldenOutcome
from contracts.settings import KafkaSettings
from rollout.guardrails import load_guardrails
from tests.brokers.admin import TopicFactory
from tests.streams import controller as c

pytestmark = pytest.mark.broker

OURS, OTHER = (f"sha256:{digit * 64}" for digit in "ab")


def looked_at(digest: str) -> GoldenOutcome:
    return GoldenOutcome(
        file_digest=digest,
        addresses=500,
        reference_f1=0.9,
        candidate_f1=0.9,
        mean_delta=0.0,
        interval=(0.0, 0.0),
    )


@pytest.fixture
def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    names = topics.create_standard(1)
    return kafka.model_copy(update={"topic_prefix": names.prefix})


async def test_a_looser_request_is_refused_by_name_and_one_within_them_begins(
    stream: KafkaSettings, tmp_path: Path
) -> None:
    path = tmp_path / "guardrails.yaml"
    path.write_text(f"alpha: {{promote: 0.05}}\ngolden: {{files: [{OURS!r}]}}\n")
    loose = Policy.model_validate({**c.QUICK.model_dump(mode="json"), "alpha": {"promote": 0.2}})
    parts = c.parts_for(stream, c.Script(), guardrails=load_guardrails(path))
    await c.first(stream)
    async with c.running_controller(stream, parts) as running, c.traffic(stream):
        await running.leading()
        await c.start(stream, "loose", policy=loose)
        await c.start(stream, "other-file", golden=looked_at(OTHER))
        refused = {
            name: (await c.outcome(stream, f"start {name}")).request
            for name in ("loose", "other-file")
        }
        assert (await c.state_of(stream)).rollout is None
        await c.start(stream, "within", golden=looked_at(OURS))
        accepted = (await c.outcome(stream, "start within")).request
    for name, field in (("loose", "alpha.promote"), ("other-file", "golden.path")):
        said = refused[name]
        assert said is not None
        assert not said.accepted
        assert said.code == "looser_than_guardrails"
        assert field in said.message
    assert accepted is not None
    assert accepted.accepted
