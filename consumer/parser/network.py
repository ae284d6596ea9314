"""The forward pass of a loaded BERT token classifier, without what inference never needs.

Takes transformers' module apart once: query, key and value become one product, and dropout,
pooler, outputs and mask preparation are gone. The numbers are transformers' to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional


def _tanh_gelu(values: Tensor) -> Tensor:
    return functional.gelu(values, approximate="tanh")


_ACTIVATIONS: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "gelu": functional.gelu,
    "relu": functional.relu,
    "silu": functional.silu,
    "gelu_new": _tanh_gelu,
}


class _Layer(nn.Module):
    def __init__(self, layer: Any, heads: int, activation: str) -> None:
        super().__init__()
        own = layer.attention.self
        self.heads = heads
        self.activation = _ACTIVATIONS[activation]
        self.qkv = nn.Linear(1, 1, device="meta")
        self.qkv.weight = _frozen(torch.cat([own.query.weight, own.key.weight, own.value.weight]))
        self.qkv.bias = _frozen(torch.cat([own.query.bias, own.key.bias, own.value.bias]))
        self.attended = layer.attention.output.dense
        self.attended_norm = layer.attention.output.LayerNorm
        self.wide = layer.intermediate.dense
        self.narrow = layer.output.dense
        self.norm = layer.output.LayerNorm

    def forward(self, hidden: Tensor, mask: Tensor | None) -> Tensor:
        batch, length, width = hidden.shape
        query, key, value = (
            self.qkv(hidden)
            .view(batch, length, 3, self.heads, width // self.heads)
            .permute(2, 0, 3, 1, 4)
            .unbind(0)
        )
        context = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        context = context.transpose(1, 2).reshape(batch, length, width)
        hidden = self.attended_norm(self.attended(context) + hidden)
        output: Tensor = self.norm(self.narrow(self.activation(self.wide(hidden))) + hidden)
        return output


class TaggingNetwork(nn.Module):
    """Token ids to tag scores."""

    def __init__(self, network: Any, activation: str) -> None:
        """Take over the weights of a ``BertForTokenClassification``.

        Args:
            network: the module; it shares its weights with this one and is not changed.
            activation: its ``hidden_act``.
        """
        super().__init__()
        embeddings = network.bert.embeddings
        self.words = embeddings.word_embeddings
        # One segment only: its embedding is a constant, added to the positions once.
        self.positions = _frozen(
            embeddings.position_embeddings.weight + embeddings.token_type_embeddings.weight[0]
        )
        self.norm = embeddings.LayerNorm
        heads = network.config.num_attention_heads
        self.layers = nn.ModuleList(
            _Layer(layer, heads, activation) for layer in network.bert.encoder.layer
        )
        self.classifier = network.classifier

    def forward(self, token_ids: Tensor, mask: Tensor | None) -> Tensor:
        """Scores of shape (batch, length, labels).

        Args:
            token_ids: shape (batch, length), int.
            mask: None where no row is padded; else shape (batch, 1, 1, length), what to add
                to attention scores: 0 for tokens, the smallest number for padding.
        """
        length = token_ids.shape[1]
        hidden: Tensor = self.norm(self.words(token_ids) + self.positions[:length])
        for layer in self.layers:
            hidden = layer(hidden, mask)
        scores: Tensor = self.classifier(hidden)
        return scores


def supports(activation: str) -> bool:
    """Whether this activation (``hidden_act`` of ``config.json``) is known here."""
    return activation in _ACTIVATIONS


def _frozen(tensor: Tensor) -> nn.Parameter:
    return nn.Parameter(tensor.detach(), requires_grad=False)
