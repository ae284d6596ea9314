"""The fold does not depend on how evidence is delivered, and counts every record once."""

from __future__ import annotations

import random
from dataclasses import dataclass

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from rollout.evidence import Trial
from rollout.evidence.production import production_of
from tests.rollouts.histories import PARTITIONS, Delivery, histories
from tests.rollouts.pairs import Witness, rollout_of


@dataclass(frozen=True)
class Said:
    """Everything that a fold says."""

    chain: str
    outcomes: int
    judged: tuple[object, ...]
    served: tuple[int, int]


def fold(deliveries: list[Delivery], rng: random.Random | None = None) -> tuple[Said, Trial]:
    """Fold; with ``rng`` in another order of delivery, mixed over all kinds and partitions."""
    rollout, witness = rollout_of(), Witness()
    trial = Trial(rollout, judge=witness)
    for one in deliveries:
        if rng is None:
            trial.advance(one.cut, one.pairs, one.parsed, one.missing)
            continue
        steps = [
            *[(trial.take_pair, pair) for pair in one.pairs],
            *[(trial.take_production, production_of(batch)) for batch in one.parsed],
            *[(trial.take_missing, record) for record in one.missing],
        ]
        rng.shuffle(steps)  # type: ignore[arg-type]  # of calls with their arguments
        for take, what in steps:
            take(what)  # type: ignore[operator]  # as above
        trial.close(one.cut)
    judged = (witness.addresses, witness.batches, witness.parities, witness.looks)
    served = trial.served(rollout.reference.key, 7)
    return Said(trial.chain, trial.outcomes, tuple(map(tuple, judged)), served), trial


@hypothesis_settings(max_examples=60)
@given(histories(), st.randoms(use_true_random=False))
def test_any_order_of_delivery_within_the_cuts_says_the_same(
    deliveries: list[Delivery], rng: random.Random
) -> None:
    assert fold(deliveries)[0] == fold(deliveries, rng)[0]


@hypothesis_settings(max_examples=60)
@given(histories(), st.randoms(use_true_random=False))
def test_a_repeated_pair_changes_nothing_but_the_count_of_repeats(
    deliveries: list[Delivery], rng: random.Random
) -> None:
    said, trial = fold(deliveries)
    everything = [pair for one in deliveries for pair in one.pairs]
    again = rng.sample(everything, min(3, len(everything)))
    at_most = {id(pair): number for number, one in enumerate(deliveries) for pair in one.pairs}
    repeated = [
        Delivery(
            one.cut,
            one.pairs + tuple(pair for pair in again if at_most[id(pair)] <= number),
            one.parsed,
            one.missing,
        )
        for number, one in enumerate(deliveries)
    ]

    other, other_trial = fold(repeated, rng)

    expected = sum(len(one.pairs) for one in repeated) - len(everything)
    assert other_trial.accounting.repeated == expected
    assert (other.chain, other.outcomes, other.served) == (said.chain, said.outcomes, said.served)
    assert other.judged[:3] == said.judged[:3]
    forgiven = other_trial.accounting.model_copy(update={"repeated": 0})
    assert forgiven == trial.accounting


@hypothesis_settings(max_examples=40)
@given(histories())
def test_every_record_is_of_exactly_one_kind(deliveries: list[Delivery]) -> None:
    said, trial = fold(deliveries)
    counts = trial.accounting

    pairs = {pair.origin.id for one in deliveries for pair in one.pairs}
    crashed = {pair.origin.id for one in deliveries for pair in one.pairs if pair.candidate.error}
    holes = {
        f"address.events/{record.partition}/{record.offset}"
        for one in deliveries
        for record in one.missing
    }
    assert counts.sampled == said.outcomes == len(pairs | holes)
    kinds = counts.paired, counts.unreadable, counts.candidate_failed, counts.reference_failed
    assert sum(kinds) == counts.sampled
    assert counts.candidate_failed == len(crashed | holes)


@hypothesis_settings(max_examples=40)
@given(histories())
def test_each_address_and_each_device_batch_counts_once_at_its_first_place(
    deliveries: list[Delivery],
) -> None:
    said, _ = fold(deliveries)
    addresses, batches, parities, _ = said.judged
    units = [one.unit for one in addresses]  # type: ignore[attr-defined]
    assert len(units) == len(set(units))
    assert len({one.batch_id for one in batches}) == len(batches)  # type: ignore[attr-defined,arg-type]
    compared = [one.unit for one in parities]  # type: ignore[attr-defined]
    assert len(compared) == len(set(compared))
    assert set(compared) <= set(units)


@hypothesis_settings(max_examples=40)
@given(histories(), st.data())
def test_changing_one_pair_changes_the_chain(
    deliveries: list[Delivery], data: st.DataObject
) -> None:
    places = [(n, i) for n, one in enumerate(deliveries) for i in range(len(one.pairs))]
    if not places:
        return
    number, index = data.draw(st.sampled_from(places))
    one = deliveries[number]
    pair = one.pairs[index]
    changed = pair.model_copy(
        update={"candidate": pair.candidate.model_copy(update={"device_ms": 9.5})}
    )
    pairs = (*one.pairs[:index], changed, *one.pairs[index + 1 :])
    other = [*deliveries]
    other[number] = Delivery(one.cut, pairs, one.parsed, one.missing)

    assert fold(other)[0].chain != fold(deliveries)[0].chain


@hypothesis_settings(max_examples=40)
@given(histories())
def test_holes_are_exactly_the_offsets_without_a_telling_pair(deliveries: list[Delivery]) -> None:
    trial = Trial(rollout_of(), judge=Witness())
    passed = dict.fromkeys(PARTITIONS, 0)
    for one in deliveries:
        for pair in one.pairs:
            trial.take_pair(pair)
        for partition, committed in one.cut.shadow_committed.items():
            ours = [p for p in one.pairs if p.origin.partition == partition]
            have = {p.origin.offset for p in ours if not p.candidate.error}
            holes = [offset for run in trial.holes(partition, committed) for offset in run]
            assert holes == [o for o in range(passed[partition], committed) if o not in have]
            passed[partition] = committed
        trial.close(one.cut)
