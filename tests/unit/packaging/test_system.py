"""The system's libraries: what is reported missing, and the command that mends it."""

from __future__ import annotations

import sys

import pytest
from dev_report import SetupError
from dev_system import TEST_NEEDS, WINDOW_NEEDS, Kind, Need, apt_command, install_needs, is_present, missing_needs

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Debian's packages")


@linux
def test_missing_is_what_the_probe_does_not_find() -> None:
    gone = {"libEGL.so.1", "any TrueType or OpenType font"}
    missing = missing_needs(WINDOW_NEEDS, lambda need: need.name not in gone)
    assert [need.package for need in missing] == ["libegl1", "fonts-dejavu-core"]


def test_elsewhere_qt_brings_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert missing_needs(WINDOW_NEEDS, lambda _: False) == []


def test_one_command_installs_all() -> None:
    command = apt_command([*WINDOW_NEEDS, *TEST_NEEDS], is_root=False)
    assert command[:3] == ["sudo", "apt-get", "install"]
    assert {"libxcb-cursor0", "libegl1", "xvfb"} <= set(command)
    assert len(set(command)) == len(command)
    assert apt_command(TEST_NEEDS, is_root=True)[0] == "apt-get"


@linux
def test_probes_tell_what_is_there_from_what_is_not() -> None:
    assert is_present(Need(Kind.LIBRARY, "libc.so.6", "libc6"))
    assert not is_present(Need(Kind.LIBRARY, "libdiffdesk-is-not-here.so.1", "none"))
    assert is_present(Need(Kind.TOOL, "sh", "dash"))
    assert not is_present(Need(Kind.TOOL, "diffdesk-is-not-here", "none"))
    assert is_present(Need(Kind.MODULE, "json", "python3"))
    assert not is_present(Need(Kind.MODULE, "diffdesk_is_not_here", "none"))


@linux
def test_without_root_the_reader_gets_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/apt-get")
    with pytest.raises(SetupError) as caught:
        install_needs([Need(Kind.LIBRARY, "libEGL.so.1", "libegl1")])
    assert "libEGL.so.1 (library)" in caught.value.text
    assert "sudo apt-get install -y --no-install-recommends libegl1" in caught.value.remedy


def test_without_apt_the_reader_gets_the_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(SetupError) as caught:
        install_needs([Need(Kind.LIBRARY, "libEGL.so.1", "libegl1")])
    assert "libEGL.so.1" in caught.value.text
    assert "package manager" in caught.value.remedy
