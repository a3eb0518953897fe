"""Ranks on a Ray cluster: the training of one device, to rounding, on nodes that come and go."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from minisc.core.errors import UserError
from minisc.trainer.events import read_rows
from tests.silent import Silent
from tests.trainer.made import fit
from tests.trainer.test_fit import curve, same, train, weights

pytestmark = [pytest.mark.system, pytest.mark.filterwarnings("default")]


@pytest.fixture(autouse=True)
def offline() -> None:
    """Nodes of a Ray cluster meet at the machine's own address, which the guard of the other tests does not know."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Two nodes of one core each, so that two ranks are on two nodes."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "num_gpus": 0}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    cluster.add_node(**node)
    yield cluster.address
    cluster.shutdown()


def test_two_nodes_learn_what_one_process_learns(cluster: str, tmp_path: Path) -> None:
    speak, handler = Silent(), signal.getsignal(signal.SIGTERM)
    one, two = train(fit(), tmp_path / "one"), train(fit(cluster=cluster, devices=2), tmp_path / "two", speak=speak)
    for name, tensor in weights(one).items():
        assert torch.allclose(tensor, weights(two)[name], atol=2e-3), name
    for first, second in zip(curve(tmp_path / "one"), curve(tmp_path / "two"), strict=True):
        assert second[:2] == first[:2] and second[2] == pytest.approx(first[2], abs=1e-3)
    assert not two.module.training and two.figures["tokens_trained"] == one.figures["tokens_trained"]
    assert sum("training starcoder2" in line for line in speak.lines) == 1  # rank 0's words reach us, the others are silent
    assert signal.getsignal(signal.SIGTERM) == handler and "LOCAL_RANK" not in os.environ
    assert same(two, train(fit(cluster=cluster, devices=2), tmp_path / "two"))  # finished: taken up, not trained again


def test_a_rank_that_is_killed_ends_the_training_and_the_next_one_goes_on(cluster: str, tmp_path: Path) -> None:
    whole = train(fit(cluster=cluster, devices=2), tmp_path / "whole", steps=60)

    def kill() -> None:
        while len(read_rows(tmp_path / "cut" / "metrics.jsonl")) < 4:
            time.sleep(0.01)
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if b"_Rank.train" in (process / "cmdline").read_bytes():
                    os.kill(int(process.name), signal.SIGKILL)
                    return
            except OSError:
                continue

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    with pytest.raises(UserError, match="one of the 2 ranks of this training died"):
        train(fit(cluster=cluster, devices=2, checkpoint_every=0, log_every=1), tmp_path / "cut", steps=60)
    killer.join()
    speak = Silent()
    resumed = train(fit(cluster=cluster, devices=2), tmp_path / "cut", steps=60, speak=speak)
    assert any("goes on after step" in line for line in speak.lines)
    assert same(whole, resumed)


def test_more_ranks_than_the_cluster_has_room_for(cluster: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no room for 3 ranks with a core each: 2 nodes, 2 cores, 0 GPUs") as caught:
        train(fit(cluster=cluster, devices=3), tmp_path)
    assert caught.value.do == "trainer.devices=2"


def test_an_error_of_a_rank_is_told_as_it_is(cluster: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="outside the model's vocabulary of 40"):
        train(fit(cluster=cluster, devices=2), tmp_path, vocab_size=40)


def test_no_cluster_answers(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no Ray cluster answers"):
        train(fit(cluster="127.0.0.1:9", devices=2), tmp_path)
