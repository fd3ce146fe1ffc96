import asyncio

import pytest

from app.web.security import passwords
from app.web.security.passwords import PasswordHash, Passwords, hash_password

GOOD = hash_password("correct horse battery")


def test_a_hash_survives_being_written_down():
    assert PasswordHash.parse(str(GOOD)) == GOOD
    assert PasswordHash.parse(str(GOOD)).fits("correct horse battery")
    assert not GOOD.fits("correct horse batterz")


def test_the_same_password_has_another_hash_each_time():
    assert hash_password("correct horse battery").salt != GOOD.salt


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("", "no hash", id="empty"),
        pytest.param("hunter2", "no hash", id="password"),
        pytest.param("scrypt$16384,8,1$abc$def", "too weak|base64", id="short"),
        pytest.param(str(GOOD).replace("32768", "1024"), "too weak", id="low-n"),
        pytest.param(str(GOOD).replace("32768", "32769"), "too weak", id="odd-n"),
        pytest.param(str(GOOD).replace("32768", "4194304"), "too much", id="high-n"),
        pytest.param(str(GOOD).replace(",3$", ",900$"), "too much", id="high-p"),
        pytest.param(str(GOOD).replace(",8,", ",0,"), "too weak", id="no-r"),
        pytest.param(str(GOOD)[:-6], "base64|too weak", id="cut"),
    ],
)
def test_what_is_no_hash_or_a_poor_one_is_refused_and_not_shown(text, why):
    with pytest.raises(ValueError, match=why) as caught:
        PasswordHash.parse(text)
    assert not text or text not in str(caught.value)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_what_was_right_is_known_for_a_minute_and_for_this_hash_alone(monkeypatch):
    clock, looks = Clock(), []
    fits = PasswordHash.fits
    monkeypatch.setattr(PasswordHash, "fits", lambda self, text: looks.append(text) or fits(self, text))

    async def run():
        checked = Passwords(clock)
        other = hash_password("correct horse battery")
        assert await checked.right("ann", "correct horse battery", GOOD)
        assert await checked.right("ann", "correct horse battery", GOOD)
        assert len(looks) == 1
        assert checked.known("ann", "correct horse battery", GOOD)
        assert not checked.known("bob", "correct horse battery", GOOD)
        assert not checked.known("ann", "correct horse battery", other)
        clock.now += 61
        assert not checked.known("ann", "correct horse battery", GOOD)
        assert await checked.right("ann", "correct horse battery", GOOD)
        assert len(looks) == 2

    asyncio.run(run())


def test_a_name_that_nobody_has_takes_the_same_work(monkeypatch):
    looks = []
    monkeypatch.setattr(
        PasswordHash, "fits", lambda self, text: looks.append((self.n, self.r, self.p)) or True
    )

    async def run():
        assert not await Passwords().right("nobody", "whatever it is", None)
        assert looks == [(GOOD.n, GOOD.r, GOOD.p)]

    asyncio.run(run())


def test_the_loop_goes_on_and_few_hashes_are_computed_at_once(monkeypatch):
    together, most = [], []

    def slow(self, text):
        together.append(1)
        most.append(len(together))
        import time

        time.sleep(0.02)
        together.pop()
        return False

    monkeypatch.setattr(PasswordHash, "fits", slow)

    async def run():
        checked, ticks = Passwords(), 0
        waiting = asyncio.gather(*(checked.right("a", str(number), GOOD) for number in range(10)))
        while not waiting.done():
            await asyncio.sleep(0.001)
            ticks += 1
        assert not any(await waiting)
        assert ticks > 10
        assert max(most) <= passwords._AT_ONCE

    asyncio.run(run())


def test_what_is_kept_is_bounded_and_no_password(monkeypatch):
    monkeypatch.setattr(PasswordHash, "fits", lambda self, text: True)
    monkeypatch.setattr(passwords, "_MOST_KEPT", 5)

    async def run():
        checked = Passwords()
        for number in range(20):
            await checked.right("a", f"password {number}", GOOD)
        assert len(checked._right) == 5
        assert not any(b"password" in key for key in checked._right)

    asyncio.run(run())
