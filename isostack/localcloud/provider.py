"""The provider of the local cloud: everything that is the same for every row of the table.

Owns defaults, automatic names, ``tagsAll``, comparing inputs, planned outputs, reading back, and turning AWS's errors into
the engine's. What one type needs is in its row (:mod:`isostack.localcloud.resource_types`).
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from isostack.engine.provider import (
    Checked,
    CheckFailure,
    CreatedPartially,
    Diff,
    Found,
    ProviderError,
    Resource,
    ResourceGone,
)
from isostack.engine.values import UNKNOWN, PropertyMap, has_unknown
from isostack.errors import BadInput
from isostack.localcloud.assets import hashed, is_asset
from isostack.localcloud.client import DEFAULT_ACCOUNT, DEFAULT_REGION, Cloud, require_loopback
from isostack.localcloud.docker_engine import engine_for
from isostack.localcloud.resource_types import function, resource_type
from isostack.localcloud.resource_types.row import Created, ResourceType

if TYPE_CHECKING:
    from isostack.localcloud.server import LocalCloud

DEFAULTS_KEY = "__defaults"
_SDK_PACKAGES = {"aws": "pulumi_aws", "docker": "pulumi_docker", "random": "pulumi_random"}
# Services without a region, whose types have no such property; "" is the random package.
GLOBAL_SERVICES = frozenset({"", "cloudfront", "docker", "iam", "route53"})
T = TypeVar("T")


class LocalCloudHost:
    """Gives providers for ``aws`` (the local cloud, started when it is first needed), ``docker`` (an engine) and ``random``."""

    def __init__(self, local_cloud: LocalCloud) -> None:
        self.local_cloud = local_cloud
        self._endpoint = ""
        self._clouds: dict[tuple[str, str, str], Cloud] = {}
        self._starting = threading.Lock()
        self._expected: set[str] = set()

    def serves_package(self, package: str) -> bool:
        return package in _SDK_PACKAGES

    def serves_type(self, type_: str) -> bool:
        return resource_type(type_) is not None

    def serves_function(self, token: str) -> bool:
        return function(token) is not None

    def lives_in_cloud(self, type_: str) -> bool:
        return type_.startswith("aws:")

    def expect(self, type_: str) -> None:
        row = resource_type(type_)
        if row and self.lives_in_cloud(type_) and row.service not in self._expected:
            self._expected.add(row.service)
            threading.Thread(target=self._expect, args=(row.service,), daemon=True).start()

    def _expect(self, service: str) -> None:
        with self._starting:
            runs = bool(self._endpoint)
        if runs:
            with suppress(Exception):  # what goes wrong shows where the service is needed
                self.local_cloud.expect(service)

    def version(self, package: str) -> str:
        from importlib.metadata import version

        return version(_SDK_PACKAGES[package])

    def endpoint(self) -> str:
        with self._starting:
            if not self._endpoint:
                self._endpoint = self.local_cloud.ensure().url
            return self._endpoint

    def identity(self) -> str:
        self.endpoint()
        return self.local_cloud.identity()

    def configure(self, package: str, config: PropertyMap) -> LocalCloudProvider:
        if package == "random":
            return LocalCloudProvider(Cloud("http://127.0.0.1:1"), {})
        if package == "docker":
            engine = engine_for({key: _parsed(value) for key, value in config.items()})
            return LocalCloudProvider(engine, {})  # type: ignore[arg-type]  # docker's rows get an engine as their cloud
        for endpoints in _parsed(config.get("endpoints")) or []:
            for url in endpoints.values():
                if isinstance(url, str) and url:
                    require_loopback(url)
        account = DEFAULT_ACCOUNT
        for role in _roles(config):
            match = re.fullmatch(r"arn:[\w-]+:iam::(\d{12}):role/.+", str(role.get("roleArn") or role.get("role_arn") or ""))
            if match:
                account = match[1]
        allowed = [str(item) for item in _parsed(config.get("allowedAccountIds")) or []]
        forbidden = [str(item) for item in _parsed(config.get("forbiddenAccountIds")) or []]
        if (allowed and account not in allowed) or account in forbidden:
            raise BadInput(
                f"provider aws: account {account} is not allowed (allowed_account_ids: {', '.join(allowed) or 'any'}); "
                "name a role of an allowed account in assume_roles"
            )
        default_tags = (_parsed(config.get("defaultTags")) or {}).get("tags") or {}
        return LocalCloudProvider(self.cloud(str(config.get("region") or DEFAULT_REGION), account), default_tags)

    def cloud(self, region: str, account: str) -> Cloud:
        """An account and region, the same one each time: making the clients of one takes a tenth of a second."""
        key = self.endpoint(), region, account
        return self._clouds.setdefault(key, Cloud(*key))


class OfflineHost(LocalCloudHost):
    """What the table of types knows by itself: checks and plans, for comparing programs. Nothing is started or called."""

    def expect(self, type_: str) -> None:
        """Nothing is to be made."""

    def endpoint(self) -> str:
        return "http://127.0.0.1:9"  # where nothing answers

    def identity(self) -> str:
        return ""


def _parsed(value: Any) -> Any:
    """Provider inputs arrive as JSON strings, because Pulumi's SDK serialises nested provider configuration so."""
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _roles(config: PropertyMap) -> list[PropertyMap]:
    """The roles to assume; a program that gives them as plain dictionaries has Python's names in the SDK's JSON."""
    roles = _parsed(config.get("assumeRoles")) or _parsed(config.get("assumeRole")) or []
    return [roles] if isinstance(roles, dict) else roles


class LocalCloudProvider:
    """One configuration (account, region, default tags) of the local cloud."""

    def __init__(self, cloud: Cloud, default_tags: Mapping[str, str]) -> None:
        self.cloud = cloud
        self.default_tags = dict(default_tags)
        self._regions = {cloud.region: cloud}

    def _in_region_of(self, known: PropertyMap) -> Cloud:
        """The cloud in the region that a resource names (``region``, new in pulumi_aws 7), else in the provider's."""
        region = known.get("region")
        if not isinstance(region, str) or not region:
            return self.cloud
        if region not in self._regions:
            self._regions[region] = type(self.cloud)(self.cloud.endpoint, region, self.cloud.account_id)
        return self._regions[region]

    # -- deciding ---------------------------------------------------------------------------------------------------

    def check(self, type_: str, urn: str, old_inputs: PropertyMap | None, inputs: PropertyMap, seed: bytes = b"") -> Checked:
        row = _row(type_)
        checked = {key: value for key, value in inputs.items() if value is not None and key != "tagsAll"}
        failures = [CheckFailure(name, f"missing required property {name!r}") for name in row.required if name not in checked]
        for name in row.json_documents:
            if isinstance(checked.get(name), dict):  # the SDK takes a policy as an object, too
                checked[name] = UNKNOWN if has_unknown(checked[name]) else json.dumps(checked[name])
        for name in row.assets:
            try:
                checked |= {name: hashed(checked[name])} if name in checked else {}
            except ProviderError as error:
                failures.append(CheckFailure(name, str(error)))
        filled = []
        for key, default in row.defaults.items():
            if key not in checked:
                checked[key] = default
                filled.append(key)
        if row.name:
            filled += _name_automatically(row, urn, old_inputs, checked, seed)
        if row.complete and not failures:
            try:
                checked = row.complete(checked)
            except ProviderError as error:
                failures.append(CheckFailure("", str(error)))
        if row.tagged:
            checked["tagsAll"] = self._all_tags(checked.get("tags"))
        if filled:
            checked[DEFAULTS_KEY] = sorted(filled)
        return Checked(checked, tuple(failures))

    def _all_tags(self, tags: Any) -> Any:
        if has_unknown(self.default_tags) or tags is UNKNOWN:
            return UNKNOWN
        return {**self.default_tags, **(tags or {})}

    def diff(self, type_: str, old_inputs: PropertyMap, old_outputs: PropertyMap, inputs: PropertyMap) -> Diff:
        row = _row(type_)
        changed = {
            key
            for key in old_inputs.keys() | inputs.keys()
            if key != DEFAULTS_KEY
            and not (key not in inputs and key in row.sticky)
            and not _same(row, key, old_inputs.get(key), inputs.get(key))
        }
        if changed == {"tags"} and row.tagged:
            changed = set() if _same(row, "tagsAll", old_inputs.get("tagsAll"), inputs.get("tagsAll")) else changed
        if not changed:
            return Diff()
        first = row.delete_before_replace or _keeps_given_name(row, inputs, changed)
        if row.compare and "region" not in changed:
            diff = row.compare(old_outputs, inputs, changed)
            return replace(diff, delete_before_replace=bool(diff.replaces) and (first or diff.delete_before_replace))
        replaces = changed if row.update is None else changed & {*row.replace_on, "region"}
        return Diff(tuple(sorted(changed)), tuple(sorted(replaces)), first and bool(replaces))

    def planned(self, type_: str, inputs: PropertyMap, old_outputs: PropertyMap | None, changed: Iterable[str]) -> PropertyMap:
        row = _row(type_)
        given = {key: value for key, value in inputs.items() if key != DEFAULTS_KEY}
        blocks = _blocks_to_come(row, given)
        if old_outputs is None:
            return {**dict.fromkeys((*row.computed, *row.sticky), UNKNOWN), **given, **blocks}
        blocks |= {key: old_outputs[key] for key in blocks.keys() - {*changed} if key in old_outputs}
        return {**old_outputs, **dict.fromkeys(row.volatile, UNKNOWN), **given, **blocks}

    # -- acting -----------------------------------------------------------------------------------------------------

    def create(self, type_: str, inputs: PropertyMap) -> Resource:
        row = _row(type_)
        given = _without_defaults(inputs)
        cloud = self._in_region_of(given)
        created = _call(row, lambda: row.create(cloud, given))
        if isinstance(created, str):
            created = Created(created)
        outputs = created.outputs
        if outputs is None:
            try:
                outputs = _call(row, lambda: row.read(cloud, created.id, given))
            except ProviderError as error:
                raise CreatedPartially(
                    f"created {created.id}, but it could not be read back: {error}", Resource(created.id, inputs, given)
                ) from error
            if outputs is None:
                raise ProviderError(f"created {created.id}, but the cloud does not show it")
        return Resource(created.id, inputs, self._outputs(row, outputs, given))

    def read(self, type_: str, id_: str, inputs: PropertyMap | None, outputs: PropertyMap) -> Resource | None:
        row = _row(type_)
        known = {**_without_defaults(inputs or {}), **outputs}
        actual = _read(row, self._in_region_of(known), id_, known)
        if actual is None:
            return None
        found_id = str(actual.get("id", id_))
        full = self._outputs(row, actual, known)
        if inputs is None:
            return Resource(found_id, _inputs_of(row, full), full)
        return Resource(found_id, _drifted(row, inputs, full), full)

    def update(
        self,
        type_: str,
        id_: str,
        old_inputs: PropertyMap,
        old_outputs: PropertyMap,
        inputs: PropertyMap,
        changed: tuple[str, ...],
    ) -> PropertyMap:
        row = _row(type_)
        given = _without_defaults(inputs)
        update = row.update
        if update is None:
            raise ProviderError(f"{type_} cannot be updated in place")
        cloud = self._in_region_of(old_outputs)
        try:
            _call(row, lambda: update(cloud, id_, {**_without_defaults(old_inputs), **old_outputs}, given, set(changed)))
        except _Absent as error:
            raise ResourceGone(f"{id_} is no longer there: {error}") from error
        actual = _read(row, cloud, id_, {**old_outputs, **given})
        if actual is None:
            raise ResourceGone(f"{id_} is no longer there")
        return self._outputs(row, actual, given)

    def delete(self, type_: str, id_: str, outputs: PropertyMap) -> None:
        row = _row(type_)
        try:
            _call(row, lambda: row.delete(self._in_region_of(outputs), id_, outputs))
        except _Absent:
            return

    def find(self, type_: str, inputs: PropertyMap) -> Found:
        row = _row(type_)
        given = _without_defaults(inputs)
        cloud = self._in_region_of(given)
        advice = f"list the {type_} resources of {cloud}"
        if row.name and (name := given.get(row.name.property)):
            advice += f" and look for {row.name.property} {name!r}"
        if row.adopts:
            return Found((), advice)
        try:
            if row.find:
                return Found(tuple(_call(row, lambda: row.find(cloud, given))), advice)  # type: ignore[misc]  # set
            if row.name and (name := given.get(row.name.property)):
                return Found((str(name),) if _read(row, cloud, str(name), given) is not None else (), advice)
        except _Absent:
            pass
        return Found((), advice)

    def invoke(self, token: str, arguments: PropertyMap) -> PropertyMap:
        row = function(token)
        if row is None:
            raise ProviderError(f"{token} is not served by the local cloud")
        cloud = self._in_region_of(arguments)
        given = {k: v for k, v in arguments.items() if v is not None}
        if row.wants_default_tags:
            given["defaultTags"] = self.default_tags
        return _call(None, lambda: row.call(cloud, given))

    def _outputs(self, row: ResourceType, actual: PropertyMap, known: PropertyMap) -> PropertyMap:
        outputs = {key: value for key, value in actual.items() if key != "id"}
        for key in row.local:
            if key in known:
                outputs.setdefault(key, known[key])
        if row.service not in GLOBAL_SERVICES:
            outputs.setdefault("region", self._in_region_of(known).region)
        if row.tagged:
            everything = outputs.setdefault("tagsAll", {})
            own = known.get("tags") or {}
            outputs["tags"] = {k: v for k, v in everything.items() if k in own or self.default_tags.get(k) != v}
        return outputs


class _Absent(ProviderError):
    """The resource that a call spoke of is not there."""


def _row(type_: str) -> ResourceType:
    row = resource_type(type_)
    if row is None:
        raise ProviderError(f"{type_} is not served by the local cloud")
    return row


def _call(row: ResourceType | None, function_: Callable[[], T]) -> T:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return function_()
    except ClientError as error:
        details = error.response.get("Error", {})
        code = str(details.get("Code", "Unknown"))
        message = f"{code}: {details.get('Message', '')} ({error.operation_name})"
        if row and (code in row.absent or code.endswith(("NotFound", "NotFoundException", "NotFoundFault"))):
            raise _Absent(message) from error
        raise ProviderError(message) from error
    except BotoCoreError as error:
        raise ProviderError(f"{type(error).__name__}: {error}") from error


def _read(row: ResourceType, cloud: Cloud, id_: str, known: PropertyMap) -> PropertyMap | None:
    try:
        return _call(row, lambda: row.read(cloud, id_, known))
    except _Absent:
        return None


def _without_defaults(inputs: PropertyMap) -> PropertyMap:
    return {key: value for key, value in inputs.items() if key != DEFAULTS_KEY}


def _blocks_to_come(row: ResourceType, given: PropertyMap) -> PropertyMap:
    """The blocks in which the cloud adds something (``ports.external``), with UNKNOWN for it."""
    blocks: PropertyMap = {}
    for path in row.computed:
        block, _, key = path.partition(".")
        if key and isinstance(given.get(block), list):
            items: list[Any] = blocks.get(block) or given[block]
            blocks[block] = [{key: UNKNOWN, **item} if isinstance(item, dict) else item for item in items]
    return blocks


def _keeps_given_name(row: ResourceType, inputs: PropertyMap, changed: set[str]) -> bool:
    """Whether a replacement would have the name that the program gave its predecessor, as Pulumi's bridge asks too."""
    name = row.name.property if row.name else ""
    automatic = name in inputs.get(DEFAULTS_KEY, ())
    return name in inputs and not automatic and not changed & {name, "region"}


def _name_automatically(
    row: ResourceType, urn: str, old_inputs: PropertyMap | None, checked: PropertyMap, seed: bytes
) -> list[str]:
    """Fill the name in place and say which property was filled; the old automatic name is kept."""
    name = row.name
    assert name is not None  # noqa: S101 - the caller has asked
    if name.property in checked:
        return []
    prefixes = [checked[key] for key in name.unless if key in checked]
    if prefixes and not isinstance(prefixes[0], str):
        return []
    old = old_inputs or {}
    if name.property in old.get(DEFAULTS_KEY, ()) and (not prefixes or old[name.property].startswith(prefixes[0])):
        checked[name.property] = old[name.property]
        return [name.property]
    suffix = name.suffix(checked) if name.suffix else ""
    logical = urn.rpartition("::")[2]
    stem = prefixes[0] if prefixes else f"{name.prefix}{logical}" if name.exact else f"{name.prefix}{logical}-"
    random = hashlib.sha256(seed).hexdigest() if seed else secrets.token_hex(13)
    digits = random[:26] if prefixes else "" if name.exact else random[:7]
    stem = stem[: name.max_length - len(digits) - len(suffix)]
    automatic = f"{stem}{digits}{suffix}"
    checked[name.property] = automatic.lower() if name.lower else automatic
    return [name.property]


# -- comparing ----------------------------------------------------------------------------------------------------------


def _same(row: ResourceType, path: str, old: Any, new: Any) -> bool:
    """Whether two inputs mean the same: sets without order, JSON by content, ``"80"`` like ``80``, nothing like empty."""
    if old is UNKNOWN or new is UNKNOWN:
        return False
    if old in (None, "", [], {}) and new in (None, "", [], {}):
        return True
    if is_asset(old) and is_asset(new) and "hash" in old and "hash" in new:
        return bool(old["hash"] == new["hash"])
    if isinstance(old, dict) and isinstance(new, dict):
        return all(
            _same(row, f"{path}.{key}", old.get(key), new.get(key)) for key in old.keys() | new.keys() if key != DEFAULTS_KEY
        )
    if isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            return False
        if path in row.sets:
            rest = list(new)
            for item in old:
                match = next((i for i, other in enumerate(rest) if _same(row, path, item, other)), None)
                if match is None:
                    return False
                del rest[match]
            return True
        return all(_same(row, path, a, b) for a, b in zip(old, new, strict=True))
    if path in row.json_documents and isinstance(old, str) and isinstance(new, str):
        return bool(_json(old) == _json(new))
    return old == new or _scalar(old) == _scalar(new)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (str, int, float)) else repr(value)


def covers(row: ResourceType, path: str, actual: Any, wanted: Any) -> bool:
    """Whether the cloud's value holds what the input asks for; keys that the input leaves open may have any value."""
    if isinstance(actual, dict) and isinstance(wanted, dict):
        if path in ("tags", "tagsAll"):
            return bool(actual == wanted)
        return all(covers(row, f"{path}.{k}", actual.get(k), v) for k, v in wanted.items() if v is not None)
    if isinstance(actual, list) and isinstance(wanted, list):
        if len(actual) != len(wanted):
            return False
        if path in row.sets:
            rest = list(actual)
            for item in wanted:
                match = next((i for i, other in enumerate(rest) if covers(row, path, other, item)), None)
                if match is None:
                    return False
                del rest[match]
            return True
        return all(covers(row, path, a, b) for a, b in zip(actual, wanted, strict=True))
    return _same(row, path, actual, wanted)


def _drifted(row: ResourceType, inputs: PropertyMap, outputs: PropertyMap) -> PropertyMap:
    """The inputs with what has drifted replaced by what the cloud has, so that the next diff shows and mends it."""
    result = dict(inputs)
    for key, wanted in inputs.items():
        if key == DEFAULTS_KEY or key in row.local or key in row.overridden or key not in outputs:
            continue
        if not covers(row, key, outputs[key], wanted):
            result[key] = outputs[key]
    return result


def _inputs_of(row: ResourceType, outputs: PropertyMap) -> PropertyMap:
    """The inputs that a program would write for what the cloud has; for an import."""
    return {
        key: value
        for key, value in outputs.items()
        if key not in row.computed and key != "region" and value not in (None, "", [], {})
    }
