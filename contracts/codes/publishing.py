"""Codes of publishing files and of reading results."""

from __future__ import annotations

from typing import Final

from contracts.codes.spec import CodeSpec

CODES: Final = (
    CodeSpec(
        "no_topic",
        ("usage",),
        "The topic does not exist.",
        "mgeo topics create, or check MGEO_TOPIC_PREFIX.",
    ),
    CodeSpec(
        "not_confirmed",
        ("transient",),
        "Kafka did not confirm a record in time; it may or may not be in the log.",
        "Check that the brokers run; go on with a file by --resume.",
    ),
    CodeSpec(
        "no_partition",
        ("usage",),
        "The topic has no such partition.",
        "Name partitions that mgeo topics check shows.",
    ),
    CodeSpec(
        "kafka_transient",
        ("transient",),
        "Kafka gave an answer that passes by itself.",
        "Wait; if it stays, look at the brokers’ logs.",
    ),
    CodeSpec(
        "kafka_error",
        ("fatal",),
        "Kafka gave an answer that trying again does not mend.",
        "The message names Kafka’s error; look at the brokers’ logs.",
    ),
    CodeSpec(
        "bad_start",
        ("usage",),
        "More than one place to begin reading was given.",
        "Give a group, a start or a time, one of them.",
    ),
    CodeSpec(
        "bad_since",
        ("usage",),
        "The time has no time zone.",
        "Give one, like 2026-01-02T12:00:00+08:00.",
    ),
    CodeSpec(
        "no_file",
        ("usage",),
        "The file cannot be read.",
        "Check its path and rights.",
    ),
    CodeSpec(
        "not_open",
        ("usage",),
        "The rows were asked for before the file was opened.",
        "Use the source inside its with block.",
    ),
    CodeSpec(
        "read_once",
        ("usage",),
        "Standard input was to be read twice.",
        "Write it to a file first.",
    ),
    CodeSpec(
        "empty_file",
        ("usage",),
        "The file has no rows or no columns.",
        "Check that it is the right file.",
    ),
    CodeSpec(
        "unknown_format",
        ("usage",),
        "The file’s name does not say its format.",
        "Say it with --format.",
    ),
    CodeSpec(
        "unknown_encoding",
        ("usage",),
        "There is no encoding of that name, or it could not be detected.",
        "Say it with --encoding, for example utf-8 or gb18030.",
    ),
    CodeSpec(
        "bad_header",
        ("usage",),
        "The first line of the file cannot be read.",
        "Say how it is written with --encoding and --delimiter.",
    ),
    CodeSpec(
        "ambiguous_column",
        ("usage",),
        "It is not clear which column holds the address.",
        "Say it with --text-column.",
    ),
    CodeSpec(
        "no_column",
        ("usage",),
        "The file has no such column.",
        "Use one of the columns that the message lists.",
    ),
    CodeSpec(
        "no_records",
        ("usage",),
        "No line of the file is a JSON object with a key.",
        "Write one object with at least one key on each line.",
    ),
    CodeSpec(
        "broken_quotes",
        ("row",),
        "The line's quotation marks do not pair up.",
        "Mend the line; in CSV a quotation mark inside a value is written twice.",
    ),
    CodeSpec(
        "too_many_columns",
        ("row",),
        "The line has more values than the file has columns.",
        "Quote values that contain the delimiter, or name it with --delimiter.",
    ),
    CodeSpec(
        "no_sheet",
        ("usage",),
        "The workbook has no such sheet.",
        "Use one of the sheets that the message lists.",
    ),
    CodeSpec(
        "not_xlsx",
        ("usage",),
        "The file is not an xlsx workbook.",
        "Save it as xlsx; the older xls is not read.",
    ),
    CodeSpec(
        "not_parquet",
        ("usage",),
        "The file is not a Parquet file.",
        "Check its format, or say it with --format.",
    ),
    CodeSpec(
        "cannot_write",
        ("usage",),
        "The output file cannot be written.",
        "Check its folder, rights and free space.",
    ),
    CodeSpec(
        "cell_too_long",
        ("usage",),
        "A cell is longer than Excel holds.",
        "Write csv, jsonl or parquet instead.",
    ),
    CodeSpec(
        "too_many_rows",
        ("usage",),
        "There are more rows than an Excel sheet holds.",
        "Write csv, jsonl or parquet instead.",
    ),
    CodeSpec(
        "file_changed",
        ("usage",),
        "The file changed since it was published.",
        "Publish the file as it is now with --again.",
    ),
    CodeSpec(
        "options_changed",
        ("usage",),
        "The interrupted run had other options, by which its batches were cut.",
        "Resume with the options of the first run.",
    ),
    CodeSpec(
        "interrupted_run",
        ("usage",),
        "An earlier run of this file was interrupted.",
        "--resume goes on with it; --again sends the whole file anew.",
    ),
    CodeSpec(
        "malformed_line",
        ("usage",),
        "A line of the file is malformed, and --strict was asked for. Nothing was published.",
        "Mend the line, or leave out --strict: such lines then go to a rejects file.",
    ),
    CodeSpec(
        "resume_expired",
        ("usage",),
        "The topic no longer holds what the interrupted run had sent.",
        "--again sends the whole file anew.",
    ),
    CodeSpec(
        "another_topic",
        ("usage",),
        "The topic was made anew since the interrupted run.",
        "--again sends the whole file anew.",
    ),
    CodeSpec(
        "bad_journal",
        ("usage",),
        "The memory of the interrupted run cannot be read.",
        "--again sends the whole file anew.",
    ),
    CodeSpec(
        "already_publishing",
        ("usage",),
        "Another process is publishing this file.",
        "Wait for it, or stop it and use --resume.",
    ),
    CodeSpec(
        "too_few_columns",
        ("row",),
        "The line has fewer values than the file has columns.",
        "Mend the line, or name the delimiter with --delimiter.",
    ),
    CodeSpec(
        "bad_encoding",
        ("row",),
        "The line’s bytes do not fit the file’s encoding.",
        "Say the right one with --encoding, for example gb18030.",
    ),
    CodeSpec(
        "nul_byte",
        ("row",),
        "The line has a null byte.",
        "Find out what wrote it: often a file in UTF-16, or one cut short by a crash.",
    ),
    CodeSpec(
        "line_too_long",
        ("row",),
        "The line is longer than any row that is read.",
        "Check that the file has line ends, and one row on each line.",
    ),
    CodeSpec(
        "no_result",
        ("row",),
        "No result came back for this address in time.",
        "Wait longer, or look for its record in the dead letters.",
    ),
    CodeSpec(
        "ledger_full",
        ("usage",),
        "More separate ranges of dead letters were replayed than can be remembered.",
        "Replay whole ranges of offsets instead of single codes.",
    ),
    CodeSpec(
        "bad_ledger",
        ("usage",),
        "The group that remembers replays was used by another program.",
        "Replay with --again, which does not ask what was replayed before.",
    ),
)
