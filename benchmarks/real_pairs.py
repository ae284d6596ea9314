"""What the two starter releases really make of the same addresses, as numbers only.

``python -m benchmarks.real_pairs`` parses made-up addresses with both, prints how far they agree,
and keeps for each address the figures that judging needs. No address text is kept.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from consumer.address_parser import AddressParser
    from contracts.events import AddressResult

HERE: Final = Path(__file__).resolve().parent
STORED: Final = HERE / "real-pairs.json"

REFERENCE: Final = "mgeo-starter-v1-20260915"
CANDIDATE: Final = "mgeo-starter-v2-20261015"

_SEED: Final = 20261125
_CHUNK: Final = 256


@dataclass(frozen=True, slots=True)
class RealPair:
    """Two releases on one address.

    Attributes:
        traffic: the generator's month that the address comes from: 1 or 2.
        slice: the reference's province, or an empty text.
        exact: whether both flat views are equal.
        common: spans that both found.
        reference: spans of the reference.
        candidate: spans of the candidate.
    """

    traffic: int
    slice: str
    exact: bool
    common: int
    reference: int
    candidate: int

    @property
    def f1(self) -> float:
        """F1 of the candidate's spans against the reference's; 1 where neither found any."""
        both = self.reference + self.candidate
        return 2 * self.common / both if both else 1.0


def stored_pairs(path: Path = STORED) -> list[RealPair]:
    """The pairs that the command has kept."""
    return [RealPair(*row) for row in json.loads(path.read_text())["pairs"]]


def measured(
    reference: AddressParser, candidate: AddressParser, texts: Sequence[str], traffic: int
) -> list[RealPair]:
    """Parse with both. Every text must parse; none may come twice."""
    return [
        _pair(one, other, traffic)
        for one, other in zip(reference.parse(texts), candidate.parse(texts), strict=True)
    ]


def _pair(one: AddressResult, other: AddressResult, traffic: int) -> RealPair:
    assert one.status == other.status == "ok"
    spans = [
        {(component.type, component.start, component.end) for component in result.components}
        for result in (one, other)
    ]
    return RealPair(
        traffic=traffic,
        slice=one.address.get("prov", ""),
        exact=one.address == other.address,
        common=len(spans[0] & spans[1]),
        reference=len(spans[0]),
        candidate=len(spans[1]),
    )


def summary(pairs: Iterable[RealPair]) -> dict[str, float]:
    """Agreement over some pairs."""
    pairs = list(pairs)
    return {
        "addresses": len(pairs),
        "exact_match": round(statistics.fmean(pair.exact for pair in pairs), 4),
        "span_f1": round(statistics.fmean(pair.f1 for pair in pairs), 4),
        "exact_match_lowest_slice": round(
            min(
                (
                    statistics.fmean(pair.exact for pair in group)
                    for group in _by_slice(pairs).values()
                    if len(group) >= 100
                ),
                default=0.0,
            ),
            4,
        ),
    }


def _by_slice(pairs: Iterable[RealPair]) -> dict[str, list[RealPair]]:
    groups = defaultdict(list)
    for pair in pairs:
        groups[pair.slice].append(pair)
    return groups


def main() -> None:
    """Measure and keep."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--addresses", type=int, default=6000, help="of each of the two months")
    options.add_argument("--out", type=Path, default=STORED)
    chosen = options.parse_args()

    from rich.progress import Progress

    from consumer.address_parser import AddressParser
    from consumer.settings import ParserSettings
    from consumer.starter.generator.addresses import addresses

    settings = ParserSettings(device="cpu")
    reference = AddressParser.load(REFERENCE, settings=settings)
    candidate = AddressParser.load(CANDIDATE, settings=settings)
    pairs: list[RealPair] = []
    started = time.monotonic()
    with Progress() as progress:
        task = progress.add_task("addresses", total=2 * chosen.addresses)
        for traffic in (1, 2):
            seen: set[str] = set()
            for labelled in addresses(_SEED, "held_out", traffic):
                if labelled.text in seen:
                    continue
                seen.add(labelled.text)
                if len(seen) >= chosen.addresses:
                    break
            texts = sorted(seen)
            for at in range(0, len(texts), _CHUNK):
                part = texts[at : at + _CHUNK]
                pairs += measured(reference, candidate, part, traffic)
                progress.advance(task, len(part))
    figures = {
        "all": summary(pairs),
        "traffic of month 1": summary(p for p in pairs if p.traffic == 1),
        "traffic of month 2": summary(p for p in pairs if p.traffic == 2),
        "slices": {
            name or "(no province)": summary(group)
            for name, group in sorted(_by_slice(pairs).items(), key=lambda item: -len(item[1]))
            if len(group) >= 100
        },
    }
    document = {
        "reference": reference.spec.model_dump(mode="json"),
        "candidate": candidate.spec.model_dump(mode="json"),
        "seed": _SEED,
        "seconds": round(time.monotonic() - started, 1),
        "agreement": figures,
        "columns": list(asdict(pairs[0])),
        "pairs": [list(asdict(pair).values()) for pair in pairs],
    }
    chosen.out.write_text(_compact(document), encoding="utf-8")
    print(json.dumps(figures, ensure_ascii=False, indent=2))


def _compact(document: dict[str, object]) -> str:
    """JSON with one pair a line, so that a difference can be read."""
    head = {name: value for name, value in document.items() if name != "pairs"}
    rows = document["pairs"]
    assert isinstance(rows, list)
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    return json.dumps(head, ensure_ascii=False, indent=1)[:-2] + f',\n "pairs": [\n{lines}\n]}}\n'


if __name__ == "__main__":
    main()
