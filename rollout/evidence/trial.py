"""The fold: evidence in, judgement out, at every cut. Pure, in bounded memory.

Everything between two cuts is folded in the order of the input (partition, then offset), however
it was delivered; so judgements, counts and the hash chain are functions of (rollout, cuts, logs).
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from contracts.canonical import canonical_json
from contracts.events import ParsedBatch, ShadowPair
from contracts.judgement import Accounting, GateResult, Judgement
from contracts.rollout import Cut, Rollout
from contracts.routing import in_shadow
from rollout.evidence.counts import Counts, Served
from rollout.evidence.looking import look_at, moment_ms, without_proof
from rollout.evidence.outcomes import AddressOutcome
from rollout.evidence.pairing import (
    AddressEvidence,
    MissingRecord,
    PairEvidence,
    evidence_of,
    evidence_of_missing,
    is_spec,
    with_addresses,
)
from rollout.evidence.parity import WAITING_MAX, PartitionJoin
from rollout.evidence.parties import Judging, Observer, Recorder, Watching
from rollout.evidence.production import ProductionEvidence, production_of
from rollout.evidence.units import UnitSet, unit_of

AHEAD_MAX: Final = 262_144
"""Pairs beyond the shadow's commit that are remembered, about 60 bytes each. A pair is written
with its commit, so there are few; more of them mean that something else writes the topic."""


@dataclass(slots=True)
class _Partition:
    """What is remembered of one partition of the input.

    Attributes:
        passed: every offset of the sample below this is settled.
        ahead: offsets at or above it that were folded already.
        join: A/A.
        interactive: every offset of this number on the interactive input below this is counted.
    """

    passed: int
    interactive: int = 0
    ahead: set[int] = field(default_factory=set)
    join: PartitionJoin = field(default_factory=PartitionJoin)


@dataclass(slots=True)
class _Taken:
    """What was delivered for one partition since the last cut."""

    pairs: list[PairEvidence] = field(default_factory=list)
    production: list[ProductionEvidence] = field(default_factory=list)
    missing: list[MissingRecord] = field(default_factory=list)
    interactive: list[ProductionEvidence] = field(default_factory=list)


class Trial:
    """One rollout's evidence, folded cut by cut.

    Args:
        rollout: who against whom, under which policy; only its immutable facts are used.
        judge: default: a new ``rollout.judge.Judge`` of its policy.
        observer: sees what is folded; makes it keep the pairs of one cut in memory.
        recorder: writes it down; so does this.

    Memory: three sets of 64-bit numbers, at most ``policy.shadow.max_pairs`` each (units of
    addresses, device batches; the bake's units) at 16 to 32 bytes a number; the A/A join
    (``parity.WAITING_MAX``); ``AHEAD_MAX`` offsets; and what was taken since the last cut.
    """

    def __init__(
        self,
        rollout: Rollout,
        *,
        judge: Judging | None = None,
        observer: Observer | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.rollout = rollout
        self._judge = judge if judge is not None else _judge_of(rollout)
        self._observer = observer
        self._recorder = recorder
        policy = rollout.policy
        self._units = UnitSet(policy.shadow.max_pairs)
        self._batches = UnitSet(policy.shadow.max_pairs)
        self._bake_units = UnitSet(policy.bake.max_results)
        self._watch: Watching | None = None
        self._partitions: dict[int, _Partition] = {}
        self._taken: defaultdict[int, _Taken] = defaultdict(_Taken)
        self._counts = Counts()
        self._served = Served((rollout.candidate.key, rollout.reference.key))
        self._expired: set[int] = set()
        self._cut: Cut | None = None
        self._chain = hashlib.sha256(rollout.rollout_id.encode()).digest()
        self.spoiled = ""
        """Why this evidence can prove nothing: ``runtime_changed`` (a pair of this rollout was
        made by other specs) or ``evidence_disordered``; else empty."""

    @property
    def outcomes(self) -> int:
        """Records folded in."""
        return self._counts.sampled

    @property
    def chain(self) -> str:
        """Hash chain over all that was folded: ``sha256:<hex>``.

        ``chain_k = SHA-256(chain_{k-1} || canonical(outcome_k))``, beginning with the hash of
        the rollout's id; comparisons with production are links of their own.
        """
        return f"sha256:{self._chain.hex()}"

    @property
    def accounting(self) -> Accounting:
        """Every record of the sample so far, by what became of it."""
        return self._counts.accounting(self._cut, self.rollout, distinct=len(self._units))

    @property
    def addresses_per_record(self) -> float | None:
        """Mean over paired records; None before there are any."""
        counts = self._counts
        return counts.addresses / counts.paired if counts.paired else None

    @property
    def spec_mismatch(self) -> bool:
        """Whether a pair of this rollout was made by other specs than it began with."""
        return self.spoiled == "runtime_changed"

    @property
    def ignored(self) -> int:
        """Records that are no evidence of this rollout: of another one, outside the sample."""
        return self._counts.ignored

    @property
    def uncompared(self) -> int:
        """Records that left the A/A join before their other half came, to bound memory."""
        return sum(one.join.evicted for one in self._partitions.values())

    @property
    def alarm(self) -> GateResult | None:
        """The bake's alarm, once it was raised; None before, and outside the bake."""
        return self._watch.alarm if self._watch is not None else None

    def served(self, spec_key: str, serving_epoch: int) -> tuple[int, int]:
        """Addresses that production served with a spec under an epoch, and errors among them.

        Addresses with input faults are in neither. Only this rollout's two specs are counted.
        """
        return self._served.of(spec_key, serving_epoch)

    def watch_bake(self) -> None:
        """From the next cut on, feed a watch over the bake too. Calling again changes nothing."""
        if self._watch is None:
            from rollout.judge import BakeWatch

            self._watch = BakeWatch(self.rollout.policy)

    def advance(
        self,
        cut: Cut,
        pairs: Iterable[ShadowPair],
        parsed: Iterable[ParsedBatch],
        missing: Iterable[MissingRecord] = (),
    ) -> Judgement:
        """Fold everything between the last cut and this one, in any order, and judge.

        Raises:
            ValueError: the cut is not later than the last one.
        """
        for pair in pairs:
            self.take_pair(pair)
        for batch in parsed:
            self.take_production(production_of(batch))
        for record in missing:
            self.take_missing(record)
        return self.close(cut)

    def take_pair(self, pair: ShadowPair) -> None:
        """Deliver one pair that is below the next cut's ends; checked here, folded at the cut."""
        rollout, origin = self.rollout, pair.origin
        first = rollout.from_offsets.get(origin.partition, 0)
        if (
            pair.rollout_id != rollout.rollout_id
            or origin.offset < first
            or not in_shadow(rollout.rollout_id, origin.partition, origin.offset, rollout.share)
        ):
            self._counts.ignored += 1
        elif not (
            is_spec(pair.candidate.model, rollout.candidate)
            and is_spec(pair.reference.model, rollout.reference)
        ):
            self._counts.ignored += 1
            self.spoiled = "runtime_changed"
        else:
            keep_source = self._observer is not None or self._recorder is not None
            evidence = evidence_of(pair, keep_source=keep_source)
            self._taken[origin.partition].pairs.append(evidence)

    def take_production(self, result: ProductionEvidence) -> None:
        """Deliver one of production's results that is below the next cut's ends."""
        self._taken[result.partition].production.append(result)

    def take_interactive(self, result: ProductionEvidence) -> None:
        """Deliver the same of a record that the shadow does not read: it is only counted."""
        self._taken[result.partition].interactive.append(result)

    def take_missing(self, record: MissingRecord) -> None:
        """Deliver a record that stands in a hole (see ``holes``)."""
        self._taken[record.partition].missing.append(record)

    def expire(self, partition: int) -> None:
        """Say that evidence of this partition was deleted before it was read."""
        self._expired.add(partition)

    @property
    def expired(self) -> tuple[int, ...]:
        """Partitions of which evidence was deleted before it was read."""
        return tuple(sorted(self._expired))

    def count_repeats(self, repeated: int) -> None:
        """Say that so many pairs came again that are not delivered again (an archive has none)."""
        self._counts.repeated += repeated

    def holes(self, partition: int, committed: int) -> Iterator[range]:
        """Runs of offsets below the shadow's commit that have no pair, after all were taken.

        Each begins and ends with an offset of the sample. Whether a record is there (and not a
        transaction's marker or a gap) only the input's log can tell. So it is with records that
        crashed the candidate: their pairs do not say which addresses they have.
        """
        state = self._state(partition)
        pairs = self._taken[partition].pairs
        known = {one.offset for one in pairs if not one.unsaid} | state.ahead
        start = state.passed
        for offset in sorted(one for one in known if start <= one < committed):
            yield from self._sampled(partition, range(start, offset))
            start = offset + 1
        yield from self._sampled(partition, range(start, committed))
        first = max(state.passed, committed)
        for offset in sorted({one.offset for one in pairs if one.unsaid} - state.ahead):
            if offset >= first:
                yield range(offset, offset + 1)

    def is_sampled(self, partition: int, offset: int) -> bool:
        """Whether the record at this place belongs to the sample."""
        rollout = self.rollout
        return in_shadow(rollout.rollout_id, partition, offset, rollout.share)

    def close(self, cut: Cut) -> Judgement:
        """Fold what was taken, in canonical order, and judge.

        Raises:
            ValueError: the cut is not later than the last one.
        """
        if self._cut is not None and cut.number <= self._cut.number:
            raise ValueError(f"cut {cut.number} after cut {self._cut.number}")
        self._cut = cut
        known = self._taken.keys() | self._partitions.keys() | cut.shadow_committed.keys()
        quota = WAITING_MAX // max(1, len(known))
        for partition in sorted(known):
            self._fold(partition, self._taken.pop(partition, _Taken()), cut, quota)
        if sum(len(one.ahead) for one in self._partitions.values()) > AHEAD_MAX:
            self.spoiled = self.spoiled or "evidence_disordered"
        look = look_at(cut, self.rollout, self.accounting, self.expired)
        return without_proof(self._judge.look(look), self.spoiled)

    def _state(self, partition: int) -> _Partition:
        if partition not in self._partitions:
            first = self.rollout.from_offsets.get(partition, 0)
            self._partitions[partition] = _Partition(passed=first)
        return self._partitions[partition]

    def _sampled(self, partition: int, run: range) -> Iterator[range]:
        first = next((one for one in run if self.is_sampled(partition, one)), None)
        if first is not None:
            last = next(one for one in reversed(run) if self.is_sampled(partition, one))
            yield range(first, last + 1)

    def _fold(self, partition: int, taken: _Taken, cut: Cut, quota: int) -> None:
        state = self._state(partition)
        now_ms = moment_ms(cut)
        for evidence in self._once(state, taken):
            self._counts.take(evidence, now_ms=now_ms)
            self._fold_record(state, evidence)
        self._fold_production(state, taken.production)
        for result in sorted(taken.interactive, key=lambda one: (one.offset, one.spec_key)):
            if result.offset >= state.interactive:  # once, though production may repeat it
                state.interactive = result.offset + 1
                self._served.take(result)
        for offset, parity in state.join.join():
            self._link(canonical_json({"aa": [partition, offset, parity.unit, parity.agrees]}))
            self._judge.parity(parity)
        state.passed = max(state.passed, cut.shadow_committed.get(partition, 0))
        state.ahead = {offset for offset in state.ahead if offset >= state.passed}
        state.join.let_go(shadow_passed=state.passed, limit=quota)

    def _once(self, state: _Partition, taken: _Taken) -> Iterator[PairEvidence]:
        """Every record that is new, in order of offsets; repeats are counted."""
        found: dict[int, PairEvidence] = {}
        for one in taken.pairs:
            if one.offset < state.passed or one.offset in state.ahead:
                self._counts.repeated += 1
            elif (other := found.get(one.offset)) is not None:
                self._counts.repeated += 1
                # Neither came first in any sense that a restart would repeat.
                found[one.offset] = min(one, other, key=PairEvidence.canonical)
            else:
                found[one.offset] = one
        # A record whose pair was made by other specs stands in a hole, too: no candidate's fault.
        for record in () if self.spec_mismatch else taken.missing:
            if record.offset >= state.passed and record.offset not in state.ahead:
                pair = found.get(record.offset)
                if pair is None:
                    found[record.offset] = evidence_of_missing(record)
                elif pair.unsaid:
                    found[record.offset] = with_addresses(pair, record)
        for offset in sorted(found):
            yield found[offset]

    def _fold_record(self, state: _Partition, evidence: PairEvidence) -> None:
        state.ahead.add(evidence.offset)
        self._link(evidence.canonical())
        fresh = [one for one in evidence.addresses if self._units.add(one.unit)]
        outcomes = [_outcome(evidence, one) for one in fresh]
        for outcome in outcomes:
            self._judge.address(outcome)
        if self._watch is not None:
            for address in evidence.addresses:
                if self._bake_units.add(address.unit):
                    self._watch.address(_outcome(evidence, address))
        if self._recorder is not None:
            self._recorder.record(evidence, fresh)
        if self._observer is not None and evidence.source is not None:
            self._observer.pair(ShadowPair.model_validate_json(evidence.source), outcomes)
        batch = evidence.batch
        if batch is not None and self._batches.add(unit_of(batch.batch_id)):
            self._judge.batch(batch)
            if self._observer is not None:
                self._observer.batch(batch)
        state.join.take_shadow(evidence.offset, [one for one in fresh if one.flat])

    def _fold_production(self, state: _Partition, results: list[ProductionEvidence]) -> None:
        join, reference = state.join, self.rollout.reference.key
        # Of two results for one record (production may be at least once) the same one counts,
        # whichever was delivered first.
        results.sort(key=lambda one: (one.offset, one.spec_key, one.serving_epoch, one.flats))
        fresh: dict[int, ProductionEvidence] = {}
        for result in results:
            if result.offset >= join.passed:
                fresh.setdefault(result.offset, result)
        last = max(fresh, default=-1)
        for offset, result in fresh.items():
            join.passed = offset + 1
            self._served.take(result)
            comparable = (
                result.spec_key == reference
                and result.track == "stable"
                and (offset >= state.passed or join.awaits(offset))
                and self.is_sampled(result.partition, offset)
            )
            if comparable:
                join.take_production(result)
            if self._recorder is not None and (comparable or offset == last):
                self._recorder.production(result)

    def _link(self, outcome: bytes) -> None:
        self._chain = hashlib.sha256(self._chain + outcome).digest()


def _outcome(evidence: PairEvidence, address: AddressEvidence) -> AddressOutcome:
    return AddressOutcome(
        partition=evidence.partition,
        offset=evidence.offset,
        index=address.index,
        unit=address.unit,
        slice=address.slice,
        exact=address.exact,
        f1=address.f1,
        candidate_error=address.candidate_error,
        reference_error=address.reference_error,
    )


def _judge_of(rollout: Rollout) -> Judging:
    from rollout.judge import Judge

    judge: Judging = Judge(rollout.policy, attempt=rollout.attempt, golden=rollout.golden)
    return judge
