"""Codes of workers, their lanes and the control topic."""

from __future__ import annotations

from typing import Final

from contracts.codes.spec import CodeSpec

CODES: Final = (
    CodeSpec(
        "permanent",
        ("dead_letter",),
        "The record can never succeed; no closer code was given.",
        "Read the worker’s log at the dead letter’s offset.",
    ),
    CodeSpec(
        "crashed_worker",
        ("dead_letter",),
        "The process died three times with this record in work; it is not started a fourth time.",
        "Replay it against a later model; report it with the record’s origin.",
    ),
    CodeSpec(
        "device_lost",
        ("fatal",),
        "The device, or the process’s hold on it, is broken.",
        "Start the process again; if it stays, look at the device’s own logs.",
    ),
    CodeSpec(
        "device_out_of_memory",
        ("address",),
        "The device had no memory even for this address alone.",
        "Give the device more memory, or lower MGEO_SEQUENCE_LENGTH.",
    ),
    CodeSpec(
        "transient",
        ("transient",),
        "Something that is needed is away for now; no closer code was given.",
        "Wait; if it stays, read the message.",
    ),
    CodeSpec(
        "backend_unreachable",
        ("transient",),
        "Kafka, or another service that is needed, does not answer.",
        "Check MGEO_KAFKA_BOOTSTRAP_SERVERS and that the brokers run; mgeo doctor tells more.",
    ),
    CodeSpec(
        "sink_lost",
        ("transient",),
        "A commit’s outcome is unknown, or another worker owns the partition now.",
        "Nothing: the lane closes and its next owner continues from what was committed.",
    ),
    CodeSpec(
        "records_lost",
        ("fatal",),
        "Records were deleted from the log before they were read.",
        "Publish them again, reset the group’s offset, and give the topic a longer retention.",
    ),
    CodeSpec(
        "log_shrank",
        ("fatal",),
        "The committed offset lies beyond the end of the log: the topic is new or lost data.",
        "If that was intended, reset the group’s offsets; else restore the topic.",
    ),
    CodeSpec(
        "fatal",
        ("fatal",),
        "The process cannot go on; no closer code was given.",
        "Read the message, then start it again.",
    ),
    CodeSpec(
        "control_corrupt",
        ("passed_over",),
        "The control record cannot be read.",
        "Look at the newest record of the control topic and at what wrote it.",
    ),
    CodeSpec(
        "control_from_the_future",
        ("passed_over",),
        "The control record was written by a later release.",
        "Upgrade the process that says so.",
    ),
    CodeSpec(
        "illegal_transition",
        ("illegal",),
        "The rollout’s current phase does not allow the move.",
        "Look at mgeo rollout status first.",
    ),
    CodeSpec(
        "mgeo_error",
        ("usage",),
        "An error of ours without a closer code.",
        "Read the message; report it if it does not help.",
    ),
    CodeSpec(
        "usage",
        ("usage",),
        "An argument or setting is wrong; no closer code was given.",
        "Read the message, which says what is expected.",
    ),
    CodeSpec(
        "topic_missing",
        ("fatal",),
        "A topic that the worker needs does not exist.",
        "mgeo topics create.",
    ),
    CodeSpec(
        "too_few_partitions",
        ("fatal",),
        "An output topic has fewer partitions than the input, whose numbers results keep.",
        "Add partitions to the output topic.",
    ),
    CodeSpec(
        "topic_too_small",
        ("fatal",),
        "An output topic takes smaller records than a worker may write.",
        "Raise its max.message.bytes; mgeo topics check says to what.",
    ),
    CodeSpec(
        "topic_too_large",
        ("fatal",),
        "An input topic takes records whose dead letters would not fit address.dlq.",
        "Lower its max.message.bytes or raise that of address.dlq; mgeo topics check says to what.",
    ),
    CodeSpec(
        "too_many_rejoins",
        ("fatal",),
        "The worker had to leave and rejoin its group too often.",
        "Look for a second system with the same topic prefix, or an overloaded broker.",
    ),
    CodeSpec(
        "port_in_use",
        ("usage",),
        "The port cannot be listened on.",
        "Choose another with --port; 0 takes any free one.",
    ),
    CodeSpec(
        "bad_role",
        ("usage",),
        "It is not a role of a worker.",
        "Use one that mgeo worker --help names.",
    ),
    CodeSpec(
        "model_error",
        ("address",),
        "The model or its decoder failed on this address alone; the rest of the batch is parsed.",
        "Report it with the record’s origin; the worker’s log names the error’s class.",
    ),
    CodeSpec(
        "abandoned",
        ("transient",),
        "The partition was given up with the record in work. Nothing of it was published.",
        "Nothing: the partition’s next owner reads the record again.",
    ),
)
