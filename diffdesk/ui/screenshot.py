"""A picture of a part of the screen: through the desktop's own portal where there is one, else of the whole screen.

The portal (https://flatpak.github.io/xdg-desktop-portal/, interface ``org.freedesktop.portal.Screenshot``) asks the
user what to take, and is the only way on Wayland. Hands over a file or nothing; knows nothing of what becomes of it.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import cast

from PySide6.QtCore import SLOT, QBuffer, QByteArray, QIODevice, QObject, QTimer, QUrl, Signal, Slot
from PySide6.QtDBus import QDBusConnection, QDBusMessage, QDBusPendingCallWatcher
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

_SERVICE, _PATH = "org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop"
_REQUEST, _SCREENSHOT = "org.freedesktop.portal.Request", "org.freedesktop.portal.Screenshot"
_ANSWER_MS = 5000  # for the portal to say that it has heard
_OUT_OF_SIGHT_MS = 300  # until the desktop has taken the window off the screen


class Screenshot(QObject):
    """Asks once. `taken(Path | bytes)` gives a file or PNG data; `refused(str)` says why there is none.

    Where the user leaves the desktop's question without an answer, nothing comes.
    """

    taken = Signal(object)
    refused = Signal(str)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window

    def take(self) -> None:
        """Ask the desktop, or take the screen that the window is on."""
        if sys.platform != "linux" or not self._ask_portal():
            self._without_portal()

    def _without_portal(self) -> None:
        if QGuiApplication.platformName().startswith("wayland"):
            self.refused.emit("This desktop lets no program take screenshots. Take one with its own tool and drop it.")
            return
        self._window.hide()
        QTimer.singleShot(_OUT_OF_SIGHT_MS, self, self._take_screen)

    def _ask_portal(self) -> bool:
        bus = QDBusConnection.sessionBus()
        if not bus.isConnected():
            return False
        token = f"diffdesk{uuid.uuid4().hex}"
        sender = bus.baseService().removeprefix(":").replace(".", "_")
        answer = f"{_PATH}/request/{sender}/{token}"
        # Listened for before it is asked for: the answer may be quicker than the reply to the call.
        slot = cast("bytes", SLOT("_on_response(uint,QVariantMap)"))  # PySide takes a string, and declares bytes
        if not bus.connect(_SERVICE, answer, _REQUEST, "Response", self, slot):
            return False
        call = QDBusMessage.createMethodCall(_SERVICE, _PATH, _SCREENSHOT, "Screenshot")
        call.setArguments(["", {"handle_token": token, "interactive": True}])
        watcher = QDBusPendingCallWatcher(bus.asyncCall(call, _ANSWER_MS), self)
        watcher.finished.connect(self._on_called)
        return True

    def _on_called(self, watcher: QDBusPendingCallWatcher) -> None:
        if watcher.isError():
            self._without_portal()

    @Slot("uint", "QVariantMap")
    def _on_response(self, code: int, results: dict[str, object]) -> None:
        """The desktop's answer: 0 where there is a picture, otherwise the user thought better of it."""
        uri = results.get("uri")
        if code == 0 and uri:
            self.taken.emit(Path(QUrl(str(uri)).toLocalFile()))

    def _take_screen(self) -> None:
        picture = self._window.screen().grabWindow(0)
        self._window.show()
        if picture.isNull():
            self.refused.emit("The screen could not be taken. Take a screenshot with the desktop's tool and drop it.")
            return
        data = QByteArray()
        buffer = QBuffer(data)
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        picture.save(buffer, "PNG")
        self.taken.emit(data.data())


def take_screenshot(
    window: QWidget, then: Callable[[Path | bytes], None], otherwise: Callable[[str], None]
) -> Screenshot:
    """Take one and hand it to `then`, or say to `otherwise` why that can't be."""
    asking = Screenshot(window)
    asking.taken.connect(then)
    asking.refused.connect(otherwise)
    asking.taken.connect(asking.deleteLater)
    asking.refused.connect(asking.deleteLater)
    asking.take()
    return asking
