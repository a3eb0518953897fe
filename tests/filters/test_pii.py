"""The filter `pii`: what is replaced, what stays, and that source still compiles. Holes are those of bigcode-dataset's chain."""

from __future__ import annotations

import ast
import json
import re
import sysconfig
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml
from detect_secrets.core.scan import scan_file
from detect_secrets.settings import transient_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.core.errors import UserError
from minisc.filters.pii import Pii
from minisc.text.sensitive.redaction import private_address
from tests.support import notes, reasons, row, run_stage

OPTION = yaml.safe_load((Path(__file__).resolve().parents[2] / "conf/filters/pii.yaml").read_text(encoding="utf-8"))["pii"]
SETTINGS = {key: value for key, value in OPTION.items() if key != "_target_"}
LIBRARY = Path(sysconfig.get_paths()["stdlib"])
AWS = "AKIA" + "Q3EGRZ7NPLKDW2XV"  # put together here, so that no scanner takes this file for a leak
GITHUB = "ghp_" + "a8Kd02LmPq93XzRt7VbN51YcWs64HuEjGfTo"


def pii(**changes: Any) -> Pii:
    return Pii(**{**SETTINGS, **changes})


def after(text: str, repo: str = "test/repo", **changes: Any) -> str:
    """The text after the filter."""
    return str(run_stage(pii(**changes), [row(text, repo=repo)])["text"].to_pylist()[0])


def told(text: str, **changes: Any) -> dict[str, Any]:
    """The notes that the filter leaves."""
    [found] = notes(run_stage(pii(**changes), [row(text)])).values()
    return {key: json.loads(value) for key, value in found.items()}


IP4, IP6 = private_address("test/repo", "84.23.11.9"), private_address("test/repo", "2001:db8:85a3::8a2e:370:7334")
REPLACED = {
    # Holes of bigcode-dataset that were reproduced.
    "a key beside x.shape": (f"n = x.shape  # share\nk = '{AWS}'\n", "n = x.shape  # share\nk = '<KEY>'\n"),
    "a key at offset 0": (f"'{AWS}'\n", "'<KEY>'\n"),
    "a token is one finding": (f"t = '{GITHUB}'\nghp = 'ghp'\n", "t = '<KEY>'\nghp = 'ghp'\n"),
    "a key block": (
        "k = '''-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7bq9\nZk3Vh2mQw8Rt\n-----END RSA PRIVATE KEY-----'''\n",
        "k = '''<KEY>'''\n",
    ),
    "a key block in pieces": (
        "k = ('-----BEGIN PRIVATE KEY-----\\n'\n     'MIIEpAIBAAKCAQEA7bq9\\n'\n     '-----END PRIVATE KEY-----\\n')\n",
        "k = ('<KEY>\\n')\n",
    ),
    "a password in a URL": ("u = 'postgres://joe:pw@db.corp.org/x'\n", "u = 'postgres://joe:<PASSWORD>@db.corp.org/x'\n"),
    "a password": ("password = 'hunter2'\n", "password = '<PASSWORD>'\n"),
    "a password in a call": ('connect(user="joe", passwd = "s3cr3t!")\n', 'connect(user="joe", passwd = "<PASSWORD>")\n'),
    "a password in a dict": ("{'db_password': 'Tr0ub4dor&3'}\n", "{'db_password': '<PASSWORD>'}\n"),
    "an annotated password": ("password: str = 'Tr0ub4dor&3'\n", "password: str = '<PASSWORD>'\n"),
    "an OpenAI key": ("k = 'sk-proj-" + "Ab3dEf6hIj9kLm2nOp5qRs8t'\n", "k = '<KEY>'\n"),
    "a GitLab token": ("k = 'glpat-" + "x9Kd02LmPq93XzRt7VbN'\n", "k = '<KEY>'\n"),
    "a Slack token": ("k = 'xoxb-" + "12345678901-abcdEFGH1234'\n", "k = '<KEY>'\n"),
    "a JWT": ("k = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U'\n", "k = '<KEY>'\n"),
    "a connection string": ("c = 'Server=db;Uid=joe;Pwd=pa55wd;Port=1'\n", "c = 'Server=db;Uid=joe;Pwd=<PASSWORD>;Port=1'\n"),
    "an IPv4 URL": ("u = 'http://84.23.11.9:8080'\n", f"u = 'http://{IP4}:8080'\n"),
    "host=IPv4": ("c = 'host=84.23.11.9'\n", f"c = 'host={IP4}'\n"),
    "IPv4/CIDR": ("c = '84.23.11.9/24'\n", f"c = '{IP4}/24'\n"),
    "[IPv4] and <IPv4>": ("# [84.23.11.9] <84.23.11.9>\n", f"# [{IP4}] <{IP4}>\n"),
    "IPv6 whole": ("c = '2001:db8:85a3::8a2e:370:7334'\n", f"c = '{IP6}'\n"),
    "[IPv6]:port": ("c = 'http://[2001:db8:85a3::8a2e:370:7334]:80/'\n", f"c = 'http://[{IP6}]:80/'\n"),
    "mail= stays": ("c = 'mail=joe.doe@corp.org'\n", "c = 'mail=<EMAIL>'\n"),
    "a mail with a port": ("c = 'joe@corp.org:22'\n", "c = '<EMAIL>:22'\n"),
    "a mail behind an escape": ("c = '\\njoe@corp.org'\n", "c = '\\n<EMAIL>'\n"),
    "a mail that ends a sentence": ("# Ask joe@corp.org.\n", "# Ask <EMAIL>.\n"),
    "an address that is no version at the top of a file": ("# 84.23.11.9\n", f"# {IP4}\n"),
    # Names where the text marks them.
    "a copyright line": ("# Copyright (c) 2015-2019 Joe Doe, Jane van der Berg\n", "# Copyright (c) 2015-2019 <NAME>, <NAME>\n"),
    "an author": ("__author__ = 'Joe Doe'\n", "__author__ = '<NAME>'\n"),
    "a handle as author": ("__author__ = 'joedoe'\n", "__author__ = '<NAME>'\n"),
    "an author with mail": ("# Author: Joe Doe <joe@corp.org>\n", "# Author: <NAME> <<EMAIL>>\n"),
    "a name behind a mail": ("__author__ = 'joe@corp.org (Joe Doe)'\n", "__author__ = '<EMAIL> (<NAME>)'\n"),
    "a name before a mail": ("# fixed for Jean-Luc Picard (jl@fleet.org)\n", "# fixed for <NAME> (<EMAIL>)\n"),
    "a TODO": ("# TODO(joe): more\n", "# TODO(<NAME>): more\n"),
    "a mention": ("# thanks to @joedoe for this\n", "# thanks to @<NAME> for this\n"),
}
STAYS = {
    "a matrix product": "y = W@x.shape[0] + a@b.T\n",
    "a matrix product in a comment": "# y = W@x.shape and A@B.T\n",
    "git@github.com": "u = 'git@github.com:joe/x.git'\nv = 'ssh://git@github.com/x'\n",
    "a file name": "j = 'lib@latest.min.js'\ni = 'icon@2x.png'\n",
    "example.com": "m = 'joe@example.com, jane@mail.example.org, x@y.test'\n",
    "object identifiers": "STREET_ADDRESS = ObjectIdentifier('2.5.4.9')\nissuer_oid = '2.5.29.28'\nhosts = {'oid': '1.3.101.112'}\n",
    "versions": "version = '1.2.3.4'\nr = 'x==84.23.11.9'\nua = 'Chrome/84.0.147.89'\n# v1.2.3.4, 1.2.3.4.5\n",
    "a long version": "__version__ = '84.23.11.9'\n",
    "a hash": "sha1 = '81fd1d6e7847c99f5862c9fb81387956d99ec7aa'\n",
    "a commit": "# commit\nx = 'e2983b237dccf3ab4937c97fa717319a9ca1a96d'\n",
    "a UUID": "u = '3f2504e0-4f89-11d3-9a0c-0305e82c3301'\n",
    "a hash of a file": "    'ecg.dat': 'f20ad3365fb9b7f845d0e5c48b6fe67081377ee466c3a220b7f69f35c8958baf',\n",
    "an object id": "job = Job(id='687fb701029421ae5549d998')\n",
    "escaped bytes": "s = b'\\x9c\\x01\\n\\tRunStatus\\x12\\x1a\\n\\x16RUN_STATUS_QuT7dPz\\x10\\x00'\n",
    "a container of Azure": "u = 'abfss://container@account.dfs.core.windows.net/path'\n",
    "what a URL looks like": "u = 'https://user:pass@host:80/'\nv = 'gist://username:TOKEN@id/file'\nw = 'redis://:password@localhost'\n",
    "a test vector": "assert f(bytes.fromhex('6bc1bee22e409f96e93d7e117393172a'))\n",
    "an alphabet": "a = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'\n",
    "a model's name": "m = 'image-classification/vision-transformer-large-patch16'\n",
    "networks of special purpose": "a = ['192.0.0.9/32', '192.88.99.0/24', '198.51.100.0/24', '2620:4f:8000::/48', '1.0.0.0']\n",
    "private addresses": "a = ['10.0.0.1', '192.168.1.7', '127.0.0.1', '8.8.8.8', 'fe80::1', '::1']\n",
    "C++ and slices": "x = a[::2]  # std::vector<a::b>, dead::beef\nt = '12:34:56'\n",
    "templates": "u = f'postgres://{user}:{password}@{host}/x'\np = 'http://u:%s@h'\npassword = '<password>'\n",
    "names of fields": "d = {'password': 'password', 'pwd': 'new_password', 'secret': 'client_secret'}\npassword = ''\n",
    "a class's name": "x = {'a': 'Qx2_5OmniTkn2WvBigVGNMdlZ'}\nclass Qx2_5OmniTkn2WvBigVGNMdlZ(object):\n    pass\n",
    "supported by": "# supported by Ray Dataset.\n# treated specially by @record\n",
    "a parser's tokens": "token = 'NAME'\nTOKEN = 'identifier_expression_list'\n",
    "organisations": "# Copyright 2020 The TensorFlow Authors\n# Copyright (c) 2015 Elemental Security, Inc.\n# Copyright Google LLC\n",
    "a bare marker of a key": "x = '-----BEGIN RSA PRIVATE KEY-----'\ny = '-----END RSA PRIVATE KEY-----'\n",
    "names of SSH's algorithms": "c = b'-cert-v01@openssh.com'\n",
    "a pattern": "key_or_pass = r'(?:key|pwd|password|pass|token)'\n",
    "decorators": "@property\ndef author(self):\n    return self.name\n",
}


@pytest.mark.parametrize("case", REPLACED)
def test_is_replaced(case: str) -> None:
    text, expected = REPLACED[case]
    assert after(text) == expected


@pytest.mark.parametrize("case", STAYS)
def test_stays(case: str) -> None:
    assert after(STAYS[case]) == STAYS[case]


def test_notes_count_by_kind_and_by_reason() -> None:
    text = f"k = '{AWS}'\n# joe@corp.org, jane@corp.org at 84.23.11.9\nsha1 = '81fd1d6e7847c99f5862c9fb81387956d99ec7aa'\n"
    assert told(text) == {"pii": {"email": 2, "ip": 1, "key": 1}, "pii_spared": {"hash": 1}}
    assert told("x = 1\n") == {}


def test_a_hash_beside_a_key_word_is_a_key() -> None:
    value = "81fd1d6e7847c99f5862c9fb81387956d99ec7aa"
    assert after(f"hash_secret = '{value}'\n") == "hash_secret = '<KEY>'\n"


def test_a_found_secret_goes_everywhere_in_its_document() -> None:
    assert after(f"k = '{GITHUB}'\n# old one: {GITHUB}\n") == "k = '<KEY>'\n# old one: <KEY>\n"


def test_the_same_address_is_alike_within_a_repository_and_nowhere_else() -> None:
    text = "a = 'host 84.23.11.9'\n"
    assert after(text, repo="a/a") == after(text, repo="a/a") != after(text, repo="b/b")
    assert re.fullmatch(r"a = 'host 10\.\d+\.\d+\.\d+'\n", after(text))


def test_overlapping_findings_are_replaced_once() -> None:
    assert after(f"u = 'https://joe:{GITHUB}@github.com/x'\n") == "u = 'https://joe:<PASSWORD>@github.com/x'\n"


def test_other_files_than_python_are_read_as_text() -> None:
    table = run_stage(pii(), [row("mail joe@corp.org\n", path_text="NOTES.md", kind="text")])
    assert table["text"].to_pylist() == ["mail <EMAIL>\n"]


BREAKING = {
    "a name": f"{AWS} = 1\nprint({AWS})\n",
    "quotes of two kinds": 'k = (\'-----BEGIN PRIVATE KEY-----\\n\'\n     "MIIEpAIBAAKCAQEA7bq9\\n"\n     "-----END PRIVATE KEY-----\\n")\n',
    "an f-string": f"x = f'{{y}} {AWS} {{y:>10}}'\n",
    "an escape": f"x = '\\anna@corp.org {AWS}'\n",
}


@pytest.mark.parametrize("case", BREAKING)
def test_what_would_break_the_source_is_replaced_in_its_shape(case: str) -> None:
    text = BREAKING[case]
    result = after(text)
    assert compiles(text) and compiles(result)
    assert AWS not in result and "MIIEpAIBAAKCAQEA7bq9" not in result


def test_nothing_that_compiles_breaks() -> None:
    """Real code; `lib2to3` and `test` hold the odd ones."""
    paths = sorted(LIBRARY.rglob("*.py"))[::150]
    texts = [path.read_bytes().decode("utf-8", "replace").replace("\0", "") for path in paths]
    table = run_stage(
        pii(), [row(text, uid=str(at), path_text=str(path)) for at, (path, text) in enumerate(zip(paths, texts, strict=True))]
    )
    assert set(reasons(table).values()) == {""}
    changed = [(before, text) for before, text in zip(texts, table["text"].to_pylist(), strict=True) if before != text]
    assert len(changed) > 1
    for before, text in changed:
        assert compiles(text) or not compiles(before)


def compiles(text: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(text)
        except (SyntaxError, ValueError):
            return False
    return True


FLOOR = list(OPTION["plugins"])[:18]  # bigcode-dataset's
REFERENCE = {
    "plugins_used": [{"name": name, **OPTION["plugins"][name]} for name in FLOOR],
    "filters_used": [{"path": f"detect_secrets.filters.heuristic.{name}"} for name in OPTION["filters"]],
}
PLANTED = f"""
aws = "{AWS}"
aws_secret_key = "{"wJalrXUtnFEMI/K7MDENG/bPxRfiCYzQ8sWv3TnK"}"
artifactory = "AKC{"p5budTFpbypBqbQGJPz3pGCi"}"
azure = "AccountKey={"lJzRc1YdHaAA2KCNJJ1tkYwF/+mKK6Ygw0NGe170Xu592euJv2wYUtBlV8z+qnlcNQSnIYVTkLWntUO1F8j8rQ=="}"
cloudant_password = "{"qwertyuiopasdfghjklzxcvb"}"
discord = "{"MTk4NjIyNDgzNDcxOTI1MjQ4"}.{"Cl2FMQ"}.{"ZnCjm1XVW7vRze4b7Cq4se7kKWs"}"
github = "{GITHUB}"
ibm_cloud_api_key = "{"h4x0r_Kd02LmPq93XzRt7VbN51YcWs64HuEjGfTo1234"}"
cos_hmac_secret_access_key = "{"1234567890abcdef1234567890abcdef1234567890abcdef"}"
mailchimp = "{"abcdef0123456789abcdef0123456789"}-us12"
npm = "//npm.corp.example/:_authToken=npm_{"xcvbnmasdfghjkl"}"
sendgrid = "SG.{"ngeVfQFYQlKU0ufo8x5d1A"}.{"TwL2iGABf9DHoTf-09kqeF8tAmbihYzrnopKc-1s5cr"}"
slack = "xoxb-{"34532454-e039d02840a0b9379c"}"
softlayer_api_key = "{"b15dd10ba72e8d1e2a4f1b3c9d8e7f60b15dd10ba72e8d1e2a4f1b3c9d8e7f60"}"
stripe = "sk_live_{"ReTllpYQYfIZu2Jnf2lAPFjD"}"
twilio = "SK{"d1a4f1b3c9d8e7f60b15dd10ba72e8d1"}"
entropy = "{"c3VwZXIgbG9uZyBzdHJpbmcgc2hvdWxkIGNhdXNlIGVub3VnaCBlbnRyb3B5"}"
hexed = "{"2b00042f7481c7b056c4b410d28f33cf"}"
"""


def findings(path: Path) -> set[tuple[int, str]]:
    with transient_settings(REFERENCE):
        return {(secret.line_number, str(secret.secret_value)) for secret in scan_file(str(path))}


def missed(text: str, secrets: set[tuple[int, str]]) -> list[tuple[int, str]]:
    """Findings whose value still stands on its line. A value shorter than eight characters is a prefix that a pattern captured."""
    lines = after(text, spare=[], names=False).splitlines()
    return [(line, value) for line, value in sorted(secrets) if len(value) >= 8 and value in lines[line - 1]]


def test_all_that_detect_secrets_finds_in_planted_secrets_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "planted.py"
    path.write_text(PLANTED, encoding="utf-8")
    secrets = findings(path)
    assert len({line for line, _ in secrets}) == 18, "the planted set lets each plugin find something"
    assert missed(PLANTED, secrets) == []


def test_all_that_detect_secrets_finds_in_real_code_is_replaced() -> None:
    paths = [path for path in sorted(LIBRARY.rglob("*.py")) if 20_000 < path.stat().st_size < 40_000][::60]
    found = 0
    for path in paths:
        secrets = findings(path)
        found += len(secrets)
        assert missed(path.read_text(encoding="utf-8"), secrets) == []
    assert found > 0


HOSTILE = {
    "at": "a@" * 5000,
    "slashes": "/" * 5000 + "/:_authToken=npm_",
    "key and spaces": ("ibm_key" + " " * 900 + "A" * 43 + "!") * 10,
    "dots": "1." * 5000,
    "colons": "2001:" * 3000,
    "quotes": "'\"" * 5000,
    "pass": "password=" * 2000,
    "urls": "://a:" * 3000 + "@",
    "base64": "'" + "Aa0+/" * 4000,
    "begin": "-----BEGIN RSA PRIVATE KEY-----" * 500,
    "copyright": "copyright " * 2000,
    "names": "copyright 2015 " + "Joe Doe, " * 3000,
    "jwt": "eyJ" + "a" * 5000 + "." * 50 + "eyJ" * 2000,
    "backslashes": "'" + "\\" * 10_001,
}


@pytest.mark.parametrize("case", HOSTILE)
def test_no_pattern_is_super_linear(case: str) -> None:
    """Thirty times the text; a quadratic pattern would take hours where this takes a second or two."""
    [verdict] = reasons(run_stage(pii(), [row(HOSTILE[case] * 30)])).values()
    assert verdict == ""


@pytest.mark.parametrize("text", ["", "\n", "\r\r\n", "x" * 2_000_000, "'" + "é" * 100_000, "\u0130\u212a٣ = 'AP٣'\n"])
def test_odd_documents_pass(text: str) -> None:
    assert after(text) == text


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=300))
@settings(deadline=None, max_examples=60)
def test_any_text_is_judged_the_same_twice_and_replaced_text_once(text: str) -> None:
    once = after(text)
    assert once == after(text)
    if compiles(text):
        assert compiles(once)


@pytest.mark.parametrize(
    ("change", "where", "do"),
    [
        ({"plugins": {"AWSKeyDetecter": {}}}, "filters.pii.plugins", "AWSKeyDetector"),
        ({"filters": ["is_potential_uid"]}, "filters.pii.filters", "is_potential_uuid"),
        ({"spare": ["hashes"]}, "filters.pii.spare", "hash"),
    ],
)
def test_unknown_names_are_refused(change: dict[str, Any], where: str, do: str) -> None:
    with pytest.raises(UserError) as caught:
        pii(**change)
    assert caught.value.where == where and do in caught.value.do
