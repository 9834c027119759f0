import base64
import hashlib
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta

import pytest
from lxml import etree, html

from phigate.audit.index.database import open_index
from phigate.audit.report.gather import gather
from phigate.audit.report.page import page
from phigate.audit.report.paragraphs import SECTIONS
from phigate.audit.report.parts import Integrity, Proven
from tests import policies
from tests.audit.report.hospital import HOSTILE, MONDAY, Hospital, november

SHOWN_AS = HOSTILE.replace("\u202e", "\ufffd").replace("\x1b", "\ufffd")
ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "section", "footer", "nav", "aside"),
    *("figure", "figcaption", "h1", "h2", "h3", "p", "ul", "ol", "li", "dl", "dt", "dd", "b", "a", "span", "strong"),
    *("code", "div", "table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("svg", "desc", "rect", "text", "line", "polyline", "circle"),
}


def made(folder, hospital, **more):
    hospital.write(folder)
    with open_index(folder) as index:
        return gather(index, november(), MONDAY + timedelta(days=30), "1.2.3", **more)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Everything that a stranger names is hostile."""
    hospital = Hospital()
    subject = {"issuer": HOSTILE, "id": HOSTILE, "roles": [HOSTILE], "groups": [HOSTILE]}
    hostile = {"subject": subject, "client": {"ip": HOSTILE, "agent": HOSTILE}, "purpose": HOSTILE, "policy": HOSTILE}
    hostile |= {"model": HOSTILE, "rule": HOSTILE, "patients": range(2)}
    hospital.ask(MONDAY, "ada")
    hospital.ask(MONDAY, shown=True, outcome=HOSTILE, mask=HOSTILE, **hostile)
    used = hospital.ask(MONDAY, verb="deny", reason="break-glass" + HOSTILE, **hostile)
    hospital.ask(MONDAY - timedelta(days=60))
    hospital.event(MONDAY, "break-glass", exchange=used, subject=subject, due=HOSTILE)
    hospital.event(MONDAY, "review", exchange=used, subject=subject)
    hospital.event(
        MONDAY, "ticket", ticket=HOSTILE, rule=HOSTILE, decision="approve", client={"via": HOSTILE}, subject=subject
    )
    hospital.event(MONDAY, "look", command=HOSTILE, about={}, by={"login": HOSTILE, "host": HOSTILE})
    hospital.event(MONDAY, "policy", policy=HOSTILE, was=HOSTILE, accepted=True)
    hospital.event(MONDAY, "refused", client={"ip": HOSTILE}, count=2, reasons={HOSTILE: 2})
    integrity = Integrity(
        checked=True,
        verdict="broken",
        proven=[Proven(HOSTILE, 1, "0", "none", None, "none")],
        faults=[(HOSTILE, HOSTILE, HOSTILE)],
        fault_count=3,
        notices=[(HOSTILE, HOSTILE, HOSTILE)],
    )
    return made(tmp_path_factory.mktemp("hostile") / "journal", hospital, integrity=integrity)


@pytest.fixture(scope="module")
def text(report):
    return page(report)


@pytest.fixture(scope="module")
def tree(text):
    return html.document_fromstring(text.encode())


def words(tree):
    return " ".join(" ".join(tree.itertext()).split())


def test_it_is_well_formed(text):
    """As XML, but for the elements that HTML leaves open: what lxml would mend is a fault of ours."""
    body = re.sub(r"<(meta [^>]*)>", r"<\1/>", text.removeprefix("<!DOCTYPE html>\n"))
    root = etree.fromstring(body.encode(), etree.XMLParser(resolve_entities=False))
    assert {etree.QName(each).localname for each in root.iter()} == ELEMENTS


def test_nothing_runs_and_nothing_is_fetched(tree, text):
    for element in tree.iter():
        assert element.tag != "script"
        for name, value in element.attrib.items():
            assert not name.startswith("on")
            assert name not in {"src", "srcset", "style", "action", "data", "background", "poster", "xlink:href"}
            if name == "href":
                assert value.startswith("#")
                assert tree.get_element_by_id(value[1:]) is not None
    (style,) = tree.iter("style")
    assert not re.search(r"url\(|@import|expression", style.text)


def test_the_browser_is_told_to_allow_nothing_but_this_style(tree):
    (policy,) = tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    (style,) = tree.iter("style")
    digest = base64.b64encode(hashlib.sha256(style.text.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


PLACES = [
    ("identities", "Issuers that vouched for people"),
    ("identities", "Roles held"),
    ("identities", "People"),
    ("identities", "Bearers that were not believed"),
    ("identities", "Programs"),
    ("decisions", "Held and denied"),
    ("decisions", "Tickets"),
    ("decisions", "Who answered tickets"),
    ("decisions", "Where tickets were answered"),
    ("emergencies", "Uses of break-glass"),
    ("emergencies", "Who reviewed these"),
    ("disclosures", "By purpose"),
    ("disclosures", "By recipient"),
    ("disclosures", "Identifiers in prompts"),
    ("masks", "Which rule masked how"),
    ("masks", "What was found in answers"),
    ("masks", "Versions of the policy"),
    ("unusual", "What stands out"),
    ("unusual", "Addresses"),
    ("coverage", "How what was permitted ended"),
    ("integrity", "What is proven"),
    ("integrity", "Faults"),
    ("integrity", "To be known"),
    ("looks", "Looks"),
]


@pytest.mark.parametrize(("section", "caption"), PLACES, ids=[f"{place[0]}: {place[1]}" for place in PLACES])
def test_a_name_that_a_stranger_chose_stands_there_as_text(tree, section, caption):
    (table,) = tree.xpath(f"//section[@id='{section}']//table[starts-with(caption, '{caption}')]")
    assert SHOWN_AS in " ".join(cell.text_content() for cell in table.iter("td"))


def test_no_character_turns_the_text_around(text):
    assert not set(text) & {"\u202e", "\x1b", "\x00"}


def test_each_section_has_its_paragraph_and_its_limits(tree):
    for section in SECTIONS:
        found = tree.get_element_by_id(section.id)
        assert [b.text for b in found.xpath("./ul[@class='cfr']//b")] == [f"45 CFR {n}" for n, _ in section.paragraphs]
        (aside,) = found.iter("aside")
        assert aside.text_content() == f"What this does not prove: {section.limits}"


def test_headings_are_numbered_and_linked(tree):
    numbers = [span.text for span in tree.xpath("//h2/span[@class='no']")]
    assert numbers == [str(at) for at in range(1, 13)]
    linked = [link.get("href") for link in tree.xpath("//nav//a")]
    assert linked == [f"#{section.get('id')}" for section in tree.iter("section")]


def test_charts_are_whole_and_say_what_they_show(tree, text):
    assert len(tree.xpath("//figure")) == text.count("<svg") == 5
    for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        assert etree.fromstring(svg)[1].text


def test_every_column_of_a_table_has_a_cell(tree):
    for table in tree.iter("table"):
        heads = len(table.xpath(".//th"))
        assert {len(row) for row in table.xpath("./tbody/tr")} == {heads}


def test_an_unverified_journal_is_not_called_intact(report):
    text = words(html.document_fromstring(page(replace(report, integrity=Integrity()))))
    assert "The journal was not verified for this report." in text
    assert "holds what was written" not in text


def test_a_journal_that_was_changed_is_said_to_be(tree):
    assert "The folder does not hold what was written." in words(tree)


def test_masks_are_explained_when_a_policy_was_given(tmp_path):
    hospital = Hospital()
    hospital.ask(MONDAY)
    text = words(html.document_fromstring(page(made(tmp_path / "journal", hospital, policy=policies.policy()))))
    assert "DATE_TIME: year, OTHER: redact" in text
    assert "no exchange of this period was decided by it" in text


def test_an_empty_journal_says_none_where_there_is_none(tmp_path):
    text = words(html.document_fromstring(page(made(tmp_path / "journal", Hospital()))))
    assert "Uses of break-glass, the latest first: none in this period." in text
    assert "Nobody used break-glass." in text


NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), "")


@pytest.mark.skipif(not BROWSER, reason=f"needs a browser: none of {', '.join(NAMES)} is here")
@pytest.mark.parametrize(("sentence", "put", "complaints"), [("as it is", "", 0), ("with a style", " style='x'", 1)])
def test_a_browser_has_nothing_to_complain_of(text, tmp_path, sentence, put, complaints):
    """And would complain of a style that is not ours."""
    (tmp_path / "report.html").write_text(text.replace("<h1>", f"<h1{put}>", 1))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    shown = subprocess.run(
        [BROWSER, *flags, f"--user-data-dir={tmp_path}/user", "--dump-dom", f"file://{tmp_path}/report.html"],
        capture_output=True,
        check=True,
        timeout=60,
        text=True,
    )
    assert shown.stderr.count(":CONSOLE:") == complaints
    assert shown.stdout.count("<section") == 12
