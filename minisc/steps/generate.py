"""generate: completions of prompts, kept as they come out.

In: a model (its tokenizer is inside it). Out: a `samples` artifact: samples.json, one entry a prompt with the prompt, the
completion, why it ended and the settings. Nothing is chosen or hidden: what the model says is what the report shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from minisc.core import durable
from minisc.core.artifact import Figures, Work
from minisc.core.errors import UserError, did_you_mean
from minisc.core.step import Context, Cost, Inputs, Need, Step

if TYPE_CHECKING:
    from minisc.generation.generator import Completion
    from minisc.generation.prompt import Prompt

FIELDS = ("text", "suffix", "repo", "path", "files", "name")


@dataclass(frozen=True, kw_only=True)
class Generate(Step):
    version: ClassVar[int] = 1
    makes: ClassVar[tuple[str, ...]] = ("samples",)
    needs: ClassVar[Mapping[str, Need]] = {"model": Need("model"), "tokenizer": Need("tokenizer")}

    prompts: list[Any] | None
    examples: list[dict[str, Any]]
    max_new_tokens: int
    temperature: float
    top_k: int
    top_p: float
    repetition_penalty: float
    seed: int

    def __post_init__(self) -> None:
        for asked in self.prompts or []:
            unknown = set(asked) - set(FIELDS) if isinstance(asked, dict) else set()
            if unknown:
                raise UserError(f"a prompt has no field {min(unknown)!r}", where="prompts", do=did_you_mean(min(unknown), FIELDS))

    def cost(self, inputs: Mapping[str, Mapping[str, float]], context: Context) -> Cost:
        asked = self._asked()
        return Cost(seconds=2 + 0.01 * len(asked) * self.max_new_tokens, expect={"completions": len(asked)})

    def _asked(self) -> list[dict[str, Any]]:
        asked = self.examples if self.prompts is None else self.prompts
        return [one if isinstance(one, dict) else {"text": str(one)} for one in asked]

    def run(self, work: Work, inputs: Inputs) -> Figures:
        from minisc.generation.generator import Generator
        from minisc.generation.prompt import Prompt
        from minisc.generation.sampling import Sampling
        from minisc.model.base import load
        from minisc.tokenizer.base import Tokenizer

        for name in ("model.safetensors", "config.json"):
            inputs["model"].file(name)
        loaded = load(inputs["model"].path)
        tokenizer = Tokenizer.load(inputs["tokenizer"].file("tokenizer.json"))
        settings: dict[str, Any] = {
            "max_new_tokens": self.max_new_tokens, "temperature": self.temperature, "top_k": self.top_k, "top_p": self.top_p,
            "repetition_penalty": self.repetition_penalty, "seed": self.seed,
        }  # fmt: skip
        asked = [Prompt(**one) for one in self._asked()]
        told = Generator(loaded.module, tokenizer).complete(asked, Sampling(**settings, long_prompt="cut"))
        if cut := [prompt.name for prompt, one in zip(asked, told, strict=True) if one.cut_tokens]:
            work.context.speak.warn(
                f"{len(cut)} of {len(asked)} prompts are longer than the {loaded.spec.max_positions:,} tokens that the model takes less {self.max_new_tokens:,} to "
                "write; what is far from the place to write was cut off (cut_tokens in samples.json)"
            )
        samples = [_sample(prompt, one, settings) for prompt, one in zip(asked, told, strict=True)]
        durable.write_json(work.path / "samples.json", samples)
        return {"completions": len(samples), "completion_tokens": sum(len(one.tokens) for one in told)}


def _sample(prompt: Prompt, told: Completion, settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": prompt.name, "prompt": prompt.text, "suffix": prompt.suffix, "repo": prompt.repo, "path": prompt.path,
        "completion": told.text, "finish_reason": told.finish_reason, "ended_by": told.ended_by, "cut_tokens": told.cut_tokens,
        "settings": dict(settings),
    }  # fmt: skip
