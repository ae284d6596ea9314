"""The figures as rows for people, and the targets they are held against. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

_PER_S: Final = "addresses/s"
_MEMORY: Final = {"engine-memory": "an instant encoder", "memory": "the model"}


@dataclass(frozen=True, slots=True)
class Target:
    """A promise and what came of it.

    Attributes:
        name: what was promised.
        value: what was measured.
        bound: what it is held against.
        at_least: True where larger is better.
    """

    name: str
    value: float
    bound: float
    at_least: bool

    @property
    def met(self) -> bool:
        """Whether the promise is kept."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound


def targets(sections: dict[str, Any]) -> list[Target]:
    """Every promise that these sections can judge."""
    found = []
    ceilings = {"base-random": 0.95, "starter": 0.65}
    for model, one in sections.get("throughput", {}).items():
        summary = one["summary"]
        if model in ceilings:
            ratio = summary["ratio_to_ceiling"]["median"]
            found.append(Target(f"ratio to the ceiling, {model}", ratio, ceilings[model], True))
        if model == "starter":
            price = summary["price_of_exactly_once"]["median"]
            found.append(Target("price of exactly once, starter", price, 0.10, False))
    if "modelscope" in sections:
        summary = sections["modelscope"]["summary"]
        for way, bound in (("default", 10.0), ("tuned", 4.0)):
            value = summary[f"ours_over_{way}"]["median"]
            found.append(Target(f"ours over modelscope's {way} setting", value, bound, True))
    for section, who in _MEMORY.items():
        if section in sections:
            value = sections[section]["summary"]["large_over_small"]
            found.append(Target(f"memory, large over small backlog, {who}", value, 1.10, False))
    return found


def rows(sections: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """(what, median, lowest to highest, unit) of every figure."""
    for model, one in sections.get("throughput", {}).items():
        summary = one["summary"]
        budget = summary["ceiling_token_budget"]
        yield _row(f"{model}: ceiling, {budget} tokens a batch", summary["ceiling"], _PER_S)
        yield _row(f"{model}: exactly once", summary["exactly_once"], _PER_S)
        yield _row(f"{model}: at least once", summary["at_least_once"], _PER_S)
        yield _row(f"{model}: exactly once over ceiling", summary["ratio_to_ceiling"], "", 3)
        yield _row(f"{model}: price of exactly once", summary["price_of_exactly_once"], "", 3)
        yield _row(f"{model}: padding in a device batch", summary["padding_waste"], "", 3)
    if "broker" in sections:
        summary = sections["broker"]["summary"]
        yield _row("instant encoder: exactly once", summary["exactly_once"], _PER_S)
        yield _row("instant encoder: at least once", summary["at_least_once"], _PER_S)
        yield _row("instant encoder: price", summary["price_of_exactly_once"], "", 3)
    for model, one in sections.get("latency", {}).items():
        load = one["addresses_per_s"]
        for name, key in (("P50", "p50_s"), ("P99", "p99_s")):
            yield (
                f"{model}: latency {name} at {load:.0f} addresses/s",
                f"{one['summary'][key] * 1e3:.0f}",
                "",
                "ms",
            )
    for section, who in _MEMORY.items():
        for name in ("small", "large") if section in sections else ():
            one = sections[section][name]
            yield (
                f"memory of a worker with {who}, backlog of {one['addresses']:,}",
                f"{one['peak_bytes'] / 2**20:.0f}",
                f"{one['last_half_bytes_per_minute'] / 2**20:+.1f} MiB/min in the last half",
                "MiB peak",
            )
    if "modelscope" in sections:
        summary = sections["modelscope"]["summary"]
        yield _row("modelscope as it comes", summary["default"], _PER_S, 1)
        yield _row("modelscope, 32 × 128", summary["tuned"], _PER_S, 1)
        yield _row("ours, same weights", summary["ours"], _PER_S, 1)
        yield _row("ours over modelscope as it comes", summary["ours_over_default"], "×", 1)
        yield _row("ours over modelscope, 32 × 128", summary["ours_over_tuned"], "×", 1)


def _row(
    what: str, figure: dict[str, float], unit: str, digits: int = 0
) -> tuple[str, str, str, str]:
    median, low, high = (f"{figure[key]:,.{digits}f}" for key in ("median", "low", "high"))
    return what, median, f"{low} – {high}", unit
