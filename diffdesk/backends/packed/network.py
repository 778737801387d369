"""The text model of a packed folder: an encoder pass over a chunk of a prompt, and a decoder pass over a canvas.

One stack of layers run in two ways (the modelling code of transformers 5.23, `diffusion_gemma`). A layer: norm,
attention, norm, add; then a dense MLP and the experts from the same residual, each with its own norm, summed, normed,
added; times the scalar that encoder and decoder have each for themselves. What stands between the matrix products is
the matter of `Operators`. Knows nothing of prompts, draws and files.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diffdesk.backends.gguf.layout import Architecture
from diffdesk.backends.packed.cache import StaticCache
from diffdesk.backends.packed.operators import Operators, Places
from diffdesk.backends.packed.weights import LayerWeights, ModelWeights


@dataclass(frozen=True, slots=True)
class Frequencies:
    """float32[D/2] for each kind of layer: the angle that each pair of a head turns by from one place to the next."""

    full: Tensor
    sliding: Tensor


@dataclass(frozen=True, slots=True)
class Window:
    """Where the rows of a pass stand, for both kinds of layers."""

    full: Places
    sliding: Places

    def of(self, layer: LayerWeights) -> Places:
        """Those for one layer."""
        return self.sliding if layer.is_sliding else self.full


class Network:
    """The layers, with what they need to be run."""

    def __init__(self, model: Architecture, weights: ModelWeights, operators: Operators, cache: StaticCache) -> None:
        self.model = model
        self.weights = weights
        self.operators = operators
        self.cache = cache
        # In the weights' own format, as in transformers: √2816 is 53 in bfloat16.
        self._root = torch.tensor(model.hidden**0.5).to(weights.embedding.dtype)

    def embed(self, ids: Tensor) -> Tensor:
        """[T, H] of int64[T]."""
        return self.weights.embedding[ids] * self._root

    def encode(self, embedded: Tensor, window: Window) -> None:
        """Write keys and values of rows [T, H] into the cache; of the last layer nothing else is needed."""
        layers = self.weights.layers
        normed = self.operators.norm(embedded, layers[0].before_attention)
        residual = embedded
        for index, layer in enumerate(layers[:-1]):
            following = layers[index + 1].before_attention
            ends = (layer.encoder_scalar, following)
            residual, normed = self._layer(index, (residual, normed), window, ends)
        last = len(layers) - 1
        self.operators.heads(layers[last].qkv(normed), layers[last], self.cache.layers[last], window.of(layers[last]))

    def decode(self, ids: Tensor, probabilities: Tensor, window: Window) -> Tensor:
        """[L, H], normed for the head, of a canvas int64[L] with the last step's probabilities [L, V]."""
        weights, operators = self.weights, self.operators
        soft = (probabilities @ weights.embedding) * self._root
        inner = weights.conditioning_gate_up(operators.norm(soft, weights.conditioning_norm))
        signal = weights.conditioning_down(operators.gated(inner))
        residual = operators.norm(self.embed(ids) + signal, None)
        normed = operators.norm(residual, weights.layers[0].before_attention)
        for index, layer in enumerate(weights.layers):
            is_last = index + 1 == len(weights.layers)
            following = weights.final_norm if is_last else weights.layers[index + 1].before_attention
            ends = (layer.decoder_scalar, following)
            residual, normed = self._layer(index, (residual, normed), window, ends)
        return normed

    def _layer(
        self, index: int, rows: tuple[Tensor, Tensor], window: Window, ends: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """The residual after a layer and its norm for the next, from the two before it."""
        residual, normed = rows
        layer, operators, cache = self.weights.layers[index], self.operators, self.cache.layers[index]
        places = window.of(layer)
        queries = operators.heads(layer.qkv(normed), layer, cache, places)
        attended = layer.out(operators.attend(queries, cache, places))
        residual, dense_in, experts_in, router_in = operators.after_attention(residual, attended, layer)
        dense = operators.beside(lambda: layer.down(operators.gated(layer.gate_up(dense_in))))
        routing = operators.route(router_in, layer, self.model.experts_used)
        mixed = layer.experts(experts_in, routing)
        return operators.after_experts(residual, (dense(), mixed, routing), layer, ends)


def tables(frequencies: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines, float32[T, D/2], of int64[T] places."""
    angles = at.float()[:, None] * frequencies
    return angles.cos(), angles.sin()
