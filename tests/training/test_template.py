"""The small language of templates."""

from random import Random

import pytest

from training.template import Piece, TemplateError, expand, load, parse, slots


def said(text, seed=1):
    pieces = expand(parse(text), Random(seed), lambda slot: [Piece(f"<{'.'.join((slot.name, *slot.forms))}>")])
    return "".join(piece.text for piece in pieces)


@pytest.mark.parametrize(
    ("sentence", "text", "ways"),
    [
        ("plain text is itself", "Seen, again | later", {"Seen, again | later"}),
        ("a slot is filled, forms and all", "Mr. {patient.last.upper} ({1-28})", {"Mr. <patient.last.upper> (<1-28>)"}),
        ("alternatives give one of them", "[seen|met] him", {"seen him", "met him"}),
        ("one may say nothing", "met[ him|]", {"met him", "met"}),
        ("they nest and hold slots", "[by [{a}|Dr. {b}]|alone]", {"by <a>", "by Dr. <b>", "alone"}),
        ("two may end together", "[x [y|z]]", {"x y", "x z"}),
        ("doubled signs are themselves", '{{"a": [[{b}, 1]]}}', {'{"a": [<b>, 1]}'}),
        ("inside alternatives too", "[see [[1]]|none]", {"see [1]", "none"}),
    ],
)
def test_a_template_says(sentence, text, ways):
    assert {said(text, seed) for seed in range(40)} == ways


@pytest.mark.parametrize("text", ["[a|b", "a] b", "{a", "a} b", "{a b}", "[a|{b]"])
def test_what_cannot_be_read_is_refused(text):
    with pytest.raises(TemplateError):
        parse(text)


def test_slots_are_those_of_every_alternative():
    assert [slot.name for slot in slots(parse("{a}[{b}|[{c.first}|]|d]"))] == ["a", "b", "c"]


def test_a_file_has_a_kind_and_its_templates_ids(tmp_path):
    file = tmp_path / "queries-x.txt"
    file.write_text("# kind: query\n{a}\n---\nsecond\nline\n---\n\n")
    assert [(one.id, one.kind) for one in load(file)] == [("queries-x-001", "query"), ("queries-x-002", "query")]
    assert load(file)[1].parts == ("second\nline",)
    file.write_text("# kind: query\nfine\n---\n[not")
    with pytest.raises(TemplateError, match="queries-x-002"):
        load(file)
    file.write_text("no kind\n")
    with pytest.raises(TemplateError, match=r"queries-x\.txt"):
        load(file)
