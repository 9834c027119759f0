"""Reading a policy file: a Policy that holds, or every fault in it at once. [I/O: reads one file]"""

from __future__ import annotations

import contextlib
import hashlib
import stat
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from phigate.policy import tree
from phigate.policy.schema import Origin, Policy
from phigate.policy.sentences import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    type Further = Callable[[Policy], Iterable[tuple[tree.Path, str]]]

MAX_FAULTS = 100


class PolicyFaults(ValueError):  # noqa: N818  # what it carries: the operator's faults, not an error of ours
    """What is wrong with a file, each as `file:line: path: fault`."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def load_policy(path: Path, further: Further | None = None) -> Policy:
    """Read and check a policy file; raises PolicyFaults, also for a file that cannot be read.

    `further` finds faults that only somebody knows who knows more than the language.
    """
    return parse_policy(read_file(path), str(path), path.parent, further)


def read_file(path: Path) -> bytes:
    """A file's bytes, never many more than a policy may have; raises PolicyFaults."""
    try:
        with path.open("rb") as file:
            return file.read(tree.MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a usable path"
        raise PolicyFaults((f"{path}:1: file: cannot be read: {why.lower()}",)) from None


def must_be_a_file(path: Path) -> None:
    """Raise PolicyFaults for a pipe or a device, of which reading may never end; what is not there is told by reading.

    For files that are read again while others wait: a shell's `<(...)` is good enough for a command.
    """
    mode = stat.S_IFREG
    with contextlib.suppress(OSError, ValueError):
        mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise PolicyFaults((f"{path}:1: file: cannot be read: is not a file",))


def parse_policy(text: bytes, where: str, folder: Path, further: Further | None = None) -> Policy:
    """Check a policy; `where` names the file in faults, `folder` is where its `file:` paths start."""
    parsed = tree.read(text)
    found = list(parsed.faults)
    origin = Origin(hashlib.sha256(text).hexdigest(), folder, text.decode("utf-8", "replace"))
    if parsed.value is not None:
        try:
            policy = Policy.model_validate(_mapping(parsed), context=origin)
        except ValidationError as error:
            found += _judged(parsed, error)
        else:
            found += [tree.Fault(parsed.line(at), at, said) for at, said in further(policy)] if further else []
            if not found:
                return policy
    raise PolicyFaults(said(found, parsed.value, where, whole="policy"))


def said(faults: Iterable[tree.Fault], value: Any, where: str, *, whole: str) -> tuple[str, ...]:
    """Faults as lines, in the order of the file; `whole` names what the file as a whole is."""
    lines = list(dict.fromkeys(sorted((fault.line, place(fault.path, value) or whole, fault.text) for fault in faults)))
    shown = [f"{where}:{line}: {path}: {text}" for line, path, text in lines[:MAX_FAULTS]]
    if len(lines) > MAX_FAULTS:
        shown.append(f"{where}:{lines[MAX_FAULTS][0]}: {whole}: and {len(lines) - MAX_FAULTS} more faults from here on")
    return tuple(shown)


def place(path: tree.Path, value: Any) -> str:
    """A path in the operator's words: `rules[clinicians-chat].grant.for`; items without a name by number, from 0."""
    words = ""
    for step in path:
        if isinstance(step, int):
            item = value[step] if isinstance(value, list) and step < len(value) else None
            words += f"[{_name_of(item) or step}]"
        else:
            words += "." * bool(words) + quoted(step)[1:-1]
        value = item if isinstance(step, int) else value.get(step) if isinstance(value, dict) else None
    return words


def _name_of(item: Any) -> str | None:
    name = item.get("name") if isinstance(item, dict) else None
    return quoted(name)[1:-1] if isinstance(name, str) and name else None


def _mapping(parsed: tree.Tree) -> Any:
    """An empty file is a policy with nothing in it: its faults say what is missing."""
    return {} if parsed.value == "" else parsed.value


def _judged(parsed: tree.Tree, error: ValidationError) -> Iterable[tree.Fault]:
    for entry in error.errors(include_url=False, include_input=False):
        # pydantic ends the path of a mapping's bad key with this word.
        path = tuple(step for step in entry["loc"] if step != "[key]")
        if not any(path[: len(bad)] == bad for bad in parsed.unreadable):
            yield tree.Fault(parsed.line(path), path, entry["msg"])
