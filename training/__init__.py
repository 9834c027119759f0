"""The recipe of the name and place tagger: word lists, templates, generator. For development; not part of the wheel."""
