"""What holds for every page that a link leads to."""

from itertools import pairwise
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient

from tests.web.fake_school import HOSTILE
from tests.web.fakes import FakeAnswers
from tests.web.pages.html import Page
from tests.web.serve_fake import fake_site

#: As many pages of one kind, told apart by their first part and the names of parameters, are looked at.
_OF_A_KIND = 12


def _kind(address):
    parts = urlsplit(address)
    first = parts.path.split("/")[1]
    deep = parts.path.count("/")
    return first, deep, tuple(sorted(each.split("=")[0] for each in parts.query.split("&")))


def _crawl(client):
    found, waiting, kinds = {}, ["/"], {}
    while waiting:
        address = waiting.pop()
        if address in found:
            continue
        kind = _kind(address)
        kinds[kind] = kinds.get(kind, 0) + 1
        if kinds[kind] > _OF_A_KIND:
            continue
        response = client.get(address)
        found[address] = (response, Page(response.text))
        here = urlsplit(address).path
        for link in found[address][1].links():
            if link and not link.startswith(("https:", "/api/", "#")):
                assert link.startswith(("/", "?")), (address, link)
                waiting.append(link.split("#")[0] if link.startswith("/") else here + link)
    return found


@pytest.fixture(scope="module")
def site():
    answers = FakeAnswers(count=12)
    with TestClient(fake_site(answers), base_url="http://127.0.0.1") as client:
        yield _crawl(client)


def test_every_link_of_every_page_leads_somewhere(site):
    assert {address: response.status_code for address, (response, _) in site.items()} == dict.fromkeys(
        site, 200
    )
    firsts = {urlsplit(address).path.split("/")[1] for address in site}
    assert firsts == {"", "mastery", "users", "outcomes", "courses", "dead-letters", "topics", "status"}


def test_titles_and_messages_are_shown_as_text(site):
    shown = 0
    for address, (response, page) in site.items():
        assert "<script>alert" not in response.text, address
        assert "<b>" not in response.text, address
        shown += any(HOSTILE in one.text for one in page.all("a", "p", "td", "th", "h1", "h3", "dd"))
    assert shown > 3


def test_nothing_inline_and_nothing_from_elsewhere(site):
    for address, (_, page) in site.items():
        for one in page.elements:
            assert "style" not in one.attributes, (address, one)
            assert not [name for name in one.attributes if name.startswith("on")], (address, one)
            assert one.tag not in {"style", "iframe", "object", "embed", "base"}, (address, one)
            if one.tag in {"script", "img", "link", "source"}:
                source = one.attributes.get("src") or one.attributes.get("href") or ""
                assert source.startswith("/static/"), (address, one)
                assert not one.text.strip()


def test_landmarks_and_headings(site):
    titles = set()
    for address, (_, page) in site.items():
        for tag in ("main", "header", "footer", "h1"):
            assert len([one for one in page.all(tag) if "main" not in one.parents or tag == "h1"]) == 1, (
                address,
                tag,
            )
        assert page.all("html")[0].attributes["lang"] == "en"
        levels = [int(one.tag[1]) for one in page.all("h1", "h2", "h3", "h4")]
        for before, after in pairwise(levels):
            assert after <= before + 1, (address, levels)
        titles.add(page.all("title")[0].text)
    assert len(titles) > 3


def test_ids_are_single_and_references_lead_to_them(site):
    for address, (_, page) in site.items():
        ids = page.attribute("id")
        assert len(ids) == len(set(ids)), address
        for name in ("for", "aria-labelledby", "aria-describedby", "aria-controls"):
            for value in page.attribute(name):
                assert set(value.split()) <= set(ids), (address, name, value)


def test_fields_tables_and_buttons_have_names(site):
    for address, (_, page) in site.items():
        labelled = set(page.attribute("for"))
        for one in page.all("input", "select", "textarea"):
            if one.attributes.get("type") != "hidden":
                named = one.attributes.get("id") in labelled or "aria-label" in one.attributes
                assert named, (address, one)
        assert len(page.all("caption")) == len(
            [one for one in page.all("table") if "template" not in one.parents]
        )
        for one in page.all("th"):
            assert one.attributes.get("scope") in {"col", "row", "colgroup", "rowgroup"}, (address, one)
        for one in page.all("button", "a", "summary"):
            if "template" in one.parents:
                continue
            assert one.text.strip() or one.attributes.get("aria-label"), (address, one)
        for one in page.all("svg"):
            if "svg" in one.parents:
                continue
            assert "aria-hidden" in one.attributes or one.attributes.get("role") == "img", (address, one)


def test_every_page_says_how_fresh_it_is(site):
    for address, (_, page) in site.items():
        lines = [one for one in page.elements if one.attributes.get("aria-label") == "Freshness"]
        assert len(lines) == 1, address
        assert "answered" in lines[0].text or "Kafka" in lines[0].text, address


def test_no_score_is_never_nought(site):
    for address, (response, _) in site.items():
        assert ">None<" not in response.text, address
        assert "nan" not in response.text.split(), address
