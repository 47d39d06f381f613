"""Certificate Manager's resource types."""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.rows.case import Case, Need, Ref


def _self_signed(domain: str) -> dict[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, domain)])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - datetime.timedelta(days=1))
    certificate = builder.not_valid_after(now + datetime.timedelta(days=30)).sign(key, hashes.SHA256())
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {
        "certificateBody": certificate.public_bytes(serialization.Encoding.PEM).decode(),
        "privateKey": private.decode(),
    }


_CERTIFICATE = Need("aws:acm/certificate:Certificate", {"domainName": "shop.example", "validationMethod": "DNS"})

CASES = [
    Case(
        token="aws:acm/certificate:Certificate",
        inputs={
            "domainName": "shop.example",
            "subjectAlternativeNames": ["*.shop.example", "www.shop.example"],
            "validationMethod": "DNS",
            "tags": {"a": "1", "b": "1"},
        },
        update={"tags": {"a": "2"}},
        replace={"subjectAlternativeNames": ["*.shop.example"]},
        expect={"arn": str, "domainValidationOptions": list, "status": "PENDING_VALIDATION", "type": "AMAZON_ISSUED"},
    ),
    Case(
        token="aws:acm/certificate:Certificate",
        name="imported",
        inputs=_self_signed("shop.example"),
        update=_self_signed("shop.example"),
        expect={"domainName": "shop.example", "type": "IMPORTED"},
    ),
    Case(
        token="aws:acm/certificateValidation:CertificateValidation",
        needs={"certificate": _CERTIFICATE},
        inputs={"certificateArn": Ref("certificate", "arn")},
        importable=False,
        outlives_delete=True,
        replace={"certificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/other"},
    ),
]
