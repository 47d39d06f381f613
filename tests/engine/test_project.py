"""Projects and stack files mean to the engine what they mean to Pulumi."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from isostack.engine.project import (
    Project,
    StackConfig,
    check_stack_name,
    known_stacks,
    load_project,
    load_stack,
    pinned_version,
)
from isostack.engine.project_file import shown
from isostack.engine.secrets import Keyring, Passphrase, PassphraseSecrets
from isostack.errors import BadInput, IsostackError, Refused


class Reversing:
    """Secrets whose ciphertext is the text backwards."""

    def decrypt(self, text: str, /) -> str:
        if text == "broken":
            raise BadInput("a secret is damaged")
        return text[::-1]


def open_reversing(state: Mapping[str, str]) -> Reversing:
    assert state == {"salt": "salt"}
    return Reversing()


def open_nothing(state: Mapping[str, str]) -> Reversing:
    raise AssertionError("nothing here is encrypted")


def project_in(folder: Path, text: str = "", *, file: str = "Pulumi.yaml") -> Project:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text("name: shop\nruntime: python\n" + dedent(text), encoding="utf-8")
    return load_project(folder)


def stack_in(project: Project, text: str, open_secrets=open_nothing) -> StackConfig:  # type: ignore[no-untyped-def]
    file = project.stack_file("dev")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(dedent(text), encoding="utf-8")
    return load_stack(project, "dev", open_secrets)


# -- Pulumi.yaml -------------------------------------------------------------------------------------------------------


def test_the_project_file_of_the_nearest_folder_above_is_taken(tmp_path: Path) -> None:
    project_in(tmp_path)
    inner = project_in(tmp_path / "inner", "description: the inner one")
    (tmp_path / "inner" / "src" / "deep").mkdir(parents=True)

    assert load_project(tmp_path / "inner" / "src" / "deep") == inner
    assert inner.description == "the inner one"
    assert inner.root == inner.main == inner.stack_config_dir == tmp_path / "inner"


@pytest.mark.parametrize("file", ["Pulumi.yaml", "Pulumi.yml"])
def test_a_stack_file_has_the_extension_of_the_project_file(tmp_path: Path, file: str) -> None:
    project = project_in(tmp_path, file=file)

    assert project.stack_file("dev") == tmp_path / file.replace("Pulumi", "Pulumi.dev")


def test_a_project_may_be_written_in_json(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.json").write_text('{"name": "shop", "runtime": "python", "config": {"a": {"default": 5}}}')
    (tmp_path / "Pulumi.dev.json").write_text('{"config": {"b": 1.50, "c": 12345678901234567890, "d": {"e": true}}}')

    values = load_stack(load_project(tmp_path), "dev", open_nothing).values

    # Go reads every number of such a file as a float64.
    assert values == {"shop:a": "5", "shop:b": "1.5", "shop:c": "12345678901234567000", "shop:d": '{"e":true}'}


def test_a_runtime_may_carry_options_and_keys_that_nobody_knows_are_let_be(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text(
        "name: shop\nruntime: {name: python, options: {virtualenv: .venv, toolchain: uv}}\nfuture: [1]\n"
        "options: {refresh: always}\n"
    )

    project = load_project(tmp_path)

    assert (project.runtime, project.runtime_options) == ("python", {"virtualenv": ".venv", "toolchain": "uv"})
    assert project.refresh_first


@pytest.mark.parametrize("runtime", ["nodejs", "go", "yaml", "dotnet", "{name: java}"])
def test_another_runtime_is_refused_by_name(tmp_path: Path, runtime: str) -> None:
    (tmp_path / "Pulumi.yaml").write_text(f"name: shop\nruntime: {runtime}\n")

    with pytest.raises(Refused, match=rf"Pulumi.yaml: .* not runtime '{runtime.strip('{}').removeprefix('name: ')}'"):
        load_project(tmp_path)


def test_main_and_the_stacks_folder_are_relative_to_the_project_file(tmp_path: Path) -> None:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "__main__.py").touch()

    project = project_in(tmp_path, "main: stacks/\nstackConfigDir: ./stacks")

    assert project.main == project.stack_config_dir == tmp_path / "stacks"
    assert project.program() == tmp_path / "stacks" / "__main__.py"


def test_main_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "app.py").touch()

    assert project_in(tmp_path, "main: app.py").program() == tmp_path / "app.py"


def test_a_main_folder_without_a_program_is_an_error_once_the_program_is_asked_for(tmp_path: Path) -> None:
    project = project_in(tmp_path)

    with pytest.raises(BadInput, match=r"there is no program .*__main__\.py"):
        project.program()


def test_config_was_once_the_name_of_the_stacks_folder(tmp_path: Path) -> None:
    assert project_in(tmp_path, "config: cfg").stack_config_dir == tmp_path / "cfg"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("runtime: python", r"Pulumi\.yaml has no 'name'; add the line: name: "),
        ("name: ''\nruntime: python", r"the name '' is no project name"),
        ("name: a/b\nruntime: python", r"the name 'a/b' is no project name"),
        ("name: 007\nruntime: python", r"the name 7 is no project name.* in quotes"),
        ("name: shop", r"add the line: runtime: python"),
        ("name: shop\nruntime: python\nmain: gone", r"'main' names 'gone', which is not there"),
        ("name: shop\nruntime: python\nmain: [a]", r"'main' must be text"),
        ("name: shop\nruntime: python\nconfig: a\nstackConfigDir: b", r"keep 'stackConfigDir'"),
        ("name: shop\nruntime: python\nconfig: [a]", r"'config' must be a mapping"),
        ("- a", r"must hold a mapping of keys to values, not a list"),
        ("a: [1\nb: 2", r"Pulumi\.yaml, line 2, column \d+: .*; mend the YAML there"),
        ("name: shop\nname: shop", r"Pulumi\.yaml, line 2, column 1: the key 'name' was given in line 1 already"),
        ("a: {{ x }}", r"Pulumi\.yaml, line 1, column 5: "),
        ("a: &x [*x]", r"contains itself"),
        ("a: .nan", r"nan is no value"),
        ("a: !!int x", r"line 1, column 4: 'x' is not of type int"),
        ("a: \x07", r"Pulumi\.yaml.*(not YAML|line 1)"),
    ],
)
def test_a_broken_project_file_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "Pulumi.yaml").write_text(text)

    with pytest.raises(BadInput, match=message) as caught:
        load_project(tmp_path)

    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_broken_json_is_shown_with_line_and_column(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.json").write_text('{"name": "shop",\n "runtime" "python"}')

    with pytest.raises(BadInput, match=r"Pulumi\.json, line 2, column 12: "):
        load_project(tmp_path)


def test_a_file_that_is_not_utf8_is_refused_and_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_bytes(b"\xef\xbb\xbfname: shop\nruntime: python\n")
    assert load_project(tmp_path).name == "shop"

    (tmp_path / "Pulumi.yaml").write_bytes(b"name: shop\ndescription: \xff\n")
    with pytest.raises(BadInput, match="is not UTF-8"):
        load_project(tmp_path)


def test_without_a_project_file_the_error_names_the_folder(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").mkdir()

    with pytest.raises(BadInput, match=rf"no Pulumi\.yaml in {tmp_path} or above it"):
        load_project(tmp_path)
    with pytest.raises(BadInput, match="there is no folder"):
        load_project(tmp_path / "gone")


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("a: {type: array}", r"config 'a': is an array and must say of what"),
        ("a: {type: array, items: {type: array}}", r"is an array and must say of what"),
        ("a: {type: array, items: {type: strings}}", r"unknown type 'strings'"),
        ("a: {type: number}", r"config 'a': unknown type 'number'; the types are string, integer"),
        ("a: {defualt: 1}", r"unknown attribute 'defualt'; the attributes are type"),
        ("a: {type: integer, default: x}", r"the default 'x' is not of type integer"),
        ("a: {type: string, default: 5}", r"the default '5' is not of type string"),
        ("a: {type: array, items: {type: integer}, default: [1, x]}", r"is not of type array<integer>"),
        ("a: {default: 1, value: 2}", r"both 'default' and 'value'"),
        ("a: {secret: maybe}", r"'secret' is true or false"),
        ("a: 1.5", r"quote other numbers"),
        ("a:", r"a short value is text"),
        ("aws:region: {type: string, value: x}", r"neither a type nor a default"),
        ("aws:region: {default: x}", r"neither a type nor a default"),
        ("aws:region: {description: x}", r"needs a 'value'"),
        ("aws:defaultTags: {tags: {a: b}}", r"unknown attribute 'tags'.* an object goes under 'value'"),
        ("a:b:c: 1", r"'a:b:c' is not a config key"),
        ("'a[': 1", r"is not a path"),
    ],
)
def test_a_config_block_that_pulumi_would_not_take_is_refused(tmp_path: Path, block: str, message: str) -> None:
    with pytest.raises(BadInput, match=r"Pulumi\.yaml: .*" + message):
        project_in(tmp_path, f"config: {{{block}}}" if not block.endswith(":") else f"config:\n  {block}")


def test_all_mistakes_in_a_config_block_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        project_in(tmp_path, "config: {a: {type: number}, b: 1.5, c: fine}")

    first, *rest = str(caught.value).splitlines()
    assert "has 2 mistakes" in first
    assert ["'a'" in rest[0], "'b'" in rest[1], len(rest)] == [True, True, 2]


# -- Pulumi.STACK.yaml -------------------------------------------------------------------------------------------------

# Each value as `pulumi` hands it to a program, from its own Go code (sdk/v3 v3.200.0).
AS_PULUMI_READS_IT = {
    "text": ("text", "text"),
    "quoted number": ("'0123'", "0123"),
    "octal": ("0123", "83"),
    "octal of YAML 1.2": ("0o17", "15"),
    "no octal after all": ("08", "8"),
    "account id": ("012345678901", "12345678901"),
    "hexadecimal": ("0x1F", "31"),
    "underscores": ("1_000", "1000"),
    "large unsigned": ("18446744073709551615", "18446744073709551615"),
    "too large": ("18446744073709551616", "18446744073709552000"),
    "too small": ("-9223372036854775809", "-9223372036854776000"),
    "large in a list": ("[18446744073709551615]", "[18446744073709552000]"),
    "exponent": ("1e3", "1000"),
    "whole float": ("1.0", "1"),
    "float": ("123456789.5", "123456789.5"),
    "negative zero": ("-0.0", "0"),
    "1e20": ("1e20", "100000000000000000000"),
    "1e21": ("1e21", "1e+21"),
    "1e-6": ("1e-6", "0.000001"),
    "1e-7": ("1e-7", "1e-7"),
    "too large for a float": ("1e400", "1e400"),
    "true": ("True", "true"),
    "yes is text": ("yes", "yes"),
    "on is text": ("on", "on"),
    "sexagesimal is text": ("1:30", "1:30"),
    "null": ("~", ""),
    "empty": ("''", ""),
    "explicit text": ("!!str 5", "5"),
    "unknown tag": ("!mine 5", "5"),
    "date": ("2020-01-01", "2020-01-01 00:00:00 +0000 UTC"),
    "time": ("2001-12-14t21:59:43.10-05:00", "2001-12-14 21:59:43.1 -0500 -0500"),
    "no date": ("2020-13-01", "2020-13-01"),
    "list": ("[a, 1, {k: v}]", '["a",1,{"k":"v"}]'),
    "empty object": ("{}", "{}"),
    "object": (
        "{b: 1, a: [true, null, 1.0, 'x<y>&z', ünï], 5: x, true: y}",
        '{"5":"x","a":[true,null,1,"x\\u003cy\\u003e\\u0026z","ünï"],"b":1,"true":"y"}',
    ),
    "control characters": (r'["\u2028\x7f\x01\b\f\n\t\"\\/"]', '["\\u2028\x7f\\u0001\\b\\f\\n\\t\\"\\\\/"]'),
}


@pytest.mark.parametrize(("written", "expected"), AS_PULUMI_READS_IT.values(), ids=AS_PULUMI_READS_IT.keys())
def test_a_value_reaches_the_program_as_pulumi_hands_it_over(tmp_path: Path, written: str, expected: str) -> None:
    assert stack_in(project_in(tmp_path), f"config: {{k: {written}}}").values == {"shop:k": expected}


def test_keys_are_full_keys_in_every_spelling(tmp_path: Path) -> None:
    stack = stack_in(project_in(tmp_path), "config: {a: 1, shop:b: 2, aws:region: eu-west-1, old:config:c: 3}")

    assert stack.values == {"shop:a": "1", "shop:b": "2", "aws:region": "eu-west-1", "old:c": "3"}
    assert stack.secret_keys == frozenset()


def test_anchors_and_merge_keys_work(tmp_path: Path) -> None:
    stack = stack_in(
        project_in(tmp_path),
        """
        common: &common {a: 1, b: 2}
        config:
          x: {<<: *common, b: 3}
          y: *common
        """,
    )

    assert stack.values == {"shop:x": '{"a":1,"b":3}', "shop:y": '{"a":1,"b":2}'}


def test_secure_values_are_decrypted_at_every_depth_and_their_keys_are_secret(tmp_path: Path) -> None:
    stack = stack_in(
        project_in(tmp_path),
        """
        encryptionsalt: salt
        config:
          top: {secure: "cba"}
          deep: {list: [{secure: "fed"}, x], more: {secure: "x", and: y}}
          open: plain
        """,
        open_reversing,
    )

    assert stack.values["shop:top"] == "abc"
    assert json.loads(stack.values["shop:deep"]) == {"list": ["def", "x"], "more": {"secure": "x", "and": "y"}}
    assert stack.secret_keys == {"shop:top", "shop:deep"}
    assert stack.encryption_salt == "salt"
    assert "abc" not in repr(stack)


def test_a_secure_value_opens_with_the_passphrase_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isostack.engine.secrets.ROUNDS", 3)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "horse")
    secrets = PassphraseSecrets.new(Passphrase("horse", "the test"))
    text = f"encryptionsalt: {secrets.state['salt']}\nconfig: {{a: {{secure: '{secrets.encrypt('tiger')}'}}}}"
    project = project_in(tmp_path)

    assert stack_in(project, text, Keyring(tmp_path).open).values == {"shop:a": "tiger"}

    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "battery")
    with pytest.raises(BadInput, match=r"Pulumi\.dev\.yaml: shop:a: the passphrase from the environment variable"):
        stack_in(project, text, Keyring(tmp_path).open)


def test_a_secure_value_that_does_not_open_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"Pulumi\.dev\.yaml: shop:b: a secret is damaged"):
        stack_in(
            project_in(tmp_path),
            "encryptionsalt: salt\nconfig: {a: {secure: x}, b: {secure: broken}}",
            open_reversing,
        )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("secretsprovider: awskms://alias/key", r"cannot open secretsprovider 'awskms://alias/key'"),
        ("environment: [prod]", r"'environment' takes values from Pulumi ESC"),
        ("environment: {values: {a: 1}}", r"'environment' takes values from Pulumi ESC"),
        ("config: {a: {secure: AAAB}}", r"shop:a is encrypted, but there is no 'encryptionsalt'"),
    ],
)
def test_what_only_pulumis_services_offer_is_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(Refused, match=r"Pulumi\.dev\.yaml: .*" + message):
        stack_in(project_in(tmp_path), text)


@pytest.mark.parametrize(
    "text", ["", "config:", "secretsprovider: passphrase", "secretsprovider: default", "environment: []", "later: 1"]
)
def test_a_stack_file_without_configuration_is_fine(tmp_path: Path, text: str) -> None:
    assert stack_in(project_in(tmp_path), text).values == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("config: [a]", "'config' must be a mapping"),
        ("config: {a: 1, shop:a: 2}", "shop:a is given twice"),
        ("config: {a:b:c: 1}", "'a:b:c' is not a config key"),
        ("config: {a: 1, a: 2}", "line 1, column 16: the key 'a' was given in line 1 already"),
        ("encryptionsalt: [1]", "'encryptionsalt' must be text"),
        ("config: {a: .inf}", "put it in quotes"),
    ],
)
def test_a_broken_stack_file_names_itself(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadInput, match=r"Pulumi\.dev\.yaml.*" + message):
        stack_in(project_in(tmp_path), text)


# -- declared configuration --------------------------------------------------------------------------------------------


def test_declared_defaults_stand_where_the_stack_says_nothing(tmp_path: Path) -> None:
    project = project_in(
        tmp_path,
        """
        config:
          short: t3.micro
          flag: true
          list: [a, 1]
          aws:region: eu-west-1
          count: {type: integer, default: 3}
          ratio: {default: 1.5}
          fixed: {value: {a: 1}}
          aws:defaultTags: {value: {tags: {team: x}}}
          nested.size: {type: integer, default: 4}
          'nested["a.b"]': {type: string}
        """,
    )

    stack = stack_in(project, "config: {count: 5, aws:region: eu-north-1, nested: {a.b: x}}")

    assert stack.values == {
        "shop:short": "t3.micro",
        "shop:flag": "true",
        "shop:list": '["a",1]',
        "aws:region": "eu-north-1",
        "shop:count": "5",
        "shop:ratio": "1.5",
        "shop:fixed": '{"a":1}',
        "aws:defaultTags": '{"tags":{"team":"x"}}',
        "shop:nested": '{"a.b":"x","size":4}',
    }


@pytest.mark.parametrize(
    ("declared", "written"),
    [
        ("string", "5"),
        ("string", "true"),
        ("integer", "7"),
        ("integer", "'-7'"),
        ("integer", "7.0"),
        ("boolean", "false"),
        ("boolean", "'true'"),
        ("object", "{a: 1}"),
        ("array, items: {type: integer}", "[1, '2', 3.0]"),
        ("array, items: {type: array, items: {type: boolean}}", "[[true], ['false'], []]"),
    ],
)
def test_a_value_of_the_declared_type_is_accepted(tmp_path: Path, declared: str, written: str) -> None:
    project = project_in(tmp_path, f"config: {{a: {{type: {declared}}}}}")

    assert "shop:a" in stack_in(project, f"config: {{a: {written}}}").values


@pytest.mark.parametrize(
    ("declared", "written", "shown_type"),
    [
        ("string", "[a]", "string"),
        ("integer", "x", "integer"),
        ("integer", "1.5", "integer"),
        ("integer", "true", "integer"),
        ("integer", "", "integer"),
        ("boolean", "yes", "boolean"),
        ("boolean", "1", "boolean"),
        ("object", "'{}'", "object"),
        ("object", "[]", "object"),
        ("array, items: {type: string}", "[1]", "array<string>"),
        ("array, items: {type: integer}", "[true]", "array<integer>"),
        ("array, items: {type: string}", "a", "array<string>"),
    ],
)
def test_a_value_of_another_type_is_refused_with_the_mend(tmp_path: Path, declared: str, written: str, shown_type: str) -> None:
    project = project_in(tmp_path, f"config: {{a: {{type: {declared}}}}}")

    with pytest.raises(BadInput) as caught:
        stack_in(project, f"config:\n  a: {written}")

    message = str(caught.value)
    file = shown(project.stack_file("dev"))
    assert f"shop:a in {file} must be of type {shown_type}, not " in message
    assert f"write 'shop:a: <{shown_type}>' under 'config:' in {file}" in message


def test_all_missing_and_unfit_values_are_told_at_once(tmp_path: Path) -> None:
    project = project_in(
        tmp_path,
        """
        config:
          region: {type: string, description: where it runs}
          count: {type: integer}
          token: {type: string, secret: true}
          open: {type: string, secret: true}
          plain: {}
          fine: {type: string, default: x}
        """,
    )

    with pytest.raises(BadInput) as caught:
        stack_in(project, "config: {count: many, open: s3cr3t}")

    heading, *problems = str(caught.value).splitlines()
    assert heading == "the configuration of stack 'dev' has 5 problems:"
    assert [problem.split()[0] for problem in problems] == [
        "shop:count", "shop:open", "shop:plain", "shop:region", "shop:token",
    ]  # fmt: skip
    assert "pulumi config set --secret open --stack dev" in problems[1]
    assert "s3cr3t" not in str(caught.value)
    assert "(where it runs)" in problems[3]
    assert "pulumi config set --secret token --stack dev" in problems[4]


def test_a_decrypted_value_of_another_type_is_not_shown(tmp_path: Path) -> None:
    project = project_in(tmp_path, "config: {pin: {type: integer, secret: true}}")

    with pytest.raises(BadInput, match=r"shop:pin in .* must be of type integer") as caught:
        stack_in(project, "encryptionsalt: salt\nconfig: {pin: {secure: 'xyz'}}", open_reversing)

    assert "zyx" not in str(caught.value)


def test_a_declared_secret_that_is_encrypted_fits(tmp_path: Path) -> None:
    project = project_in(tmp_path, "config: {pin: {type: integer, secret: true}}")

    stack = stack_in(project, "encryptionsalt: salt\nconfig: {pin: {secure: '321'}}", open_reversing)

    assert (stack.values, stack.secret_keys) == ({"shop:pin": "123"}, {"shop:pin"})


def test_a_default_below_a_value_that_is_no_object_is_refused(tmp_path: Path) -> None:
    project = project_in(tmp_path, "config: {a.b: {type: integer, default: 1}}")

    with pytest.raises(BadInput, match="shop:a: its default cannot be set"):
        stack_in(project, "config: {a: text}")


# -- stacks and their names --------------------------------------------------------------------------------------------


def test_a_stack_without_a_file_has_the_defaults(tmp_path: Path) -> None:
    assert load_stack(project_in(tmp_path, "config: {a: 1}"), "new", open_nothing).values == {"shop:a": "1"}


def test_a_stack_without_a_file_that_needs_values_says_which_file_to_write(tmp_path: Path) -> None:
    project = project_in(tmp_path, "stackConfigDir: stacks\nconfig: {a: {type: string}}")

    with pytest.raises(BadInput, match=r"shop:a has no value; write 'shop:a: <string>' .*stacks/Pulumi\.new\.yaml"):
        load_stack(project, "new", open_nothing)


def test_a_stack_file_that_pulumi_would_overlook_is_pointed_out(tmp_path: Path) -> None:
    project = project_in(tmp_path)
    (tmp_path / "Pulumi.dev.yml").write_text("config: {a: 1}")

    with pytest.raises(BadInput, match=r"Pulumi\.dev\.yml is not read; rename it to Pulumi\.dev\.yaml"):
        load_stack(project, "dev", open_nothing)


def test_the_known_stacks_are_those_with_a_file(tmp_path: Path) -> None:
    project = project_in(tmp_path, "stackConfigDir: stacks")
    assert known_stacks(project) == []

    (tmp_path / "stacks").mkdir()
    for name in ("Pulumi.prod.yaml", "Pulumi.dev.yaml", "Pulumi.a.b.yaml", "Pulumi.yaml", "Pulumi.x.yml", "other.yaml"):
        (tmp_path / "stacks" / name).touch()
    (tmp_path / "stacks" / "Pulumi.folder.yaml").mkdir()

    assert known_stacks(project) == ["a.b", "dev", "prod"]


def test_the_pinned_parameter_version_is_read_without_opening_secrets(tmp_path: Path) -> None:
    project = project_in(tmp_path)
    assert pinned_version(project, "dev") is None

    project.stack_file("dev").write_text("config: {isostack:parameters: 1.2.0, token: {secure: AAAB}}")
    assert pinned_version(project, "dev") == "1.2.0"

    project.stack_file("dev").write_text("config: {parameters: 1.2.0}")
    assert pinned_version(project, "dev") is None


@pytest.mark.parametrize("name", ["dev", "a", "A-b_c.1", "x" * 100])
def test_names_that_pulumi_takes_are_taken(name: str) -> None:
    assert check_stack_name(name) == name


@pytest.mark.parametrize("name", ["", "a b", "org/dev", "ünï", "x" * 101, "dev\n", "../dev"])
def test_other_names_are_refused_before_any_file_is_touched(tmp_path: Path, name: str) -> None:
    with pytest.raises(IsostackError, match="is no stack name"):
        load_stack(project_in(tmp_path), name, open_nothing)
