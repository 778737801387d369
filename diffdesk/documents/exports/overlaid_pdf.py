"""A searchable PDF made from a PDF: its own pages, unchanged, with their text unseen on top.

The text layer of an earlier recogniser (text drawn in render mode 3) goes, so that nothing is found twice; text that
can be seen stays. Uses pikepdf, that is qpdf, which reads streams from the original only when they are written.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf

from diffdesk.core.errors import ExportError
from diffdesk.documents.exports.image_pdf import font_data
from diffdesk.documents.exports.text_layer import ASCENT, DESCENT, FONT_NAME, Codes, Matrix, text_layer
from diffdesk.documents.recognised_page import RecognisedPage

_SHOWING = frozenset({"Tj", "TJ", "'", '"'})
_UNSEEN = 3
_Instructions = list[pikepdf.ContentStreamInstruction | pikepdf.ContentStreamInlineImage]
_DEEPEST = 8  # forms inside forms


class OverlaidPdf:
    """A copy of a PDF in the making; pages that get no text are left out of it.

    Args:
        source: the PDF, only read.

    Raises:
        ExportError: it is protected or damaged.
    """

    def __init__(self, source: Path) -> None:
        self._name = source.name
        self._pdf = _opened(source)
        self._codes = Codes()
        self._font = self._pdf.make_indirect(Dictionary())
        self._seen: set[int] = set()
        self._cleaned: set[tuple[int, int]] = set()

    def add(self, page: RecognisedPage, number: int) -> None:
        """Lays the text over a page of the PDF, counted from 0.

        Raises:
            ExportError: there is no such page, or it can't be read.
        """
        if not 0 <= number < len(self._pdf.pages) or number in self._seen:
            raise self._damaged(f"page {number + 1} of {len(self._pdf.pages)}")
        self._seen.add(number)
        try:
            self._lay_over(self._pdf.pages[number], page)
        except (pikepdf.PdfError, ValueError, TypeError, AttributeError, KeyError, RuntimeError) as error:
            raise self._damaged(f"page {number + 1}: {type(error).__name__}: {error}") from error

    def write(self, file: BinaryIO) -> None:
        """Writes the copy; raises `ExportError` if the original turns out to be damaged."""
        for number in reversed(range(len(self._pdf.pages))):
            if number not in self._seen:
                del self._pdf.pages[number]
        self._add_font()
        try:
            self._pdf.save(file)
        except (pikepdf.PdfError, RuntimeError) as error:
            raise self._damaged(str(error)) from error

    def close(self) -> None:
        """Lets go of the original."""
        self._pdf.close()

    def _lay_over(self, target: pikepdf.Page, page: RecognisedPage) -> None:
        self._clean(target)
        resources = _own_resources(self._pdf, target)
        name = _free_name(resources.Font)
        resources.Font[f"/{name}"] = self._font
        layer = text_layer(page, _matrix(target, page), self._codes, name)
        before, after = _balance(target)
        target.contents_add(b"q\n" * before, prepend=True)
        target.contents_add(b"\n" + b"Q\n" * after + layer)

    # --- earlier text layers ------------------------------------------------------------------------

    def _clean(self, target: pikepdf.Page) -> None:
        cleaned = _without_unseen(target)
        if cleaned is not None:
            target.obj.Contents = self._pdf.make_stream(cleaned)
        self._clean_forms(target.obj, _DEEPEST)

    def _clean_forms(self, holder: pikepdf.Object, depth: int) -> None:
        """Text in forms that a page draws; a form that several pages draw is cleaned once."""
        for form in _entries(_resources_of(holder).get("/XObject")).values():
            is_form = isinstance(form, pikepdf.Stream) and form.get("/Subtype") == Name.Form
            if not is_form or form.objgen in self._cleaned or not depth:
                continue
            self._cleaned.add(form.objgen)
            cleaned = _without_unseen(form)
            if cleaned is not None:
                form.write(cleaned)
            self._clean_forms(form, depth - 1)

    # --- what all pages share -----------------------------------------------------------------------

    def _add_font(self) -> None:
        tables = self._codes.tables()
        pdf = self._pdf
        descriptor = Dictionary(
            Type=Name.FontDescriptor,
            FontName=Name(f"/{FONT_NAME}"),
            Flags=4,
            FontBBox=Array([0, DESCENT, 1000, ASCENT]),
            ItalicAngle=0,
            Ascent=ASCENT,
            Descent=DESCENT,
            CapHeight=ASCENT,
            StemV=80,
            FontFile2=pdf.make_stream(font_data(), Length1=len(font_data())),
        )
        inner = Dictionary(
            Type=Name.Font,
            Subtype=Name.CIDFontType2,
            BaseFont=Name(f"/{FONT_NAME}"),
            CIDSystemInfo=Dictionary(Registry=b"Adobe", Ordering=b"Identity", Supplement=0),
            FontDescriptor=pdf.make_indirect(descriptor),
            CIDToGIDMap=pdf.make_stream(tables.glyph_of),
            DW=500,
            W=Array([1, Array(tables.widths)]),
        )
        self._font.Type = Name.Font
        self._font.Subtype = Name.Type0
        self._font.BaseFont = Name(f"/{FONT_NAME}")
        self._font.Encoding = Name("/Identity-H")
        self._font.DescendantFonts = Array([pdf.make_indirect(inner)])
        self._font.ToUnicode = pdf.make_stream(tables.to_unicode)

    def _damaged(self, details: str) -> ExportError:
        return ExportError(
            "The PDF can't be copied",
            f"{self._name} is damaged or was changed since its pages were read.",
            "Open it in a viewer, print or save it as a new PDF, and add that.",
            details,
        )


def _opened(source: Path) -> Pdf:
    try:
        pdf = Pdf.open(source)
    except pikepdf.PasswordError as error:
        raise _protected(source) from error
    except FileNotFoundError as error:
        raise ExportError(
            "The original is not there",
            f"There is no file {source}; its pages are part of what is written.",
            "It may have been moved or renamed: put it back, or export as text.",
        ) from error
    except OSError as error:
        reason = f"{source.name} could not be opened: {error.strerror or error}."
        raise ExportError("The original can't be read", reason, "Check its permissions.", repr(error)) from error
    except pikepdf.PdfError as error:
        raise ExportError(
            "The PDF is damaged",
            f"{source.name} is cut off or broken, so its pages can't be copied.",
            "Copy or download it again, or export as text.",
            str(error),
        ) from error
    if pdf.is_encrypted and not pdf.allow.modify_other:
        pdf.close()
        raise _protected(source)
    return pdf


def _protected(source: Path) -> ExportError:
    return ExportError(
        "This PDF is protected",
        f"{source.name} has a password, or does not allow that anything is added to its pages.",
        "Save a copy without protection with the program that made it, or export as text, hOCR or ALTO.",
    )


# --- places -----------------------------------------------------------------------------------------


def _matrix(target: pikepdf.Page, page: RecognisedPage) -> Matrix:
    """From the upright image's pixels, counted from its lower left corner, to the page's own coordinates.

    The image shows the part of the page that viewers show, turned by the page's own Rotate and by `page.turned`. How
    large a unit of the page is (UserUnit) does not matter, for the image fills the box.
    """
    left, bottom, right, top = _shown_box(target)
    across, down = 1 / max(page.width, 1), 1 / max(page.height, 1)
    width, height = right - left, top - bottom
    turned = (int(cast("int", _inherited(target, "/Rotate") or 0)) + page.turned) % 360
    if turned == 90:
        return 0, across * height, -down * width, 0, right, bottom
    if turned == 180:
        return -across * width, 0, 0, -down * height, right, top
    if turned == 270:
        return 0, -across * height, down * width, 0, left, top
    return across * width, 0, 0, down * height, left, bottom


def _shown_box(target: pikepdf.Page) -> tuple[float, float, float, float]:
    media = _corners(target.mediabox)
    crop = _corners(target.cropbox)
    left, bottom = max(media[0], crop[0]), max(media[1], crop[1])
    right, top = min(media[2], crop[2]), min(media[3], crop[3])
    # Viewers take a crop box that lies outside of the page for none.
    return (left, bottom, right, top) if right > left and top > bottom else media


def _corners(box: pikepdf.Array) -> tuple[float, float, float, float]:
    """A box by its lower left and upper right corner; files name any two opposite ones."""
    x, y, other_x, other_y = (float(edge) for edge in box.as_list())
    return min(x, other_x), min(y, other_y), max(x, other_x), max(y, other_y)


def _inherited(target: pikepdf.Page, key: str) -> object:
    node: pikepdf.Object | None = target.obj
    for _ in range(64):
        if node is None or key in node:
            break
        node = node.get("/Parent")
    return None if node is None else node.get(key)


# --- contents ---------------------------------------------------------------------------------------


def _resources_of(holder: pikepdf.Object) -> pikepdf.Object:
    found: object = holder.get("/Resources")
    node: pikepdf.Object | None = holder
    for _ in range(64):
        if found is not None or node is None:
            break
        node = node.get("/Parent")
        found = node.get("/Resources") if node is not None else None
    return found if isinstance(found, Dictionary) else Dictionary()


def _own_resources(pdf: Pdf, target: pikepdf.Page) -> pikepdf.Object:
    """Resources and fonts that belong to this page alone, so that a font put there is put nowhere else."""
    entries = _entries(_resources_of(target.obj))
    # A font of ours is from an earlier export, and its text is gone.
    fonts = {
        name: font
        for name, font in _entries(entries.get("/Font")).items()
        if not isinstance(font, Dictionary) or font.get("/BaseFont") != Name(f"/{FONT_NAME}")
    }
    own = pdf.make_indirect(Dictionary({**entries, "/Font": Dictionary(fonts)}))
    target.obj.Resources = own
    return own


def _entries(held: object) -> dict[str, pikepdf.Object]:
    return {str(key): value for key, value in held.items()} if isinstance(held, Dictionary) else {}


def _free_name(fonts: pikepdf.Object) -> str:
    name = FONT_NAME
    while f"/{name}" in fonts:
        name += "X"
    return name


def _balance(target: pikepdf.Page) -> tuple[int, int]:
    """How often the graphics state must be saved before the page's contents and restored after them, so that what
    follows begins as on a fresh page: contents may save without restoring, and the other way round.
    """
    depth = lowest = 0
    for instruction in _instructions(target, "q Q"):
        depth += 1 if str(instruction.operator) == "q" else -1
        lowest = min(lowest, depth)
    return 1 - lowest, depth + 1 - lowest


def _instructions(holder: pikepdf.Page | pikepdf.Object, operators: str = "") -> _Instructions:
    """The contents as instructions; none where they can't be read, for viewers may still make something of them."""
    try:
        return list(pikepdf.parse_content_stream(holder, operators))
    except pikepdf.PdfError:
        return []


@dataclass(slots=True)
class _TextObject:
    """One BT … ET: where it begins, and which of its instructions show text."""

    start: int
    showing: list[int]
    is_seen: bool = False


def _without_unseen(holder: pikepdf.Page | pikepdf.Object) -> bytes | None:
    """The contents without text that nobody sees; None if there is none.

    A text object goes as a whole or stays: where seen and unseen text share one, the place of one may depend on the
    other.
    """
    # Most pages have no such text, and drawings may have a million instructions.
    if not any(_mode(one) == _UNSEEN for one in _instructions(holder, "Tr")):
        return None
    instructions = _instructions(holder)
    mode, saved = 0, []
    current: _TextObject | None = None
    dropped: set[int] = set()
    for at, instruction in enumerate(instructions):
        operator = str(instruction.operator)
        if operator == "q":
            saved.append(mode)
        elif operator == "Q" and saved:
            mode = saved.pop()
        elif operator == "Tr":
            mode = _mode(instruction)
        elif operator == "BT":
            current = _TextObject(at, [])
        elif operator == "ET" and current is not None:
            dropped.update(() if current.is_seen else current.showing)
            current = None
        elif operator in _SHOWING and current is not None:
            current.showing.append(at)
            current.is_seen = current.is_seen or mode != _UNSEEN
    if not dropped:
        return None
    return pikepdf.unparse_content_stream([one for at, one in enumerate(instructions) if at not in dropped])


def _mode(instruction: pikepdf.ContentStreamInstruction | pikepdf.ContentStreamInlineImage) -> int:
    """The text render mode that an instruction Tr sets."""
    operands = list(instruction.operands)
    return int(cast("int", operands[0])) if operands else 0
