"""Callback URLs come from strangers: none leads into our own network, however it is spelt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.errors import InvalidInput
from connector.domain.targets import checked_target, is_denied

DENIED = [
    *("127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1"),
    *("100.64.0.1", "169.254.169.254", "168.63.129.16", "192.0.0.1", "192.88.99.1"),
    *("198.18.0.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:8.8.8.8"),
    *("::ffff:0:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001::1"),
    *("fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "2001:db8::1"),
    *("5f00::1", "3fff::1", "nonsense", ""),
]
PUBLIC = ["8.8.8.8", "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"]


@pytest.mark.parametrize("address", DENIED)
def test_address_that_is_not_public_is_denied(address: str) -> None:
    assert is_denied(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_address_is_not_denied(address: str) -> None:
    assert not is_denied(address)


@pytest.mark.parametrize("address", DENIED)
def test_trials_open_this_machine_and_nothing_else(address: str) -> None:
    loopback = address in ("127.0.0.1", "127.1.2.3", "::1")
    assert is_denied(address, allow_local=True) is not loopback


@pytest.mark.parametrize(
    "url",
    [
        *("https://hooks.zapier.com/hooks/standard/1/abc/", "https://hook.eu1.make.com/x?a=b"),
        *(
            "https://example.com:443/",
            "https://xn--bcher-kva.example/x",
            "https://a_b.example.com/",
        ),
    ],
)
def test_name_on_the_internet_is_accepted_as_it_is(url: str) -> None:
    """Also when it does not resolve just now: it is judged again at every delivery."""
    assert checked_target(url) == url


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.com/", "ftp://example.com/", "example.com", "", "https://", "https:///x"),
        *("https://example.com:8443/", "https://example.com:0/", "https://example.com:99999/"),
        *("https://u:p@example.com/", "https://u@example.com/", "https://example.com/#x"),
        *("https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f000001/"),
        *("https://0177.0.0.1/", "https://0/", "https://[::1]/", "https://[::]/"),
        *("https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://8.8.8.8/"),
        *("https://169.254.169.254/latest/meta-data/", "https://[fd00:ec2::254]/"),
        *(
            "https://localhost/",
            "https://LOCALHOST/",
            "https://a.localhost/",
            "https://localhost./",
        ),
        *("https://metadata.google.internal/", "https://router.local/", "https://intranet/"),
        *("https://example.com\\@127.0.0.1/", "https://127.0.0.1\\.example.com/"),
        *(
            "https://exa mple.com/",
            "https://example.com/\n",
            "https://еxample.com/",
            "https://[bad/",
        ),
        "https://example.com/" + "a" * 2048,
    ],
)
def test_anything_else_is_refused_with_a_sentence(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"^target_url: .*\.$"):
        checked_target(url)


@pytest.mark.parametrize(
    ("url", "accepted"),
    [
        ("http://127.0.0.1:9000/x", True),
        ("http://localhost:9000/x", True),
        ("http://[::1]:9000/x", True),
        ("https://example.com/x", True),
        ("http://10.0.0.1:9000/x", False),
        ("http://169.254.169.254/", False),
        ("http://example.com/", False),
    ],
)
def test_trial_reaches_this_machine_by_any_port(url: str, accepted: bool) -> None:
    if accepted:
        assert checked_target(url, allow_local=True) == url
    else:
        with pytest.raises(InvalidInput):
            checked_target(url, allow_local=True)


@given(st.text() | st.text().map(lambda rest: f"https://{rest}"))
def test_any_text_is_a_target_or_a_sentence(text: str) -> None:
    try:
        target = checked_target(text)
    except InvalidInput:
        return
    assert checked_target(target) == target == text


@pytest.mark.parametrize("address", ["1::1", "4000::1", "fd00::1"])
def test_ipv6_that_nobody_was_given_is_denied(address: str) -> None:
    """Only 2000::/3 is handed out; what else is routed somewhere is somebody's own."""
    assert is_denied(address)
    assert is_denied(address, allow_local=True)
    assert not is_denied("2606:4700:4700::1111")
