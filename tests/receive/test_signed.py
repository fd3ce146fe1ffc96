import asyncio
import base64
import json
import time

import jwt
import pytest

from app.receive.door import Door
from app.receive.keys import KeySet, KeysUnusable
from app.receive.signed import Verifier, token_limit
from tests.receive.fakes import SECRET, Desk, KeyServer, Signer

ISSUER = "https://live-events.canvas.instructure.com"
CANVAS = Signer("canvas-1")
NEXT = Signer("canvas-2")
STRANGER = Signer("canvas-1")


def claims(**more):
    now = int(time.time())
    given = {"iss": ISSUER, "iat": now, "exp": now + 300, "metadata": {"event_name": "x"}, "body": {"a": 1}}
    return {name: value for name, value in (given | more).items() if value is not None}


def desk_with(server, *, interval=60.0, door=None, **more):
    """A desk must be made in the loop that its keys belong to."""
    keys = KeySet(server.fetch, interval)
    return Desk(door=door or Door(), verifier=Verifier(keys, issuer=ISSUER, leeway=60), **more)


def posted(token, server=None, **more):
    async def scene():
        desk = desk_with(server or KeyServer(CANVAS), **more)
        return desk, await desk.post(token, path="/events")

    return asyncio.run(scene())


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")


def test_the_event_is_the_payload_as_it_was_signed():
    payload = b'{ "iss":"%s",  "metadata":{}, "body":{"a":1.50} }' % ISSUER.encode()
    token = jwt.api_jws.encode(payload, CANVAS.private, "RS256", headers={"kid": "canvas-1"}).encode()
    desk, answer = posted(token + b"\n")
    assert answer.status_code == 200
    assert desk.intake.events == [payload]


@pytest.mark.parametrize("more", [{"exp": None}, {"iat": None}, {"aud": "somebody"}, {"sub": 5, "jti": 7}])
def test_claims_that_canvas_may_leave_out_or_add(more):
    assert posted(CANVAS.sign(claims(**more)))[1].status_code == 200


def unsigned(header):
    return part(header) + b"." + part(claims()) + b"."


def hs256_with_the_public_key():
    return jwt.api_jws.encode(
        json.dumps(claims()).encode(), b"x" * 32, "HS256", headers={"kid": "canvas-1"}
    ).encode()


def forged_hs256():
    """What a library accepts that goes by the token's own algorithm."""
    import hashlib
    import hmac

    signed = part({"alg": "HS256", "kid": "canvas-1"}) + b"." + part(claims())
    mac = hmac.new(CANVAS.public_pem, signed, hashlib.sha256).digest()
    return signed + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")


REFUSED = {
    "wrong key, under a known id": (lambda: STRANGER.sign(claims()), "signature"),
    "a key that is not in the set": (lambda: NEXT.sign(claims()), "unknown-key"),
    "none": (lambda: unsigned({"alg": "none", "kid": "canvas-1"}), "algorithm"),
    "None": (lambda: unsigned({"alg": "nOnE", "kid": "canvas-1"}), "algorithm"),
    "HS256": (hs256_with_the_public_key, "algorithm"),
    "HS256 with the public key as the secret": (forged_hs256, "algorithm"),
    "RS512": (
        lambda: jwt.encode(claims(), CANVAS.private, "RS512", headers={"kid": "canvas-1"}).encode(),
        "algorithm",
    ),
    "no algorithm": (lambda: unsigned({"kid": "canvas-1"}), "algorithm"),
    "a header that must be understood": (lambda: CANVAS.sign(claims(), crit=["b64"]), "algorithm"),
    "a payload that is not in it": (
        lambda: unsigned({"alg": "RS256", "kid": "c", "b64": False}),
        "algorithm",
    ),
    "no key id": (lambda: jwt.encode(claims(), CANVAS.private, "RS256").encode(), "no-key-id"),
    "an empty key id": (lambda: unsigned({"alg": "RS256", "kid": ""}), "no-key-id"),
    "a key id that is no text": (lambda: unsigned({"alg": "RS256", "kid": 1}), "not-a-token"),
    "expired": (lambda: CANVAS.sign(claims(exp=int(time.time()) - 120)), "expired"),
    "not yet valid": (lambda: CANVAS.sign(claims(nbf=int(time.time()) + 120)), "not-yet-valid"),
    "issued in the future": (lambda: CANVAS.sign(claims(iat=int(time.time()) + 120)), "not-yet-valid"),
    "another issuer": (lambda: CANVAS.sign(claims(iss="https://elsewhere.example")), "issuer"),
    "no issuer": (lambda: CANVAS.sign(claims(iss=None)), "issuer"),
    "a time that is none": (lambda: CANVAS.sign(claims(exp="soon")), "not-a-token"),
    "no signature": (lambda: CANVAS.sign(claims()).rpartition(b".")[0] + b".", "signature"),
    "a signature of something else": (
        lambda: CANVAS.sign(claims()).rpartition(b".")[0] + b"." + CANVAS.sign({}).rpartition(b".")[2],
        "signature",
    ),
    "not signed": (lambda: json.dumps(claims()).encode(), "not-signed"),
    "nothing": (lambda: b"", "not-signed"),
    "two parts": (lambda: b"eyJhbGciOiJSUzI1NiJ9.e30", "not-a-token"),
    "no base64": (lambda: b"\xff\xff.x.y", "not-a-token"),
    "a deep header": (lambda: base64.urlsafe_b64encode(b"[" * 1_500) + b".e30.c2ln", "not-a-token"),
    "a long header": (lambda: unsigned({"alg": "RS256", "kid": "x" * 5_000}), "not-a-token"),
    "a deep payload": (
        lambda: jwt.api_jws.encode(
            b"[" * 5_000, CANVAS.private, "RS256", headers={"kid": "canvas-1"}
        ).encode(),
        "not-a-token",
    ),
    "a payload that is no object": (
        lambda: jwt.api_jws.encode(b"[1]", CANVAS.private, "RS256", headers={"kid": "canvas-1"}).encode(),
        "not-a-token",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    make, reason = REFUSED[case]
    server = KeyServer(CANVAS)
    desk, answer = posted(make(), server)
    assert desk.refused() == {reason: 1}
    assert answer.status_code in {400, 401}
    assert desk.intake.events == []
    assert desk.budget.requests == 0
    assert server.asked <= 1


def test_clocks_may_differ_a_little():
    now = int(time.time())
    assert posted(CANVAS.sign(claims(exp=now - 30, iat=now + 30)))[1].status_code == 200


def test_a_huge_body_is_refused_by_its_length():
    token = CANVAS.sign(claims(body={"a": "x" * 20_000}))
    server = KeyServer(CANVAS)
    desk, answer = posted(token, server, largest=10_000)
    assert (answer.status_code, desk.refused(), server.asked) == (413, {"too-large": 1}, 0)


def test_a_token_within_the_limit_may_hold_an_event_above_it():
    token = CANVAS.sign(claims(body={"a": "x" * 9_900}))
    assert len(token) <= token_limit(9_950)
    desk, answer = posted(token, largest=9_950)
    assert (answer.status_code, desk.intake.events) == (413, [])


def test_the_secret_is_asked_for_as_well_where_there_is_one():
    server = KeyServer(CANVAS)
    _, answer = posted(CANVAS.sign(claims()), server, door=Door(path=(SECRET,)))
    assert (answer.status_code, server.asked) == (401, 0)


def test_a_key_that_is_new_is_fetched_once():
    async def scene():
        server = KeyServer(CANVAS)
        desk = desk_with(server, interval=0.05)
        assert (await desk.post(CANVAS.sign(claims()), path="/events")).status_code == 200
        assert (await desk.post(CANVAS.sign(claims()), path="/events")).status_code == 200
        assert server.asked == 1
        server.signers = [CANVAS, NEXT]
        await asyncio.sleep(0.06)
        assert (await desk.post(NEXT.sign(claims()), path="/events")).status_code == 200
        assert server.asked == 2

    asyncio.run(scene())


def test_a_storm_of_unknown_keys_does_not_reach_the_key_server():
    async def scene():
        server = KeyServer(CANVAS)
        desk = desk_with(server)
        good = CANVAS.sign(claims())
        assert (await desk.post(good, path="/events")).status_code == 200
        storm = [CANVAS.sign(claims(), kid=f"unknown-{number}") for number in range(200)]
        answers = await asyncio.gather(*(desk.post(token, path="/events") for token in storm))
        assert {answer.status_code for answer in answers} == {401}
        assert server.asked == 1
        assert (await desk.post(good, path="/events")).status_code == 200

    asyncio.run(scene())


def test_a_key_that_canvas_took_back_is_refused():
    async def scene():
        server = KeyServer(CANVAS)
        keys = KeySet(server.fetch, 0.01)
        await keys.key("canvas-1")
        server.signers = [NEXT]
        await asyncio.sleep(0.02)
        await keys.key("canvas-2")
        desk = Desk(door=Door(), verifier=Verifier(keys, issuer=ISSUER, leeway=60))
        assert (await desk.post(CANVAS.sign(claims()), path="/events")).status_code == 401

    asyncio.run(scene())


def test_while_the_key_server_is_away_canvas_is_told_to_come_again():
    async def scene():
        server = KeyServer(CANVAS)
        server.away = KeysUnusable("away")
        desk = desk_with(server, interval=0.05)
        storm = [desk.post(CANVAS.sign(claims()), path="/events") for _ in range(50)]
        answers = await asyncio.gather(*storm)
        assert {answer.status_code for answer in answers} == {503}
        assert server.asked == 1
        server.away = None
        await asyncio.sleep(0.06)
        assert (await desk.post(CANVAS.sign(claims()), path="/events")).status_code == 200
        # What was fetched once is good while it is away.
        server.away = KeysUnusable("away")
        await asyncio.sleep(0.06)
        assert (await desk.post(NEXT.sign(claims()), path="/events")).status_code == 401
        assert (await desk.post(CANVAS.sign(claims()), path="/events")).status_code == 200

    asyncio.run(scene())
