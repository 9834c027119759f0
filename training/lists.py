"""Reads the word lists: `# section` lines, items one a line or parted by `; `."""

from functools import cache
from pathlib import Path

WORDS = Path(__file__).parent / "words"


@cache
def sections(name: str) -> dict[str, list[str]]:
    """Items by section, in order (one twice is drawn twice as often); before the first section it is section ``."""
    found: dict[str, list[str]] = {"": []}
    here = ""
    for line in (WORDS / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            here = line[2:].strip()
            found.setdefault(here, [])
        else:
            found[here] += [item.strip() for item in line.split(";") if item.strip()]
    return found


@cache
def cultures() -> tuple[str, ...]:
    """Those with lists that came out of a package."""
    return tuple(sorted(path.stem for path in (WORDS / "names").glob("*.txt")))


@cache
def census(title: str) -> tuple[list[tuple[str, int]], list[str]]:
    """Names with how many there are per 100,000 people, commonest first; and names too rare for a figure, by rank."""
    frequent, rare = [], []
    for line in (WORDS / f"census_{title}.txt").read_text(encoding="utf-8").splitlines():
        name, _, count = line.partition(" ")
        if count.isdigit():
            frequent.append((name, int(count)))
        else:
            rare += line.split()
    return frequent, rare


@cache
def cities_us() -> list[tuple[str, list[str], int]]:
    """Name, states that have one, people in the largest."""
    rows = (line.split("|") for line in (WORDS / "cities_us.txt").read_text(encoding="utf-8").splitlines())
    return [(name, states.split(), int(people)) for name, states, people in rows]


@cache
def counties() -> list[str]:
    rows = (WORDS / "counties.txt").read_text(encoding="utf-8").splitlines()
    return [row.partition("|")[0] for row in rows]
