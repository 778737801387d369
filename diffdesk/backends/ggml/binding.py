"""The functions of ggml that are used, bound by ctypes to the copy that llama-cpp-python has loaded.

ggml's signatures drift between versions, so only the tried version is bound, and `load` computes one small product
before anything else does. A failed assertion in ggml ends the process: whoever calls these functions checks shapes and
ids first (`graph`). No struct of ggml is read; tensors, graphs, buffers and backends are addresses.

Signatures: ggml.h, ggml-alloc.h, ggml-backend.h and ggml-cpu.h of ggml 0.25.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.metadata
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from diffdesk.core.errors import EngineError

PACKAGE = "llama-cpp-python"
VERSIONS = ("0.25.",)  # of ggml, as `ggml_version` says
_INSTALL = f"Install it with: pip install '{PACKAGE}==0.3.36'."

Address = int | None
ABORT_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p)
LOG_CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)

SUCCESS, ABORTED = 0, 1  # enum ggml_status
NEOX = 2  # GGML_ROPE_TYPE_NEOX
I32, I64 = 26, 27  # enum ggml_type, beside the formats of `gguf.types`
CPU_DEVICE, GPU_DEVICES = 0, (1, 2)  # GGML_BACKEND_DEVICE_TYPE_CPU; _GPU and _IGPU
WEIGHTS_USAGE = 1  # GGML_BACKEND_BUFFER_USAGE_WEIGHTS


class InitParams(ctypes.Structure):
    """`struct ggml_init_params`."""

    _fields_ = (("mem_size", ctypes.c_size_t), ("mem_buffer", ctypes.c_void_p), ("no_alloc", ctypes.c_bool))


_P, _SIZE, _INT, _LONG, _FLOAT, _BOOL = (
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int64,
    ctypes.c_float,
    ctypes.c_bool,
)
# Name without `ggml_`: result, arguments.
_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "version": (ctypes.c_char_p, ()),
    "log_set": (None, (LOG_CALLBACK, _P)),
    # contexts and graphs
    "init": (_P, (InitParams,)),
    "free": (None, (_P,)),
    "tensor_overhead": (_SIZE, ()),
    "graph_overhead_custom": (_SIZE, (_SIZE, _BOOL)),
    "new_graph_custom": (_P, (_P, _SIZE, _BOOL)),
    "build_forward_expand": (None, (_P, _P)),
    "new_tensor_4d": (_P, (_P, _INT, _LONG, _LONG, _LONG, _LONG)),
    "set_input": (None, (_P,)),
    "set_output": (None, (_P,)),
    "nbytes": (_SIZE, (_P,)),
    "row_size": (_SIZE, (_INT, _LONG)),
    "quantize_chunk": (_SIZE, (_INT, _P, _P, _LONG, _LONG, _LONG, _P)),
    "get_data": (_P, (_P,)),
    # operators
    **dict.fromkeys(("add", "sub", "mul", "div", "swiglu_split", "mul_mat", "get_rows", "cpy"), (_P, (_P, _P, _P))),
    **dict.fromkeys(("sqr", "silu", "tanh", "log", "step", "cumsum", "sum_rows", "argmax", "cont"), (_P, (_P, _P))),
    "mul_mat_id": (_P, (_P, _P, _P, _P)),
    "set_rows": (_P, (_P, _P, _P, _P)),
    "set_inplace": (_P, (_P, _P, _P, *[_SIZE] * 4)),
    "scale": (_P, (_P, _P, _FLOAT)),
    "scale_bias": (_P, (_P, _P, _FLOAT, _FLOAT)),
    "rms_norm": (_P, (_P, _P, _FLOAT)),
    "soft_max_ext": (_P, (_P, _P, _P, _FLOAT, _FLOAT)),
    "argsort_top_k": (_P, (_P, _P, _INT)),
    "top_k": (_P, (_P, _P, _INT)),
    "rope_ext": (_P, (_P, _P, _P, _P, _INT, _INT, _INT, *[_FLOAT] * 6)),
    "rope_set_offset": (_P, (_P, _INT)),
    "clamp": (_P, (_P, _P, _FLOAT, _FLOAT)),
    "concat": (_P, (_P, _P, _P, _INT)),
    "reshape_4d": (_P, (_P, _P, *[_LONG] * 4)),
    "view_4d": (_P, (_P, _P, *[_LONG] * 4, *[_SIZE] * 4)),
    "permute": (_P, (_P, _P, *[_INT] * 4)),
    "cast": (_P, (_P, _P, _INT)),
    # devices, buffers and computing
    "backend_dev_count": (_SIZE, ()),
    "backend_dev_get": (_P, (_SIZE,)),
    "backend_dev_type": (_INT, (_P,)),
    "backend_dev_description": (ctypes.c_char_p, (_P,)),
    "backend_dev_memory": (None, (_P, ctypes.POINTER(_SIZE), ctypes.POINTER(_SIZE))),
    "backend_dev_init": (_P, (_P, ctypes.c_char_p)),
    "backend_init_by_type": (_P, (_INT, ctypes.c_char_p)),
    "backend_free": (None, (_P,)),
    "backend_name": (ctypes.c_char_p, (_P,)),
    "backend_get_default_buffer_type": (_P, (_P,)),
    "backend_get_device": (_P, (_P,)),
    "backend_dev_backend_reg": (_P, (_P,)),
    "backend_reg_get_proc_address": (_P, (_P, ctypes.c_char_p)),
    "backend_cpu_buffer_from_ptr": (_P, (_P, _SIZE)),
    "backend_buffer_free": (None, (_P,)),
    "backend_buffer_clear": (None, (_P, ctypes.c_uint8)),
    "backend_buffer_get_size": (_SIZE, (_P,)),
    "backend_buffer_set_usage": (None, (_P, _INT)),
    "backend_alloc_ctx_tensors_from_buft": (_P, (_P, _P)),
    "backend_tensor_alloc": (_INT, (_P, _P, _P)),
    "backend_tensor_set": (None, (_P, _P, _SIZE, _SIZE)),
    "backend_tensor_get": (None, (_P, _P, _SIZE, _SIZE)),
    "backend_graph_compute": (_INT, (_P, _P)),
    "gallocr_new": (_P, (_P,)),
    "gallocr_free": (None, (_P,)),
    "gallocr_alloc_graph": (_BOOL, (_P, _P)),
    "gallocr_get_buffer_size": (_SIZE, (_P, _INT)),
    "backend_sched_new": (_P, (ctypes.POINTER(_P), _P, _INT, _SIZE, _BOOL, _BOOL)),
    "backend_sched_free": (None, (_P,)),
    "backend_sched_alloc_graph": (_BOOL, (_P, _P)),
    "backend_sched_graph_compute": (_INT, (_P, _P)),
    "backend_sched_get_n_backends": (_INT, (_P,)),
    "backend_sched_get_n_splits": (_INT, (_P,)),
    "backend_sched_get_backend": (_P, (_P, _INT)),
    "backend_sched_get_buffer_size": (_SIZE, (_P, _P)),
}


class Library:
    """ggml's functions as attributes, under their names without `ggml_`."""

    def __init__(self, handles: Sequence[ctypes.CDLL]) -> None:
        self._functions: dict[str, Callable[..., Any]] = {}
        for name, (result, arguments) in _SIGNATURES.items():
            function = _found(handles, f"ggml_{name}")
            function.restype, function.argtypes = result, arguments
            self._functions[name] = function
        self._silent = LOG_CALLBACK(lambda _level, _text, _data: None)  # kept: the library holds its address
        self.log_set(self._silent, None)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        try:
            return self._functions[name]
        except KeyError:
            raise AttributeError(f"ggml_{name} is not bound") from None


def _found(handles: Sequence[ctypes.CDLL], name: str) -> Any:
    for handle in handles:
        with suppress(AttributeError):
            return getattr(handle, name)
    raise AttributeError(f"{name} is in none of its libraries")


def _handles(path: str, platform: str = sys.platform) -> tuple[ctypes.CDLL, ...]:
    """The loaded library at `path`, and those that it brought along.

    Opened a second time by the same path, a library is the same. On Linux and macOS a library's own handle finds what
    lies in those that it depends on; on Windows each is asked by itself.
    """
    main = ctypes.CDLL(path)
    if platform != "win32":
        return (main,)
    beside = sorted(Path(path).parent.glob("ggml*.dll"))
    return (main, *(ctypes.CDLL(str(one)) for one in beside))


@cache
def load() -> Library:
    """ggml, bound and of the right version. Raises `EngineError` where it is missing or another one."""
    # Where an assertion fails, ggml would start a debugger to print where; the process has to end, not to hang.
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    try:
        module = importlib.import_module("llama_cpp.llama_cpp")
    except (ImportError, OSError, RuntimeError) as error:
        raise EngineError(
            "The library that runs GGUF files can't be loaded",
            f"{PACKAGE} is missing or damaged: {error}.",
            _INSTALL,
        ) from error
    # ggml's own file, opened by another path, would be mapped a second time.
    try:
        library = Library(_handles(module._lib._name))
    except (AttributeError, OSError) as error:
        raise _wrong(str(error)) from error
    version = (library.version() or b"").decode()
    if not version.startswith(VERSIONS):
        raise _wrong(f"it brings ggml {version or 'of an unknown version'}")
    return library


def _wrong(what: str) -> EngineError:
    try:
        installed = importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        installed = "an unknown version"
    return EngineError(
        "The library that runs GGUF files is of another version",
        f"{PACKAGE} {installed} is installed: {what}; DiffDesk is bound to ggml {VERSIONS[0]}x.",
        _INSTALL,
    )
