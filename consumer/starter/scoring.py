"""A network's tag scores for labelled addresses: what ``judging`` judges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import torch

from consumer.parser.tokenizer import AddressTokenizer
from consumer.starter.generator.pieces import Labelled
from consumer.starter.judging import Scored

_BATCH: Final = 128


def score(
    network: Any, tokenizer: AddressTokenizer, made: Sequence[Labelled], max_tokens: int = 128
) -> list[Scored]:
    """Scores of every address, in the order given; what is beyond the window is cut off."""
    encoded = tokenizer.encode([address.text for address in made])
    order = sorted(range(len(made)), key=lambda index: len(encoded[index][0]))
    special = tokenizer.special
    out: dict[int, Scored] = {}
    network.eval()
    for at in range(0, len(order), _BATCH):
        group = order[at : at + _BATCH]
        rows = [
            [special.first, *encoded[index][0][: max_tokens - 2], special.last] for index in group
        ]
        length = max(map(len, rows))
        token_ids = torch.tensor([row + [special.pad] * (length - len(row)) for row in rows])
        with torch.inference_mode():
            logits = network(
                input_ids=token_ids, attention_mask=(token_ids != special.pad).long()
            ).logits.float()
        for index, row, scores in zip(group, rows, logits.numpy(), strict=True):
            tokens = len(row) - 2
            out[index] = Scored(
                made[index], scores[1 : 1 + tokens], tuple(encoded[index][1][:tokens])
            )
    return [out[index] for index in range(len(made))]
