"""What the documentation shows in Python is so."""

import doctest

import pytest

import phigate.masking
import phigate.masking.structure
from phigate.options import ROOT

PAGES = [path for path in sorted((ROOT / "docs").glob("*.md")) if ">>> " in path.read_text()]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_examples_of_a_page(path):
    failed, tried = doctest.testfile(str(path), module_relative=False)
    assert tried > 0
    assert failed == 0


@pytest.mark.parametrize("module", [phigate.masking, phigate.masking.structure], ids=lambda module: module.__name__)
def test_the_examples_of_a_room(module):
    failed, tried = doctest.testmod(module)
    assert tried > 0
    assert failed == 0
