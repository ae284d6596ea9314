"""What the audit topic says of one rollout, folded record by record. Pure, in bounded memory.

Reports, verification and lists read the same value, so that they can never tell different stories.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from contracts.audit import AuditRecord, CutEntry, RequestEntry, TransitionEntry
from contracts.canonical import digest_of
from contracts.judgement import Judgement
from contracts.phases import Phase
from contracts.rollout import Cut, Rollout

_LEVEL: Final = 6


@dataclass(frozen=True, slots=True)
class Moved:
    """One transition and when it was."""

    at: str
    revision: int
    entry: TransitionEntry
    rollout: Rollout | None
    """As it stood after it; None where the audit does not say."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request and when it was judged."""

    at: str
    entry: RequestEntry


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision record as it stands in the audit.

    Attributes:
        at: when it was written.
        revision: of the state written with it.
        document: the record, unchecked.
    """

    at: str
    revision: int
    document: dict[str, Any]

    @property
    def digest(self) -> str:
        """What an approval signs."""
        return digest_of(self.document)

    @property
    def cuts(self) -> int:
        """How many cuts it says that it was taken from; -1 where it says none."""
        found = self.document.get("cuts")
        return found if isinstance(found, int) else -1


@dataclass(frozen=True, slots=True)
class RecordedCut:
    """One cut, and what was said at it. The judgement is kept packed: there are many.

    Attributes:
        cut: the cut.
        outcomes: pairs folded in by then.
        chain: hash chain over them; empty where it was not said.
    """

    cut: Cut
    outcomes: int
    chain: str
    _packed: bytes

    @classmethod
    def of(cls, entry: CutEntry) -> RecordedCut:
        """Pack an entry of the audit."""
        packed = zlib.compress(entry.judgement.model_dump_json().encode(), _LEVEL)
        return cls(entry.cut, entry.outcomes, entry.chain, packed)

    @property
    def judgement(self) -> Judgement:
        """What was said."""
        return Judgement.model_validate_json(zlib.decompress(self._packed))

    @property
    def entry(self) -> CutEntry:
        """The entry of the audit that it was made from."""
        return CutEntry(
            cut=self.cut, judgement=self.judgement, outcomes=self.outcomes, chain=self.chain
        )


@dataclass(slots=True)
class Chronicle:
    """One rollout. Feed it the whole audit topic in order; other rollouts' records only count
    as earlier tries.

    Attributes:
        rollout_id: which one.
        incarnation: of the control topic, when it was registered.
        registered: the rollout as it was registered; None where the audit does not say.
        rollout: as it stood at the last transition.
        transitions: all of them, in order.
        requests: those that named it.
        alerts: moment and message.
        cuts: all recorded ones, in order.
        decisions: all recorded ones, in order.
        tries: by ``Rollout.pair``, rollouts that had reached SHADOWING before it was registered.
    """

    rollout_id: str
    incarnation: str = ""
    registered: Rollout | None = None
    rollout: Rollout | None = None
    transitions: list[Moved] = field(default_factory=list)
    requests: list[Asked] = field(default_factory=list)
    alerts: list[tuple[str, str]] = field(default_factory=list)
    cuts: list[RecordedCut] = field(default_factory=list)
    decisions: list[Decided] = field(default_factory=list)
    tries: Counter[tuple[str, str]] = field(default_factory=Counter)

    def take(self, record: AuditRecord) -> None:
        """Take one record in."""
        if record.rollout_id != self.rollout_id:
            self._another(record)
            return
        self.incarnation = self.incarnation or record.incarnation
        if record.rollout is not None:
            self.registered = self.registered or record.rollout
            self.rollout = record.rollout
        if record.transition is not None:
            self.transitions.append(
                Moved(record.at, record.revision, record.transition, record.rollout)
            )
        if record.request is not None:
            self.requests.append(Asked(record.at, record.request))
        if record.cut is not None:
            self.cuts.append(RecordedCut.of(record.cut))
        if record.decision is not None:
            self.decisions.append(Decided(record.at, record.revision, record.decision))
        if record.kind == "alert":
            self.alerts.append((record.at, record.message))

    @property
    def known(self) -> bool:
        """Whether the audit holds anything of it."""
        return bool(self.transitions or self.cuts)

    @property
    def phase(self) -> Phase | None:
        """The phase that was entered last."""
        return self.transitions[-1].entry.phase if self.transitions else None

    @property
    def judgement(self) -> Judgement | None:
        """What was said at the last cut."""
        return self.cuts[-1].judgement if self.cuts else None

    @property
    def attempt(self) -> int | None:
        """The how-many-eth try it was, counted from the audit."""
        one = self.registered
        return None if one is None else 1 + self.tries[one.pair]

    def phase_at(self, revision: int) -> Phase | None:
        """The phase that was entered with a revision; None when none was."""
        found = (one.entry.phase for one in self.transitions if one.revision == revision)
        return next(found, None)

    def cuts_until(self, number: int) -> Sequence[RecordedCut]:
        """The first so many cuts."""
        return self.cuts[: max(0, number)]

    def _another(self, record: AuditRecord) -> None:
        if self.registered is not None or record.rollout is None or record.transition is None:
            return
        if record.transition.phase is Phase.SHADOWING:
            self.tries[record.rollout.pair] += 1
