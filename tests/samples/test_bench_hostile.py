from __future__ import annotations

from bench.hostile import hostile
from phigate.masking import Detector

ROW = Detector("mrn", "MRN", r"\bMRN (?P<id>\d{4})\b", hits=("MRN [[7041]]",), misses=("MRN",))


def test_texts_have_their_size_and_none_comes_twice() -> None:
    texts = [text for _, text in hostile(ROW, 64)]
    assert {len(text) for text in texts} == {64}
    assert len(set(texts)) == len(texts)


def test_samples_labels_values_and_beginnings_are_repeated() -> None:
    texts = {text for _, text in hostile(ROW, 12)}
    assert {"MRN 7041 MRN", "MRN MRN MRN ", "704170417041", "MMMMMMMMMMMM", "MRN 704~MRN "} <= texts
