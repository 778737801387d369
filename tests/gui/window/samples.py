"""View objects for the tests of the window."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, SignalInstance
from PySide6.QtGui import QColor, QImage, QImageWriter

from diffdesk.core.messages import MessageState, Role
from diffdesk.core.parameters import SamplerDefaults
from diffdesk.core.requests import ModelInfo
from diffdesk.ui.views import ConversationView, ImageView, MessageView, ModelState, ModelView, Place

NOW = datetime(2026, 3, 3, 14, 2, tzinfo=UTC)


def message(
    number: int,
    text: str = "Some words of an answer.",
    role: Role = Role.ASSISTANT,
    state: MessageState = MessageState.COMPLETE,
    draft: str = "",
    thought: str = "",
) -> MessageView:
    return MessageView(number, role, text, NOW, state, thought=thought, draft=draft)


def mine(number: int, text: str = "A question?") -> MessageView:
    return message(number, text, Role.USER)


def talk(count: int, words: int = 60) -> list[MessageView]:
    """`count` messages, by turns, of very different lengths."""
    made = []
    for number in range(1, count + 1):
        text = " ".join(f"word{number}x{place}" for place in range(1 + (number * 37) % words))
        made.append(mine(number, text) if number % 2 else message(number, text))
    return made


def conversation(number: int, title: str, days: int = 0) -> ConversationView:
    return ConversationView(number, title, Place.CORRECT, datetime.now().astimezone() - timedelta(days=days))


def png(side: int = 40, colour: str = "#cc3311") -> bytes:
    picture = QImage(side, side, QImage.Format.Format_RGB32)
    picture.fill(QColor(colour))
    content = QByteArray()
    buffer = QBuffer(content)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    QImageWriter(buffer, QByteArray(b"png")).write(picture)
    buffer.close()
    return bytes(content.data())


def image(key: str = "a" * 64, name: str = "scan.png") -> ImageView:
    return ImageView(key, Path("nowhere") / name, name, 40, 40, png())


BLIND = "This file can't see images: it has no part for that."


def model(*, can_chat: bool = True, can_see: bool = False) -> ModelView:
    info = ModelInfo(
        name="Starter",
        path="starter-q8_0.gguf",
        backend="gguf",
        device="CPU, 2 threads",
        precision="Q8_0",
        parameters=9_000_000,
        canvas_length=256,
        context_length=8192,
        can_chat=can_chat,
        can_see_images=can_see,
        why_no_images="" if can_see else BLIND,
        defaults=SamplerDefaults(),
    )
    return ModelView(ModelState.READY, "Starter", info=info)


def collect(signal: SignalInstance) -> list[tuple[object, ...]]:
    """What a signal carries from now on."""
    caught: list[tuple[object, ...]] = []
    signal.connect(lambda *values: caught.append(values))
    return caught
