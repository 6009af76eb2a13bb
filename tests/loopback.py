"""A web server of one's own for tests, on a free port of loopback, which may be unwell."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Of each request that asks for bytes: from its number, beginning with 1, the status, and how many of the bytes are sent
# before the connection is cut (None: all).
Mood = Callable[[int], tuple[int, int | None]]


def well(number: int) -> tuple[int, int | None]:
    """Everything is there."""
    return 200, None


class Served:
    """A running server: its address, and which paths it was asked for."""

    def __init__(self, address: str) -> None:
        """Nothing was asked for yet."""
        self.address, self.asked = address, list[str]()


@contextmanager
def served(content: bytes, mood: Mood = well, later: str | None = None) -> Iterator[Served]:
    """Serves some bytes under any path, in a mood; where it does not, `later` says when to come back, if anything."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(mood(max(len(found.asked), 1))[0])

        def do_GET(self) -> None:
            found.asked.append(self.path)
            status, sent = mood(len(found.asked))
            self._answer(status)
            if status == 200:
                self.wfile.write(content[:sent])
                self.wfile.flush()
            self.close_connection = True

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content) if status == 200 else 0))
            if status != 200 and later is not None:
                self.send_header("Retry-After", later)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Served(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
