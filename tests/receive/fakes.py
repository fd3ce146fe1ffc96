"""Stand-ins for the broker and for Canvas's key server, and requests without sockets."""

import asyncio
import json
from contextlib import asynccontextmanager

import httpx
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from starlette.applications import Starlette
from starlette.routing import Route

from app.receive.budget import Budget
from app.receive.delivery import Outcome
from app.receive.door import Door
from app.receive.events import EventEndpoint
from app.receive.metrics import ReceiveMetrics

SECRET = "a-secret-of-some-length"
DELIVERED = Outcome(delivered=True)


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - it is no event
            await asyncio.sleep(0.001)


class FakeIntake:
    """Takes events; `outcome` is what becomes of them, None: they wait until `answer` is called."""

    def __init__(self, outcome=DELIVERED):
        self.outcome = outcome
        self.events = []
        self.stopping = False
        self.open = True
        self.full = False
        self._reports = []

    def send(self, event, report):
        if self.full:
            return False
        self.events.append(event)
        if self.outcome is None:
            self._reports.append(report)
        else:
            asyncio.get_running_loop().call_soon(report, self.outcome)
        return True

    def answer(self, outcome=DELIVERED):
        for report in self._reports:
            report(outcome)
        self._reports.clear()


class Desk:
    """An endpoint with everything around it; `post` sends one request to it."""

    def __init__(
        self, *, door=None, verifier=None, largest=10_000, requests=100, size=1_000_000, timeout=5.0
    ):
        self.intake = FakeIntake()
        self.budget = Budget(requests=requests, size=size)
        self.metrics = ReceiveMetrics("https", {})
        endpoint = EventEndpoint(
            self.intake,
            door or Door(path=(SECRET,)),
            self.budget,
            self.metrics,
            verifier=verifier,
            largest=largest,
            timeout=timeout,
        )
        self.app = Starlette(
            routes=[
                Route("/events", endpoint, methods=["POST"]),
                Route("/events/{secret}", endpoint, methods=["POST"]),
            ]
        )

    @asynccontextmanager
    async def client(self):
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://receiver") as client:
            yield client

    async def post(self, body, path=f"/events/{SECRET}", **more):
        async with self.client() as client:
            return await client.post(path, content=body, **more)

    def refused(self):
        return {refusal.label: count for refusal, count in self.metrics.refused.items() if count}


class Signer:
    """A key as Canvas has them."""

    def __init__(self, kid, bits=2048):
        self.kid = kid
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        self.jwk = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True) | {
            "kid": kid,
            "use": "sig",
            "alg": "RS256",
        }

    @property
    def public_pem(self):
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, claims, kid=None, **header):
        named = {"kid": kid or self.kid} | header
        return jwt.encode(
            claims, self.private, algorithm="RS256", headers={k: v for k, v in named.items() if v is not None}
        ).encode()


class KeyServer:
    """Counts how often it is asked for its keys."""

    def __init__(self, *signers):
        self.signers = list(signers)
        self.asked = 0
        self.away = None

    async def fetch(self):
        self.asked += 1
        await asyncio.sleep(0)
        if self.away is not None:
            raise self.away
        return json.dumps({"keys": [signer.jwk for signer in self.signers]}).encode()
