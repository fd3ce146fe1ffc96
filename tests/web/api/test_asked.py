import pytest

from app.views.cursor import Cursor, encode, fold
from app.web.api import asked as api
from app.web.pages import asked as pages
from app.web.security.pseudonyms import Pseudonyms


@pytest.mark.parametrize("form", [api.ListQuery, api.MasteryRequest, pages.ListQuery])
@pytest.mark.parametrize("letter", ["a", "\u5b66", "\U0001f600"])
def test_the_next_page_can_be_asked_for_whatever_the_title(form, letter):
    """Canvas's titles have up to 255 characters, ids 40 and 20."""
    title = fold(letter * 255)
    cursor = encode(Cursor((0, title, 20, "1" * 20, "a" * 40, "u" * 40, 20, "1" * 20), before=True), "0" * 12)
    for text in (cursor, Pseudonyms(b"k" * 32).seal(cursor)):
        assert form(cursor=text).cursor == text
        assert len(text) < 7_000
