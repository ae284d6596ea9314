"""Simulated rollouts on disk: what ran once under the same conditions need not run again.

A file is one JSON document, one run a line. It is replaced whole, so that one that is stopped in
the middle of writing leaves the old one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]


class KeptRuns:
    """Runs by scenario and seed, each scenario with the conditions that it ran under.

    Args:
        path: read if it is there.
        conditions: by scenario: runs that were kept under others are left out, and gone with the
            next write. A scenario that is not named here is kept as it is.

    Raises:
        ValueError: the file is not one of ours.
    """

    def __init__(self, path: Path, conditions: Mapping[str, Mapping[str, Any]]) -> None:
        self._path = path
        self._rows: dict[str, dict[int, Row]] = {}
        self._conditions: dict[str, Mapping[str, Any]] = {}
        kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        before = kept.get("conditions", {})
        for values in kept.get("runs", ()):
            row = dict(zip(kept["columns"], values, strict=True))
            scenario = row["scenario"]
            if scenario not in conditions or before.get(scenario) == dict(conditions[scenario]):
                self._rows.setdefault(scenario, {})[row["seed"]] = row
                self._conditions[scenario] = before.get(scenario, {})
        self._conditions |= conditions

    def seeds(self, scenario: str) -> set[int]:
        """Those that need not run."""
        return set(self._rows.get(scenario, ()))

    def rows(self, scenario: str) -> list[Row]:
        """In the order of their seeds."""
        of_scenario = self._rows.get(scenario, {})
        return [of_scenario[seed] for seed in sorted(of_scenario)]

    def add(self, rows: Iterable[Row]) -> None:
        """Take more, in place of those with the same seed."""
        for row in rows:
            self._rows.setdefault(row["scenario"], {})[row["seed"]] = row

    def write(self, head: Mapping[str, Any], columns: Sequence[str]) -> None:
        """Put all of them in the file, under ``head``."""
        ran = [name for name in self._rows if self._rows[name]]
        front = json.dumps(
            {
                **head,
                "conditions": {name: self._conditions[name] for name in ran},
                "columns": list(columns),
            },
            indent=1,
        )
        lines = ",\n".join(
            json.dumps([row[column] for column in columns])
            for name in ran
            for row in self.rows(name)
        )
        beside = self._path.with_suffix(".part")
        beside.write_text(f'{front[:-2]},\n "runs": [\n{lines}\n]}}\n', encoding="utf-8")
        beside.replace(self._path)
