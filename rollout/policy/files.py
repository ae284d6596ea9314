"""Policy files: reading them strictly, writing them so that they read back the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from contracts.canonical import digest_of
from contracts.policy import Policy
from rollout.documents import DocumentError, check, read_document, read_text
from rollout.policy.overrides import override

BAD_POLICY: Final = "bad_policy"


def load_policy(path: str | Path, overrides: Sequence[str] = ()) -> Policy:
    """The policy of a file, with ``--set`` assignments over it.

    Args:
        path: YAML, UTF-8.
        overrides: ``name=value`` each; later ones win.

    Raises:
        DocumentError: a ``UsageError`` with code ``bad_policy``; the message has every fault as
            ``file:line:column``, or the ``--set`` that it came from.
    """
    return parse_policy(read_text(path, "policy", BAD_POLICY), str(path), overrides)


def parse_policy(text: str, source: str, overrides: Sequence[str] = ()) -> Policy:
    """The policy that a text stands for; ``source`` names it in errors, raised as above."""
    root, problems = read_document(text, source)
    problems += [problem for assignment in overrides for problem in override(root, assignment)]
    policy, faults = check(Policy, root)
    problems += faults
    if policy is None or problems:
        raise DocumentError(
            "policy",
            problems,
            code=BAD_POLICY,
            hint="Every field and its default: mgeo rollout policy --defaults",
        )
    return policy


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
