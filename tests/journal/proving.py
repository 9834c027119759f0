"""A small journal in memory, written as a gateway writes it, and the verdict on whatever was made of it."""

import io
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from phigate.journal import chain, note
from phigate.journal.judge import Evidence, judge
from phigate.journal.note import Checkpoint
from phigate.journal.proof import verdict_of
from phigate.journal.source import Source
from phigate.journal.tree import Range

START = datetime(2026, 11, 23, 15, 4, 5, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(b"\7" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"\10" * 32)


@dataclass
class Made:
    """A folder's files by name, what an anchor elsewhere keeps, and the public keys that the auditor holds."""

    files: dict[str, bytes] = field(default_factory=dict)
    anchor: bytes = b""
    keys: list[note.Vkey] = field(default_factory=list)

    def but(self, files=None, without=(), **more):
        """The same with other files, or without some."""
        kept = {name: raw for name, raw in (self.files | (files or {})).items() if name not in without}
        return replace(self, files=kept, **more)

    @property
    def journals(self):
        return [name for name in self.files if name.endswith(".jsonl")]


class Writer:
    """What a gateway does, without a disk: lines, chain, tree, checkpoints."""

    def __init__(self, made, instance="gw-1", key=KEY):
        self.made, self.instance, self.key = made, instance, key
        self.vkey = note.vkey_of(note.origin_of(instance), key)
        self.seq, self.prev, self.tree, self.now = 0, chain.ZEROS, Range(), START
        self.name, self.notes = None, {}

    def add(self, kind, **fields):
        self.now += timedelta(seconds=1)
        line = chain.line_of(
            seq=self.seq, prev=self.prev, now=self.now, instance=self.instance, kind=kind, fields=fields
        )
        self.made.files[self.name] += line
        self.prev = chain.digest(line)
        self.tree.append(bytes.fromhex(self.prev))
        self.seq += 1

    def open(self, **more):
        follows = {"file": self.name, "hash": self.prev} | more if self.name else None
        self.name = f"{self.instance}-{self.now:%Y%m%dT%H%M%SZ}-{self.seq}.jsonl"
        self.made.files[self.name] = b""
        self.add("opened", software="1", file=self.name, follows=follows, tree=self.tree.texts(), key=str(self.vkey))

    def requests(self, count):
        for number in range(count):
            self.add("request", exchange=f"{self.seq:032x}", body={"n": number})

    def close(self):
        self.add("closed", reason="rotation")
        self.sign()

    def sign(self, *, anchor=False):
        about = (f"file {self.name}", f"last {self.prev}", f"time {chain.stamp(self.now)}")
        text = Checkpoint(self.vkey.name, self.seq, self.tree.root(), about).text()
        signed = note.sign(text, self.vkey, self.key)
        self.made.files[beside(self.name)] = self.made.files.get(beside(self.name), b"") + signed
        if anchor:
            self.made.anchor += signed
            self.add("anchor", where="file", size=self.seq, root=self.tree.root().hex())

    def spill(self, raw):
        """Leave something behind the last record."""
        self.made.files[self.name] += raw


def beside(name):
    return name.removesuffix(".jsonl") + ".checkpoints"


def sample():
    """Three files: one closed at a rotation, one that a crash ended, one closed; two anchored checkpoints."""
    made = Made()
    writer = Writer(made)
    made.keys.append(writer.vkey)
    writer.open()
    writer.requests(2)
    writer.sign(anchor=True)
    writer.close()
    writer.open()
    writer.requests(3)
    writer.sign()
    writer.spill(b'{"v":1,"seq":')
    writer.open(torn=13)
    writer.requests(1)
    writer.sign(anchor=True)
    writer.requests(1)
    writer.close()
    return made


def evidence(made):
    sources, orphans = {}, {}
    for name in made.journals:
        instance, _, seq = name.removesuffix(".jsonl").rsplit("-", 2)
        one = Source(name, int(seq), lines(made.files[name]), given(made.files.get(beside(name), b"")))
        sources.setdefault(instance, []).append(one)
    for name, raw in made.files.items():
        if name.endswith(".checkpoints") and name.removesuffix(".checkpoints") + ".jsonl" not in made.files:
            orphans[name] = (name.rsplit("-", 2)[0], given(raw))
    ordered = {instance: sorted(of, key=lambda source: source.seq) for instance, of in sources.items()}
    return Evidence(ordered, orphans, {"anchor": made.anchor} if made.anchor else {}, made.keys)


def given(raw):
    return lambda: raw


def lines(raw):
    return lambda: iter(io.BytesIO(raw))


def proofs(made):
    return judge(evidence(made))


def verdict(made):
    return verdict_of(proofs(made))


def findings(made):
    return [(each.file, each.line, each.reason) for proof in proofs(made) for each in proof.findings]


def reasons(made):
    return {reason for _, _, reason in findings(made)}


def notices(made):
    return [(each.file, each.line, each.reason) for proof in proofs(made) for each in proof.notices]
