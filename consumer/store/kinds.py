"""What kind of model a directory holds, said by name, so that a wrong one is refused by name.

Only element tagging (token classification over address components) can be served.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from contracts.errors import UsageError

ACCEPTED_TASKS: Final = frozenset(
    {"token-classification", "named-entity-recognition", "part-of-speech", "word-segmentation"}
)

# The tasks of MGeo's siblings, as their configuration.json names them.
_TASKS: Final = {
    "text-ranking": "an address ranking model",
    "text-classification": "a similarity or entity alignment model",
    "sentence-similarity": "a similarity or entity alignment model",
    "nli": "a similarity or entity alignment model",
    "zero-shot-classification": "a similarity or entity alignment model",
    "sentence-embedding": "an embedding model",
    "feature-extraction": "an embedding model",
    "backbone": "a backbone without any head",
    "fill-mask": "a backbone without any head",
}

# The names of those siblings on the hub; a name is known before anything is downloaded.
_NAMES: Final = {
    "mgeo_backbone": "a backbone without any head",
    "mgeo_address_ranking": "an address ranking model",
    "mgeo_geographic_entity_alignment": "a similarity or entity alignment model",
    "mgeo_geographic_composition_analysis": "a composition analysis model",
    "mgeo_geographic_where_what_cut": "a where-what cut model",
}

_HEADS: Final = {
    "MGeoForTextRanking": "an address ranking model",
    "MGeoForSequenceClassification": "a similarity or entity alignment model",
    "BertForSequenceClassification": "a similarity or entity alignment model",
    "BertForMaskedLM": "a backbone without any head",
    "BertForPreTraining": "a backbone without any head",
    "BertModel": "a backbone without any head",
    "BertForQuestionAnswering": "a question answering model",
}


def refuse_by_hub_id(hub_id: str) -> None:
    """Refuse a sibling model that its name gives away.

    Raises:
        UsageError: ``wrong_model_kind``.
    """
    name = hub_id.rpartition("/")[2].lower()
    for prefix, kind in _NAMES.items():
        if name.startswith(prefix):
            raise wrong_kind(kind, f"its name is {hub_id}")


def refuse_by_configuration(
    configuration: Mapping[str, Any] | None, config: Mapping[str, Any] | None
) -> None:
    """Refuse what ``configuration.json`` or ``config.json`` says is another kind of model.

    Raises:
        UsageError: ``wrong_model_kind``.
    """
    task = (configuration or {}).get("task")
    if isinstance(task, str) and task not in ACCEPTED_TASKS:
        kind = _TASKS.get(task, f"a model for {task[:60]!r}")
        raise wrong_kind(kind, f"configuration.json says task {task[:60]!r}")
    named = (config or {}).get("architectures")
    for head in named if isinstance(named, list) else ():
        if isinstance(head, str) and head in _HEADS and task is None:
            raise wrong_kind(_HEADS[head], f"config.json says {head}")


def refuse_by_weights(shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse what the names and shapes of the weights give away as another kind of model.

    Raises:
        UsageError: ``wrong_model_kind``.
    """
    head = shapes.get("classifier.weight")
    if head is None:
        if any(name.startswith("cls.") for name in shapes):
            raise wrong_kind("a backbone without any head", "its only head predicts masked words")
        raise wrong_kind("a backbone without any head", "its weights have no classifier")
    if len(head) == 2 and head[0] == 1:
        raise wrong_kind("an address ranking model", "its classifier gives one score per text")
    if any(name.startswith("bert.pooler.") for name in shapes) and len(head) == 2 and head[0] <= 3:
        raise wrong_kind(
            "a similarity or entity alignment model",
            f"its classifier gives {head[0]} scores per text",
        )


def wrong_kind(kind: str, evidence: str) -> UsageError:
    """``wrong_model_kind``, with what it is and how that was seen."""
    return UsageError(
        f"this is {kind}, not an element tagging model ({evidence})",
        code="wrong_model_kind",
        hint="addresses are parsed by MGeo's element tagging models, such as "
        "damo/mgeo_geographic_elements_tagging_chinese_base and what is fine-tuned from it",
    )
