"""Shards in the published layout of swallow-code-v2, all 34 columns, holding Python files that parse and differ from each other.

`write_shard(path, rows, seed)` writes one and returns its rows. The programs are made of a small grammar over a seeded choice of words, so that
tokenizers, near-deduplication and tests of quality have something to do: functions call each other, have docstrings and comments.
"""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

COLUMNS = (
    "text", "old_text", "improved_text", "improved_code", "auto_fix_output", "score", "Qwen3-14B_evaluation", "lint_report", "path", "repo_name", "blob_id",
    "branch_name", "committer_date", "content_id", "detected_licenses", "directory_id", "extension", "fork_events_count", "gha_created_at",
    "gha_event_created_at", "gha_language", "gha_license_id", "github_id", "is_generated", "is_vendor", "language", "length_bytes", "license_type",
    "revision_date", "revision_id", "snapshot_id", "src_encoding", "star_events_count", "visit_date",
)  # fmt: skip
NOUNS = "account batch buffer cache channel client cluster column counter cursor device edge event field filter frame graph group handle header index item job key label layer line list matrix message metric model node offset order packet page parser path pixel point pool queue range record region request route row sample schema score segment sensor series session shape signal slot source stack state stream table target task tensor ticket token tree user value vector vertex window worker zone".split()  # fmt: skip  # noqa: SIM905
VERBS = "add append apply build check clean collect compare compute convert count create decode drop encode extract fetch find flatten format gather join load map mark merge move normalize parse pick plan read reduce remove render resolve rotate sample scale scan select send shift sort split store sum trim update validate walk write".split()  # fmt: skip  # noqa: SIM905
LICENSES = (
    ["MIT"],
    ["Apache-2.0"],
    ["BSD-3-Clause"],
    ["Apache-2.0", "MIT"],
    ["MIT", "LicenseRef-scancode-unknown-license-reference"],
    [],
    ["GPL-3.0-only"],
)


def write_shard(path: Path, rows: int, seed: int) -> list[dict[str, Any]]:
    """Write so many rows, about five a repository; the same rows for the same seed."""
    random_ = random.Random(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    written = [_row(random_, seed) for _ in range(rows)]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in written), encoding="utf-8")
    return written


def _row(random_: random.Random, seed: int) -> dict[str, Any]:
    text = program(random_)
    old = text.replace('    """', '    # """').replace("    return", "    \treturn")
    owner, project = random_.choice(NOUNS), f"{random_.choice(VERBS)}-{random_.choice(NOUNS)}"
    repo = random.Random(f"{seed} {owner} {project}")
    licenses = LICENSES[repo.randrange(len(LICENSES))]
    kind = "no_license" if not licenses else "non_permissive" if licenses[0].startswith("GPL") else "permissive"
    year = 2010 + repo.randrange(13)
    row = {
        "text": text, "old_text": old, "improved_text": f"Here is the improved code.\n<|REWRITTEN_CODE|>:\n```python\n{text}```\n", "improved_code": text,
        "auto_fix_output": "", "score": random_.randint(3, 6), "Qwen3-14B_evaluation": "Readable, few comments. Rating: [[5]]", "lint_report": [],
        "path": f"/{random_.choice(NOUNS)}/{random_.choice(VERBS)}_{random_.randrange(10_000)}.py", "repo_name": f"{owner}/{project}",
        "blob_id": hashlib.sha1(old.encode()).hexdigest(), "branch_name": "refs/heads/main", "committer_date": f"{year}-03-04T05:06:07",
        "content_id": hashlib.sha1(b"blob %d\0" % len(old.encode()) + old.encode()).hexdigest(), "detected_licenses": licenses,
        "directory_id": f"{repo.getrandbits(160):040x}", "extension": "py", "fork_events_count": repo.randrange(40), "gha_created_at": None,
        "gha_event_created_at": None, "gha_language": "Python", "gha_license_id": None, "github_id": repo.randrange(10**9), "is_generated": False,
        "is_vendor": False, "language": "Python", "length_bytes": len(old.encode()), "license_type": kind, "revision_date": f"{year}-03-05T05:06:07",
        "revision_id": f"{repo.getrandbits(160):040x}", "snapshot_id": f"{repo.getrandbits(160):040x}", "src_encoding": "UTF-8",
        "star_events_count": repo.randrange(500), "visit_date": "2023-01-02T03:04:05.678901",
    }  # fmt: skip
    assert tuple(row) == COLUMNS
    return row


def program(random_: random.Random) -> str:
    """One module: imports, a few functions, a class, a main."""
    names = list(dict.fromkeys(f"{random_.choice(VERBS)}_{random_.choice(NOUNS)}" for _ in range(random_.randint(2, 6))))
    functions = [_function(random_, name, names[:at]) for at, name in enumerate(names)]
    parts = [
        f'"""Tools that {random_.choice(VERBS)} a {random_.choice(NOUNS)}."""\n\nimport {random_.choice(["json", "math", "os", "re", "sys"])}\n',
        *functions,
    ]
    if random_.random() < 0.6:
        parts.append(_class(random_, names))
    parts.append(f'if __name__ == "__main__":\n    print({names[-1]}([{", ".join(str(random_.randrange(100)) for _ in range(4))}]))\n')
    return "\n\n".join(parts)


def _function(random_: random.Random, name: str, others: list[str]) -> str:
    noun, item, limit = random_.choice(NOUNS), random_.choice("xyzabk"), random_.randint(2, 90)
    lines = [
        f"def {name}({noun}s, limit={limit}):",
        f'    """{name.replace("_", " ").capitalize()} of the {noun}s, up to {limit}."""',
        "    result = []",
    ]
    body = [f"    for {item} in {noun}s:", f"        if {item} {random_.choice(['<', '>', '==', '!='])} limit:"]
    body += [f"            result.append({item} {random_.choice(['+', '-', '*', '//'])} {random_.randint(1, 9)})"]
    if random_.random() < 0.5:
        body += ["        else:", f"            # a {random_.choice(NOUNS)} beyond the limit", f"            result.append({item})"]
    if others and random_.random() < 0.7:
        body += [f"    result = {random_.choice(others)}(result, limit + {random_.randint(1, 5)})"]
    return (
        "\n".join([*lines, *body, f"    return {random_.choice(['result', 'sorted(result)', 'result[:limit]', 'list(reversed(result))'])}"])
        + "\n"
    )


def _class(random_: random.Random, names: list[str]) -> str:
    noun, field = random_.choice(NOUNS), random_.choice(NOUNS)
    return (
        f'class {noun.capitalize()}:\n    """Holds one {field}."""\n\n    def __init__(self, {field}):\n        self.{field} = {field}\n\n'
        f"    def {random_.choice(VERBS)}(self):\n        return {random_.choice(names)}([self.{field}])\n"
    )
