"""Where the keys that sign decision ids come from."""

import os
from pathlib import Path

import numpy as np
import pytest

from server.settings import ServerSettings, TokenKey
from server.token_keys import (
    Entropy,
    TokenKeyError,
    new_key,
    parse_keys,
    read_keys,
    read_or_create,
    token_keys,
    write_keys,
)

FIRST = "first:" + "01" * 32
SECOND = "second:" + "FE" * 64


@pytest.fixture
def entropy() -> Entropy:
    return np.random.default_rng(7).bytes


def file_of(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "routeward.keys"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_entries_are_read_in_order() -> None:
    assert parse_keys([f" {FIRST} ", "", SECOND], "here") == (
        TokenKey("first", b"\x01" * 32),
        TokenKey("second", b"\xfe" * 64),
    )


@pytest.mark.parametrize(
    "entry", ["first", "first:", "first:0g", "first:" + "0" * 63, "a b:" + "0" * 64, "k" * 17 + FIRST]
)
def test_a_wrong_entry_is_refused_by_its_number_without_showing_it(entry: str) -> None:
    with pytest.raises(TokenKeyError, match="entry 2 of here is not ID:HEX") as raised:
        parse_keys([FIRST, entry], "here")
    assert "0" * 60 not in str(raised.value)


def test_two_keys_of_one_id_are_refused() -> None:
    with pytest.raises(TokenKeyError, match="two keys of one id"):
        parse_keys([FIRST, FIRST], "here")


def test_no_key_at_all_is_refused() -> None:
    with pytest.raises(TokenKeyError, match="holds no key"):
        parse_keys(["", " "], "here")


def test_a_file_may_hold_comments(tmp_path: Path) -> None:
    path = file_of(tmp_path, f"# the keys\n{FIRST}  # since May\n\n{SECOND}\n")
    assert [key.id for key in read_keys(path)] == ["first", "second"]


def test_the_first_start_makes_a_file_that_only_its_owner_can_read(tmp_path: Path, entropy: Entropy) -> None:
    path = tmp_path / "routeward.keys"
    [made] = read_or_create(path, entropy)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_or_create(path, entropy) == (made,)
    assert len(made.secret) == 32
    assert [file.name for file in tmp_path.iterdir()] == ["routeward.keys"]


def test_a_file_that_another_server_made_meanwhile_is_left_as_it_is(tmp_path: Path, entropy: Entropy) -> None:
    path = file_of(tmp_path, FIRST)
    write_keys(path, [new_key(entropy)], replace=False)
    assert [key.id for key in read_keys(path)] == ["first"]
    assert [file.name for file in tmp_path.iterdir()] == ["routeward.keys"]


def test_a_draft_that_a_crash_left_behind_does_not_hinder(tmp_path: Path, entropy: Entropy) -> None:
    (tmp_path / f".routeward.keys.{os.getpid()}").write_text("half")
    assert read_or_create(tmp_path / "routeward.keys", entropy)
    assert [file.name for file in tmp_path.iterdir()] == ["routeward.keys"]


def test_a_file_can_be_replaced_whole(tmp_path: Path) -> None:
    path = file_of(tmp_path, FIRST)
    write_keys(path, [TokenKey("new", b"n" * 32), *read_keys(path)], replace=True)
    assert [key.id for key in read_keys(path)] == ["new", "first"]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o606])
def test_a_file_that_others_can_read_is_refused_with_what_to_run(mode: int, tmp_path: Path) -> None:
    path = file_of(tmp_path, FIRST, mode)
    with pytest.raises(TokenKeyError, match="chmod 600"):
        read_keys(path)


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path, entropy: Entropy) -> None:
    with pytest.raises(TokenKeyError, match="cannot be read"):
        read_or_create(tmp_path, entropy)


def test_text_that_is_not_ascii_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TokenKeyError, match="not ASCII"):
        read_keys(file_of(tmp_path, "schlüssel:00"))


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path, entropy: Entropy) -> None:
    with pytest.raises(TokenKeyError, match="cannot be written"):
        read_or_create(tmp_path / "no/such.keys", entropy)


def test_keys_of_the_environment_come_before_the_file(tmp_path: Path, entropy: Entropy) -> None:
    path = tmp_path / "routeward.keys"
    settings = ServerSettings(token_keys=(TokenKey("env", bytes(32)),), token_key_file=path)
    token_keys(settings, entropy)
    assert not path.exists()


def test_without_environment_the_file_is_made(tmp_path: Path, entropy: Entropy) -> None:
    path = tmp_path / "routeward.keys"
    token_keys(ServerSettings(token_key_file=path), entropy)
    assert path.exists()


def test_in_memory_nothing_is_written(tmp_path: Path, entropy: Entropy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    token_keys(ServerSettings(), entropy)
    assert not list(tmp_path.iterdir())


def test_a_secret_does_not_show_when_its_key_is_printed() -> None:
    assert "secret" not in repr(TokenKey("id", b"secret" * 6))


def test_a_pipe_is_no_key_file(tmp_path: Path) -> None:
    pipe = tmp_path / "routeward.keys"
    os.mkfifo(pipe, 0o600)
    with pytest.raises(TokenKeyError, match="no regular file"):
        read_keys(pipe)
