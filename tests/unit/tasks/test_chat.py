"""What a chat sends to a model: animations as frames, and clear refusals of what doesn't fit or can't be seen."""

from __future__ import annotations

from pathlib import Path

import pillow_heif
import pytest
from PIL import Image

from diffdesk.backends.registry import load
from diffdesk.core.denoiser import Denoiser
from diffdesk.core.errors import PromptError
from diffdesk.core.events import Finished, FinishReason
from diffdesk.core.messages import ImageRef, Message, Role
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.profile import ModelProfile
from diffdesk.core.requests import ModelSpec, RunRequest, TaskKind
from diffdesk.core.sampler import SamplerSettings
from diffdesk.tasks.chat import chat
from diffdesk.tasks.runner import run_task
from diffdesk.tasks.task_run import TaskRun
from tests.unit.backends import tiny


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Denoiser:
    folder = tiny.save(tiny.BY_NAME["seeing"], tmp_path_factory.mktemp("models") / "seeing")
    return load(ModelSpec(folder), lambda stage, share: None)


@pytest.fixture(scope="module")
def blind(tmp_path_factory: pytest.TempPathFactory) -> Denoiser:
    folder = tiny.save(tiny.BY_NAME["plain"], tmp_path_factory.mktemp("models") / "plain")
    return load(ModelSpec(folder), lambda stage, share: None)


def request(text: str, *images: Path, task: TaskKind = TaskKind.CHAT) -> RunRequest:
    message = Message(Role.USER, text, tuple(ImageRef(path, path.name) for path in images))
    return RunRequest(task, (message,), GenerationParameters(canvases=1, seed=3))


def run(denoiser: Denoiser, asked: RunRequest) -> Finished:
    events = list(run_task(denoiser, ModelProfile(), asked, lambda event: None, lambda: False))
    finished = events[-1]
    assert isinstance(finished, Finished)
    return finished


def test_an_animation_is_shown_as_stamped_frames(seeing: Denoiser, tmp_path: Path) -> None:
    still, moving = tmp_path / "still.png", tmp_path / "moving.gif"
    frames = [Image.new("RGB", (64, 48), colour) for colour in ("red", "green", "blue")]
    frames[0].save(still)
    frames[0].save(moving, save_all=True, append_images=frames[1:], duration=1000)
    one = run(seeing, request("ab", still))
    three = run(seeing, request("ab", moving))
    none = run(seeing, request("ab"))
    assert none.stats.prompt_tokens < one.stats.prompt_tokens
    of_still = seeing.image_tokens(ImageRef(still))
    of_frame = seeing.image_tokens(ImageRef(still, is_frame=True))
    # Three frames with the tokens that open and close them, and a stamp before each.
    assert three.stats.prompt_tokens >= none.stats.prompt_tokens + 3 * (of_frame + 2)
    assert of_frame <= of_still
    assert three.error is None


@pytest.mark.parametrize("task", [TaskKind.CHAT, TaskKind.CORRECT])
def test_a_heic_photo_is_seen_as_a_png_is(seeing: Denoiser, tmp_path: Path, task: TaskKind) -> None:
    Image.new("RGB", (64, 48), "red").save(tmp_path / "a.png")
    pillow_heif.from_pillow(Image.new("RGB", (64, 48), "red")).save(tmp_path / "a.heic")
    of_png, of_heic = (run(seeing, request("ab", tmp_path / name, task=task)) for name in ("a.png", "a.heic"))
    assert of_heic.error is None
    assert of_heic.stats.prompt_tokens == of_png.stats.prompt_tokens


def test_an_image_for_a_blind_model_is_refused_with_what_works(blind: Denoiser, tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    with pytest.raises(PromptError) as caught:
        run(blind, request("ab", tmp_path / "a.png"))
    assert caught.value.text == blind.capabilities.why_no_images


def test_a_prompt_longer_than_the_context_is_refused_with_both_numbers(blind: Denoiser) -> None:
    with pytest.raises(PromptError) as caught:
        run(blind, request("a" * 5000))
    assert "2,048" in caught.value.text
    assert caught.value.remedy


def test_room_that_the_context_lacks_is_not_promised(blind: Denoiser) -> None:
    asked = RunRequest(
        TaskKind.CHAT, (Message(Role.USER, "a" * 1990),), GenerationParameters(canvases=64, seed=1, steps=1)
    )
    events = list(chat(TaskRun(blind, asked, _settings(blind), 1, lambda event: None, lambda: False)))
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert finished.stats.canvases <= 3
    assert finished.reason in (FinishReason.LENGTH, FinishReason.END_TOKEN, FinishReason.NOT_SETTLED)


def test_a_correction_by_a_chat_model_keeps_the_draft_where_nothing_came(blind: Denoiser) -> None:
    finished = run(blind, request("abc abc.\n\nabc.", task=TaskKind.CORRECT))
    assert finished.error is None
    assert finished.answer
    assert finished.stats.canvases >= 1


def _settings(denoiser: Denoiser) -> SamplerSettings:
    return SamplerSettings.resolve(GenerationParameters(steps=1), denoiser.defaults)
