"""How well `mgeo insights` tells planted trouble apart, by class, and how often it cries wolf.

``python -m benchmarks.insights`` makes clean and planted addresses, parses them with a starter
release through the real parser, and writes precision and recall. No address text is kept.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.planted_trouble import CODES, Made, Maker, mixed
from rollout.insights.detect import diagnose
from rollout.stats.display import wilson_interval

if TYPE_CHECKING:
    from contracts.events import AddressResult

HERE: Final = Path(__file__).resolve().parent
STORED: Final = HERE / "insights.json"
MODEL: Final = "mgeo-starter-v2-20261015"
SEED: Final = 20261127


@dataclass(frozen=True, slots=True)
class Score:
    """One class over a mixed range: addresses.

    Attributes:
        found: planted and raised.
        raised: raised wherever, clean addresses and other troubles included.
        planted: planted.
    """

    found: int
    raised: int
    planted: int

    @property
    def precision(self) -> float:
        """Share of the raised that were planted."""
        return self.found / self.raised if self.raised else 0.0

    @property
    def recall(self) -> float:
        """Share of the planted that were raised."""
        return self.found / self.planted if self.planted else 0.0


@dataclass(frozen=True, slots=True)
class Found:
    """Everything measured."""

    scores: dict[str, Score]
    clean: int
    clean_raised: int

    @property
    def false_alarms(self) -> float:
        """Share of the clean addresses with any class raised."""
        return self.clean_raised / self.clean


def judged(made: Sequence[Made], results: Sequence[AddressResult]) -> Found:
    """What was raised against what was planted."""
    found: Counter[str] = Counter()
    raised: Counter[str] = Counter()
    planted: Counter[str] = Counter()
    clean = clean_raised = 0
    for one, result in zip(made, results, strict=True):
        codes = diagnose(result).codes
        raised.update(codes)
        planted.update(one.planted)
        found.update(codes & one.planted)
        clean += not one.planted
        clean_raised += not one.planted and bool(codes)
    return Found(
        {code: Score(found[code], raised[code], planted[code]) for code in CODES},
        clean,
        clean_raised,
    )


def measure(seed: int, of_each: int, clean: int, model: str = MODEL) -> Found:
    """Make, parse and judge."""
    from consumer.address_parser import AddressParser

    made = list(mixed(Maker(seed), of_each, clean))
    return judged(made, AddressParser.load(model).parse([one.text for one in made]))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=SEED)
    arguments.add_argument("--of-each", type=int, default=300)
    arguments.add_argument("--clean", type=int, default=3000)
    arguments.add_argument("--out", type=Path, default=STORED)
    asked = arguments.parse_args()
    found = measure(asked.seed, asked.of_each, asked.clean)
    for code, score in found.scores.items():
        print(f"{code:22} precision {score.precision:.3f}  recall {score.recall:.3f}")
    low, high = wilson_interval(found.clean_raised, found.clean)
    print(
        f"raised on {found.clean_raised} of {found.clean} clean addresses:"
        f" {found.false_alarms:.2%} ({low:.2%} to {high:.2%})"
    )
    document = {
        "model": MODEL,
        "seed": asked.seed,
        "classes": {
            code: {
                **asdict(one),
                "precision": round(one.precision, 4),
                "recall": round(one.recall, 4),
            }
            for code, one in found.scores.items()
        },
        "clean": {"addresses": found.clean, "raised": found.clean_raised},
    }
    asked.out.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
