"""The figures of a decoder that decide what it costs, from its config.json."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# What models with experts call how many there are, and how many of them a token goes through;
EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
CHOSEN = ("num_experts_per_tok", "top_k_experts", "moe_topk", "moe_top_k", "moe_k")
# the part besides them that every token goes through, by its width or as so many experts more;
SHARED_WIDTH = ("shared_expert_intermediate_size", "shared_intermediate_size", "shared_experts_intermediate_size")
SHARED = ("n_shared_experts", "num_shared_experts", "moe_num_shared_experts", "num_shared_expert")
# the first layer that has experts, and every how many-th layer from the first on has them.
FIRST = ("first_k_dense_replace", "num_dense_layers", "moe_layer_start_index")
STEP = ("decoder_sparse_step", "interleave_moe_layer_step", "moe_layer_interval")

Linear = list[tuple[int, int]]


@dataclass(frozen=True)
class Experts:
    """The gated parts of layers in which every token goes through some of several.

    Attributes:
        layers: how many layers have them; the others have one gated part.
        width: of one expert.
        chosen: how many of them a token goes through.
        shared: width of the part besides that every token goes through; 0 where there is none.
    """

    layers: int
    width: int
    chosen: int
    shared: int = 0


@dataclass(frozen=True)
class Shape:
    """The figures of a decoder.

    Attributes:
        intermediate: width of the gated part of a layer without experts.
        experts: None where no layer has any.
    """

    parameters: int
    layers: int
    hidden: int
    intermediate: int
    vocabulary: int
    heads: int
    key_value_heads: int
    head_size: int
    tied: bool
    experts: Experts | None = None

    @classmethod
    def read(cls, config: dict[str, Any], parameters: int) -> Shape:
        config = config.get("text_config") or config
        hidden = int(config.get("hidden_size") or config.get("n_embd") or 0)
        heads = int(config.get("num_attention_heads") or config.get("n_head") or 1)
        layers = int(config.get("num_hidden_layers") or config.get("n_layer") or 0)
        width = config.get("intermediate_size_mlp") or config.get("intermediate_size") or config.get("n_inner")
        return cls(
            parameters=parameters,
            layers=layers,
            hidden=hidden,
            intermediate=_largest(width or 4 * hidden),
            vocabulary=int(config.get("vocab_size") or 0),
            heads=heads,
            key_value_heads=int(config.get("num_key_value_heads") or heads),
            head_size=int(config.get("head_dim") or hidden // heads),
            tied=bool(config.get("tie_word_embeddings", True)),
            experts=_experts(config, layers),
        )

    @property
    def embedding(self) -> int:
        """Parameters of the input embedding."""
        return self.vocabulary * self.hidden

    @property
    def attention(self) -> Linear:
        """Inputs and outputs of one layer's query, key, value and output."""
        query, value = self.heads * self.head_size, self.key_value_heads * self.head_size
        return [(self.hidden, query), (self.hidden, value), (self.hidden, value), (query, self.hidden)]

    @property
    def gated_width(self) -> float:
        """Width of all that a token goes through besides attention, of a layer on average."""
        if not self.experts:
            return self.intermediate
        of, plain = self.experts, self.layers - self.experts.layers
        return (plain * self.intermediate + of.layers * (of.chosen * of.width + of.shared)) / max(1, self.layers)

    @property
    def linear(self) -> Linear:
        """Inputs and outputs of all linear parts: Transformers has a layer's experts as one tensor, which is none."""
        if not self.experts:
            return (self.attention + self._gated(self.intermediate)) * self.layers
        plain = self._gated(self.intermediate) * (self.layers - self.experts.layers)
        shared = self._gated(self.experts.shared) * self.experts.layers if self.experts.shared else []
        return self.attention * self.layers + plain + shared

    def _gated(self, width: int) -> Linear:
        """Inputs and outputs of a gate, an up and a down."""
        return [(self.hidden, width), (self.hidden, width), (width, self.hidden)]

    @property
    def packed(self) -> int:
        """Parameters that QLoRA holds in few bits: of linear parts; neither an embedding, a head nor experts."""
        return min(weights_in(self.linear), self.parameters - self.embedding)

    def adapter(self, rank: int) -> int:
        """Parameters of a LoRA of that rank on all linear layers."""
        return rank * sum(inputs + outputs for inputs, outputs in self.linear)


def weights_in(linear: Linear) -> int:
    return sum(inputs * outputs for inputs, outputs in linear)


def _experts(config: dict[str, Any], layers: int) -> Experts | None:
    if not _first(config, EXPERTS):
        return None
    width = _largest(config.get("moe_intermediate_size") or config.get("intermediate_size") or 0)
    shared = _first(config, SHARED_WIDTH) or _first(config, SHARED) * width
    if "interleave_moe_layer_step" in config:  # Llama 4 always has one more, and no figure for it
        shared = width
    return Experts(_layers_with(config, layers), width, _first(config, CHOSEN) or 1, shared)


def _layers_with(config: dict[str, Any], layers: int) -> int:
    """How many layers have experts, however a model says it: each by its kind, their numbers, or by a rule."""
    if kinds := config.get("mlp_layer_types"):
        return sum(kind != "dense" for kind in kinds)
    if numbers := config.get("moe_layers"):
        return len(numbers)
    first, step, last = _first(config, FIRST), _first(config, STEP) or 1, config.get("moe_layer_end_index")
    end = layers if last in (None, -1) else _largest(last) + 1
    plain = set(config.get("mlp_only_layers") or ())
    return sum(first <= layer < end and (layer + 1) % step == 0 and layer not in plain for layer in range(layers))


def _first(config: dict[str, Any], names: tuple[str, ...]) -> int:
    """The first of these figures that is there and not 0; else 0."""
    return _largest(next(filter(None, map(config.get, names)), 0))


def _largest(figure: Any) -> int:
    """Of one figure, or of one for each layer, as Gemma 3n has it."""
    return max(map(int, figure)) if isinstance(figure, list) else int(figure)
