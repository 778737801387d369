"""The one style sheet of the application, made from a theme and a zoom.

Widgets choose a look by the dynamic property `kind`, never by a style sheet of their own:

- `QPushButton`: none (outlined), `primary`, `quiet` (text only), `danger`.
- `QToolButton`: quiet by nature; `chip` for the round chips of the header, `outlined`, `fold`, `split` (with a menu).
- `QLabel`: `muted`, `title`, `heading`, `small`, `danger`, `warning`, `ok`.
- `QFrame`: `card`, `field`, `bar`, `foot`, `sidebar`, `side` (a sidebar without its edge),
  `danger`, `warning`, `info`, `line`, `toast`, `user`, `thought`.
- `QWidget`/`QScrollArea` with `kind="page"`: the surface one reads on.

Knows only `Theme`; sizes follow the 8-pixel grid at the given zoom.
"""

from __future__ import annotations

from string import Template

from diffdesk.ui.colours import AAA, Theme, blend, contrast
from diffdesk.ui.icons import control_file

_BASE = """
QWidget { color: $text; }
QMainWindow, QDialog { background: $window; }
QWidget[kind="page"], QScrollArea[kind="page"] { background: $surface; border: none; }
QScrollArea, QAbstractScrollArea[kind="bare"] { background: transparent; border: none; }
QToolTip { background: $raised; color: $text; border: 1px solid $border; padding: ${g05}px ${g1}px; }

QFrame[kind="card"] { background: $raised; border: 1px solid $border; border-radius: ${r}px; }
QFrame[kind="field"] { background: $raised; border: 1px solid $border_strong; border-radius: ${r}px; }
QFrame[kind="field"][focused="true"] { border: 2px solid $accent; }
QFrame[kind="bar"] { background: $window; border: none; border-bottom: 1px solid $border; }
QFrame[kind="foot"] { background: $window; border: none; border-top: 1px solid $border; }
QFrame[kind="sidebar"] { background: $window; border: none; border-right: 1px solid $border; }
QFrame[kind="side"] { background: $window; border: none; }
QFrame[kind="user"] { background: $accent_soft; border: none; border-radius: ${r}px; }
QFrame[kind="danger"] { background: $danger_soft; border: none; border-left: 3px solid $danger; }
QFrame[kind="warning"] { background: $warning_soft; border: none; border-left: 3px solid $warning; }
QFrame[kind="info"] { background: $accent_soft; border: none; border-left: 3px solid $accent; }
QFrame[kind="thought"] { background: transparent; border: none; border-left: 2px solid $thought; }
QFrame[kind="toast"] { background: $text; border: none; border-radius: ${r}px; }
QFrame[kind="toast"] QPushButton { color: $surface; background: transparent; border: 1px solid $surface; }
QFrame[kind="line"] { background: $border; border: none; max-height: 1px; }

/* A label is a frame to Qt: these come after the frames, and take back what those set. */
QLabel, QLabel[kind="danger"], QLabel[kind="warning"] { background: transparent; border: none; }
QLabel[kind="muted"] { color: $text_muted; }
QLabel[kind="small"] { color: $text_muted; font-size: ${small}pt; }
QLabel[kind="title"] { font-size: ${title}pt; font-weight: 600; }
QLabel[kind="heading"] { font-size: ${heading}pt; font-weight: 600; }
QLabel[kind="danger"] { color: $danger; }
QLabel[kind="warning"] { color: $warning; }
QLabel[kind="ok"] { color: $ok; }
QFrame[kind="toast"] QLabel { color: $surface; }
"""

_BUTTONS = """
QPushButton {
    background: $raised; color: $text; border: 1px solid $border_strong; border-radius: ${r}px;
    padding: ${g05}px ${g15}px; min-height: ${g25}px;
}
QPushButton:hover { background: $hover; }
QPushButton:pressed { background: $border; }
QPushButton:disabled { color: $text_muted; border-color: $border; background: $window; }
QPushButton:focus { border: 2px solid $accent; padding: ${g05m}px ${g15m}px; }
QPushButton[kind="primary"] { background: $accent; color: $accent_text; border: 1px solid $accent; font-weight: 600; }
QPushButton[kind="primary"]:hover { background: $accent_hover; border-color: $accent_hover; }
QPushButton[kind="primary"]:focus { border: 2px solid $text; }
QPushButton[kind="primary"]:disabled { background: $hover; color: $text_muted; border-color: $hover; }
QPushButton[kind="quiet"] { background: transparent; border: 1px solid transparent; color: $text; }
QPushButton[kind="quiet"]:hover { background: $hover; }
QPushButton[kind="quiet"]:focus { border: 2px solid $accent; }
QPushButton[kind="quiet"]:checked { background: $accent_soft; color: $accent; }
QPushButton[kind="danger"] { color: $danger; border-color: $danger; }
QPushButton[kind="danger"]:hover { background: $danger_soft; }
QPushButton:checked { background: $accent_soft; color: $accent; border-color: $accent; }

QToolButton {
    background: transparent; color: $text; border: 1px solid transparent; border-radius: ${r}px;
    padding: ${g05}px; min-width: ${g25}px; min-height: ${g25}px;
}
QToolButton:hover { background: $hover; }
QToolButton:pressed { background: $border; }
QToolButton:checked { background: $accent_soft; color: $accent; }
QToolButton:focus { border: 2px solid $accent; padding: ${g05m}px; }
QToolButton:disabled { color: $text_muted; }
QToolButton::menu-indicator { image: none; width: 0; }
QToolButton[kind="fold"] {
    color: $text_muted; padding: ${g025}px ${g05}px ${g025}px 0; min-width: 0; min-height: ${g2}px;
}
QToolButton[kind="fold"]:checked { background: transparent; color: $text; }
QToolButton[kind="fold"]:hover { background: $hover; color: $text; }
QToolButton[kind="fold"]:focus { padding: ${g025m}px ${g05m}px ${g025m}px 0; }
QToolButton[kind="chip"], QToolButton[kind="outlined"] {
    background: $raised; border: 1px solid $border; padding: ${g05}px ${g15}px;
}
QToolButton[kind="chip"] { border-radius: ${pill}px; }
QToolButton[kind="chip"]:hover, QToolButton[kind="outlined"]:hover { background: $hover; }
QToolButton[kind="chip"]:focus, QToolButton[kind="outlined"]:focus {
    border: 2px solid $accent; padding: ${g05m}px ${g15m}px;
}
QToolButton[kind="chip"]:checked, QToolButton[kind="outlined"]:checked {
    background: $accent_soft; border-color: $accent;
}
QToolButton[kind="split"] {
    background: $raised; border: 1px solid $border_strong; padding: ${g05}px ${g3}px ${g05}px ${g1}px;
}
QToolButton[kind="split"]:hover { background: $hover; }
QToolButton[kind="split"]:focus { border: 2px solid $accent; padding: ${g05m}px ${g3m}px ${g05m}px ${g1m}px; }
QToolButton[kind="split"]::menu-button {
    width: ${g25}px; border: none; border-left: 1px solid $border; background: transparent;
    border-top-right-radius: ${r}px; border-bottom-right-radius: ${r}px;
}
QToolButton[kind="split"]::menu-button:hover { background: $border; }
QToolButton[kind="split"]::menu-arrow { image: url("$chevron"); width: ${g15}px; height: ${g15}px; }
"""

_FIELDS = """
QLineEdit, QSpinBox, QDoubleSpinBox, QComboBox, QPlainTextEdit, QTextEdit {
    background: $raised; color: $text; border: 1px solid $border_strong; border-radius: ${r}px;
    padding: ${g05}px ${g1}px; selection-background-color: $selection; selection-color: $text;
}
QLineEdit, QSpinBox, QDoubleSpinBox, QComboBox { min-height: ${g25}px; }
QLineEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus, QComboBox:focus, QPlainTextEdit:focus, QTextEdit:focus {
    border: 2px solid $accent; padding: ${g05m}px ${g1m}px;
}
QLineEdit:disabled, QSpinBox:disabled, QDoubleSpinBox:disabled, QComboBox:disabled {
    color: $text_muted; border-color: $border; background: $window;
}
QLineEdit[kind="bare"], QPlainTextEdit[kind="bare"], QTextEdit[kind="bare"], QTextBrowser {
    background: transparent; border: none; padding: 0;
}
QTextBrowser { selection-background-color: $selection; selection-color: $text; }
QLineEdit[kind="title"] {
    background: transparent; border: 1px solid transparent; font-weight: 600; padding: ${g05}px ${g1}px;
}
QLineEdit[kind="title"]:hover { border-color: $border; }
QLineEdit[kind="title"]:focus { border: 2px solid $accent; background: $raised; }
QComboBox::drop-down { border: none; width: ${g3}px; }
QComboBox::down-arrow { image: url("$chevron"); width: ${g2}px; height: ${g2}px; }
QComboBox QAbstractItemView {
    background: $raised; border: 1px solid $border; selection-background-color: $accent_soft;
    selection-color: $text; outline: none; padding: ${g05}px;
}
QSpinBox::up-button, QSpinBox::down-button, QDoubleSpinBox::up-button, QDoubleSpinBox::down-button {
    width: ${g2}px; border: none; background: transparent;
}
QSpinBox::up-button:hover, QSpinBox::down-button:hover,
QDoubleSpinBox::up-button:hover, QDoubleSpinBox::down-button:hover { background: $hover; }
QSpinBox::up-arrow, QDoubleSpinBox::up-arrow { image: url("$chevron_up"); width: ${g15}px; height: ${g15}px; }
QSpinBox::down-arrow, QDoubleSpinBox::down-arrow { image: url("$chevron"); width: ${g15}px; height: ${g15}px; }
QCheckBox, QRadioButton { spacing: ${g1}px; background: transparent; }
QCheckBox::indicator, QRadioButton::indicator {
    width: ${g2}px; height: ${g2}px; background: $raised; border: 1px solid $border_strong; border-radius: ${r05}px;
}
QRadioButton::indicator { border-radius: ${radio_round}px; }
QCheckBox::indicator:checked { background: $accent; border-color: $accent; image: url("$check"); }
QRadioButton::indicator:checked {
    background: $accent_text; border: ${g05}px solid $accent; width: ${radio}px; height: ${radio}px;
}
QCheckBox::indicator:focus, QRadioButton::indicator:focus { border: 2px solid $accent; }
QRadioButton::indicator:checked:focus { border: ${g05}px solid $accent; }
QCheckBox:focus, QRadioButton:focus { color: $accent; }
QSlider::groove:horizontal { height: ${g05}px; background: $border; border-radius: ${g025}px; }
QSlider::sub-page:horizontal { background: $accent; border-radius: ${g025}px; }
QSlider::handle:horizontal {
    background: $raised; border: 2px solid $accent; width: ${g15}px; height: ${g15}px;
    margin: -${g075}px 0; border-radius: ${g1}px;
}
QSlider::handle:horizontal:hover { background: $accent_soft; }
QSlider:focus { border: 2px solid $accent; border-radius: ${r05}px; }
QProgressBar {
    background: $border; border: none; border-radius: ${g025}px; min-height: ${g05}px; max-height: ${g05}px;
    color: transparent;
}
QProgressBar::chunk { background: $accent; border-radius: ${g025}px; }
"""

_LISTS = """
QMenu { background: $raised; border: 1px solid $border; padding: ${g05}px; border-radius: ${r05}px; }
QMenu { icon-size: ${g2}px; }
QMenu::item { padding: ${g075}px ${g3}px ${g075}px ${g15}px; border-radius: ${r05}px; }
QMenu::item:selected { background: $accent_soft; color: $text; }
QMenu::item:disabled { color: $text_muted; }
QMenu::separator { height: 1px; background: $border; margin: ${g05}px ${g1}px; }
QMenu::icon { padding-left: ${g1}px; }
QAbstractItemView { background: $surface; border: none; outline: none; alternate-background-color: $window; }
QListView[kind="sidebar"], QTreeView[kind="sidebar"], QListWidget[kind="sidebar"] { background: transparent; }
QListView::item, QListWidget::item { padding: ${g075}px ${g1}px; border-radius: ${r05}px; color: $text; }
QListView::item:hover, QListWidget::item:hover { background: $hover; }
QListView::item:selected, QListWidget::item:selected { background: $accent_soft; color: $text; }
QListView::item:focus, QListWidget::item:focus { border: 2px solid $accent; }
QHeaderView::section { background: $window; color: $text_muted; border: none; padding: ${g05}px ${g1}px; }
QScrollBar:vertical { background: transparent; width: ${g15}px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: ${g15}px; margin: 0; }
QScrollBar::handle { background: $border_strong; border-radius: ${g025}px; margin: ${g05}px; }
QScrollBar::handle:vertical { min-height: ${g4}px; }
QScrollBar::handle:horizontal { min-width: ${g4}px; }
QScrollBar::handle:hover { background: $text_muted; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QSplitter::handle { background: $border; }
QTabBar::tab {
    background: transparent; color: $text_muted; padding: ${g05}px ${g15}px; border-bottom: 2px solid transparent;
}
QTabBar::tab:selected { color: $text; border-bottom-color: $accent; }
QTabBar::tab:focus { color: $accent; }
QTabWidget::pane { border: none; border-top: 1px solid $border; }
"""

_TEMPLATE = Template(_BASE + _BUTTONS + _FIELDS + _LISTS)


def build_stylesheet(theme: Theme, zoom: float, body_points: float) -> str:
    """The style sheet for `theme`; `zoom` scales the grid, `body_points` is the size of body text in points."""
    values = {name: getattr(theme, name) for name in Theme.__dataclass_fields__}
    for step in (0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 4):
        values["g" + f"{step:g}".replace(".", "")] = round(8 * step * zoom)
    # A focus ring is one pixel thicker than a border: the padding gives that pixel back, so nothing moves.
    for step in (0.25, 0.5, 1, 1.5, 3):
        values["g" + f"{step:g}".replace(".", "") + "m"] = round(8 * step * zoom) - 1
    values.update(
        r=round(8 * zoom),
        r05=round(4 * zoom),
        pill=round(14 * zoom),
        radio=round(8 * zoom) + 2,  # with its thick border as large as with the thin one
        radio_round=round(8 * zoom) + 1,
        small=f"{body_points * 0.88:.2f}",
        title=f"{body_points * 1.5:.2f}",
        heading=f"{body_points * 1.15:.2f}",
        accent_hover=blend(theme.text, theme.accent, 0.14),
        chevron=control_file("chevron-down", "paper" if theme.is_dark else "ink"),
        chevron_up=control_file("chevron-up", "paper" if theme.is_dark else "ink"),
        check=control_file("check", "paper" if contrast(theme.accent_text, "#000000") > AAA else "ink"),
    )
    return _TEMPLATE.substitute(values)
