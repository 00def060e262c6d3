"""Which addresses of providers are accepted, and which are told to be wrong, and why."""

from ipaddress import ip_address

import pytest

from adapters.providers.addresses import check_address, check_base_url, check_url, is_public

NONE: frozenset[str] = frozenset()
LISTED = frozenset({"localhost", "127.0.0.1", "::1", "gpu.lan"})

INTERNAL = (
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",  # noqa: S104 - not bound to
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "198.18.0.1",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a00:1::",
)


@pytest.mark.parametrize("address", INTERNAL)
def test_an_address_that_is_not_public_needs_to_be_listed(address) -> None:
    assert not is_public(ip_address(address))
    assert "add 'host.example' to gateway.private_hosts" in check_address("host.example", address, NONE)
    assert check_address("host.example", address, frozenset({"host.example"})) == ""


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "104.18.7.192", "2606:4700::6812:7c0", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_a_public_address_may_be_reached(address) -> None:
    assert check_address("host.example", address, NONE) == ""


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "https://API.example.com:8443",
        "https://8.8.8.8/v1",
        "https://[2606:4700::6812:7c0]/v1",
        "http://localhost:11434/v1",
        "http://LOCALHOST.:11434/v1",
        "http://127.0.0.1:8000",
        "http://[::1]:8000",
        "https://gpu.lan/v1",
    ],
)
def test_the_address_of_a_provider_is_accepted(url) -> None:
    assert check_base_url(url, LISTED) == ""


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("", "form https://HOST/PATH"),
        ("api.openai.com/v1", "form https://HOST/PATH"),
        ("//api.openai.com", "form https://HOST/PATH"),
        ("https:///v1", "form https://HOST/PATH"),
        ("https://:443/v1", "form https://HOST/PATH"),
        ("file:///etc/passwd", "form https://HOST/PATH"),
        ("gopher://api.openai.com", "form https://HOST/PATH"),
        ("https://api.openai.com:0x50", "is no URL"),
        ("https://api.openai.com:99999", "is no URL"),
        ("https://[::1", "is no URL"),
        ("https://[fe80::1%25eth0]/", "form https://HOST/PATH"),
        ("https://api.openai.com\\@127.0.0.1/", "user name or a password"),
        ("https://127.0.0.1\\.example.com/", "form https://HOST/PATH"),
        ("https://user:secret@api.openai.com/v1", "user name or a password"),
        ("https://api.openai.com@127.0.0.1/v1", "user name or a password"),
        ("https://api.openai.com/v1?key=1", "query or fragment"),
        ("https://api.openai.com/v1#part", "query or fragment"),
        ("https://api.openai.com/v 1", "blanks"),
        ("https://api.openai.com/v1\r\nX: y", "blanks, control characters"),
        ("https://127.0.0。1/", "not ASCII"),
        ("https://①②⑦.0.0.1/", "not ASCII"),
        ("http://api.openai.com/v1", "in the clear"),
        ("http://8.8.8.8/v1", "in the clear"),
        ("https://10.0.0.1/v1", "leads to 10.0.0.1, which is not public"),
        ("https://169.254.169.254/latest", "not public"),
        ("https://[::ffff:127.0.0.1]/", "not public"),
        ("https://2130706433/", "unusual notation"),
        ("https://0x7f000001/", "unusual notation"),
        ("https://0x7f.1/", "unusual notation"),
        ("https://0177.0.0.1/", "unusual notation"),
        ("https://127.1/", "unusual notation"),
        ("https://127.1./", "unusual notation"),
    ],
)
def test_any_other_address_is_refused_with_the_reason(url, wrong) -> None:
    assert wrong in check_base_url(url, LISTED)


def test_what_is_sent_to_may_have_a_query() -> None:
    assert check_url("https://acme.example/chat?api-version=1", NONE) == ""
