"""The model that a command line asks for."""

from __future__ import annotations

import argparse
from dataclasses import replace

from diffdesk.core.requests import ModelSpec
from diffdesk.services.models import spec_of


def model_asked_for(arguments: argparse.Namespace) -> ModelSpec:
    """The model of ``--model`` and how it is to be run; raises `CheckpointError` if it can't be loaded."""
    return replace(
        spec_of(arguments.model),
        device=arguments.device,
        precision=arguments.precision,
        context=arguments.context,
        conditioning=arguments.conditioning,
    )
