"""The gateway's two colours as Kubernetes tells of them, and what may be done with them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from contracts.errors import UsageError

COLOURS: Final = ("blue", "green")
"""Two sets of gateways, alike but for the image; one of them has the callers."""

ADDRESS: Final = "mgeo-gateway"
"""The Service where callers go. Each colour's own Service has the colour's name behind this."""

COLOUR_LABEL: Final = "version"
"""The label of pods, and in the Service's selector, that holds the colour."""

WAY_BACK: Final = "mgeo-way-back"
"""Annotation of the Service: the colour that had the callers before the last switch."""

TAKEN_BACK: Final = "mgeo-taken-back"
"""Annotation of the Service: the colour that the callers were taken back from."""


@dataclass(frozen=True, slots=True)
class Colour:
    """One set of gateways.

    Attributes:
        name: one of ``COLOURS``.
        image: what its newest pods run.
        wanted: pods that it is to have.
        ready: pods that say ready.
        updated: pods that run the newest template.
        there: pods that are there in all, old ones that have not gone yet among them.
        seen: whether Kubernetes has taken in the newest template.
    """

    name: str
    image: str
    wanted: int
    ready: int
    updated: int
    there: int
    seen: bool

    @property
    def missing(self) -> str:
        """Why it could not take the callers now, for people; empty when it could."""
        if self.wanted == 0:
            return "it has no pods (scaled to 0)"
        if not self.seen:
            return "Kubernetes has not looked at its newest version yet"
        if self.updated < self.wanted:
            return f"{self.updated} of {self.wanted} pods run its newest version"
        if self.there > self.updated:
            return f"{self.there - self.updated} pods of its last version have not gone yet"
        if self.ready < self.wanted:
            return f"{self.ready} of {self.wanted} pods are ready"
        return ""


@dataclass(frozen=True, slots=True)
class Standing:
    """Who serves.

    Attributes:
        serving: the colour that callers reach.
        colours: those that are there, by name.
        resource_version: of the Service that says so; a switch names it, so that of two that
            are asked for at once one is refused.
        way_back: the colour before the last switch; empty when there is none.
        taken_back: the colour that a switch-back left; empty unless that was the last move.
    """

    serving: str
    colours: Mapping[str, Colour]
    resource_version: str
    way_back: str
    taken_back: str


@dataclass(frozen=True, slots=True)
class Move:
    """A change of the Service.

    Attributes:
        source: who serves now.
        target: who will.
        way_back: whether the source stays as the way back.
    """

    source: str
    target: str
    way_back: bool


def colour_of(deployment: Mapping[str, Any]) -> Colour:
    """A colour from its Deployment, as the API answers it."""
    spec, status = deployment["spec"], deployment.get("status", {})
    meta, template = deployment["metadata"], spec["template"]
    return Colour(
        name=template["metadata"]["labels"][COLOUR_LABEL],
        image=template["spec"]["containers"][0]["image"],
        wanted=spec.get("replicas", 1),
        ready=status.get("readyReplicas", 0),
        updated=status.get("updatedReplicas", 0),
        there=status.get("replicas", 0),
        seen=status.get("observedGeneration", 0) >= meta.get("generation", 0),
    )


def standing_of(service: Mapping[str, Any], deployments: Iterable[Mapping[str, Any]]) -> Standing:
    """Who serves, from the Service and the gateways' Deployments.

    Raises:
        UsageError: ``no_colour``: the Service chooses by no colour.
    """
    selector = service["spec"].get("selector") or {}
    serving = selector.get(COLOUR_LABEL, "")
    if serving not in COLOURS:
        raise UsageError(
            f"the Service {ADDRESS} does not choose one of {', '.join(COLOURS)}",
            code="no_colour",
            hint="delete it and make it anew: kubectl create -k deploy/kubernetes/address",
        )
    notes = service["metadata"].get("annotations") or {}
    found = [
        colour_of(one)
        for one in deployments
        if one["spec"]["template"]["metadata"]["labels"].get(COLOUR_LABEL) in COLOURS
    ]
    return Standing(
        serving=serving,
        colours={one.name: one for one in sorted(found, key=lambda one: one.name)},
        resource_version=service["metadata"]["resourceVersion"],
        way_back=notes.get(WAY_BACK, ""),
        taken_back=notes.get(TAKEN_BACK, ""),
    )


def switch(standing: Standing, to: str) -> Move | None:
    """The move to a colour; None when it serves already.

    Raises:
        UsageError: ``unknown_colour``.
    """
    if to not in COLOURS:
        raise UsageError(
            f"{to!r} is no colour",
            code="unknown_colour",
            hint=f"colours: {', '.join(COLOURS)}",
        )
    if to == standing.serving:
        return None
    return Move(source=standing.serving, target=to, way_back=True)


def switch_back(standing: Standing) -> Move | None:
    """The move back to who served before; None when that was done already.

    A job that is repeated must not go forward again: after a switch-back there is no way back.

    Raises:
        UsageError: ``no_colour_before``.
    """
    if standing.way_back and standing.way_back != standing.serving:
        return Move(source=standing.serving, target=standing.way_back, way_back=False)
    if standing.taken_back:
        return None
    raise UsageError(
        f"{standing.serving} serves, and nothing says who did before",
        code="no_colour_before",
        hint="name the colour: mgeo deploy switch --to COLOUR",
    )


def check(standing: Standing, move: Move, *, smaller: bool = False) -> str:
    """Refuse a move to a colour that could not carry the callers.

    The way back is never refused for its size: whoever takes it leaves something worse. An
    autoscaler keeps an idle colour at its least number of pods and gives it more once it has
    the callers.

    Args:
        standing: who serves.
        move: what is wanted.
        smaller: whether the target may have fewer pods than the source.

    Returns:
        What to look at afterwards, for people; empty when there is nothing.

    Raises:
        UsageError: ``colour_missing``, ``colour_not_ready`` or ``colour_too_small``.
    """
    target, source = standing.colours.get(move.target), standing.colours.get(move.source)
    if target is None:
        raise UsageError(
            f"there is no {move.target} gateway in this namespace",
            code="colour_missing",
            hint=f"add ../../gateway/{move.target} to your overlay and apply it",
        )
    if target.missing:
        raise UsageError(
            f"{move.target} is not ready: {target.missing}; {move.source} goes on serving",
            code="colour_not_ready",
            hint=f"kubectl rollout status deployment/{ADDRESS}-{move.target} waits for it",
        )
    if source is None or target.ready >= source.ready:
        return ""
    if move.way_back and not smaller:
        raise UsageError(
            f"{move.target} has {target.ready} pods where {move.source} needs {source.ready}",
            code="colour_too_small",
            hint=_more_pods(move.target, source.ready) + ", or --smaller if that is meant",
        )
    return (
        f"{move.target} has {target.ready} pods where {move.source} had {source.ready}: it may "
        "answer 429 until there are more"
    )


def _more_pods(colour: str, ready: int) -> str:
    """How a colour without callers gets pods: an autoscaler undoes what ``kubectl scale`` does."""
    name = f"{ADDRESS}-{colour}"
    least = f"""--patch '{{"spec":{{"minReplicas":{ready}}}}}'"""
    return (
        f"kubectl patch hpa {name} --type=merge {least}, or without an autoscaler "
        f"kubectl scale deployment/{name} --replicas={ready}"
    )


def patch(standing: Standing, move: Move) -> dict[str, Any]:
    """The merge patch of the Service; refused by the API when somebody was faster."""
    return {
        "metadata": {
            "resourceVersion": standing.resource_version,
            "annotations": {
                WAY_BACK: move.source if move.way_back else None,
                TAKEN_BACK: None if move.way_back else move.source,
            },
        },
        "spec": {"selector": {COLOUR_LABEL: move.target}},
    }


def reached(slices: Iterable[Mapping[str, Any]], pods: Iterable[str]) -> tuple[int, int]:
    """What the Service's endpoint slices lead to.

    Args:
        slices: as the API answers them.
        pods: names of the target's pods.

    Returns:
        Ready endpoints among these pods, and ready endpoints that are others.
    """
    ours = set(pods)
    names = [
        (endpoint.get("targetRef") or {}).get("name", "")
        for one in slices
        for endpoint in one.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready", True)
    ]
    inside = sum(name in ours for name in names)
    return inside, len(names) - inside
