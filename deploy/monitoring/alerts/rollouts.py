"""Alerts about the controller and the rollout that it runs."""

from __future__ import annotations

from deploy.monitoring.rules import LEADS, Alert
from deploy.monitoring.settings import ObjectiveSettings

# A leader whose event loop hangs still says what it was; it does nothing.
_NO_LEADER = (
    '(sum(mgeo_controller_leader{job="mgeo-controller"} '
    "unless on (job, instance) (mgeo_controller_loop_silent_seconds > 30)) or vector(0)) == 0"
)
_SERVED = 'mgeo:rollout_phase{phase=~"CANARY|CUTTING_OVER|BAKING|ROLLING_BACK"}'
_SHADOWED = 'mgeo:rollout_phase{phase=~"WARMING|SHADOWING|STAGING|CANARY|CUTTING_OVER|BAKING"} == 1'


def alerts(objectives: ObjectiveSettings) -> tuple[Alert, ...]:
    """The alerts with these objectives in them."""
    return (
        Alert(
            "MgeoNoLeader",
            _NO_LEADER,
            "2m",
            "warning",
            "No controller leads",
            "Serving goes on as it is. No rollout starts, moves or is taken back. Ask a "
            "controller's /readyz what it waits for; where there is none, start one.",
        ),
        Alert(
            "MgeoNoLeaderWhileServing",
            f"{_NO_LEADER} and on () max(last_over_time({_SERVED}[1h])) == 1",
            "2m",
            "critical",
            "No controller leads, and a candidate serves",
            "Nobody watches the candidate and nobody would take it back. Start a controller: it "
            "goes on where the last one stopped.",
        ),
        Alert(
            "MgeoTwoLeaders",
            'sum(mgeo_controller_leader{job="mgeo-controller"}) > 1',
            "5m",
            "critical",
            "{{ $value }} controllers believe that they lead",
            "Only one of them can write, so nothing is decided twice; the other hangs in a term "
            "that is over. Restart the one whose revision stands still.",
        ),
        Alert(
            "MgeoBakeAlarm",
            'sum by (phase, cause) (increase(mgeo_controller_moves_total{cause="alarmed"}[1h])) '
            "> 0",
            "0m",
            "warning",
            "A candidate was taken back: it went bad while it served",
            "The bake's watch, or the ceiling on served errors, has rolled back by itself. "
            "`mgeo rollout report --out report` says which watch, and shows the addresses.",
        ),
        Alert(
            "MgeoRolloutFailed",
            "sum by (phase, cause) "
            '(increase(mgeo_controller_moves_total{cause=~"failed|refused|undecided"}[1h])) > 0',
            "0m",
            "warning",
            "A rollout has ended without promotion: {{ $labels.cause }}",
            "failed: a gate has failed; refused: workers cannot hold the candidate; undecided: "
            "the evidence cannot decide. The report says why.",
        ),
        Alert(
            "MgeoRollbackStuck",
            'mgeo:rollout_phase{phase="ROLLING_BACK"} == 1',
            "5m",
            "critical",
            "A rollback does not come to an end",
            "Some partition has not adopted the return, and may still be served by the "
            "candidate. `mgeo rollout status` names it; restart the worker that owns it.",
        ),
        Alert(
            "MgeoRolloutHeld",
            f"mgeo_controller_unadopted_partitions > 0 and {LEADS}",
            "15m",
            "warning",
            "{{ $value }} partitions hold the rollout up",
            "They have not adopted what the phase waits for. `mgeo rollout status` names them: "
            "nobody owns them, or their worker still loads the model.",
        ),
        Alert(
            "MgeoRolloutRefused",
            f"mgeo_controller_refusing_partitions > 0 and {LEADS}",
            "1m",
            "warning",
            "Workers of {{ $value }} partitions cannot hold the candidate",
            "They go on serving the stable model, and the rollout ends as aborted soon. `mgeo "
            "rollout status` has the code: too little memory, a model that cannot be fetched.",
        ),
        Alert(
            "MgeoEvidenceStale",
            f"((mgeo_controller_evidence_age_seconds > {objectives.alert_cut_age_s} "
            f"or mgeo_controller_cut_age_seconds > {objectives.alert_cut_age_s}) and {LEADS}) "
            'and on () (mgeo:rollout_phase{phase=~"SHADOWING|CANARY|BAKING"} == 1)',
            "1m",
            "warning",
            "The newest evidence is {{ $value | humanizeDuration }} old",
            "Nothing passes on old evidence: the rollout waits, then ends as inconclusive. No "
            "traffic, no shadow worker, or one that cannot keep up.",
        ),
        Alert(
            "MgeoNoShadowWorker",
            '(sum(mgeo_worker_ready{job="mgeo-shadow"}) or vector(0)) == 0 '
            f"and on () max({_SHADOWED})",
            "10m",
            "warning",
            "A rollout runs and no shadow worker is ready",
            "It cannot be judged. Start one; its /readyz says what it waits for.",
        ),
        Alert(
            "MgeoEvidenceUnreadable",
            "sum(increase(mgeo_controller_evidence_errors_total[15m])) > 3",
            "0m",
            "warning",
            "The evidence of the rollout cannot be read",
            "It is tried again every few seconds and nothing passes meanwhile. The controller's "
            "log has the code: a broker that is away, or retention that has overtaken it.",
        ),
        Alert(
            "MgeoRefoldDiffers",
            "sum(increase(mgeo_controller_refolds_differing_total[1h])) > 0 "
            "or sum(mgeo_controller_refolds_differing_total "
            "and on (job, instance) (time() - process_start_time_seconds < 3600)) > 0",
            "0m",
            "critical",
            "A recorded judgement comes out otherwise when it is computed again",
            "Evidence was changed or lost after it was judged, or releases disagree. Pause the "
            "rollout and run `mgeo rollout verify`: it names what differs.",
        ),
        Alert(
            "MgeoAuditAlert",
            "sum(increase(mgeo_controller_audit_alerts_total[1h])) > 0",
            "0m",
            "warning",
            "The audit says that a person should look",
            "`mgeo rollout audit` has the sentence: a topic made anew, a control record that was "
            "written over, or the like.",
        ),
        Alert(
            "MgeoApprovalWaiting",
            'mgeo:rollout_phase{phase="AWAITING_APPROVAL"} == 1',
            "4h",
            "info",
            "A rollout waits for its approval",
            "The decision is frozen and its evidence grows old. `mgeo rollout report`, then "
            "`mgeo rollout approve` or `abort`.",
        ),
        Alert(
            "MgeoRolloutPaused",
            f"mgeo_controller_paused == 1 and {LEADS}",
            "4h",
            "info",
            "A rollout has been paused for hours",
            "A pause stops nothing protective, but the candidate stays where it is. `mgeo "
            "rollout resume`, or `abort`.",
        ),
    )
