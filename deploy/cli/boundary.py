"""Where every error of every command ends: one clear sentence on standard error, and a code.

A traceback shows only with MGEO_DEBUG=1.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import typer

from contracts.errors import MgeoError
from deploy.cli import exit_codes
from deploy.cli.program import build

DEBUG_VARIABLE = "MGEO_DEBUG"


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; nothing is raised."""
    # Without a handler Python prints libraries' warnings on standard error, beside our own
    # sentence. Commands that serve set up logging for themselves.
    logging.getLogger().addHandler(logging.NullHandler())
    debug = os.environ.get(DEBUG_VARIABLE, "") not in ("", "0")
    try:
        result = build()(args=list(arguments), prog_name="mgeo", standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        return _typer_error(error)
    except MgeoError as error:
        if debug:
            traceback.print_exc()
        return _known_error(error)
    except typer.Abort:  # Ctrl-C or the end of input at a question
        _say("Interrupted.")
        return exit_codes.INTERRUPTED
    except BrokenPipeError:
        # Keep the interpreter from flushing into the closed pipe once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exit_codes.READER_GONE
    except Exception as error:  # noqa: BLE001 - the last stop: what is not ours is reported as such
        if debug:
            traceback.print_exc()
        return _foreign_error(error)
    code = result if isinstance(result, int) else exit_codes.OK
    if code == exit_codes.INTERRUPTED:  # typer turns Ctrl-C into this code and says nothing
        _say("Interrupted.")
    return code


def _typer_error(error: typer.TyperException) -> int:
    message = error.format_message()
    if message.startswith("Usage:"):  # a group without its command: the message is its help
        _say(message)
    elif message:
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "mgeo"
        _say(f"Error: {message}", f"See: {command} --help")
    return error.exit_code


def _known_error(error: MgeoError) -> int:
    _say(f"Error: {error}", error.hint, getattr(error, "details", ""))
    return exit_codes.of(error)


def _foreign_error(error: Exception) -> int:
    if _is_unreachable(error):
        _say(
            "Error: Kafka does not answer.",
            "Start a local broker with `mgeo up`, or check MGEO_KAFKA_BOOTSTRAP_SERVERS; "
            "`mgeo doctor` says more.",
        )
        return exit_codes.UNREACHABLE
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        _say("Error: the disk is full.", "Free some space and run the command again.")
        return exit_codes.FAILED
    if type(error).__name__ == "ValidationError" and _is_settings(error):
        return _setting_error(error)
    # The type alone: messages of libraries may quote their input, and input is addresses.
    _say(
        f"Error: an unexpected {type(error).__name__} in mgeo itself.",
        f"Please report it with the output of the same command under {DEBUG_VARIABLE}=1.",
    )
    return exit_codes.UNEXPECTED


def _is_settings(error: Exception) -> bool:
    # Records that people publish are validated too, and those errors are no usage errors.
    return str(getattr(error, "title", "")).endswith("Settings")


def _setting_error(error: Exception) -> int:
    # Not imported for its type: a command that reads no settings never loads pydantic.
    details: list[dict[str, Any]] = error.errors(include_input=False, include_url=False)  # type: ignore[attr-defined]
    for detail in details:
        name = "_".join(str(part) for part in detail["loc"]).upper()
        _say(f"Error: the setting MGEO_{name} is wrong: {detail['msg']}.")
    return exit_codes.USAGE


def _is_unreachable(error: Exception) -> bool:
    # Asked by name, so that a command without Kafka never imports its client.
    names = {kind.__name__ for kind in type(error).__mro__}
    return type(error).__module__.startswith("aiokafka") and bool(
        names & {"KafkaConnectionError", "KafkaTimeoutError", "NoBrokersAvailable"}
    )


def _say(*lines: str) -> None:
    print("\n".join(line for line in lines if line), file=sys.stderr)
