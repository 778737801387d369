"""``diffdesk ask``: one request; the canvas in place on a terminal, plain lines elsewhere."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import TextIO

from diffdesk.cli.model import model_asked_for
from diffdesk.core.errors import PromptError
from diffdesk.core.events import Finished, FinishReason, Prefilled, RunEvent
from diffdesk.core.messages import ImageRef, Message, Role
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.requests import ModelInfo, RunRequest, TaskKind
from diffdesk.core.trace import CanvasFold, CanvasFrame, CellState
from diffdesk.documents.images import inspect_image
from diffdesk.documents.recogniser import Recogniser
from diffdesk.engine.client import EngineClient
from diffdesk.paths import Places
from diffdesk.services.reading import Reading, read_images, with_text_of_images

_EXIT = {FinishReason.FAILED: 1, FinishReason.CANCELLED: 130}


class DraftPrinter:
    """Redraws the live canvas in place on a terminal; prints nothing where the output is no terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._lines = 0
        self._committed = ""

    def show(self, frame: CanvasFrame, answer: str) -> None:
        """Draw a frame over the last one, after what is committed."""
        if not self._is_terminal:
            return
        self.clear()
        self._commit(answer)
        head = f"step {frame.step} of {frame.steps} · {frame.settled_count} of {frame.length} settled"
        width = max(20, shutil.get_terminal_size().columns - 1)
        body = "".join(
            piece if state >= CellState.CHANGING else "·" * len(piece)
            for piece, state, region in zip(frame.pieces, frame.states, frame.regions, strict=True)
            if region < 2
        ).replace("\n", " ")
        rows = [head, *(body[start : start + width] for start in range(0, len(body), width))]
        self._stream.write("\n".join(f"\x1b[2m{row[:width]}\x1b[0m" for row in rows) + "\n")
        self._stream.flush()
        self._lines = len(rows)

    def clear(self) -> None:
        """Take the live canvas off the screen."""
        if self._lines:
            self._stream.write(f"\x1b[{self._lines}A\x1b[J")
            self._lines = 0

    def _commit(self, answer: str) -> None:
        if answer.startswith(self._committed) and "\n" in answer[len(self._committed) :]:
            whole = answer[: answer.rindex("\n") + 1]
            self._stream.write(whole[len(self._committed) :])
            self._committed = whole

    def finish(self, answer: str) -> None:
        """Print what of the answer is not on the screen yet."""
        self.clear()
        rest = answer.removeprefix(self._committed)
        self._stream.write(rest + ("" if rest.endswith("\n") or not rest else "\n"))
        self._stream.flush()


def ask(arguments: argparse.Namespace, places: Places) -> int:
    """Carry out ``ask``; returns the exit code. Raises `UserError` for what the user can mend."""
    text = sys.stdin.read() if arguments.text == "-" else str(arguments.text)
    images = tuple(_image(path) for path in arguments.image)
    if not text.strip() and not images:
        raise PromptError(
            "There is nothing to send", "No text and no image was given.", "Say something, or add --image."
        )
    spec = model_asked_for(arguments)
    client = EngineClient(places.logs)
    recogniser = Recogniser()
    try:
        info = client.load(spec, lambda stage, share: None)
        request, draft = _request(arguments, text, images, info, recogniser)
        return _stream(client, request, draft, is_json=arguments.json)
    except KeyboardInterrupt:
        return _EXIT[FinishReason.CANCELLED]
    finally:
        recogniser.close()
        client.close()


def _image(path: Path) -> ImageRef:
    inspect_image(path)
    return ImageRef(path.absolute(), path.name)


def _request(
    arguments: argparse.Namespace,
    text: str,
    images: tuple[ImageRef, ...],
    info: ModelInfo,
    recogniser: Recogniser,
) -> tuple[RunRequest, str]:
    """The request and, for a correction, the draft that it corrects."""
    task = arguments.task
    if task == "auto":
        task = "chat" if info.can_chat else "correct"
    reading = Reading("")
    if images and not info.can_see_images:
        reading = read_images(recogniser, images)
        text = reading.text if task == "correct" else with_text_of_images(text, images, reading)
        if not text.strip():
            raise PromptError("No text was found", "The recogniser found no text in the image.", "Try a sharper image.")
        images = ()
    values = {
        "system": arguments.system,
        "thinking": arguments.thinking,
        "canvases": arguments.canvases,
        "steps": arguments.steps,
        "entropy_bound": arguments.entropy_bound,
        "seed": arguments.seed,
    }
    parameters = GenerationParameters.from_json({key: value for key, value in values.items() if value is not None})
    kind = TaskKind(task)
    is_correction = kind is TaskKind.CORRECT
    request = RunRequest(kind, (Message(Role.USER, text, images),), parameters, reading.lines if is_correction else ())
    return request, text if is_correction else ""


def _stream(client: EngineClient, request: RunRequest, draft: str, *, is_json: bool) -> int:
    printer = DraftPrinter(sys.stderr if is_json else sys.stdout)
    fold = CanvasFold()
    finished: Finished | None = None
    try:
        for event in client.run(request):
            finished = _show(event, fold, printer) or finished
    except KeyboardInterrupt:
        client.cancel()
        printer.clear()
        return _EXIT[FinishReason.CANCELLED]
    if finished is None:
        return 1
    printer.clear()
    if finished.error is not None:
        raise finished.error
    if is_json:
        print(json.dumps(_as_json(finished, draft), ensure_ascii=False))
    else:
        printer.finish(finished.answer)
        for note in finished.notes:
            print(note, file=sys.stderr)
    return _EXIT.get(finished.reason, 0)


def _show(event: RunEvent, fold: CanvasFold, printer: DraftPrinter) -> Finished | None:
    if isinstance(event, Finished):
        return event
    if not isinstance(event, Prefilled):
        printer.show(fold.apply(event), fold.answer)
    return None


def _as_json(finished: Finished, draft: str) -> dict[str, object]:
    return {
        "answer": finished.answer,
        "thought": finished.thought,
        "draft": draft,
        "reason": finished.reason.value,
        "state": finished.state.value,
        "notes": list(finished.notes),
        "stats": finished.stats.to_json(),
    }
