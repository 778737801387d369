"""Work on the pages of the correction desk, as window and command line share it: reading, asking, what came of it.

Plain functions between the store's rows, the recogniser's pages and reviews. Those that read files block. Knows nothing
of widgets and of who runs the engine.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from diffdesk.core.messages import ImageRef, Message, Role
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.requests import ModelInfo, RunRequest, TaskKind
from diffdesk.documents.page_source import PageKind, PageSource
from diffdesk.documents.recognised_page import RecognisedPage
from diffdesk.documents.text_recogniser import TextRecogniser
from diffdesk.services.reading import lines_of
from diffdesk.services.review import Review
from diffdesk.store import DeskContent, DeskRow, DeskState, NewPage, Outcome

TEXT_KIND = "text"
NO_TEXT = "No text was found"


@dataclass(frozen=True, slots=True)
class PageReading:
    """What was read from a page: as the store keeps it, its text, and how long it took."""

    kept: str
    draft: str
    seconds: float


def new_page(source: PageSource) -> NewPage:
    """A page of a file, to join the queue."""
    return NewPage(source.kind.value, str(source.path), source.number, source.of, source.name)


def new_text(text: str, name: str) -> NewPage:
    """A text that needs no reading, to join the queue."""
    return NewPage(TEXT_KIND, "", 0, 1, name, draft=text)


def source_of(row: DeskRow) -> PageSource | None:
    """Where a page of the queue comes from; None for a text."""
    if row.kind == TEXT_KIND:
        return None
    return PageSource(row.path, row.number, row.of, PageKind(row.kind))


def read_page(image: Path, recogniser: TextRecogniser, is_cancelled: Callable[[], bool]) -> PageReading:
    """The text of a page's image file. Blocks; raises `UserError` or `Cancelled`."""
    began = time.perf_counter()
    page = recogniser.recognise(image, is_cancelled)
    return PageReading(json.dumps(page.to_wire(), ensure_ascii=False), page.text, time.perf_counter() - began)


def page_of(content: DeskContent) -> RecognisedPage | None:
    """What the recogniser found on a page; None for a text."""
    return RecognisedPage.from_wire(json.loads(content.page)) if content.page else None


def review_of(content: DeskContent) -> Review:
    """The review of a page as it was left."""
    return Review(content.draft, content.proposals, content.doubts, page_of(content), content.review)


def request_of(
    content: DeskContent, image: Path | None, parameters: GenerationParameters, *, can_see: bool
) -> RunRequest:
    """What the engine is asked: the draft with the places of its lines, and the page where the model looks at pages."""
    page = page_of(content)
    lines = tuple(lines_of(page, image)) if page is not None and image is not None else ()
    images = (ImageRef(image, image.name),) if can_see and image is not None else ()
    return RunRequest(TaskKind.CORRECT, (Message(Role.USER, content.draft, images),), parameters, lines)


def outcome_of(review: Review, declined: Sequence[str] = ()) -> Outcome:
    """How a page stands, in the queue's words; `declined` says why the model left it as it was."""
    changes, undecided = len(review.changes), len(review.undecided)
    if not review.draft.strip():
        return Outcome(DeskState.REVIEWED, NO_TEXT, 0)
    if declined:
        return Outcome(DeskState.REVIEWED, " ".join(declined), 0)
    if not changes:
        return Outcome(DeskState.REVIEWED, "Nothing to change", 0)
    if undecided:
        return Outcome(DeskState.READY, f"{undecided:,} of {changes:,} to review", undecided)
    return Outcome(DeskState.REVIEWED, f"{changes:,} change{'' if changes == 1 else 's'} reviewed", 0)


def how_it_corrects(info: ModelInfo) -> str:
    """What a model goes by when it corrects a page, in a line."""
    if info.can_see_images:
        return f"{info.name} looks at the page"
    if not info.can_chat and "picture" in info.why_no_images:
        return f"{info.name} compares each line with its picture"
    return f"{info.name} goes by the text alone: it can't see images"
