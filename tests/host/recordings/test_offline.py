"""Recorded flows are run again by a mitmproxy of which nothing is left but its log."""

import asyncio
import io

import pytest
from mitmproxy.addons import dumper, errorcheck, keepserving, readfile, view
from mitmproxy.addons.termlog import TermLog

from phigate.host.recordings.offline import CHANGED, SAME, UNTOLD, Offline, OfflineFault, begin, is_meant
from phigate.policy.load import PolicyFaults
from tests.stage import mitmproxy


class Fake:
    """Tells of each line of a file as if it were a flow."""

    def __init__(self, policy=None, past=()):
        self.past = past
        self.policy, self.changed, self.untold, self.read = policy, 0, 0, 0

    def lines(self, file):
        for line in file:
            self.read += 1
            self.changed += line.startswith(b"changed")
            self.untold += line.startswith(b"undecided")
            yield line.decode().strip(), not line.startswith(b"same")

    def summary(self):
        return [f"{self.read} flows"]


def ended(raw, *, quiet=False, name="-"):
    """What a run comes to: the exit code of the process."""

    async def run():
        made = Offline(Fake(), name, quiet=quiet)
        made.running()
        await asyncio.Event().wait()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw)))
        with pytest.raises(SystemExit) as end:
            asyncio.run(run())
    return end.value.code


ENDS = [
    ("all is as it was", b"same\nsame\n", SAME),
    ("nothing is there", b"", SAME),
    ("something would change", b"same\nundecided\nchanged\n", CHANGED),
    ("something is not known", b"same\nundecided\n", UNTOLD),
]


@pytest.mark.parametrize(("sentence", "raw", "code"), ENDS, ids=[case[0] for case in ENDS])
def test_a_run_ends_with(sentence, raw, code, capsys):
    assert ended(raw) == code
    assert capsys.readouterr().out == raw.decode() + f"{raw.count(b'\n')} flows\n"


def test_a_quiet_run_tells_what_would_change(capsys):
    assert ended(b"same\nchanged\nsame\n", quiet=True) == CHANGED
    assert capsys.readouterr().out == "changed\n3 flows\n"


def test_a_run_that_was_stopped_does_not_say_that_all_is_as_it_was(tmp_path):
    path = tmp_path / "flows"
    path.write_bytes(b"same\n" * 100_000)

    async def run():
        made = Offline(Fake(), str(path), quiet=True)
        made.running()
        await asyncio.sleep(0.01)
        made.done()

    with pytest.raises(SystemExit) as end:
        asyncio.run(run())
    assert end.value.code == UNTOLD


def test_a_run_that_nobody_listens_to_ends(monkeypatch):
    class Closed(io.StringIO):
        def write(self, _text):
            raise BrokenPipeError

    monkeypatch.setattr("sys.stdout", Closed())
    assert ended(b"same\n") == UNTOLD


# -- how it begins --------------------------------------------------------------------------------------------------


@pytest.fixture
def recorded(tmp_path):
    path = tmp_path / "flows"
    path.write_bytes(b"")
    return str(path)


def ready(rfile, *more, **options):
    """A mitmdump as it stands once the script is loaded."""
    addons = (readfile.ReadFile(), keepserving.KeepServing(), errorcheck.ErrorCheck(), TermLog(), *more)
    own = {"server": False, "scripts": ["gateway.py"], "rfile": rfile} | options
    context = mitmproxy(dumper.Dumper(), *addons)
    return context, own


def started(rfile, *more, policy=lambda path: path, **options):
    manager, own = ready(rfile, *more, **options)
    with manager as context:
        context.options.add_option("phi_policy", str, "policy.yaml", "")
        context.options.add_option("phi_was", str, "", "")
        context.master.addons.get("scriptloader").configure = lambda _updated: None
        context.options.update(**own)
        assert is_meant(context.master) == bool(not own["server"] and own["rfile"])
        begin(context.master, policy, Fake)
        yield context


async def test_nothing_is_left_in_the_chain_but_the_log(recorded):
    for context in started(recorded):
        chain = context.master.addons.chain
        assert {type(addon).__name__ for addon in chain} == {"TermLog", "ErrorCheck", "Offline"}
        assert (str(chain[-1]._again.policy), chain[-1]._again.past) == ("policy.yaml", [])


async def test_policies_that_were_in_force_are_read_as_well(recorded):
    for context in started(recorded, phi_was="a.yaml, b.yaml"):
        assert [str(each) for each in context.master.addons.chain[-1]._again.past] == ["a.yaml", "b.yaml"]


async def test_options_and_commands_are_locked_as_in_a_gateway(recorded):
    for context in started(recorded):
        with pytest.raises(Exception, match="is locked"):
            context.options.update(server=True)
        with pytest.raises(Exception, match="is locked"):
            context.master.commands.execute("replay.client.file x")


STOPS = [
    ("flows to be sent", {"client_replay": ["FLOWS"]}, "`client_replay`"),
    ("a file that would stay empty", {"hardump": "FLOWS"}, "`hardump`"),
    ("flows to be left out", {"readfile_filter": "~m GET"}, "`readfile_filter`"),
    ("a second script", {"scripts": ["gateway.py", "other.py"]}, "exactly one script"),
    ("a server", {"server": True}, "`-n`"),
]


@pytest.mark.parametrize(("sentence", "options", "said"), STOPS, ids=[case[0] for case in STOPS])
async def test_what_would_do_nothing_or_harm_is_a_fault(recorded, sentence, options, said):
    with pytest.raises(OfflineFault, match=said):
        list(started(recorded, **with_file(options, recorded)))


def with_file(options, path):
    places = {"FLOWS": path, ("FLOWS",): [path]}
    return {
        name: places.get(tuple(value) if isinstance(value, list) else value, value) for name, value in options.items()
    }


async def test_a_window_is_no_place_for_it(recorded):
    with pytest.raises(OfflineFault, match="by mitmdump"):
        list(started(recorded, view.View()))


def test_a_file_that_is_not_there_tells_nothing(tmp_path, capsys):
    assert ended(b"", name=str(tmp_path / "none")) == UNTOLD
    assert capsys.readouterr().err == f"phigate: {tmp_path / 'none'}: no such file or directory\n"


def faulty(_path):
    raise PolicyFaults(("policy.yaml:1: rules: is empty",))


async def test_a_policy_that_cannot_decide_is_a_fault(recorded):
    with pytest.raises(OfflineFault, match=r"policy\.yaml:1: rules"):
        list(started(recorded, policy=faulty))
