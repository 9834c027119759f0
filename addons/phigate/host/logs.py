"""What mitmproxy and libraries may log: their words about us, never words of a caller or a model.

mitmproxy prints exception texts with their tracebacks even with `-q`, the repr of events when it crashes (which
holds the request's body), and whole URLs. So every log record is made by our factory: one that does not come from
this package keeps its text only if its template is on the list below; an exception shrinks to type and place.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import logging
import re
import sys
import threading
import traceback
import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any, TextIO

from mitmproxy.addons import termlog

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

OURS = "phigate"

_HARMLESS = re.compile(
    r"""(?x)
    (client\ (connect|disconnect|kill\ connection)
    |server\ (connect|disconnect)\ [\w.:\[\]()\ -]+
    |(HTTP\(S\)|reverse)\ proxy(\ to\ [\w.:/@\[\]-]+)?\ (listening\ )?at\ [\w.*\[\]:-]+:\d+
     (\ and\ [\w.*\[\]:-]+:\d+)*(\ stopped)?\.
    |[A-Z][\w\ ]+\ failed\ to\ listen\ on\ [\w.:*-]+\ with\ \[Errno\ \d+\][^\n]{0,200}(\nTry\ specifying[^\n]{0,200})?
    |Loading\ script\ [^\n]{1,400}
    |Web\ server\ listening\ at\ [^\n]{1,200}
    |No\ web\ browser\ found\..*
    |Streaming\ (request|response)\ (to|from)\ [\w.:-]+\.
    |closing\ transports\.\.\.|transports\ closed!
    |Saved\ \d+\ flows\.
    |(this\ command|option\ `\w+`)\ is\ locked\ while\ the\ gateway\ runs
    |(Started|Finished)\ server\ process.*|Application\ (startup|shutdown)\ complete\..*
    |Closing\ connection\ due\ to\ inactivity.*
    )\Z"""
)
"""The messages of others that carry addresses of hosts and nothing else."""

_factory = logging.LogRecord
_CHAIN = 5


def place(exc: BaseException, tb: TracebackType | None) -> str:
    """Type and place of an exception, `KeyError at masking/addon.py:41 in request`: never its text."""
    frames = traceback.extract_tb(tb) if tb else []
    ours = [frame for frame in frames if "phigate" in frame.filename] or frames
    if not ours:
        return type(exc).__name__
    last = ours[-1]
    short = "/".join(last.filename.split("/")[-2:])
    return f"{type(exc).__name__} at {short}:{last.lineno} in {last.name}"


def record(  # noqa: PLR0917 -- the signature of logging's record factory
    name: str,
    level: int,
    path: str,
    line: int,
    message: object,
    args: Any,
    exc_info: Any,
    func: str | None = None,
    sinfo: str | None = None,  # noqa: ARG001 -- a stack's text is left out
    **extra: Any,
) -> logging.LogRecord:
    """A log record that can carry no content; the factory given to `logging`."""
    what = _what(name, message, args)
    if isinstance(exc_info, tuple) and exc_info[1] is not None:
        what = f"{what} ({place(exc_info[1], exc_info[2])})"
    elif isinstance(exc_info, BaseException):
        what = f"{what} ({place(exc_info, exc_info.__traceback__)})"
    made = _factory(name, level, path, line, what, None, None, func, None, **extra)
    made.exc_text = None
    return made


def _what(name: str, message: object, args: Any) -> str:
    if name == OURS or name.startswith(OURS + "."):
        return str(message) % args if args else str(message)
    text = str(message)
    if not args and _HARMLESS.match(text):
        return text
    return f"{name}: message withheld"


def chain(error: BaseException) -> str:
    """Type and place of an exception and of those that it came after, latest first."""
    places: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(places) < _CHAIN:
        places.append(place(seen, seen.__traceback__))
        seen = seen.__cause__ or seen.__context__
    return ", after ".join(places)


def _unhandled(error: BaseException | None, _tb: TracebackType | None) -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"phigate: unhandled {chain(error) if error else 'exception'}\n")


def _warned(  # noqa: PLR0917 -- the signature of `warnings.showwarning`
    message: Warning | str,  # noqa: ARG001 -- left out
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001 -- nobody asks for another
    line: str | None = None,  # noqa: ARG001 -- left out
) -> None:
    """`warnings.showwarning`, which would print the text and the line of source."""
    short = "/".join(filename.split("/")[-2:])
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"phigate: {category.__name__} at {short}:{lineno}\n")


_lost: Counter[str] = Counter()


def _kept_going(emit: Callable[[Any, logging.LogRecord], None]) -> Callable[[Any, logging.LogRecord], None]:
    def emitted(sink: Any, record: logging.LogRecord) -> None:
        try:
            emit(sink, record)
        except SystemExit:
            _lost["lines"] += 1

    return emitted


def keep_going() -> None:
    """Have the process outlive its terminal, or whoever read its log: mitmproxy ends it in the middle of a line.

    Each line is written at once, also into a file or a pipe: a log that is behind by some kilobytes tells nobody, and
    what a process that is killed had to say would be lost.
    """
    setattr(termlog.TermLogHandler, "emit", _kept_going(termlog.TermLogHandler.emit))  # noqa: B010 -- no other seam
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    atexit.unregister(_let_go)
    atexit.register(_let_go)


def _let_go() -> None:
    """At the end: what cannot be written any more is no reason to end with a code of its own (Python's is 120)."""
    for name in ("stdout", "stderr"):
        try:
            getattr(sys, name).flush()
        except (OSError, ValueError):
            setattr(sys, name, None)  # as Python has it of a process that was started without


def remarks() -> dict[str, str]:
    """What readiness says of it."""
    return {"log": f"{_lost['lines']} lines could not be written"} if _lost else {}


def install() -> None:
    """From here on every record of this process is made by `record`, and no traceback is printed with its text."""
    logging.setLogRecordFactory(record)
    sys.excepthook = lambda _kind, error, tb: _unhandled(error, tb)
    sys.unraisablehook = lambda what: _unhandled(what.exc_value, what.exc_traceback)
    threading.excepthook = lambda what: _unhandled(what.exc_value, what.exc_traceback)
    warnings.showwarning = _warned
    for chatty in ("httpx", "httpcore", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
