"""The page of error codes, from ``contracts.codes``."""

from __future__ import annotations

from contracts.codes import CONSEQUENCES, GROUPS, CodeSpec
from contracts.problems import PROBLEMS
from deploy.reference.markdown import table


def errors_page() -> str:
    """Every code by group, with what it leads to and what to do."""
    parts = [
        (
            "# Error codes\n\n"
            "A code stands in results (`error`), in dead letters (header `mgeo-error-code`), in "
            "metrics (label `code`) and in the messages of the command line. Codes keep their "
            "names and meanings. What each consequence is:\n\n"
        ),
        table(
            ("consequence", "what happens"),
            ((f"`{name}`", meaning) for name, meaning in CONSEQUENCES.items()),
        ),
    ]
    for heading, specs in GROUPS:
        parts.append(f"\n## {heading}\n\n")
        parts.append(
            table(
                ("code", "consequence", "what is wrong", "what to do"),
                (
                    (
                        f"`{spec.code}`",
                        ", ".join(_consequences(spec)),
                        spec.meaning,
                        spec.remedy,
                    )
                    for spec in specs
                ),
            )
        )
    return "".join(parts)


def _consequences(spec: CodeSpec) -> list[str]:
    """Each consequence; beside ``problem`` stands the HTTP status."""
    found = [f"`{one}`" for one in spec.consequences if one != "problem"]
    if spec.code in PROBLEMS:
        return [*found, f"`problem` {PROBLEMS[spec.code].status}"]
    return [*found, "`problem`"] if "problem" in spec.consequences else found
