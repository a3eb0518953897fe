"""A full story as a run would tell it, and a hostile one; plain data, made by hand and by formula."""

from __future__ import annotations

import math
from typing import Any

from minisc.core import ledger
from minisc.report.story import Story

SCRIPT = "<script>alert(1)</script>"
NASTY = f"{SCRIPT}</pre></code>\"'><img src=x onerror=alert(1)>|`````\n# heading [a](javascript:alert(1))\u202eevil\u200b\x1b[31m\x00\ud800 & end  \n"


def rows(steps: int = 3000) -> list[dict[str, Any]]:
    """Loss curve of a training with a spike, warm-up and decay."""
    out = []
    for step in range(1, steps + 1):
        loss = 1.62 + 6.6 * math.exp(-step / 120) + 0.9 * math.exp(-step / 900) + 0.09 * math.sin(step * 12.9898) * math.sin(step * 0.37)
        lr = 0.002 * min(1.0, step / 100, (steps - step + 1) / 600)
        spike = 0.8 if step == 1777 else 0.0
        out.append({
            "step": step, "tokens": step * 8192, "loss": loss + spike, "bits_per_byte": loss / 1.05, "lr": lr,
            "grad_norm": 0.4 + 3 * math.exp(-step / 90) + 2 * spike, "tokens_per_second": 91_000 + 4000 * math.sin(step / 40), "mfu": 0.31,
        })  # fmt: skip
    return out


def waterfall(text: str = "def f():\n\tprint 'hello'   \n", repo: str = "six", path: str = "six/tests/test_py2.py") -> dict[str, Any]:
    plan = [
        ("collect", {"too_large": (4, 9_400_000), "not_text": (21, 310_000), "holds_nul": (1, 2_000)}),
        ("license", {"no_license": (412, 3_911_000), "copyleft": (877, 8_120_000), "unknown_license": (35, 212_000)}),
        ("syntax", {"python2": (63, 402_000), "invalid": (12, 88_000)}),
        ("exact_dup", {"duplicate": (1_402, 2_050_000)}),
        ("near_dup", {"near_duplicate": (760, 6_240_000)}),
        ("pii", {}),
    ]
    seen, size, stages = 9_812, 74_300_000, []
    for stage, reasons in plan:
        gone, gone_bytes = sum(n for n, _ in reasons.values()), sum(b for _, b in reasons.values())
        stages.append({
            "stage": stage, "seen": seen, "kept": seen - gone, "dropped": gone,
            "seen_bytes": size, "kept_bytes": size - gone_bytes, "dropped_bytes": gone_bytes,
            "reasons": {name: {"documents": n, "bytes": b} for name, (n, b) in reasons.items()},
        })  # fmt: skip
        seen, size = seen - gone, size - gone_bytes
    dropped = {f"{row['stage']}/{name}": count["bytes"] // 4 for row in stages[1:] for name, count in row["reasons"].items()}
    stages = ledger.with_tokens({"stages": stages}, dropped, size // 4)["stages"]
    names = ["MIT", "BSD-3-Clause", "Apache-2.0", "PSF-2.0", "MIT OR Apache-2.0", "ISC", "BSD-2-Clause", "0BSD", None]
    weights = [30, 26, 24, 9, 4, 3, 2, 1, 1]
    return {
        "stages": stages,
        "licenses": [{"license": name, "documents": seen * w // 100, "bytes": size * w // 100} for name, w in zip(names, weights, strict=True)],
        "splits": {"train": {"documents": seen - 180, "bytes": size - 1_200_000}, "held_out": {"documents": 180, "bytes": 1_200_000}},
        "sources": [{"source": "installed", "documents": seen, "bytes": size}],
        "repos": 143,
        "samples": {"syntax/python2": [{"uid": "0", "repo": repo, "path": path, "text": text}] * 3, "near_dup/near_duplicate": [{"uid": "1", "repo": repo, "path": path, "text": text}]},
    }  # fmt: skip


def bits_per_byte() -> dict[str, Any]:
    figures = {
        "bits_per_byte": 1.8123, "bits_per_byte_error": 0.0213, "zlib_bits_per_byte": 1.9871, "xz_bits_per_byte": 1.9902,
        "zlib_solid_bits_per_byte": 1.7012, "xz_solid_bits_per_byte": 1.3011, "documents_scored": 161, "bytes_scored": 1_000_412, "tokens_scored": 312_008,
    }  # fmt: skip
    repos = [
        {
            "repo": name,
            "documents": 20,
            "bytes": 90_000,
            "bits_per_byte": 1.6 + at / 10,
            "zlib_bits_per_byte": 1.9,
            "xz_bits_per_byte": 1.92,
        }
        for at, name in enumerate(["idna", "rich", "attrs", "httpx"])
    ]
    return {"figures": figures, "tables": {"repos": repos}, "about": ""}


FIGURES = {
    "collect": {"documents_kept": 9_786, "bytes_kept": 64_588_000},
    "curate": {"documents_kept": 6_225, "bytes_kept": 43_565_000, "lines_kept": 1_250_113},
    "train_tokenizer": {"vocabulary": 4_096, "bytes_per_token": 3.21},
    "pack": {"tokens": 13_600_000, "shards": 1},
    "pretrain": {
        "parameters": 6_420_480,
        "tokens_trained": 24_576_000,
        "tokens_per_second": 91_220.0,
        "bits_per_byte": 1.79,
        "peak_memory_bytes": 1_320_000_000,
    },
    "evaluate": {"bits_per_byte": 1.8123, "zlib_bits_per_byte": 1.9871},
    "generate": {"samples": 3},
}
SECONDS = {"collect": 8.4, "curate": 21.7, "train_tokenizer": 6.2, "pack": 9.1, "pretrain": 201.4, "evaluate": 12.8, "generate": 1.9}


def samples() -> list[dict[str, Any]]:
    settings = {"temperature": 0.0, "max_new_tokens": 64, "seed": 0}
    hello = '    """Return the greatest common divisor of a and b."""\n    while b:\n        a, b = b, a % b\n    return a\n'
    return [
        {"name": "gcd", "prompt": "def gcd(a: int, b: int) -> int:\n", "suffix": None, "completion": hello, "finish_reason": "end", "settings": settings},
        {"name": "fill in the middle", "prompt": "def mean(values):\n    total = ", "suffix": "\n    return total / len(values)\n", "completion": "sum(values)", "finish_reason": "end", "ended_by": "<file_sep>", "settings": settings},
        {"name": "class", "repo": "shop", "path": "shop/cart.py", "cut_tokens": 12, "prompt": "class Cart:\n    ", "suffix": None, "completion": "def __init__(self, self, self):   \n        self.self = self.self\n\tself.self = self", "finish_reason": "length", "settings": {**settings, "temperature": 0.8, "top_p": 0.95}},
    ]  # fmt: skip


def traces(text: str = "six") -> dict[int, dict[str, Any]]:
    origin = {"uid": "ab" * 16, "swhid": f"swh:1:cnt:{'5f' * 20}", "source": "installed", "repo": text, "revision": None, "path": f"{text}/gcd.py", "line": 41, "license": text}  # fmt: skip
    span = {"tokens": 27, "start": 4, "end": 96, "places": 2, "more": True, "origins": [origin, {**origin, "license": None, "swhid": None}]}
    none = {"name": "b", "origin": "samples", "artifact": "", "at": 1, "tokens": 4, "longest": 0, "repeated": 0, "repeats": 0, "spans": []}
    return {0: {**none, "at": 0, "tokens": 41, "longest": 27, "repeated": 27, "repeats": 1, "spans": [span]}, 1: none}


def earlier(text: str = "2026-03-13_11-02-44") -> dict[str, Any]:
    return {
        "name": text, "command": f"python -m minisc +recipe={text}", "figures": {"bits_per_byte": 1.93, "documents_kept": 6225, "tokens_per_second": 80_000},
        "settings": {"seed": ["0", "1"], text: [text, text]}, "metrics": [{**row, "loss": row["loss"] * 1.1} for row in rows(2000)],
        "apart": [["bits_per_byte", "-0.118", "-0.140 to -0.096", "161 documents", text]],
    }  # fmt: skip


def full() -> Story:
    steps = [
        {
            "step": name,
            "fingerprint": f"{at:x}3fa9c04d1e77ab20c5{at:x}"[:20],
            "cached": name in ("collect", "curate"),
            "seconds": SECONDS[name],
            "figures": figures,
            "artifact": f"outputs/store/{name}/{at:x}3fa9c04d1e77ab20c5",
        }
        for at, (name, figures) in enumerate(FIGURES.items())
    ]
    return Story(
        recipe="tiny",
        command="python -m minisc +recipe=tiny seed=1",
        date="2026-03-14 15:09 UTC",
        machine="2 cores, 4 GB, Linux, CPython 3.11, torch 2.13 on cpu",
        seconds=261.5,
        figures={key: value for figures in FIGURES.values() for key, value in figures.items()},
        steps=steps,
        waterfall=waterfall(),
        metrics={"pretrain": rows()},
        scores={"bits_per_byte": bits_per_byte()},
        samples=samples(),
        traces=traces(),
        earlier=earlier(),
        places=[("run", "outputs/runs/tiny/2026-03-14_15-09"), ("model", "outputs/store/pretrain/43fa9c04d1e77ab20c5"), ("TensorBoard", "tensorboard --logdir outputs")],
        versions={"torch": "2.13.0", "tokenizers": "0.22.1", "pyarrow": "26.0.0"},
        warnings=["near_dup dropped 10.6 % of the documents, its option file expects under 40 %: nothing to do"],
        config="seed: 1\nmodel:\n  hidden: 256\n",
    )  # fmt: skip


def hostile() -> Story:
    """The worst text in every place that holds text."""
    fall = waterfall(text=NASTY, repo=NASTY, path=NASTY)
    fall["licenses"][0]["license"] = NASTY
    fall["stages"][1]["stage"] = NASTY
    fall["stages"][1]["reasons"] = {}
    fall["stages"][1]["reasons"][NASTY] = {"documents": 35, "bytes": 212_000}
    fall["samples"][NASTY] = fall["samples"]["syntax/python2"]
    fall["splits"][NASTY] = {"documents": 1, "bytes": 1}
    fall["sources"][0]["source"] = NASTY
    score = bits_per_byte()
    score["figures"][NASTY], score["about"] = NASTY, NASTY
    score["tables"] = {NASTY: [{"repo": NASTY, NASTY: NASTY}]}
    step = {"step": NASTY, "fingerprint": NASTY, "cached": False, "seconds": 1.0, "figures": {NASTY: 1, "b": NASTY}, "artifact": NASTY}
    sample = {
        "name": NASTY,
        "prompt": NASTY,
        "suffix": NASTY,
        "completion": NASTY,
        "finish_reason": NASTY,
        "ended_by": NASTY,
        "repo": NASTY,
        "path": NASTY,
        "settings": {NASTY: NASTY},
    }
    return Story(
        recipe=NASTY, command=NASTY, date=NASTY, machine=NASTY, seconds=1.0, verdict=NASTY, figures={NASTY: 1}, steps=[step, step],
        waterfall=fall, metrics={NASTY: rows(40), "b": rows(5)}, scores={"bits_per_byte": score, NASTY: score}, samples=[sample],
        traces=traces(NASTY), earlier=earlier(NASTY),
        places=[(NASTY, NASTY)], versions={NASTY: NASTY}, warnings=[NASTY], config=NASTY,
    )  # fmt: skip
