"""What `mgeo model show` and `mgeo model selfcheck` print for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.cli.output import print_table

if TYPE_CHECKING:
    from consumer.selfcheck import SelfCheck
    from consumer.store import Manifest, ModelStore, StoredModel

_CARD_LINES = 12


def card_summary(store: ModelStore, manifest: Manifest) -> str | None:
    """The start of the model card: its first lines of text; None where there is no card."""
    from consumer.store.manifest import CARD_NAME

    if all(file.name != CARD_NAME for file in manifest.files):
        return None
    text = store.read(manifest.version, CARD_NAME).decode("utf-8", errors="replace")
    if text.startswith("---\n"):  # the hub's own header, for machines
        text = text[4:].partition("\n---\n")[2]
    lines = [_plain(line) for line in text.strip().splitlines()]
    return "\n".join(lines[:_CARD_LINES])


def _plain(line: str) -> str:
    """Without control characters: a card is a stranger's text on somebody's terminal."""
    return "".join(character for character in line if character.isprintable())


def print_model(found: StoredModel, place: str, card: str | None) -> None:
    """Everything of one model, as tables."""
    manifest = found.manifest
    shape = manifest.architecture
    source = manifest.source
    print_table(
        ("", manifest.version),
        [
            ("digest", manifest.digest),
            ("kind", manifest.kind),
            ("from", " ".join(filter(None, (source.kind, source.hub_id, source.revision)))),
            ("created", manifest.created.isoformat(timespec="seconds")),
            ("kept in", "the package" if found.layer == "starter" else place),
            (
                "shape",
                (
                    f"{shape.layers} layers × {shape.hidden_size}, {shape.heads} heads, "
                    f"{shape.parameters:,} parameters"
                ),
            ),
            ("vocabulary", f"{shape.vocabulary:,} tokens"),
            ("longest window", f"{shape.positions} tokens"),
            (
                "calibration",
                "none: confidences are the raw ones"
                if manifest.temperature is None
                else f"temperature {manifest.temperature:g}",
            ),
            ("components", ", ".join(_types(manifest.labels))),
            ("labels", f"{len(manifest.labels)}: {' '.join(manifest.labels)}"),
        ],
    )
    print_table(
        ("file", "bytes", "sha256"),
        [(file.name, f"{file.size_bytes:,}", file.sha256) for file in manifest.files],
    )
    if card is not None:
        print(card)


def print_selfcheck(check: SelfCheck, min_right: float) -> None:
    """Verdict, conformance and a line per component type."""
    from consumer.selfcheck import TOLERANCE

    print(f"{check.spec.name} on {check.device}: {check.spec.digest}")
    conformance = check.conformance
    if conformance.largest_difference is None:
        print(f"modelscope's own implementation: not compared ({conformance.why_not})")
    else:
        verdict = "equal" if conformance.holds else "NOT EQUAL"
        print(
            f"modelscope's own implementation: {verdict}, largest difference "
            f"{conformance.largest_difference:.1e} in scores up to "
            f"{conformance.largest_score:.1f}, {conformance.tokens} tokens "
            f"(at most {TOLERANCE * max(1.0, conformance.largest_score):.0e})"
        )
    known = check.known
    print_table(
        ("component", "right", "wrong", "missed", "of"),
        [
            (
                count.type,
                str(count.right),
                str(count.said - count.right),
                str(count.expected - count.right),
                str(count.expected),
            )
            for count in known.types
        ],
    )
    if known.unknown_types:
        print("The model has no label for, so not counted: " + ", ".join(known.unknown_types))
    print(
        f"{known.whole} of {known.addresses} known addresses right in every component, "
        f"{known.right_share:.1%} of the components"
        + (f" (asked: {min_right:.1%})" if min_right else "")
    )
    if known.misses:
        print("Not right in lines: " + ", ".join(str(line) for line in known.misses))


def _types(labels: tuple[str, ...]) -> list[str]:
    return list(dict.fromkeys(label.partition("-")[2] for label in labels if "-" in label))
