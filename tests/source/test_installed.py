"""The running environment as a corpus: a fake one on sys.path, so that the test is the same everywhere, and the real one once."""

from __future__ import annotations

import platform
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

from minisc.core.errors import UserError
from minisc.core.fingerprint import describe
from minisc.core.remember import Hashes
from minisc.source.installed import Installed

from .test_license_files import ISC, MIT

OPTION = Path(__file__).resolve().parents[2] / "conf/source/installed.yaml"


def source(**changes: Any) -> Installed:
    values = yaml.safe_load(OPTION.read_text(encoding="utf-8"))
    del values["_target_"]
    return Installed(**values | {"stdlib": False} | changes)


@pytest.fixture
def hashes(tmp_path_factory: pytest.TempPathFactory) -> Hashes:
    return Hashes(tmp_path_factory.mktemp("memory") / "hashes.json")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty site-packages, the only folder on sys.path."""
    folder = tmp_path / "lib/site-packages"
    folder.mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(folder)])
    return folder


def install(site: Path, name: str, files: dict[str, str], metadata: str = "", record: tuple[str, ...] = (), version: str = "1.0") -> None:
    """A distribution as pip leaves it; `record`: further lines of RECORD."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    files = files | {f"{info}/METADATA": f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n{metadata}\nReadme.\n"}
    for path, text in files.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text, encoding="utf-8")
    (site / info / "RECORD").write_text(
        "".join(f"{path},sha256=x,1\n" for path in (*files, *record)) + f"{info}/RECORD,,\n", encoding="utf-8"
    )


def rows_of(installed: Installed, hashes: Hashes) -> list[dict[str, Any]]:
    return [row for part in installed.listing(None, hashes).parts for table in installed.tables(part) for row in table.to_pylist()]


def test_a_distribution_is_a_repository(site: Path, hashes: Hashes) -> None:
    install(
        site,
        "Some.Package",
        {"some/__init__.py": "a = 1\n", "some/b.py": "b = 1\n", "some/data.json": "{}"},
        "License-Expression: MIT\n",
        version="2.3.4",
    )
    (site / "some/left_over.py").write_text("c = 1\n")
    install(site, "minisc", {"minisc/own.py": "d = 1\n"})
    rows = rows_of(source(), hashes)
    assert [(row["repo"], row["revision"], row["path"], row["text"]) for row in rows] == [
        ("some-package", "2.3.4", b"some/__init__.py", "a = 1\n"), ("some-package", "2.3.4", b"some/b.py", "b = 1\n"),
    ]  # fmt: skip
    assert all(
        (row["source"], row["license"], row["license_evidence"], row["date"], row["size"])
        == ("installed", "MIT", "metadata:License-Expression", None, 6)
        for row in rows
    )


@pytest.mark.parametrize(
    ("metadata", "files", "license_", "evidence"),
    [
        ("License-Expression: MIT OR Apache-2.0\nLicense: GPL\n", {}, "MIT OR Apache-2.0", "metadata:License-Expression"),
        ("License: Apache License, Version 2.0\n", {}, "Apache-2.0", "metadata:License"),
        ("License: UNKNOWN\nClassifier: Topic :: X\nClassifier: License :: OSI Approved :: MIT License\n", {}, "MIT", "metadata:Classifier"),
        ("", {"x-1.0.dist-info/licenses/LICENSE": MIT, "x-1.0.dist-info/licenses/vendored/LICENSE": ISC}, "MIT", "file:LICENSE"),
        ("", {"x-1.0.dist-info/COPYING": ISC, "LICENSE": MIT}, "ISC", "file:COPYING"),
        ("License: Dual License\n", {"x-1.0.dist-info/LICENSE": MIT, "x-1.0.dist-info/LICENSE.isc": ISC}, "MIT AND ISC", "file:LICENSE, LICENSE.isc"),
        ("License: Some Proprietary License Agreement\n", {}, "LicenseRef-unknown", "metadata:License"),
        ("License-Expression: LicenseRef-Ours\n", {"x-1.0.dist-info/LICENSE": MIT}, "LicenseRef-unknown", "metadata:License-Expression"),
        ("License: UNKNOWN\n", {}, None, None),
        ("", {"license.py": "a = 1\n"}, None, None),
    ],
)  # fmt: skip
def test_the_license_and_where_it_stands(
    site: Path, hashes: Hashes, metadata: str, files: dict[str, str], license_: str | None, evidence: str | None
) -> None:
    install(site, "x", {"x.py": "a = 1\n"} | files, metadata)
    row = rows_of(source(), hashes)[-1]
    assert (row["license"], row["license_evidence"]) == (license_, evidence)


def test_only_what_lies_inside_the_environment_is_taken(site: Path, hashes: Hashes, tmp_path: Path) -> None:
    (tmp_path / "outside.py").write_text("secret = 1\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/x.py").write_text("secret = 2\n")
    record = (
        "../../outside.py",
        str(tmp_path / "outside.py"),
        "link.py",
        "linked/x.py",
        "missing.py",
        "a/../x.py",
        "pipe.py/x.py",
        "folder.py",
    )
    install(site, "x", {"x.py": "a = 1\n", "__editable___x_finder.py": "MAPPING = {}\n"}, record=record)
    (site / "link.py").symlink_to(tmp_path / "outside.py")
    (site / "linked").symlink_to(tmp_path / "folder")
    (site / "folder.py").mkdir()
    told = source().listing(None, hashes)
    assert [row["path"] for row in rows_of(source(), hashes)] == [b"x.py"]
    assert told.ignored == {
        "files outside of the environment": 3,
        "symbolic links out of the environment": 3,
        "files that are listed and not there": 2,
    }


def test_a_link_inside_the_environment_is_taken(site: Path, hashes: Hashes) -> None:
    install(site, "x", {"real/x.py": "a = 1\n"}, record=("x.py",))
    (site / "x.py").symlink_to("real/x.py")
    assert [(row["path"], row["text"]) for row in rows_of(source(), hashes)] == [(b"real/x.py", "a = 1\n"), (b"x.py", "a = 1\n")]


def test_broken_distributions_cost_nothing_but_themselves(
    site: Path, hashes: Hashes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(site, "good", {"good.py": "a = 1\n"})
    (site / "empty-1.dist-info").mkdir()
    install(site, "binary", {"binary.py": "b = 1\n"})
    (site / "binary-1.0.dist-info/RECORD").write_bytes(b"\xff\xfe\n")
    install(site, "no-record", {"no_record.py": "c = 1\n"})
    (site / "no_record-1.0.dist-info/RECORD").unlink()
    shadowed = tmp_path / "second"
    install(shadowed, "Good", {"good.py": "other = 1\n"}, version="9.9")
    monkeypatch.setattr(sys, "path", [str(site), str(shadowed)])
    assert [(row["repo"], row["revision"], row["text"]) for row in rows_of(source(), hashes)] == [("good", "1.0", "a = 1\n")]
    assert source().listing(None, hashes).ignored == {
        "distributions that are excluded, shadowed or without a name": 2,
        "distributions whose RECORD cannot be read": 1,
    }


def test_the_draw_takes_small_ones_whole_and_levels_large_ones(site: Path, hashes: Hashes) -> None:
    for name, many in (("large", 100), ("huge", 150), *((f"small{at}", 10) for at in range(6))):
        install(site, name, {f"{name}/m{at:03d}.py": f"x = {at:04d}\n" for at in range(many)})
    installed = source(max_bytes=1584, max_share=0.4, part_bytes=200)
    told = installed.listing(None, hashes)
    sizes: dict[str, int] = {}
    for row in rows_of(installed, hashes):
        sizes[row["repo"]] = sizes.get(row["repo"], 0) + row["size"]
    assert sizes == {"large": 522, "huge": 522} | {f"small{at}": 90 for at in range(6)}
    assert told.bytes == 1584 and told.remark == "0.0 of 0.0 MB, 8 distributions, the largest 33%" and len(told.parts) >= 8
    other = source(max_bytes=1584, max_share=0.4, part_bytes=200, seed=1).listing(None, hashes)
    assert other.bytes == told.bytes and other.identity != told.identity
    assert "all that the environment holds" in source().listing(None, hashes).remark


def test_shares_that_limit_or_cannot_be_kept_are_said(site: Path, hashes: Hashes) -> None:
    install(site, "one", {f"one/m{at}.py": "x = 1\n" for at in range(200)})
    install(site, "two", {f"two/m{at}.py": "x = 2\n" for at in range(200)})
    assert "cannot be kept with so few distributions" in source(max_bytes=600).listing(None, hashes).remark
    for at in range(8):
        install(site, f"small{at}", {f"small{at}.py": "x = 3\n"})
    assert "more would put one distribution above source.max_share=0.4" in source(max_bytes=600, max_share=0.4).listing(None, hashes).remark


def test_too_large_a_file_is_a_row(site: Path, hashes: Hashes) -> None:
    install(site, "x", {"x.py": "a = 1\n", "tables.py": "a = '" + "b" * 2000 + "'\n"}, "License: MIT\n")
    rows = rows_of(source(max_file_bytes=1000), hashes)
    assert [(row["path"], row["reason"], row["size"], row["license"]) for row in rows] == [
        (b"tables.py", "too_large", 2007, "MIT"),
        (b"x.py", None, 6, "MIT"),
    ]


def test_the_same_packages_elsewhere_have_the_same_identity(
    site: Path, hashes: Hashes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        install(site, name, {f"{name}/m{at}.py": f"x = {at}\n" for at in range(50)}, "License: MIT\n")
    installed = source(max_bytes=300)
    here = installed.listing(None, hashes)
    shutil.copytree(site, tmp_path / "elsewhere")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "elsewhere")])
    there = installed.listing(None, hashes)
    assert (
        here.identity == there.identity and here.parts != there.parts and str(tmp_path) not in str(here.identity) + str(describe(installed))
    )
    (tmp_path / "elsewhere/one/m0.py").write_text("y = 0\n")
    assert installed.listing(None, hashes).identity != here.identity or b"one/m0.py" not in [
        file.path for part in here.parts for file in part
    ]


def test_the_standard_library_is_one_distribution(site: Path, hashes: Hashes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = tmp_path / "python"
    for name in (
        "os.py",
        "json/decoder.py",
        "site-packages/x.py",
        "_sysconfigdata__linux.py",
        "lib2to3/tests/data/bom.py",
        "test/bad_coding.py",
        "test/test_os.py",
        "config-3/y.py",
    ):
        (library / name).parent.mkdir(parents=True, exist_ok=True)
        (library / name).write_text("a = 1\n")
    (library / "link.py").symlink_to(library / "os.py")
    monkeypatch.setattr(sysconfig, "get_path", {"stdlib": str(library)}.get)
    rows = rows_of(source(stdlib=True), hashes)
    assert [row["path_text"] for row in rows] == ["json/decoder.py", "os.py", "test/test_os.py"]
    assert {(row["repo"], row["revision"], row["license"], row["license_evidence"]) for row in rows} == {
        ("cpython", platform.python_version(), "Python-2.0", "known:cpython")
    }
    (library / "LICENSE.txt").write_text(MIT)
    assert rows_of(source(stdlib=True), hashes)[0]["license_evidence"] == "file:LICENSE.txt"


def test_the_real_environment_gives_real_code(hashes: Hashes) -> None:
    installed = source(stdlib=True, max_bytes=300_000, part_bytes=100_000)
    told = installed.listing(None, hashes)
    rows = [row for part in told.parts for table in installed.tables(part) for row in table.to_pylist()]
    kept = [row for row in rows if row["reason"] is None]
    repos = {row["repo"] for row in kept}
    assert 290_000 < told.bytes <= 300_000 and {"cpython", "pyarrow", "pytest"} <= repos and "minisc" not in repos and len(repos) > 20
    assert len({row["uid"] for row in rows}) == len(rows) and not {row["reason"] for row in rows} - {
        None,
        "empty",
        "too_large",
        "not_text",
        "holds_nul",
    }
    assert sum(row["license"] is not None for row in kept) > 0.9 * len(kept)


def test_an_empty_environment_is_an_error(site: Path, hashes: Hashes) -> None:
    with pytest.raises(UserError, match="no installed Python file") as error:
        source().listing(None, hashes)
    assert "source.stdlib=true" in error.value.do


@pytest.mark.parametrize("values", [{"max_bytes": 0}, {"max_file_bytes": 0}, {"part_bytes": 1 << 40}, {"max_share": 0}, {"max_share": 1.5}])
def test_bad_settings_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(UserError) as error:
        source(**values)
    (name,) = values
    assert error.value.where.startswith(f"source.{name}=") and error.value.do.startswith(f"source.{name}=")
