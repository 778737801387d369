"""A searchable PDF of images: each page its image and, unseen over it, its text. Written page by page."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import diffdesk
from diffdesk.documents.exports.pdf_writer import PdfWriter, text_string
from diffdesk.documents.exports.picture import Picture, picture_of
from diffdesk.documents.exports.text_layer import (
    ASCENT,
    DESCENT,
    FONT_NAME,
    Codes,
    deflated,
    number,
    text_layer,
)
from diffdesk.documents.recognised_page import RecognisedPage
from diffdesk.paths import resource_dir


def font_data() -> bytes:
    """The font whose glyphs are empty; see ``packaging/make_invisible_font.py``."""
    return (resource_dir() / "fonts" / "invisible.ttf").read_bytes()


class ImagePdf:
    """A PDF in the making.

    Args:
        file: open for writing, and empty.
        title: for the viewer's window.
    """

    def __init__(self, file: BinaryIO, title: str) -> None:
        self._writer = PdfWriter(file)
        self._title = title
        self._codes = Codes()
        self._tree = self._writer.reserve()
        self._font = self._writer.reserve()
        self._pages: list[int] = []
        self._profiles: dict[bytes, int] = {}

    def add(self, page: RecognisedPage, image: Path) -> None:
        """Writes a page; raises `ImageError` if its image can't be read."""
        picture = picture_of(image, page.turned)
        write = self._writer
        drawn = write.add_stream(f"{picture.entries} /ColorSpace {self._colours(picture)}", picture.data)
        a, b, c, d, e, f = picture.matrix
        width, height = picture.width, picture.height
        matrix = (a * width, b * height, c * width, d * height, e * width, f * height)
        scale = (width / max(page.width, 1), 0.0, 0.0, height / max(page.height, 1), 0.0, 0.0)
        content = f"q {' '.join(number(one) for one in matrix)} cm /Picture Do Q\n".encode("ascii")
        content += text_layer(page, scale, self._codes, FONT_NAME)
        stream = write.add_stream("/Filter /FlateDecode", deflated(content))
        resources = f"<< /XObject << /Picture {drawn} 0 R >> /Font << /{FONT_NAME} {self._font} 0 R >> >>"
        box = f"[0 0 {number(width)} {number(height)}]"
        body = f"/Type /Page /Parent {self._tree} 0 R /MediaBox {box} /Resources {resources} /Contents {stream} 0 R"
        self._pages.append(write.add(f"<< {body} >>"))

    def _colours(self, picture: Picture) -> str:
        """The picture's colour space; a profile is written once for all pages that have it."""
        if picture.profile is None:
            return f"/{picture.colours}"
        if picture.profile not in self._profiles:
            entries = f"/N {3 if picture.colours == 'DeviceRGB' else 1} /Alternate /{picture.colours}"
            data = deflated(picture.profile)
            self._profiles[picture.profile] = self._writer.add_stream(f"{entries} /Filter /FlateDecode", data)
        return f"[/ICCBased {self._profiles[picture.profile]} 0 R]"

    def finish(self) -> None:
        """Writes what all pages share; the file is complete then."""
        write = self._writer
        self._add_font()
        kids = " ".join(f"{page} 0 R" for page in self._pages)
        write.add(f"<< /Type /Pages /Count {len(self._pages)} /Kids [{kids}] >>", self._tree)
        shown = "<< /DisplayDocTitle true >>"
        catalog = write.add(f"<< /Type /Catalog /Pages {self._tree} 0 R /ViewerPreferences {shown} >>")
        producer = text_string(f"DiffDesk {diffdesk.__version__}")
        info = write.add(f"<< /Title {text_string(self._title)} /Producer {producer} >>")
        write.finish(catalog, info)

    def _add_font(self) -> None:
        write, tables = self._writer, self._codes.tables()
        compressed = "/Filter /FlateDecode"
        data = font_data()
        file = write.add_stream(f"{compressed} /Length1 {len(data)}", deflated(data))
        measures = f"/FontBBox [0 {DESCENT} 1000 {ASCENT}] /ItalicAngle 0 /Ascent {ASCENT} /Descent {DESCENT}"
        named = f"/Type /FontDescriptor /FontName /{FONT_NAME} /Flags 4"
        descriptor = write.add(f"<< {named} {measures} /CapHeight {ASCENT} /StemV 80 /FontFile2 {file} 0 R >>")
        glyphs = write.add_stream(compressed, deflated(tables.glyph_of))
        widths = " ".join(str(one) for one in tables.widths)
        system = "/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >>"
        named = f"/Type /Font /Subtype /CIDFontType2 /BaseFont /{FONT_NAME} {system}"
        tables_of = f"/CIDToGIDMap {glyphs} 0 R /DW 500 /W [1 [{widths}]]"
        inner = write.add(f"<< {named} /FontDescriptor {descriptor} 0 R {tables_of} >>")
        unicode = write.add_stream(compressed, deflated(tables.to_unicode))
        named = f"/Type /Font /Subtype /Type0 /BaseFont /{FONT_NAME} /Encoding /Identity-H"
        write.add(f"<< {named} /DescendantFonts [{inner} 0 R] /ToUnicode {unicode} 0 R >>", self._font)
