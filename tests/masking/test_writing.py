from __future__ import annotations

from phigate.masking.writing import Writing


def test_plain_text_is_read_as_it_stands() -> None:
    writing = Writing()
    assert writing.feed("Ada ") + writing.feed("Brandt") + writing.close() == "Ada Brandt"
    assert (writing.place(4), writing.after(10)) == (4, 10)
