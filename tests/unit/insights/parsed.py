"""Results for tests, written as pieces: what stands in an address and what the model called it."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.events import AddressResult, Component, Origin, ParsedBatch, ServedModel, Timing

DIGEST = "sha256:" + "0" * 64


def result(
    *pieces: tuple[str | None, str],
    confidence: float = 0.95,
    issues: tuple[str, ...] = (),
    inferred: dict[str, str] | None = None,
) -> AddressResult:
    """An address of these (type, text) pieces in order; type None is outside all components."""
    components: list[Component] = []
    text = ""
    for kind, piece in pieces:
        if kind is not None:
            components.append(
                Component(
                    type=kind,
                    text=piece,
                    start=len(text),
                    end=len(text) + len(piece),
                    confidence=confidence,
                )
            )
        text += piece
    address = dict(inferred or {})
    for one in components:
        address.setdefault(one.type, one.text)
    return AddressResult(
        id="1",
        text=text,
        status="ok",
        components=tuple(components),
        address=address,
        inferred=tuple(inferred or ()),
        issues=issues,
        confidence=confidence,
    )


def failed(code: str, text: str | None = "某路1号") -> AddressResult:
    """An address that could not be parsed."""
    return AddressResult(id="1", text=text, status="error", error=code)


def batch(
    results: Sequence[AddressResult],
    *,
    version: str = "mgeo-test-v1-20260101",
    source: str = "orders",
    offset: int = 0,
) -> ParsedBatch:
    """One record with these results."""
    return ParsedBatch(
        batch_id=f"b-{offset}",
        source=source,
        origin=Origin(topic="address.events", partition=0, offset=offset),
        model=ServedModel(
            version=version,
            digest=DIGEST,
            precision="fp32",
            fingerprint="f",
            track="stable",
            serving_epoch=1,
        ),
        timing=Timing(queue_ms=1, service_ms=1, device="cpu"),
        results=tuple(results),
    )


GOOD = result(
    ("prov", "浙江省"),
    ("city", "杭州市"),
    ("district", "西湖区"),
    ("road", "文一路"),
    ("roadno", "98号"),
)
