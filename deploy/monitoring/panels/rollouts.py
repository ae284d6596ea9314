"""The rollout's dashboard: where it stands, the evidence, both models side by side."""

from __future__ import annotations

from typing import Final

from deploy.monitoring.panels.panel import Dashboard, Panel, Query, Row, by_model
from deploy.monitoring.rules import LEADS

_W: Final = 'job="mgeo-worker"'
_S: Final = 'job="mgeo-shadow"'
_RUNS: Final = (
    'on () (max(mgeo:rollout_phase{phase!~"PROMOTED|INCONCLUSIVE|ABORTED|ROLLED_BACK"}) == 1)'
)


def _while_running(metric: str) -> str:
    """A gauge of the leader that tells of the present rollout; when it is over, of the past."""
    return f"{metric} and {LEADS} and {_RUNS}"


def _per_batch(job: str) -> str:
    return by_model(
        f"sum by (spec) (rate(mgeo_device_seconds_total{{{job}}}[5m])) "
        f"/ sum by (spec) (rate(mgeo_device_batches_total{{{job}}}[5m]))"
    )


_STANDING: Final = Row(
    "Where it stands",
    (
        Panel(
            "Phase",
            (Query("mgeo:rollout_phase == 1", "{{phase}}"),),
            "none",
            "As the leading controller says; docs/architecture/rollout.md.",
            shape="state-timeline",
            width=16,
        ),
        Panel(
            "Leading, paused",
            (
                Query("sum(mgeo_controller_leader) or vector(0)", "leading"),
                Query(f"max(mgeo_controller_paused and {LEADS})", "paused"),
            ),
            "none",
            "One leads. A pause stops forward moves, never protective ones.",
            shape="stat",
            width=8,
        ),
        Panel(
            "Moves in the last hour",
            (
                Query(
                    "sum by (phase, cause) (increase(mgeo_controller_moves_total[1h])) > 0",
                    "{{phase}}: {{cause}}",
                ),
            ),
            "none",
            "Phases entered, and why.",
            shape="table",
        ),
        Panel(
            "Serving epochs",
            (
                Query(f"max(mgeo_controller_serving_epoch and {LEADS})", "decided"),
                Query("min by (job) (mgeo_serving_epoch)", "last of {{job}}"),
            ),
            "none",
            "Apart for longer than a minute: somebody serves what was replaced.",
        ),
        Panel(
            "Partitions it waits for",
            (
                Query(_while_running("mgeo_controller_unadopted_partitions"), "not adopted"),
                Query(_while_running("mgeo_controller_refusing_partitions"), "refused"),
            ),
            "none",
            "`mgeo rollout status` names them.",
        ),
        Panel(
            "Models in memory",
            (Query("mgeo_serving_info", "{{job}} {{instance}} {{role}}: {{spec}}"),),
            "none",
            "Which worker holds what, for what.",
            shape="table",
            width=12,
        ),
        Panel(
            "Refusals by code",
            (
                # No increase: a series that begins with its first event has none to show for it.
                Query("sum by (job, code) (mgeo_refusals_total)", "{{job}} {{code}}"),
                Query("sum by (job) (mgeo_version_mismatch)", "{{job}}: MGEO_VERSION differs"),
            ),
            "short",
            "How often a worker could not hold a model, since it started.",
            width=12,
            needs="fault",
        ),
    ),
)

_EVIDENCE: Final = Row(
    "The evidence",
    (
        Panel(
            "Pairs",
            (Query(_while_running("mgeo_controller_pairs"), "records with both results"),),
            "short",
            "What is judged: records that both models answered.",
        ),
        Panel(
            "Gates: value",
            (Query(_while_running("mgeo_controller_gate_value"), "{{gate}}"),),
            "percentunit",
            "Point estimates, for the eye. The decision rests on the evidence beside it.",
        ),
        Panel(
            "Gates: evidence",
            (Query(_while_running("mgeo_controller_gate_log_e"), "{{gate}}"),),
            "none",
            "Natural logarithm of each e-value: a proof passes, and a guard fires, at 1/alpha "
            "(20: 3.0; 1000: 6.9).",
        ),
        Panel(
            "Age of the evidence",
            (
                Query(_while_running("mgeo_controller_evidence_age_seconds"), "newest input"),
                Query(_while_running("mgeo_controller_cut_age_seconds"), "newest cut"),
            ),
            "s",
            "Nothing passes on old evidence. A cut is taken every minute at least, also where "
            "nothing new has come.",
        ),
        Panel(
            "Evidence that could not be read, cuts that differ",
            (
                Query("sum(increase(mgeo_controller_evidence_errors_total[15m]))", "not read"),
                Query(
                    "sum(increase(mgeo_controller_refolds_differing_total[15m]))", "came out other"
                ),
                Query(
                    "sum(increase(mgeo_controller_audit_alerts_total[15m]))", "look at the audit"
                ),
            ),
            "short",
            "In 15 minutes. None, ever.",
            needs="fault",
        ),
        Panel(
            "Revision of the state",
            (Query(f"max(mgeo_controller_revision and {LEADS})", "revision"),),
            "none",
            "Rises by one with every write: flat in a running rollout, nobody writes.",
        ),
    ),
)

_SIDE_BY_SIDE: Final = Row(
    "Both models, side by side",
    (
        Panel(
            "Device time per batch, same batches",
            (Query(_per_batch(_S), "{{model}}"),),
            "s",
            "Of the shadow workers: both models on the same batches, one after the other. This "
            "is the fair comparison; the gate judges it in pairs.",
            width=12,
        ),
        Panel(
            "Device time per batch, serving",
            (Query(_per_batch(_W), "{{model}}"),),
            "s",
            "Of the workers: each model on its own batches, so their sizes differ.",
            width=12,
        ),
        Panel(
            "Addresses served by",
            (Query(f"sum by (spec) (mgeo:addresses:rate5m{{{_W}}})", "{{spec}}"),),
            "ops",
            "Per second: the canary's share, as it is.",
        ),
        Panel(
            "Errors, serving",
            (
                Query(
                    f'sum by (spec) (mgeo:addresses:rate5m{{{_W},status="error"}}) '
                    f"/ sum by (spec) (mgeo:addresses:rate5m{{{_W}}})",
                    "{{spec}}",
                ),
            ),
            "percentunit",
            "Share of each model's own results.",
        ),
        Panel(
            "Errors, in the shadow",
            (
                Query(
                    f'sum by (spec) (mgeo:addresses:rate5m{{{_S},status="error"}}) '
                    f"/ sum by (spec) (mgeo:addresses:rate5m{{{_S}}})",
                    "{{spec}}",
                ),
            ),
            "percentunit",
            "Share of each model's results on the same addresses.",
        ),
        Panel(
            "The shadow's records",
            (
                Query(f"mgeo:records:rate5m{{{_S}}}", "{{outcome}}"),
                Query(
                    f"sum(rate(mgeo_records_passed_over_total{{{_S}}}[5m]))", "outside the sample"
                ),
            ),
            "ops",
            "Per second: pairs are evidence.",
        ),
        Panel(
            "The shadow's lag",
            (Query(f"mgeo:lag_records:sum{{{_S}}}", "records"),),
            "short",
            "A lag that grows makes the evidence stale.",
        ),
        Panel(
            "The shadow's device",
            (Query(f"mgeo:device_busy_ratio:rate5m{{{_S}}}", "{{instance}}"),),
            "percentunit",
            "It runs two models: as many devices again, or a smaller shadow.share.",
        ),
    ),
)

ROLLOUTS: Final = Dashboard(
    "mgeo-rollouts",
    "mgeo-stream: rollout",
    "Where a rollout stands, what its evidence says, and both models side by side.",
    (_STANDING, _EVIDENCE, _SIDE_BY_SIDE),
)
"""For whoever brings a model into production."""
