"""A console as far as commands see it: what it was asked, and the answers that a test wants."""

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FakeConsole:
    """`answers` maps (method, path) to (status, document or bytes), or to a function of the body that gives these."""

    def __init__(self):
        self.asked, self.headers, self.answers = [], [], {}
        fake = self

        class Answering(BaseHTTPRequestHandler):
            def do_GET(self):
                raw = self.rfile.read(int(self.headers.get("content-length", 0)))
                said = json.loads(raw) if raw else None
                fake.asked.append((self.command, self.path, said))
                fake.headers.append(dict(self.headers.items()))
                told = fake.answers.get((self.command, self.path), (404, refusal("unknown", "There is no such thing.")))
                status, body, *more = told(said) if callable(told) else told
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"content-length": str(len(content)), **(more[0] if more else {})}.items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(OSError):  # whoever asked has read enough
                    self.wfile.write(content)

            def do_POST(self):
                self.do_GET()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    @contextlib.contextmanager
    def running(self):
        thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            self.server.shutdown()
            thread.join()
            self.server.server_close()


def refusal(code, message):
    return {"error": {"code": code, "message": message}}
