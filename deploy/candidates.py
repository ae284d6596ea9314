"""From what a person calls a candidate to the spec that workers will load. No torch."""

from __future__ import annotations

from datetime import datetime, timedelta

from consumer.settings import ParserSettings
from consumer.store.first_spec import spec_of
from consumer.store.naming import resolve_name
from consumer.store.store import ModelStore, open_store
from contracts.durations import parse_seconds
from contracts.errors import UsageError
from contracts.requests import ReplayFrom
from contracts.spec import ModelSpec


def candidate_spec(
    name: str, *, stable: ModelSpec, settings: ParserSettings, store: ModelStore | None = None
) -> ModelSpec:
    """The spec that a name means, at the stable model's precision unless it names one.

    Reads the manifest and the tokenizer's files; never the weights.

    Args:
        name: ``VERSION[@precision]``, or a hub id that was added.
        stable: what serves now.
        settings: store, and the window length that the workers have too.
        store: instead of the settings'.

    Raises:
        UsageError: ``unknown_version``, ``bad_version``, ``bad_precision``, ``bad_hub_id``.
        FatalError: ``model_digest_mismatch``, ``model_manifest_broken``.
        TransientError: ``model_store_unreachable``.
    """
    store = open_store(settings) if store is None else store
    found = resolve_name(store, name)
    return spec_of(store, found.version, settings, precision=found.precision or stable.precision)


def stable_here(
    stable: ModelSpec, *, settings: ParserSettings, store: ModelStore | None = None
) -> ModelSpec | None:
    """What this machine makes of the stable model; None when it is not in this store."""
    store = open_store(settings) if store is None else store
    try:
        return spec_of(store, stable.version, settings, precision=stable.precision)
    except UsageError:
        return None


def fingerprint_doubt(stable: ModelSpec, here: ModelSpec | None) -> str:
    """A warning where this machine makes something else of the stable model than the record says;
    empty when they agree or the model is not in this store. Pure.

    Workers that differ in the same way from this machine refuse the candidate's fingerprint.
    """
    if here is None or here == stable:
        return ""
    if here.weights != stable.weights:
        return (
            f"the stable model {stable.name} has other weights here than in production; workers "
            "may refuse the candidate. Use the workers’ model store."
        )
    return (
        f"the stable model {stable.name} has another fingerprint here than in production. If the "
        "workers have been upgraded to this release, add --renew; else workers may refuse the "
        "candidate: use their release and MGEO_SEQUENCE_LENGTH."
    )


def replay_from(text: str, *, now: datetime) -> ReplayFrom:
    """Where a replay begins: ``24h`` ago, an ISO 8601 moment, or ``offset:N``.

    Raises:
        UsageError: ``bad_replay``.
    """
    wrong = UsageError(
        f"{text[:40]!r} is no place to replay from",
        code="bad_replay",
        hint="write 24h, 2026-01-31T08:00:00+08:00, or offset:1000",
    )
    if text.startswith("offset:"):
        digits = text.removeprefix("offset:")
        if not digits.isascii() or not digits.isdigit() or len(digits) > 18:
            raise wrong
        return ReplayFrom(asked=text, offset=int(digits))
    try:
        moment = now - timedelta(seconds=parse_seconds(text))
    except (ValueError, OverflowError):
        try:
            moment = datetime.fromisoformat(text).astimezone()
        except (ValueError, OverflowError, OSError):
            raise wrong from None
    if moment > now or moment.timestamp() < 0:
        raise UsageError(
            f"{text[:40]!r} does not lie in the past",
            code="bad_replay",
            hint="a replay begins at a moment whose records are still on the topic",
        )
    return ReplayFrom(asked=text, since_ms=int(moment.timestamp() * 1000))
