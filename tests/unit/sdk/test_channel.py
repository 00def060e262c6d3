"""Where a client goes, and what it shows there."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from routeward.channel import Endpoint, endpoint, is_loopback

ENVIRONMENT = {"ROUTEWARD_TARGET": "routeward.example:7443", "ROUTEWARD_API_KEY": "key-of-environment\n"}


def resolve(
    target: str | None = None,
    api_key: str | None = None,
    *,
    insecure: bool | None = None,
    root_certificates: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Endpoint:
    return endpoint(
        target, api_key, insecure=insecure, root_certificates=root_certificates, environment=environment or {}
    )


def test_without_anything_it_is_this_machine_without_a_key():
    here = resolve()
    assert (here.target, here.metadata, here.credentials) == ("127.0.0.1:7443", (), None)


def test_the_environment_names_target_and_key():
    there = resolve(environment=ENVIRONMENT)
    assert there.target == "routeward.example:7443"
    assert there.metadata == (("authorization", "Bearer key-of-environment"),)


def test_arguments_go_before_the_environment():
    there = resolve("localhost:1", "mine", environment=ENVIRONMENT)
    assert (there.target, there.metadata) == ("localhost:1", (("authorization", "Bearer mine"),))


def test_an_empty_key_is_no_key_whatever_the_environment_says():
    assert resolve(api_key="", environment=ENVIRONMENT).metadata == ()


@pytest.mark.parametrize(
    ("target", "api_key", "insecure", "encrypted"),
    [
        ("routeward.example:7443", "key", None, True),
        ("routeward.example:7443", None, None, False),
        ("127.0.0.1:7443", "key", None, False),
        ("127.0.0.1:7443", "key", False, True),
        ("routeward.example:7443", "key", True, False),
    ],
)
def test_a_key_leaves_this_machine_encrypted_unless_told_otherwise(target, api_key, insecure, encrypted):
    assert (resolve(target, api_key, insecure=insecure).credentials is not None) is encrypted


def test_certificates_mean_encryption_also_on_this_machine(tmp_path):
    (tmp_path / "roots.pem").write_text("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n")
    assert resolve(root_certificates=tmp_path / "roots.pem").credentials is not None


def test_certificates_that_are_not_there_are_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        resolve(root_certificates=tmp_path / "missing.pem")


def test_certificates_without_encryption_are_refused(tmp_path):
    with pytest.raises(ValueError, match="not both"):
        resolve(insecure=True, root_certificates=tmp_path / "roots.pem")


@pytest.mark.parametrize("api_key", ["two words", "line\nbreak", "schlüssel"])
def test_a_key_that_no_header_can_hold_is_refused_without_being_shown(api_key):
    with pytest.raises(ValueError, match="visible ASCII") as refused:
        resolve(api_key=api_key)
    assert api_key not in str(refused.value)


def test_the_key_is_not_shown():
    assert "secret" not in repr(resolve(api_key="secret"))


@pytest.mark.parametrize(
    ("target", "loopback"),
    [
        ("127.0.0.1:7443", True),
        ("127.8.8.8", True),
        ("localhost", True),
        ("localhost:7443", True),
        ("dns:///localhost:7443", True),
        ("dns:localhost:7443", True),
        ("[::1]:7443", True),
        ("::1", True),
        ("ipv6:[::1]:7443", True),
        ("ipv4:127.0.0.1:7443", True),
        ("ipv4:127.0.0.1:7443,127.0.0.1:7444", True),
        ("ipv4:127.0.0.1:7443,10.0.0.1:7443", False),
        ("unix:/run/routeward.sock", True),
        ("unix-abstract:routeward", True),
        ("10.0.0.1:7443", False),
        ("dns://10.0.0.53/routeward.example:7443", False),
        ("localhost.example:7443", False),
        ("[2001:db8::1]:7443", False),
        ("", False),
    ],
)
def test_only_this_machine_is_loopback(target, loopback):
    assert is_loopback(target) is loopback


def test_a_proxy_is_not_asked_for_this_machine():
    here, there = resolve(), resolve("routeward.example:7443")
    assert ("grpc.enable_http_proxy", 0) in here.options("{}")
    assert ("grpc.enable_http_proxy", 0) not in there.options("{}")
