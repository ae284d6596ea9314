"""Made-up models, readings and counts that the example reports are put together from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from contracts.events import AddressResult, Component, Origin
from contracts.policy import Policy
from contracts.rollout import GoldenOutcome
from contracts.spec import ModelSpec
from rollout.report.data import (
    ComponentFigures,
    Disagreement,
    LatencyFigures,
    ServedFigures,
)

REFERENCE: Final = ModelSpec(
    version="mgeo-base-v1-20230815",
    digest="sha256:" + "1f" * 32,
    precision="fp16",
    fingerprint="9f86d081884c7d65",
)
CANDIDATE: Final = ModelSpec(
    version="mgeo-base-v2-20260101",
    digest="sha256:" + "2e" * 32,
    precision="fp16",
    fingerprint="9f86d081884c7d65",
)
POLICY: Final = Policy.model_validate(
    {
        "gates": {
            "exact_match": {"min": 0.95},
            "span_f1": {"min": 0.98},
            "latency_p99": {"min_batches": 1000},
        },
        "slices": {"exact_match": {"min": 0.90}},
    }
)
"""Stricter than the default, and its own: made-up figures must not change with a default."""
CHAIN: Final = "sha256:" + "c4" * 32
DISTINCT: Final = 24_310
PROVINCES: Final = {
    "浙江省": (6120, 0.991), "广东省": (4480, 0.988), "江苏省": (3900, 0.990),
    "北京市": (2600, 0.992), "上海市": (2210, 0.987), "四川省": (1480, 0.985), "": (1160, 0.979),
    "陕西省": (940, 0.981),
    "内蒙古自治区": (760, 0.974), "新疆维吾尔自治区": (420, 0.962), "海南省": (150, 0.973),
    "西藏自治区": (90, 0.944),
}  # fmt: skip
"""Province to distinct addresses and the share that both read the same."""


def reading(parts: Sequence[tuple[str, str]], confidence: float = 0.97) -> AddressResult:
    """A result whose text is these parts in a row; an empty type is text without a span."""
    components, at = [], 0
    for text, kind in parts:
        if kind:
            components.append(
                Component(type=kind, text=text, start=at, end=at + len(text), confidence=confidence)
            )
        at += len(text)
    flat: dict[str, str] = {}
    for one in components:
        flat.setdefault(one.type, one.text)
    return AddressResult(
        id="1",
        text="".join(text for text, _ in parts),
        status="ok",
        components=tuple(components),
        address=flat,
        confidence=confidence,
    )


def failed(text: str, code: str) -> AddressResult:
    """A result of an address that could not be parsed."""
    return AddressResult(id="1", text=text, status="error", error=code)


def golden() -> GoldenOutcome:
    return GoldenOutcome(
        file_digest="sha256:" + "7a" * 32,
        addresses=1200,
        reference_f1=0.9312,
        candidate_f1=0.9353,
        mean_delta=0.0041,
        interval=(0.0007, 0.0076),
        only_candidate_right=61,
        only_reference_right=38,
        mcnemar_p=0.0267,
    )


def served() -> tuple[ServedFigures, ...]:
    def one(
        model: ModelSpec, track: str, epoch: int, n: int, times: tuple[str, str]
    ) -> ServedFigures:
        return ServedFigures(
            model=model,
            track=track,
            serving_epoch=epoch,
            records=n // 3,
            addresses=n,
            errors=n // 4000,
            mean_confidence=0.962 if model == CANDIDATE else 0.958,
            p99_service_ms=41.3 if model == CANDIDATE else 40.8,
            first_at=f"2026-01-02T{times[0]}Z",
            last_at=f"2026-01-02T{times[1]}Z",
            offsets={0: (5300 + epoch, 5700 + epoch), 1: (5280 + epoch, 5690 + epoch)},
        )

    return (
        one(REFERENCE, "stable", 6, 26_800, ("12:00:08", "12:10:10")),
        one(CANDIDATE, "canary", 6, 1_412, ("12:00:11", "12:10:09")),
        one(REFERENCE, "stable", 7, 14_105, ("12:10:10", "12:20:12")),
        one(CANDIDATE, "canary", 7, 14_020, ("12:10:10", "12:20:12")),
        one(CANDIDATE, "stable", 8, 18_204, ("12:20:12", "12:50:15")),
    )


def components() -> tuple[ComponentFigures, ...]:
    counted: Mapping[str, tuple[int, int, int, int, int]] = {
        "prov": (18_020, 0, 2, 4, 3), "city": (22_840, 5, 8, 10, 12),
        "district": (23_410, 12, 20, 22, 15), "town": (6_240, 20, 31, 18, 22),
        "community": (4_120, 60, 212, 41, 30), "road": (19_880, 48, 12, 30, 41),
        "roadno": (18_710, 66, 4, 22, 19), "poi": (15_020, 240, 88, 102, 160),
        "subpoi": (3_220, 71, 12, 50, 44), "houseno": (9_610, 38, 6, 20, 25),
        "cellno": (5_010, 9, 1, 4, 6), "roomno": (7_900, 15, 0, 8, 9),
    }  # fmt: skip
    return tuple(
        ComponentFigures(
            type=name, agreed=one[0], moved=one[1], renamed=one[2], lost=one[3], invented=one[4]
        )
        for name, one in counted.items()
    )


def latency(slower: float) -> LatencyFigures:
    probabilities = tuple(
        [number / 100 for number in range(100)]
        + [0.99 + number / 1000 for number in range(1, 10)]
        + [0.9995]
    )
    reference = tuple(
        6.1 + 1.3 * p + 0.55 * math.log(1 / max(1e-5, 1 - p)) ** 1.15 for p in probabilities
    )
    candidate = tuple(
        value * slower * (1 + 0.004 * index / 110) for index, value in enumerate(reference)
    )
    ratio = tuple(
        slower + 0.035 * math.log(max(0.002, p) / max(0.002, 1 - p)) / 2 for p in probabilities
    )
    return LatencyFigures(
        batches=2701,
        sampled=2701,
        probabilities=probabilities,
        reference_ms=tuple(round(one, 3) for one in reference),
        candidate_ms=tuple(round(one, 3) for one in candidate),
        ratio=tuple(round(one, 4) for one in ratio),
    )


def disagreements() -> tuple[Disagreement, ...]:
    shared = [("浙江省", "prov"), ("杭州市", "city"), ("余杭区", "district")]
    pairs = [
        (
            [*shared, ("五常街道", "town"), ("文一西路", "road"), ("969号", "roadno"),
             ("3幢", "houseno"), ("5层", "floorno"), ("501室", "roomno")],
            [*shared, ("五常街道", "town"), ("文一西路", "road"), ("969号3幢", "roadno"),
             ("5层501室", "roomno")],
            "浙江省", 0.59,
        ),
        (
            [("陕西省", "prov"), ("西安市", "city"), ("雁塔区", "district"),
             ("科技园北区", "subpoi"), ("12-3-1001", "roomno")],
            [("陕西省", "prov"), ("西安市", "city"), ("雁塔区", "district"),
             ("科技园", "poi"), ("北区", "district"), ("12", "houseno"), ("-", ""),
             ("3", "cellno"), ("-", ""), ("1001", "roomno")],
            "陕西省", 0.53,
        ),
        (
            [("内蒙古", "prov"), ("呼伦贝尔", "city"), ("海拉尔区", "district"),
             ("胜利街", "road"), ("旁边的小卖部", "assist")],
            [("内蒙古", "prov"), ("呼伦贝尔", "city"), ("海拉尔区胜利", "district"), ("街", ""),
             ("旁边的小卖部", "poi")],
            "内蒙古自治区", 0.44,
        ),
    ]  # fmt: skip
    shown = [
        Disagreement(
            origin=Origin(topic="address.events", partition=number % 2, offset=1200 + 37 * number),
            text=reading(before).text or "",
            f1=f1,
            slice=f"prov={province}",
            reference=reading(before),
            candidate=reading(after, 0.71),
        )
        for number, (before, after, province, f1) in enumerate(pairs)
    ]
    text = "上海市浦东新区世纪大道100号"
    whole = reading([("上海市", "city"), ("浦东新区", "district"), ("世纪大道", "road"),
                     ("100号", "roadno")])  # fmt: skip
    broken = Disagreement(
        origin=Origin(topic="address.events", partition=1, offset=3011),
        text=text,
        f1=0.0,
        slice="prov=上海市",
        reference=whole,
        candidate=failed(text, "candidate_crashed"),
    )
    return (broken, *sorted(shown, key=lambda one: one.f1 or 0.0))
