"""Every control can be reached with the keyboard and has a name that says what it does."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QWidget

from diffdesk.core.messages import Role
from diffdesk.ui.main_window import MainWindow
from diffdesk.ui.views import ErrorView, MessageView, Place
from tests.gui.window.samples import NOW, conversation, image, message, mine, model


def fill(window: MainWindow) -> None:
    window.set_model(model())
    window.show_conversations([conversation(1, "A"), conversation(2, "B")], 1)
    answer = MessageView(
        2, Role.ASSISTANT, "See [this](https://example.org).\n\n```python\nx = 1\n```", NOW, thought="hm", versions=2
    )
    views = [mine(1), answer, mine(3), message(4, "The cat.", draft="Tbe cat.")]
    window.show_conversation("A", Place.CHAT, views)
    window.add_composer_image(image())
    window.set_composer("text", (image(),))
    window.set_room(10, 100)
    window.show_banner(ErrorView("Title", "Text", details="x"), "error", [("Do it", lambda: None)])
    window.centre.find_bar.open_bar()
    window.stage.set_panel(True)


def stops(window: MainWindow) -> list[QWidget]:
    """Visible and enabled widgets that Tab may stop at."""
    policy = Qt.FocusPolicy.TabFocus
    return [
        one
        for one in window.findChildren(QWidget)
        if one.isVisible() and one.isEnabled() and one.focusPolicy() & policy and one.focusProxy() is None
    ]


def said(widget: QWidget) -> str:
    text = widget.text() if isinstance(widget, QAbstractButton) else ""
    return widget.accessibleName() or text.strip()


def test_every_stop_has_a_name_of_its_own(window: MainWindow) -> None:
    fill(window)
    found = stops(window)
    nameless = [type(one).__name__ for one in found if not said(one)]
    assert nameless == []
    # Each message has the same actions; everything else is named once.
    outside = [one for one in found if not window.transcript.isAncestorOf(one)]
    names = [said(one) for one in outside]
    assert sorted(set(names)) == sorted(names)


def test_every_button_of_an_icon_has_a_tooltip(window: MainWindow) -> None:
    fill(window)
    bare = [
        one
        for one in window.findChildren(QAbstractButton)
        if one.isVisible() and not one.text() and not one.icon().isNull()
    ]
    named = [one for one in bare if one.metaObject().className() != "QLineEditIconButton"]
    assert [said(one) for one in named if not one.toolTip()] == []


def test_tab_reaches_everything_and_comes_round(window: MainWindow) -> None:
    fill(window)
    window.composer.edit.setFocus()
    reached: set[QWidget] = set()
    for _ in range(150):
        focused = QApplication.focusWidget()
        assert focused is not None
        if focused in reached and focused is window.composer.edit:
            break
        reached.add(focused)
        QTest.keyClick(focused, Qt.Key.Key_Tab)
    main = [
        window.header.model_chip,
        window.header.more_button,
        window.header.title,
        window.sidebar.new_button,
        window.sidebar.search,
        window.sidebar.list,
        window.composer.edit,
        window.composer.send_button,
        window.composer.attach_button,
        window.composer.tray.buttons[0],
        window.panel.presets,
        window.centre.find_bar.field,
        window.transcript.widget_of(2),
        window.transcript.widget_of(4),
    ]
    assert [said(one) if one else "gone" for one in main if one not in reached] == []


def test_the_focus_can_be_seen(window: MainWindow) -> None:
    fill(window)
    widget = window.transcript.widget_of(3)
    assert widget is not None
    before = widget.grab().toImage()
    widget.setFocus(Qt.FocusReason.TabFocusReason)
    assert widget.grab().toImage() != before
