"""Two models on the same groups of addresses, in this process. Owns the order and the clock.

What shadow workers do on the stream, on a file: each group is one device batch of both models, the
order alternates, and only the device's time is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from consumer.address_parser import AddressParser
from consumer.parser.seams import (
    AddressModel,
    Encoder,
    Interpretation,
    PreparedAddress,
    Scores,
    TokenIds,
)
from consumer.settings import ParserSettings
from contracts.events import AddressResult
from contracts.spec import ModelSpec
from rollout.evidence.outcomes import BatchOutcome

_SPECIAL_TOKENS: Final = 2
_SORTED_AT_ONCE: Final = 4096
"""Addresses sorted by length together: enough for full batches, and memory stays flat."""


@dataclass(frozen=True, slots=True)
class PairedGroup:
    """One group, in the order of ``places``.

    Attributes:
        places: of the addresses among all texts.
        reference: results of the reference.
        candidate: likewise.
        batch: device times; None when nothing of it ran on the device.
    """

    places: tuple[int, ...]
    reference: tuple[AddressResult, ...]
    candidate: tuple[AddressResult, ...]
    batch: BatchOutcome | None


class _TimedEncoder:
    """An encoder that adds up its own time and work."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.milliseconds = 0.0
        self.rows = 0
        self.tokens = 0

    @property
    def device_name(self) -> str:
        return self._encoder.device_name

    @property
    def max_padding_waste(self) -> float:
        return self._encoder.max_padding_waste

    def now_s(self) -> float:
        return self._encoder.now_s()

    def encode(self, token_ids: TokenIds, lengths: NDArray[np.int64]) -> Scores:
        # The scores are on the host when this returns: no work of the device is left out.
        started = self._encoder.now_s()
        scores = self._encoder.encode(token_ids, lengths)
        self.milliseconds += (self._encoder.now_s() - started) * 1000
        self.rows += len(lengths)
        self.tokens += int(token_ids.size)
        return scores

    def warm_up(self, sequence_length: int) -> None:
        self._encoder.warm_up(sequence_length)

    def take(self) -> tuple[float, int, int]:
        """Milliseconds, rows and padded tokens since the last time."""
        taken = self.milliseconds, self.rows, self.tokens
        self.milliseconds, self.rows, self.tokens = 0.0, 0, 0
        return taken


class _TimedModel:
    """A model with a timed encoder."""

    def __init__(self, model: AddressModel) -> None:
        self._model = model
        self.timed = _TimedEncoder(model.encoder)

    @property
    def spec(self) -> ModelSpec:
        return self._model.spec

    @property
    def encoder(self) -> Encoder:
        return self.timed

    def prepare(self, texts: Sequence[str]) -> list[PreparedAddress]:
        return self._model.prepare(texts)

    def interpret(
        self, prepared: Sequence[PreparedAddress], scores: Sequence[Sequence[Scores]]
    ) -> list[Interpretation]:
        return self._model.interpret(prepared, scores)


class PairedParser:
    """Runs a reference and a candidate over the same texts. Use it from one thread."""

    def __init__(
        self, reference: AddressModel, candidate: AddressModel, settings: ParserSettings
    ) -> None:
        """Both models, loaded; ``settings`` bounds the groups as it bounds device batches."""
        self._models = (_TimedModel(reference), _TimedModel(candidate))
        self._parsers = tuple(AddressParser(model, settings) for model in self._models)
        self._settings = settings
        self._groups = 0

    def run(self, texts: Sequence[str]) -> Iterator[PairedGroup]:
        """Groups until every text is in one; the shortest of a few thousand come first.

        A pair of calls before the first group is thrown away: first calls pay for memory and
        kernels, and whichever model went first would look slow.
        """
        for first in range(0, len(texts), _SORTED_AT_ONCE):
            places = range(first, min(first + _SORTED_AT_ONCE, len(texts)))
            for group in self._cut(sorted(places, key=lambda place: len(texts[place])), texts):
                chosen = [texts[place] for place in group]
                if self._groups == 0:
                    for parser in self._parsers:
                        parser.parse(chosen)
                    self._take()
                yield self._run_group(group, chosen)

    def _cut(self, places: Sequence[int], texts: Sequence[str]) -> Iterator[tuple[int, ...]]:
        # By characters: a token is seldom more than one, and both models cut the same way.
        start = 0
        for end in range(1, len(places) + 1):
            full = end == len(places)
            if not full:
                longest = min(len(texts[places[end]]), self._settings.sequence_length)
                cost = (longest + _SPECIAL_TOKENS) * (end + 1 - start)
                size = end - start
                full = cost > self._settings.token_budget or size >= self._settings.batch_size
            if full:
                yield tuple(places[start:end])
                start = end

    def _run_group(self, places: tuple[int, ...], texts: list[str]) -> PairedGroup:
        number = self._groups
        self._groups += 1
        order: Literal["candidate_first", "reference_first"] = (
            "candidate_first" if number % 2 else "reference_first"
        )
        results: dict[int, list[AddressResult]] = {}
        for side in (1, 0) if order == "candidate_first" else (0, 1):
            results[side] = self._parsers[side].parse(texts)
        (ours_ms, rows, tokens), (theirs_ms, _, _) = self._take()
        batch = None
        if rows and ours_ms > 0 and theirs_ms > 0:
            batch = BatchOutcome(f"group-{number}", rows, tokens, order, theirs_ms, ours_ms)
        return PairedGroup(places, tuple(results[0]), tuple(results[1]), batch)

    def _take(self) -> list[tuple[float, int, int]]:
        return [model.timed.take() for model in self._models]


Progress = Callable[[int], None]
"""Told how many addresses are done since the last call."""


def run_all(
    parser: PairedParser, texts: Sequence[str], progress: Progress
) -> tuple[list[AddressResult], list[AddressResult], list[PairedGroup]]:
    """Results of both models in the order of the texts, and the groups they came in."""
    reference: list[AddressResult | None] = [None] * len(texts)
    candidate: list[AddressResult | None] = [None] * len(texts)
    groups = []
    for group in parser.run(texts):
        for place, ours, theirs in zip(group.places, group.reference, group.candidate, strict=True):
            reference[place], candidate[place] = ours, theirs
        groups.append(group)
        progress(len(group.places))
    return (
        [one for one in reference if one is not None],
        [one for one in candidate if one is not None],
        groups,
    )
