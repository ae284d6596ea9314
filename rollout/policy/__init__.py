"""Policy files: what a candidate must show, kept beside the code and read strictly."""

from rollout.policy.files import (
    changed_fields,
    dump_policy,
    load_policy,
    parse_policy,
    policy_digest,
)

__all__ = [
    "changed_fields",
    "dump_policy",
    "load_policy",
    "parse_policy",
    "policy_digest",
]
