"""Policies for property tests: any that can be written in a file."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st

from contracts.policy import (
    AlphaPolicy,
    ApprovalPolicy,
    BakePolicy,
    CanaryPolicy,
    CanaryStep,
    ErrorRateGate,
    ExactMatchGate,
    Gates,
    GoldenPolicy,
    InstrumentPolicy,
    LatencyP99Gate,
    LatencyRatioGate,
    Policy,
    ShadowPolicy,
    SliceExactMatch,
    SlicePolicy,
    SpanF1Gate,
)

counts = st.integers(min_value=1, max_value=10**8)
rates = st.floats(min_value=1e-9, max_value=1.0 - 1e-9)
shares = st.floats(min_value=1e-6, max_value=1.0)
ratios = st.floats(min_value=0.01, max_value=1e6)
durations = st.integers(min_value=1, max_value=10**11).map(lambda ms: timedelta(milliseconds=ms))


@st.composite
def _shadow(draw: st.DrawFn) -> ShadowPolicy:
    shortest, longest = sorted([draw(st.just(timedelta(0)) | durations), draw(durations)])
    fewest, most = sorted([draw(counts), draw(counts)])
    return ShadowPolicy(
        share=draw(shares),
        min_pairs=fewest,
        max_pairs=most,
        min_duration=shortest,
        max_duration=longest,
        stale_after=draw(durations),
        min_partitions_share=draw(st.floats(min_value=0.0, max_value=1.0)),
    )


@st.composite
def _canary(draw: st.DrawFn) -> CanaryPolicy:
    rising = sorted(draw(st.sets(shares, max_size=4)))
    return CanaryPolicy(
        steps=tuple(
            CanaryStep(share=share, duration=draw(durations), min_results=draw(counts))
            for share in rising
        )
    )


_gates = st.builds(
    Gates,
    exact_match=st.builds(ExactMatchGate, min=rates),
    span_f1=st.builds(SpanF1Gate, min=rates),
    error_rate=st.builds(
        ErrorRateGate, max_increase=st.floats(min_value=0.0, max_value=1.0, exclude_max=True)
    ),
    latency_p99=st.builds(
        LatencyP99Gate, max_ratio=ratios, min_batches=st.integers(min_value=100, max_value=10**9)
    ),
    latency_ratio=st.builds(
        LatencyRatioGate, max_ratio=ratios, min_batches=st.integers(min_value=20, max_value=10**9)
    ),
)

policies = st.builds(
    Policy,
    shadow=_shadow(),
    aa=st.builds(InstrumentPolicy, max=rates),
    gates=_gates,
    golden=st.builds(
        GoldenPolicy,
        path=st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
        min_addresses=counts,
        min_delta=st.floats(min_value=-1.0, max_value=1.0),
        required=st.sampled_from([True, False, "auto"]),
    ),
    slices=st.builds(
        SlicePolicy,
        by=st.sampled_from([(), ("prov",)]),
        min_pairs=st.integers(min_value=20, max_value=10**9),
        exact_match=st.builds(SliceExactMatch, min=rates),
        when_thin=st.sampled_from(["report", "inconclusive"]),
    ),
    alpha=st.builds(AlphaPolicy, promote=rates, abort=rates, rollback=rates),
    approval=st.builds(ApprovalPolicy, required=st.booleans(), valid_for=durations),
    canary=_canary(),
    bake=st.builds(
        BakePolicy,
        duration=durations,
        min_results=counts,
        max_results=counts,
        max_error_rate=rates,
        auto_rollback=st.booleans(),
    ),
)
