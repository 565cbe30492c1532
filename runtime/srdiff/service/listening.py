"""Where the service listens."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket

from ..errors import OptionError

# Of a host with addresses of both kinds, where the system has only one.
_LACKING = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def listening(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen on all addresses of a host, which take connections from now on.

    Args:
        port: 0 takes a free one.

    Raises:
        OptionError: there is no such host, none of its addresses is this machine's, or the port is taken or forbidden.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise OptionError(f"host {host} has no address; give one of this machine's, such as 127.0.0.1") from error
    sockets: list[socket.socket] = []
    lacking: OSError | None = None
    for family, place in dict.fromkeys((entry[0], entry[4]) for entry in found):
        try:
            sockets.append(socket.create_server(place, family=family))
        except OSError as error:
            lacking = error
            if error.errno not in _LACKING:
                break
    else:
        if sockets:
            return sockets
    for opened in sockets:
        opened.close()
    assert lacking is not None
    raise OptionError(
        f"cannot listen on host {host}, port {port} ({os.strerror(lacking.errno or 0)}); give another port, or a host "
        "that is this machine's"
    ) from lacking


def is_loopback(name: str) -> bool:
    """Whether a name or an address can only be this machine's own."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def address(host: str, port: int) -> str:
    """To type into a browser."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
