"""What computes graphs: ggml's CPU backend, and beside it a graphics card's where the installed library has one.

With a card, ggml's scheduler places each operation where its weights lie and copies what has to go across. Knows
nothing of models.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass

from diffdesk.backends.ggml.binding import ABORT_CALLBACK, ABORTED, CPU_DEVICE, GPU_DEVICES, SUCCESS, load
from diffdesk.core.errors import Cancelled, EngineError

HOST, CARD = 0, 1  # places where tensors may lie


@dataclass(frozen=True, slots=True)
class Card:
    """A graphics card that the installed library can use. Memory in bytes.

    Attributes:
        address: of ggml's device.
        name: for people.
        free, total: its memory.
    """

    address: int
    name: str
    free: int
    total: int


def find_cards() -> tuple[Card, ...]:
    """The graphics cards that ggml was built for and finds here; none with the ordinary build."""
    library = load()
    cards: list[Card] = []
    for index in range(int(library.backend_dev_count())):
        device = library.backend_dev_get(index)
        if int(library.backend_dev_type(device)) in GPU_DEVICES:
            free, total = ctypes.c_size_t(), ctypes.c_size_t()
            library.backend_dev_memory(device, ctypes.byref(free), ctypes.byref(total))
            name = (library.backend_dev_description(device) or b"graphics card").decode(errors="replace")
            cards.append(Card(device, name, free.value, total.value))
    return tuple(cards)


class Device:
    """The CPU, on some threads, and a card where one is given. Computing on the CPU stops when it is told to.

    Attributes:
        lends_weights: large products with weights in main memory are computed on the card, which gets them copied for
            that, instead of on the processor; see tests/bench/NOTES.md.
    """

    lends_weights = True

    def __init__(self, threads: int, card: Card | None = None) -> None:
        self._library = load()
        self.address: int | None = self._library.backend_init_by_type(CPU_DEVICE, None)
        if not self.address:
            raise EngineError("GGUF files can't be run", "ggml has no backend for this processor.", "Reinstall it.")
        self.should_stop: Callable[[], bool] = lambda: False
        self._callback = ABORT_CALLBACK(lambda _data: self.should_stop())  # kept: the library holds its address
        self._set_threads = self._extra("ggml_backend_set_n_threads", (ctypes.c_void_p, ctypes.c_int))
        self.use_threads(threads)
        stop = self._extra("ggml_backend_set_abort_callback", (ctypes.c_void_p, ABORT_CALLBACK, ctypes.c_void_p))
        stop(self.address, self._callback, None)
        self._card: int | None = None
        if card is not None:
            self._card = self._library.backend_dev_init(card.address, None)
            if not self._card:
                self.close()
                raise EngineError(
                    "The graphics card can't be used",
                    f"{card.name} did not start.",
                    "Choose the device “cpu”, or update the card's driver.",
                )

    def _extra(self, name: str, arguments: tuple[type, ...]) -> Callable[..., object]:
        registry = self._library.backend_dev_backend_reg(self._library.backend_get_device(self.address))
        address = self._library.backend_reg_get_proc_address(registry, name.encode())
        if not address:
            raise EngineError("GGUF files can't be run", f"ggml lacks {name}.", "Reinstall llama-cpp-python.")
        return ctypes.CFUNCTYPE(None, *arguments)(address)

    def use_threads(self, threads: int) -> None:
        """Compute on so many from now on."""
        self.threads = max(1, threads)
        self._set_threads(self.address, self.threads)

    @property
    def has_card(self) -> bool:
        """Whether a graphics card computes as well."""
        return self._card is not None

    def memory(self, place: int = HOST) -> int:
        """The kind of memory at a place, `HOST` or `CARD`: address of a buffer type."""
        backend = self.address if place == HOST else self._card
        if backend is None:
            raise ValueError("there is no card")
        return int(self._library.backend_get_default_buffer_type(backend))

    def scheduler(self, most_nodes: int) -> int | None:
        """A new scheduler over card and CPU; None where there is no card."""
        if self._card is None:
            return None
        backends = (ctypes.c_void_p * 2)(self._card, self.address)
        made = self._library.backend_sched_new(backends, None, 2, most_nodes, False, self.lends_weights)
        if not made:
            raise out_of_memory()
        return int(made)

    def compute(self, graph: int, scheduler: int | None = None) -> None:
        """Compute a graph. Raises `Cancelled` where it was told to stop, `EngineError` where it failed."""
        if scheduler is None:
            status = self._library.backend_graph_compute(self.address, graph)
        else:
            status = self._library.backend_sched_graph_compute(scheduler, graph)
        if status == ABORTED:
            raise Cancelled
        if status != SUCCESS:
            raise EngineError("The model can't be computed", f"ggml failed (status {status}).", "Load the model again.")

    def close(self) -> None:
        """Free it."""
        for address in (self._card, self.address):
            if address:
                self._library.backend_free(address)
        self._card = self.address = None


def out_of_memory() -> EngineError:
    """What is said where no memory was given."""
    return EngineError(
        "There is not enough memory",
        "The memory for this model's work was not given.",
        "Close other programs, shorten the context in the settings, or choose a smaller model.",
    )
