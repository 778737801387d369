"""The main window: puts the widgets together, binds the keys and passes on what the user wants.

It draws view objects and emits signals; it touches no store, no engine and no file beyond asking for a path. What it
is told to show it shows; it decides nothing about conversations or models.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from PySide6.QtCore import QByteArray, QPoint, Qt, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QMainWindow, QVBoxLayout, QWidget

from diffdesk.core.messages import MessageState, Role
from diffdesk.core.parameters import GenerationParameters, SamplerDefaults
from diffdesk.ui.banner import Action, BannerStack, Kind
from diffdesk.ui.canvas import LiveMessage
from diffdesk.ui.centre import Centre
from diffdesk.ui.conversation_keys import ConversationKeys
from diffdesk.ui.conversation_list import Sidebar
from diffdesk.ui.drops import Dropped, DropTarget
from diffdesk.ui.header import Header
from diffdesk.ui.image_dialog import ImageDialog
from diffdesk.ui.keys import KEYS
from diffdesk.ui.keys_dialog import KeysDialog
from diffdesk.ui.place_stack import PlaceStack
from diffdesk.ui.place_switch import WindowPlace
from diffdesk.ui.settings_panel import SettingsPanel
from diffdesk.ui.spacing import scale_spacing
from diffdesk.ui.span_edit import SpanEdit
from diffdesk.ui.stage import Stage
from diffdesk.ui.theme import ThemeKeeper
from diffdesk.ui.views import (
    ConversationView,
    ErrorView,
    ImageView,
    MessageView,
    ModelState,
    ModelView,
    Place,
)
from diffdesk.ui.window_dialogs import ask_export, ask_folder, ask_images, ask_link, ask_model_file, say_about
from diffdesk.ui.window_style import window_stylesheet

DROP_WORDS = {
    WindowPlace.CONVERSATIONS: ("Drop images, PDF files, text, or a model", "image-plus"),
    WindowPlace.DESK: ("Drop images, PDF files, folders or text", "image-plus"),
    WindowPlace.REWRITER: ("Drop a table or a file of lines", "table"),
}


class MainWindow(QMainWindow):
    """See the module. Signals carry what the user wants; methods show what is so.

    `place_requested(place)` comes when a place is wanted whose widget isn't there yet: see `add_place`;
    `files_requested(place)` when files are to be opened in a place that isn't that of the conversations.
    `sent(place, text, images)`; `images_offered` carries a list of paths and PNG bytes; `image_text_requested` the
    images whose text is wanted in their place; `model_chosen` a path, or None for the starter model;
    `view_option_changed` "theme", "zoom" or "calm" with its value, already in force.
    """

    place_requested = Signal(str)
    sources_dropped = Signal(object)  # Dropped: neither a model nor for the composer
    files_requested = Signal(str)
    sent = Signal(str, str, object)
    stop_requested = Signal()
    new_requested = Signal()
    conversation_opened = Signal(int)
    conversation_renamed = Signal(int, str)
    conversation_deleted = Signal(int)
    deletion_undone = Signal(int)
    searched = Signal(str)
    images_offered = Signal(object)
    image_removed = Signal(str)
    image_text_requested = Signal(object)
    image_text_stopped = Signal()
    parameters_changed = Signal(object)
    model_chosen = Signal(object)
    unload_requested = Signal()
    regenerate_requested = Signal(int)
    edit_requested = Signal(int, str)
    version_requested = Signal(int, int)
    replay_requested = Signal(int)
    export_requested = Signal(int, object)
    sample_requested = Signal(str)
    draft_changed = Signal(str)
    closed = Signal()
    view_option_changed = Signal(str, object)

    def __init__(self, themes: ThemeKeeper) -> None:
        super().__init__()
        self._themes = themes
        self._current: int | None = None
        self._is_busy = False
        self._deleted: list[int] = []
        self.header = Header(themes)
        self.sidebar = Sidebar(themes)
        self.centre = Centre(themes)
        self.spans = SpanEdit(themes, self.centre)
        self.panel = SettingsPanel()
        self.stage = Stage(themes, self.sidebar, self.centre, self.panel)
        self.transcript = self.centre.transcript
        self.composer = self.centre.composer
        self.banners = BannerStack(themes)
        self.places = PlaceStack(themes, self.stage)
        self.toast = self.places.toast
        self.setWindowTitle("DiffDesk")
        self.setMinimumSize(480, 400)
        self.resize(1280, 800)
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addWidget(self.banners)
        column.addWidget(self.places, 1)
        self.setCentralWidget(whole)
        self.drops = DropTarget(themes, self, whole)
        self.drops.sheet.set_words(*DROP_WORDS[self.place])
        self.drops.dropped.connect(self._on_dropped)
        self._keys = ConversationKeys(self)
        self._connect_parts()
        self._connect_messages()
        self._bind_keys()
        themes.theme_changed.connect(self._on_theme_changed)
        self._on_theme_changed()
        self.show_welcome(True)
        self.composer.edit.setFocus(Qt.FocusReason.OtherFocusReason)

    # --- wiring ---------------------------------------------------------------------------------------

    def _connect_parts(self) -> None:
        header, sidebar, composer, panel = self.header, self.sidebar, self.composer, self.panel
        header.renamed.connect(self._on_title_edited)
        header.place_chosen.connect(lambda place: self.open_place(WindowPlace(place)))
        self.places.requested.connect(self.place_requested)
        self.places.opened.connect(self._on_place_opened)
        header.model_chosen.connect(self.model_chosen)
        header.file_requested.connect(self._on_file_requested)
        header.folder_requested.connect(self._on_folder_requested)
        header.unload_requested.connect(self.unload_requested)
        header.sidebar_toggled.connect(self._on_sidebar_toggled)
        header.settings_toggled.connect(self._on_settings_toggled)
        header.export_requested.connect(self._on_export_chosen)
        header.find_requested.connect(self._keys.actions["find"])
        header.keys_requested.connect(self.show_keys)
        header.about_requested.connect(self.show_about)
        header.option_chosen.connect(self._on_option_chosen)
        sidebar.new_requested.connect(self._on_new_pressed)
        sidebar.opened.connect(self._on_conversation_chosen)
        sidebar.renamed.connect(self.conversation_renamed)
        sidebar.deleted.connect(self._on_deleted)
        sidebar.undo_pressed.connect(self._on_undo_pressed)
        sidebar.export_requested.connect(self._ask_export)
        sidebar.searched.connect(self.searched)
        composer.sent.connect(self.sent)
        composer.stop_requested.connect(self.stop_requested)
        composer.images_offered.connect(self.images_offered)
        composer.image_removed.connect(self.image_removed)
        composer.draft_changed.connect(self.draft_changed)
        composer.attach_requested.connect(self._on_attach_requested)
        composer.place_changed.connect(self._on_place_changed)
        composer.image_text_requested.connect(self.image_text_requested)
        composer.image_text_stopped.connect(self.image_text_stopped)
        panel.parameters_changed.connect(self.parameters_changed)
        panel.closed.connect(self._on_settings_toggled)
        self.stage.panel_shown.connect(self.header.settings_button.setDown)
        self.centre.welcome.sample_requested.connect(self.sample_requested)

    def _connect_messages(self) -> None:
        transcript = self.transcript
        transcript.edit_requested.connect(self.edit_requested)
        transcript.regenerate_requested.connect(self.regenerate_requested)
        transcript.version_requested.connect(self.version_requested)
        transcript.replay_requested.connect(self.replay_requested)
        transcript.stop_requested.connect(self.stop_requested)
        transcript.link_clicked.connect(self._on_link_clicked)
        transcript.image_opened.connect(self._on_image_opened)
        self.spans.stop_requested.connect(self.stop_requested)
        self.spans.refused.connect(lambda why: self.show_toast(why, "", None))

    def _bind_keys(self) -> None:
        actions: dict[str, Callable[[], object]] = {
            **self._keys.actions,
            "open": self._on_open_pressed,
            "new": self._on_new_pressed,
            "search": self._on_search_pressed,
            "sidebar": self._on_sidebar_toggled,
            "settings": self._on_settings_toggled,
            "zoom_in": lambda: self._zoom(self._themes.zoom_in),
            "zoom_out": lambda: self._zoom(self._themes.zoom_out),
            "zoom_reset": lambda: self._zoom(self._themes.reset_zoom),
            "conversations": lambda: self.open_place(WindowPlace.CONVERSATIONS),
            "desk": lambda: self.open_place(WindowPlace.DESK),
            "rewriter": lambda: self.open_place(WindowPlace.REWRITER),
            "keys": self.show_keys,
            "quit": self.close,
        }
        for key in KEYS:
            # Escape is no shortcut: fields use it first, and only what they leave stops the answer.
            for one in key.keys if key.name in actions else ():
                QShortcut(QKeySequence(one), self).activated.connect(actions[key.name])

    # --- places ---------------------------------------------------------------------------------------

    @property
    def place(self) -> WindowPlace:
        """Where one is."""
        return self.places.place

    @property
    def current(self) -> int | None:
        """The conversation that is open."""
        return self._current

    @property
    def is_busy(self) -> bool:
        """Whether an answer is being written."""
        return self._is_busy

    def add_place(self, place: WindowPlace, widget: QWidget) -> None:
        """Give a place its widget; it is made when the place is first wanted, so that the window opens quickly."""
        self.places.add(place, widget)

    def open_place(self, place: WindowPlace) -> None:
        """Go to a place."""
        self.places.open(place)

    def _on_place_opened(self, place: str) -> None:
        self.header.set_place(WindowPlace(place))
        self.drops.sheet.set_words(*DROP_WORDS[self.place])
        if self.place is WindowPlace.CONVERSATIONS:
            self.composer.edit.setFocus(Qt.FocusReason.OtherFocusReason)

    # --- conversations and messages -------------------------------------------------------------------

    def show_conversations(self, conversations: Sequence[ConversationView], current: int | None) -> None:
        """Show the list of conversations with the open one marked."""
        self._current = current
        self.sidebar.show_conversations(conversations, current)
        title = self.sidebar.title_of(current) if current is not None else ""
        if title:
            self._show_title(title)

    def show_conversation(self, title: str, place: Place, messages: Sequence[MessageView]) -> None:
        """Show a conversation's messages instead of those that are shown, and go to their end."""
        self._show_title(title)
        self.set_place(place)
        self.composer.set_history([one.text for one in messages if one.role is Role.USER])
        self.transcript.show_messages(messages)
        self.centre.find_bar.close_bar()
        self.show_welcome(not messages)

    def append_message(self, message: MessageView) -> None:
        """Show one more message."""
        self.show_welcome(False)
        self.transcript.append(message)

    def update_message(self, message: MessageView) -> None:
        """Show a message as it is now."""
        self.transcript.update_message(message)

    def remove_message(self, message_id: int) -> None:
        """Take a message away."""
        self.transcript.remove(message_id)

    def begin_live(self, message_id: int) -> LiveMessage:
        """Put a live message in the place of a message, or after the last one."""
        self.show_welcome(False)
        known = next((one for one in self.transcript.views if one.id == message_id), None)
        empty = MessageView(message_id, Role.ASSISTANT, "", datetime.now().astimezone(), MessageState.STREAMING)
        return self.transcript.begin_live(replace(known, state=MessageState.STREAMING) if known else empty)

    def end_live(self, message: MessageView) -> None:
        """Put the finished message in the place of the live one."""
        self.transcript.end_live(message)

    # --- model, settings, place -----------------------------------------------------------------------

    def set_model(self, model: ModelView) -> None:
        """Show how the model stands and what it can do."""
        self.header.set_model(model)
        info = model.info
        if info is not None:
            self.composer.set_can_chat(info.can_chat)
            self.spans.set_can_instruct(info.can_chat)
            self.composer.set_why_blind("" if info.can_see_images else info.why_no_images)
            self.panel.set_canvas_length(info.canvas_length)
            self.panel.set_chat_settings_used(info.can_chat)
        elif model.state is ModelState.NONE:
            self.composer.set_can_chat(True)
            self.composer.set_why_blind("")

    def set_recent_models(self, paths: Sequence[Path]) -> None:
        """The model files and folders that were opened lately, the last one first."""
        self.header.set_recent_models(paths)

    def set_parameters(self, parameters: GenerationParameters, defaults: SamplerDefaults | None) -> None:
        """Show the settings of a run, and what the model says where they say nothing."""
        self.panel.set_parameters(parameters, defaults)

    def set_busy(self, is_busy: bool) -> None:
        """Whether an answer is being written."""
        self._is_busy = is_busy
        self.composer.set_busy(is_busy)
        self.spans.set_busy(is_busy)

    def set_place(self, place: Place) -> None:
        """Show what the composer is for."""
        self.composer.set_place(place)
        self.centre.welcome.set_place(place)
        self.transcript.set_literal(place is Place.CORRECT)

    def set_room(self, used: int, of: int) -> None:
        """How many of the model's tokens are taken."""
        self.composer.room.set_room(used, of)

    # --- composer -------------------------------------------------------------------------------------

    def add_composer_image(self, image: ImageView) -> None:
        """Show an image to be sent."""
        self.composer.add_image(image)
        self.composer.edit.setFocus(Qt.FocusReason.OtherFocusReason)

    def clear_composer(self) -> None:
        """Nothing written, nothing attached."""
        self.composer.clear()

    def set_composer(self, text: str, images: Sequence[ImageView]) -> None:
        """Show a text and images to be sent."""
        self.composer.set_content(text, images)

    def set_reading_images(self, is_reading: bool) -> None:
        """Whether the text of the composer's images is being read."""
        self.composer.set_reading(is_reading)

    def replace_images_by_text(self, keys: Sequence[str], text: str) -> None:
        """Put a text where images of the composer were."""
        self.composer.replace_images(keys, text)

    # --- what the window says -------------------------------------------------------------------------

    def show_banner(self, error: ErrorView, kind: Kind, actions: Sequence[Action]) -> None:
        """Show a message that stays, with what can be done about it."""
        self.banners.show_banner(error, kind, actions)

    def withdraw_banner(self, title: str) -> None:
        """Take a message away that no longer matters."""
        self.banners.withdraw(title)

    def show_toast(self, text: str, action_label: str, callback: Callable[[], None] | None) -> None:
        """Say something that goes by itself, with a button if there is a label for it."""
        self.toast.show_text(text, action_label, callback if action_label else None)

    def show_welcome(self, is_shown: bool) -> None:
        """Show what to do first, instead of messages."""
        self.centre.show_welcome(is_shown)

    def set_welcome_line(self, text: str) -> None:
        """One line below the welcome on what the full model would add."""
        self.centre.welcome.set_line(text)

    def show_keys(self) -> None:
        """Open the dialog of keys."""
        KeysDialog(self._themes, self).open()

    def show_about(self) -> None:
        """Say what this is."""
        say_about(self)

    # --- layout and looks -----------------------------------------------------------------------------

    def save_layout(self) -> dict[str, object]:
        """The window's place and what is open, fit for JSON."""
        geometry = base64.b64encode(self.saveGeometry().data()).decode("ascii")
        return {"geometry": geometry, "sidebar": self.stage.wants_sidebar, "settings": self.stage.is_panel_open}

    def restore_layout(self, layout: dict[str, object]) -> None:
        """What `save_layout` gave; whatever can't be read is left as it is."""
        geometry = layout.get("geometry")
        if isinstance(geometry, str):
            with suppress(ValueError):  # of another version: the window keeps its place
                self.restoreGeometry(QByteArray(base64.b64decode(geometry, validate=True)))
        self.stage.keep_sidebar(layout.get("sidebar") is not False)
        if layout.get("settings") is True:
            self.stage.set_panel(True)

    def apply_view_option(self, name: str, value: object) -> None:
        """Put "theme", "zoom" or "calm" into force without reporting it; other values are left alone."""
        if name == "theme" and value in ("system", "light", "dark"):
            self._themes.set_scheme(str(value))
        elif name == "zoom" and isinstance(value, int | float):
            self._themes.set_zoom(float(value))
        elif name == "calm" and isinstance(value, bool):
            self.header.set_calm(value)
            self.transcript.set_calm(value)

    def _show_title(self, title: str) -> None:
        self.header.set_title(title)
        self.setWindowTitle(f"{title} – DiffDesk" if title else "DiffDesk")

    def _zoom(self, change: Callable[[], None]) -> None:
        change()
        self.view_option_changed.emit("zoom", self._themes.zoom)

    # --- slots ----------------------------------------------------------------------------------------

    def _on_theme_changed(self) -> None:
        self.setStyleSheet(window_stylesheet(self._themes.theme, self._themes.zoom))
        scale_spacing(self, self._themes.zoom)

    def _on_option_chosen(self, name: str, value: object) -> None:
        self.apply_view_option(name, value)
        self.view_option_changed.emit(name, value)

    def _on_title_edited(self, title: str) -> None:
        if self._current is not None:
            self.conversation_renamed.emit(self._current, title)

    def _on_new_pressed(self) -> None:
        self.open_place(WindowPlace.CONVERSATIONS)
        self.stage.close_on_top()
        self.new_requested.emit()
        self.composer.edit.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_conversation_chosen(self, conversation: int) -> None:
        self.stage.close_on_top()
        if conversation != self._current:
            self.conversation_opened.emit(conversation)

    def _on_deleted(self, conversation: int) -> None:
        self._deleted.append(conversation)
        self.conversation_deleted.emit(conversation)

    def _on_undo_pressed(self) -> None:
        if self._deleted:
            self.deletion_undone.emit(self._deleted.pop())

    def _on_place_changed(self, place: str) -> None:
        self.set_place(Place(place))

    def _on_sidebar_toggled(self) -> None:
        self.open_place(WindowPlace.CONVERSATIONS)
        self.stage.set_sidebar(not self.stage.is_sidebar_open)

    def _on_settings_toggled(self) -> None:
        self.open_place(WindowPlace.CONVERSATIONS)
        is_open = not self.stage.is_panel_open
        self.stage.set_panel(is_open)
        if is_open:
            self.panel.focus_first()
        else:
            self.composer.edit.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_search_pressed(self) -> None:
        self.open_place(WindowPlace.CONVERSATIONS)
        if not self.stage.is_sidebar_open:
            self.stage.set_sidebar(True)
        self.sidebar.focus_search()

    def _on_open_pressed(self) -> None:
        if self.place is WindowPlace.CONVERSATIONS:
            self._on_attach_requested()
        else:
            self.files_requested.emit(self.place.value)

    def _on_attach_requested(self) -> None:
        ask_images(self, self.images_offered.emit)

    def _on_file_requested(self) -> None:
        ask_model_file(self, self._models_folder(), self.model_chosen.emit)

    def _on_folder_requested(self) -> None:
        ask_folder(self, self._models_folder(), self.model_chosen.emit)

    def _models_folder(self) -> Path | None:
        """Where the model lies that was opened last."""
        recent = self.header.recent_models
        return recent[0].parent if recent else None

    def _on_export_chosen(self) -> None:
        if self._current is not None:
            self._ask_export(self._current)

    def _ask_export(self, conversation: int) -> None:
        title = self.sidebar.title_of(conversation)
        ask_export(self, title, lambda path: self.export_requested.emit(conversation, path))

    def _on_image_opened(self, image: ImageView) -> None:
        ImageDialog(self._themes, image, self).open()

    def _on_link_clicked(self, address: str) -> None:
        ask_link(self, address)

    def _on_dropped(self, dropped: Dropped) -> None:
        if dropped.model is not None:
            self.model_chosen.emit(dropped.model)
        elif self.place is not WindowPlace.CONVERSATIONS:
            self.sources_dropped.emit(dropped)
        elif dropped.images and self._is_on_composer(dropped.at) and not dropped.is_table:
            self.images_offered.emit(list(dropped.images))
        elif dropped.sources:
            self.sources_dropped.emit(dropped)
        elif dropped.text:
            self.composer.edit.insertPlainText(dropped.text)
        self.activateWindow()

    def _is_on_composer(self, at: QPoint) -> bool:
        composer = self.composer
        return composer.isVisible() and composer.rect().contains(composer.mapFrom(self, at))

    # --- Qt -------------------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape, where no field wanted it."""
        if event.key() == Qt.Key.Key_Escape:
            self._keys.escape()
            return
        super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Report what is unsent first, then that the window closes."""
        self.composer.flush_draft()
        self.closed.emit()
        event.accept()
