"""The ``random`` package: values made once and kept in the state. No cloud has a part in it.

Every change of an input makes a new value; reading gives back what the state knows. Ids, alphabets and minimum counts
are as in pulumi_random; seeded values repeat from run to run, but are not the real provider's.
"""

from __future__ import annotations

import base64
import math
import random
import secrets
import string
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.row import Created, Properties, ResourceType

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

_SPECIAL = "!@#$%&*()-_=+[]{}<>:?"
_CLASSES = (
    ("upper", "minUpper", string.ascii_uppercase),
    ("lower", "minLower", string.ascii_lowercase),
    ("numeric", "minNumeric", string.digits),
    ("special", "minSpecial", _SPECIAL),
)
_TEXT_DEFAULTS = {
    **{name: True for name, _, _ in _CLASSES},
    **{minimum: 0 for _, minimum, _ in _CLASSES},
}
# bcrypt takes no more than this many bytes into account.
_BCRYPT_BYTES = 72


def _words(text: str) -> list[str]:
    return text.split()


_ADVERBS = _words("""
    barely boldly briskly calmly clearly daily early easily evenly fairly firmly freely gently gladly happily highly
    kindly lightly loudly mainly merrily mildly neatly nicely openly partly plainly promptly purely quickly quietly
    rarely readily really safely simply slowly smoothly softly solely steadily strongly surely swiftly truly usually
    vastly warmly widely wisely
""")
_ADJECTIVES = _words("""
    able amber ample apt azure brave brief bright brisk bronze calm careful cheerful civil clean clear clever cool
    coral crisp curious dapper daring deep eager early easy exact fair famous fancy fast fine firm fond frank fresh
    gentle glad golden grand happy hardy honest humble ideal jolly keen kind large light lively lucky mellow merry
    mild modest neat noble open patient plain polite prime proud quick quiet rapid ready robust rosy round sharp
    shiny silent silver sincere smart smooth snug solid steady still sunny sure swift tall tidy tough upbeat vast
    vivid warm wise witty
""")
_ANIMALS = _words("""
    ant badger bat bear beaver bee beetle bison boar bobcat buffalo camel cat chipmunk cod condor coyote crab crane
    cricket crow deer dingo dog dolphin donkey dove duck eagle eel elephant elk falcon ferret finch fox frog gazelle
    gecko gibbon giraffe goat goose gopher hamster hare hawk hedgehog heron hornet horse hyena ibex iguana jackal
    jaguar koala lark lemur leopard lion lizard llama lobster lynx magpie marmot marten mole moose moth mouse newt
    ocelot octopus otter owl ox panda panther parrot pelican penguin pigeon pony puffin puma quail rabbit raccoon
    ram raven robin salmon seal shark sheep skunk sloth snail sparrow spider squid squirrel stork swan tapir tiger
    toad trout turkey turtle viper vole walrus wasp weasel whale wolf wombat wren yak zebra
""")


def _keep(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    return {key: value for key, value in known.items() if key != "id"}


def _forget(cloud: Cloud, id_: str, known: Properties) -> None:
    return None


# -- passwords and strings ---------------------------------------------------------------------------------------------


def _text(inputs: Properties) -> tuple[str, Properties]:
    """A random text, and the inputs as they were understood."""
    length = int(inputs["length"])
    understood = {**_TEXT_DEFAULTS, **inputs}
    if "number" in inputs:  # the old name of numeric
        understood["numeric"] = bool(understood["numeric"] and inputs["number"])
    understood["number"] = understood["numeric"]
    alphabets = {name: letters for name, _, letters in _CLASSES}
    alphabets["special"] = inputs.get("overrideSpecial") or _SPECIAL
    everything = "".join(alphabets[name] for name, _, _ in _CLASSES if understood[name])
    minimums = {name: int(understood[minimum]) for name, minimum, _ in _CLASSES}
    if length < max(1, sum(minimums.values())):
        raise ProviderError(f"length {length} is less than 1 or than minUpper + minLower + minNumeric + minSpecial")
    if not everything:
        raise ProviderError("at least one of upper, lower, numeric and special must be true")
    chosen = [secrets.choice(alphabets[name]) for name, minimum in minimums.items() for _ in range(minimum)]
    chosen += [secrets.choice(everything) for _ in range(length - len(chosen))]
    random.SystemRandom().shuffle(chosen)
    return "".join(chosen), understood


def _bcrypt_hash(text: str) -> str:
    import bcrypt

    return bcrypt.hashpw(text.encode()[:_BCRYPT_BYTES], bcrypt.gensalt(10)).decode()


def _create_password(cloud: Cloud, inputs: Properties) -> Created:
    text, understood = _text(inputs)
    return Created("none", {**understood, "result": text, "bcryptHash": _bcrypt_hash(text)})


def _create_string(cloud: Cloud, inputs: Properties) -> Created:
    text, understood = _text(inputs)
    return Created(text, {**understood, "result": text})


# -- numbers, identifiers and bytes ------------------------------------------------------------------------------------


def _create_id(cloud: Cloud, inputs: Properties) -> Created:
    count = int(inputs["byteLength"])
    if count < 1:
        raise ProviderError("byteLength must be at least 1")
    return _id_of(secrets.token_bytes(count), inputs)


def _id_of(raw: bytes, inputs: Properties) -> Created:
    prefix = inputs.get("prefix") or ""
    plain = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    forms = {
        "b64Std": base64.b64encode(raw).decode(),
        "b64Url": plain,
        "dec": str(int.from_bytes(raw, "big")),
        "hex": raw.hex(),
    }
    return Created(plain, {**inputs, **{name: prefix + form for name, form in forms.items()}})


def _create_bytes(cloud: Cloud, inputs: Properties) -> Created:
    if int(inputs["length"]) < 1:
        raise ProviderError("length must be at least 1")
    raw = secrets.token_bytes(int(inputs["length"]))
    return Created("none", {**inputs, "base64": base64.b64encode(raw).decode(), "hex": raw.hex()})


def _source(inputs: Properties) -> random.Random:
    """The system's randomness, or what repeats by the seed."""
    seed = inputs.get("seed")
    return random.Random(seed) if seed else random.SystemRandom()  # noqa: S311 - a seed asks for repetition


def _create_integer(cloud: Cloud, inputs: Properties) -> Created:
    low, high = int(inputs["min"]), int(inputs["max"])
    if high < low:
        raise ProviderError(f"the minimum value (min: {low}) must not be above the maximum (max: {high})")
    result = _source(inputs).randint(low, high)
    return Created(str(result), {**inputs, "result": result})


def _create_shuffle(cloud: Cloud, inputs: Properties) -> Created:
    items: list[Any] = inputs["inputs"]
    count = int(inputs.get("resultCount", len(items)))
    source = _source(inputs)
    rounds = math.ceil(count / len(items)) if items else 0
    results = [item for _ in range(rounds) for item in source.sample(items, len(items))]
    return Created("-", {**inputs, "results": results[:count]})


def _uuid(make: Callable[[], uuid.UUID]) -> Callable[[Cloud, Properties], Created]:
    def create(cloud: Cloud, inputs: Properties) -> Created:
        result = str(make())
        return Created(result, {**inputs, "result": result})

    return create


def _uuid7() -> uuid.UUID:
    """A UUID that sorts by its time, after RFC 9562."""
    stamp = (time.time_ns() // 1_000_000) << 80
    return uuid.UUID(int=stamp | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62))


# -- pet names ---------------------------------------------------------------------------------------------------------


def _create_pet(cloud: Cloud, inputs: Properties) -> Created:
    length = int(inputs.get("length", 2))
    words = [secrets.choice(_ADVERBS) for _ in range(length - 2)]
    words += [secrets.choice(_ADJECTIVES)] if length > 1 else []
    words += [secrets.choice(_ANIMALS)] if length > 0 else []
    prefix = [inputs["prefix"]] if inputs.get("prefix") else []
    return Created(str(inputs.get("separator", "-")).join([*prefix, *words]), dict(inputs))


# -- rows --------------------------------------------------------------------------------------------------------------


def _row(
    name: str,
    create: Callable[[Cloud, Properties], Created],
    *,
    required: tuple[str, ...] = (),
    optional: tuple[str, ...] = (),
    computed: tuple[str, ...] = (),
    defaults: Properties | None = None,
    secret_outputs: tuple[str, ...] = (),
    limits: str = "",
) -> ResourceType:
    return ResourceType(
        token=f"random:index/random{name}:Random{name}",
        service="",
        create=create,
        read=_keep,
        delete=_forget,
        required=required,
        local=(*required, *optional, *(defaults or {}), "keepers"),
        computed=computed,
        defaults=defaults or {},
        secret_outputs=secret_outputs,
        adopts=True,
        limits=limits,
    )


_SEED_LIMIT = "a seed repeats its values, but not the real provider's"

RESOURCE_TYPES = (
    _row(
        "Password",
        _create_password,
        required=("length",),
        optional=("number", "overrideSpecial"),
        computed=("bcryptHash", "result"),
        defaults=_TEXT_DEFAULTS,
        secret_outputs=("bcryptHash", "result"),
    ),
    _row(
        "String",
        _create_string,
        required=("length",),
        optional=("number", "overrideSpecial"),
        computed=("result",),
        defaults=_TEXT_DEFAULTS,
    ),
    _row("Id", _create_id, required=("byteLength",), optional=("prefix",), computed=("b64Std", "b64Url", "dec", "hex")),
    _row("Pet", _create_pet, optional=("prefix",), defaults={"length": 2, "separator": "-"}),
    _row(
        "Integer",
        _create_integer,
        required=("min", "max"),
        optional=("seed",),
        computed=("result",),
        limits=_SEED_LIMIT,
    ),
    _row("Uuid", _uuid(uuid.uuid4), computed=("result",)),
    _row("Uuid4", _uuid(uuid.uuid4), computed=("result",)),
    _row("Uuid7", _uuid(_uuid7), computed=("result",)),
    _row(
        "Shuffle",
        _create_shuffle,
        required=("inputs",),
        optional=("resultCount", "seed"),
        computed=("results",),
        limits=_SEED_LIMIT,
    ),
    _row("Bytes", _create_bytes, required=("length",), computed=("base64", "hex"), secret_outputs=("base64", "hex")),
)
