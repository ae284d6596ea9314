"""One loaded model: raw text to components, for the engine's seam (``seams.AddressModel``)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from consumer.gazetteer.completion import Completer, default_completer
from consumer.parser.calibration import read_temperature
from consumer.parser.checkpoint import read_checkpoint
from consumer.parser.encoder import TorchEncoder, choose_device, choose_precision
from consumer.parser.fingerprint import fingerprint, read_tokenizer_files
from consumer.parser.network import TaggingNetwork
from consumer.parser.seams import Encoder, Interpretation, PreparedAddress, Scores, Window
from consumer.parser.spans import BiesDecoder, TokenPath
from consumer.parser.tokenizer import AddressTokenizer
from consumer.parser.windows import plan_windows
from consumer.settings import ParserSettings
from contracts.errors import UsageError
from contracts.events import Component
from contracts.spec import ModelSpec

_SPECIAL_TOKENS: Final = 2
_DECODE_ROWS: Final = 128
"""Addresses decoded together: all of a usual device batch, for a small rest of it costs nearly
as much as a full group."""


class MgeoModel:
    """Tokenizer, network, decoder and gazetteer of one model, ready to parse."""

    def __init__(
        self,
        *,
        spec: ModelSpec,
        encoder: Encoder,
        tokenizer: AddressTokenizer,
        labels: Sequence[str],
        temperature: float,
        completer: Completer,
        window_tokens: int,
    ) -> None:
        """Put the parts together; :func:`load_model` makes them.

        Args:
            spec: what results say of this model.
            encoder: the network.
            tokenizer: the model's own.
            labels: row by row.
            temperature: of the calibration.
            completer: the gazetteer's rules.
            window_tokens: most tokens of one window, special ones included.
        """
        self._spec = spec
        self._encoder = encoder
        self._tokenizer = tokenizer
        self._decoder = BiesDecoder(dict(enumerate(labels)), temperature)
        self._labels = len(labels)
        self._completer = completer
        self._capacity = window_tokens - _SPECIAL_TOKENS

    @property
    def spec(self) -> ModelSpec:
        """What identifies this model in results."""
        return self._spec

    @property
    def encoder(self) -> Encoder:
        """The network."""
        return self._encoder

    def prepare(self, texts: Sequence[str]) -> list[PreparedAddress]:
        """Normalise, tokenize and window; any text is accepted, none is truncated."""
        special = self._tokenizer.special
        first, last = special.first, special.last
        capacity = self._capacity
        prepared = []
        for text, (ids, offsets) in zip(texts, self._tokenizer.encode(texts), strict=True):
            spans = np.array(offsets, dtype=np.int64).reshape(-1, 2)
            if len(ids) <= capacity:
                tokens = np.array([first, *ids, last], dtype=np.int64)
                windows: tuple[Window, ...] = (Window(tokens, spans, 0, len(ids)),)
            else:
                windows = tuple(
                    Window(
                        np.array([first, *ids[w.start : w.stop], last], dtype=np.int64),
                        spans[w.start : w.stop],
                        w.first - w.start,
                        w.last - w.start,
                    )
                    for w in plan_windows(len(ids), capacity)
                )
            prepared.append(PreparedAddress(text, windows))
        return prepared

    def interpret(
        self, prepared: Sequence[PreparedAddress], scores: Sequence[Sequence[Scores]]
    ) -> list[Interpretation]:
        """Decode tag scores into components and complete them.

        Args:
            prepared: the addresses.
            scores: for each address, for each of its windows, shape (tokens, labels) with
                the rows of the special tokens still in it.

        Raises:
            ValueError: the scores are not one for each label.
        """
        counted = [_counted(address, rows) for address, rows in zip(prepared, scores, strict=True)]
        if any(rows.shape[1] != self._labels for rows in counted):
            # One column would be spread over all labels without a word.
            raise ValueError(f"the model has {self._labels} labels, the scores have others")
        by_length = sorted(range(len(counted)), key=lambda index: len(counted[index]))
        results: list[Interpretation | None] = [None] * len(counted)
        for start in range(0, len(by_length), _DECODE_ROWS):
            group = by_length[start : start + _DECODE_ROWS]
            lengths = np.array([len(counted[index]) for index in group], dtype=np.int64)
            padded = np.zeros((len(group), max(1, int(lengths[-1])), self._labels), np.float32)
            for row, index in enumerate(group):
                padded[row, : lengths[row]] = counted[index]
            for index, path in zip(group, self._decoder.decode_paths(padded, lengths), strict=True):
                results[index] = self._interpretation(prepared[index], path)
        return [result for result in results if result is not None]

    def _interpretation(self, address: PreparedAddress, path: TokenPath) -> Interpretation:
        text, offsets = address.text, _offsets(address)
        components = []
        for kind, first, end, confidence in path.spans:
            begin, stop = offsets[first][0], offsets[end - 1][1]
            components.append(
                Component(
                    type=kind,
                    text=text[begin:stop],
                    start=begin,
                    end=stop,
                    confidence=round(confidence, 4),
                )
            )
        completed = self._completer.complete(components)
        return Interpretation(
            components=tuple(components),
            address=completed.address,
            inferred=completed.inferred,
            adcode=completed.adcode,
            issues=completed.issues,
            confidence=round(path.confidence, 4),
        )


def load_model(
    directory: Path,
    *,
    version: str,
    digest: str,
    settings: ParserSettings,
) -> MgeoModel:
    """Load a model directory onto its device.

    Args:
        directory: laid out as MGeo's on its hub (``checkpoint.read_checkpoint``).
        version: the name under which results carry it.
        digest: ``sha256:…`` of the stored weights; the caller has verified it.
        settings: device, precision, threads and window length.

    Raises:
        UsageError: the codes of ``read_checkpoint``, ``AddressTokenizer``, ``choose_device``
            and ``choose_precision``; ``bad_vocabulary`` when the vocabulary has more tokens
            than the network.
    """
    checkpoint = read_checkpoint(directory)
    shape = checkpoint.architecture
    tokenizer = AddressTokenizer.from_directory(directory)
    if tokenizer.size > shape.vocab_size:
        raise UsageError(
            f"vocab.txt has {tokenizer.size} tokens, the network {shape.vocab_size}",
            code="bad_vocabulary",
        )
    temperature = read_temperature(directory)
    device = choose_device(settings.device)
    precision = choose_precision(settings.precision, device)
    completer = default_completer()
    spec = ModelSpec(
        version=version,
        digest=digest,
        precision=precision,
        fingerprint=fingerprint(
            read_tokenizer_files(directory),
            labels=checkpoint.labels,
            temperature=temperature,
            window_tokens=min(settings.sequence_length, shape.positions),
            gazetteer_digest=completer.digest,
        ),
    )
    network = TaggingNetwork(checkpoint.weights, shape)
    return MgeoModel(
        spec=spec,
        encoder=TorchEncoder(
            network, device=device, precision=precision, cpu_threads=settings.cpu_threads
        ),
        tokenizer=tokenizer,
        labels=checkpoint.labels,
        temperature=temperature,
        completer=completer,
        window_tokens=min(settings.sequence_length, shape.positions),
    )


def _counted(address: PreparedAddress, scores: Sequence[Scores]) -> Scores:
    """The scores of each token once, window by window: shape (tokens, labels)."""
    parts = [
        rows[1 + window.first : 1 + window.last]
        for window, rows in zip(address.windows, scores, strict=True)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _offsets(address: PreparedAddress) -> list[list[int]]:
    offsets: list[list[int]] = []
    for window in address.windows:
        offsets.extend(window.offsets[window.first : window.last].tolist())
    return offsets
