"""Where the token comes from, and which can be one."""

from __future__ import annotations

from pathlib import Path

import pytest

from srdiff import OptionError
from srdiff.commands.serve import TOKEN_VARIABLE, read_token


@pytest.mark.parametrize(
    "content", [b"a token", b" a token\r\n", b"\xef\xbb\xbfa token\n"], ids=["plain", "with an end", "with a mark"]
)
def test_of_a_file(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    assert read_token(file) == "a token"


@pytest.mark.parametrize("token", ["schl\u00fcssel", "a\u200bb", "a\nb", "a\x7f", "\udc80"])
def test_what_no_header_holds_is_refused_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    file = tmp_path / "token"
    file.write_bytes(token.encode("utf-8", "surrogateescape"))
    with pytest.raises(OptionError, match=r"visible ones|cannot be read"):
        read_token(file)
    monkeypatch.setenv(TOKEN_VARIABLE, token)
    with pytest.raises(OptionError, match=rf"{TOKEN_VARIABLE} holds a token with .* visible ones") as refused:
        read_token(None)
    assert token not in str(refused.value)


def test_none_and_an_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    assert read_token(None) is None
    file = tmp_path / "token"
    file.write_bytes(b"\xef\xbb\xbf \n")
    with pytest.raises(OptionError, match="holds no token"):
        read_token(file)
