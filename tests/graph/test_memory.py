"""What an export leaves behind goes back to the system."""

from __future__ import annotations

import os
import sys

import pytest
import torch
from torch import nn

from xaiwidgets.graph import export, exporting
from xaiwidgets.graph.memory import hand_back


def resident() -> int:
    """Memory of this process in bytes."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of Linux")
def test_what_is_free_between_pieces_in_use_goes_back() -> None:
    try:
        os.confstr("CS_GNU_LIBC_VERSION")
    except ValueError:
        pytest.skip("of glibc")
    pieces = [bytes(4000) for _ in range(30_000)]
    kept = pieces[::20]
    del pieces
    before = resident()
    hand_back()
    assert before - resident() > 60e6
    assert len(kept) == 1500


def test_every_export_hands_back(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[None] = []
    monkeypatch.setattr(exporting, "hand_back", lambda: calls.append(None))
    export(nn.Conv2d(3, 2, 1).eval(), torch.randn(2, 3, 4, 4))
    assert len(calls) == 1
