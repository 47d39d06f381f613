"""The random package's resource types."""

from __future__ import annotations

from tests.rows.case import Case

CASES = [
    Case(
        token="random:index/randomPassword:RandomPassword",
        inputs={
            "length": 24,
            "special": False,
            "minUpper": 2,
            "minLower": 2,
            "minNumeric": 2,
            "keepers": {"generation": "1"},
        },
        replace={"keepers": {"generation": "2"}},
        expect={"result": str, "upper": True, "special": False, "numeric": True, "number": True, "minSpecial": 0},
    ),
    Case(
        token="random:index/randomString:RandomString",
        inputs={"length": 8, "upper": False, "number": False, "overrideSpecial": "_-"},
        replace={"length": 9},
        expect={"result": str, "numeric": False, "number": False},
    ),
    Case(
        token="random:index/randomId:RandomId",
        inputs={"byteLength": 4, "prefix": "app-"},
        replace={"byteLength": 8},
        expect={"hex": str, "dec": str, "b64Url": str, "b64Std": str},
    ),
    Case(
        token="random:index/randomPet:RandomPet",
        inputs={"length": 3, "prefix": "dev"},
        replace={"separator": "_"},
        expect={"separator": "-", "length": 3},
    ),
    Case(
        token="random:index/randomInteger:RandomInteger",
        inputs={"min": 5, "max": 5},
        replace={"max": 6},
        expect={"result": 5},
    ),
    Case(
        token="random:index/randomUuid:RandomUuid",
        inputs={},
        replace={"keepers": {"a": "1"}},
        expect={"result": str},
    ),
    Case(
        token="random:index/randomUuid4:RandomUuid4",
        inputs={},
        replace={"keepers": {"a": "1"}},
        expect={"result": str},
    ),
    Case(
        token="random:index/randomUuid7:RandomUuid7",
        inputs={},
        replace={"keepers": {"a": "1"}},
        expect={"result": str},
    ),
    Case(
        token="random:index/randomShuffle:RandomShuffle",
        inputs={"inputs": ["a", "b", "c"], "resultCount": 2},
        replace={"seed": "s"},
        expect={"results": list},
    ),
    Case(
        token="random:index/randomBytes:RandomBytes",
        inputs={"length": 16},
        replace={"length": 32},
        expect={"base64": str, "hex": str},
    ),
]
