"""What a model is for: the small file ``diffdesk.json`` in a checkpoint's folder, or its text inside a GGUF file.

A published checkpoint has neither and is an ordinary chat model. The starter model's says that it only corrects,
how its prompt and canvas are laid out, and how sure it has to be.
"""

from __future__ import annotations

import json
from pathlib import Path

from diffdesk.backends.gguf.model_file import inspect_gguf
from diffdesk.backends.model_location import is_gguf, plain_name
from diffdesk.core.denoiser import Capabilities, Denoiser
from diffdesk.core.errors import CheckpointError
from diffdesk.core.profile import Layout, ModelProfile
from diffdesk.core.requests import ModelInfo, ModelSpec

PROFILE_NAME = "diffdesk.json"
_FILE_AGAIN = "Delete that file to use the model as an ordinary chat model, or fetch the folder again."
_MODEL_AGAIN = "Fetch the model again, or choose another one."
FEWEST_SLOTS = 48  # fewer leave no room for a long word and what stands around it


def read_profile(model: Path) -> ModelProfile:
    """The profile of a model's folder or GGUF file, the ordinary one where it has none.

    Raises `CheckpointError` if it is broken, or if the GGUF file can't be used at all.
    """
    if is_gguf(model):
        text = inspect_gguf(model).profile_text
        return _parsed(text, f"The profile inside {model.name}", _MODEL_AGAIN) if text else ModelProfile()
    path = model / PROFILE_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return ModelProfile()
    except (OSError, ValueError) as error:
        raise _broken(f"The file {path}", _FILE_AGAIN, error) from error
    return _parsed(text, f"The file {path}", _FILE_AGAIN)


def _parsed(text: str, place: str, remedy: str) -> ModelProfile:
    try:
        data, usual = json.loads(text), ModelProfile()
        gate = float(data.get("gate", usual.gate))
        read_gate = float(data.get("read_gate", gate))
        picture_gate = data.get("picture_gate")
        layout, slots = Layout(data.get("layout", usual.layout)), int(data.get("slots", usual.slots))
        if layout is Layout.ALIGNED and slots < FEWEST_SLOTS:
            raise ValueError(f"{slots} slots are too few")
        return ModelProfile(
            name=str(data.get("name", usual.name)),
            layout=layout,
            slots=slots,
            gate=gate,
            read_gate=read_gate,
            line_gate=float(data.get("line_gate", read_gate)),
            sure=float(data.get("sure", usual.sure)),
            sure_gate=float(data.get("sure_gate", usual.sure_gate)),
            picture_gate=None if picture_gate is None else float(picture_gate),
            held_share=float(data.get("held_share", usual.held_share)),
            can_chat=bool(data.get("can_chat", usual.can_chat)),
            parameters=int(data.get("parameters", usual.parameters)),
            is_warm_started=bool(data.get("is_warm_started", usual.is_warm_started)),
        )
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise _broken(place, remedy, error) from error


def _broken(place: str, remedy: str, error: Exception) -> CheckpointError:
    text = f"{place} should say what the model is for, but it is broken: {error}."
    return CheckpointError(f"{PROFILE_NAME} can't be read", text, remedy)


def _why_no_images(profile: ModelProfile, able: Capabilities) -> str:
    """Why images can't be sent: the model can't see, or it sees only the lines that the recogniser has found."""
    if profile.can_chat:
        return able.why_no_images
    if able.can_see_images and profile.layout is Layout.ALIGNED:
        return "Images go through the text recogniser first; then each line is compared with its picture."
    return "Images go through the text recogniser first; then its text is corrected."


def describe_model(
    spec: ModelSpec, profile: ModelProfile, denoiser: Denoiser, *, memory_bytes: int, load_seconds: float
) -> ModelInfo:
    """What a window needs to know of a loaded model."""
    able = denoiser.capabilities
    return ModelInfo(
        name=profile.name or plain_name(spec.path),
        path=str(spec.path),
        backend=able.backend,
        device=able.device,
        precision=able.precision,
        parameters=profile.parameters or able.parameters,
        canvas_length=able.canvas_length,
        context_length=able.context_length,
        can_chat=profile.can_chat,
        can_see_images=able.can_see_images and profile.can_chat,
        why_no_images=_why_no_images(profile, able),
        defaults=denoiser.defaults,
        memory_bytes=memory_bytes,
        load_seconds=load_seconds,
    )
