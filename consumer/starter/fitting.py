"""The training loop. The same recipe gives the same weights on the same machine.

Owns the optimizer and its schedule. Must never look at held-out data.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor, nn

from consumer.parser.tokenizer import AddressTokenizer
from consumer.starter.recipes import Recipe
from consumer.starter.samples import IGNORED, batches
from consumer.starter.tags import LABELS

Report = Callable[[int, int, float], None]
"""Called after each step with (steps done, steps in all, mean loss of late)."""

# Every position has to mean something, though addresses are short: a share of the batches
# stands further along.
_SHIFTED: Final = 0.05


def new_network(recipe: Recipe, vocabulary_size: int) -> Any:
    """transformers' ``BertForTokenClassification`` with random weights, seeded by the recipe."""
    import transformers

    bert: Any = transformers
    torch.manual_seed(recipe.seed)
    shape = recipe.shape
    return bert.BertForTokenClassification(
        bert.BertConfig(
            vocab_size=vocabulary_size,
            hidden_size=shape.hidden,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            intermediate_size=shape.intermediate,
            max_position_embeddings=shape.positions,
            hidden_dropout_prob=recipe.dropout,
            attention_probs_dropout_prob=recipe.dropout,
            num_labels=len(LABELS),
            attn_implementation="sdpa",
        )
    )


def rate_at(step: int, recipe: Recipe) -> float:
    """The learning rate's share of its highest, at a step counted from 0."""
    total = recipe.steps
    flat_until = int(total * recipe.flat)
    warm_up = min(recipe.warm_up, max(1, total // 5))
    if step < warm_up:
        return (step + 1) / warm_up
    if step < flat_until:
        return 1.0
    return (total - step) / max(1, total - flat_until)


def fit(
    network: Any, tokenizer: AddressTokenizer, recipe: Recipe, report: Report | None = None
) -> list[float]:
    """Fit the network in place; returns the loss of every step."""
    torch.manual_seed(recipe.seed + 1)
    torch.use_deterministic_algorithms(mode=True)
    network.train()
    optimizer = torch.optim.AdamW(
        _groups(network, recipe.weight_decay), lr=recipe.learning_rate, betas=(0.9, 0.98)
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_at(step, recipe))
    loss_of = nn.CrossEntropyLoss(ignore_index=IGNORED)
    stream = batches(
        tokenizer,
        seed=recipe.seed,
        release=recipe.data_release,
        size=recipe.batch,
        max_tokens=recipe.max_tokens,
    )
    losses: list[float] = []
    half = _has_bfloat16()
    for step, batch in zip(range(recipe.steps), stream, strict=False):
        length = batch.token_ids.shape[1]
        positions = torch.arange(length)
        if torch.rand(()).item() < _SHIFTED:
            positions = positions + int(torch.randint(0, recipe.shape.positions - length + 1, ()))
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            scores: Tensor = network(
                input_ids=batch.token_ids, attention_mask=batch.mask, position_ids=positions[None]
            ).logits
        loss = loss_of(scores.float().view(-1, len(LABELS)), batch.labels.view(-1))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if report is not None:
            late = losses[-100:]
            report(step + 1, recipe.steps, sum(late) / len(late))
    network.eval()
    return losses


def _has_bfloat16() -> bool:
    """Whether this processor computes in bfloat16; one that imitates it takes ten times as long."""
    cpu: Any = torch.cpu
    return bool(cpu._is_avx512_bf16_supported() or cpu._is_amx_tile_supported())


def _groups(network: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Biases and norms are not decayed, as in BERT's own recipe."""
    decayed: list[nn.Parameter] = []
    plain: list[nn.Parameter] = []
    for parameter in network.parameters():
        (decayed if parameter.ndim > 1 else plain).append(parameter)
    return [
        {"params": decayed, "weight_decay": decay},
        {"params": plain, "weight_decay": 0.0},
    ]
