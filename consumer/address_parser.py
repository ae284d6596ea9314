"""Parsing addresses in this process, without Kafka: ``AddressParser``.

Owns the road from a list of texts to results in its order. One bad address is an error
result; it raises nothing and costs the others nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, overload

from consumer.parser.isolation import (
    RowFault,
    RowOutcome,
    interpret_each,
    prepare_each,
    score_rows,
)
from consumer.parser.results import failed_address, parsed_address
from consumer.parser.seams import AddressModel, Interpretation, PreparedAddress, Scores, Window
from consumer.settings import ParserSettings
from contracts.decode import text_fault
from contracts.events import AddressResult
from contracts.spec import ModelSpec

_CHUNK: Final = 4096
"""Addresses in work at a time: enough to sort by length, and memory stays flat."""

_UNNAMED_VERSION: Final = "local-directory-19700101"


class AddressParser:
    """Parses Chinese addresses with one model. Use it from one thread at a time.

    >>> parser = AddressParser.load()
    >>> parser.parse("北京市海淀区中关村大街1号").address["district"]
    '海淀区'
    """

    def __init__(self, model: AddressModel, settings: ParserSettings) -> None:
        """Wrap a loaded model; :meth:`load` is the usual way."""
        self._model = model
        self.settings = settings

    @classmethod
    def load(
        cls, version: str | None = None, *, settings: ParserSettings | None = None
    ) -> AddressParser:
        """Load a model from the store.

        Args:
            version: ``VERSION[@precision]`` or the hub id of a model that was added; default:
                ``MGEO_VERSION``, or else the starter model of the package.
            settings: default: from the environment (``MGEO_DEVICE`` …).

        Raises:
            UsageError: ``unknown_version`` and the other codes of ``opening.open_model``.
            FatalError: ``model_digest_mismatch``: the stored files are not what was added.
        """
        from consumer.parser.opening import open_model

        settings = settings or ParserSettings()
        return cls(open_model(version, settings), settings)

    @classmethod
    def from_directory(
        cls,
        directory: Path | str,
        *,
        version: str = _UNNAMED_VERSION,
        settings: ParserSettings | None = None,
    ) -> AddressParser:
        """Load a model directory that is in no store, for trying it out.

        Raises:
            UsageError: the codes of ``model.load_model``.
        """
        import hashlib

        from consumer.parser.model import load_model

        settings = settings or ParserSettings()
        directory = Path(directory)
        digest = hashlib.sha256()
        for name in ("model.safetensors", "pytorch_model.bin"):
            if (directory / name).is_file():
                with (directory / name).open("rb") as weights:
                    digest = hashlib.file_digest(weights, "sha256")
                break
        model = load_model(
            directory, version=version, digest=f"sha256:{digest.hexdigest()}", settings=settings
        )
        return cls(model, settings)

    @property
    def spec(self) -> ModelSpec:
        """Which model this is."""
        return self._model.spec

    @property
    def device(self) -> str:
        """What it runs on, for people."""
        return self._model.encoder.device_name

    # A str is a sequence of str too; the first overload is the one that type checkers take.
    @overload
    def parse(self, addresses: str) -> AddressResult: ...  # type: ignore[overload-overlap]

    @overload
    def parse(self, addresses: Sequence[str]) -> list[AddressResult]: ...

    def parse(self, addresses: str | Sequence[str]) -> AddressResult | list[AddressResult]:
        """Parse one address or many.

        Many at once are far faster than one by one. Results come in the order of the
        addresses, with ids ``#0``, ``#1`` …; an address that cannot be parsed has
        ``status="error"`` and the code ``bad_text`` (not text), ``empty_text``,
        ``text_too_long``, ``result_too_large``, ``model_error`` or ``device_out_of_memory``.

        Raises:
            DeviceLostError: ``device_lost``; this process can use the device no more.
        """
        if isinstance(addresses, str):
            return next(self.stream([addresses]))
        return list(self.stream(addresses))

    def stream(self, addresses: Iterable[str]) -> Iterator[AddressResult]:
        """Parse without end: results as they come, in order, with flat memory."""
        source = iter(addresses)
        position = 0
        while chunk := list(islice(source, _CHUNK)):
            yield from self._parse_chunk(chunk, position)
            position += len(chunk)

    def _parse_chunk(self, texts: Sequence[object], position: int) -> list[AddressResult]:
        faults = [self._fault(text) for text in texts]
        # The same text twice is parsed once.
        distinct = list(
            dict.fromkeys(
                text
                for text, fault in zip(texts, faults, strict=True)
                if fault is None and isinstance(text, str)
            )
        )
        found = dict(zip(distinct, self._parse_distinct(distinct), strict=True))
        results = []
        for index, (text, fault) in enumerate(zip(texts, faults, strict=True), position):
            shown = text if isinstance(text, str) and fault != "bad_text" else None
            outcome = fault if fault is not None or shown is None else found[shown]
            if isinstance(outcome, Interpretation) and shown is not None:
                limits = self.settings.limits
                results.append(parsed_address(f"#{index}", shown, outcome, limits))
            else:
                results.append(failed_address(f"#{index}", shown, str(outcome)))
        return results

    def _fault(self, text: object) -> str | None:
        if not isinstance(text, str):
            return "bad_text"
        try:
            text.encode()
        except UnicodeEncodeError:  # half of a surrogate pair: no text that JSON can carry
            return "bad_text"
        return text_fault(text, self.settings.limits)

    def _parse_distinct(self, texts: Sequence[str]) -> list[Interpretation | str]:
        """What each text is made of, or the code of what went wrong with it."""
        prepared = prepare_each(self._model, texts)
        rows = [
            (window, index, part)
            for index, address in enumerate(prepared)
            for part, window in enumerate(address.windows if address else ())
        ]
        rows.sort(key=lambda row: row[0].length)
        scores: list[dict[int, RowOutcome]] = [{} for _ in prepared]
        for batch in self._batches(rows):
            outcomes, _ = score_rows(self._model.encoder, [one.token_ids for one, _, _ in batch])
            for (_, index, part), outcome in zip(batch, outcomes, strict=True):
                scores[index][part] = outcome
        return self._interpret(prepared, scores)

    def _batches(
        self, rows: Sequence[tuple[Window, int, int]]
    ) -> Iterator[Sequence[tuple[Window, int, int]]]:
        """Rows, shortest first, cut so that each batch keeps budget and batch size."""
        start = 0
        for end in range(1, len(rows) + 1):
            full = end == len(rows)
            if not full:
                cost = rows[end][0].length * (end + 1 - start)
                full = cost > self.settings.token_budget or end - start >= self.settings.batch_size
            if full:
                yield rows[start:end]
                start = end

    def _interpret(
        self, prepared: Sequence[PreparedAddress | None], scores: Sequence[Mapping[int, RowOutcome]]
    ) -> list[Interpretation | str]:
        outcomes: list[Interpretation | str] = ["model_error"] * len(prepared)
        complete: list[tuple[int, PreparedAddress, list[Scores]]] = []
        for index, (address, parts) in enumerate(zip(prepared, scores, strict=True)):
            faults = [part.code for part in parts.values() if isinstance(part, RowFault)]
            if faults:
                outcomes[index] = faults[0]
            elif address is not None:
                arrays = {n: part for n, part in parts.items() if not isinstance(part, RowFault)}
                complete.append((index, address, [arrays[n] for n in range(len(arrays))]))
        found = interpret_each(
            self._model, [one for _, one, _ in complete], [its for _, _, its in complete]
        )
        for (index, _, _), interpretation in zip(complete, found, strict=True):
            if interpretation is not None:
                outcomes[index] = interpretation
        return outcomes
