"""Switching: look, check, try, turn the Service, and wait until callers arrive. No rules here."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from contracts.errors import BackendUnreachableError, TransientError, UsageError
from deploy.switching.colours import (
    ADDRESS,
    COLOUR_LABEL,
    Move,
    Standing,
    check,
    patch,
    reached,
    standing_of,
)
from deploy.switching.kubectl import Kubectl
from deploy.switching.smoke import Check, smoke

PORT: Final = 8000
"""Of each colour's own Service."""

GATEWAYS: Final = "app.kubernetes.io/name=mgeo-stream,app.kubernetes.io/component=gateway"

_SEEN_WITHIN_S: Final = 30.0
_LOOK_EVERY_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Switched:
    """What was done.

    Attributes:
        serving: the colour that has the callers now.
        before: the one that had them.
        changed: False when it was so already.
        checks: what was looked at before.
        warning: what to look at now, for people; empty when there is nothing.
        turned_s: from turning the Service until it led to the new pods alone.
        took_s: all in all.
    """

    serving: str
    before: str
    changed: bool
    checks: tuple[Check, ...] = ()
    warning: str = ""
    turned_s: float = 0.0
    took_s: float = 0.0


def look(cluster: Kubectl) -> Standing:
    """Who serves.

    Raises:
        UsageError: ``no_address``, ``no_colour``, and what ``kubectl.failure`` makes.
    """
    service = cluster.one("service", ADDRESS)
    if service is None:
        raise UsageError(
            f"there is no Service {ADDRESS} in this namespace",
            code="no_address",
            hint="kubectl create -k deploy/kubernetes/address, or name another --namespace",
        )
    return standing_of(service, cluster.many("deployments", GATEWAYS))


def move(
    cluster: Kubectl,
    choose: Callable[[Standing], Move | None],
    *,
    smaller: bool = False,
    try_it: bool = True,
) -> Switched:
    """Move the callers as a rule says, if the target can carry them.

    Args:
        cluster: where.
        choose: the rule: ``switch`` or ``switch_back``.
        smaller: whether the target may have fewer pods; the way back always may.
        try_it: whether the target has to parse an address first.

    Raises:
        UsageError: nothing was changed; the codes of ``check`` and ``look``.
        TransientError: ``smoke_failed`` or ``switched_meanwhile``: nothing was changed.
            ``switch_not_seen``: the Service was turned, or may have been, and does not lead to
            the new pods yet.
    """
    began = time.perf_counter()
    standing = look(cluster)
    wanted = choose(standing)
    if wanted is None:
        return Switched(standing.serving, standing.serving, changed=False)
    warning = check(standing, wanted, smaller=smaller)
    checks: tuple[Check, ...] = ()
    if try_it:
        with cluster.forward(f"service/{ADDRESS}-{wanted.target}", PORT) as url:
            checks = tuple(smoke(url, wanted.target))
    turned = time.perf_counter()
    try:
        cluster.patch("service", ADDRESS, patch(standing, wanted))
    except BackendUnreachableError as error:
        raise TransientError(
            f"the cluster went away while the Service was turned to {wanted.target}: it may "
            "have been",
            code="switch_not_seen",
            hint="mgeo deploy status says who serves; the same command again does nothing twice",
        ) from error
    _wait_for_callers(cluster, wanted.target)
    ended = time.perf_counter()
    return Switched(
        wanted.target,
        wanted.source,
        changed=True,
        checks=checks,
        warning=warning,
        turned_s=round(ended - turned, 2),
        took_s=round(ended - began, 2),
    )


def _wait_for_callers(cluster: Kubectl, colour: str) -> None:
    deadline = time.monotonic() + _SEEN_WITHIN_S
    inside = others = 0
    while True:
        with suppress(BackendUnreachableError):  # the Service is turned: only looking is put off
            pods = cluster.many("pods", f"{GATEWAYS},{COLOUR_LABEL}={colour}")
            slices = cluster.many("endpointslices", f"kubernetes.io/service-name={ADDRESS}")
            inside, others = reached(slices, (one["metadata"]["name"] for one in pods))
            if inside and not others:
                return
        if time.monotonic() > deadline:
            raise TransientError(
                f"the Service leads to {colour}, but {inside} of its pods and {others} others "
                f"are behind it after {_SEEN_WITHIN_S:.0f} s",
                code="switch_not_seen",
                hint="kubectl get endpointslices says who is; mgeo deploy switch-back returns",
            )
        time.sleep(_LOOK_EVERY_S)
