"""Requests, figures and errors keep their meaning on their way through JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffdesk.core import errors
from diffdesk.core.errors import DiffDeskError, EngineError, ProtocolError, SettingError, UserError
from diffdesk.core.events import RunStats
from diffdesk.core.messages import ImageRef, Message, Role
from diffdesk.core.parameters import GenerationParameters, SamplerDefaults
from diffdesk.core.requests import ModelInfo, ModelSpec, ReadLine, ReadWord, RunRequest, TaskKind

words = st.text(max_size=12)
paths = st.text("abc./ é", min_size=1, max_size=8).map(Path)
images = st.builds(ImageRef, paths, words, st.booleans(), st.sampled_from(["", "00:01"]))
messages = st.builds(Message, st.sampled_from(Role), words, st.lists(images, max_size=2).map(tuple), words)
parameters = st.builds(
    GenerationParameters,
    canvases=st.integers(1, 64),
    steps=st.none() | st.integers(1, 256),
    entropy_bound=st.none() | st.floats(0.001, 10),
    seed=st.none() | st.integers(0, 2**31 - 1),
    thinking=st.booleans(),
    system=words,
)
places = st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(10, 99), st.integers(10, 99))
read_words = st.builds(ReadWord, words, st.floats(0, 99), st.floats(0, 99), st.floats(0, 1))
read_lines = st.builds(
    ReadLine,
    words,
    paths,
    st.sampled_from([0, 90, 180, 270]),
    places,
    st.lists(read_words, max_size=3).map(tuple),
    st.floats(0, 1),
    st.floats(-0.2, 0.2),
)
requests = st.builds(
    RunRequest,
    st.sampled_from(TaskKind),
    st.lists(messages, max_size=3).map(tuple),
    parameters,
    st.lists(read_lines, max_size=3).map(tuple),
    words,
    st.none() | st.tuples(st.integers(-9, 99), st.integers(-9, 99)),
)


def through_json(data: object) -> dict[str, object]:
    got: object = json.loads(json.dumps(data))
    assert isinstance(got, dict)
    return got


@given(requests)
def test_a_run_request_comes_back_the_same(request_made: RunRequest) -> None:
    assert RunRequest.from_json(through_json(request_made.to_json())) == request_made


LINE = ReadLine("Hi", Path("a.png"), 0, (0, 0, 9, 9)).to_json()
GOOD = RunRequest(TaskKind.CHAT, (Message(Role.USER, "Hi", (ImageRef(Path("a.png")),)),)).to_json()


def test_a_request_without_lines_is_one_without_an_image() -> None:
    assert RunRequest.from_json({key: one for key, one in GOOD.items() if key != "read_lines"}).read_lines == ()


@pytest.mark.parametrize(
    "change",
    [
        {"task": "sing"},
        {"task": None},
        {"messages": None},
        {"messages": 3},
        {"messages": [3]},
        {"messages": ["Hi"]},
        {"messages": [{}]},
        {"messages": [{"role": "robot", "text": "Hi"}]},
        {"messages": [{"role": "user"}]},
        {"messages": [{"role": "user", "text": "Hi", "images": 3}]},
        {"messages": [{"role": "user", "text": "Hi", "images": [3]}]},
        {"messages": [{"role": "user", "text": "Hi", "images": [{"path": "a.png"}]}]},
        {"parameters": None},
        {"parameters": [1]},
        {"read_lines": 3},
        {"read_lines": [3]},
        {"read_lines": [{}]},
        {"read_lines": [{**LINE, "box": 3}]},
        {"read_lines": [{**LINE, "box": [0, 0, 9]}]},
        {"read_lines": [{**LINE, "box": [9, 0, 9, 9]}]},
        {"read_lines": [{**LINE, "turned": 45}]},
        {"read_lines": [{**LINE, "words": 3}]},
        {"read_lines": [{**LINE, "words": [{"text": "a"}]}]},
        {"read_lines": [{**LINE, "confidence": "high"}]},
    ],
)
def test_a_malformed_run_request_is_a_protocol_error(change: dict[str, object]) -> None:
    with pytest.raises(ProtocolError):
        RunRequest.from_json({**GOOD, **change})


def test_a_bad_setting_in_a_run_request_is_told_to_the_user() -> None:
    with pytest.raises(SettingError):
        RunRequest.from_json({**GOOD, "parameters": {"steps": 0}})


def test_what_names_and_describes_a_model_comes_back_the_same() -> None:
    spec = ModelSpec(Path("/models/one"), "transformers", "cpu", "float32")
    assert ModelSpec.from_json(through_json(spec.to_json())) == spec
    info = ModelInfo(
        name="One",
        path="/models/one",
        backend="transformers",
        device="CPU",
        precision="float32",
        parameters=9_000_000,
        canvas_length=96,
        context_length=4096,
        can_chat=False,
        can_see_images=False,
        why_no_images="It has no eyes.",
        defaults=SamplerDefaults(steps=4, end_ids=(1,), pad_id=0),
        memory_bytes=123,
        load_seconds=0.5,
    )
    assert ModelInfo.from_json(through_json(info.to_json())) == info


figures = st.builds(
    RunStats,
    prompt_tokens=st.integers(0, 10**6),
    steps=st.integers(0, 10**4),
    total_seconds=st.floats(0, 1e6),
    tokens_per_second=st.floats(0, 1e6),
    seed=st.integers(0, 2**31 - 1),
)


@given(figures)
def test_figures_come_back_the_same(stats: RunStats) -> None:
    assert RunStats.from_json(through_json(stats.to_json())) == stats


def test_figures_that_are_missing_or_no_numbers_are_nought() -> None:
    stats = RunStats.from_json({"steps": "many", "canvases": True, "total_seconds": None, "seed": 3, "later": 1})
    assert stats == RunStats(seed=3)


FAMILY = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, UserError)]


@pytest.mark.parametrize("kind", FAMILY)
def test_an_error_comes_back_of_the_same_kind(kind: type[UserError]) -> None:
    error = kind("Title", "Text.", "Remedy.", "Details")
    back = UserError.from_wire({key: str(value) for key, value in through_json(error.to_wire()).items()})
    assert type(back) is kind
    assert back.to_wire() == error.to_wire()


def test_every_kind_of_error_has_its_own_name() -> None:
    assert len(FAMILY) > 5
    assert len({one.kind for one in FAMILY}) == len(FAMILY)
    assert all(issubclass(one, DiffDeskError) for one in FAMILY)


def test_an_error_of_a_later_version_is_still_one_for_the_user() -> None:
    back = UserError.from_wire({"kind": "weather", "title": "Rain", "text": "It rains."})
    assert type(back) is UserError
    assert (back.title, back.text, back.remedy, back.details) == ("Rain", "It rains.", "", "")


def test_an_error_in_plain_lines() -> None:
    assert (
        EngineError("It stopped", "No memory.", "Close something.").plain()
        == "It stopped.\nNo memory.\nClose something."
    )
    assert UserError("It stopped", "No memory.").plain() == "It stopped.\nNo memory."
