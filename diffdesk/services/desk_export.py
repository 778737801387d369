"""Reviewed pages on their way out: with their final text, their differences, and their image while they are written.

Shared by window and command line. What the files look like is the matter of `documents.exports`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from diffdesk.documents.exports.export_page import Decision as Outcome
from diffdesk.documents.exports.export_page import ExportedDifference, ExportPage
from diffdesk.documents.exports.placing import page_of_text, placed
from diffdesk.documents.page_images import PageImages
from diffdesk.documents.page_source import PageKind, PageSource
from diffdesk.documents.recognised_page import RecognisedPage
from diffdesk.services.review import Decision, Review


@dataclass(frozen=True, slots=True)
class DonePage:
    """A page that was corrected.

    Attributes:
        name: for people.
        source: where it comes from; None for a text.
        page: what was recognised; None for a text.
        review: its text as it stands.
    """

    name: str
    source: PageSource | None
    page: RecognisedPage | None
    review: Review


def export_pages_of(
    pages: Iterable[DonePage], images: PageImages, is_cancelled: Callable[[], bool]
) -> Iterator[ExportPage]:
    """The pages as exports take them, one by one; each has its image file until the next one is asked for.

    A page of a PDF needs none: the PDF itself is copied. Raises `UserError` where an image can't be had.
    """
    for one in pages:
        if one.source is None or one.source.kind is PageKind.PDF:
            yield export_page(one, None)
            continue
        with images.use(one.source, is_cancelled) as image:
            yield export_page(one, image)


def export_page(done: DonePage, image: Path | None) -> ExportPage:
    """A page with its final text in its places."""
    text = done.review.text
    page = page_of_text(text) if done.page is None else placed(done.page, text)
    return ExportPage(page, done.name, done.source, image, tuple(_differences(done)))


def _differences(done: DonePage) -> Iterator[ExportedDifference]:
    review = done.review
    for index in review.changes:
        segment, outcome = review.segments[index], _outcome(review, index)
        is_edited = outcome == "edited"
        after = review.text_of(index) if is_edited else segment.wanted
        line = segment.line + 1 if segment.line >= 0 else review.draft.count("\n", 0, segment.start) + 1
        certainty = None if is_edited else segment.certainty
        yield ExportedDifference(done.name, line, segment.drafted, after, outcome, certainty)


def _outcome(review: Review, index: int) -> Outcome:
    segment, said = review.segments[index], review.said(index)
    if said is not None:
        return _SAID[said.decision]
    if segment.made != segment.drafted:
        return "made"
    return "held" if segment.is_held else "offered"


_SAID: dict[Decision, Outcome] = {
    Decision.ACCEPTED: "accepted",
    Decision.REJECTED: "rejected",
    Decision.EDITED: "edited",
}
