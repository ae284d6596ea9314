"""What a fold says of single cases."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from contracts.events import ShadowPair
from contracts.policy import BakePolicy, Policy, ShadowPolicy
from contracts.rollout import Replay
from contracts.routing import in_shadow
from rollout.evidence import Trial
from rollout.evidence import trial as trial_module
from rollout.evidence.outcomes import AddressOutcome, BatchOutcome
from rollout.evidence.pairing import MissingRecord
from rollout.evidence.production import production_of
from tests.rollouts.pairs import (
    AT_MS,
    CANDIDATE,
    ID,
    REFERENCE,
    Witness,
    cut_of,
    failed,
    pair_of,
    parsed,
    result_of,
    rollout_of,
    spec,
)


def texts(count: int, start: int = 0) -> list[str]:
    return [f"浙江省文三路{number}号" for number in range(start, start + count)]


def test_an_address_counts_at_its_first_place_in_the_order_of_the_input() -> None:
    witness = Witness()
    trial = Trial(rollout_of(), judge=witness)
    text = "浙江省文三路1号"

    trial.advance(
        cut_of(1, {0: 9, 1: 9}),
        [
            pair_of(4, [parsed(text)], partition=1),
            pair_of(8, [parsed("浙江省 文三路1号")], partition=0),
            pair_of(5, [failed(text)], [parsed(text)], partition=0),
        ],
        [],
    )

    (address,) = witness.addresses
    assert (address.partition, address.offset, address.candidate_error) == (0, 5, True)
    assert trial.accounting.addresses == 3
    assert trial.accounting.distinct == 1


def test_gates_take_no_more_than_max_pairs_while_counting_goes_on() -> None:
    witness = Witness()
    policy = Policy(shadow=ShadowPolicy(min_pairs=1, max_pairs=3))
    trial = Trial(rollout_of(policy=policy), judge=witness)

    for number, text in enumerate(texts(5)):
        pairs = [pair_of(number, [parsed(text)], batch=f"d-{number}")]
        trial.advance(cut_of(number + 1, {0: number + 1}), pairs, [])

    assert len(witness.addresses) == len(witness.batches) == 3
    assert (trial.accounting.distinct, trial.accounting.addresses) == (3, 5)
    assert trial.outcomes == 5


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"rollout_id": "r-other"}, "another rollout's"),
        ({"rollout_id": ""}, "nobody's"),
    ],
)
def test_other_rollouts_pairs_are_no_evidence(other: dict[str, str], what: str) -> None:
    trial = Trial(rollout_of(), judge=Witness())
    trial.advance(cut_of(1, {0: 1}), [pair_of(0, [parsed("浙")], **other)], [])  # type: ignore[arg-type]
    assert (trial.outcomes, trial.ignored, trial.spoiled) == (0, 1, ""), what


def test_records_outside_the_sample_and_before_the_beginning_are_no_evidence() -> None:
    trial = Trial(rollout_of(share=0.5, from_offsets={0: 10}), judge=Witness())
    offsets = range(60)

    trial.advance(cut_of(1, {0: 60}), [pair_of(n, [parsed("浙")]) for n in offsets], [])

    expected = [n for n in offsets if n >= 10 and in_shadow(ID, 0, n, 0.5)]
    assert 0 < len(expected) < 50
    assert trial.outcomes == len(expected)
    assert trial.ignored == 60 - len(expected)


@pytest.mark.parametrize(
    "specs",
    [
        (CANDIDATE, CANDIDATE),
        (CANDIDATE.model_copy(update={"precision": "fp16"}), REFERENCE),
        (CANDIDATE.model_copy(update={"fingerprint": "f" * 16}), REFERENCE),
        (CANDIDATE, spec(digit="9")),
    ],
)
def test_a_pair_of_other_specs_makes_the_rollout_inconclusive(specs: tuple) -> None:  # type: ignore[type-arg]
    trial = Trial(rollout_of(), judge=Witness())

    judgement = trial.advance(cut_of(1, {0: 1}), [pair_of(0, [parsed("浙")], specs=specs)], [])

    assert trial.spec_mismatch
    assert (judgement.verdict, judgement.code) == ("inconclusive", "runtime_changed")
    assert trial.advance(cut_of(2, {0: 1}), [], []).code == "runtime_changed", "for good"


@pytest.mark.parametrize("upgraded", [True, False])
def test_records_of_which_all_pairs_are_of_other_specs_are_no_harm_by_the_candidate(
    upgraded: bool,
) -> None:
    """Each stands in a hole; without a pair of other specs that is the candidate's fault."""
    trial = Trial(rollout_of())
    other = CANDIDATE.model_copy(update={"fingerprint": "f" * 16})
    pairs = [pair_of(n, [parsed("浙")], specs=(other, REFERENCE)) for n in range(300 * upgraded)]
    missing = [MissingRecord(0, n, (n,)) for n in range(300)]

    judgement = trial.advance(cut_of(1, {0: 300}), pairs, [], missing)

    found = (judgement.verdict, judgement.code, bool(judgement.harmed))
    expected = ("inconclusive", "runtime_changed", False) if upgraded else None
    assert found == (expected or ("fail", "gate_failed", True))


def test_pairs_far_beyond_the_commit_make_it_inconclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_module, "AHEAD_MAX", 3)
    trial = Trial(rollout_of(), judge=Witness())
    ahead = [pair_of(n, [parsed(text)]) for n, text in enumerate(texts(4))]
    assert trial.advance(cut_of(1, {0: 1}), ahead[:3], []).verdict == "continue"
    assert trial.advance(cut_of(2, {0: 1}), ahead[3:], []).verdict == "continue"

    more = [pair_of(n, [parsed("浙")]) for n in (4, 5)]
    assert trial.advance(cut_of(3, {0: 1}), more, []).code == "evidence_disordered"


def test_a_pair_that_comes_after_it_was_called_missing_changes_nothing_any_more() -> None:
    trial = Trial(rollout_of(), judge=Witness())
    trial.advance(cut_of(1, {0: 1}), [], [], [MissingRecord(0, 0, (7,))])
    chain = trial.chain

    trial.advance(cut_of(2, {0: 1}), [pair_of(0, [parsed("浙")])], [])

    assert trial.chain == chain
    assert (trial.accounting.candidate_failed, trial.accounting.repeated) == (1, 1)


def test_production_is_compared_with_the_reference_whichever_comes_first() -> None:
    witness = Witness()
    trial = Trial(rollout_of(), judge=witness)
    first, second, third = texts(3)
    other = parsed(second, {"city": "浙江"})

    trial.advance(
        cut_of(1, {0: 1}),
        [pair_of(0, [failed(first)], [parsed(first)])],
        [result_of(1, [other])],
    )
    assert witness.parities == []
    trial.advance(
        cut_of(2, {0: 3}),
        [pair_of(1, [parsed(second)]), pair_of(2, [parsed(third)])],
        [result_of(0, [parsed(first)])],
    )
    assert [one.agrees for one in witness.parities] == [False], "0 comes too late: 1 was seen"

    trial.advance(cut_of(3, {0: 3}), [], [result_of(2, [parsed(third)])])
    assert [one.agrees for one in witness.parities] == [False, True]


def test_results_of_other_specs_or_the_canary_track_are_not_compared() -> None:
    witness = Witness()
    trial = Trial(rollout_of(), judge=witness)
    one, two = texts(2)
    trial.advance(
        cut_of(1, {0: 2}),
        [pair_of(0, [parsed(one)]), pair_of(1, [parsed(two)])],
        [
            result_of(0, [parsed(one)], model=CANDIDATE, track="canary", epoch=8),
            result_of(1, [parsed(two)], track="canary"),
        ],
    )
    assert witness.parities == []
    assert trial.served(CANDIDATE.key, 8) == (1, 0)
    assert trial.served(CANDIDATE.key, 9) == (0, 0)


def test_interactive_results_count_as_served_once_each_and_are_compared_with_nothing() -> None:
    witness = Witness()
    trial = Trial(rollout_of(), judge=witness)
    (one,) = texts(1)
    told = production_of(result_of(0, [parsed(one)], model=CANDIDATE, track="canary", epoch=8))
    like_stable = production_of(result_of(1, [parsed(one)]))
    for result in (told, told, like_stable):
        trial.take_interactive(result)
    trial.advance(cut_of(1, {0: 2}), [pair_of(1, [parsed(one)])], [])
    trial.take_interactive(told)  # production repeats it
    trial.advance(cut_of(2, {0: 2}), [], [])

    assert trial.served(CANDIDATE.key, 8) == (1, 0)
    assert witness.parities == [], "offset 1 of the other input is another record"


def test_what_waits_for_production_is_bounded_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_module, "WAITING_MAX", 4)
    witness = Witness()
    trial = Trial(rollout_of(from_offsets={0: 0}), judge=witness)
    pairs = [pair_of(n, [parsed(text)]) for n, text in enumerate(texts(6))]
    trial.advance(cut_of(1, {0: 6}), pairs, [])
    assert trial.uncompared == 2

    results = [result_of(n, [parsed(text)]) for n, text in enumerate(texts(6))]
    trial.advance(cut_of(2, {0: 6}), [], results)
    assert len(witness.parities) == 4, "the nearest ones were kept"


def test_no_input_is_taken_to_be_younger_than_its_cut() -> None:
    trial = Trial(rollout_of(), judge=Witness())
    a_week = 7 * 24 * 3600 * 1000
    trial.advance(cut_of(1, {0: 1}), [pair_of(0, [parsed("浙")], input_ms=AT_MS + a_week)], [])
    assert trial.accounting.newest_input_ms == AT_MS + 1000


def test_a_look_says_how_far_the_shadow_is_behind_and_whether_it_replays() -> None:
    witness = Witness()
    replay = Replay(asked="24h", until={0: 20, 1: 5})
    trial = Trial(rollout_of(from_offsets={0: 10, 1: 0}, replay=replay), judge=witness)
    trial.expire(1)

    trial.advance(cut_of(1, {0: 15}, events={0: 40, 1: 7}), [], [])
    trial.advance(cut_of(2, {0: 20, 1: 5}, events={0: 40, 1: 7}), [], [])
    trial.advance(cut_of(3, {0: 21, 1: 5}, events={0: 40, 1: 7}), [], [])

    assert [one.lag_records for one in witness.looks] == [25 + 7, 20 + 2, 19 + 2]
    assert [one.input_records for one in witness.looks] == [37, 37, 37]
    # What has come to its end is still of the past, until something newer comes.
    assert [one.replaying for one in witness.looks] == [True, True, False]
    assert witness.looks[0].expired == (1,)


def test_cuts_only_go_forward() -> None:
    trial = Trial(rollout_of(), judge=Witness())
    trial.advance(cut_of(2, {}), [], [])
    with pytest.raises(ValueError, match="cut 2 after cut 2"):
        trial.advance(cut_of(2, {}), [], [])


def test_the_bake_is_watched_from_its_beginning_on_addresses_seen_before_too() -> None:
    bake = BakePolicy(duration=timedelta(minutes=1), min_results=10, max_results=1000)
    trial = Trial(rollout_of(policy=Policy(bake=bake)), judge=Witness())
    good = [pair_of(n, [parsed(text)]) for n, text in enumerate(texts(400))]
    trial.advance(cut_of(1, {0: 400}), good, [])
    assert trial.alarm is None

    trial.watch_bake()
    trial.watch_bake()
    again = [pair_of(400 + n, [parsed(text)]) for n, text in enumerate(texts(400))]
    trial.advance(cut_of(2, {0: 800}), again, [])
    assert trial.alarm is None
    bad = [
        pair_of(800 + n, [failed(text)], [parsed(text)]) for n, text in enumerate(texts(400, 1000))
    ]
    trial.advance(cut_of(3, {0: 1200}), bad, [])
    assert trial.alarm is not None


def test_the_same_addresses_in_the_bake_are_not_deaf_to_a_fall() -> None:
    """A stream that repeats itself shows the bake nothing new: it still must hear of a fall."""
    trial = Trial(rollout_of(), judge=Witness())
    trial.watch_bake()
    trial.advance(
        cut_of(1, {0: 300}),
        [pair_of(n, [failed(text)], [parsed(text)]) for n, text in enumerate(texts(300))],
        [],
    )
    assert trial.alarm is not None


class Seen:
    """An observer that writes down what it saw."""

    def __init__(self) -> None:
        self.pairs: list[tuple[str, list[int]]] = []
        self.batches: list[str] = []

    def pair(self, pair: ShadowPair, outcomes: Sequence[AddressOutcome]) -> None:
        self.pairs.append((pair.origin.id, [one.index for one in outcomes]))

    def batch(self, outcome: BatchOutcome) -> None:
        self.batches.append(outcome.batch_id)


def test_an_observer_sees_each_pair_once_in_the_order_of_the_input() -> None:
    seen = Seen()
    trial = Trial(rollout_of(), judge=Witness(), observer=seen)
    one, two = texts(2)
    pairs = [
        pair_of(1, [parsed(one), parsed(two)], partition=1, batch="d-2"),
        pair_of(0, [parsed(two)], partition=1, batch="d-2"),
        pair_of(7, [parsed(one)], partition=0, batch="d-1"),
    ]

    trial.advance(cut_of(1, {0: 8, 1: 2}), [*pairs, pairs[0]], [])

    assert seen.pairs == [
        ("address.events/0/7", [0]),
        ("address.events/1/0", [0]),
        ("address.events/1/1", []),
    ]
    assert seen.batches == ["d-1", "d-2"]
