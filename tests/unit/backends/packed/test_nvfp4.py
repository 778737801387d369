"""The values of packed matrices, as they are unpacked and as the CUDA kernels take them, against the description."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffdesk.backends.packed.experts_kernel import ROWS, SOURCE, STEP, STEP_BYTES, arranged
from diffdesk.backends.packed.nvfp4 import PackedMatrices, unpacked
from diffdesk.backends.packed.operators import interleaved

NOT_NUMBERS = (0x7F, 0xFF)  # of E4M3
KNOWN = np.array([one for one in range(256) if one not in NOT_NUMBERS], np.uint8)


def e2m1(code: int) -> float:
    """A sign, two bits of exponent and one of significand; exponent 0 has subnormal numbers."""
    sign, exponent, significand = -1.0 if code & 8 else 1.0, code >> 1 & 3, code & 1
    if exponent == 0:
        return sign * significand * 0.5
    return float(sign * (1 + significand / 2) * 2.0 ** (exponent - 1))


def e4m3(code: int) -> float:
    """A sign, four bits of exponent and three of significand; exponent 0 has subnormal numbers."""
    sign, exponent, significand = -1.0 if code & 128 else 1.0, code >> 3 & 15, code & 7
    if exponent == 0:
        return float(sign * significand * 2.0**-9)
    return float(sign * (1 + significand / 8) * 2.0 ** (exponent - 7))


def test_the_two_formats_are_those_of_the_standard() -> None:
    assert [e2m1(one) for one in range(8)] == [0, 0.5, 1, 1.5, 2, 3, 4, 6]
    wanted = torch.arange(256, dtype=torch.uint8).view(torch.float8_e4m3fn).float()
    assert [e4m3(int(one)) for one in KNOWN] == wanted[torch.from_numpy(KNOWN).long()].tolist()
    assert wanted[list(NOT_NUMBERS)].isnan().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_every_byte_with_every_scale(dtype: torch.dtype) -> None:
    """Bit for bit, signs of zeros included, also in bfloat16: products of the two are exact in it."""
    packed = np.tile(np.arange(256, dtype=np.uint8), (len(KNOWN), 1))
    scales = np.repeat(KNOWN[:, None], 256 * 2 // 16, 1)
    wanted = np.array(
        [[e2m1(code) * e4m3(int(scale)) for byte in range(256) for code in (byte & 15, byte >> 4)] for scale in KNOWN]
    )
    found = unpacked(torch.from_numpy(packed), torch.from_numpy(scales).view(torch.float8_e4m3fn), dtype)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found.float().numpy().view(np.uint32), wanted.astype(np.float32).view(np.uint32))


def random_matrices(experts: int, rows: int, columns: int, seed: int) -> tuple[Tensor, Tensor]:
    """Random bytes; among the scales are negative, zero and subnormal ones of both signs."""
    random = np.random.default_rng(seed)
    packed = random.integers(0, 256, (experts, rows, columns // 2), dtype=np.uint8)
    scales = random.choice(KNOWN, (experts, rows, columns // 16))
    scales.flat[: len(KNOWN)] = KNOWN
    return torch.from_numpy(packed), torch.from_numpy(random.permuted(scales)).view(torch.float8_e4m3fn)


def test_each_matrix_of_a_stack_has_its_own_factor() -> None:
    packed, scales = random_matrices(5, 12, 96, 1)
    wholes = torch.from_numpy(np.random.default_rng(2).random((5, 3), np.float32))
    found = PackedMatrices(packed, scales, wholes).values(1, 4, torch.float32)
    exact = unpacked(packed, scales, torch.float32).double()
    for expert in range(1, 4):
        for matrix in range(3):
            rows = slice(4 * matrix, 4 * matrix + 4)
            wanted = (exact[expert, rows] * wholes[expert, matrix].double()).float()
            assert torch.equal(found[expert - 1, rows], wanted)


def test_modelopt_unpacks_the_same() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries that it looks for
        library = pytest.importorskip(
            "modelopt.torch.quantization.qtensor", reason="nvidia-modelopt is not installed", exc_type=ImportError
        )
    packed, scales = (one[0] for one in random_matrices(1, 64, 256, 3))

    def by_modelopt(packed: Tensor, scales: Tensor, whole: Tensor) -> Tensor:
        shape = torch.Size((len(packed), packed.shape[1] * 2))
        made = library.NVFP4QTensor(shape, torch.float32, packed)
        return torch.as_tensor(made.dequantize(scale=scales, double_scale=whole, block_sizes={-1: 16}))

    assert torch.equal(by_modelopt(packed, scales, torch.tensor(1.0)), unpacked(packed, scales, torch.float32))
    plain = torch.randn(64, 256, generator=torch.Generator().manual_seed(4)) * 0.05
    made, scales, whole = library.NVFP4QTensor.quantize(plain.clone(), 16)
    ours = PackedMatrices(made._quantized_data[None], scales[None], whole.view(1, 1)).values(0, 1, torch.float32)[0]
    # It multiplies the scales first, which rounds once more.
    torch.testing.assert_close(ours, by_modelopt(made._quantized_data, scales, whole), rtol=2.5e-7, atol=0)
    assert float((ours - plain).norm() / plain.norm()) < 0.12, "four bits lose so much and no more"


# as the kernels take them


# If one of these is written otherwise, what follows has to be as well.
FROM_SOURCE = (
    "return (x << (3 * PAIR)) & 0x81C081C0u;",
    "return ((x << 1) & 0x80008000u) | ((x >> 5) & 0x01000100u) | ((x >> 4) & 0x00C000C0u);",
    "return __byte_perm(codes, 0, 0x4040 | ROW << 8 | ROW) * 16 + 0x75807580u;",
    "at_words = half * STEP_BYTES + rows * 1024 + lane * 16;",
    "at_codes = half * STEP_BYTES + 128 * 32 + rows * 128 + lane * 4;",
    "(stage + at_words), *(const uint4*)(stage + at_words + 512)",
)


def bfloat16(bits: NDArray[np.uint32]) -> NDArray[np.float64]:
    """The number that the low 16 bits are."""
    return ((bits & 0xFFFF) << np.uint32(16)).view(np.float32).astype(np.float64)


def pair_of(words: NDArray[np.uint32], pair: int) -> NDArray[np.uint32]:
    """`values<PAIR>` of the source: two bfloat16."""
    x = words.astype(np.int64)
    if pair < 3:
        return (x << (3 * pair) & 0x81C081C0).astype(np.uint32)
    return (x << 1 & 0x80008000 | x >> 5 & 0x01000100 | x >> 4 & 0x00C000C0).astype(np.uint32)


def as_the_kernel_takes_them(blocks: Tensor) -> NDArray[np.float64]:
    """[E, tiles, 128, columns]: what 4 warps multiply with, from the addresses at which they read a step.

    A thread (g, q) of a warp has four rows, g and then every eighth, and the 16 columns of group q.
    """
    raw = blocks.numpy()
    experts, tiles, steps, _ = raw.shape
    out = np.full((experts, tiles, ROWS, steps, STEP), np.nan)
    warp, lane = np.divmod(np.arange(128), 32)
    g, q = lane >> 2, lane & 3
    for row in range(4):
        code = raw[..., ROWS * 32 + warp * 128 + lane * 4 + row].astype(np.uint32)
        scale = bfloat16(code * np.uint32(16) + np.uint32(0x7580))  # times 2^118
        for part in range(2):  # of the columns, eight each
            at = warp * 1024 + lane * 16 + row // 2 * 512 + row % 2 * 8 + part * 4
            words = sum(raw[..., at + byte].astype(np.uint32) << np.uint32(8 * byte) for byte in range(4))
            for pair in range(4):
                both = pair_of(np.asarray(words, np.uint32), pair)  # times 2^-126
                for half in range(2):
                    value = bfloat16(both >> np.uint32(16 * half)) * scale
                    column = q * 16 + part * 8 + pair + 4 * half
                    out[:, :, warp * 32 + row * 8 + g, :, column] = np.moveaxis(value, -1, 0)
    return out.reshape(experts, tiles, ROWS, steps * STEP)


@pytest.mark.parametrize("is_gated", [False, True], ids=["down", "gate and up"])
@pytest.mark.parametrize(("rows", "columns"), [(128, 64), (256, 192), (384, 128)])
def test_the_kernels_take_the_same_values(rows: int, columns: int, is_gated: bool) -> None:
    assert all(line in SOURCE for line in FROM_SOURCE)
    packed, scales = random_matrices(2, rows, columns, rows + columns)
    wanted = unpacked(packed, scales, torch.float32).double().numpy()
    blocks = arranged(packed, scales, is_gated=is_gated)
    assert blocks.shape == (2, rows // ROWS, columns // STEP, STEP_BYTES)
    assert blocks.dtype == torch.uint8
    assert blocks.nbytes == packed.nbytes + scales.nbytes
    taken = as_the_kernel_takes_them(blocks)
    if is_gated:  # a tile has 64 rows of gate, and then the same 64 of up
        taken = taken.reshape(2, rows // ROWS, 2, ROWS // 2, columns).swapaxes(1, 2)
    np.testing.assert_array_equal(taken.reshape(2, rows, columns) * 2.0**8, wanted)
    as_stored = torch.from_numpy(taken).to(torch.bfloat16).double().numpy()
    np.testing.assert_array_equal(as_stored, taken, "the product of a value and its scale was rounded")


def test_rows_are_interleaved_as_the_pairs_of_a_word_lie() -> None:
    """A word gives its values 0 and 4, then 1 and 5, and so on."""
    x = torch.arange(48).view(3, 16)
    eight = torch.tensor([0, 4, 1, 5, 2, 6, 3, 7])
    assert torch.equal(interleaved(x), x[:, torch.cat([eight, eight + 8])])
