"""The hosts of the configuration: is each found by its name, and is its certificate good?"""

import socket
import ssl
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from netaflux.core.findings import Finding, certificate, trouble, well

PATIENCE: Final = 4.0
"""Real seconds for a connection to each address, and for the certificate."""
SHOWN: Final = 4
"""Addresses that are told."""
LOOK_AT_DNS: Final = "Compare the name with the configuration; then look at the machine's DNS and network."
LOOK_AT_NETWORK: Final = "Look at the network, its firewall, and whether the server runs."
EXPIRED: Final = 10
"""X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL; 9 is one that is not valid yet."""
NOT_YET: Final = 9


class Host(NamedTuple):
    """A server as a URL names it."""

    name: str
    port: int
    secure: bool


def hosts(urls: Iterable[str]) -> tuple[Host, ...]:
    """Each server once; what is no URL is left out."""
    return tuple(dict.fromkeys(host for url in urls for host in _host(url)))


def _host(url: str) -> Iterator[Host]:
    try:
        parts = urlsplit(url.strip())
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
    except ValueError:
        return
    if parts.hostname and parts.scheme in {"http", "https"}:
        yield Host(parts.hostname, port, secure)


def examined(host: Host, now: float) -> Iterator[Finding]:
    """Its addresses, then its certificate; `now` in unix seconds."""
    what = f"name {host.name}"
    try:
        found = socket.getaddrinfo(host.name, host.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        yield trouble(what, f"has no address: {reason}", LOOK_AT_DNS)
        return
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    more = f" and {len(addresses) - SHOWN} more" if len(addresses) > SHOWN else ""
    if not _is_address(host.name):
        yield well(what, f"has the address {', '.join(addresses[:SHOWN])}{more}")
    if host.secure:
        yield _certificate(host, now)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _certificate(host: Host, now: float) -> Finding:
    what = f"certificate {host.name}"
    try:
        ends = _ends(host)
    except ssl.SSLCertVerificationError as error:
        return trouble(what, f"is refused: {error.verify_message}", _remedy(error.verify_code))
    except OSError as error:
        return trouble(what, f"{host.name}:{host.port} cannot be asked: {_reason(error)}", LOOK_AT_NETWORK)
    return certificate(host.name, ends, now)


def _ends(host: Host) -> float:
    """Until when the certificate is valid that the server shows; verified as every call verifies it."""
    context = ssl.create_default_context()
    with (
        socket.create_connection((host.name, host.port), timeout=PATIENCE) as line,
        context.wrap_socket(line, server_hostname=host.name) as secured,
    ):
        shown = secured.getpeercert() or {}
    return ssl.cert_time_to_seconds(str(shown["notAfter"]))


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__


def _remedy(code: int) -> str:
    if code in {EXPIRED, NOT_YET}:
        return "Look at this machine's clock; if it is right, the server needs a new certificate."
    return (
        "If the server's certificate comes from an authority of your own, install it in this machine's store "
        "or name it by SSL_CERT_FILE."
    )
