"""The network that writes is the network that was trained: same logits, whatever the padding, the window and the pieces."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

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


@torch.inference_mode()
@pytest.mark.usefixtures("packing")
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
@pytest.mark.parametrize("window", [None, 7, 13])
def test_piece_by_piece_gives_what_reading_at_once_gives(window: int | None, kv_heads: int) -> None:
    net, text = network(small(window=window, kv_heads=kv_heads)), ids(2, 150)
    at_once, reading = net(text), net.packed().open()
    for start, end in [(0, 13), (13, 14), (14, 20), *((t, t + 1) for t in range(20, 150))]:
        assert torch.allclose(reading.read(text[:, start:end]), at_once[:, end - 1], atol=CLOSE)


@torch.inference_mode()
@settings(deadline=None, max_examples=20)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4), window=st.sampled_from([None, 4]), more=st.integers(1, 12))
def test_padding_changes_nothing(lengths: list[int], window: int | None, more: int) -> None:
    net, longest = network(small(window=window)), max(lengths)
    texts = ids(len(lengths), longest + more)
    prompts = torch.zeros(len(lengths), longest, dtype=torch.long)
    for row, length in enumerate(lengths):
        prompts[row, longest - length :] = texts[row, :length]
    reading = net.packed().open(torch.tensor([longest - length for length in lengths]))
    told = [reading.read(prompts)]
    for step in range(more):
        told.append(reading.read(torch.gather(texts, 1, torch.tensor([[length + step] for length in lengths]))))
    for row, length in enumerate(lengths):
        alone = net(texts[row : row + 1, : length + more])[0, length - 1 :]
        assert torch.allclose(torch.stack([logits[row] for logits in told]), alone, atol=CLOSE)


@torch.inference_mode()
def test_texts_leave_and_change_places() -> None:
    net, text = network(small()), ids(3, 12)
    for pads in (None, torch.zeros(3, dtype=torch.long)):
        reading = net.packed().open(pads)
        reading.read(text[:, :10])
        reading.keep(torch.tensor([2, 0]))
        reading.read(text[[2, 0], 10:11])
        assert torch.allclose(reading.read(text[[2, 0], 11:]), net(text)[[2, 0], -1], atol=CLOSE)


@torch.inference_mode()
def test_a_windows_memory_is_bounded() -> None:
    net, text = network(small(window=8)), ids(1, 400)
    reading = net.packed().open()
    reading.read(text[:, :5])
    for at in range(5, 400):
        logits = reading.read(text[:, at : at + 1])
    assert torch.allclose(logits, net(text)[:, -1], atol=CLOSE)
    assert reading._keys[0].shape[2] <= 5 + 64  # the first buffer was never outgrown


@torch.inference_mode()
def test_it_is_a_snapshot() -> None:
    net, text = network(small()), ids(1, 5)
    packed, before = net.packed(), net(text)[:, -1]
    for parameter in net.parameters():
        parameter.zero_()
    assert torch.allclose(packed.open().read(text), before, atol=CLOSE)


@torch.inference_mode()
def test_half_precision_is_close() -> None:
    net, text = network(small()), ids(2, 30)
    exact = net(text)[:, -1]
    reading = net.bfloat16().packed().open()
    reading.read(text[:, :-1])
    told = reading.read(text[:, -1:])
    assert told.dtype == torch.bfloat16 and torch.allclose(told.float(), exact, atol=0.05)
