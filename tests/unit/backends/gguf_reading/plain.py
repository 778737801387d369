"""A GGUF file of every type of value and three tensors, of no model."""

from __future__ import annotations

from pathlib import Path

from diffdesk.backends.gguf.reader import StoredArray
from diffdesk.backends.gguf.types import TensorType
from diffdesk.backends.gguf.writer import GgufWriter, TensorPlan, Value, ValueType
from tests.unit.backends.gguf_conversion import test_writer

KEYS = {**test_writer.KEYS, "a.texts": Value(ValueType.STRING, ["", "é", "▁▁", "é"])}
PLANS = [
    TensorPlan("one", TensorType.F32, (3, 2)),
    TensorPlan("two", TensorType.F16, (5,)),
    TensorPlan("three", TensorType.Q8_0, (32, 4, 1, 2)),
]
DATA = [bytes(index % 251 for index in range(plan.bytes)) for plan in PLANS]


def write(path: Path, keys: dict[str, Value] | None = None, plans: list[TensorPlan] | None = None) -> Path:
    """Write it, or one of other keys and fewer of the tensors."""
    chosen = PLANS if plans is None else plans
    with GgufWriter(path, KEYS if keys is None else keys, chosen) as made:
        for plan in chosen:
            made.write_next([DATA[PLANS.index(plan)]])
        made.finish()
    return path


def array(value: object) -> StoredArray:
    """The value, which must be an array."""
    assert isinstance(value, StoredArray)
    return value
