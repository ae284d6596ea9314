"""What is wrong with a file and where, collected into one error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from contracts.errors import UsageError

_MOST_SHOWN: Final = 50


@dataclass(frozen=True, slots=True, order=True)
class Where:
    """A place in what was written: ``source:line:column``, or the option that said it."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and where."""

    where: Where
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


class DocumentError(UsageError):
    """A file that cannot be used, with everything that is wrong with it.

    Attributes:
        problems: at least one: those of the file by line, then those of options.
    """

    def __init__(self, what: str, problems: Iterable[Problem], *, code: str, hint: str) -> None:
        self.problems = tuple(sorted(problems, key=_place))
        if len(self.problems) == 1:
            message = str(self.problems[0])
        else:
            lines = [f"\n  {problem}" for problem in self.problems[:_MOST_SHOWN]]
            if len(self.problems) > _MOST_SHOWN:
                lines.append(f"\n  … and {len(self.problems) - _MOST_SHOWN} more")
            message = f"the {what} has {len(self.problems)} errors:{''.join(lines)}"
        super().__init__(message, code=code, hint=hint)


def _place(problem: Problem) -> tuple[bool, int, int]:
    # Options keep the order in which they were given: the sort is stable.
    where = problem.where
    return where.line == 0, where.line, where.column
