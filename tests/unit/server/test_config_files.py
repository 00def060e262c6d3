"""Files that cannot be read as configurations at all."""

from pathlib import Path

import pytest

from server.config import ConfigError, load


def test_a_missing_file_is_refused_with_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no such file\n +make it with  routeward init"):
        load(tmp_path / "none.toml", {})


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path, {})


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "here.toml").write_bytes(b"#" * 1_000_001)
    with pytest.raises(ConfigError, match="larger than 1 MB"):
        load(tmp_path / "here.toml", {})


def test_bytes_that_are_not_utf8_are_refused_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "here.toml").write_bytes(b"[server]\n# caf\xe9\n")
    with pytest.raises(ConfigError, match=r"here.toml:2: not UTF-8 text"):
        load(tmp_path / "here.toml", {})
