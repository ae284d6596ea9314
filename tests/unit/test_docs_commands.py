"""Every `mgeo` command that a page shows can be called so: its name, options and values exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from deploy.cli.program import build

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for page in (*ROOT.glob("*.md"), *ROOT.glob("*/README.md"), *(ROOT / "docs").rglob("*.md"))
    if "docs/examples" not in page.as_posix()
)
SHELLS = ("bash", "sh", "shell", "console")


def shown_commands(text: str) -> Iterator[list[str]]:
    """Arguments of every `mgeo` in the shell blocks of a page."""
    for language, block in re.findall(r"^ *```(\w*)\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
        if language not in SHELLS:
            continue
        for line in block.replace("\\\n", " ").splitlines():
            words = list(words_of(line.removeprefix("$ ")))
            while words:
                if re.fullmatch(r"[A-Z][A-Z0-9_]*=.*", words[0]):
                    words = words[1:]
                    continue
                end = next((i for i, word in enumerate(words) if word in END), len(words))
                if words[0] == "mgeo":
                    yield words[1:end]
                words = words[end + 1 :]


END = ("|", "||", "&&", "&", ";", ">", "2>", ">>", "<")


def words_of(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    return list(lexer)


COMMANDS = [
    pytest.param(arguments, id=f"{page.relative_to(ROOT).as_posix()}: {' '.join(arguments)[:60]}")
    for page in PAGES
    for arguments in shown_commands(page.read_text("utf-8"))
]


def parse(arguments: list[str]) -> None:
    """Parse as the program would, and run nothing."""
    command, name, parent, rest = typer.main.get_command(build()), "mgeo", None, list(arguments)
    while True:
        if isinstance(command, TyperGroup) and rest and rest[0] in command.commands:
            parent = command.make_context(name, [], parent=parent, resilient_parsing=True)
            name, rest = rest[0], rest[1:]
            command = command.commands[name]
            continue
        if isinstance(command, TyperGroup) and command.invoke_without_command:
            command.make_context(name, rest, parent=parent)
            return
        if isinstance(command, TyperGroup):
            raise ValueError(f"mgeo has no command {' '.join(arguments)}")
        command.make_context(name, rest, parent=parent)
        return


def test_there_are_commands_to_check() -> None:
    assert len(COMMANDS) > 20


@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_shown_command_can_be_called(arguments: list[str]) -> None:
    if arguments and arguments[0] in ("--version", "--help"):
        return
    if arguments and arguments[-1] == "--help":
        arguments = arguments[:-1]
        command = typer.main.get_command(build())
        for word in arguments:
            assert isinstance(command, TyperGroup)
            command = command.commands[word]
        return
    parse(arguments)


@pytest.mark.parametrize(
    "wrong",
    ["rollout polici rollout.yaml", "rollout policy --explian", "golden check", "parse"],
)
def test_a_command_that_cannot_be_called_is_noticed(wrong: str) -> None:
    with pytest.raises((ValueError, typer.TyperException)):
        parse(wrong.split())
