"""The engine's client: starts the process, sends requests, reads what comes back, and explains how it died.

Free of Qt: the window drives it from a QThread worker, the command line from its main thread. `load`, `run` and
`unload` belong to one thread; `cancel`, `kill`, `silence` and `pid` may be used from any.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from diffdesk.core.errors import Cancelled, EngineError, ProtocolError
from diffdesk.core.events import Finished, RunEvent
from diffdesk.core.frames import Frame, encode_frame, read_frame
from diffdesk.core.requests import ModelInfo, ModelSpec, RunRequest
from diffdesk.engine.messages import error_in, frame_to_event, info_in

_GRACE_SECONDS = 5.0


class EngineClient:
    """Drives one engine process; starts it when it is needed."""

    def __init__(self, log_folder: Path) -> None:
        self._log_folder = log_folder
        self._process: subprocess.Popen[bytes] | None = None
        self._writing = threading.Lock()
        self._job = 0
        self._last_frame = time.monotonic()
        self._was_killed_by_us = False
        self._is_loaded = False
        self.memory_bytes = 0

    @property
    def pid(self) -> int | None:
        """Process id of the engine while it lives."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    @property
    def has_model(self) -> bool:
        """Whether a living engine holds a model."""
        return self._is_loaded and self.pid is not None

    @property
    def silence(self) -> float:
        """Seconds since the engine last said anything; it says something every second while it lives."""
        return time.monotonic() - self._last_frame

    def load(self, spec: ModelSpec, on_progress: Callable[[str, float], None]) -> ModelInfo:
        """Load a model, in a fresh process if there is none; raises `UserError` or `Cancelled`."""
        self._is_loaded = False
        self._start()
        self._request(Frame("load", {**spec.to_json()}))
        while True:
            frame = self._next()
            if frame.kind == "progress":
                on_progress(str(frame.head["stage"]), float(str(frame.head["share"])))
            elif frame.kind == "ready":
                self._is_loaded = True
                return info_in(frame.head)

    def run(self, request: RunRequest) -> Iterator[RunEvent]:
        """Run a request; the last event is `Finished`. Raises `UserError` where the engine dies or refuses."""
        self._request(Frame("run", request.to_json()))
        while True:
            event = frame_to_event(self._next())
            if event is not None:
                yield event
            if isinstance(event, Finished):
                return

    def unload(self) -> None:
        """Free the model's memory. The process ends: nothing else gives back all that a model library took."""
        self.close()

    def cancel(self) -> None:
        """Ask that the request at work stop; it is answered within one step. Does nothing when idle."""
        self._write(Frame("cancel", {"job": self._job}))

    def kill(self) -> None:
        """End the process at once; whoever waits for it gets an `EngineError`."""
        self._was_killed_by_us = True
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """End the process, kindly first."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            if process.stdin is not None:
                process.stdin.close()  # the end of its pipe ends it, whatever it is doing
            process.wait(_GRACE_SECONDS)
        except (OSError, subprocess.TimeoutExpired):
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def _start(self) -> None:
        if self.pid is not None:
            return
        self.close()
        self._was_killed_by_us = False
        with (self._log_folder / "engine-output.log").open("wb") as output:
            try:
                self._process = subprocess.Popen(
                    engine_command(self._log_folder),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=output,
                    env={
                        **os.environ,
                        "PYTHONUNBUFFERED": "1",
                        "HF_HUB_OFFLINE": "1",
                        "TOKENIZERS_PARALLELISM": "false",
                    },
                )
            except OSError as error:
                raise EngineError(
                    "The engine can't be started",
                    f"Starting the process that runs the model failed: {error.strerror or error}.",
                    "Check that memory and disk are free, then try again.",
                    repr(error),
                ) from error
        self._last_frame = time.monotonic()
        hello = self._next()
        if hello.kind != "hello":
            raise ProtocolError(f"the engine greeted with {hello.kind}")

    def _request(self, frame: Frame) -> None:
        if self._process is None:
            raise EngineError("No model is loaded", "A request came before a model.", "Choose a model first.")
        self._job += 1
        self._write(Frame(frame.kind, {**frame.head, "job": self._job}))

    def _write(self, frame: Frame) -> None:
        process = self._process
        if process is None or process.stdin is None:
            return
        with self._writing:
            try:
                process.stdin.write(encode_frame(frame))
                process.stdin.flush()
            except (OSError, ValueError):
                return  # it died: whoever reads next finds out and says why

    def _next(self) -> Frame:
        """The next frame that is not a heartbeat; raises what the engine says went wrong."""
        process = self._process
        if process is None or process.stdout is None:
            raise EngineError("The engine has stopped", "There is no process that runs the model.", "Send it again.")
        while True:
            frame = read_frame(process.stdout)
            self._last_frame = time.monotonic()
            if frame is None:
                raise self._obituary(process)
            if frame.kind == "beat":
                self.memory_bytes = int(str(frame.head["memory"]))
                continue
            if frame.kind == "cancelled":
                raise Cancelled
            error = error_in(frame.head) if frame.kind == "failed" else None
            if error is not None:
                raise error
            return frame

    def _obituary(self, process: subprocess.Popen[bytes]) -> EngineError:
        code = process.wait()
        left = [_tail(self._log_folder / name) for name in ("engine.fault", "engine-output.log")]
        details = "\n".join([f"exit code {code}", *left])
        self.close()
        if self._was_killed_by_us:
            return EngineError(
                "The engine was stopped",
                "The process that runs the model was ended because it didn't answer.",
                "The conversation is kept; send again and it starts anew.",
                details,
            )
        if code == -signal.SIGKILL if sys.platform != "win32" else code == 137:
            return EngineError(
                "The engine was killed",
                "Something ended the process that runs the model; most often the system does so when memory runs out.",
                "The conversation is kept. Close other programs or choose a smaller model, then send again.",
                details,
            )
        if code < 0 or code in _WINDOWS_CRASHES:
            return EngineError(
                "The engine crashed",
                f"The native code that runs the model stopped ({_signal_name(code)}).",
                "The conversation is kept. Send again: the engine starts anew. If it happens again, copy the report.",
                details,
            )
        return EngineError(
            "The engine has stopped",
            f"The process that runs the model ended by itself (exit code {code}).",
            "Send again and it starts anew; if it happens again, copy the report.",
            details,
        )


_WINDOWS_CRASHES = frozenset({0xC0000005, 0xC0000409, 0xC00000FD, 3})


def _signal_name(code: int) -> str:
    try:
        return signal.Signals(-code).name
    except ValueError:
        return hex(code & 0xFFFFFFFF)


def _tail(path: Path, size: int = 4000) -> str:
    try:
        return path.read_bytes()[-size:].decode("utf-8", "replace").strip()
    except OSError:
        return ""


def engine_command(log_folder: Path) -> list[str]:
    """The command line of an engine process."""
    return [sys.executable, "-X", "faulthandler", "-m", "diffdesk.engine.process", str(log_folder)]
