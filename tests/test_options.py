"""The gateway's own options."""

import re
from pathlib import Path

from phigate.options import OPTIONS, ROOT


def test_each_has_a_name_of_its_own_and_says_what_it_is():
    names = [name for name, _, _ in OPTIONS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"phi_[a-z_]+", name) for name in names)
    assert [
        name for name, _, text in OPTIONS if not (text[0].isupper() or text.startswith("host:port")) or len(text) < 12
    ] == []


def test_no_default_depends_on_the_working_directory():
    paths = [default for _, default, _ in OPTIONS if "/" in default]
    assert len(paths) == 5
    assert all(Path(default.removeprefix("sqlite+aiosqlite:///")).is_relative_to(ROOT) for default in paths)


def test_the_readme_names_all_of_them():
    readme = (ROOT / "README.md").read_text() + "".join(path.read_text() for path in (ROOT / "docs").glob("*.md"))
    assert [name for name, _, _ in OPTIONS if f"`{name}`" not in readme] == []
