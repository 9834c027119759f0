"""The compact range, beside RFC 6962's recursion and the vectors that other logs are tested with."""

import hashlib

import pytest

from phigate.journal import tree
from phigate.journal.tree import Range, parse_range

# The leaves and roots by which implementations of RFC 6962 are commonly compared (certificate-transparency's tests).
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def recursive(leaves):
    """RFC 6962 section 2.1, as it is written there."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\1" + recursive(leaves[:k]) + recursive(leaves[k:])).digest()


def leaves(count):
    return [hashlib.sha256(b"%d" % number).digest() for number in range(count)]


def grown(of):
    found = Range()
    for each in of:
        found.append(each)
    return found


@pytest.mark.parametrize("count", range(1, 9))
def test_the_known_vectors(count):
    assert grown(map(bytes.fromhex, LEAVES[:count])).root().hex() == ROOTS[count - 1]


def test_the_root_of_nothing():
    assert Range().root() == tree.EMPTY_ROOT == recursive([])
    assert Range().texts() == []


def test_every_size_has_the_root_of_the_recursion():
    all_of_them, found = leaves(260), Range()
    for size, each in enumerate(all_of_them, 1):
        found.append(each)
        assert found.size == size
        assert found.root() == recursive(all_of_them[:size])


@pytest.mark.parametrize("cut", [0, 1, 5, 63, 64, 99])
def test_a_range_goes_on_where_another_one_ended(cut):
    before, after = leaves(100)[:cut], leaves(100)[cut:]
    told = parse_range(grown(before).texts(), cut)
    assert told is not None
    for each in after:
        told.append(each)
    assert told == grown(leaves(100))
    assert told.root() == recursive(leaves(100))


def test_a_copy_stays_what_it_was():
    found = grown(leaves(6))
    kept = found.copy()
    found.append(leaves(7)[6])
    assert kept == grown(leaves(6))
    assert kept != found
    assert kept != 6


def test_one_leaf_more_or_another_is_another_root():
    roots = {grown(leaves(size)).root() for size in range(40)}
    assert len(roots) == 40
    assert grown(reversed(leaves(9))).root() != grown(leaves(9)).root()


@pytest.mark.parametrize(
    ("texts", "size"),
    [
        (None, 0),
        ("", 0),
        ([], 1),
        (["00" * 32], 0),
        (["00" * 32], 3),
        (["00" * 31], 1),
        (["0G" * 32], 1),
        (["AA" * 32], 1),
        ([7], 1),
        ([], -1),
        (["00" * 32 + "\n"], 1),
    ],
)
def test_what_is_no_range_of_this_size(texts, size):
    assert parse_range(texts, size) is None


@pytest.mark.parametrize(("hashes", "size"), [([], 1), ([b"short"], 1), ([b"\0" * 32], 3), ([], -1)])
def test_a_range_is_never_made_of_less(hashes, size):
    with pytest.raises(ValueError, match="one hash of 32 bytes for each 1 bit"):
        Range(hashes, size)
