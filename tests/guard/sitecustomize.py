"""Python runs this at the start of every process that has its folder on PYTHONPATH: nothing but loopback is reached.

conftest.py puts it there for the tests and everything they start. As code under test may swallow the error, each
refused attempt is also written to the file FLEXTUNE_TEST_GUARD, which conftest.py reads after every test.
"""

import os
import socket
import sys
from typing import Any

NEAR = {"", "localhost", "::1", "0.0.0.0", "::", socket.gethostname()}


def refuse(host: str) -> None:
    note = f"{host}, asked for by {' '.join(sys.argv)[:200] or sys.executable}\n"
    with open(os.environ["FLEXTUNE_TEST_GUARD"], "a", encoding="utf-8") as log:
        log.write(note)
    raise OSError(f"The tests reach no network, and this would have: {note}")


def check(host: object) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if isinstance(name, str) and name not in NEAR and not name.startswith("127."):
        refuse(name)


def guarded(name: str, place: int) -> Any:
    """A socket's method that first looks at the address among its arguments."""
    plain = getattr(socket.socket, name)

    def method(self: socket.socket, *args: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            check(args[place][0])
        return plain(self, *args)

    return method


def guarded_lookup(name: str) -> Any:
    plain = getattr(socket, name)

    def lookup(host: Any, *args: Any, **named: Any) -> Any:
        check(host)
        return plain(host, *args, **named)

    return lookup


if "FLEXTUNE_TEST_GUARD" in os.environ:
    for method, address in (("connect", 0), ("connect_ex", 0), ("sendto", -1)):
        setattr(socket.socket, method, guarded(method, address))
    for function in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        setattr(socket, function, guarded_lookup(function))
