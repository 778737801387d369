"""Kernels in CUDA C++: compiled for the device at hand by NVRTC, which comes with torch, and launched by the driver.

Compiling takes a second or two, so nothing is kept on the disk. Both libraries are reached through NVIDIA's own package
cuda-bindings, which the CUDA builds of torch bring along. Knows nothing of what a kernel computes.
"""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from diffdesk.core.errors import EngineError


def can_compile() -> bool:
    """Whether the package that compiles and launches is installed."""
    return importlib.util.find_spec("cuda") is not None and importlib.util.find_spec("cuda.bindings") is not None


class CudaKernel:
    """One kernel of a source.

    Args:
        source: CUDA C++ without includes, with `extern "C" __global__ void NAME(…)` in it.
        name: of the kernel.
        defines: macros for the compiler.
        shared: bytes of shared memory of a block.
        device: for which it is compiled.

    Raises `EngineError` where it can't be compiled.
    """

    def __init__(self, source: str, name: str, defines: dict[str, int], shared: int, device: torch.device) -> None:
        self._shared = shared
        with torch.cuda.device(device):
            self._function = _load(_compile(source, defines, torch.cuda.get_device_capability(device)), name, shared)

    def launch(self, grid: tuple[int, int], threads: int, arguments: Sequence[Tensor | int]) -> None:
        """On the current stream. Tensors become pointers, numbers 32-bit integers."""
        from cuda.bindings import driver

        values = tuple(one.data_ptr() if isinstance(one, Tensor) else one for one in arguments)
        kinds = tuple(ctypes.c_void_p if isinstance(one, Tensor) else ctypes.c_int for one in arguments)
        stream = torch.cuda.current_stream().cuda_stream
        _checked(
            driver.cuLaunchKernel(self._function, *grid, 1, threads, 1, 1, self._shared, stream, (values, kinds), 0)
        )


def _compile(source: str, defines: dict[str, int], capability: tuple[int, int]) -> bytes:
    """Machine code for a device of this compute capability."""
    from cuda.bindings import nvrtc

    options = [
        f"--gpu-architecture=sm_{capability[0]}{capability[1]}".encode(),
        b"-std=c++17",
        *(f"-D{name}={value}".encode() for name, value in defines.items()),
    ]
    program = _checked(nvrtc.nvrtcCreateProgram(source.encode(), b"diffdesk.cu", 0, [], []))
    try:
        (result,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
        if int(result):
            log = b" " * int(_checked(nvrtc.nvrtcGetProgramLogSize(program)))
            _checked(nvrtc.nvrtcGetProgramLog(program, log))
            raise EngineError(
                "A kernel could not be compiled",
                f"NVIDIA's compiler doesn't know cards of compute capability {capability[0]}.{capability[1]}.",
                "Install a newer CUDA build of PyTorch, or use the GGUF file of this model.",
                log.decode(errors="replace"),
            )
        code = b" " * int(_checked(nvrtc.nvrtcGetCUBINSize(program)))
        _checked(nvrtc.nvrtcGetCUBIN(program, code))
    finally:
        nvrtc.nvrtcDestroyProgram(program)
    return code


def _load(code: bytes, name: str, shared: int) -> Any:
    from cuda.bindings import driver

    torch.cuda.current_stream().synchronize()  # makes torch's context the current one
    module = _checked(driver.cuModuleLoadData(code))
    function = _checked(driver.cuModuleGetFunction(module, name.encode()))
    most = driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
    _checked(driver.cuFuncSetAttribute(function, most, shared))
    return function


def _checked(answer: tuple[Any, ...]) -> Any:
    """What a call gave, without its status; raises `RuntimeError` where that isn't success."""
    status, *values = answer
    if int(status):
        raise RuntimeError(f"CUDA: {status!r}")
    return values[0] if values else None
