"""A way to the service that cuts one answer off."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Cutting:
    """A port of its own; of the first answer to a request whose first line has ``part``, half the body comes.

    Attributes:
        port: to ask in place of the service's.
        asked: first lines of all requests.
    """

    def __init__(self, service: int, part: str) -> None:
        self._service, self._part = service, part
        self._cut = False
        self.asked: list[str] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listening.accept()[0]
                threading.Thread(target=self._one, args=(client,), daemon=True).start()

    def _one(self, client: socket.socket) -> None:
        """One request, since the service is asked to close the connection with its answer."""
        with suppress(OSError), client, socket.create_connection(("127.0.0.1", self._service)) as service:
            head = b""
            while b"\r\n\r\n" not in head:
                received = client.recv(1 << 16)
                if not received:
                    return
                head += received
            line, _, rest = head.partition(b"\r\n")
            self.asked.append(line.decode())
            service.sendall(line + b"\r\nConnection: close\r\n" + rest.replace(b"Connection: keep-alive\r\n", b"", 1))
            threading.Thread(target=_pump, args=(client, service), daemon=True).start()
            if self._part in self.asked[-1] and not self._cut:
                self._cut = True
                answer = b"".join(iter(lambda: service.recv(1 << 16), b""))
                body = answer.index(b"\r\n\r\n") + 4
                client.sendall(answer[: (body + len(answer)) // 2])
                client.shutdown(socket.SHUT_RDWR)  # closing alone waits for the other thread
            else:
                _pump(service, client)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        for received in iter(lambda: source.recv(1 << 16), b""):
            target.sendall(received)
        target.shutdown(socket.SHUT_WR)
