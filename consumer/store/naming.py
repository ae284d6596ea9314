"""From what people write to a version: a version, a version with a precision, or a hub id."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from consumer.store.source import HubModel, is_hub_model, parse_hub_model, same_model
from consumer.store.store import ModelStore
from contracts.errors import UsageError
from contracts.spec import SpecName, parse_spec_name

_FINETUNE_MAX_CHARS: Final = 12
_BASE_MAX_CHARS: Final = 60


def resolve_name(store: ModelStore, name: str) -> SpecName:
    """The version in the store that a name means.

    Args:
        store: where a hub id is looked up; a version is not.
        name: ``VERSION[@precision]``, or ``[modelscope:]OWNER/NAME[@REVISION]`` for the
            newest model that was added from there.

    Raises:
        UsageError: ``bad_version``, ``bad_precision``, ``bad_hub_id``; ``unknown_version``
            when no model was added from that hub id.
        FatalError: ``model_manifest_broken``.
        TransientError: ``model_store_unreachable``.
    """
    if not is_hub_model(name):
        return parse_spec_name(name)
    model = parse_hub_model(name)
    found = [
        stored.manifest
        for stored in store.models()
        if stored.manifest.source.hub_id is not None
        and same_model(stored.manifest.source.hub_id, model.hub_id)
        and model.revision in (None, stored.manifest.source.revision)
    ]
    if not found:
        raise UsageError(
            f"no model in {store.place} was added from {model}",
            code="unknown_version",
            hint=f"add it: mgeo model add modelscope:{model.hub_id}"
            f"@{model.revision or 'REVISION'} --version {derive_version(model, None)}",
        )
    newest = max(found, key=lambda manifest: (manifest.created, manifest.version))
    return SpecName(newest.version, None)


def derive_version(model: HubModel, day: date | None) -> str:
    """A version for a model of the hub whose maker gave it none.

    ``mgeo-base-<revision>-<yyyymmdd>`` for the published base models, else the name's own
    letters. ``YYYYMMDD`` stands where there is no day yet.
    """
    name = model.hub_id.rpartition("/")[2].lower()
    base = "mgeo-base" if re.fullmatch(r"mgeo_.*_base", name) else _slug(name, "-")
    finetune = _slug(model.revision or "", "")[:_FINETUNE_MAX_CHARS] or "hub"
    written_day = f"{day:%Y%m%d}" if day is not None else "YYYYMMDD"
    return f"{base[:_BASE_MAX_CHARS].strip('-') or 'model'}-{finetune}-{written_day}"


def _slug(text: str, joint: str) -> str:
    return joint.join(re.findall(r"[a-z0-9]+", text.lower()))
