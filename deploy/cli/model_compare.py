"""`mgeo model compare`: two models on the same addresses, before any traffic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli import exit_codes
from deploy.cli.output import Output, OutputOption, note, print_json, print_table
from deploy.cli.program import example
from deploy.cli.rollout_policy import SetOption

if TYPE_CHECKING:
    from contracts.policy import Policy
    from deploy.comparison import Comparison

_SEED = 20261125


def register(group: typer.Typer) -> None:
    group.command(
        "compare",
        epilog=example(
            "mgeo model compare mgeo-starter-v1-20260915 mgeo-starter-v2-20261015 "
            "--golden golden.jsonl",
            "mgeo model compare V1 V2 --golden golden.jsonl --policy rollout.yaml --report report",
            "mgeo model compare V1 V2 --sample yesterday.csv",
        ),
    )(compare)


def compare(
    reference: Annotated[
        str, typer.Argument(metavar="A", help="VERSION[@PRECISION] that serves, or might.")
    ],
    candidate: Annotated[
        str, typer.Argument(metavar="B", help="VERSION[@PRECISION] that is compared with it.")
    ],
    golden: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Labelled addresses. Default: the policy’s golden.path."),
    ] = None,
    sample: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Addresses without labels (csv, xlsx, jsonl, text …): how far both agree.",
        ),
    ] = None,
    sample_size: Annotated[
        int, typer.Option(min=1, help="Of a larger --sample, so many addresses, drawn evenly.")
    ] = 20_000,
    policy: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Leave with 1 when its golden gate fails."),
    ] = None,
    overrides: SetOption = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write a report as of a rollout: HTML, JSON, JUnit …"),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda or cuda:N. Default: MGEO_DEVICE, or auto.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Run two models on the same addresses here, and say which reads them better.

    Both run on the same device batches, in turns. With --policy the command leaves with 1 when
    the golden gate fails and with 3 when a set is required and none was given; without it nothing
    is judged.
    """
    from contracts.policy import Policy
    from rollout.policy import load_policy, parse_policy

    rules = Policy()
    if policy is not None:
        rules = load_policy(policy, overrides or ())
        if golden is None and rules.golden.path is not None:
            golden = policy.parent / rules.golden.path
    elif overrides:
        rules = parse_policy("", "defaults", overrides)
    texts = [] if sample is None else _read_sample(sample, sample_size)
    found = _compare(reference, candidate, golden, texts, rules, device, policy is not None)
    if report is not None:
        from rollout.report import write_report

        files = write_report(found.report, report)
        note(f"Report: {files.html}")
    if output is Output.JSON:
        print_json(_document(found))
    else:
        _print(found)
    if policy is None:
        note("Not judged. Give --policy to leave with 1 when its golden gate fails.")
    elif found.judgement.code == "golden_missing":
        raise typer.Exit(exit_codes.INCONCLUSIVE)
    elif found.judgement.verdict == "fail":
        raise typer.Exit(exit_codes.FAILED)


def _compare(
    reference: str,
    candidate: str,
    golden_path: Path | None,
    sample: list[str],
    rules: Policy,
    device: str | None,
    judged: bool,
) -> Comparison:
    from consumer.settings import ParserSettings
    from contracts.errors import UsageError
    from deploy.cli.progress import address_bars
    from deploy.golden import check_size, require_torch
    from rollout.golden import read_golden

    golden = None if golden_path is None else read_golden(golden_path)
    if golden is not None and golden_path is not None and judged:
        check_size(golden, rules, golden_path)
    if golden is None and not sample:
        raise UsageError(
            "there is nothing to compare on",
            code="nothing_to_compare",
            hint="Give --golden FILE with labelled addresses, --sample FILE without, or both.",
        )
    require_torch()
    from consumer.parser.opening import open_model
    from deploy.comparison import compare_models
    from deploy.paired_parsing import PairedParser

    settings = ParserSettings()
    if device is not None:
        settings = settings.model_copy(update={"device": device})
    ours, theirs = open_model(reference, settings), open_model(candidate, settings)
    total = len(sample) + (0 if golden is None else len(golden.rows))
    with address_bars() as bars:
        bar = bars.add("comparing", total)
        return compare_models(
            PairedParser(ours, theirs, settings),
            reference=ours.spec,
            candidate=theirs.spec,
            policy=rules,
            golden=golden,
            sample=sample,
            progress=bar.advance,
        )


def _read_sample(path: Path, size: int) -> list[str]:
    """So many addresses of the file, each with the same chance, the same every time."""
    import random

    from producer.rows import AddressFile, BadLine, ReadOptions

    draw = random.Random(_SEED)  # noqa: S311  (a sample that can be drawn again, no secret)
    kept: list[str] = []
    seen = malformed = 0
    with AddressFile(str(path), ReadOptions()) as file:
        for row in file:
            if isinstance(row, BadLine):
                malformed += 1
                continue
            # Reservoir sampling (Vitter's algorithm R, 1985): the file is read once.
            seen += 1
            if len(kept) < size:
                kept.append(row.text)
            elif (place := draw.randrange(seen)) < size:
                kept[place] = row.text
    if malformed:
        note(f"{malformed} malformed lines of {path} are left out.")
    if seen > size:
        note(f"{size:,} of the {seen:,} addresses of {path} are compared.")
    return kept


def _document(found: Comparison) -> dict[str, Any]:
    agreement, report = found.agreement, found.report
    return {
        "reference": report.reference.model_dump(mode="json"),
        "candidate": report.candidate.model_dump(mode="json"),
        "policy_digest": report.policy_digest,
        "verdict": found.judgement.verdict,
        "code": found.judgement.code,
        "reason": found.judgement.reason,
        "gates": [gate.model_dump(mode="json") for gate in found.judgement.gates],
        "golden": None if report.golden is None else report.golden.model_dump(mode="json"),
        "sensitivity": _sensitivity(found),
        "strata": _strata(found),
        "components": [score.model_dump(mode="json") for score in report.golden_components],
        "agreement": {
            "addresses": agreement.addresses,
            "exact_match": agreement.exact_match,
            "exact_match_interval": list(agreement.exact_interval),
            "span_f1": agreement.span_f1,
            "candidate_errors": agreement.candidate_errors,
        },
        "latency": _latency(found),
    }


def _strata(found: Comparison) -> list[dict[str, Any]]:
    if found.golden is None:
        return []
    return [
        {
            "stratum": one.stratum,
            "addresses": one.addresses,
            "reference_f1": one.reference_f1,
            "candidate_f1": one.candidate_f1,
        }
        for one in found.golden.strata
    ]


def _sensitivity(found: Comparison) -> dict[str, float | None] | None:
    """How unlike the two models read the labelled addresses, and what a set of that size sees."""
    from rollout.golden import measured, sensitivity

    if found.golden is None or (how := measured(found.golden.deltas)) is None:
        return None
    least = found.report.policy.golden.min_delta
    power = sensitivity(len(found.golden.deltas), how, least)
    return {
        "discordance": how.discordance,
        "spread": how.spread,
        "detects": power.detects,
        "fails_equal": power.fails_equal,
    }


def _latency(found: Comparison) -> dict[str, float] | None:
    latency = found.report.latency
    if latency is None:
        return None
    middle = latency.probabilities.index(0.5)
    return {
        "batches": latency.batches,
        "reference_median_ms": latency.reference_ms[middle],
        "candidate_median_ms": latency.candidate_ms[middle],
        "median_ratio": latency.ratio[middle],
    }


def _print(found: Comparison) -> None:
    agreement, report = found.agreement, found.report
    ours, theirs = report.reference.version, report.candidate.version
    rows: list[tuple[str, str, str, str]] = []
    if (golden := report.golden) is not None:
        low, high = golden.interval
        rows.append(
            (
                f"mean F1 over {golden.addresses} labelled addresses",
                f"{golden.reference_f1:.4f}",
                f"{golden.candidate_f1:.4f}",
                f"{golden.mean_delta:+.4f} (95% interval {low:+.4f} to {high:+.4f})",
            )
        )
        p = "" if golden.mcnemar_p is None else f"McNemar p = {golden.mcnemar_p:.2g}"
        rows.append(
            (
                "wholly right in this one alone",
                str(golden.only_reference_right),
                str(golden.only_candidate_right),
                p,
            )
        )
    if (how := _sensitivity(found)) is not None:
        detects = "none" if how["detects"] is None else f"{how['detects']:.4f}"
        rows.append(
            (
                "addresses with another F1",
                "",
                "",
                f"{how['discordance']:.2%}; the set detects a fall of {detects}",
            )
        )
    for score in report.golden_components:
        before, after = score.reference_f1 or 0.0, score.candidate_f1 or 0.0
        rows.append(
            (
                f"F1 of {score.type} ({score.labelled} labelled)",
                f"{before:.4f}",
                f"{after:.4f}",
                f"{after - before:+.4f}",
            )
        )
    rows += [
        (
            f"mean F1 of {one['stratum']} ({one['addresses']}, never gates)",
            f"{one['reference_f1']:.4f}",
            f"{one['candidate_f1']:.4f}",
            f"{one['candidate_f1'] - one['reference_f1']:+.4f}",
        )
        for one in _strata(found)
    ]
    if (latency := _latency(found)) is not None:
        rows.append(
            (
                f"median of {latency['batches']} device batches",
                f"{latency['reference_median_ms']:.1f} ms",
                f"{latency['candidate_median_ms']:.1f} ms",
                f"ratio {latency['median_ratio']:.2f}",
            )
        )
    low, high = agreement.exact_interval
    rows += [
        (
            f"same flat view, of {agreement.addresses} addresses",
            "",
            "",
            f"{agreement.exact_match:.2%} (95% interval {low:.2%} to {high:.2%})",
        ),
        ("mean F1 of one against the other", "", "", f"{agreement.span_f1:.4f}"),
    ]
    if agreement.candidate_errors:
        rows.append(("errors of the candidate alone", "", "", str(agreement.candidate_errors)))
    print_table(("", f"A {ours}", f"B {theirs}", "B less A"), rows)
    print(f"{found.judgement.verdict}: {found.judgement.reason}")
