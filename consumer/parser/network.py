"""MGeo's forward pass over text: BERT's encoder and a token classifier, for inference alone.

Computes what transformers' ``BertForTokenClassification`` computes, to rounding (a test holds
it to that), without importing it. Must never read a file or choose a device.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from consumer.parser.architecture import Architecture

Forward = Callable[[Tensor, Tensor | None, Tensor | None], Tensor]
"""What ``TaggingNetwork.forward`` does."""


def _tanh_gelu(values: Tensor) -> Tensor:
    return functional.gelu(values, approximate="tanh")


_ACTIVATIONS: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "gelu": functional.gelu,
    "gelu_new": _tanh_gelu,
    "relu": functional.relu,
    "silu": functional.silu,
}


# The same in oneDNN's terms, for products that apply it on the way out.
_FUSED: Final = {
    "gelu": ("gelu", "none"),
    "gelu_new": ("gelu", "tanh"),
    "relu": ("relu", ""),
    "silu": ("swish", ""),
}


def padded_rows(rows: int) -> int:
    """With how many rows oneDNN is asked to multiply where there are this many. Pure.

    It compiles a kernel for every number of rows, keeps a thousand of them, and each takes more
    than a millisecond to make and half a megabyte to keep. Rounded up there are few, for the
    price of 1 to 3% more rows in full batches.
    """
    step = 8 if rows <= 64 else 16 if rows <= 256 else 32 if rows <= 512 else 64
    return -(-rows // step) * step


class TaggingNetwork(nn.Module):
    """Token ids to tag scores.

    Source of the architecture: Devlin et al., BERT (NAACL 2019), post-norm. Text is one
    segment, so that its embedding is a constant; query, key and value are one product.
    """

    def __init__(self, weights: Mapping[str, Tensor], shape: Architecture) -> None:
        """Take the weights over.

        Args:
            weights: those of ``architecture.expected_weights``, by transformers' names, fp32.
            shape: what they were checked against.
        """
        super().__init__()
        embeddings = "bert.embeddings"
        self.words = _frozen(weights[f"{embeddings}.word_embeddings.weight"])
        self.positions = _frozen(
            weights[f"{embeddings}.position_embeddings.weight"]
            + weights[f"{embeddings}.token_type_embeddings.weight"][0]
        )
        epsilon = shape.layer_norm_epsilon
        self.norm = _Norm(weights, f"{embeddings}.LayerNorm", epsilon)
        self.layers = nn.ModuleList(
            _Layer(weights, f"bert.encoder.layer.{layer}", shape) for layer in range(shape.layers)
        )
        self.classifier = _Product(weights, "classifier")
        self.packed = False
        self.product_rows = 0

    def pack_for_cpu(self) -> None:
        """Lay the weights out as the CPU's vector units read them, once, where torch can.

        Afterwards the network stays on the CPU. Measured on an AMD EPYC with one thread: 10 to
        25% more products per second in full batches, and half as much again for one address.
        """
        if self.packed:
            return
        owners = [self, *self.layers]
        products = [
            (owner, name, product)
            for owner in owners
            for name, product in owner.named_children()
            if isinstance(product, _Product)
        ]
        packed = [_packed(product) for _, _, product in products]
        if None in packed:
            return
        for (owner, name, _), one in zip(products, packed, strict=True):
            setattr(owner, name, one)
        self.packed = True

    def forward(self, token_ids: Tensor, mask: Tensor | None, real: Tensor | None = None) -> Tensor:
        """Scores of shape (batch, length, labels).

        Args:
            token_ids: shape (batch, length), int.
            mask: None where no row is padded; else shape (batch, 1, 1, length), what to add
                to attention scores: 0 for tokens, the smallest number for padding.
            real: shape (tokens,), int: places of what is no padding in the flattened batch,
                ascending. All but attention is then computed for these alone, and scores of
                padding are 0. None: for all.
        """
        batch, length = token_ids.shape[0], token_ids.shape[1]
        words = functional.embedding(_gathered(token_ids.flatten(), real), self.words)
        places = self.positions[:length]
        tokens = words.shape[0]
        if real is None:
            hidden = self.norm(words.view(batch, length, -1) + places).flatten(0, 1)
        else:
            hidden = self.norm(words + places.index_select(0, real % length))
        rows = padded_rows(tokens) if self.packed else max(tokens, self.product_rows)
        hidden = _filled_up(hidden, rows)
        for layer in self.layers:
            hidden = layer(hidden, batch, length, mask, real)
        scores = _spread(self.classifier(hidden)[:tokens], batch * length, real)
        return scores.view(batch, length, -1)


class _Layer(nn.Module):
    def __init__(self, weights: Mapping[str, Tensor], prefix: str, shape: Architecture) -> None:
        super().__init__()
        attention, epsilon = f"{prefix}.attention", shape.layer_norm_epsilon
        self.heads = shape.heads
        self.qkv = _Product(
            weights, f"{attention}.self.query", f"{attention}.self.key", f"{attention}.self.value"
        )
        self.attended = _Product(weights, f"{attention}.output.dense")
        self.attended_norm = _Norm(weights, f"{attention}.output.LayerNorm", epsilon)
        self.wide = _Product(weights, f"{prefix}.intermediate.dense", activation=shape.activation)
        self.narrow = _Product(weights, f"{prefix}.output.dense")
        self.norm = _Norm(weights, f"{prefix}.output.LayerNorm", epsilon)

    def forward(
        self,
        hidden: Tensor,
        batch: int,
        length: int,
        mask: Tensor | None,
        real: Tensor | None,
    ) -> Tensor:
        """One layer over ``hidden`` of shape (at least as many rows as tokens, width)."""
        rows, width = hidden.shape[0], hidden.shape[1]
        tokens = batch * length if real is None else real.shape[0]
        projected = _spread(self.qkv(hidden)[:tokens], batch * length, real)
        query, key, value = (
            projected.view(batch, length, 3, self.heads, width // self.heads)
            .permute(2, 0, 3, 1, 4)
            .unbind(0)
        )
        context = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        context = _gathered(context.transpose(1, 2).reshape(-1, width), real)
        hidden = self.attended_norm(self.attended(_filled_up(context, rows)) + hidden)
        output: Tensor = self.norm(self.narrow(self.wide(hidden)) + hidden)
        return output


class _Product(nn.Module):
    """A linear map, or several of one input side by side, and perhaps an activation."""

    def __init__(
        self, weights: Mapping[str, Tensor], *names: str, activation: str | None = None
    ) -> None:
        super().__init__()
        self.weight = _frozen(_joined([weights[f"{n}.weight"] for n in names]))
        self.bias = _frozen(_joined([weights[f"{n}.bias"] for n in names]))
        self.activation = activation

    def forward(self, values: Tensor) -> Tensor:
        result = functional.linear(values, self.weight, self.bias)
        return result if self.activation is None else _ACTIVATIONS[self.activation](result)


class _PackedProduct(nn.Module):
    """The same in oneDNN's own layout and terms."""

    def __init__(self, packed: Tensor, bias: Tensor, fused: tuple[str, str]) -> None:
        super().__init__()
        self.packed = packed
        self.bias = bias
        self.attribute, self.algorithm = fused

    def forward(self, values: Tensor) -> Tensor:
        scalars = torch.jit.annotate(list[int | float | complex | None], [])  # type: ignore[no-untyped-call]
        result: Tensor = torch.ops.mkldnn._linear_pointwise(
            values, self.packed, self.bias, self.attribute, scalars, self.algorithm
        )
        return result


class _Norm(nn.Module):
    def __init__(self, weights: Mapping[str, Tensor], name: str, epsilon: float) -> None:
        super().__init__()
        self.weight = _frozen(weights[f"{name}.weight"])
        self.bias = _frozen(weights[f"{name}.bias"])
        self.epsilon = epsilon

    def forward(self, values: Tensor) -> Tensor:
        return functional.layer_norm(
            values, self.weight.shape, self.weight, self.bias, self.epsilon
        )


def without_python(network: TaggingNetwork) -> Forward:
    """The same forward pass, without Python between its operations, where torch can.

    Fifty times in a batch the device's thread would give the interpreter up and wait until the
    event loop and the tokenizers let it have it again. As TorchScript it waits once. That is on
    its way out of torch and nothing takes its place that needs no compiler at run time: so it is
    tried out first, and without it the network itself is as right.
    """
    ids = torch.tensor([[1, 2], [1, 0]])
    mask = torch.tensor([[0.0, 0.0], [0.0, torch.finfo(torch.float32).min]])[:, None, None, :]
    real = torch.tensor([0, 1, 2])
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        try:
            script: Forward = torch.jit.script(network)
            same = torch.allclose(script(ids, mask, real), network(ids, mask, real), atol=1e-5)
        except (AttributeError, NotImplementedError, RuntimeError, TypeError):
            return network
    return script if same else network


def _filled_up(values: Tensor, rows: int) -> Tensor:
    """With rows of zeros up to this number: they are multiplied along, and nobody looks at them."""
    missing = rows - values.shape[0]
    return functional.pad(values, (0, 0, 0, missing)) if missing else values


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _frozen(tensor: Tensor) -> nn.Parameter:
    return nn.Parameter(tensor.detach(), requires_grad=False)


def _gathered(values: Tensor, real: Tensor | None) -> Tensor:
    """The tokens' rows of all places' (batch * length, …)."""
    return values if real is None else values.index_select(0, real)


def _spread(values: Tensor, places: int, real: Tensor | None) -> Tensor:
    """The tokens' rows back at their places, with zeros between: shape (places, …)."""
    if real is None:
        return values
    return values.new_zeros([places, values.shape[1]]).index_copy_(0, real, values)


def _packed(product: _Product) -> _PackedProduct | None:
    """The product in oneDNN's own layout, or None where this torch cannot use that.

    These are the operators that torch's compiler emits for frozen linear layers. They are not
    public, so they are tried out first; without them the plain product gives the same numbers.
    """
    weight = product.weight.detach()
    activation = product.activation
    fused = ("none", "") if activation is None else _FUSED[activation]
    probe = torch.ones(1, weight.shape[1])
    try:
        reordered: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, None)
        packed = _PackedProduct(reordered, product.bias.detach(), fused)
        found = packed(probe)
    except (AttributeError, NotImplementedError, RuntimeError, TypeError):
        return None
    return packed if torch.allclose(found, product(probe), rtol=1e-4, atol=1e-4) else None
