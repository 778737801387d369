"""What presenters work with, as one value."""

from __future__ import annotations

from dataclasses import dataclass

from diffdesk.ui.model_presenter import ModelPresenter
from diffdesk.workers.engine_lane import EngineLane
from diffdesk.workers.file_pool import FilePool
from diffdesk.workers.store_lane import StoreLane


@dataclass(frozen=True, slots=True)
class Lanes:
    """The lanes between the window and everything that may take time, and the model in use."""

    store: StoreLane
    engine: EngineLane
    pool: FilePool
    models: ModelPresenter
