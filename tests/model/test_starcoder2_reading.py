"""The network that writes is the network that was trained: same logits, whatever the neighbours, the window and the pieces."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minisc.model.kv_cache import FIRST_ROOM
from minisc.model.starcoder2 import Starcoder2
from tests.model.sizes import small

VOCAB = 61
CLOSE = 1e-5


def network(spec: Starcoder2) -> Any:
    return spec.build(VOCAB, seed=1).eval()


def ids(*shape: int) -> torch.Tensor:
    return torch.randint(0, VOCAB, shape, generator=torch.Generator().manual_seed(3))


@pytest.fixture(params=[True, False], ids=["packed by oneDNN", "plain"])
def packing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processors without oneDNN take the plain road, which is that of other devices and types too."""
    if not request.param:
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    elif not torch.backends.mkldnn.is_available():
        pytest.skip("this torch has no oneDNN")


def last(reading: Any, texts: torch.Tensor) -> torch.Tensor:
    """Read [B, T], as many ids of each text; the logits after each text's last."""
    B, T = texts.shape
    return reading.read(texts.flatten(), [T] * B, torch.arange(T - 1, B * T, T))


@torch.inference_mode()
@pytest.mark.usefixtures("packing")
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
@pytest.mark.parametrize("window", [None, 7, 13])
def test_piece_by_piece_gives_what_reading_at_once_gives(window: int | None, kv_heads: int) -> None:
    net, text = network(small(window=window, kv_heads=kv_heads, max_positions=150)), ids(2, 150)
    at_once, reading = net(text), net.packed().open(2)
    for start, end in [(0, 13), (13, 14), (14, 20), *((t, t + 1) for t in range(20, 150))]:
        assert torch.allclose(last(reading, text[:, start:end]), at_once[:, end - 1], atol=CLOSE)


@torch.inference_mode()
@pytest.mark.usefixtures("packing")
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), window=st.sampled_from([None, 4]), texts=st.integers(1, 4))
def test_texts_go_on_at_their_own_pace_and_take_back(data: st.DataObject, window: int | None, texts: int) -> None:
    """Each call reads so many ids of each text; some of them are wrong, and taken back."""
    net, whole = network(small(window=window)), ids(texts, 60)
    at_once, reading, held = net(whole), net.packed().open(texts), [0] * texts
    for call in range(data.draw(st.integers(1, 6))):
        counts = data.draw(st.lists(st.integers(1, 9), min_size=texts, max_size=texts))
        wrong = [0] * texts if call == 0 else [data.draw(st.integers(0, count - 1)) for count in counts]
        read = [whole[text, held[text] : held[text] + count].clone() for text, count in enumerate(counts)]
        for own, count in zip(read, wrong, strict=True):
            own[len(own) - count :] = (own[len(own) - count :] + 1) % VOCAB
        logits = reading.read(torch.cat(read), counts).split(counts)
        for text, (own, count) in enumerate(zip(logits, wrong, strict=True)):
            right = len(own) - count
            assert torch.allclose(own[:right], at_once[text, held[text] : held[text] + right], atol=CLOSE)
            held[text] += right
        reading.back(wrong)


@torch.inference_mode()
@pytest.mark.parametrize("lengths", [[10, 10, 10], [10, 4, 7]], ids=["level", "uneven"])
def test_texts_leave_and_change_places(lengths: list[int]) -> None:
    net, text = network(small()), ids(3, 12)
    reading = net.packed().open(3)
    reading.read(torch.cat([own[:length] for own, length in zip(text, lengths, strict=True)]), lengths)
    reading.keep([2, 0])
    for more in range(2):
        told = reading.read(torch.stack([text[row, lengths[row] + more] for row in (2, 0)]), [1, 1])
    for logits, row in zip(told, (2, 0), strict=True):
        assert torch.allclose(logits, net(text)[row, lengths[row] + 1], atol=CLOSE)


@torch.inference_mode()
def test_a_windows_memory_is_bounded() -> None:
    net, text = network(small(window=8, max_positions=400)), ids(1, 400)
    reading = net.packed().open(1)
    reading.read(text[0, :5], [5])
    for at in range(5, 400):
        logits = reading.read(text[0, at : at + 1], [1])
    assert torch.allclose(logits, net(text)[:, -1], atol=CLOSE)
    assert reading._cache.capacity <= 5 + FIRST_ROOM  # the first buffer was never outgrown


@torch.inference_mode()
def test_it_is_a_snapshot() -> None:
    net, text = network(small()), ids(1, 5)
    packed, before = net.packed(), net(text)[:, -1]
    for parameter in net.parameters():
        parameter.zero_()
    assert torch.allclose(last(packed.open(1), text), before, atol=CLOSE)


@torch.inference_mode()
def test_half_precision_is_close() -> None:
    net, text = network(small()), ids(2, 30)
    exact = net(text)[:, -1]
    reading = net.bfloat16().packed().open(2)
    last(reading, text[:, :-1])
    told = last(reading, text[:, -1:])
    assert told.dtype == torch.bfloat16 and torch.allclose(told.float(), exact, atol=0.05)
