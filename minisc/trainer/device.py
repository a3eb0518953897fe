"""What a training run stands on: the accelerator, the number format, whether to compile; and how fast it could be.

Everything here is decided by what the machine is, never by timing it, so the same machine always decides alike.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass

import torch

from minisc.core.errors import UserError

ACCELERATORS = ("auto", "cpu", "gpu", "mps")
PRECISIONS = ("auto", "fp32", "bf16")
COMPILE = ("auto", "yes", "no")

# Dense bf16 tensor throughput in FLOP/s, without sparsity; from the makers' data sheets. The first name found in the
# device's own name counts, so longer names stand first.
PEAKS = {
    "B200": 2250e12, "H200": 989e12, "GH200": 989e12, "H100 PCIe": 756e12, "H100 NVL": 835e12, "H100": 989e12,
    "A100": 312e12, "A800": 312e12, "A40": 149.7e12, "A30": 165e12, "A10G": 70e12, "A10": 125e12, "L40S": 362e12, "L40": 181e12, "L4": 121e12,
    "RTX 5090": 209.5e12, "RTX 4090": 165.2e12, "RTX 4080": 97.5e12, "RTX 3090": 71e12, "RTX A6000": 154.8e12,
    "MI300X": 1307e12, "MI250X": 383e12,
}  # fmt: skip


@dataclass(frozen=True)
class Machine:
    """What was decided, in words for people and values for Lightning."""

    accelerator: str  # cpu, gpu or mps
    device: str  # the device's own name
    precision: str  # fp32 or bf16
    compiled: bool
    remark: str  # what a person should know once, or empty

    @property
    def lightning_precision(self) -> str:
        return "bf16-mixed" if self.precision == "bf16" else "32-true"

    @property
    def peak_flops(self) -> float | None:
        return next((peak for name, peak in PEAKS.items() if name in self.device), None) if self.precision == "bf16" else None


def choose(*, accelerator: str, precision: str, compile_: str) -> Machine:
    """Raises UserError for an accelerator that is not there."""
    found = _accelerator(accelerator)
    device = torch.cuda.get_device_name() if found == "gpu" else _cpu() if found == "cpu" else "Apple GPU"
    number = precision if precision != "auto" else "bf16" if bf16_pays(found) else "fp32"
    compiled, remark = _compiled(found, compile_)
    return Machine(found, device, number, compiled, remark)


def bf16_pays(accelerator: str) -> bool:
    """On a CPU only with bf16 instructions: measured 1.6 to 1.7 times the tokens of fp32 with AVX512_BF16."""
    if accelerator == "gpu":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = torch.cpu.get_capabilities()
    return accelerator == "cpu" and bool(able.get("avx512_bf16") or able.get("amx_bf16") or able.get("sve_bf16") or able.get("bf16"))


def _accelerator(wanted: str) -> str:
    there = {"gpu": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return next(name for name, is_there in there.items() if is_there)
    if not there[wanted]:
        raise UserError(f"torch finds no {wanted} here", where=f"trainer.accelerator={wanted}", do="trainer.accelerator=auto")
    return wanted


def _compiled(accelerator: str, wanted: str) -> tuple[bool, str]:
    if wanted == "no" or accelerator == "mps":
        return False, "torch.compile is not used on mps" if wanted == "yes" else ""
    if accelerator == "gpu":
        return True, ""
    compiler = shutil.which(os.environ.get("CXX", "g++")) or shutil.which("clang++")
    if wanted == "yes" and not compiler:
        return False, "torch.compile needs a C++ compiler on a CPU and finds none: training runs eagerly"
    return (
        wanted == "yes",
        "" if wanted == "yes" else "training runs eagerly on the CPU (trainer.compile=yes compiles, given a C++ compiler)",
    )


def _cpu() -> str:
    return str(torch.cpu.get_capabilities().get("cpu_name") or "CPU")
