"""Where the key of fingerprints comes from."""

import numpy as np
import pytest

from server.http.fingerprint_keys import fingerprint_key, parse_key
from server.key_files import KeyFileError
from server.settings import GatewaySettings


@pytest.fixture
def entropy():
    return np.random.default_rng(7).bytes


def test_a_file_is_made_once_for_its_owner_alone_and_read_from_then_on(tmp_path, entropy):
    path = tmp_path / "routeward.fingerprint"
    made = fingerprint_key(GatewaySettings(fingerprint_key_file=path), entropy)
    assert path.stat().st_mode & 0o777 == 0o600
    assert fingerprint_key(GatewaySettings(fingerprint_key_file=path), entropy) == made
    assert len(made) == 32


def test_the_key_of_the_environment_counts_before_the_file(tmp_path, entropy):
    path = tmp_path / "routeward.fingerprint"
    settings = GatewaySettings(fingerprint_key=b"k" * 32, fingerprint_key_file=path)
    assert fingerprint_key(settings, entropy) == b"k" * 32
    assert not path.exists()


def test_without_a_file_every_process_has_its_own(entropy):
    assert fingerprint_key(GatewaySettings(), entropy) != fingerprint_key(GatewaySettings(), entropy)


@pytest.mark.parametrize("text", ["", "00" * 31, "0g" * 32, "00" * 65, "00" * 32 + " " + "00" * 32])
def test_a_key_of_another_form_is_refused_without_showing_it(text):
    with pytest.raises(KeyFileError, match="here is not one key") as raised:
        parse_key(text, "here")
    assert "000" not in str(raised.value)


def test_a_file_that_others_can_read_is_refused(tmp_path, entropy):
    path = tmp_path / "routeward.fingerprint"
    path.write_text("00" * 32)
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match="chmod 600"):
        fingerprint_key(GatewaySettings(fingerprint_key_file=path), entropy)


def test_a_key_is_shown_by_no_repr():
    assert "kkk" not in repr(GatewaySettings(fingerprint_key=b"k" * 32))
