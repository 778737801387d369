"""The engine process: one model, one request at a time, frames on two pipes, no network.

Run as ``python -m diffdesk.engine.process LOG_FOLDER``. Three threads: the main one works; one reads the pipe, so that
a cancel is seen within one step and the end of the pipe (the window died) ends the process at once; one sends a
heartbeat. What native code prints goes to the error stream, never between the frames.
"""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import IO

import psutil

from diffdesk import __version__
from diffdesk.backends.registry import load
from diffdesk.core.denoiser import Denoiser
from diffdesk.core.errors import Cancelled, EngineError, ProtocolError, UserError
from diffdesk.core.events import Prefilled
from diffdesk.core.frames import Frame, encode_frame, read_frame
from diffdesk.core.profile import ModelProfile
from diffdesk.core.requests import ModelSpec, RunRequest
from diffdesk.engine.messages import event_to_frame
from diffdesk.logs import start_log, watch_faults
from diffdesk.models.profile import describe_model, read_profile
from diffdesk.tasks.runner import run_task

HEARTBEAT_SECONDS = 1.0
log = logging.getLogger("diffdesk.engine")


class EngineProcess:
    """The loop of the engine process."""

    def __init__(self, incoming: IO[bytes], outgoing: IO[bytes]) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._writing = threading.Lock()
        self._work: queue.SimpleQueue[Frame] = queue.SimpleQueue()
        self._is_busy = threading.Event()
        self._job = 0  # number of the request at work
        self._cancelled_job = -1  # the last request that was cancelled; requests are numbered upwards
        self._denoiser: Denoiser | None = None
        self._profile = ModelProfile()
        self._process = psutil.Process()

    def serve(self) -> None:
        """Work for ever; the end of the pipe ends the process."""
        threading.Thread(target=self._read, name="frames", daemon=True).start()
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()
        self._send(Frame("hello", {"version": __version__, "pid": os.getpid()}))
        while True:
            frame = self._work.get()
            self._is_busy.set()
            self._handle(frame)
            self._is_busy.clear()

    def _read(self) -> None:
        try:
            while (frame := read_frame(self._incoming)) is not None:
                if frame.kind == "cancel":
                    self._cancelled_job = int(str(frame.head["job"]))
                else:
                    self._work.put(frame)
        except ProtocolError:
            log.exception("the client sent no frame")
            os._exit(1)
        os._exit(0)  # whoever asked is gone; a step in native code must not keep the memory

    def _beat(self) -> None:
        # Only while something is at work: nobody reads the pipe in between, and it must not fill up.
        pulse = threading.Event()  # never set: waiting for it is the pause between two beats
        while self._is_busy.wait():
            pulse.wait(HEARTBEAT_SECONDS)
            self._send(Frame("beat", {"memory": self._process.memory_info().rss}))

    def _send(self, frame: Frame) -> None:
        data = encode_frame(frame)
        with self._writing:
            try:
                self._outgoing.write(data)
                self._outgoing.flush()
            except OSError:
                os._exit(0)

    def _is_cancelled(self) -> bool:
        return self._cancelled_job >= self._job

    def _handle(self, frame: Frame) -> None:
        self._job = int(str(frame.head.get("job", self._job)))
        try:
            if frame.kind == "load":
                self._load(ModelSpec.from_json(frame.head))
            elif frame.kind == "run":
                self._run(RunRequest.from_json(frame.head))
        except UserError as error:
            log.info("%s failed: %s", frame.kind, error.title)
            self._send(Frame("failed", {"error": error.to_wire()}))
        except Cancelled:
            self._send(Frame("cancelled"))
        except MemoryError as error:
            self._send(Frame("failed", {"error": _out_of_memory(error).to_wire()}))
        except Exception as error:
            # A bug: the window shows it with a copyable report, and the engine stays usable.
            log.exception("bug in %s", frame.kind)
            self._send(Frame("failed", {"error": _bug(error).to_wire()}))

    def _load(self, spec: ModelSpec) -> None:
        self._unload()
        began = time.perf_counter()

        def progress(stage: str, share: float) -> None:
            if self._is_cancelled():
                raise Cancelled
            self._send(Frame("progress", {"stage": stage, "share": share}))

        profile = read_profile(spec.path)
        self._denoiser = load(spec, progress)
        self._profile = profile
        info = describe_model(
            spec,
            profile,
            self._denoiser,
            memory_bytes=self._process.memory_info().rss,
            load_seconds=time.perf_counter() - began,
        )
        log.info("loaded %s in %.1f s", info.name, info.load_seconds)
        self._send(Frame("ready", {"info": info.to_json()}))

    def _unload(self) -> None:
        if self._denoiser is not None:
            self._denoiser.close()
            self._denoiser = None

    def _run(self, request: RunRequest) -> None:
        if self._denoiser is None:
            raise EngineError("No model is loaded", "A request came before a model.", "Choose a model first.")

        def report(event: Prefilled) -> None:
            self._send(event_to_frame(event))

        for event in run_task(self._denoiser, self._profile, request, report, self._is_cancelled):
            self._send(event_to_frame(event))


def _out_of_memory(error: MemoryError) -> EngineError:
    return EngineError(
        "Not enough memory",
        "The model needs more memory than this machine has free.",
        "Close other programs, choose a smaller model, or give the answer less room.",
        repr(error),
    )


def _bug(error: Exception) -> EngineError:
    return EngineError(
        "The engine made a mistake",
        f"Something went wrong that shouldn't: {type(error).__name__}: {error}",
        "Try again; if it happens again, copy the report and send it to the makers.",
        traceback.format_exc(),
    )


def main() -> None:
    """Set up the pipes and the log, then serve."""
    folder = Path(sys.argv[1])
    os.environ.setdefault("TRITON_CACHE_DIR", str(folder.parent / "kernels"))  # compiled once for this profile
    outgoing = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # from here on whatever prints to fd 1 lands in the error stream
    start_log(folder, "engine")
    watch_faults(folder, "engine")
    EngineProcess(os.fdopen(os.dup(0), "rb"), outgoing).serve()


if __name__ == "__main__":
    main()
