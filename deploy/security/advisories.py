"""What the audit's tool found, read strictly, and the verdict on it. Pure.

An audit that did not happen is never a clean one: what the tool could not ask about is told apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from contracts.errors import UsageError

OURS: Final = "mgeo-stream"
"""This project itself is in no registry of advisories."""

Verdict = Literal["clean", "vulnerable", "not_audited"]


class Advisory(BaseModel):
    """A known hole in one version of a package, as pip-audit prints it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    fix_versions: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


class Dependency(BaseModel):
    """One package: audited, or passed over for a reason."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    version: str = ""
    vulns: tuple[Advisory, ...] | None = None
    skip_reason: str = ""


class _Printed(BaseModel):
    model_config = ConfigDict(extra="ignore")

    dependencies: tuple[Dependency, ...]


class Accepted(BaseModel):
    """An advisory that somebody has looked at, and why it does not matter here.

    Attributes:
        id: of the advisory, or one of its aliases.
        package: that it is about.
        reason: why it may stand, for people.
        until: the last day on which that counts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    package: str
    reason: str
    until: date


@dataclass(frozen=True, slots=True)
class Finding:
    """An advisory about a package that we use."""

    package: str
    version: str
    advisory: Advisory

    @property
    def sentence(self) -> str:
        """For people."""
        fixed = ", ".join(self.advisory.fix_versions) or "no version yet"
        return f"{self.package} {self.version}: {self.advisory.id}, fixed in {fixed}"


@dataclass(frozen=True, slots=True)
class Audit:
    """The outcome.

    Attributes:
        audited: how many packages were asked about.
        open: findings that nobody has accepted, or no longer.
        accepted: findings that somebody has.
        unaudited: packages that were passed over, and why.
        unneeded: acceptances that no finding needs: their time to go has come.
    """

    audited: int
    open: tuple[Finding, ...]
    accepted: tuple[Finding, ...]
    unaudited: tuple[Dependency, ...]
    unneeded: tuple[Accepted, ...]

    @property
    def verdict(self) -> Verdict:
        """One word; what is known to be bad weighs more than what is not known."""
        if self.open:
            return "vulnerable"
        return "not_audited" if self.unaudited or not self.audited else "clean"


def read_printed(text: str) -> tuple[Dependency, ...] | None:
    """What pip-audit printed; None when that is no answer of its.

    It leaves with 1 both when it found something and when it could not ask: only the document
    tells which.
    """
    try:
        return _Printed.model_validate_json(text).dependencies
    except ValidationError:
        return None


def read_accepted(text: str) -> tuple[Accepted, ...]:
    """The acceptances in a JSON file.

    Raises:
        UsageError: ``bad_accepted_advisories``.
    """
    try:
        return tuple(TypeAdapter(list[Accepted]).validate_python(json.loads(text)))
    except (ValueError, ValidationError) as error:
        raise UsageError(
            "the list of accepted advisories cannot be read",
            code="bad_accepted_advisories",
            hint="a JSON list of {id, package, reason, until: YYYY-MM-DD}",
        ) from error


def judge(
    dependencies: Sequence[Dependency], accepted: Iterable[Accepted], *, today: date
) -> Audit:
    """Sort what was found.

    Args:
        dependencies: as ``read_printed`` gives them.
        accepted: what somebody has looked at.
        today: an acceptance counts up to and with its last day.
    """
    accepted = tuple(accepted)
    open_: list[Finding] = []
    standing: list[Finding] = []
    used: set[Accepted] = set()
    for one in dependencies:
        for advisory in one.vulns or ():
            finding = Finding(one.name, one.version, advisory)
            reasons = [each for each in accepted if _is_about(each, finding)]
            used.update(reasons)
            in_force = any(each.until >= today for each in reasons)
            (standing if in_force else open_).append(finding)
    return Audit(
        audited=sum(one.vulns is not None for one in dependencies),
        open=tuple(open_),
        accepted=tuple(standing),
        unaudited=tuple(one for one in dependencies if one.vulns is None and one.name != OURS),
        unneeded=tuple(one for one in accepted if one not in used),
    )


def _is_about(accepted: Accepted, finding: Finding) -> bool:
    names = {finding.advisory.id, *finding.advisory.aliases}
    return accepted.package.lower() == finding.package.lower() and accepted.id in names
