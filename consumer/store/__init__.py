"""The model store: from a version to verified files, wherever the models are kept."""

from consumer.store.manifest import Manifest
from consumer.store.store import ModelFiles, ModelStore, StoredModel, open_store

__all__ = ["Manifest", "ModelFiles", "ModelStore", "StoredModel", "open_store"]
