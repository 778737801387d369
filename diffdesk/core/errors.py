"""The one tree of errors.

    DiffDeskError
    ├── UserError                 the user can act on it: title, text, remedy
    │   ├── CheckpointError       a model folder or file can't be used
    │   ├── ImageError            an image, or a page of a document, can't be read
    │   ├── PromptError           a request can't be sent as it is (empty, too long, can't see images)
    │   ├── SettingError          a setting's value is out of its range
    │   ├── StoreError            what the program keeps can't be read or written
    │   ├── TableError            a table can't be read or written
    │   ├── RecogniserError       the text recogniser failed
    │   ├── ExportError           a corrected document can't be written
    │   └── EngineError           the engine process died, ran out of memory or doesn't answer
    └── ProtocolError             the two ends of a pipe disagree: a bug
    Cancelled                     neither an error nor a success; never shown

Whatever is none of these is a bug and is shown with a copyable report. This module knows nothing of Qt,
of files or of processes.
"""

from __future__ import annotations

from typing import ClassVar


class DiffDeskError(Exception):
    """Base of every error that DiffDesk raises on purpose."""


class ProtocolError(DiffDeskError):
    """A frame that can't be understood: the two ends of a pipe are of different versions, or a bug."""


class Cancelled(Exception):
    """The user stopped a task. Neither an error nor a success."""


class UserError(DiffDeskError):
    """Something that the user can act on.

    Args:
        title: what happened, a few words, no full stop.
        text: what it means, one or two sentences.
        remedy: what to do, one sentence; may be empty when the text says it.
        details: technical lines for the copyable report.
    """

    kind: ClassVar[str] = "user"

    def __init__(self, title: str, text: str, remedy: str = "", details: str = "") -> None:
        super().__init__(f"{title}: {text}")
        self.title = title
        self.text = text
        self.remedy = remedy
        self.details = details

    def to_wire(self) -> dict[str, str]:
        """The error as plain strings, fit for JSON; `from_wire` makes the same class again."""
        return {
            "kind": self.kind,
            "title": self.title,
            "text": self.text,
            "remedy": self.remedy,
            "details": self.details,
        }

    @staticmethod
    def from_wire(data: dict[str, str]) -> UserError:
        """The error that `to_wire` described; an unknown kind becomes a plain `UserError`."""
        family = {one.kind: one for one in _descendants(UserError)}
        made = family.get(data.get("kind", ""), UserError)
        return made(data.get("title", ""), data.get("text", ""), data.get("remedy", ""), data.get("details", ""))

    def plain(self) -> str:
        """Title, text and remedy as lines for a terminal."""
        return "\n".join(part for part in (f"{self.title}.", self.text, self.remedy) if part)


class CheckpointError(UserError):
    """A model folder or file can't be used."""

    kind = "checkpoint"


class ImageError(UserError):
    """An image, or a page of a document, can't be read."""

    kind = "image"


class PromptError(UserError):
    """A request can't be sent as it is."""

    kind = "prompt"


class SettingError(UserError):
    """A setting's value is out of its range."""

    kind = "setting"


class StoreError(UserError):
    """What the program keeps can't be read or written."""

    kind = "store"


class TableError(UserError):
    """A table can't be read or written."""

    kind = "table"


class RecogniserError(UserError):
    """The text recogniser failed."""

    kind = "recogniser"


class ExportError(UserError):
    """A corrected document can't be written."""

    kind = "export"


class EngineError(UserError):
    """The engine process died, ran out of memory or doesn't answer."""

    kind = "engine"


def _descendants(cls: type[UserError]) -> list[type[UserError]]:
    found: list[type[UserError]] = [cls]
    for child in cls.__subclasses__():
        found.extend(_descendants(child))
    return found
