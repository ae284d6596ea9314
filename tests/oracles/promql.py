"""What a PromQL expression says about metrics, held against the list of metrics.

A misspelt name or label is not an error to Prometheus: it is an empty answer, and an alert that
never fires. Here it is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import promql_parser as promql

from contracts.metrics import ALL_METRICS, MetricSpec
from contracts.phases import Phase
from deploy.monitoring.jobs import JOBS
from rollout.stages import Cause

TARGET = frozenset({"job", "instance"})
"""What Prometheus adds to every series that it scrapes."""

# Of the client's process collector, of Prometheus itself: not in our list, and surely there.
FOREIGN: Mapping[str, frozenset[str]] = {
    "up": TARGET,
    "process_cpu_seconds_total": TARGET,
    "process_resident_memory_bytes": TARGET,
    "process_start_time_seconds": TARGET,
    "ALERTS": frozenset({"alertname", "alertstate", "severity"}),
}

VALUES: Mapping[str, frozenset[str]] = {
    "job": frozenset(job.name for job in JOBS),
    "phase": frozenset(Phase),
    "cause": frozenset(Cause),
    "status": frozenset({"ok", "error", "200", "202", "422", "429", "500", "503", "504"}),
    "state": frozenset({"opening", "open"}),
    "outcome": frozenset(
        {"parsed", "dead_letter", "pair", "unreadable", "crashed", "committed", "lost"}
        | {"sent", "late", "no_partition", "crowded_out", "failed"}
        | {"answered", "refused", "foreign"}
    ),
    "alertstate": frozenset({"firing", "pending"}),
    "severity": frozenset({"critical", "warning", "info", "none"}),
    "route": frozenset({"/parse", "/parse/batch", "/events"}),
}
"""What a label can say, where that is known."""

_RATES = {"rate", "increase", "irate"}


class WrongExpressionError(AssertionError):
    """It asks for what is not there."""


@dataclass(slots=True)
class Reader:
    """Reads expressions; knows the recording rules that were read before.

    Attributes:
        recorded: name of a recording rule to its labels.
        used: names of metrics, as the list has them, that were asked for.
    """

    recorded: dict[str, frozenset[str]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def labels(self, expression: str) -> frozenset[str]:
        """The labels that its series can have.

        Raises:
            WrongExpressionError: a metric, label or value that does not exist, a counter without
                a rate, or sides that can never match.
        """
        return self._labels(promql.parse(expression)) or frozenset()

    def record(self, name: str, expression: str) -> None:
        """A recording rule: later expressions may ask for it."""
        self.recorded[name] = self.labels(expression)

    def _labels(self, node: Any, within: str = "") -> frozenset[str] | None:
        """Labels of a vector; None for a scalar."""
        match node:
            case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
                return self._labels(node.expr, within)
            case promql.NumberLiteral() | promql.StringLiteral():
                return None
            case promql.MatrixSelector():
                return self._selected(node.vector_selector, within)
            case promql.VectorSelector():
                return self._selected(node, within)
            case promql.AggregateExpr():
                return self._aggregated(node)
            case promql.Call():
                return self._called(node)
            case promql.BinaryExpr():
                return self._combined(node)
        raise WrongExpressionError(f"an unknown kind of expression: {type(node).__name__}")

    def _selected(self, selector: Any, within: str) -> frozenset[str]:
        name = selector.name
        if name in self.recorded:
            labels = self.recorded[name]
        elif name in FOREIGN:
            labels = FOREIGN[name]
        else:
            spec, labels = _found(name)
            self.used.add(spec.name)
            cumulative = spec.kind != "gauge"
            plain = within in _RATES
            if cumulative != plain and not (cumulative and within == ""):
                raise WrongExpressionError(f"{within or 'no'} rate of {name}, a {spec.kind}")
        for matcher in selector.matchers.matchers:
            if matcher.name not in labels:
                raise WrongExpressionError(f"{name} has no label {matcher.name}")
            _check_value(str(matcher.op), matcher.name, matcher.value)
        return labels

    def _aggregated(self, node: Any) -> frozenset[str]:
        inner = self._labels(node.expr) or frozenset()
        if str(node.op) in ("topk", "bottomk"):
            return inner
        if node.modifier is None:
            return frozenset()
        asked = frozenset(node.modifier.labels)
        if asked - inner:
            raise WrongExpressionError(f"{node.op} by labels that are not there: {asked - inner}")
        by = node.modifier.type == promql.AggModifierType.By
        return asked if by else inner - asked

    def _called(self, node: Any) -> frozenset[str] | None:
        name = node.func.name
        if name == "time":
            return None
        if name == "vector":
            return frozenset()
        if name == "histogram_quantile":
            inner = self._labels(node.args[1]) or frozenset()
            if "le" not in inner:
                raise WrongExpressionError("a quantile of what has no le")
            return inner - {"le"}
        inner = self._labels(node.args[0], name) or frozenset()
        if name == "label_replace":
            target, source = node.args[1].val, node.args[3].val
            if source not in inner:
                raise WrongExpressionError(f"label_replace of {source}, which is not there")
            return inner | {target}
        return inner

    def _combined(self, node: Any) -> frozenset[str] | None:
        left, right = self._labels(node.lhs), self._labels(node.rhs)
        if left is None or right is None:
            return right if left is None else left
        operator, modifier = str(node.op), node.modifier
        matching = None if modifier is None else modifier.matching
        if operator == "or":
            return left | right
        if matching is None:
            if left != right:
                raise WrongExpressionError(
                    f"sides that never match: {sorted(left)} {operator} {sorted(right)}"
                )
            return left
        on = frozenset(matching.labels)
        if on - left or on - right:
            raise WrongExpressionError(f"{operator} on labels that are not there: {sorted(on)}")
        if operator in ("and", "unless") or modifier.group_labels is not None:
            return left
        return on if "Many" not in str(modifier.card) else left


def _found(name: str) -> tuple[MetricSpec, frozenset[str]]:
    for spec in ALL_METRICS:
        labels = TARGET | set(spec.labels)
        if name.startswith("mgeo_gateway_"):
            labels |= {"version"}  # of their pods, blue or green; elsewhere it is not there
        shown = {
            "counter": {f"{spec.name}_total": labels},
            "gauge": {spec.name: labels},
            "histogram": {
                f"{spec.name}_bucket": labels | {"le"},
                f"{spec.name}_sum": labels,
                f"{spec.name}_count": labels,
            },
        }[spec.kind]
        if name in shown:
            return spec, shown[name]
    raise WrongExpressionError(f"no metric is called {name}")


def _check_value(operator: str, label: str, value: str) -> None:
    known = VALUES.get(label)
    if known is None:
        raise WrongExpressionError(f"what {label} can be is not known here: add it")
    if "Re" in operator or "~" in operator:
        for branch in value.split("|"):
            if not any(re.fullmatch(branch, one) for one in known):
                raise WrongExpressionError(f"{label} is never like {branch}")
    elif value not in known:
        raise WrongExpressionError(f"{label} is never {value}")
