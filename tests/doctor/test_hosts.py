"""Which servers a configuration names, and what becomes of one without a name."""

import pytest

from netaflux.doctor.hosts import Host, examined, hosts


def test_each_server_is_looked_at_once() -> None:
    urls = ["https://a.example", "https://a.example:443/path", "http://a.example", "http://[::1]:8080/x"]

    assert hosts(urls) == (
        Host("a.example", 443, secure=True),
        Host("a.example", 80, secure=False),
        Host("::1", 8080, secure=False),
    )


@pytest.mark.parametrize(
    "url", ["", "a.example", "ftp://a.example", "http://", "http://[::1", "https://a:x/"]
)
def test_what_is_no_url_is_left_out(url: str) -> None:
    assert hosts([url]) == ()


@pytest.mark.parametrize("name", ["server.invalid", f"{'x' * 70}.invalid"])
def test_a_name_that_does_not_exist_is_a_finding(name: str) -> None:
    (found,) = examined(Host(name, 443, secure=True), 0)

    assert (found.what, found.grade, found.code) == (f"name {name}", "problem", 75)


def test_an_address_needs_no_name_server() -> None:
    assert list(examined(Host("127.0.0.1", 80, secure=False), 0)) == []
