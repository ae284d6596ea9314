"""The live view: everything that matters, in a terminal of 80 by 24."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from contracts.audit import AuditRecord, CutEntry, RequestEntry, TransitionEntry
from contracts.control import ServingSet
from contracts.events import ShadowPair
from contracts.judgement import Accounting, GateResult, Judgement
from contracts.offset_metadata import OffsetMetadata
from contracts.phases import Phase
from contracts.rollout import Cut
from deploy.cli.rollout_audit import timeline
from deploy.cli.rollout_frame import Frame, bar, draw, one_line
from deploy.cli.rollout_view import print_status, status_document
from deploy.cli.rollout_waiting import Waited, progress_line, say_how_it_ended
from rollout.partitions import of_both
from rollout.standing import Standing
from rollout.traffic import Traffic
from tests.models import instant
from tests.streams.stand_in_controller import CANDIDATE, rollout

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
PROVINCES = [f"省{number}" for number in range(34)]


def gate(name: str = "exact_match", **more: object) -> GateResult:
    facts = {"kind": "proof", "status": "undecided", "value": 0.98, "bound": 0.94,
             "threshold": 0.95, "n": 1234, "log_e": 1.5, "log_e_needed": 3.0}  # fmt: skip
    return GateResult.model_validate({"name": name, **facts, **more})


def standing(phase: Phase = Phase.SHADOWING, **changes: object) -> Standing:
    gates = [
        gate(),
        gate("span_f1", status="passed", log_e=9.0),
        gate("aa", kind="instrument", status="passed"),
        gate("harm_exact_match", kind="guard", log_e=-5.0, status="passed"),
        gate("latency_ratio", kind="guard", log_e=12.0, log_e_needed=11.0, status="failed"),
        *(gate(f"slice:prov={name}", kind="guard", status="passed") for name in PROVINCES),
        gate("golden", kind="golden", status="not_configured", value=None, log_e=None),
    ]
    judgement = Judgement(
        verdict="continue",
        code="still_collecting",
        gates=tuple(gates),
        accounting=Accounting(distinct=1234, addresses=2345, paired=99, sampled=100),
    )
    return Standing(
        rollout=rollout(phase_since=(NOW - timedelta(minutes=3)).isoformat(), **changes),
        phase=phase,
        paused=False,
        serving=ServingSet(stable=instant.spec(), serving_epoch=7),
        revision=9,
        current=True,
        judgement=judgement,
    )


def pair(number: int, candidate_ms: float, reference_ms: float) -> ShadowPair:
    model = {**instant.spec().model_dump(), "track": "stable", "serving_epoch": 1}
    return ShadowPair.model_validate(
        {
            "batch_id": "b",
            "origin": {"topic": "t", "partition": 0, "offset": number},
            "batch": {"id": f"d{number}", "rows": 64, "tokens": 900, "order": "candidate_first"},
            "candidate": {"model": model, "device_ms": candidate_ms, "results": []},
            "reference": {"model": model, "device_ms": reference_ms, "results": []},
        }
    )


def shown(frame: Frame, *, width: int = 80, height: int = 24) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, highlight=False)
    with console.capture() as capture:
        for line in draw(frame, width=width, height=height):
            console.print(line)
    return capture.get().splitlines()


def whole_frame() -> Frame:
    traffic = Traffic()
    for number in range(100):
        traffic.take(pair(number, 8.0 + number % 5, 8.0))
    lanes = {
        one: OffsetMetadata(serving_epoch=7 if one.partition != 3 else 6)
        for one in of_both(range(6), ())
    }
    return Frame(
        standing(), NOW, lanes=lanes, epoch=7, traffic=traffic.figures, pairs_per_s=12.5,
        controllers=1,
    )  # fmt: skip


def test_everything_is_there_at_80_by_24() -> None:
    lines = shown(whole_frame())
    text = "\n".join(lines)
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    for word in (
        "SHADOWING",
        CANDIDATE.name,
        instant.spec().name,
        "rows/s",
        "P99",
        "1,234 distinct",
        "12.5 records/s",
        "5 of 6 partitions",
        "not 3",
        "exact_match",
        "≥ 0.9500",
        "0.9400",
        "more slices, none of them failed",
    ):
        assert word in text, f"{word} is not in\n{text}"


def test_a_failed_gate_stands_first_however_many_there_are() -> None:
    table = [line for line in shown(whole_frame()) if line.startswith(("…", "✓", "✗"))]
    assert "latency_ratio" in table[0]
    assert "HARM" in table[0]


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("width", [40, 80, 200])
def test_every_phase_fits_every_terminal(phase: Phase, width: int) -> None:
    lines = shown(Frame(standing(phase), NOW), width=width)
    assert max(map(len, lines)) <= width
    assert any(phase in line for line in lines)


def test_the_bar_fills_with_evidence_and_is_full_when_it_decides() -> None:
    filled = [str(bar(gate(log_e=log_e))).count("█") for log_e in (-3.0, 0.0, 1.5, 3.0, 99.0)]
    assert filled == [0, 0, 7, 14, 14]


def test_a_proof_that_was_made_stays_full() -> None:
    assert str(bar(gate(status="passed", log_e=0.2))).count("█") == 14


def test_a_log_gets_one_line_with_the_figures() -> None:
    line = one_line(whole_frame())
    assert "\n" not in line
    assert "exact_match 0.9800 (bound 0.9400, ≥ 0.9500)" in line


def test_traffic_counts_each_device_batch_once_and_stays_bounded() -> None:
    traffic = Traffic()
    for number in range(1000):
        for _ in range(3):
            traffic.take(pair(number, 10.0, 5.0))
    figures = traffic.figures
    assert figures is not None
    assert figures.candidate.batches == 400
    assert figures.candidate.rows_per_s == pytest.approx(6400)
    assert (figures.candidate.p50_ms, figures.reference.p99_ms) == (10.0, 5.0)


def test_the_timeline_says_who_asked_and_why_it_was_refused() -> None:
    entry = RequestEntry(
        request_id="1", kind="start", offset=0, accepted=False, code="rollout_running",
        message="r-1 is in CANARY", requested_by="ci",
    )  # fmt: skip
    record = AuditRecord(
        kind="request", incarnation="i", revision=3, at="2026-01-01T12:00:00Z",
        rollout_id="r-2", request=entry,
    )  # fmt: skip
    (line,) = timeline(record)
    assert line.startswith("2026-01-01 12:00:00  r-2")
    assert "start by ci: REFUSED, r-1 is in CANARY (rollout_running)" in line
    nothing = {name: {0: 1} for name in ("shadow", "parsed", "shadow_committed", "events")}
    cut = Cut.model_validate({"number": 4, "at": "2026", "elapsed_ms": 1, **nothing})
    judgement = standing().judgement
    assert judgement is not None
    record = record.model_copy(
        update={"request": None, "kind": "cut", "cut": CutEntry(cut=cut, judgement=judgement)}
    )
    lines = timeline(record, gates=True)
    assert "cut 4: continue, 1,234 distinct addresses" in lines[0]
    assert len(lines) == 1 + len(judgement.gates)


def test_a_promotion_says_how_it_can_be_taken_back() -> None:
    ended = standing(Phase.PROMOTED)
    kept = replace(ended, way_back=ended.rollout)
    words = f"mgeo rollout rollback {ended.rollout_id} (to {instant.spec().name})"
    assert f"way back   {words}" in shown(Frame(kept, NOW), width=100)
    narrow = "\n".join(shown(Frame(kept, NOW)))
    assert f"mgeo rollout rollback {ended.rollout_id}" in narrow, "whatever does not fit"
    assert f"way back: {words}" in one_line(Frame(kept, NOW))
    assert "way back" not in "\n".join([*shown(Frame(ended, NOW)), one_line(Frame(ended, NOW))])


def test_while_another_runs_the_earlier_way_back_begins_with_ending_it() -> None:
    running = standing()
    earlier = running.rollout.model_copy(update={"rollout_id": "r-0"})
    lines = shown(Frame(replace(running, way_back=earlier), NOW), width=120)
    (line,) = [line for line in lines if line.startswith("way back")]
    assert f"rollback r-0, after mgeo rollout abort {running.rollout_id}" in line


HOSTILE = "\x1b]52;c;cm0=\x07\x1b[2J\u202eok\nall gates passed"
"""What a person who may write a request could give as a reason."""


def harmless(lines: list[str]) -> bool:
    return not any(one in "".join(lines) for one in "\x1b\x07\u202e\n\r")


def test_the_timeline_prints_words_of_others_as_text() -> None:
    entry = RequestEntry(
        request_id="1", kind="abort", offset=0, accepted=False, code="unknown_rollout",
        message=HOSTILE, requested_by=HOSTILE,
    )  # fmt: skip
    record = AuditRecord(
        kind="request", incarnation="i", revision=3, at="2026-01-01T12:00:00Z",
        rollout_id=HOSTILE, request=entry,
    )  # fmt: skip
    moved = TransitionEntry(
        previous=Phase.CANARY, phase=Phase.ABORTED, code="aborted", reason=HOSTILE,
        serving=standing().serving,
    )  # fmt: skip
    transition = record.model_copy(
        update={"kind": "transition", "request": None, "transition": moved}
    )
    alert = record.model_copy(update={"kind": "alert", "request": None, "message": HOSTILE})
    for one in (record, transition, alert):
        lines = timeline(one)
        assert len(lines) == 1
        assert harmless(lines)
        assert "⟨U+001B⟩[2J" in lines[0]


def test_status_and_watch_print_words_of_others_as_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plain = standing(Phase.ABORTED)
    rollout = plain.rollout.model_copy(
        update={"rollout_id": HOSTILE, "reason": HOSTILE, "requested_by": HOSTILE}
    )
    ended = replace(plain, rollout=rollout)
    print_status(status_document(ended, now=NOW), ended)
    printed = capsys.readouterr().out.splitlines()
    assert harmless(printed)
    assert sum("⟨U+001B⟩[2J" in line for line in printed) >= 3, "headline, reason and who asked"
    frame = Frame(ended, NOW)
    assert harmless([one_line(frame)])
    assert harmless(shown(frame, width=200))
    with progress_line() as show:
        show(ended)
    say_how_it_ended(Waited(1, ended), rollout_id=HOSTILE, again="mgeo rollout wait")
    told = capsys.readouterr().err.splitlines()
    assert harmless(told)
    assert sum("⟨U+001B⟩[2J" in line for line in told) >= 2
