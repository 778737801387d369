"""What the application's style sheet leaves open: a few parts that only the main window has.

Applied to the window, on top of the application's own sheet. Knows only the theme.
"""

from __future__ import annotations

from diffdesk.ui.theme import Theme


def window_stylesheet(theme: Theme, zoom: float) -> str:
    """The additions for `theme`, their sizes at `zoom`."""
    return f"""
QFrame[kind="panel"] {{ background: {theme.window}; border: none; border-left: 1px solid {theme.border}; }}
QWidget#settingsBody, QWidget#tray {{ background: transparent; }}
QLineEdit QToolButton {{ min-width: 0; min-height: 0; padding: 0; border: none; background: transparent; }}
QLineEdit[invalid="true"] {{ border: 2px solid {theme.danger}; }}
QFrame#placeSwitch {{
    background: {theme.window}; border: 1px solid {theme.border}; border-radius: {round(8 * zoom)}px;
}}
QFrame#placeSwitch QPushButton {{ padding: {round(3 * zoom)}px {round(9 * zoom)}px; }}
QPushButton#fold {{
    background: transparent; border: 1px solid transparent; padding-left: 0; color: {theme.text_muted};
}}
QPushButton#fold:hover {{ color: {theme.text}; }}
QPushButton#fold:focus {{ border: 2px solid {theme.accent}; }}
QFrame#composer {{ background: transparent; border: none; }}
"""
