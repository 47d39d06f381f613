"""AWS Certificate Manager: certificates and their validation.

Source: the ACM API reference; property names as in pulumi_aws 7.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.route53_records import domain, records_from
from isostack.localcloud.resource_types.row import (
    Created,
    Function,
    Properties,
    ResourceType,
    tag_changes,
    tag_list,
    tag_map,
)

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

_OPTIONS = {
    "certificateTransparencyLoggingPreference": "CertificateTransparencyLoggingPreference",
    "export": "Export",
}


def _create(cloud: Cloud, inputs: Properties) -> str:
    if inputs.get("privateKeyWo"):
        raise ProviderError("Certificate: privateKeyWo is not supported on the local cloud; use privateKey")
    if inputs.get("certificateBody") or inputs.get("privateKey"):
        return _import(cloud, inputs)
    if not inputs.get("domainName"):
        raise ProviderError("Certificate: give domainName, or certificateBody and privateKey")
    if not inputs.get("validationMethod") and not inputs.get("certificateAuthorityArn"):
        raise ProviderError("Certificate: validationMethod is missing; use DNS")
    if inputs.get("validationMethod") == "EMAIL":
        raise ProviderError("Certificate: the local cloud validates by DNS only; set validationMethod to DNS")
    arguments: Properties = {
        "CertificateAuthorityArn": inputs.get("certificateAuthorityArn"),
        "KeyAlgorithm": inputs.get("keyAlgorithm"),
        "Options": {name: inputs["options"][key] for key, name in _OPTIONS.items() if inputs["options"].get(key)}
        if inputs.get("options")
        else None,
        "SubjectAlternativeNames": inputs.get("subjectAlternativeNames"),
        "Tags": tag_list(inputs.get("tagsAll")),
        "ValidationMethod": inputs.get("validationMethod"),
    }
    answer = cloud.client("acm").request_certificate(
        DomainName=inputs["domainName"].rstrip("."),
        IdempotencyToken=uuid.uuid4().hex,
        **{key: value for key, value in arguments.items() if value},
    )
    return str(answer["CertificateArn"])


def _import(cloud: Cloud, inputs: Properties, arn: str = "") -> str:
    if not (inputs.get("certificateBody") and inputs.get("privateKey")):
        raise ProviderError("Certificate: certificateBody and privateKey go together")
    arguments: Properties = {"Certificate": inputs["certificateBody"], "PrivateKey": inputs["privateKey"]}
    if inputs.get("certificateChain"):
        arguments["CertificateChain"] = inputs["certificateChain"]
    if arn:
        arguments["CertificateArn"] = arn
    elif inputs.get("tagsAll"):
        arguments["Tags"] = tag_list(inputs["tagsAll"])
    return str(cloud.client("acm").import_certificate(**arguments)["CertificateArn"])


def _read(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    client = cloud.client("acm")
    certificate = client.describe_certificate(CertificateArn=id_)["Certificate"]
    main = certificate["DomainName"]
    names = certificate.get("SubjectAlternativeNames") or []
    given = known.get("subjectAlternativeNames") or []
    requested = certificate["Type"] != "IMPORTED"
    outputs: Properties = {
        "arn": id_,
        "domainName": main,
        "domainValidationOptions": _validation_options(certificate) if requested else [],
        "keyAlgorithm": known.get("keyAlgorithm") or certificate.get("KeyAlgorithm", ""),
        "notAfter": _time(certificate.get("NotAfter")),
        "notBefore": _time(certificate.get("NotBefore")),
        "options": {key: certificate.get("Options", {}).get(name, "") for key, name in _OPTIONS.items()},
        "pendingRenewal": False,
        "renewalEligibility": certificate.get("RenewalEligibility", ""),
        "renewalSummaries": [],
        "status": certificate["Status"],
        "subjectAlternativeNames": given if {*given, main} == {*names, main} else sorted({*names, main}),
        "tagsAll": tag_map(client.list_tags_for_certificate(CertificateArn=id_)["Tags"]),
        "type": certificate["Type"],
        "validationEmails": [],
        "validationMethod": "DNS" if certificate["Type"] == "AMAZON_ISSUED" else "NONE",
    }
    if certificate.get("CertificateAuthorityArn"):
        outputs["certificateAuthorityArn"] = certificate["CertificateAuthorityArn"]
    for name in ("certificateBody", "certificateChain"):
        if name in known:
            outputs[name] = known[name]
    return outputs


def _validation_options(certificate: Properties) -> list[Properties]:
    options = []
    for option in certificate.get("DomainValidationOptions") or []:
        record = option.get("ResourceRecord") or {}
        options.append(
            {
                "domainName": option["DomainName"],
                "resourceRecordName": record.get("Name", ""),
                "resourceRecordType": record.get("Type", ""),
                "resourceRecordValue": record.get("Value", ""),
            }
        )
    return sorted(options, key=lambda option: (option["domainName"] != certificate["DomainName"], option["domainName"]))


def _time(moment: Any) -> str:
    return moment.astimezone(moment.tzinfo).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""


def _update(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    client = cloud.client("acm")
    if changed & {"certificateBody", "certificateChain", "privateKey"}:
        _import(cloud, new, id_)
    if "options" in changed:
        raise ProviderError("Certificate: the local cloud cannot change options of an existing certificate")
    if "tagsAll" in changed:
        tags, removed = tag_changes(old, new)
        if removed:
            client.remove_tags_from_certificate(CertificateArn=id_, Tags=[{"Key": key} for key in removed])
        if tags:
            client.add_tags_to_certificate(CertificateArn=id_, Tags=tag_list(tags))


def _delete(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("acm").delete_certificate(CertificateArn=id_)


def _find(cloud: Cloud, inputs: Properties) -> list[str]:
    client = cloud.client("acm")
    found = []
    for page in client.get_paginator("list_certificates").paginate():
        for summary in page["CertificateSummaryList"]:
            arn = summary["CertificateArn"]
            actual = _read(cloud, arn, inputs) or {}
            if actual["tagsAll"] != (inputs.get("tagsAll") or {}):
                continue
            if inputs.get("certificateBody"):
                same = actual["type"] == "IMPORTED" and _same_body(client, arn, inputs["certificateBody"])
            else:
                asked = {*(inputs.get("subjectAlternativeNames") or []), inputs["domainName"]}
                names = {*actual["subjectAlternativeNames"], actual["domainName"]}
                same = actual["type"] != "IMPORTED" and actual["domainName"] in asked and names == asked
            if same:
                found.append(arn)
    return found


def _same_body(client: Any, arn: str, body: str) -> bool:
    return bool(client.get_certificate(CertificateArn=arn)["Certificate"].strip() == body.strip())


# -- validation ---------------------------------------------------------------------------------------------------------


def _validate(cloud: Cloud, inputs: Properties) -> Created:
    client, arn = cloud.client("acm"), inputs["certificateArn"]
    certificate = client.describe_certificate(CertificateArn=arn)["Certificate"]
    if certificate["Type"] != "AMAZON_ISSUED":
        raise ProviderError(f"CertificateValidation: {arn} is not a certificate that needs validation")
    if given := inputs.get("validationRecordFqdns"):
        wanted = {option["resourceRecordName"].rstrip(".") for option in _validation_options(certificate)}
        missing = sorted(wanted - {fqdn.rstrip(".") for fqdn in given})
        if missing:
            raise ProviderError(f"CertificateValidation: missing validation records: {json.dumps(missing)}")
    for option in _validation_options(certificate):
        _require_record(cloud, option)
    # moto issues the certificate within a minute, and nothing waits for it.
    issued = certificate.get("IssuedAt") or certificate["CreatedAt"]
    return Created(f"{issued:%Y-%m-%d %H:%M:%S} +0000 UTC", dict(inputs))


def _require_record(cloud: Cloud, option: Properties) -> None:
    """Refuse a validation that would never end on AWS: the domain's zone is ours, and has no such record."""
    name, value = domain(option["resourceRecordName"]), domain(option["resourceRecordValue"])
    pages = cloud.client("route53").get_paginator("list_hosted_zones").paginate()
    zones = [
        zone["Id"].rpartition("/")[2]
        for page in pages
        for zone in page["HostedZones"]
        if not zone["Config"].get("PrivateZone") and f".{name}".endswith(f".{domain(zone['Name'])}")
    ]
    for zone in zones:
        for record in records_from(cloud, zone, name, "CNAME"):
            if any(domain(item["Value"]) == value for item in record.get("ResourceRecords") or []):
                return
    if zones:
        raise ProviderError(
            f"CertificateValidation: {option['domainName']} cannot be validated: zone {zones[0]} has no CNAME record "
            f"{name} with the value {value}; create it first, and let the validation depend on it"
        )


def _read_validation(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    certificate = cloud.client("acm").describe_certificate(CertificateArn=known["certificateArn"])["Certificate"]
    if certificate["Status"] not in ("ISSUED", "PENDING_VALIDATION"):
        return None
    return {key: known[key] for key in ("certificateArn", "validationRecordFqdns") if key in known}


def _forget_validation(cloud: Cloud, id_: str, known: Properties) -> None:
    """There is nothing to delete: a validation is a wait."""


def _get_certificate(cloud: Cloud, arguments: Properties) -> Properties:
    client = cloud.client("acm")
    statuses = arguments.get("statuses") or ["ISSUED"]
    matches = []
    for page in client.get_paginator("list_certificates").paginate(CertificateStatuses=statuses):
        for summary in page["CertificateSummaryList"]:
            if arguments.get("domain") in (None, summary["DomainName"]):
                found = _read(cloud, summary["CertificateArn"], {}) or {}
                if found["type"] in (arguments.get("types") or [found["type"]]) and (
                    (arguments.get("tags") or {}).items() <= found["tagsAll"].items()
                ):
                    matches.append(found)
    if not matches or (len(matches) > 1 and not arguments.get("mostRecent")):
        raise ProviderError(
            f"getCertificate: {len(matches)} certificates match {arguments.get('domain')!r} with status "
            f"{', '.join(statuses)}; exactly one is needed, or mostRecent"
        )
    certificate = max(matches, key=lambda match: match["notBefore"])
    body = client.get_certificate(CertificateArn=certificate["arn"]) if certificate["status"] == "ISSUED" else {}
    return {
        "arn": certificate["arn"],
        "certificate": body.get("Certificate", ""),
        "certificateChain": body.get("CertificateChain", ""),
        "domain": certificate["domainName"],
        "id": certificate["arn"],
        "region": cloud.region,
        "status": certificate["status"],
        "tags": certificate["tagsAll"],
    }


RESOURCE_TYPES = (
    ResourceType(
        token="aws:acm/certificate:Certificate",
        service="acm",
        create=_create,
        read=_read,
        update=_update,
        delete=_delete,
        find=_find,
        replace_on=(
            "certificateAuthorityArn",
            "domainName",
            "keyAlgorithm",
            "subjectAlternativeNames",
            "validationMethod",
            "validationOptions",
        ),
        computed=(
            "arn",
            "domainValidationOptions",
            "notAfter",
            "notBefore",
            "pendingRenewal",
            "renewalEligibility",
            "renewalSummaries",
            "status",
            "type",
            "validationEmails",
        ),
        sticky=("domainName", "keyAlgorithm", "options", "subjectAlternativeNames", "validationMethod"),
        local=("earlyRenewalDuration", "privateKey", "validationOptions"),
        secret_outputs=("privateKey",),
        sets=("subjectAlternativeNames", "validationOptions"),
        absent=("ResourceNotFoundException",),
        volatile=("notAfter", "notBefore", "status"),
        tagged=True,
        limits="DNS validation only, and any certificate is issued; keyAlgorithm is recorded only",
    ),
    ResourceType(
        token="aws:acm/certificateValidation:CertificateValidation",
        service="acm",
        create=_validate,
        read=_read_validation,
        delete=_forget_validation,
        required=("certificateArn",),
        sets=("validationRecordFqdns",),
        absent=("ResourceNotFoundException",),
        adopts=True,
    ),
)

FUNCTIONS = (Function(token="aws:acm/getCertificate:getCertificate", service="acm", call=_get_certificate),)
