"""Starts the window: one application object, one profile lock, the window first, the rest once it is seen."""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import sys
import time
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication, QMessageBox

from diffdesk import __version__
from diffdesk.core.errors import StoreError, UserError
from diffdesk.logs import watch_faults
from diffdesk.paths import Places, resource_dir
from diffdesk.ui.main_window import MainWindow
from diffdesk.ui.theme import ThemeKeeper
from diffdesk.workers.instance import SingleInstance

if TYPE_CHECKING:
    from diffdesk.ui.controller import Controller

log = logging.getLogger(__name__)
NO_SCREEN = (
    "There is no screen to open a window on.\n"
    "Start DiffDesk in a desktop session, or use it without a window: diffdesk ask --help."
)
START_REPORT_VARIABLE = "DIFFDESK_START_REPORT"  # for `diffdesk bench window`: print how the start went, then quit


@dataclass(frozen=True, slots=True)
class Program:
    """The window and what is behind it."""

    window: MainWindow
    controller: Controller
    themes: ThemeKeeper


def make_application() -> QApplication:
    """The application object, made once in a process."""
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    application = QApplication(sys.argv[:1])
    application.setApplicationName("DiffDesk")
    application.setApplicationVersion(__version__)
    application.setDesktopFileName("diffdesk")
    application.setWindowIcon(QIcon(str(resource_dir() / "icons" / "diffdesk.svg")))
    return application


def build_window() -> tuple[MainWindow, ThemeKeeper]:
    """The window alone, not shown yet."""
    themes = ThemeKeeper()
    themes.apply(make_application())
    return MainWindow(themes), themes


def _join(window: MainWindow, themes: ThemeKeeper, places: Places) -> Program:
    """The window and what is behind it; that is imported only now, so that the window is seen first."""
    from diffdesk.ui.controller import Controller

    return Program(window, Controller(window, themes, places), themes)


def build_program(places: Places) -> Program:
    """The window, not shown yet, and its controller, not started yet."""
    window, themes = build_window()
    return _join(window, themes, places)


def run_window(places: Places) -> int:
    """Open the window and return the program's exit code when it is closed."""
    if not has_screen():
        print(NO_SCREEN, file=sys.stderr)
        return 2
    application = make_application()
    instance = SingleInstance(places.data)
    if not instance.acquire():
        return _hand_over(instance, places)
    left_by_crash = watch_faults(places.logs, "window")
    if left_by_crash:
        log.warning("the last run ended in native code:\n%s", left_by_crash)
    window, themes = build_window()
    window.show()
    if os.environ.get(START_REPORT_VARIABLE):
        QTimer.singleShot(0, lambda: _report_start(application))
    else:
        QTimer.singleShot(0, lambda: _go_on(application, instance, _join(window, themes, places)))
    application.setQuitOnLastWindowClosed(False)
    code = application.exec()
    instance.release()
    return code


def _go_on(application: QApplication, instance: SingleInstance, program: Program) -> None:
    """Everything after the window is on the screen."""
    _catch_bugs(program)
    instance.raised.connect(lambda: _come_forward(program.window))
    program.controller.closed.connect(application.quit)
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, lambda *_: QTimer.singleShot(0, program.window.close))
    gc.freeze()  # what stands now stays: a full collection need not walk it in the middle of an animation
    program.controller.start()


def has_screen() -> bool:
    """Whether a window can be shown; Qt would end the process where it can't."""
    if sys.platform != "linux" or os.environ.get("QT_QPA_PLATFORM"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def show_refusal(error: UserError) -> None:
    """A box for an error that keeps the window from opening at all; nothing where there is no screen."""
    if not has_screen():
        return
    make_application()
    box = QMessageBox(QMessageBox.Icon.Critical, "DiffDesk", error.title)
    box.setInformativeText(f"{error.text}\n\n{error.remedy}")
    box.setDetailedText(error.details)
    if os.environ.get("QT_QPA_PLATFORM") != "offscreen":
        box.exec()


def _hand_over(instance: SingleInstance, places: Places) -> int:
    if instance.ask_other():
        print("DiffDesk is already open with this profile; its window was brought forward.", file=sys.stderr)
        return 0
    error = StoreError(
        "The profile is in use",
        f"Another DiffDesk works in {places.data} but doesn't answer.",
        "Close it, or end its process, or start with --data-dir FOLDER to use another profile.",
    )
    print(error.plain(), file=sys.stderr)
    show_refusal(error)
    return 2


def _come_forward(window: MainWindow) -> None:
    window.setWindowState(window.windowState() & ~window.windowState().WindowMinimized)
    window.show()
    window.raise_()
    window.activateWindow()


def _catch_bugs(program: Program) -> None:
    """What nobody caught reaches the user with a copyable report instead of ending the program."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, Exception):
            program.controller.show_bug(error)
        else:
            sys.__excepthook__(kind, error, trace)

    sys.excepthook = hook


def _report_start(application: QApplication) -> None:
    """Print milliseconds since the process began and whether a model library was imported; then quit."""
    now = time.time()
    import psutil

    process = psutil.Process()
    report = {
        "cold_start_ms": round((now - process.create_time()) * 1000),
        "resident_bytes": process.memory_info().rss,
        "model_libraries": sorted({"torch", "transformers", "llama_cpp"} & set(sys.modules)),
    }
    print(json.dumps(report))
    application.quit()
