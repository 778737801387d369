"""What a model is for: the small file ``diffdesk.json`` that may lie beside a checkpoint.

A published checkpoint has no such file and is an ordinary chat model. The starter model's says that it corrects short
lines only, and how its prompt and canvas are laid out.
"""

from __future__ import annotations

import json
from pathlib import Path

from diffdesk.core.denoiser import Denoiser
from diffdesk.core.errors import CheckpointError
from diffdesk.core.profile import Layout, ModelProfile
from diffdesk.core.requests import ModelInfo, ModelSpec

PROFILE_NAME = "diffdesk.json"


def read_profile(model: Path) -> ModelProfile:
    """The profile of a model's folder, the ordinary one where there is no file; `CheckpointError` if it is broken."""
    path = model / PROFILE_NAME
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return ModelProfile(
            name=str(data.get("name", "")),
            layout=Layout(data.get("layout", "turns")),
            slots=int(data.get("slots", 0)),
            gate=float(data.get("gate", 0.0)),
            read_gate=float(data.get("read_gate", data.get("gate", 0.0))),
            can_chat=bool(data.get("can_chat", True)),
            parameters=int(data.get("parameters", 0)),
        )
    except (FileNotFoundError, NotADirectoryError):
        return ModelProfile()
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{PROFILE_NAME} can't be read",
            f"The file {path} should say what the model is for, but it is broken: {error}.",
            "Delete that file to use the model as an ordinary chat model, or fetch the folder again.",
        ) from error


def describe_model(
    spec: ModelSpec, profile: ModelProfile, denoiser: Denoiser, *, memory_bytes: int, load_seconds: float
) -> ModelInfo:
    """What a window needs to know of a loaded model."""
    able = denoiser.capabilities
    return ModelInfo(
        name=profile.name or spec.path.name,
        path=str(spec.path),
        backend=able.backend,
        device=able.device,
        precision=able.precision,
        parameters=profile.parameters or able.parameters,
        canvas_length=able.canvas_length,
        context_length=able.context_length,
        can_chat=profile.can_chat,
        can_see_images=able.can_see_images,
        why_no_images=able.why_no_images,
        defaults=denoiser.defaults,
        memory_bytes=memory_bytes,
        load_seconds=load_seconds,
    )
