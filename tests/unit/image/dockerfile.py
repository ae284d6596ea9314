"""The Dockerfile as stages and instructions, as far as the tests ask of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

DOCKERFILE = Path(__file__).parents[3] / "Dockerfile"


@dataclass
class Stage:
    name: str
    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)
    """Instruction and its arguments, in order."""

    def last(self, instruction: str) -> str | None:
        found = [arguments for name, arguments in self.steps if name == instruction]
        return found[-1] if found else None


def stages(text: str) -> dict[str, Stage]:
    """By name, in their order."""
    lines = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    found: dict[str, Stage] = {}
    current: Stage | None = None
    for line in filter(None, map(str.strip, lines)):
        instruction, _, arguments = line.partition(" ")
        if instruction == "FROM":
            base, _, name = arguments.partition(" AS ")
            current = found[name] = Stage(name, base)
        elif current is not None:
            current.steps.append((instruction, arguments.strip()))
    return found


def effective(all_stages: dict[str, Stage], name: str, instruction: str) -> str | None:
    """What holds in a stage: its own last word, or that of the stage it starts from."""
    stage: Stage | None = all_stages[name]
    while stage is not None:
        if (found := stage.last(instruction)) is not None:
            return found
        stage = all_stages.get(stage.base)
    return None


def copied_layers(all_stages: dict[str, Stage], name: str) -> list[str]:
    """``stage:/path`` of every COPY --from that ends in this stage, from the bottom up."""
    stage = all_stages[name]
    below = copied_layers(all_stages, stage.base) if stage.base in all_stages else []
    own = [
        re.sub(r"--from=(\S+)(?: --\S+)* (\S+) .*", r"\1:\2", arguments)
        for instruction, arguments in stage.steps
        if instruction == "COPY" and "--from=" in arguments
    ]
    return below + own
