"""Policy files: what a candidate must show, kept beside the code and read strictly."""

from rollout.policy.files import (
    PolicyError,
    changed_fields,
    dump_policy,
    load_policy,
    parse_policy,
    policy_digest,
)

__all__ = [
    "PolicyError",
    "changed_fields",
    "dump_policy",
    "load_policy",
    "parse_policy",
    "policy_digest",
]
