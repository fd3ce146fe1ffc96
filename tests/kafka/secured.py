"""A real Kafka that wants a login and grants nothing by itself: SCRAM, TLS, access control lists."""

import datetime as dt
import ipaddress
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.access.grants import Grant
from tests.kafka.server import KafkaServer
from tests.support.ports import stable_port
from tests.support.waiting import wait_until

__all__ = ["Authority", "SecuredKafka"]

_EVERYTHING = AclBindingFilter(
    ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
)
_JAAS = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


_A_DAY = dt.timedelta(days=1)


class Authority:
    """A certificate authority of its own; `certificate` is the PEM file that clients trust."""

    def __init__(self, folder: Path, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        self._certificate = self._sign(self._name, self._key.public_key(), authority=True)
        self.certificate = folder / f"{name}.pem"
        self.certificate.write_bytes(_pem(self._certificate))

    def issue(self, file: Path, *, host: str = "127.0.0.1", until: dt.timedelta = _A_DAY) -> Path:
        """Write a key, its certificate and the authority's into one PEM file, as Kafka has it.

        The certificate is good for this host (an address) alone, and from an hour ago until so much from now.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(_name(host), key.public_key(), authority=False, host=host, until=until)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(private + _pem(certificate) + _pem(self._certificate))
        return file

    def _sign(
        self, subject, public_key, *, authority: bool, host: str = "127.0.0.1", until: dt.timedelta = _A_DAY
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        names = [x509.IPAddress(ipaddress.ip_address(host))]
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + until)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            # From Python 3.13 on, certificates without these three are refused.
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
            .add_extension(_usage(authority=authority), critical=True)
            .sign(self._key, hashes.SHA256())
        )


class SecuredKafka(KafkaServer):
    """`bootstrap` is the administrator's: no login, all rights. `login` and `tls` want the login of `user`.

    The certificate at `tls` is as it should be, those at `other_name` and `expired` are not; `mutual` wants
    one of the client as well. All are signed by `authority` and lie in `folder`. `nowhere` is a listener
    that sends its clients on to an address where nothing listens.
    """

    user = "worker"
    password = "worker-secret"

    def __init__(self, authority: Authority, folder: Path) -> None:
        self._granted: frozenset[AclBinding] = frozenset()
        self._admin: AdminClient | None = None
        keystores = {
            "tls": authority.issue(folder / "tls.pem"),
            "other": authority.issue(folder / "other.pem", host="192.0.2.1"),
            "expired": authority.issue(folder / "expired.pem", until=-dt.timedelta(minutes=1)),
            "mutual": authority.issue(folder / "mutual.pem"),
        }
        properties = {
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.login.scram-sha-512.sasl.jaas.config": _JAAS,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }
        for name, keystore in keystores.items():
            properties |= {
                f"listener.name.{name}.scram-sha-512.sasl.jaas.config": _JAAS,
                f"listener.name.{name}.ssl.keystore.type": "PEM",
                f"listener.name.{name}.ssl.keystore.location": str(keystore),
            }
        properties |= {
            "listener.name.mutual.ssl.client.auth": "required",
            "listener.name.mutual.ssl.truststore.type": "PEM",
            "listener.name.mutual.ssl.truststore.location": str(authority.certificate),
        }
        super().__init__(
            extra_listeners={"LOGIN": "SASL_PLAINTEXT"} | {name.upper(): "SASL_SSL" for name in keystores},
            format_arguments=["--add-scram", f"SCRAM-SHA-512=[name={self.user},password={self.password}]"],
            proxied_port=stable_port(),
            properties=properties,
            heap="384m",
        )

    @property
    def login(self) -> str:
        """Address that wants a login, in the clear."""
        return self.address("LOGIN")

    @property
    def tls(self) -> str:
        """Address that wants a login over TLS."""
        return self.address("TLS")

    @property
    def other_name(self) -> str:
        """Address whose certificate is another one's."""
        return self.address("OTHER")

    @property
    def expired(self) -> str:
        """Address whose certificate has expired."""
        return self.address("EXPIRED")

    @property
    def mutual(self) -> str:
        """Address that wants a certificate, and a login."""
        return self.address("MUTUAL")

    @property
    def nowhere(self) -> str:
        """Address that takes clients and sends them on to where nothing listens."""
        return self.proxied_upstream

    def grant(self, *grants: tuple[ResourceType, str, AclOperation]) -> None:
        """Let `user` do this with all whose name begins so, and nothing else any more."""
        self._let(
            AclBinding(
                kind,
                name,
                ResourcePatternType.PREFIXED,
                f"User:{self.user}",
                "*",
                operation,
                AclPermissionType.ALLOW,
            )
            for kind, name, operation in grants
        )

    def grant_only(self, grants: Iterable[Grant]) -> None:
        """Let `user` do what is listed, and nothing else any more."""
        self._let(map(self._binding, grants))

    def take_away(self, *grants: Grant) -> None:
        """Take these permissions away, and nothing else."""
        self._let(self._granted - set(map(self._binding, grants)))

    @contextmanager
    def without(self, grant: Grant) -> Iterator[None]:
        """Take one permission away, and nothing else; give it back."""
        self.take_away(grant)
        try:
            yield
        finally:
            self._let(self._granted | {self._binding(grant)})

    def _binding(self, grant: Grant) -> AclBinding:
        return AclBinding(
            ResourceType[grant.resource.upper().replace("-", "_")],
            grant.name,
            ResourcePatternType.PREFIXED if grant.prefixed else ResourcePatternType.LITERAL,
            f"User:{self.user}",
            "*",
            # DescribeConfigs is DESCRIBE_CONFIGS there.
            AclOperation[re.sub(r"(?<=[a-z])(?=[A-Z])", "_", grant.operation).upper()],
            AclPermissionType.ALLOW,
        )

    def _let(self, bindings: Iterable[AclBinding]) -> None:
        if self._admin is None:
            self._admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        admin = self._admin
        wanted = set(bindings)
        there = self._there(admin)
        # What stays is not touched: nothing that runs meanwhile finds it gone.
        gone = [_filter(binding) for binding in there - wanted]
        for future in (admin.delete_acls(gone) if gone else {}).values():
            future.result()
        new = list(wanted - there)
        for future in (admin.create_acls(new) if new else {}).values():
            future.result()
        self._granted = frozenset(wanted)
        # The controller answers before the broker follows.
        wait_until(
            lambda: self._there(admin) == wanted,
            timeout=10,
            what="the access control lists to hold",
            interval=0.01,
        )

    def _there(self, admin: AdminClient) -> set[AclBinding]:
        return set(admin.describe_acls(_EVERYTHING).result())


def _filter(binding: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        binding.restype,
        binding.name,
        binding.resource_pattern_type,
        binding.principal,
        binding.host,
        binding.operation,
        binding.permission_type,
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
