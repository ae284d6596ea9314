"""Codes of the local stack and its topics."""

from __future__ import annotations

from typing import Final

from contracts.codes.spec import CodeSpec

CODES: Final = (
    CodeSpec(
        "deploy_failed",
        ("usage",),
        "The local stack could not do it; no closer code was given.",
        "Read the message and its details.",
    ),
    CodeSpec(
        "java_missing",
        ("usage",),
        "No Java that can run the broker was found.",
        "Install the extra local, or Java 17 or later.",
    ),
    CodeSpec(
        "jars_unavailable",
        ("usage",),
        "The broker’s jars could not be downloaded.",
        "Check the network, or name a mirror with MGEO_MAVEN_REPOSITORY.",
    ),
    CodeSpec(
        "jars_untrusted",
        ("usage",),
        "A jar is missing or does not match its pinned digest. It is not run.",
        "Remove the jar cache and try again; if it stays, mistrust the mirror.",
    ),
    CodeSpec(
        "disk_full",
        ("usage",),
        "There is too little free disk for a broker.",
        "Make room, or put MGEO_STATE_DIR elsewhere.",
    ),
    CodeSpec(
        "data_folder_unusable",
        ("usage",),
        "The broker’s data folder is half written or belongs to something else.",
        "mgeo down --wipe removes it, or choose another with MGEO_STATE_DIR.",
    ),
    CodeSpec(
        "broker_start_failed",
        ("usage",),
        "The broker ended, or did not answer in time, while starting.",
        "The message shows the end of its log.",
    ),
    CodeSpec(
        "docker_unavailable",
        ("usage",),
        "The docker command is missing or its daemon does not answer.",
        "Start it, or leave out --broker docker.",
    ),
    CodeSpec(
        "bad_accepted_advisories",
        ("usage",),
        "The list of advisories that somebody has accepted cannot be read.",
        "It is a JSON list of {id, package, reason, until: YYYY-MM-DD}.",
    ),
    CodeSpec(
        "worker_failed",
        ("fatal",),
        "The worker of the demo ended too early.",
        "The message shows the end of its log.",
    ),
    CodeSpec(
        "demo_timeout",
        ("fatal",),
        "A part of the demo was not ready, or not all addresses came back, in time.",
        "Give the machine less other work; look at the logs beside the reports.",
    ),
    CodeSpec(
        "demo_went_astray",
        ("fatal",),
        "A command of the demo left with another exit code than the story has.",
        "Its words stand above; a very busy machine can make a verdict come too late.",
    ),
    CodeSpec(
        "bad_section",
        ("usage",),
        "`mgeo bench --only` names a measurement that does not exist.",
        "Name one of those that the message lists.",
    ),
    CodeSpec(
        "bad_baseline",
        ("usage",),
        "`mgeo bench` was to compare with a file that holds no figures.",
        "Measure one with `mgeo bench --json FILE`.",
    ),
    CodeSpec(
        "bench_worker_failed",
        ("fatal",),
        "A worker that was being measured ended too early, or never got ready.",
        "The message shows the end of its log.",
    ),
    CodeSpec(
        "bench_timeout",
        ("fatal",),
        "A backlog of the bench was not drained in time.",
        "Give the machine less other work, or use --quick.",
    ),
    CodeSpec(
        "bench_miscounted",
        ("fatal",),
        "The bench counted other results than it had published addresses: its figures are void.",
        "Run it again and report it: the stream must never do this.",
    ),
    CodeSpec(
        "bench_ceiling_failed",
        ("fatal",),
        "The plain loop that the stream is compared with did not run.",
        "The message shows what it said.",
    ),
    CodeSpec(
        "bench_modelscope_failed",
        ("fatal",),
        "modelscope’s own pipeline did not run.",
        "Install what it imports: pip install 'mgeo-stream[test]'.",
    ),
    CodeSpec(
        "group_not_empty",
        ("usage",),
        "The group’s offsets cannot be set while it has members.",
        "Stop the workers, wait until their sessions have run out, and run it again.",
    ),
)
