"""Reading what stands on the rollout's topics, once, from beginning to end. Writes nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from contracts.audit import AuditRecord, decode_audit
from contracts.control import RolloutState, decode_state, supersedes
from contracts.errors import PermanentError, UsageError
from contracts.judgement import Judgement
from contracts.rollout import Offsets, Rollout
from contracts.topics import TopicNames
from rollout.chronicle import Chronicle, RecordedCut
from rollout.evidence import Observer, Trial
from rollout.evidence.reader import EvidenceReader
from rollout.logs import Log, OpenLog

if TYPE_CHECKING:
    from rollout.evidence.archive import ArchiveWriter

Progress = Callable[[str, float], None]
"""Told what is being done, and which part of it is done, in [0, 1]."""

_CUT: Final = b'{"kind":"cut"'
"""How a cut begins as our encoder writes it: other rollouts' cuts are skipped undecoded."""


def silent(what: str, part: float) -> None:
    """A ``Progress`` for when nobody watches."""


async def newest_state(open_log: OpenLog, names: TopicNames) -> RolloutState | None:
    """The newest good control record; None where there is none.

    Raises:
        BackendUnreachableError: Kafka does not answer.
        UsageError: ``no_topic``.
    """
    newest: RolloutState | None = None
    async with open_log(names.control) as log:
        async for record in whole(log):
            try:
                state = decode_state(record.value)
            except PermanentError:
                continue
            if supersedes(state, newest):
                newest = state
    return newest


async def read_chronicle(open_log: OpenLog, names: TopicNames, rollout_id: str) -> Chronicle:
    """Everything that the audit says of a rollout.

    Raises:
        BackendUnreachableError: Kafka does not answer.
        UsageError: ``no_topic`` or ``unknown_rollout``.
    """
    chronicle = Chronicle(rollout_id)
    own = rollout_id.encode()
    async with open_log(names.audit) as log:
        async for record in whole(log):
            if record.key != own and (record.value or b"").startswith(_CUT):
                continue
            audit = readable(record.value)
            if audit is not None:
                chronicle.take(audit)
    if not chronicle.known:
        raise UsageError(
            f"the audit topic knows no rollout {rollout_id[:80]!r}",
            code="unknown_rollout",
            hint="mgeo rollout list shows those that there were",
        )
    return chronicle


async def refolded(
    open_log: OpenLog,
    names: TopicNames,
    rollout: Rollout,
    cuts: Sequence[RecordedCut],
    *,
    observer: Observer | None = None,
    archive: ArchiveWriter | None = None,
    progress: Progress = silent,
) -> AsyncGenerator[tuple[RecordedCut, Judgement, Trial], None]:
    """Fold the recorded cuts anew, one by one, as the controller did.

    Args:
        open_log: opens a topic.
        names: of the topics.
        rollout: whose evidence.
        cuts: the recorded ones, in order.
        observer: sees what is folded.
        archive: writes it down.
        progress: told after each cut.

    Yields:
        The recorded cut, what is said at it now, and the fold as it stands.

    Raises:
        BackendUnreachableError: Kafka stopped answering.
    """
    reader = EvidenceReader(open_log, names, rollout, observer=observer, recorder=archive)
    async with reader:
        for number, recorded in enumerate(cuts, 1):
            if archive is not None:
                archive.begin(recorded.cut.number)
            judgement = await reader.advance(recorded.cut)
            if archive is not None:
                archive.end(reader.trial)
            progress("evidence", number / len(cuts))
            yield recorded, judgement, reader.trial


async def expired(open_log: OpenLog, names: TopicNames, rollout: Rollout) -> tuple[str, ...]:
    """The evidence topics of which something that the rollout began with is deleted."""
    gone = []
    from_ = rollout.evidence_from
    for topic, begun in (
        (names.shadow, from_.get("shadow", {})),
        (names.parsed, from_.get("parsed", {})),
    ):
        async with open_log(topic) as log:
            beginnings = await log.beginnings()
        if any(beginnings.get(partition, 0) > offset for partition, offset in begun.items()):
            gone.append(topic)
    return tuple(gone)


def readable(raw: bytes | None) -> AuditRecord | None:
    """The audit record, or None for what this program cannot read."""
    try:
        return decode_audit(raw)
    except PermanentError:
        return None


async def whole(log: Log) -> AsyncGenerator[Any, None]:
    """Every record that stands in a log now."""
    log.seek(await log.beginnings())
    async with aclosing(until(log, await log.ends())) as records:
        async for record in records:
            yield record


async def until(log: Log, ends: Offsets) -> AsyncGenerator[Any, None]:
    """Every record from where the log stands up to these ends."""
    while not await log.passed(ends):
        for record in await log.poll():
            if record.offset < ends.get(record.partition, 0):
                yield record
