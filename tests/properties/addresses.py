"""Hypothesis strategies for messages: the largest and oddest that the limits admit."""

from __future__ import annotations

from hypothesis import strategies as st

from contracts.components import COMPONENT_TYPES
from contracts.events import AddressResult, Component, Origin, ParsedBatch, ServedModel, Timing

# Control characters take six bytes in JSON, a rare hanzi four in UTF-8, quotes two.
NASTY_TEXT = '\x01\x00\x7f"\\/\b\n\t\u2028\u200b\u202e\ufeff𠮷😀中é a1'

names = st.text(NASTY_TEXT, min_size=1, max_size=200)
texts = st.text(NASTY_TEXT, max_size=60)

MODEL = ServedModel(
    version="mgeo-base-v1-20230815",
    digest="sha256:" + "0" * 64,
    precision="fp16",
    fingerprint="0" * 16,
    track="stable",
    serving_epoch=7,
)
ORIGIN = Origin(topic="address.events", partition=3, offset=1234)
TIMING = Timing(queue_ms=12.1, service_ms=8.4, device="cpu")


@st.composite
def results(draw: st.DrawFn) -> AddressResult:
    """Any result that a worker may make, errors among them."""
    identifier = draw(names)
    text = draw(texts)
    if draw(st.booleans()):
        code = draw(st.sampled_from(["empty_text", "text_too_long", "bad_id", "bad_text"]))
        return AddressResult(
            id=identifier, text=draw(st.none() | st.just(text)), status="error", error=code
        )
    components = tuple(
        Component(
            type=draw(st.sampled_from(COMPONENT_TYPES)),
            text=text[index],
            start=index,
            end=index + 1,
            confidence=draw(st.floats(0, 1)),
        )
        for index in range(len(text))
    )
    return AddressResult(
        id=identifier,
        text=text,
        status="ok",
        components=components,
        address={component.type: component.text for component in components},
        confidence=0.5,
    )


def batch_of(
    rows: list[AddressResult], *, batch_id: str = "b-1", source: str = "orders"
) -> ParsedBatch:
    """One result record around these results."""
    return ParsedBatch(
        batch_id=batch_id,
        source=source,
        origin=ORIGIN,
        model=MODEL,
        timing=TIMING,
        results=tuple(rows),
    )
