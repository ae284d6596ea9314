"""Holds a run of the bench against an earlier one: which figures are worse, and by how much. Pure.

Judges nothing that cannot be compared: speeds of another machine, or figures of another model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Document = Mapping[str, Any]

_MACHINE: Final = ("processor", "cores", "gpu")


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of two runs.

    Attributes:
        name: what was measured.
        baseline: median of the earlier run.
        measured: of this run; the repetition that looks best, where there are several.
        worse_by: share of the baseline by which even that repetition is worse; below 0: better.
        held_back: why it is not judged; None: it is.
    """

    name: str
    baseline: float
    measured: float
    worse_by: float
    held_back: str | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs of the bench, figure by figure."""

    figures: tuple[Compared, ...]

    @property
    def judged(self) -> tuple[Compared, ...]:
        """Those that can be compared."""
        return tuple(one for one in self.figures if one.held_back is None)

    def regressions(self, max_regression: float) -> tuple[Compared, ...]:
        """Those that are worse by more than this share of the baseline."""
        return tuple(one for one in self.judged if one.worse_by > max_regression)


@dataclass(frozen=True, slots=True)
class _Figure:
    """How one figure is read.

    Attributes:
        middle: the run's figure.
        best: the repetition that looks best.
        larger_is_better: the direction.
        of_machine: False for ratios of two measurements made by turns on one machine.
    """

    middle: float
    best: float
    larger_is_better: bool = True
    of_machine: bool = True


def compare(measured: Document, baseline: Document) -> Comparison:
    """Every figure that both runs have.

    A figure is worse only as far as its *best* repetition falls behind the baseline's *median*:
    one repetition that was disturbed does not make a regression, a slower program shows in all.

    Args:
        measured: a document of ``run_bench``.
        baseline: an earlier one.

    Raises:
        KeyError, TypeError: one of them is no such document.
    """
    machines = [tuple(one["machine"][key] for key in _MACHINE) for one in (baseline, measured)]
    elsewhere = "another machine" if machines[0] != machines[1] else None
    earlier = {key: (one, model) for key, one, model in _figures(baseline["sections"])}
    found = []
    for key, one, model in _figures(measured["sections"]):
        if key not in earlier:
            continue
        before, earlier_model = earlier[key]
        found.append(
            Compared(
                name=" ".join(key),
                baseline=before.middle,
                measured=one.best,
                worse_by=_worse_by(one.best, before.middle, one.larger_is_better),
                held_back="another model"
                if model != earlier_model
                else elsewhere
                if one.of_machine
                else None,
            )
        )
    return Comparison(tuple(found))


def _worse_by(measured: float, baseline: float, larger_is_better: bool) -> float:
    if baseline <= 0:
        return 0.0
    change = measured / baseline - 1.0
    return -change if larger_is_better else change


def _figures(sections: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], _Figure, Any]]:
    """((model, what), figure, what identifies the model) of everything that is worth judging."""
    for name, one in sections.get("throughput", {}).items():
        model = _model(one)
        summary = one["summary"]
        yield (name, "exactly once, addresses/s"), _larger(summary["exactly_once"]), model
        ratio = _larger(summary["ratio_to_ceiling"], of_machine=False)
        yield (name, "exactly once over ceiling"), ratio, model
    if "broker" in sections:
        rate = _larger(sections["broker"]["summary"]["exactly_once"])
        yield ("instant encoder", "exactly once, addresses/s"), rate, None
    for name, one in sections.get("latency", {}).items():
        p99 = one["summary"]["p99_s"]
        figure = _Figure(p99, p99, larger_is_better=False)
        yield (name, "latency P99, s"), figure, _model(one)
    for section, who in (("engine-memory", "instant encoder"), ("memory", "model")):
        if section in sections:
            peak = float(sections[section]["large"]["peak_bytes"])
            figure = _Figure(peak, peak, larger_is_better=False)
            yield (who, "memory peak, bytes"), figure, _model(sections[section])
    if "modelscope" in sections:
        ratio = _larger(sections["modelscope"]["summary"]["ours_over_tuned"], of_machine=False)
        yield ("base-random", "ours over modelscope, 32 × 128"), ratio, None


def _model(measured: Mapping[str, Any]) -> Any:
    """What makes the measured model another one; None where the document does not say."""
    spec = measured.get("model")
    return None if spec is None else (spec["digest"], spec["precision"])


def _larger(figure: Mapping[str, float], *, of_machine: bool = True) -> _Figure:
    return _Figure(figure["median"], figure["high"], of_machine=of_machine)
