"""mitmdump with the real gateway, in which a test can make any single function raise, one at a time.

Every function and method of the rooms that stand in the way of an exchange is wrapped before `gateway.py` is loaded.
The wrappers ask one file, at each call, whether it is their turn (`module:qualname`); a counter file beside it gets a
byte for each time one raised; `?` in the one file makes a list of the functions that ran. The exception's text is a
canary: it must show up nowhere.
"""

import functools
import importlib
import inspect
import os
import pkgutil
import signal
import sys
from pathlib import Path
from types import FunctionType

CANARY = os.environ["PHIGATE_CANARY"]
CONTROL = Path(os.environ["PHIGATE_BREAK"])
COUNT = CONTROL.with_suffix(".count")
NAMES = CONTROL.with_suffix(".names")
CALLED = CONTROL.with_suffix(".called")
ROOMS = ("gate", "identity", "access", "masking", "approval", "capture", "journal", "dialect", "flows", "policy.decide",
         "policy.masks", "policy.targets", "metrics", "house", "starting", "serving", "agreement", "edits", "exchange",
         "host.observers", "host.connections.sockets")  # fmt: skip

turn = ""
called: set[str] = set()
"""Functions that ran since they were last asked for."""


class BrokenError(Exception):
    """What a broken function raises."""


def listen() -> None:
    def take(_signal, _frame):
        global turn  # noqa: PLW0603 -- the one switch of this process
        turn = CONTROL.read_text()
        if turn == "?":
            CALLED.write_text("\n".join(sorted(called)))
            called.clear()

    signal.signal(signal.SIGRTMIN, take)


def broken(name, function):
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def wrapper(*args, **kwargs):
            called.add(name)
            if turn == name:
                raised(name)
            return await function(*args, **kwargs)
    else:

        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            called.add(name)
            if turn == name:
                raised(name)
            return function(*args, **kwargs)

    return wrapper


def raised(name):
    with COUNT.open("ab") as file:
        file.write(b".")
    raise BrokenError(f"{CANARY} in {name}")


def modules():
    package = importlib.import_module("phigate")
    found = [
        importlib.import_module(info.name)
        for info in pkgutil.walk_packages(package.__path__, "phigate.")
        if not info.name.endswith((".cli", ".reference", ".show", ".sessions", ".read"))
    ]
    return [*found, package]


def wrap() -> list[str]:
    names, swapped = [], {}
    everything = modules()
    rooms = [module.__name__.removeprefix("phigate.") for module in everything]
    gone = [each for each in ROOMS if not any(room.startswith(each) for room in rooms)]
    if gone:
        raise SystemExit(f"there is no {gone} to be broken")
    for module in everything:
        room = module.__name__.removeprefix("phigate.")
        if not room.startswith(ROOMS):
            continue
        for owner, attribute, function in functions(module):
            name = f"{module.__name__}:{function.__qualname__}"
            wrapper = broken(name, function)
            setattr(owner, attribute, wrapper)
            swapped[function] = wrapper
            names.append(name)
    for module in everything:  # what was imported by name
        for attribute, value in list(vars(module).items()):
            if isinstance(value, FunctionType) and value in swapped:
                setattr(module, attribute, swapped[value])
    return names


def functions(module):
    for attribute, value in list(vars(module).items()):
        if isinstance(value, FunctionType) and value.__module__ == module.__name__:
            yield module, attribute, value
        elif isinstance(value, type) and value.__module__ == module.__name__:
            for name, method in list(vars(value).items()):
                if isinstance(method, FunctionType) and (name == "__call__" or not name.startswith("__")):
                    yield value, name, method


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "addons"))
    NAMES.write_text("\n".join(sorted(wrap())))
    listen()
    from mitmproxy.tools.main import mitmdump

    mitmdump(sys.argv[1:])
