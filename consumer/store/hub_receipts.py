"""Receipts: which models of the hub are here whole, and what each of their files must be.

Written last, after every file was checked: an interrupted download has none.
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from consumer.store.manifest import StoredFile
from consumer.store.source import HubModel


class Receipt(BaseModel):
    """One fetched model."""

    model_config = ConfigDict(frozen=True)

    hub_id: str
    revision: str
    directory: str
    files: tuple[StoredFile, ...]


def _receipt_folder(root: Path) -> Path:
    return root / "receipts"


def find_receipts(root: Path, model: HubModel) -> list[Receipt]:
    """What was fetched whole of this model, at this revision or, without one, at any."""
    found = []
    for path in sorted(_receipt_folder(root).glob("*.json")):
        try:
            receipt = Receipt.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            continue
        if receipt.hub_id == model.hub_id and model.revision in (None, receipt.revision):
            found.append(receipt)
    return found


def _receipt_path(root: Path, hub_id: str, revision: str) -> Path:
    return _receipt_folder(root) / f"{hub_id}@{revision}.json".replace("/", "--")


def forget(root: Path, receipt: Receipt) -> None:
    """Let it be fetched again."""
    _receipt_path(root, receipt.hub_id, receipt.revision).unlink(missing_ok=True)


def write_receipt(
    root: Path, model: HubModel, directory: Path, files: tuple[StoredFile, ...]
) -> None:
    """Say that these files, checked, are this model; appears in one step."""
    receipt = Receipt(
        hub_id=model.hub_id,
        revision=str(model.revision),
        directory=str(directory.resolve().relative_to(root.resolve())),
        files=files,
    )
    final = _receipt_path(root, receipt.hub_id, receipt.revision)
    final.parent.mkdir(parents=True, exist_ok=True)
    partial = final.with_suffix(f".{os.getpid()}.partial")
    partial.write_text(receipt.model_dump_json(indent=2) + "\n", encoding="utf-8")
    partial.replace(final)
