"""The end of a step as operators of a graph: from logits to a few numbers for each position.

Nothing of the size of the vocabulary leaves the device. With z the logits over the temperature and p = softmax(z):
the entropy is z_max − Σ p·z − log p_max. A draw is the first token whose running sum of p is above u · Σp, as
`transformers_backend.reduction` says, but in float32, and in two turns: first the block of tokens in which it lies,
then the token in the block. So the sums are short, their rounding stays near 1e-6 even over 262,144 tokens, and all
but one pass over the vocabulary is saved.
"""

from __future__ import annotations

from dataclasses import dataclass

from diffdesk.backends.ggml.binding import I32
from diffdesk.backends.ggml.graph import Builder, Node

_BLOCKS = (512, 256, 128, 64)  # tokens in a block, the first that divides the vocabulary


@dataclass(frozen=True, slots=True)
class TailInputs:
    """What the end of a step needs besides the logits.

    Attributes:
        canvas: int32 (rows), the tokens that went in.
        coldness: float32 (vocabulary), 1 / temperature everywhere: whole rows are multiplied faster than by one number.
        uniforms: float32 (1, rows), in [0, 1).
        ones: float32 (block), see `block_of`.
    """

    canvas: Node
    coldness: Node
    uniforms: Node
    ones: Node


@dataclass(frozen=True, slots=True)
class Tail:
    """What a step says; each (1, rows) where nothing else is said.

    Attributes:
        processed: float32 (vocabulary, rows), softmax(logits / temperature), for self-conditioning.
        argmax: int32 (rows).
        block, within: float32; the drawn token is `block_of(vocabulary)` · block + within. Where rounding leaves
            nothing above a number drawn close to 1, they lie behind the end.
        entropy: float32, nats, of `processed`.
        probability, kept_probability: float32, at temperature 1, of argmax and of the canvas's token.
        alternatives: int32 (k, rows), the most probable tokens in no order; None where none were asked for.
        alternative_probabilities: float32 (1, k, rows), at temperature 1.
    """

    processed: Node
    argmax: Node
    block: Node
    within: Node
    entropy: Node
    probability: Node
    kept_probability: Node
    alternatives: Node | None = None
    alternative_probabilities: Node | None = None


def block_of(vocabulary: int) -> int:
    """Tokens in a block: the whole vocabulary where no usual length divides it."""
    return next((length for length in _BLOCKS if vocabulary % length == 0), vocabulary)


def tail(build: Builder, logits: Node, given: TailInputs, alternatives: int) -> Tail:
    """Everything that a step says, from logits float32 (vocabulary, rows)."""
    rows = logits.shape[1]
    argmax = build.argmax(logits)
    plain = build.softmax(logits)
    probability = _picked(build, plain, argmax)
    kept = _picked(build, plain, given.canvas)
    others = chances = None
    if alternatives:
        others = build.largest(plain, alternatives)
        chances = build.rows(build.reshape(plain, 1, logits.shape[0], rows), others)
    scaled = build.mul(logits, given.coldness)
    processed = build.softmax(scaled)
    surest = build.sub(_picked(build, scaled, argmax), build.log(_picked(build, processed, argmax)))
    entropy = build.sub(surest, build.dots(processed, scaled))
    block, within = _drawn(build, processed, given)
    return Tail(processed, argmax, block, within, entropy, probability, kept, others, chances)


def _picked(build: Builder, one: Node, ids: Node) -> Node:
    """From float32 (n, rows) the value at each row's index int32 (rows), (1, rows)."""
    many, rows, _, _ = one.shape
    picked = build.rows(build.reshape(one, 1, many, rows), build.reshape(ids, 1, rows))
    return build.reshape(picked, 1, rows)


def _drawn(build: Builder, shares: Node, given: TailInputs) -> tuple[Node, Node]:
    """Where the running sum of float32 (n, rows) passes u of the whole: block, and place in the block."""
    many, rows, _, _ = shares.shape
    block = block_of(many)
    blocks = many // block
    cut = build.reshape(shares, block, blocks, rows)
    sums = build.reshape(build.matmul(build.reshape(given.ones, block, 1), cut), blocks, rows)
    upto = build.running_sums(sums)
    total = build.dense(build.view(upto, (1, rows), (blocks - 1) * 4))
    target = build.mul(total, given.uniforms)
    passed = _count_up_to(build, upto, target)
    # Behind the last block there is none to look into: the last one stands in, and nothing in it is above the target.
    chosen = build.reshape(build.cast(build.clamp(passed, 0.0, blocks - 1), I32), rows)
    before = build.sub(_picked(build, upto, chosen), _picked(build, sums, chosen))
    inside = build.reshape(build.rows(cut, build.reshape(chosen, 1, rows)), block, rows)
    return passed, _count_up_to(build, build.running_sums(inside), build.sub(target, before))


def _count_up_to(build: Builder, sums: Node, target: Node) -> Node:
    """How many of the running sums (n, rows) are not above target (1, rows); (1, rows)."""
    above = build.row_sums(build.step(build.sub(sums, target)))
    return build.scale(above, -1.0, float(sums.shape[0]))
