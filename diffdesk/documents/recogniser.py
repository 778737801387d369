"""Recognises printed text in images: the client of a child process that holds the recogniser.

The recogniser is native code that may crash and takes up to 1.3 GB, so it lives in a process of its own, which is
started on demand and ends when it is idle. This module is free of Qt and of the recogniser; its calls block and
are made from a pool thread.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

import diffdesk
from diffdesk.core.errors import Cancelled, ProtocolError, RecogniserError, UserError
from diffdesk.documents.images import inspect_image
from diffdesk.documents.recognised_page import RecognisedLine, RecognisedPage, RecognisedWord, WirePage
from diffdesk.documents.recogniser_pipe import Frame, read_frame, write_frame

__all__ = ["RecognisedLine", "RecognisedPage", "RecognisedWord", "Recogniser", "child_command"]

_CANCEL_CHECK_SECONDS = 0.05
_LAST_WORDS_SECONDS = 5.0  # writing a core file can take a while
_REPORT_BYTES = 4000


def child_command(idle_seconds: float, python: Path | None = None) -> list[str]:
    """The command that starts the child.

    The one place to change for a bundle, where `sys.executable` is the program itself and knows no ``-m``.
    """
    interpreter = str(python or sys.executable)
    return [interpreter, "-m", "diffdesk.documents.recogniser_child", "--idle-seconds", str(idle_seconds)]


class Recogniser:
    """Recognises text; may be used from several threads, which take turns.

    Args:
        idle_seconds: how long the child stays, and keeps its memory, after its last page.
        python: the interpreter that runs the child; this one by default.
    """

    def __init__(self, idle_seconds: float = 60.0, python: Path | None = None) -> None:
        if idle_seconds <= 0:
            raise ValueError("idle_seconds must be positive")
        self._command = child_command(idle_seconds, python)
        self._turn = threading.Lock()
        self._state = threading.Lock()
        self._child: _Child | None = None
        self._is_closed = False

    @property
    def process_id(self) -> int | None:
        """The child's process id; None while none runs."""
        child = self._child
        return child.process.pid if child is not None and child.is_running() else None

    def recognise(self, path: Path, cancelled: Callable[[], bool] | None = None) -> RecognisedPage:
        """The text of an image; no lines if there is none.

        Args:
            path: an image file.
            cancelled: asked about twenty times a second; once it says True the child is killed.

        Raises:
            ImageError: the image can't be opened.
            RecogniserError: the recogniser is not installed, crashed or ran out of memory. The next call starts
                it again.
            Cancelled: ``cancelled`` said so, or the recogniser was closed.
        """
        is_cancelled = cancelled or _never
        path = path.absolute()
        # Refuses most bad files before a process is started for them.
        inspect_image(path)
        while not self._turn.acquire(timeout=_CANCEL_CHECK_SECONDS):
            if self._is_closed or is_cancelled():
                raise Cancelled
        try:
            reply = self._ask({"path": str(path)}, is_cancelled)
        finally:
            self._turn.release()
        if "error" in reply:
            raise UserError.from_wire(cast("dict[str, str]", reply["error"]))
        return RecognisedPage.from_wire(cast("WirePage", reply["page"]))

    def close(self) -> None:
        """Ends the child at once; a call that waits for it raises `Cancelled`, and so does every later one."""
        with self._state:
            self._is_closed = True
            child, self._child = self._child, None
        if child is not None:
            child.kill()

    def _ask(self, request: Frame, is_cancelled: Callable[[], bool]) -> Frame:
        while True:
            child, is_new = self._running_child()
            reply = child.ask(request, lambda: self._is_closed or is_cancelled())
            if reply is not None:
                return reply
            self._forget(child)
            if self._is_closed:
                raise Cancelled
            if child.process.returncode == 0 and not is_new:
                # It had been idle and ended in the very moment of the request.
                continue
            raise _died(child)

    def _running_child(self) -> tuple[_Child, bool]:
        """The child, and whether it was started just now."""
        with self._state:
            if self._is_closed:
                raise Cancelled
            if self._child is not None and self._child.is_running():
                return self._child, False
            if self._child is not None:
                self._child.kill()
            self._child = _Child(self._command)
            return self._child, True

    def _forget(self, child: _Child) -> None:
        with self._state:
            if self._child is child:
                self._child = None


class _Child:
    """One child process: its pipes, a thread that reads its answers, and what it wrote to standard error.

    Attributes:
        report: the end of what it wrote to standard error, once it has been killed.
    """

    def __init__(self, command: list[str]) -> None:
        self._resources = ExitStack()
        self._errors = self._resources.enter_context(_error_file())
        self._ending = threading.Lock()
        self.report = ""
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=_environment(),
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            self._resources.close()
            raise RecogniserError(
                "The text recogniser can't be started",
                f"{command[0]}: {error.strerror or error}.",
                "Install the program again.",
            ) from error
        self._requests = cast("BinaryIO", self.process.stdin)
        self._answers: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        # A pipe can't be waited for with a time limit on every system, a queue can.
        self._listener = threading.Thread(target=self._listen, name="recogniser answers", daemon=True)
        self._listener.start()

    def is_running(self) -> bool:
        return self.process.poll() is None

    def ask(self, request: Frame, is_cancelled: Callable[[], bool]) -> Frame | None:
        """The answer, or None if the child ended without one.

        Raises:
            Cancelled: the child was killed because ``is_cancelled`` said so.
        """
        if is_cancelled():
            raise Cancelled
        try:
            write_frame(self._requests, request)
        except OSError:
            self._settle()
            return None
        while True:
            try:
                reply = self._answers.get(timeout=_CANCEL_CHECK_SECONDS)
            except queue.Empty:
                if is_cancelled():
                    self.kill()
                    raise Cancelled from None
                continue
            if reply is None:
                self._settle()
            return reply

    def kill(self) -> None:
        """Ends the process if it still runs, keeps its report and gives its pipes back; may be called again."""
        with self._ending:
            self.process.kill()
            self.process.wait()
            self._listener.join()
            for stream in (self.process.stdin, self.process.stdout):
                # A request that was not sent yet has nobody to go to.
                with suppress(OSError):
                    if stream is not None:
                        stream.close()
            if not self._errors.closed:
                end = self._errors.seek(0, os.SEEK_END)
                self._errors.seek(max(end - _REPORT_BYTES, 0))
                self.report = self._errors.read().decode("utf-8", "replace").strip()
            self._resources.close()

    def _settle(self) -> None:
        """Lets a process that closed its pipes end with its own exit code, which tells why, before it is killed."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_LAST_WORDS_SECONDS)
        self.kill()

    def _listen(self) -> None:
        answers = cast("BinaryIO", self.process.stdout)
        # What can't be understood is as good as dead, and is ended by whoever waits.
        with suppress(ProtocolError, OSError):
            while (frame := read_frame(answers)) is not None:
                self._answers.put(frame)
        self._answers.put(None)


@contextmanager
def _error_file() -> Iterator[BinaryIO]:
    """Where a child writes its errors: a file, for a pipe that nobody reads would block it once it is full."""
    with tempfile.TemporaryFile() as file:
        yield file


def _environment() -> dict[str, str]:
    """The child's environment: it finds this very package, and never modules in the current folder."""
    environment = {**os.environ, "PYTHONSAFEPATH": "1", "PYTHONUTF8": "1"}
    root = Path(diffdesk.__file__).resolve().parent.parent
    if root.name not in {"site-packages", "dist-packages"}:
        others = os.environ.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join([str(root), *([others] if others else [])])
    return environment


def _died(child: _Child) -> RecogniserError:
    code = child.process.returncode
    details = f"exit code {code}\n{child.report}".strip()
    if sys.platform != "win32" and code == -signal.SIGKILL:
        return RecogniserError(
            "The text recogniser was ended",
            "The system or another program ended it, most often because memory ran out: it takes up to 1.3 GB.",
            "Close other programs, or use a smaller image, and try again.",
            details,
        )
    return RecogniserError(
        "The text recogniser crashed",
        "It ended without an answer. Nothing else is affected.",
        "Try again; if it happens again, save the image as a PNG or make it smaller.",
        details,
    )


def _never() -> bool:
    return False
