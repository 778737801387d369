"""The experts' two products by their packed matrices, in CUDA C++: W4A16 for NVIDIA GPUs from Ampere (sm_80) on.

A step has 16 rows for an expert on average, so the weights are the left operand of the tensor cores' products
(mma.m16n8k16) and a tile of rows the right one. What it does, and why:

- A block takes 128 rows of one expert's matrix (64 of gate and the same 64 of up) and up to 32 of its tokens. Experts
  with more have several blocks for the same rows, which then come out of the cache; so some busy ones don't hold up
  the rest. Four groups of warps share the rows, two share the columns. Everything comes through a ring in shared
  memory (cp.async), so that the next pieces are under way while one is computed.
- `arranged` puts what a block reads side by side: for each 64 columns the 128 rows' values and then their scales. In
  the file's order a block would read 64 bytes here and 8 there, which reaches two thirds of the memory's speed.
- A product doesn't care for the order of columns as long as both operands have the same one. Here a thread takes 16
  columns of a row that lie side by side, which are one group of the format and so have one scale, and eight values of
  activations come in the order 0 4 1 5 2 6 3 7 (`operators.interleaved`), because values that are 16 bits apart in a
  word become a pair of bfloat16 by a mask.
- Of a four-bit value the three bits below the sign, put where a bfloat16 has the end of its exponent and the begin of
  its significand, are the value times 2^-126, the value 0.5 included, which becomes a subnormal number. So one product
  with the group's scale times 2^118 makes the value times 2^-8, exactly; the rest, 2^8 and the matrix's factor, comes
  at the end. What a step costs is the instructions that unpack, so `arranged` also moves the bits of a word to where
  three of its four pairs are had by a shift and a mask, and stores scales with five bits of exponent and no sign, which
  are normal numbers all: scales of zero and signs of scales go into their group's values.
- GELU (by tanh) of gate times up is done on the sums, before anything is rounded or stored.
- Sums are formed in one order, so the same rows give the same bits, with whatever else the device does.
"""

from __future__ import annotations

import torch
from torch import Tensor

ROWS, TOKENS = 128, 32  # of a block's tile
THREADS = 256
_AT_A_TIME = 16  # experts that are put in order together: it takes room for some copies of them
STEP = 64  # columns whose values and scales lie side by side
STEP_BYTES = ROWS * (STEP // 2 + STEP // 16)
STAGE_BYTES = 2 * STEP_BYTES + TOKENS * 2 * STEP * 2  # two steps of a tile, and its tokens' activations


def arranged(packed: Tensor, scales: Tensor, *, is_gated: bool) -> Tensor:
    """uint8[E, tiles, steps, STEP_BYTES] of uint8[E, n, k/2] and float8_e4m3fn[E, n, k/16]; gate's rows before up's.

    Of a step first the values and then the scales, in the order in which the threads of four warps, 32 rows each, take
    them: for each warp, two pairs of its four rows of eight, its 8 × 4 threads, the rows of a pair, a group's 8 bytes;
    for scales warp, thread and the four rows.
    """
    experts, rows, halves = packed.shape
    shape = (experts, rows // ROWS, 2 * halves // STEP, STEP_BYTES)
    out = torch.empty(shape, dtype=torch.uint8, device=packed.device)
    for begin in range(0, experts, _AT_A_TIME):
        some = slice(begin, begin + _AT_A_TIME)
        out[some] = _arranged(packed[some].view(torch.int32), scales[some].view(torch.uint8), is_gated)
    return out


def _arranged(packed: Tensor, scales: Tensor, is_gated: bool) -> Tensor:
    values, codes = _encoded(_tiled(packed, is_gated), _tiled(scales, is_gated))
    # [E, tiles, rows, groups, 2] and [E, tiles, rows, groups]; a row is warp, pair, row of the pair, thread's row.
    experts, tiles, _, groups = codes.shape
    values = values.view(experts, tiles, 4, 2, 2, 8, groups // 4, 4, 2).permute(0, 1, 6, 2, 3, 5, 7, 4, 8)
    codes = codes.view(experts, tiles, 4, 2, 2, 8, groups // 4, 4).permute(0, 1, 6, 2, 5, 7, 3, 4)
    return torch.cat((values.flatten(3).contiguous().view(torch.uint8), codes.flatten(3)), -1)


def _tiled(part: Tensor, is_gated: bool) -> Tensor:
    """[E, tiles, ROWS, width] of [E, n, width]."""
    experts, rows, width = part.shape
    if is_gated:
        part = part.view(experts, 2, rows // ROWS, ROWS // 2, width).transpose(1, 2)
    return part.reshape(experts, rows // ROWS, ROWS, width)


def _encoded(words: Tensor, scales: Tensor) -> tuple[Tensor, Tensor]:
    """The words of each group, int32[…, groups, 2], with their bits moved, and its scale's code, uint8[…, groups]."""
    words = words.view(*scales.shape, 2)
    words = words ^ torch.where(scales >= 128, -0x77777778, 0).int()[..., None]  # a sign in front of each value
    words = torch.where((scales & 127 == 0)[..., None], 0, words)
    made = torch.zeros_like(words)
    for there, here in zip(_BITS, range(16), strict=True):
        moved = words << (there - here) if there >= here else words >> (here - there)
        made |= moved & _both(1 << there)
    return made, _codes().to(scales.device)[scales.int()]


# Where the bits of each half of a word go: of the four values, from the lowest, three of size and then the sign.
_BITS = (6, 7, 8, 15, 3, 4, 5, 12, 0, 1, 2, 9, 10, 11, 13, 14)


def _both(mask: int) -> int:
    """A mask of 16 bits in both halves of a word, as a signed number."""
    whole = mask << 16 | mask
    return whole - (1 << 32) if whole >> 31 else whole


def _codes() -> Tensor:
    """uint8[256]: for an E4M3 number of either sign m + 8 (e + 10), where its size is (1 + m / 8) · 2^e; 0 for zero."""
    sizes = torch.arange(256, dtype=torch.uint8).view(torch.float8_e4m3fn).double().abs()
    significands, exponents = torch.frexp(sizes)  # in 0.5…1
    codes = (significands * 16 - 8).round() + 8 * (exponents + 9)
    return torch.where(sizes.isfinite() & (sizes > 0), codes, 0).to(torch.uint8)


SOURCE = r"""
typedef unsigned int u32;
typedef unsigned short u16;
typedef unsigned long long u64;

#define STEP_BYTES (128 * 36)
#define STAGE (2 * STEP_BYTES + 32 * 256)

__device__ __forceinline__ void copy16(u32 to, const void* from) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(from));
}
__device__ __forceinline__ u32 times(u32 a, u32 b) {
  u32 d;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(0x80008000u));
  return d;
}
template <int PAIR>
__device__ __forceinline__ u32 values(u32 x) {
  // Values PAIR and PAIR + 4 of a word, times 2^-126.
  if (PAIR < 3) return (x << (3 * PAIR)) & 0x81C081C0u;
  return ((x << 1) & 0x80008000u) | ((x >> 5) & 0x01000100u) | ((x >> 4) & 0x00C000C0u);
}
template <int ROW>
__device__ __forceinline__ u32 scale_of(u32 codes) {
  // The scale of one of four rows in both halves, times 2^118: the exponent of a bfloat16 is that of the code + 235.
  return __byte_perm(codes, 0, 0x4040 | ROW << 8 | ROW) * 16 + 0x75807580u;
}
__device__ __forceinline__ void multiply(float* c, const u32* a, u32 b0, u32 b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
template <int PAIR>
__device__ __forceinline__ void fragment(u32* a, u32 low, u32 high, u32 scale_low, u32 scale_high) {
  a[0] = times(values<PAIR>(low), scale_low);
  a[1] = times(values<PAIR>(high), scale_high);
  a[2] = times(values<PAIR + 1>(low), scale_low);
  a[3] = times(values<PAIR + 1>(high), scale_high);
}
__device__ __forceinline__ u16 rounded(float x) {
  u16 d;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(d) : "f"(x));
  return d;
}

// COLUMNS: of the matrix. OUT: values of a row that goes out. IS_GATED: gate and up, else down.
constexpr int STEPS = COLUMNS / 64, TURNS = (STEPS + 1) / 2, PIECES = 2 * STEP_BYTES / 16;

struct Unit {
  // Up to 32 tokens of one expert. EXPERTS: how many there are.
  int expert, first, count;

  __device__ __forceinline__ void find(int index, const int* offsets, int* found) {
    // The first warp counts: experts' tokens are cut into units of 32, in order. Past the last unit count is 0.
    const int lane = threadIdx.x & 31;
    if (threadIdx.x < 32) {
      int begins[(EXPERTS + 31) / 32], ends[(EXPERTS + 31) / 32], before = 0;
#pragma unroll
      for (int i = 0; i < (EXPERTS + 31) / 32; ++i) {
        const int e = min(i * 32 + lane, EXPERTS - 1);
        begins[i] = offsets[e];
        ends[i] = i * 32 + lane < EXPERTS ? offsets[e + 1] : begins[i];
      }
      if (lane == 0) found[2] = 0;
      __syncwarp();
#pragma unroll
      for (int i = 0; i < (EXPERTS + 31) / 32; ++i) {
        const int units = (ends[i] - begins[i] + 31) >> 5;
        int sum = units;
#pragma unroll
        for (int step = 1; step < 32; step <<= 1) {
          const int other = __shfl_up_sync(0xFFFFFFFFu, sum, step);
          if (lane >= step) sum += other;
        }
        const int mine = index - (before + sum - units);
        if (mine >= 0 && mine < units) {
          found[0] = i * 32 + lane;
          found[1] = begins[i] + mine * 32;
          found[2] = min(32, ends[i] - found[1]);
        }
        before += __shfl_sync(0xFFFFFFFFu, sum, 31);
      }
    }
    __syncthreads();
    expert = found[0];
    first = found[1];
    count = found[2];
  }
};

struct Sources {
  // What a thread copies in a turn: up to three pieces of 16 bytes of weights and scales, two of activations. Nothing
  // comes for tokens that aren't there: their sums are not used.
  const unsigned char* matrix;
  const u16* x[2];

  __device__ __forceinline__ void fetch(int turn, u32 stage) const {
    const int thread = threadIdx.x;
    const unsigned char* from = matrix + (u64)turn * 2 * STEP_BYTES;
    const int there = STEPS % 2 == 0 || turn + 1 < TURNS ? PIECES : PIECES / 2;
#pragma unroll
    for (int u = 0; u < 3; ++u)
      if (thread + 256 * u < there) copy16(stage + (thread + 256 * u) * 16, from + (thread + 256 * u) * 16);
    const int part = thread & 15;
#pragma unroll
    for (int u = 0; u < 2; ++u) {
      const int token = (thread >> 4) + 16 * u;
      if (x[u] && (COLUMNS % 128 == 0 || turn * 128 + part * 8 < COLUMNS))
        copy16(stage + 2 * STEP_BYTES + token * 256 + ((part ^ (token & 1)) << 4), x[u] + turn * 128);
    }
  }
};

template <int TILES>
__device__ __forceinline__ void multiply_all(const Sources& from, unsigned char* shared) {
  // Sums of 128 rows and TILES · 8 tokens, to shared memory as float [128][33].
  const int thread = threadIdx.x, lane = thread & 31, warp = thread >> 5;
  const int rows = warp & 3, half = warp >> 2;  // which 32 rows, and which 64 of 128 columns
  const int g = lane >> 2, q = lane & 3;
  const u32 base = (u32)__cvta_generic_to_shared(shared);
  float sums[2][TILES][4];
#pragma unroll
  for (int f = 0; f < 2; ++f)
#pragma unroll
    for (int t = 0; t < TILES; ++t)
#pragma unroll
      for (int i = 0; i < 4; ++i) sums[f][t][i] = 0.0f;
  const int at_words = half * STEP_BYTES + rows * 1024 + lane * 16;
  const int at_codes = half * STEP_BYTES + 128 * 32 + rows * 128 + lane * 4;
  const int at_x = 2 * STEP_BYTES + g * 256, part = half * 8 + q * 2;
  const int at_low = at_x + ((part ^ (g & 1)) << 4), at_high = at_x + (((part + 1) ^ (g & 1)) << 4);
  for (int turn = 0; turn < TURNS; ++turn) {
    asm volatile("cp.async.wait_group %0;" ::"n"(STAGES - 2));
    __syncthreads();
    const int ahead = turn + STAGES - 1;
    if (ahead < TURNS) from.fetch(ahead, base + ahead % STAGES * STAGE);
    asm volatile("cp.async.commit_group;");
    if (STEPS % 2 == 0 || 2 * turn + half < STEPS) {
      const unsigned char* stage = shared + turn % STAGES * STAGE;
      const uint4 word[2] = {*(const uint4*)(stage + at_words), *(const uint4*)(stage + at_words + 512)};
      const u32 codes = *(const u32*)(stage + at_codes);
      const u32 scale[4] = {scale_of<0>(codes), scale_of<1>(codes), scale_of<2>(codes), scale_of<3>(codes)};
      uint4 low[TILES], high[TILES];
#pragma unroll
      for (int t = 0; t < TILES; ++t) {
        low[t] = *(const uint4*)(stage + at_low + t * 8 * 256);
        high[t] = *(const uint4*)(stage + at_high + t * 8 * 256);
      }
#pragma unroll
      for (int f = 0; f < 2; ++f) {
        u32 a[4];
        const u32 s0 = scale[2 * f], s1 = scale[2 * f + 1];
        const uint4 w = word[f];
        fragment<0>(a, w.x, w.z, s0, s1);
#pragma unroll
        for (int t = 0; t < TILES; ++t) multiply(sums[f][t], a, low[t].x, low[t].y);
        fragment<2>(a, w.x, w.z, s0, s1);
#pragma unroll
        for (int t = 0; t < TILES; ++t) multiply(sums[f][t], a, low[t].z, low[t].w);
        fragment<0>(a, w.y, w.w, s0, s1);
#pragma unroll
        for (int t = 0; t < TILES; ++t) multiply(sums[f][t], a, high[t].x, high[t].y);
        fragment<2>(a, w.y, w.w, s0, s1);
#pragma unroll
        for (int t = 0; t < TILES; ++t) multiply(sums[f][t], a, high[t].z, high[t].w);
      }
    }
  }
  // The two halves of the columns meet in shared memory, where the ring was.
  __syncthreads();
  float* sum = (float*)shared + (rows * 32 + g) * 33 + q * 2;
#pragma unroll
  for (int turn = 1; turn >= 0; --turn) {
    if (half == turn) {
#pragma unroll
      for (int f = 0; f < 2; ++f)
#pragma unroll
        for (int t = 0; t < TILES; ++t)
#pragma unroll
          for (int i = 0; i < 4; ++i) {
            float* to = sum + (f * 16 + (i >> 1) * 8) * 33 + t * 8 + (i & 1);
            *to = turn == 1 ? sums[f][t][i] : *to + sums[f][t][i];
          }
    }
    __syncthreads();
  }
}

extern "C" __global__ void __launch_bounds__(256, BLOCKS) product(
    const unsigned char* __restrict__ matrices, const float* __restrict__ wholes, const u16* __restrict__ x,
    const int* __restrict__ offsets, const int* __restrict__ order, u16* __restrict__ out, int used) {
  extern __shared__ __align__(128) unsigned char shared[];
  const int thread = threadIdx.x, tile = blockIdx.x;
  const u32 base = (u32)__cvta_generic_to_shared(shared);
  Unit unit;
  unit.find(blockIdx.y, offsets, (int*)shared);
  const int expert = unit.expert, here = unit.count;
  if (here == 0) return;
  Sources from;
  from.matrix = matrices + (u64)(expert * gridDim.x + tile) * STEPS * STEP_BYTES;
#pragma unroll
  for (int u = 0; u < 2; ++u) {
    const int token = (thread >> 4) + 16 * u;
    from.x[u] = 0;
    if (token < here) {
      const int slot = unit.first + token;
      from.x[u] = x + (u64)(IS_GATED ? order[slot] / used : slot) * COLUMNS + (thread & 15) * 8;
    }
  }
  __syncthreads();  // the unit was read from where the ring begins
#pragma unroll
  for (int turn = 0; turn < STAGES - 1; ++turn) {
    if (turn < TURNS) from.fetch(turn, base + turn * STAGE);
    asm volatile("cp.async.commit_group;");
  }
  switch ((here + 7) >> 3) {
    case 1: multiply_all<1>(from, shared); break;
    case 2: multiply_all<2>(from, shared); break;
    case 3: multiply_all<3>(from, shared); break;
    default: multiply_all<4>(from, shared);
  }
  const float* sum = (const float*)shared;
  u16* target = out + (u64)unit.first * OUT;
  if (IS_GATED) {
    const float gate_whole = wholes[2 * expert] * 256.0f, up_whole = wholes[2 * expert + 1] * 256.0f;
    for (int index = thread; index < 64 * here; index += 256) {
      const int row = index & 63, token = index >> 6;
      const float gate = sum[row * 33 + token] * gate_whole, up = sum[(row + 64) * 33 + token] * up_whole;
      const float inner = 1.5957691216057308f * (gate + 0.044715f * gate * gate * gate);
      const float made = __fdividef(gate, 1.0f + __expf(-inner)) * up;
      const int place = (row & ~7) | ((row & 3) << 1) | ((row >> 2) & 1);  // interleaved for the next product
      target[(u64)token * OUT + tile * 64 + place] = rounded(made);
    }
  } else {
    const float whole = wholes[expert] * 256.0f;
    for (int index = thread; index < 128 * here; index += 256) {
      const int row = index & 127, token = index >> 7;
      target[(u64)token * OUT + tile * 128 + row] = rounded(sum[row * 33 + token] * whole);
    }
  }
}
"""
