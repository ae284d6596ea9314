"""Policy files: reading them strictly, writing them so that they read back the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from contracts.canonical import digest_of
from contracts.errors import UsageError
from contracts.policy import Policy
from rollout.policy.checking import check
from rollout.policy.document import MAX_BYTES, Problem, Where, read_document
from rollout.policy.overrides import override


class PolicyError(UsageError):
    """A policy that cannot be used, with everything that is wrong with it.

    Attributes:
        problems: at least one, in the order of the file, then of the ``--set`` options.
    """

    default_code = "bad_policy"

    def __init__(self, problems: Sequence[Problem], *, hint: str) -> None:
        self.problems = tuple(problems)
        if len(self.problems) == 1:
            message = str(self.problems[0])
        else:
            lines = "".join(f"\n  {problem}" for problem in self.problems)
            message = f"the policy has {len(self.problems)} errors:{lines}"
        super().__init__(message, code="bad_policy", hint=hint)


def load_policy(path: str | Path, overrides: Sequence[str] = ()) -> Policy:
    """The policy of a file, with ``--set`` assignments over it.

    Args:
        path: YAML, UTF-8.
        overrides: ``name=value`` each; later ones win.

    Raises:
        PolicyError: a ``UsageError`` with code ``bad_policy``; the message has every fault as
            ``file:line:column``, or the ``--set`` that it came from.
    """
    return parse_policy(read_text(path, "policy"), str(path), overrides)


def parse_policy(text: str, source: str, overrides: Sequence[str] = ()) -> Policy:
    """The policy that a text stands for; ``source`` names it in errors, raised as above."""
    root, problems = read_document(text, source)
    known = len(problems)
    if isinstance(root.value, dict):
        for assignment in overrides:
            problems += override(root, assignment)
    policy, faults = check(Policy, root)
    problems += faults
    if policy is None or problems:
        problems = sorted(problems[:known] + faults, key=_place) + [
            problem for problem in problems[known:] if problem not in faults
        ]
        raise PolicyError(
            problems, hint="Every field and its default: mgeo rollout policy --defaults"
        )
    return policy


def _place(problem: Problem) -> tuple[bool, int, int]:
    where = problem.where
    return where.line == 0, where.line, where.column


def read_text(path: str | Path, what: str) -> str:
    """The text of a small file of ours.

    Raises:
        UsageError: code ``bad_policy``: it is not there, too large, or not UTF-8.
    """
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(
            f"the {what} file {path} cannot be read: {reason.lower()}",
            code="bad_policy",
            hint="Name a YAML file; paths are relative to the current directory.",
        ) from None
    if len(raw) > MAX_BYTES:
        raise PolicyError([Problem(Where(str(path)), f"larger than {MAX_BYTES} bytes")], hint="")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        problem = Problem(Where(str(path), line, column), "not UTF-8")
        raise PolicyError([problem], hint="Save the file as UTF-8.") from None


def policy_digest(policy: Policy) -> str:
    """Digest of the effective policy: the same for two files that mean the same."""
    return digest_of(policy)


def changed_fields(policy: Policy) -> dict[str, tuple[Any, Any]]:
    """Fields that differ from their default: dotted name to (value, default), as in JSON."""
    ours = dict(leaves(policy.model_dump(mode="json")))
    defaults = dict(leaves(Policy().model_dump(mode="json")))
    return {
        name: (value, defaults.get(name))
        for name, value in ours.items()
        if name not in defaults or defaults[name] != value
    }


def leaves(document: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every field that is no section, by its dotted name; a list is one value."""
    for name, value in document.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


class _Dumper(yaml.SafeDumper):
    """Quotes every text but plain words, so that no reader can take one for something else."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = text.isascii() and text.isalpha() and text.lower() not in _TAKEN
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_TAKEN = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_Dumper.add_representer(str, _text)


def dump_policy(policy: Policy) -> str:
    """The policy as a YAML file with every field; ``parse_policy`` reads it back equal."""
    return yaml.dump(
        policy.model_dump(mode="json"),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
    )
