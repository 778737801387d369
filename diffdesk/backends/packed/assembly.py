"""Memory for the weights of a packed folder, to be filled by `streaming`, and the model's weights made of it.

Matrices that are used together lie one below the other (queries, keys, values; gate, up), so that one product does for
them. The packed ones of a layer are stacked over its experts. Factors of whole matrices are gathered in the main
memory: there are 12,000 of them, of four bytes each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from diffdesk.backends.gguf.conversion_names import checkpoint_name
from diffdesk.backends.packed.experts import expert_maker
from diffdesk.backends.packed.layout import DOWN, GATE, GROUP, INPUT, PACKED, SCALES, VISION, WHOLE, PackedLayout
from diffdesk.backends.packed.matrices import make_matrix
from diffdesk.backends.packed.nvfp4 import PackedMatrices
from diffdesk.backends.packed.placement import PackedPlacement
from diffdesk.backends.packed.streaming import FORMATS
from diffdesk.backends.packed.weights import Experts, LayerWeights, Matrix, ModelWeights
from diffdesk.backends.safetensors_header import TensorEntry
from diffdesk.core.errors import CheckpointError

_VECTORS = {  # of a layer: field → name in the published GGUF layout
    "before_attention": "attn_norm.weight",
    "query_norm": "attn_q_norm.weight",
    "key_norm": "attn_k_norm.weight",
    "after_attention": "post_attention_norm.weight",
    "before_dense": "ffn_norm.weight",
    "before_experts": "pre_ffw_norm_2.weight",
    "router_scale": "ffn_gate_inp.scale",
    "expert_scales": "ffn_down_exps.scale",
    "after_dense": "post_ffw_norm_1.weight",
    "after_experts": "post_ffw_norm_2.weight",
    "after_both": "post_ffw_norm.weight",
    "encoder_scalar": "enc_layer_output_scale.weight",
    "decoder_scalar": "layer_output_scale.weight",
}


class Storage:
    """The memory, and where each tensor of the files goes.

    Attributes:
        targets: by the checkpoint's name, contiguous tensors to be filled.
        tower: those of the vision tower, in the main memory or on the device as planned.
    """

    def __init__(
        self, layout: PackedLayout, entries: Mapping[str, TensorEntry], placement: PackedPlacement, *, sees: bool
    ) -> None:
        self._model = layout.architecture
        self._place = placement
        self._plain = layout.plain
        self.targets: dict[str, Tensor] = {}
        self.tower: dict[str, Tensor] = {}
        self._make_experts = expert_maker(self._model, placement.device)
        self._experts = [self._packed(layer) for layer in range(self._model.layers)]
        for part, _ in layout.expert_parts():
            if part.part == INPUT:
                continue
            gate_up, down = self._experts[part.layer]
            matrices, row = (down, 0) if part.matrix == DOWN else (gate_up, 0 if part.matrix == GATE else 1)
            self.targets[part.name] = _slice(matrices, part.expert, row, part.part)
        self._whole = self._vectors_and_matrices()
        if sees:
            where = torch.device("cpu") if placement.plan.is_lean else placement.device
            for name, one in entries.items():
                if name.startswith(VISION):
                    self.tower[name] = torch.empty(one.shape, dtype=placement.dtype, device=where)
            self.targets |= self.tower

    def _packed(self, layer: int) -> tuple[PackedMatrices, PackedMatrices]:
        model, device = self._model, self._place.device
        made = []
        for rows, columns, parts in (
            (2 * model.expert_width, model.hidden, 2),
            (model.hidden, model.expert_width, 1),
        ):
            made.append(
                PackedMatrices(
                    torch.empty(model.experts, rows, columns // 2, dtype=FORMATS["U8"], device=device),
                    torch.empty(model.experts, rows, columns // GROUP, dtype=FORMATS["F8_E4M3"], device=device),
                    torch.empty(model.experts, parts, dtype=torch.float32),
                )
            )
        return made[0], made[1]

    def _vectors_and_matrices(self) -> dict[str, Tensor]:
        """Everything that isn't packed, by what it is called here; also makes its targets."""
        whole = {
            "embedding": self._joined(["token_embd.weight"]),
            "final_norm": self._joined(["output_norm.weight"]),
            "conditioning_norm": self._joined(["self_cond_pre_norm.weight"]),
            "conditioning_gate_up": self._joined(["self_cond_gate.weight", "self_cond_up.weight"]),
            "conditioning_down": self._joined(["self_cond_down.weight"]),
        }
        for layer in range(self._model.layers):
            stem = f"blk.{layer}."
            parts = [f"{name}.weight" for name in ("attn_q", "attn_k", "attn_v")]
            joined = {
                "qkv": [name for name in parts if checkpoint_name(stem + name) in self._plain],
                "out": ["attn_output.weight"],
                "gate_up": ["ffn_gate.weight", "ffn_up.weight"],
                "down": ["ffn_down.weight"],
                "router": ["ffn_gate_inp.weight"],
                **{field: [name] for field, name in _VECTORS.items()},
            }
            whole |= {f"{stem}{field}": self._joined([stem + one for one in names]) for field, names in joined.items()}
        return whole

    def _joined(self, names: Sequence[str]) -> Tensor:
        """Memory for tensors of the published layout one below the other."""
        known = [checkpoint_name(name) for name in names]
        shapes = [self._plain[name] for name in known]
        rows = sum(shape[0] for shape in shapes)
        made = torch.empty(rows, *shapes[0][1:], dtype=self._place.dtype, device=self._place.device)
        begin = 0
        for name, shape in zip(known, shapes, strict=True):
            self.targets[name] = made[begin : begin + shape[0]]
            begin += shape[0]
        return made

    def assemble(self, made: Callable[[int], None]) -> ModelWeights:
        """The model's weights, once all was streamed; the storage is empty then. `made` is told of each layer."""
        self.targets.clear()
        whole = self._whole
        layers = []
        for layer in range(self._model.layers):
            layers.append(self._layer(layer))
            if self._place.device.type == "cuda":
                torch.cuda.empty_cache()  # what it was made of has other sizes and would stay taken
            made(layer)
        return ModelWeights(
            embedding=whole.pop("embedding"),
            final_norm=whole.pop("final_norm"),
            conditioning_norm=whole.pop("conditioning_norm"),
            conditioning_gate_up=self._matrix("conditioning_gate_up"),
            conditioning_down=self._matrix("conditioning_down"),
            layers=layers,
        )

    def _matrix(self, name: str) -> Matrix:
        return make_matrix(self._whole.pop(name), is_rounded=self._place.plan.is_lean)

    def _layer(self, layer: int) -> LayerWeights:
        model, stem = self._model, f"blk.{layer}."
        vectors = {field: self._whole.pop(stem + field) for field in _VECTORS}
        return LayerWeights(
            is_sliding=model.is_sliding[layer],
            heads=model.heads,
            key_heads=model.kv_heads[layer],
            head_dim=model.head_dim_of(layer),
            has_values=checkpoint_name(f"{stem}attn_v.weight") in self._plain,
            qkv=self._matrix(stem + "qkv"),
            out=self._matrix(stem + "out"),
            gate_up=self._matrix(stem + "gate_up"),
            down=self._matrix(stem + "down"),
            router=self._whole.pop(stem + "router"),
            experts=self._made_experts(),
            **vectors,
        )

    def _made_experts(self) -> Experts:
        """Those of the next layer."""
        gate_up, down = self._experts.pop(0)
        layer = self._model.layers - len(self._experts) - 1
        for one in (gate_up, down):
            _require_numbers(one, layer)
            one.wholes = one.wholes.to(self._place.device)
        return self._make_experts(gate_up, down)


def _require_numbers(matrices: PackedMatrices, layer: int) -> None:
    """Raise `CheckpointError` where a scale is none: E4M3 has two bytes that stand for no number."""
    is_none = ((matrices.scales.view(torch.uint8) & 127) == 127).flatten(1).any(1)
    if bool(is_none.any()) or not bool(matrices.wholes.isfinite().all()):
        at = int(is_none.int().argmax())
        raise CheckpointError(
            "A weight file is damaged",
            f"Scales of the experts of layer {layer}, such as those of expert {at}, are no numbers.",
            "Download the folder again, or choose another one.",
        )


def _slice(matrices: PackedMatrices, expert: int, matrix: int, part: str) -> Tensor:
    """Where a tensor of one of an expert's matrices goes."""
    if part == WHOLE:
        return matrices.wholes[expert, matrix : matrix + 1]
    stacked = {PACKED: matrices.packed, SCALES: matrices.scales}[part]
    rows = stacked.shape[1] // matrices.wholes.shape[1]
    return stacked[expert, matrix * rows : (matrix + 1) * rows]
