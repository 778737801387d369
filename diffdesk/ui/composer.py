"""Where one writes: a field that grows, images with thumbnails, the place, the room that is left, Send or Stop.

It says what the user wants to send and what was offered to it; whether an image is any good is decided elsewhere.
Knows nothing of the conversation beyond the user's earlier prompts.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from diffdesk.ui.buttons import IconButton
from diffdesk.ui.composer_edit import ComposerEdit
from diffdesk.ui.composer_notice import ComposerNotice
from diffdesk.ui.composer_parts import ImageTray, RoomMeter
from diffdesk.ui.icons import icon
from diffdesk.ui.message_parts import label
from diffdesk.ui.theme import Theme, ThemeKeeper
from diffdesk.ui.views import ImageView, Place

DRAFT_PAUSE_MS = 400
"""A draft is reported this long after the last key."""

TIGHT = 400
"""Pixels at 100 % below which the controls say less."""

PLACEHOLDERS = {
    Place.CORRECT: "Paste noisy text, or drop an image of text",
    Place.CHAT: "Write a message, or drop an image",
}
SHORT_PLACEHOLDERS = {Place.CORRECT: "Text or image", Place.CHAT: "Message"}
PLACE_NAMES = {Place.CORRECT: "Correct", Place.CHAT: "Chat"}
PLACE_HELP = {
    Place.CORRECT: "Gives back your text, or the text of an image, with its errors corrected.",
    Place.CHAT: "Answers what you ask.",
}
CHAT_HINT = "The starter model corrects text. For chat, open a GGUF file or a folder of DiffusionGemma."
SENT_AS_TEXT = "If you send it, only the text found in it goes to the model."
READING = "Reading the text of the image …"


class Composer(QFrame):
    """The lower edge of the window.

    Signals: `sent(place, text, images)`; `images_offered(list)` of paths and PNG bytes; `image_text_requested(images)`
    to have their text instead of them; the others say it by their names.
    """

    sent = Signal(str, str, object)
    stop_requested = Signal()
    images_offered = Signal(object)
    image_removed = Signal(str)
    draft_changed = Signal(str)
    attach_requested = Signal()
    place_changed = Signal(str)
    image_text_requested = Signal(object)
    image_text_stopped = Signal()

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._place = Place.CORRECT
        self._is_busy = False
        self._is_tight = False
        self._can_chat = True
        self._why_blind = ""
        self._is_reading = False
        self.setObjectName("composer")
        self.edit = ComposerEdit()
        self.tray = ImageTray(themes)
        self.room = RoomMeter(themes)
        self.attach_button = IconButton("image-plus", "Add an image")
        self.send_button = QPushButton("Send")
        self.hint = label("", "small", is_wrapped=True)
        self.notice = ComposerNotice(themes)
        self._places = QButtonGroup(self)
        self._place_buttons: dict[Place, QPushButton] = {}
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(DRAFT_PAUSE_MS)
        self._build()
        self._connect()
        self._dress(themes.theme)
        self.set_place(Place.CORRECT)
        self._refresh()

    # --- what is shown --------------------------------------------------------------------------------

    @property
    def place(self) -> Place:
        """What is sent is for this place."""
        return self._place

    @property
    def text(self) -> str:
        """What is written at the moment."""
        return self.edit.toPlainText()

    @property
    def images(self) -> tuple[ImageView, ...]:
        """The images that would be sent."""
        return self.tray.images

    def set_place(self, place: Place) -> None:
        """Show the place; reports nothing."""
        self._place = place
        self._place_buttons[place].setChecked(True)
        self._refresh()

    def set_can_chat(self, can_chat: bool) -> None:
        """Whether the model in use can chat; if not, a quiet line says what to do."""
        self._can_chat = can_chat
        self._refresh()

    def set_why_blind(self, why: str) -> None:
        """Why the model in use can't be sent images, in a sentence; empty if it can, or takes none but to correct."""
        self._why_blind = why
        self._refresh()

    def set_reading(self, is_reading: bool) -> None:
        """Whether the text of the images here is being read, to be put in their place."""
        self._is_reading = is_reading
        self._refresh()

    def replace_images(self, keys: Sequence[str], text: str) -> None:
        """Put `text` where the images `keys` are, after what is written; nothing if one of them is gone by now."""
        if not {one.key for one in self.images} >= set(keys):
            return
        self.tray.set_images([one for one in self.images if one.key not in keys])
        self.edit.append_text(text)
        self.edit.setFocus(Qt.FocusReason.OtherFocusReason)
        self._refresh()

    def set_busy(self, is_busy: bool) -> None:
        """Whether an answer is being written: then Send becomes Stop."""
        self._is_busy = is_busy
        self._refresh()

    def set_content(self, text: str, images: Sequence[ImageView]) -> None:
        """Show a text and images; reports nothing."""
        blocked = self.edit.blockSignals(True)
        self.edit.set_text(text)
        self.edit.blockSignals(blocked)
        self.tray.set_images(images)
        self._pause.stop()
        self.edit.fit()
        self._refresh()

    def add_image(self, image: ImageView) -> None:
        """One more image to send; one that is there already isn't added twice."""
        self.tray.add(image)
        self._refresh()

    def clear(self) -> None:
        """Nothing written, nothing attached."""
        self.set_content("", ())

    def set_history(self, prompts: Sequence[str]) -> None:
        """The user's prompts of this conversation, first to last, for Alt+↑ and Alt+↓."""
        self.edit.set_history(prompts)

    def send(self) -> None:
        """Send what is written, if there is anything and no answer is being written."""
        text = self.text.strip()
        if self._is_busy or not (text or self.images):
            return
        self.flush_draft()
        self.edit.remember(text)
        self.sent.emit(self._place.value, text, self.images)

    def flush_draft(self) -> None:
        """Report the draft now if a change of it hasn't been reported."""
        if self._pause.isActive():
            self._pause.stop()
            self.draft_changed.emit(self.text)

    # --- building -------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.send_button.setProperty("kind", "primary")
        self.field = QFrame()
        self.field.setProperty("kind", "field")
        inner = QVBoxLayout(self.field)
        inner.setContentsMargins(12, 8, 8, 8)
        inner.setSpacing(4)
        inner.addWidget(self.tray)
        inner.addWidget(self.edit)
        inner.addLayout(self._controls())
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 8, 12)
        column.setSpacing(4)
        column.addWidget(self.hint)
        column.addWidget(self.notice)
        column.addWidget(self.field)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)

    def _controls(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self._place_switch())
        row.addWidget(self.attach_button)
        row.addStretch(1)
        row.addWidget(self.room)
        row.addWidget(self.send_button)
        return row

    def _place_switch(self) -> QWidget:
        switch = QFrame()
        switch.setObjectName("placeSwitch")
        switch.setAccessibleName("What to do")
        line = QHBoxLayout(switch)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(0)
        self._places.setExclusive(True)
        for place, name in PLACE_NAMES.items():
            button = QPushButton(name)
            button.setProperty("kind", "quiet")
            button.setCheckable(True)
            button.setToolTip(PLACE_HELP[place])
            button.setAccessibleDescription(PLACE_HELP[place])
            button.clicked.connect(lambda _=False, chosen=place: self._on_place_chosen(chosen))
            self._places.addButton(button)
            self._place_buttons[place] = button
            line.addWidget(button)
        return switch

    def place_button(self, place: Place) -> QPushButton:
        """The button of a place."""
        return self._place_buttons[place]

    def _connect(self) -> None:
        self.edit.submitted.connect(self.send)
        self.edit.textChanged.connect(self._on_text_changed)
        self.edit.images_offered.connect(self.images_offered)
        self.edit.focus_changed.connect(self._on_focus_changed)
        self.tray.removed.connect(self._on_image_removed)
        self.attach_button.clicked.connect(self.attach_requested)
        self.notice.pressed.connect(self._on_notice_pressed)
        self.send_button.clicked.connect(self._on_button_clicked)
        self._pause.timeout.connect(lambda: self.draft_changed.emit(self.text))
        self._themes.theme_changed.connect(self._on_theme_changed)

    def _refresh(self) -> None:
        """Bring the button and the hint in line with what is so."""
        is_empty = not self.text.strip() and not self.images
        word = " Stop" if self._is_busy else " Send"
        self.send_button.setText("" if self._is_tight else word)
        self.room.set_wanted(not self._is_tight)
        self.edit.setPlaceholderText((SHORT_PLACEHOLDERS if self._is_tight else PLACEHOLDERS)[self._place])
        self.send_button.setProperty("kind", "danger" if self._is_busy else "primary")
        self.send_button.setEnabled(self._is_busy or not is_empty)
        self.send_button.setToolTip(
            "Stop writing (Esc)" if self._is_busy else "Send (Enter; Shift+Enter breaks the line)"
        )
        self.send_button.setAccessibleName("Stop the answer" if self._is_busy else "Send")
        style = self.send_button.style()
        style.unpolish(self.send_button)
        style.polish(self.send_button)
        needs_hint = self._place is Place.CHAT and not self._can_chat
        self.hint.setText(CHAT_HINT if needs_hint else "")
        self.hint.setVisible(needs_hint)
        self._refresh_notice()
        self._dress(self._themes.theme)

    def _refresh_notice(self) -> None:
        """Say what becomes of images that the model can't see."""
        is_blind = self._place is Place.CHAT and self._can_chat and bool(self.images) and bool(self._why_blind)
        if not is_blind:
            self.notice.say("", "")
        elif self._is_reading:
            self.notice.say(READING, "Stop reading")
        else:
            whose = "its" if len(self.images) == 1 else "their"
            self.notice.say(f"{self._why_blind} {SENT_AS_TEXT}", f"Read {whose} text instead")

    def _dress(self, theme: Theme) -> None:
        symbol, colour = ("square", theme.danger) if self._is_busy else ("arrow-up", theme.accent_text)
        if not self.send_button.isEnabled():
            colour = theme.text_muted
        self.send_button.setIcon(icon(symbol, colour))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Where it is tight the words go and the signs stay."""
        super().resizeEvent(event)
        is_tight = event.size().width() < self._themes.px(TIGHT)
        if is_tight != self._is_tight:
            self._is_tight = is_tight
            self._refresh()

    # --- slots ----------------------------------------------------------------------------------------

    def _on_theme_changed(self, theme: Theme) -> None:
        self._dress(theme)
        self.edit.fit()

    def _on_text_changed(self) -> None:
        self._pause.start()
        self._refresh()

    def _on_button_clicked(self) -> None:
        if self._is_busy:
            self.stop_requested.emit()
        else:
            self.send()

    def _on_notice_pressed(self) -> None:
        if self._is_reading:
            self.image_text_stopped.emit()
        else:
            self.image_text_requested.emit(self.images)

    def _on_place_chosen(self, place: Place) -> None:
        if place is not self._place:
            self.set_place(place)
            self.place_changed.emit(place.value)
        self.edit.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_image_removed(self, key: str) -> None:
        self._refresh()
        self.image_removed.emit(key)
        if not self.images:
            self.edit.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_focus_changed(self, has_focus: bool) -> None:
        self.field.setProperty("focused", has_focus)
        style = self.field.style()
        style.unpolish(self.field)
        style.polish(self.field)
