"""What is decided from what the machine is."""

from __future__ import annotations

import pytest
import torch

from minisc.core.errors import UserError
from minisc.trainer import device
from minisc.trainer.device import Machine, choose


def test_the_cpu_when_it_is_asked_for() -> None:
    machine = choose(accelerator="cpu", precision="fp32", compile_="no")
    assert (machine.accelerator, machine.lightning_precision, machine.compiled, machine.remark) == ("cpu", "32-true", False, "")
    assert machine.peak_flops is None


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_an_absent_gpu_is_said_and_auto_does_without() -> None:
    with pytest.raises(UserError) as caught:
        choose(accelerator="gpu", precision="auto", compile_="auto")
    assert (caught.value.where, caught.value.do) == ("trainer.accelerator=gpu", "trainer.accelerator=auto")
    assert choose(accelerator="auto", precision="fp32", compile_="auto").accelerator in ("cpu", "mps")


@pytest.mark.parametrize(
    ("abilities", "pays"), [({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({"avx512_f": True}, False), ({}, False)]
)
def test_bf16_where_the_cpu_has_instructions_for_it(abilities: dict[str, bool], pays: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: abilities)
    machine = choose(accelerator="cpu", precision="auto", compile_="no")
    assert (machine.precision, machine.lightning_precision) == (("bf16", "bf16-mixed") if pays else ("fp32", "32-true"))
    assert choose(accelerator="cpu", precision="bf16", compile_="no").precision == "bf16"


def test_compiling_needs_a_compiler_and_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device.shutil, "which", lambda name: None)
    without = choose(accelerator="cpu", precision="fp32", compile_="yes")
    assert not without.compiled
    assert "needs a C++ compiler" in without.remark
    monkeypatch.setattr(device.shutil, "which", lambda name: "/usr/bin/" + name)
    assert choose(accelerator="cpu", precision="fp32", compile_="yes").compiled
    assert not choose(accelerator="cpu", precision="fp32", compile_="auto").compiled


@pytest.mark.parametrize(
    ("name", "teraflops"),
    [("NVIDIA H100 80GB HBM3", 989), ("NVIDIA H100 PCIe", 756), ("NVIDIA H200", 989), ("NVIDIA A100-SXM4-80GB", 312), ("NVIDIA A10G", 70),
     ("NVIDIA A10", 125), ("NVIDIA L4", 121), ("NVIDIA L40S", 362), ("NVIDIA GeForce RTX 4090", 165.2), ("NVIDIA T1000", None)],
)  # fmt: skip
def test_peaks_are_found_by_the_name_of_the_device(name: str, teraflops: float | None) -> None:
    machine = Machine("gpu", name, "bf16", True, "")
    assert machine.peak_flops == (None if teraflops is None else teraflops * 1e12)
