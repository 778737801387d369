"""What lies at a path that someone calls a model: a folder of safetensors files, or a GGUF file.

Whether it can be used is found out by whoever reads it. Imports no model library.
"""

from __future__ import annotations

from pathlib import Path

from diffdesk.backends.gguf.reader import whole_name
from diffdesk.backends.gguf.writer import MAGIC
from diffdesk.core.errors import CheckpointError

GGUF_SUFFIX = ".gguf"
_WEIGHTS = (".safetensors", ".safetensors.index.json")
_PROJECTOR = "mmproj"  # in the names of files that see images for the model beside them


def is_gguf(path: Path) -> bool:
    """Whether a path is to be read as a GGUF file: by its ending, or by its first bytes where it has another one."""
    if path.suffix.lower() == GGUF_SUFFIX:
        return not path.is_dir()
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except (OSError, ValueError):
        return False


def locate_model(path: Path) -> Path:
    """What to load where someone means `path`: the path itself, or the one GGUF model in a folder of such files.

    A folder with safetensors files is meant itself. Of a split model any part stands for all. Raises `CheckpointError`
    where a folder holds several models. What does not exist is given back as it is.
    """
    try:
        files = sorted(one for one in path.iterdir() if not one.name.startswith("."))
    except (OSError, ValueError):
        return path  # a file, or nothing: whoever loads it says what is wrong
    if any(one.name.endswith(_WEIGHTS) for one in files):
        return path
    models: dict[str, Path] = {}
    for one in files:
        if one.suffix.lower() == GGUF_SUFFIX and _PROJECTOR not in one.name.lower():
            models.setdefault(whole_name(one), one)
    if len(models) > 1:
        names = ", ".join(list(models)[:4]) + (" and others" if len(models) > 4 else "")
        raise CheckpointError(
            "There are several models in this folder", f"It holds {names}.", "Open one of these files instead."
        )
    return next(iter(models.values()), path)


def plain_name(path: Path) -> str:
    """What to call a model by its path: the folder's name, or the file's without its ending and part number."""
    return whole_name(path) if path.suffix.lower() == GGUF_SUFFIX else path.name or str(path)
