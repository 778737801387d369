"""What the recogniser's two ends say to each other arrives unchanged; frames themselves are tested with the core."""

from __future__ import annotations

import io
import os

from diffdesk.documents.child_pipe import read_frame, write_frame
from diffdesk.documents.recognised_page import RecognisedLine, RecognisedPage, RecognisedWord


def test_a_file_name_that_is_no_text_survives() -> None:
    name = os.fsdecode(b"caf\xe9.png")
    stream = io.BytesIO()
    write_frame(stream, {"path": name})
    stream.seek(0)
    assert read_frame(stream) == {"path": name}


def test_a_page_crosses_the_pipe_unchanged() -> None:
    word = RecognisedWord("naïve", (1, 2, 30, 40), 0.5)
    lines = (RecognisedLine("naïve", (1, 2, 30, 40), 0.5, (word,)), RecognisedLine("“end”", (1, 50, 9, 60), 1.0, (), 1))
    page = RecognisedPage(100, 200, lines, 180)
    stream = io.BytesIO()
    write_frame(stream, {"page": page.to_wire()})
    stream.seek(0)
    frame = read_frame(stream)
    assert frame == {"page": page.to_wire()}
    assert RecognisedPage.from_wire(page.to_wire()) == page
    assert page.text == "naïve\n\n“end”"
    assert RecognisedPage(10, 10, ()).text == ""
    assert RecognisedPage(10, 10, ()).confidence == 0.0
