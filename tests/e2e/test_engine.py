"""The engine process with the real starter model: runs, stops, dies and comes back; and never touches the network."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from diffdesk.core.errors import Cancelled, CheckpointError, EngineError, PromptError, SettingError
from diffdesk.core.events import AnswerState, Finished, FinishReason
from diffdesk.core.messages import ImageRef, Message, Role
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.requests import ModelSpec, RunRequest, TaskKind
from diffdesk.core.trace import CanvasClosed, CanvasFold, CanvasOpened, StepDelta
from diffdesk.documents.recogniser import Recogniser
from diffdesk.engine.client import EngineClient
from diffdesk.paths import resource_dir, starter_dir
from diffdesk.services.models import STARTER_FILE, spec_of
from diffdesk.services.reading import read_images
from diffdesk.tasks import starter

NOISY = "Tbe quick brown f0x jumps ovcr the lazy d0g while tlie m0on rises."


def correction(text: str = NOISY, **parameters: int) -> RunRequest:
    values = GenerationParameters.from_json({"seed": 1, **parameters})
    return RunRequest(TaskKind.CORRECT, (Message(Role.USER, text),), values)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineClient]:
    client = EngineClient(tmp_path_factory.mktemp("logs"))
    client.load(spec_of(None), lambda stage, share: None)
    yield client
    client.close()


def ready(client: EngineClient) -> EngineClient:
    """The client with a living engine and a model in it."""
    if client.pid is None:
        client.load(spec_of(None), lambda stage, share: None)
    return client


def at_first_step(client: EngineClient, act: Callable[[], None]) -> None:
    """Run a long correction, do `act` at each step, read to the end."""
    for event in client.run(correction(NOISY * 40)):
        if isinstance(event, StepDelta):
            act()


def last(client: EngineClient, request: RunRequest) -> Finished:
    events = list(client.run(request))
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert not any(isinstance(event, Finished) for event in events[:-1])
    return finished


def test_the_starter_is_a_gguf_file_and_needs_no_torch(tmp_path: Path) -> None:
    client = EngineClient(tmp_path)
    info = client.load(spec_of(None), lambda stage, share: None)
    loaded = psutil.Process(client.pid).memory_maps()
    client.close()
    assert (info.name, info.backend, info.precision) == ("Starter", "gguf", "Q8_0")
    assert Path(info.path).name == STARTER_FILE
    libraries = {Path(one.path).name for one in loaded}
    assert any(name.startswith("libggml") for name in libraries)
    assert not any("torch" in name for name in libraries)


@pytest.mark.torch
@pytest.mark.slow
def test_the_starters_folder_gives_the_same_correction(tmp_path: Path) -> None:
    client = EngineClient(tmp_path)
    info = client.load(ModelSpec(starter_dir()), lambda stage, share: None)
    answer = last(client, correction()).answer
    client.close()
    assert (info.name, info.backend) == ("Starter", "transformers")
    assert answer == "The quick brown fox jumps over the lazy dog while the moon rises."


def test_corrects_and_says_what_it_does_step_by_step(client: EngineClient) -> None:
    fold = CanvasFold()
    steps = 0
    for event in ready(client).run(correction()):
        if isinstance(event, CanvasOpened | StepDelta | CanvasClosed):
            frame = fold.apply(event)
            steps += isinstance(event, StepDelta)
            assert frame.length == 96, "no longer than the text needs, in steps of 32"
    assert steps >= 2
    assert fold.answer == "The quick brown fox jumps over the lazy dog while the moon rises."


@pytest.mark.slow
def test_lines_of_an_image_are_compared_with_their_pictures(client: EngineClient) -> None:
    recogniser = Recogniser()
    try:
        reading = read_images(recogniser, [ImageRef(resource_dir() / "samples" / "sample.png")])
    finally:
        recogniser.close()
    message = Message(Role.USER, reading.text)
    asked = RunRequest(TaskKind.CORRECT, (message,), GenerationParameters(seed=1), reading.lines)
    finished = last(ready(client), asked)
    assert (finished.error, finished.notes) == (None, ())
    assert finished.stats.canvases == len(reading.lines)
    assert finished.answer.count("\n") == reading.text.count("\n")
    assert "The lamp on the pier was lit an hour before dusk" in finished.answer
    assert "turned from south" in finished.answer
    assert "boats had come home" in finished.answer


def test_the_same_seed_gives_the_same_answer(client: EngineClient) -> None:
    long = NOISY * 4
    assert last(ready(client), correction(long)).answer == last(client, correction(long)).answer


def test_cancel_is_answered_within_one_step(client: EngineClient) -> None:
    steps_after = -1
    finished = None
    for event in ready(client).run(correction(NOISY * 40)):
        if isinstance(event, StepDelta) and steps_after < 0:
            client.cancel()
            steps_after = 0
        elif isinstance(event, StepDelta):
            steps_after += 1
        finished = event
    assert isinstance(finished, Finished)
    assert finished.reason is FinishReason.CANCELLED
    assert steps_after <= 2  # the one at work, and one that was on the pipe already
    assert finished.answer.count("jum") == 40  # what was not reached is kept as it was


def test_declines_what_the_starter_cant_do(client: EngineClient) -> None:
    chat = RunRequest(TaskKind.CHAT, (Message(Role.USER, "What is the capital of France?"),))
    finished = last(ready(client), chat)
    assert finished.state is AnswerState.DECLINED
    assert finished.notes == (starter.CANT_CHAT,)
    russian = last(client, correction("Быстрая коричневая лиса прыгает"))
    assert (russian.answer, russian.notes) == ("Быстрая коричневая лиса прыгает", (starter.CANT_LANGUAGE,))


def test_bad_requests_are_refused_and_the_engine_lives_on(client: EngineClient) -> None:
    with pytest.raises(PromptError):
        list(ready(client).run(correction("  \n ")))
    contradiction = GenerationParameters(t_max=0.3, t_min=0.4)
    with pytest.raises(SettingError):
        list(client.run(RunRequest(TaskKind.CORRECT, (Message(Role.USER, "x"),), contradiction)))
    assert last(client, correction()).reason is FinishReason.END_TOKEN


def test_it_opens_no_socket(client: EngineClient) -> None:
    process = psutil.Process(ready(client).pid)
    for event in client.run(correction(NOISY * 3)):
        if isinstance(event, StepDelta):
            assert process.net_connections("all") == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent the POSIX way")
@pytest.mark.parametrize(
    ("deadly", "title"), [(signal.SIGKILL, "The engine was killed"), (signal.SIGABRT, "The engine crashed")]
)
def test_a_death_at_work_is_explained_and_survived(client: EngineClient, deadly: signal.Signals, title: str) -> None:
    def die(pid: int | None) -> None:
        if pid is not None:
            os.kill(pid, deadly)

    with pytest.raises(EngineError) as caught:
        at_first_step(ready(client), lambda: die(client.pid))
    assert caught.value.title == title
    assert "kept" in caught.value.remedy
    assert client.pid is None
    assert last(ready(client), correction()).reason is FinishReason.END_TOKEN


def test_an_end_that_we_asked_for_is_said_so(client: EngineClient) -> None:
    with pytest.raises(EngineError) as caught:
        at_first_step(ready(client), client.kill)
    assert caught.value.title == "The engine was stopped"


def test_the_engine_ends_when_its_pipe_does(tmp_path: Path) -> None:
    client = EngineClient(tmp_path)
    client.load(spec_of(None), lambda stage, share: None)
    process = psutil.Process(client.pid)
    client.close()
    assert not process.is_running()


def test_a_load_can_be_cancelled_and_a_bad_folder_is_refused(tmp_path: Path) -> None:
    client = EngineClient(tmp_path)
    with pytest.raises(Cancelled):
        client.load(spec_of(None), lambda stage, share: client.cancel())
    with pytest.raises(CheckpointError):
        client.load(ModelSpec(tmp_path / "nothing"), lambda stage, share: None)
    assert client.load(spec_of(None), lambda stage, share: None).name == "Starter"
    client.close()
