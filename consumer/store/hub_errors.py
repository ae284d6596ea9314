"""What modelscope's client raises, turned into one sentence that says what to do."""

from __future__ import annotations

import errno

from consumer.store.source import HubModel
from contracts.errors import BackendUnreachableError, FatalError, MgeoError, UsageError

_TOKEN_HINT = "set MODELSCOPE_API_TOKEN to an access token of an account that may read it"  # noqa: S105  (a hint about tokens, no token)


def unreachable(host: str, what: str) -> BackendUnreachableError:
    """``hub_unreachable``: try again, or go without the hub."""
    return BackendUnreachableError(
        f"the hub {host} does not answer: {what}",
        code="hub_unreachable",
        hint="check the network (and MODELSCOPE_ENDPOINT); without one, copy the model "
        "directory here and: mgeo model add DIR --version VERSION",
    )


def corrupted(model: HubModel, host: str) -> FatalError:
    """``hub_digest_mismatch``: what came is not what the hub lists."""
    return FatalError(
        f"the hub {host} gave other bytes for {model} than it lists: nothing of them was kept",
        code="hub_digest_mismatch",
        hint="try again later; if it stays so, tell the model's owner",
    )


def explain(error: Exception, model: HubModel, host: str) -> MgeoError:
    """One of our errors for what the client raised while it worked on ``model``."""
    if isinstance(error, MgeoError):
        return error
    names = _names(error)
    if "FileIntegrityError" in names:
        return corrupted(model, host)
    if "NotExistError" in names:
        return UsageError(
            f"the hub {host} has no {model}",
            code="hub_not_found",
            hint=f"check the id and the revision; a private model is hidden so: {_TOKEN_HINT}",
        )
    if "AuthenticationError" in names:
        return UsageError(
            f"the hub {host} wants to know who asks for {model}",
            code="hub_unauthorized",
            hint=_TOKEN_HINT,
        )
    if "PermissionDeniedError" in names:
        return UsageError(
            f"the hub {host} does not let this account read {model}",
            code="hub_forbidden",
            hint=f"ask its owner for access, or {_TOKEN_HINT}",
        )
    for link in _chain(error):
        if isinstance(link, OSError) and link.errno in (errno.ENOSPC, errno.EACCES, errno.EROFS):
            return FatalError(
                f"{model} cannot be kept: {link.strerror}",
                code="model_cache_full" if link.errno == errno.ENOSPC else "model_cache_unusable",
                hint="make room or set MGEO_MODEL_CACHE to a directory that can be written",
            )
    return BackendUnreachableError(
        f"the hub {host} broke off while {model} was read ({type(error).__name__})",
        code="hub_unreachable",
        hint="what came is kept: the same command goes on from there",
    )


def _chain(error: BaseException) -> list[BaseException]:
    """The error, its causes, and the errors of single files that it gathers."""
    found: list[BaseException] = []
    ahead: list[BaseException] = [error]
    while ahead:
        link = ahead.pop()
        if any(link is known for known in found):
            continue
        found.append(link)
        ahead.extend(getattr(link, "failed_files", {}).values())
        ahead.extend(cause for cause in (link.__cause__, link.__context__) if cause is not None)
    return found


def _names(error: BaseException) -> set[str]:
    return {kind.__name__ for link in _chain(error) for kind in type(link).__mro__}
