"""The data card: what a model was trained on, written from the `documents` artifact and nothing else.

In: the waterfall, the counts of `documents.write_manifest`, the lineage. Out: Markdown. Every number is counted from the rows
themselves; what was not done (no filter for personal data, no decontamination) is said to be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minisc.release.documents import FILE, Counts
from minisc.release.markdown import count, megabytes, plain, share, table

LICENSES = 25  # rows of the table; the rest is one row
REPOSITORIES = 10


def data_card(name: str, fall: Mapping[str, Any], counts: Counts, decontaminated: Mapping[str, int] | None) -> str:
    """`decontaminated`: figures of the filter `decontaminate`, None where it did not run."""
    last, first = fall["stages"][-1], fall["stages"][0]
    ran = [row["stage"] for row in fall["stages"]]
    return "\n".join([
        f"# Data card: what {plain(name)} was trained on\n",
        f"{count(counts.documents)} documents, {megabytes(counts.bytes)} MB of original bytes, from {count(fall['repos'])} repositories or packages; "
        f"{count(first['seen'])} documents were looked at, {count(first['seen'] - last['kept'])} dropped, each for a reason.\n",
        f"Every document is a row of [`{FILE}`]({FILE}): source, repository, revision, path, license with its evidence, size, split, and the "
        "SWHID of its original bytes, by which the Software Heritage archive finds it "
        f"(`https://archive.softwareheritage.org/<swhid>`). {_missing(counts)}\n",
        "## Sources\n", _shares(counts, "source", "source", 100),
        "## Splits\n",
        "Whole repositories are held out where that is possible; the model has not read them.\n", _shares(counts, "split", "split", 5),
        "## Licenses\n",
        "By the bytes of the kept documents, as the sources declare them; no lawyer has read them.\n",
        _shares(counts, "license", "license", LICENSES),
        "## Largest repositories\n", _shares(counts, "repo", "repository", REPOSITORIES),
        "## Filters\n", _filters(fall),
        "## Personal data and secrets\n", _pii(counts, "pii" in ran),
        "## Benchmarks\n", _decontamination(decontaminated, fall),
        "## Limits\n",
        "* Names, mail addresses, keys and passwords are found by rules; rules miss some.\n"
        "* A license is what the source says of a file or its repository; wrong and missing declarations exist in every archive.\n"
        "* Authors who want their code out: the manifest says which files are in. There is no trace of a removed file in a model trained anew without it.\n",
    ])  # fmt: skip


def _missing(counts: Counts) -> str:
    changed = (
        f" In {count(counts.changed)} documents personal data or secrets were replaced (`changed`): the model read the changed text."
        if counts.changed
        else ""
    )
    if counts.without_swhid:
        return f"{count(counts.without_swhid)} documents have no SWHID: their source gave no way to compute it." + changed
    return "All documents have one." + changed


def _shares(counts: Counts, column: str, title: str, most: int) -> str:
    rows = counts.share(column)
    shown = [
        [plain(value) if value else "*none stated*", count(documents), megabytes(size), share(size, counts.bytes)]
        for value, documents, size in rows[:most]
    ]
    rest = rows[most:]
    if rest:
        size = sum(row[2] for row in rest)
        shown.append([f"*{count(len(rest))} more*", count(sum(row[1] for row in rest)), megabytes(size), share(size, counts.bytes)])
    return table([title, ">documents", ">MB", ">share of bytes"], shown)


def _filters(fall: Mapping[str, Any]) -> str:
    rows = [
        [
            plain(row["stage"]), count(row["seen"]), count(row["dropped"]), megabytes(row["kept_bytes"]),
            ", ".join(f"{plain(reason)} {count(one['documents'])}" for reason, one in _by_number(row["reasons"])) or "",
        ]
        for row in fall["stages"]
    ]  # fmt: skip
    return table(["stage", ">seen", ">dropped", ">kept MB", "reasons"], rows)


def _by_number(reasons: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(reasons.items(), key=lambda item: (-item[1]["documents"], item[0]))


def _pii(counts: Counts, ran: bool) -> str:
    if not ran:
        return "**Not searched for**: the filter `pii` did not run on this corpus. It may hold names, mail addresses, keys and passwords.\n"
    if not counts.pii:
        return "The filter `pii` ran and found nothing.\n"
    rows = [[plain(kind), count(found)] for kind, found in sorted(counts.pii.items(), key=lambda item: (-item[1], item[0]))]
    return "Replaced, not dropped:\n\n" + table(["kind", ">findings"], rows)


def _decontamination(figures: Mapping[str, int] | None, fall: Mapping[str, Any]) -> str:
    row = next((row for row in fall["stages"] if row["stage"] == "decontaminate"), None)
    if row is None:
        return "**Not removed**: the filter `decontaminate` did not run on this corpus. Scores on public benchmarks may be helped by training text.\n"
    told = f"The filter `decontaminate` dropped {count(row['dropped'])} of {count(row['seen'])} documents that hold benchmark items."
    if figures:
        told += (
            f" It searched for {count(figures['items'])} items of {count(figures['benchmarks'])} benchmarks; {count(figures['found'])} of them occurred, "
            f"{count(figures['trivial'])} are too short to condemn a document."
        )
    return told + "\n"
