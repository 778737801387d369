"""Which model is in use: checks a file or folder, has it loaded, and keeps the window's chip true."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from diffdesk.core.errors import CheckpointError, UserError
from diffdesk.core.requests import ModelInfo, ModelSpec
from diffdesk.services.models import memory_warning, name_of, spec_of
from diffdesk.store import Store
from diffdesk.ui.banner import Kind
from diffdesk.ui.main_window import MainWindow
from diffdesk.ui.rows import error_view
from diffdesk.ui.views import ModelState, ModelView
from diffdesk.workers.engine_lane import EngineLane
from diffdesk.workers.file_pool import FilePool
from diffdesk.workers.store_lane import StoreLane

STATE_MODEL, STATE_RECENT = "model", "recent_models"
_MOST_RECENT = 5
_WATCH_MILLISECONDS = 2000


class ModelPresenter(QObject):
    """Between the model chip, the engine and the checks of what lies at a path."""

    changed = Signal(object)  # ModelView

    def __init__(self, window: MainWindow, engine: EngineLane, pool: FilePool, store: StoreLane) -> None:
        super().__init__(window)
        self._window = window
        self._engine = engine
        self._pool = pool
        self._store = store
        self._path: Path | None = None
        self._is_checking = False
        self._choice = 0  # counts upwards; what comes of an earlier one is too late
        self._waiting: list[Callable[[], None]] = []
        self._said = ""  # the title of what was last said of a choice
        self.view = self._before = ModelView(ModelState.NONE, "Starter")  # now, and before the check that goes on
        engine.load_progressed.connect(self._on_progressed)
        engine.model_loaded.connect(self._on_loaded)
        engine.load_failed.connect(self._on_failed)
        engine.load_cancelled.connect(self._on_unloaded)
        engine.unloaded.connect(self._on_unloaded)
        self._watch = QTimer(self, interval=_WATCH_MILLISECONDS)
        self._watch.timeout.connect(self._on_watched)
        self._watch.start()

    @property
    def info(self) -> ModelInfo | None:
        """The loaded model; None while there is none."""
        return self.view.info

    def begin(self, path: Path | None) -> None:
        """Load the model that was in use last time, unless the user has been quicker to choose one."""
        if not self._choice:
            self.choose(path, is_start=True)

    def choose(self, path: Path | None, *, is_start: bool = False) -> None:
        """Check and load a model, None meaning the starter. The one in use stays until the check has passed.

        With `is_start` nothing is asked, and where the model can't be used the starter is loaded.
        """
        self._choice += 1
        if not is_start:  # what was said of an earlier choice no longer matters
            self._window.withdraw_banner(self._said)
        if not self._is_checking:
            self._before = self.view
        choice, before = self._choice, self._before
        self._show(ModelView(ModelState.LOADING, name_of(path), "Checking the model", 0.0, before.info))

        def work() -> tuple[ModelSpec, CheckpointError | None]:
            spec = spec_of(path)
            return spec, memory_warning(spec.path)

        def done(found: tuple[ModelSpec, CheckpointError | None]) -> None:
            if choice != self._choice:
                return
            spec, warning = found
            place = None if path is None else spec.path  # the file that was found, where a folder was meant
            self._is_checking = False
            if warning is not None and not is_start:
                self._ask_about_memory(place, spec, warning, before)
            else:
                self._load(place, spec)
            self._let_go()

        def failed(error: UserError) -> None:
            if choice != self._choice:
                return
            self._is_checking = False
            self._say(error, "error", [])
            if is_start and path is not None:
                self.choose(None, is_start=True)
            elif before.state is ModelState.READY:
                self._show(before)
            else:
                self._show(ModelView(ModelState.FAILED, name_of(path), error=error_view(error)))
            self._let_go()

        self._is_checking = True
        self._pool.submit(work, done, failed)

    def when_asked(self, act: Callable[[], None]) -> None:
        """Do `act` once the engine has been asked for the model that is being chosen: now, if none is."""
        if self._is_checking:
            self._waiting.append(act)
        else:
            act()

    def _let_go(self) -> None:
        if not self._is_checking:
            waiting, self._waiting = self._waiting, []
            for act in waiting:
                act()

    def close(self) -> None:
        """The program ends: an engine that is gone stays gone."""
        self._watch.stop()

    def unload(self) -> None:
        """Free the memory; the model is loaded again when it is chosen."""
        self._engine.unload()

    def _ask_about_memory(
        self, path: Path | None, spec: ModelSpec, warning: CheckpointError, before: ModelView
    ) -> None:
        self._show(before)
        actions: list[tuple[str, Callable[[], None]]] = [("Load anyway", lambda: self._load(path, spec))]
        self._say(warning, "warning", actions)

    def _load(self, path: Path | None, spec: ModelSpec) -> None:
        self._path = path
        self._show(ModelView(ModelState.LOADING, name_of(path), "Starting", 0.0))
        self._engine.load(spec)

    def _on_progressed(self, stage: str, share: float) -> None:
        self._show(ModelView(ModelState.LOADING, name_of(self._path), stage, share))

    def _on_loaded(self, info: ModelInfo) -> None:
        self._show(ModelView(ModelState.READY, info.name, info=info))
        value = "" if self._path is None else str(self._path)
        self._store.submit(lambda store: _remember(store, value), self._on_remembered)

    def _on_remembered(self, recent: list[str]) -> None:
        self._window.set_recent_models([Path(one) for one in recent])

    def _on_failed(self, error: UserError) -> None:
        self._show(ModelView(ModelState.FAILED, name_of(self._path), error=error_view(error)))
        actions: list[tuple[str, Callable[[], None]]] = []
        if self._path is not None:
            actions.append(("Use the starter model", lambda: self.choose(None)))
        self._say(error, "error", actions)

    def _on_unloaded(self) -> None:
        self._show(ModelView(ModelState.NONE, name_of(self._path)))

    def _on_watched(self) -> None:
        """An engine that died while idle is loaded again before anyone has to wait for it."""
        if self.view.state is ModelState.READY and self._engine.pid is None:
            self.choose(self._path, is_start=True)

    def _say(self, error: UserError, kind: Kind, actions: list[tuple[str, Callable[[], None]]]) -> None:
        self._said = error.title
        self._window.show_banner(error_view(error), kind, actions)

    def _show(self, view: ModelView) -> None:
        self.view = view
        self._window.set_model(view)
        self.changed.emit(view)


def _remember(store: Store, path: str) -> list[str]:
    """Keep which model is in use, and the models that were used lately, the last one first."""
    store.set_state(STATE_MODEL, path)
    none: list[str] = []
    recent = store.state(STATE_RECENT, none)
    if path:
        recent = [path, *(one for one in recent if one != path)][:_MOST_RECENT]
        store.set_state(STATE_RECENT, recent)
    return recent
