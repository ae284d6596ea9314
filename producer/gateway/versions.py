"""Which model a request asks for, and whether that one answered. Pure.

A wrong model is never an answer: where the asked one is not to be had, the caller is told.
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts.control import RolloutState
from contracts.errors import UsageError
from contracts.events import ServedModel, Track
from contracts.http import VERSION_HEADER
from contracts.spec import ModelSpec, parse_spec_name
from producer.gateway.problem import ProblemError, field_fault


@dataclass(frozen=True, slots=True)
class Wanted:
    """What must answer.

    Attributes:
        track: asked of the worker; None leaves it to the rollout's share.
        spec: the exact model; None where only the track matters.
    """

    track: Track | None = None
    spec: ModelSpec | None = None

    def accepts(self, model: ServedModel) -> bool:
        """Whether this model may answer."""
        if self.track is not None and model.track != self.track:
            return False
        if self.spec is None:
            return True
        return (
            model.version == self.spec.version
            and model.precision == self.spec.precision
            and model.digest == self.spec.digest
        )


ANY = Wanted()


def wanted(asked: str | None, state: RolloutState) -> Wanted:
    """What ``X-MGeo-Version`` asks for.

    Args:
        asked: the header; None where there is none.
        state: the newest control record.

    Raises:
        ProblemError: 409 ``no_candidate`` or ``version_not_resident``, 422 ``bad_request_header``.
    """
    serving = state.serving
    match asked:
        case None:
            return ANY
        case "stable":
            return Wanted("stable", serving.stable)
        case "canary":
            if serving.candidate is None:
                raise _no_candidate(state)
            return Wanted("canary", serving.candidate)
    try:
        version, precision = parse_spec_name(asked)
    except UsageError as error:
        raise field_fault(
            VERSION_HEADER,
            error.code,
            "must be stable, canary or VERSION[@PRECISION]",
            code="bad_request_header",
        ) from None
    for track, spec in (("stable", serving.stable), ("canary", serving.candidate)):
        if spec is not None and spec.version == version and precision in (None, spec.precision):
            return Wanted("canary" if track == "canary" else "stable", spec)
    raise ProblemError(
        "the version that is asked for does not serve: it is neither stable nor the candidate"
        f"{_standing(state)}",
        code="version_not_resident",
        hint=f"{_names(state)}",
    )


def moved(model: ServedModel) -> ProblemError:
    """The problem of an answer by another model than was asked for."""
    return ProblemError(
        f"{model.version}@{model.precision} answered as {model.track}, which is not what was "
        "asked for: a rollout moved on in between, or the worker cannot hold the candidate",
        code="version_moved",
        hint="ask again",
    )


def _no_candidate(state: RolloutState) -> ProblemError:
    return ProblemError(
        f"no candidate is resident{_standing(state)}; there is one from STAGING on",
        code="no_candidate",
        hint=_names(state),
    )


def _standing(state: RolloutState) -> str:
    return "" if state.phase is None else f" (the rollout stands at {state.phase})"


def _names(state: RolloutState) -> str:
    names = [f"stable is {state.serving.stable.name}"]
    if state.serving.candidate is not None:
        names.append(f"the candidate is {state.serving.candidate.name}")
    return ", ".join(names)
