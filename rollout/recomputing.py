"""Whether what was recorded follows from the evidence. Pure: told what was folded anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from contracts.canonical import digest_of
from contracts.judgement import Judgement
from contracts.phases import ENDED, Phase
from contracts.requests import RolloutRequest
from contracts.rollout import Cut, Rollout
from rollout.approvals import Keyring, objection
from rollout.chronicle import Chronicle, Decided, RecordedCut
from rollout.decision import decision_record
from rollout.differences import Difference, differences

_BEFORE_APPROVAL = frozenset(
    {
        None,
        Phase.REGISTERED,
        Phase.WARMING,
        Phase.SHADOWING,
        Phase.PASSED,
        Phase.AWAITING_APPROVAL,
        *ENDED - {Phase.PROMOTED, Phase.ROLLED_BACK},
    }
)


@dataclass(frozen=True, slots=True)
class Refolded:
    """The fold after one cut.

    Attributes:
        judgement: what is said at it.
        outcomes: pairs folded in.
        chain: the hash chain over them.
    """

    judgement: Judgement
    outcomes: int
    chain: str


@dataclass(slots=True)
class CutChecker:
    """Holds every recorded cut against the fold of the same cut.

    The first cut whose chain differs is where a result was changed: later chains all differ and
    are not told again. So with judgements.

    Attributes:
        wanted: numbers of cuts whose fold is kept, for the decisions taken at them.
        kept: the fold after each of them.
        differences: what differs.
        seen: cuts that were checked.
    """

    wanted: frozenset[int]
    kept: dict[int, Refolded] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    seen: int = 0
    _last: Cut | None = None
    _broken: bool = False
    _judged_otherwise: bool = False
    _misnumbered: bool = False

    def take(self, recorded: RecordedCut, now: Refolded) -> None:
        """Check the next cut."""
        self.seen += 1
        name = f"cuts[{recorded.cut.number}]"
        if recorded.cut.number != self.seen and not self._misnumbered:
            self._misnumbered = True
            self.differences.append(
                Difference(f"{name}.number", str(recorded.cut.number), str(self.seen))
            )
        if recorded.chain and recorded.chain != now.chain and not self._broken:
            self._broken = True
            self.differences.append(
                Difference(f"{name}.chain", recorded.chain, now.chain, self._between(recorded.cut))
            )
        if recorded.chain and recorded.outcomes != now.outcomes and not self._judged_otherwise:
            self.differences.append(
                Difference(f"{name}.outcomes", str(recorded.outcomes), str(now.outcomes))
            )
        if not self._judged_otherwise:
            found = list(
                differences(
                    recorded.judgement.model_dump(mode="json"),
                    now.judgement.model_dump(mode="json"),
                    f"{name}.judgement",
                )
            )
            self._judged_otherwise = bool(found)
            self.differences.extend(found)
        if self.seen in self.wanted:
            self.kept[self.seen] = now
        self._last = recorded.cut

    def _between(self, cut: Cut) -> str:
        """The evidence that came in with this cut."""
        before = self._last.shadow if self._last is not None else {}
        runs = [
            f"{partition}: {before.get(partition, 0)} to {end - 1}"
            for partition, end in sorted(cut.shadow.items())
            if end > before.get(partition, 0)
        ]
        if not runs:
            return "nothing of the evidence topic is new at this cut: a result or input changed"
        return f"changed among the evidence at offsets {', '.join(runs)}"


def check_decision(
    decided: Decided,
    chronicle: Chronicle,
    rollout: Rollout,
    cuts: Sequence[Cut],
    now: Refolded | None,
) -> Iterator[Difference]:
    """Every field of a decision record that does not follow from the logs.

    Args:
        decided: as recorded.
        chronicle: the audit.
        rollout: as it was registered.
        cuts: all recorded ones.
        now: the fold after the cut that it was taken at; None where it was taken before any.
    """
    name = f"decision[{chronicle.decisions.index(decided) + 1}]"
    attempt = chronicle.attempt
    facts = rollout.model_copy(
        update={
            "policy_digest": digest_of(rollout.policy),
            "attempt": rollout.attempt if attempt is None else attempt,
        }
    )
    phase = chronicle.phase_at(decided.revision)
    recomputed = decision_record(
        cluster=chronicle.incarnation,
        rollout=facts,
        phase=phase if phase is not None else Phase.PASSED,
        cuts=cuts[: max(0, decided.cuts)],
        judgement=None if now is None else now.judgement,
        outcomes=0 if now is None else now.outcomes,
        chain=digest_of({}) if now is None else now.chain,
    )
    yield from differences(decided.document, recomputed.model_dump(mode="json"), name)
    moved = next((one for one in chronicle.transitions if one.revision == decided.revision), None)
    named = None if moved is None or moved.rollout is None else moved.rollout.decision
    if named is not None and named.digest != decided.digest:
        yield Difference(f"{name}.digest", named.digest, decided.digest)


def check_request(request: RolloutRequest, rollout: Rollout) -> Iterator[Difference]:
    """Whether the rollout that was registered is the one that was asked for."""
    start = request.start
    if start is None:
        return
    for name, asked, registered in (
        ("candidate", start.candidate, rollout.candidate),
        ("policy", start.policy, rollout.policy),
        ("golden", start.golden, rollout.golden),
    ):
        yield from differences(
            None if registered is None else registered.model_dump(mode="json"),
            None if asked is None else asked.model_dump(mode="json"),
            f"registered.{name}",
        )


def _approved_at(chronicle: Chronicle, went_on: datetime) -> datetime:
    """When the approval was judged, and had to be good: in a pause that is before it went on."""
    judged = [
        at
        for one in chronicle.requests
        if one.entry.kind == "approve" and one.entry.accepted and not one.entry.code
        if (at := datetime.fromisoformat(one.at)) <= went_on
    ]
    return judged[-1] if judged else went_on


def check_approval(
    chronicle: Chronicle,
    rollout: Rollout,
    keyring: Keyring | None,
    *,
    last_decision_only: bool = False,
) -> tuple[list[Difference], str]:
    """Whether the approval is there, for this decision, and signed with a known key.

    Args:
        chronicle: what is recorded of the rollout.
        rollout: the rollout.
        keyring: keys that it may be signed with; None leaves the signature unchecked.
        last_decision_only: an archive holds no more. Of a rollout that has ended otherwise that
            is not the decision which was approved: then only the signature can be checked.

    Returns:
        What differs, and one sentence about what was checked; empty where nothing was needed.
    """
    went_on = [one for one in chronicle.transitions if one.entry.phase not in _BEFORE_APPROVAL]
    if not rollout.policy.approval.required or not went_on:
        return [], ""
    first = went_on[0]
    passed = [one for one in chronicle.decisions if one.revision <= first.revision]
    digest = passed[-1].digest if passed else ""
    approval = None if first.rollout is None else first.rollout.approval
    if approval is None:
        return [Difference("approval", "nothing", f"an approval of {digest}")], ""
    held = bool(passed) or not last_decision_only
    digest = digest if held else approval.decision
    what = "this decision" if held else f"{digest}, which an archive of a later decision lacks"
    if approval.decision != digest:
        return [Difference("approval.decision", approval.decision, digest)], ""
    if keyring is None:
        return [], f"The approval names {what}; its signature was not checked: no keyring."
    said = objection(
        approval,
        keyring,
        cluster=chronicle.incarnation,
        rollout_id=rollout.rollout_id,
        decision=digest,
        now=_approved_at(chronicle, datetime.fromisoformat(first.at)),
    )
    if said is not None:
        return [Difference("approval.signature", said[0], "a good approval", said[1])], ""
    signed = f"The approval is signed with the key {approval.key_id!r}"
    return [], f"{signed}." if held else f"{signed}; it names {what}."
