"""A real Chromium for the tests, told what to do over its own pipe (DevTools protocol); nothing else is needed for it.

What it complains of (scripts, styles and frames that a page's policy forbids, requests that fail) is kept in
`complaints`.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = ("chromium", "chromium-browser", "google-chrome")
FOUND = next(filter(None, map(shutil.which, NAMES)), "")
MISSING = f"needs a browser: none of {', '.join(NAMES)} is here"
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
SECONDS = 20.0


class Browser:
    """One browser with one page; `with Browser() as page:` drives it until the block ends."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="phigate-browser-"))
        self._number = 0
        self._read = bytearray()
        self.complaints: list[str] = []
        self._to, self._from = os.pipe(), os.pipe()
        # The browser reads commands from its descriptor 3 and answers on its descriptor 4.
        moved = f'exec "$0" "$@" 3<&{self._to[0]} 4>&{self._from[1]}'
        flags = [*FLAGS, f"--user-data-dir={self._folder}", "--remote-debugging-pipe", "about:blank"]
        self._process = subprocess.Popen(
            ["bash", "-c", moved, FOUND, *flags],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(self._to[0], self._from[1]),
            start_new_session=True,
        )
        os.close(self._to[0])
        os.close(self._from[1])

    def __enter__(self) -> Self:
        try:
            (target,) = [each for each in self._call("Target.getTargets")["targetInfos"] if each["type"] == "page"]
            attached = self._call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
            self._session = attached["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.do(f"{domain}.enable")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for end in (self._to[1], self._from[0]):
            with contextlib.suppress(OSError):
                os.close(end)
        shutil.rmtree(self._folder, ignore_errors=True)

    # -- the protocol -----------------------------------------------------------------------------------------------

    def do(self, method: str, **params: Any) -> dict[str, Any]:
        """Say something to the page."""
        return self._call(method, self._session, **params)

    def _call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        self._number += 1
        said = {"id": self._number, "method": method, "params": params} | ({"sessionId": session} if session else {})
        os.write(self._to[1], json.dumps(said).encode() + b"\0")
        number, end = self._number, time.monotonic() + SECONDS
        while True:
            heard = self._hear(end)
            if heard.get("id") == number:
                assert "error" not in heard, f"{method}: {heard['error']}"
                answer: dict[str, Any] = heard["result"]
                return answer

    def _hear(self, end: float) -> dict[str, Any]:
        while b"\0" not in self._read:
            ready, _, _ = select.select([self._from[0]], [], [], max(0.0, end - time.monotonic()))
            assert ready, "the browser does not answer"
            piece = os.read(self._from[0], 1 << 16)
            assert piece, "the browser is gone"
            self._read += piece
        raw, _, rest = bytes(self._read).partition(b"\0")
        self._read = bytearray(rest)
        heard: dict[str, Any] = json.loads(raw)
        if heard.get("method") == "Log.entryAdded":
            self.complaints.append(heard["params"]["entry"]["text"])
        return heard

    # -- what a person does -----------------------------------------------------------------------------------------

    def js(self, expression: str) -> Any:
        """The value of an expression in the page, by the test's own right: the page's policy does not bind it."""
        said = self.do("Runtime.evaluate", expression=expression, returnByValue=True, userGesture=True)
        return said["result"].get("value")

    def until(self, condition: Callable[[], Any], what: str = "") -> Any:
        """Wait until something is so."""
        end = time.monotonic() + SECONDS
        while True:
            with contextlib.suppress(AssertionError):  # between two pages there is none
                if found := condition():
                    return found
            assert time.monotonic() < end, f"waited in vain for {what}: {self.where}: {self.text[:500]}"
            time.sleep(0.03)

    def go(self, url: str) -> None:
        self.do("Page.navigate", url=url)
        self.settled()

    def settled(self) -> None:
        self.until(lambda: self.js("document.readyState") == "complete", "a page")

    @property
    def where(self) -> str:
        return str(self.js("location.href"))

    @property
    def text(self) -> str:
        return str(self.js("document.body ? document.body.innerText : ''"))

    def shows(self, text: str) -> None:
        """Wait until the page says something."""
        self.until(lambda: text in self.text, repr(text))
        self.settled()

    def click(self, label: str) -> None:
        """Press the button, or follow the link, whose words begin so; by a real press of the mouse."""
        found = f"""(() => {{
          const all = [...document.querySelectorAll('button, a')];
          const one = all.find(each => each.innerText.trim().startsWith({json.dumps(label)}));
          if (!one) return null;
          one.scrollIntoView({{block: 'center'}});
          const box = one.getBoundingClientRect();
          return [box.left + box.width / 2, box.top + box.height / 2];
        }})()"""
        x, y = self.until(lambda: self.js(found), f"the button {label!r}")
        for kind in ("mousePressed", "mouseReleased"):
            self.do("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def write(self, selector: str, text: str) -> None:
        self.js(f"document.querySelector({json.dumps(selector)}).focus()")
        self.do("Input.insertText", text=text)

    def press(self, key: str, code: int) -> None:
        for kind in ("rawKeyDown", "keyUp"):
            self.do("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def cookies(self) -> dict[str, dict[str, Any]]:
        return {each["name"]: each for each in self.do("Network.getCookies")["cookies"]}

    def looks(self, *, dark: bool = False, width: int = 1000, height: int = 900) -> None:
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.do("Emulation.setEmulatedMedia", features=scheme)
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.do("Emulation.setDeviceMetricsOverride", **size)

    def picture(self, path: Path) -> None:
        """All of the page, as PNG."""
        shot = self.do("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))
