"""One window for one profile: a lock file, and a local pipe by which a second start brings the first window forward.

The pipe is a local one of the operating system (a socket file or a named pipe), never the network.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from PySide6.QtCore import QLockFile, QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

_PATIENCE = 1000  # milliseconds


class SingleInstance(QObject):
    """Holds the profile's lock for as long as it lives."""

    raised = Signal()  # a second start asked for the window

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._name = "diffdesk-" + hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
        self._lock = QLockFile(str(folder / "window.lock"))
        self._lock.setStaleLockTime(0)  # a lock whose process is gone is taken over; one that lives never goes stale
        self._server: QLocalServer | None = None

    def acquire(self) -> bool:
        """Take the lock; False if another window has it."""
        if not self._lock.tryLock(0):
            return False
        QLocalServer.removeServer(self._name)
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._on_asked)
        self._server.listen(self._name)
        return True

    def ask_other(self) -> bool:
        """Ask the window that has the lock to come forward; True if it answered."""
        socket = QLocalSocket()
        socket.connectToServer(self._name)
        is_there = socket.waitForConnected(_PATIENCE)
        socket.disconnectFromServer()
        return is_there

    def release(self) -> None:
        """Let the lock go."""
        if self._server is not None:
            self._server.close()
        self._lock.unlock()

    def _on_asked(self) -> None:
        if self._server is not None:
            connection = self._server.nextPendingConnection()
            if connection is not None:
                connection.disconnected.connect(connection.deleteLater)
                connection.close()
        self.raised.emit()
