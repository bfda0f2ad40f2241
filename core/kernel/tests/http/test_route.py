"""Which proxy a request takes."""

from __future__ import annotations

import pytest

from heavenbase.errors import ConfigError
from heavenbase.http.transport.connections import Route, choose_proxy, proxy_credentials, tls_context

ENVIRON = {"HTTPS_PROXY": "http://env:1", "HTTP_PROXY": "http://plain:2", "NO_PROXY": "internal.example,10.0.0.0/8"}


@pytest.mark.parametrize(
    ("url", "settings", "proxy"),
    [
        ("https://a.example/v1", {}, "http://env:1"),
        ("http://a.example/v1", {}, "http://plain:2"),
        ("https://a.example/v1", {"https_proxy": "http://mine:3"}, "http://mine:3"),
        ("https://a.example/v1", {"https_proxy": "mine:3"}, "http://mine:3"),
        ("https://a.example/v1", {"https_proxy": ""}, None),
        ("https://x.internal.example/v1", {}, None),
        ("https://internal.example/v1", {}, None),
        ("https://notinternal.example/v1", {}, "http://env:1"),
        ("https://10.1.2.3/v1", {}, None),
        ("https://a.example/v1", {"no_proxy": "*"}, None),
        ("https://a.example:8443/v1", {"no_proxy": "a.example:443"}, "http://env:1"),
        ("https://a.example:8443/v1", {"no_proxy": ".example:8443"}, None),
        ("https://internal.example/v1", {"no_proxy": ""}, "http://env:1"),
        ("http://127.0.0.1:8080/v1", {}, None),
        ("http://localhost:8080/v1", {}, None),
        ("http://[::1]:8080/v1", {}, None),
        ("http://127.0.0.1:8080/v1", {"http_proxy": "http://mine:3"}, "http://mine:3"),
    ],
)
def test_the_proxy_of_a_url(url: str, settings: dict[str, str], proxy: str | None) -> None:
    assert choose_proxy(url, **settings, environ=ENVIRON) == proxy


def test_without_settings_and_variables_there_is_no_proxy() -> None:
    assert choose_proxy("https://a.example", environ={}) is None
    assert choose_proxy("https://a.example", environ={"all_proxy": "http://all:1"}) == "http://all:1"


def test_a_cgi_client_cannot_name_the_proxy() -> None:
    environ = {"REQUEST_METHOD": "GET", "HTTP_PROXY": "http://evil:1"}
    assert choose_proxy("http://a.example", environ=environ) is None


@pytest.mark.parametrize("proxy", ["socks5://u:secret@p:1", "https://p:1", "http://"])
def test_a_proxy_that_hb_cannot_use_is_an_error_without_its_password(proxy: str) -> None:
    with pytest.raises(ConfigError, match="http:// proxies only") as caught:
        choose_proxy("https://a.example", https_proxy=proxy, environ={})
    assert "secret" not in str(caught.value)


def test_credentials_of_a_proxy_are_decoded_and_not_shown() -> None:
    assert proxy_credentials("http://user:p%40ss@proxy:1") == ("user", "p@ss")
    assert proxy_credentials("http://proxy:1") is None
    assert "p%40ss" not in repr(Route("http://user:p%40ss@proxy:1"))


def test_a_missing_file_of_authorities_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        tls_context("/nonexistent/ca.pem")
