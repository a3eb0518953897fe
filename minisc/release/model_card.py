"""The model card: what a model is, how it was made and what it is worth, written from its artifacts and nothing else.

In: `Facts`. Out: Markdown under a YAML block, as the Hugging Face hub shows it. What is not known is said to be unknown; a score
stands with its interval where its evaluation gave one, with how it was measured, and zeros stand as zeros.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from minisc.core import scoreboard
from minisc.release.documents import Counts
from minisc.release.markdown import count, fenced, front_matter, plain, share, table

LICENSES = 8  # rows; the data card has more
_ENDS = ("_low", "_high")  # of an interval, beside its figure


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a card tells. `training`: the manifest of the step that made the weights; `scores`: {evaluation: {about, figures}}."""

    name: str
    license: str | None
    config: Mapping[str, Any]
    parameters: int
    dtype: str
    training: Mapping[str, Any]
    command: str | None
    scores: Mapping[str, Any] = field(default_factory=dict)
    counts: Counts | None = None
    gguf: Sequence[Mapping[str, Any]] = ()  # {file, type, bytes, relative_error, matrices_in_f16}
    pretokenizer: Mapping[str, Any] | None = None  # {name, exact, agreement, tokens}
    hf: bool = True


def model_card(facts: Facts) -> str:
    chapters = [
        _matter(facts), f"# {plain(facts.name)}\n", _opening(facts), "## Use\n", _use(facts), "## Architecture\n", _architecture(facts),
        "## Training\n", _training(facts), "## Training data\n", _data(facts), "## Scores\n", _scores(facts.scores),
        *(["## GGUF files\n", _gguf(facts)] if facts.gguf else []), "## How to make it again\n", _again(facts), "## Limits\n", LIMITS,
    ]  # fmt: skip
    return "\n".join(chapters)


def _matter(facts: Facts) -> str:
    tags = ["code", "starcoder2", "minisc", "fill-in-the-middle", *(["gguf"] if facts.gguf else [])]
    return front_matter({
        "license": facts.license, "library_name": "transformers" if facts.hf else "gguf", "pipeline_tag": "text-generation", "language": ["code"],
        "programming_language": ["Python"], "tags": tags, "inference": False,
    })  # fmt: skip


def _opening(facts: Facts) -> str:
    licensed = (
        f"The weights are published under {plain(facts.license)}."
        if facts.license
        else "**No license has been chosen for the weights yet.**"
    )
    made = "" if facts.training.get("step") != "import_model" else " It was not trained here but imported from a folder."
    return (
        f"A language model for Python code of {count(facts.parameters)} parameters, of StarCoder2's architecture, made by minisc.{made} "
        f"It goes on with code and fills holes in it; it does not follow instructions. {licensed}\n"
    )


def _use(facts: Facts) -> str:
    told = ""
    if facts.hf:
        told += fenced(
            "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
            'folder = "."  # of this card\n'
            "tokenizer = AutoTokenizer.from_pretrained(folder)\n"
            "model = AutoModelForCausalLM.from_pretrained(folder)\n"
            'inputs = tokenizer("def mean(values):\\n", return_tensors="pt", return_token_type_ids=False)\n'
            "print(tokenizer.decode(model.generate(**inputs, max_new_tokens=64)[0], skip_special_tokens=True))",
            "python",
        )
    return told + (
        "\nA hole to fill: `<fim_prefix>` code before it `<fim_suffix>` code after it `<fim_middle>`. "
        "A file in its repository: `<repo_name>` name `<file_sep>` path, line end, code. Every text begins with `<|endoftext|>`, "
        "which the tokenizer puts there.\n"
    )


def _architecture(facts: Facts) -> str:
    config = facts.config
    window = config.get("sliding_window")
    rows = [
        ["parameters", count(facts.parameters)],
        ["layers", str(config["num_hidden_layers"])],
        ["width, of the MLP", f"{config['hidden_size']}, {config['intermediate_size']}"],
        ["attention heads, of keys and values", f"{config['num_attention_heads']}, {config['num_key_value_heads']}"],
        ["vocabulary", count(config["vocab_size"])],
        ["context", f"{count(config['max_position_embeddings'])} tokens" + (f", attention to the last {count(window)}" if window else "")],
        ["weights stored as", plain(facts.dtype)],
    ]
    return table(["", ""], rows)


# figures of a training that a card tells: (figure, words, form)
_TOLD = (
    ("tokens_trained", "training tokens", "{:,.0f}"),
    ("epochs", "epochs over the data", "{:.3g}"),
    ("flops", "FLOPs", "{:.3g}"),
    ("tokens_per_second", "tokens/s", "{:,.0f}"),
    ("mfu", "share of the device's peak (MFU)", "{:.1%}"),
    ("device", "device", "{}"),
    ("precision", "precision", "{}"),
)


def _training(facts: Facts) -> str:
    figures = facts.training.get("figures", {})
    rows = [
        [words, form.format(value) if isinstance(value, (int, float)) else plain(value)]
        for name, words, form in _TOLD
        if (value := figures.get(name)) is not None
    ]
    versions = facts.training.get("versions", {})
    told = table(["", ""], rows) if rows else "The training itself is not known to this card.\n"
    used = ", ".join(f"{plain(name)} {plain(version)}" for name, version in versions.items())
    return told + (f"\nMade with {used}.\n" if used else "")


def _data(facts: Facts) -> str:
    counts = facts.counts
    if counts is None:
        return "**Not known to this card**: the documents were not given when it was written (`inputs.documents=…`).\n"
    rows = [
        [plain(value) if value else "*none stated*", count(documents), share(size, counts.bytes)]
        for value, documents, size in counts.share("license")[:LICENSES]
    ]
    return (
        f"{count(counts.documents)} documents, see [the data card](data_card.md): sources, filters, personal data, decontamination, and a manifest "
        "of every document with its SWHID. The largest licenses:\n\n" + table(["license", ">documents", ">share of bytes"], rows)
    )


def _scores(scores: Mapping[str, Any]) -> str:
    if not scores:
        return "**Not measured**: no evaluation was given when this card was written (`steps=[…,evaluate,export]`).\n"
    told = [table(scoreboard.HEAD, [[plain(cell) for cell in row] for row in scoreboard.rows(scores)])]
    for name, one in scores.items():
        figures = one["figures"]
        rows = [[plain(key), _value(value), _interval(figures, key)] for key, value in figures.items() if not key.endswith(_ENDS)]
        told.append(f"### {plain(name)}\n\n" + (f"{plain_sentences(one['about'])}\n\n" if one.get("about") else "") + table(["figure", ">value", "95 % interval"], rows))  # fmt: skip
    return "\n".join(told)


def plain_sentences(text: str) -> str:
    """A text of several sentences of our own, cut into pieces that `plain` does not shorten."""
    return " ".join(plain(word) for word in text.split())


def _value(value: Any) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else count(value) if isinstance(value, int) else plain(value)


def _interval(figures: Mapping[str, Any], key: str) -> str:
    low, high = (figures.get(key + end) for end in _ENDS)
    if low is not None and high is not None:
        return f"{_value(low)} to {_value(high)}"
    error = figures.get(f"{key}_error")
    return f"± {_value(scoreboard.Z * error)}" if isinstance(error, float) else ""


def _gguf(facts: Facts) -> str:
    rows = [
        [plain(one["file"]), f"{one['bytes'] / 1e6:,.1f}", f"{one['relative_error']:.2g}",
         f"{one['matrices_in_f16']} matrices in f16" if one["matrices_in_f16"] else ""]
        for one in facts.gguf
    ]  # fmt: skip
    cut = facts.pretokenizer or {}
    told = table(["file", ">MB", ">relative error of the matrices", ""], rows)
    if cut.get("exact"):
        return told + "\nllama.cpp cuts text into words as the tokenizer does.\n"
    return told + (
        f"\n**Text is cut nearly, not exactly, as in training**: llama.cpp knows ways to cut text into words by name only, and this tokenizer's is not "
        f"among them. The files name `{cut['name']}`, with which {_right(cut)}. Ids given "
        "instead of text (llama.cpp's server takes a list of ids as a prompt) are exact.\n"
    )


def _right(cut: Mapping[str, Any]) -> str:
    if cut.get("agreement") is None:
        return "most tokens come out right; how many was not measured, for want of documents"
    return f"{cut['agreement']:.1%} of {count(cut['tokens'])} tokens come out right"


def _again(facts: Facts) -> str:
    if facts.command is None:
        return "The run that made it is no longer known; `lineage.json` holds the settings of every step.\n"
    return (
        "One command, with the data at hand; `<folder>` stands for places on the machine that it ran on:\n\n"
        + fenced(facts.command, "sh")
        + "\n"
        "`lineage.json` holds the settings, figures and package versions of every step behind it. Up to tokens the same input gives the same bytes; "
        "weights are the same bit for bit on the same kind of device, with the same number of threads and version of torch, else to rounding.\n"
    )


LIMITS = (
    "* It is a small base model: it writes plausible code, much of which is wrong. Read and test what it writes before you run it.\n"
    "* It was trained on Python. It knows other languages and English only as far as they occur in Python files.\n"
    "* It may repeat training code verbatim, with the license of that code. The data card lists the sources.\n"
    "* It may write insecure code, and names or secrets that the redaction missed.\n"
    "* Scores are of the protocol that stands beside them; other protocols give other numbers.\n"
)
