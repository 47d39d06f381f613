"""Secrets are Pulumi's passphrase secrets, and the passphrase is found where people put it."""

from __future__ import annotations

import base64
import hashlib
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from isostack.engine import secrets as module
from isostack.engine.secrets import Keyring, Passphrase, PassphraseSecrets, find_passphrase
from isostack.engine.values import SECRET_SIGNATURE, SIGNATURE_KEY, Secret
from isostack.errors import BadInput

HORSE = Passphrase("correct horse", "the test")

# Made by NewSymmetricCrypterFromPassphrase of github.com/pulumi/pulumi/sdk/v3 (Go), with the salt "8 bytes!".
GO_STATE = {"salt": "v1:OCBieXRlcyE=:v1:RZh7V7+iEupStTEa:2pKVpfsCTWmIbJIsR28DuYoJ0d4imw=="}
GO_CIPHERTEXTS = {
    "a secret": "v1:0UvT0vzS2sv66JhK:EeSEHuPOwovnSkQEvYRgok31WyQRFEmq",
    "": "v1:v4tkYUVBfjD13QmH:DeQUa5akqH5jpUB/VZQgjg==",
    "ünïcode ✓": "v1:N/XUiBkD8jkR55tv:oGVuZ5roab4EFcl0A7G34mNhOKkMv9gTJmOTltM=",
}


@pytest.fixture
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes key derivation fast where its strength is not the question."""
    monkeypatch.setattr(module, "ROUNDS", 3)


@pytest.fixture
def no_passphrase_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE", raising=False)
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE_FILE", raising=False)


def open_independently(ciphertext: str, state: str, passphrase: str) -> str:
    """Pulumi's public format in a few lines that share nothing with the code under test."""
    salt = base64.b64decode(state.split(":")[1])
    key = hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, 1_000_000, 32)
    version, nonce, sealed = ciphertext.split(":")
    assert version == "v1"
    return AESGCM(key).decrypt(base64.b64decode(nonce), base64.b64decode(sealed), b"").decode()


def test_what_pulumis_own_code_encrypted_is_decrypted() -> None:
    secrets = PassphraseSecrets.from_state(GO_STATE, HORSE)

    assert {secrets.decrypt(text): text for text in GO_CIPHERTEXTS.values()} == GO_CIPHERTEXTS


def test_what_is_encrypted_opens_by_the_public_format() -> None:
    secrets = PassphraseSecrets.new(HORSE, prefetch=True)
    state = secrets.state["salt"]

    assert open_independently(secrets.encrypt("tiger ✓"), state, "correct horse") == "tiger ✓"
    assert open_independently(state.split(":", 2)[2], state, "correct horse") == "pulumi"


@pytest.mark.usefixtures("few_rounds")
def test_the_state_of_new_secrets_opens_them_again_and_stays_the_same() -> None:
    first = PassphraseSecrets.new(HORSE)
    second = PassphraseSecrets.from_state(first.state, HORSE)

    assert second.decrypt(first.encrypt("tiger")) == "tiger"
    assert second.state == first.state


@pytest.mark.usefixtures("few_rounds")
@pytest.mark.parametrize("prefetch", [False, True])
def test_a_wrong_passphrase_is_refused_at_every_use_and_says_where_it_came_from(prefetch: bool) -> None:
    good = PassphraseSecrets.new(HORSE)
    ciphertext = good.encrypt("tiger")
    secrets = PassphraseSecrets.from_state(good.state, Passphrase("battery", "the file x"), prefetch=prefetch)

    for use in (secrets.check, lambda: secrets.decrypt(ciphertext), lambda: secrets.encrypt("lion")):
        with pytest.raises(BadInput, match=r"from the file x does not open .* set PULUMI_CONFIG_PASSPHRASE") as caught:
            use()
        assert "battery" not in str(caught.value)


@pytest.mark.usefixtures("few_rounds")
def test_an_unchanged_plaintext_keeps_the_ciphertext_that_was_read_for_it() -> None:
    earlier = PassphraseSecrets.new(HORSE)
    stored = earlier.encrypt_value({"b": [1, "ü<"], "a": None})
    later = PassphraseSecrets.from_state(earlier.state, HORSE)

    value = later.decrypt_value(stored)

    assert later.encrypt_value(dict(reversed(value.items()))) == stored
    assert later.encrypt_value("new") == later.encrypt_value("new") != earlier.encrypt_value("new")


@pytest.mark.usefixtures("few_rounds")
def test_a_value_that_another_writer_spelled_differently_keeps_its_ciphertext_too() -> None:
    secrets = PassphraseSecrets.new(HORSE)
    stored = {SIGNATURE_KEY: SECRET_SIGNATURE, "ciphertext": secrets.encrypt('{ "a": "\\u003c" }')}

    assert secrets.encrypt_value(secrets.decrypt_value(stored)) == stored


@pytest.mark.usefixtures("few_rounds")
@pytest.mark.parametrize("value", ["text", "", 1, 1.5, True, None, ["a", {"b": 2}], {"a": {"b": []}}])
def test_a_property_value_goes_to_a_state_file_and_back(value: Any) -> None:
    secrets = PassphraseSecrets.new(HORSE)

    sealed = secrets.encrypt_value(value)

    assert sealed[SIGNATURE_KEY] == SECRET_SIGNATURE
    assert secrets.decrypt_value(sealed) == value


@pytest.mark.usefixtures("few_rounds")
def test_a_secret_inside_a_secret_is_encrypted_once() -> None:
    secrets = PassphraseSecrets.new(HORSE)

    assert secrets.decrypt_value(secrets.encrypt_value({"a": Secret("x")})) == {"a": "x"}


@pytest.mark.usefixtures("few_rounds")
def test_an_export_that_shows_its_secrets_is_read() -> None:
    assert PassphraseSecrets.new(HORSE).decrypt_value({SIGNATURE_KEY: SECRET_SIGNATURE, "plaintext": '"x"'}) == "x"


@pytest.mark.usefixtures("few_rounds")
@pytest.mark.parametrize(
    "text", ["", "v1:AAAA", "v2:AAAA:BBBB", "v1:AAAA:AAAA", "v1:!:!", "AAABAQ==", "v1:AAAAAAAAAAAAAAAA:AAAA"]
)
def test_a_damaged_ciphertext_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="damaged"):
        PassphraseSecrets.new(HORSE).decrypt(text)


@pytest.mark.parametrize(
    "state", [{}, {"salt": None}, {"salt": "v1:AAAA"}, {"salt": "v2:AAAA:v1:B:C"}, {"salt": "v1:!:v1:AAAA:AAAA"}]
)
def test_a_malformed_salt_is_refused(state: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="salt of the secrets is malformed"):
        PassphraseSecrets.from_state(state, HORSE)


def test_a_key_is_derived_once_for_all_threads_and_only_when_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    derived = []
    derive = hashlib.pbkdf2_hmac

    def counted(hash_name: str, password: bytes, salt: bytes, rounds: int, length: int) -> bytes:
        derived.append(salt)
        return derive(hash_name, password, salt, 3, length)

    monkeypatch.setattr(hashlib, "pbkdf2_hmac", counted)
    secrets = PassphraseSecrets.new(HORSE)
    assert derived == []

    ciphertexts: list[str] = []
    threads = [threading.Thread(target=lambda: ciphertexts.append(secrets.encrypt("x"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(derived) == 1
    assert len(ciphertexts) == 8
    assert len(set(ciphertexts)) == 1


@pytest.mark.usefixtures("few_rounds")
def test_a_keyring_gives_the_same_secrets_for_the_same_salt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", HORSE.text)
    state = PassphraseSecrets.new(HORSE).state
    keyring = Keyring(tmp_path)

    assert keyring.open(state) is keyring.open(dict(state))
    assert keyring.new().state != state


def test_neither_passphrases_nor_plaintexts_stand_in_a_repr() -> None:
    passphrase = Passphrase("hunter2", "the test")

    assert "hunter2" not in repr(passphrase) + repr(PassphraseSecrets.new(passphrase))


@pytest.mark.parametrize("text", ["", "  spaces stay  "])
def test_the_environment_variable_comes_first_even_when_it_is_empty(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    (tmp_path / "given").write_text("from the file")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", text)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE_FILE", str(tmp_path / "given"))

    found = find_passphrase(tmp_path / "home")

    assert found.text == text
    assert "PULUMI_CONFIG_PASSPHRASE" in found.origin
    assert not (tmp_path / "home").exists()


@pytest.mark.usefixtures("no_passphrase_set")
def test_a_passphrase_file_is_read_without_its_surrounding_white_space(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "given").write_text("  from the file\n")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE_FILE", str(tmp_path / "given"))

    found = find_passphrase(tmp_path / "home")

    assert found.text == "from the file"
    assert str(tmp_path / "given") in found.origin


@pytest.mark.usefixtures("no_passphrase_set")
def test_a_passphrase_file_that_is_not_there_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE_FILE", str(tmp_path / "gone"))

    with pytest.raises(BadInput, match=r"PULUMI_CONFIG_PASSPHRASE_FILE names, .*gone: No such file"):
        find_passphrase(tmp_path)


@pytest.mark.usefixtures("no_passphrase_set")
def test_without_any_a_passphrase_is_generated_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    home = tmp_path / "deep" / "home"

    first, second = find_passphrase(home), find_passphrase(home)

    assert first == second
    assert len(first.text) >= 32
    assert stat.S_IMODE((home / "passphrase").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert [path.name for path in home.iterdir()] == ["passphrase"]


@pytest.mark.usefixtures("no_passphrase_set")
def test_processes_that_start_at_once_agree_on_one_generated_passphrase(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys; from isostack.engine.secrets import find_passphrase;"
        "sys.stdin.read(); print(find_passphrase(pathlib.Path(sys.argv[1])).text)"
    )
    racers = [
        subprocess.Popen(  # noqa: S603  # this interpreter and a fixed program
            [sys.executable, "-c", program, str(tmp_path / "home")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for racer in racers:
        assert racer.stdin
        racer.stdin.close()
        racer.stdin = None

    texts = {racer.communicate()[0] for racer in racers}

    assert len(texts) == 1
    assert texts != {""}


@pytest.mark.usefixtures("no_passphrase_set")
def test_a_passphrase_that_another_process_generated_meanwhile_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    link = os.link

    def beaten(source: str, target: Path) -> None:
        target.write_text("the other's")
        target.chmod(0o600)
        link(source, target)

    monkeypatch.setattr(os, "link", beaten)

    assert find_passphrase(tmp_path).text == "the other's"


@pytest.mark.usefixtures("no_passphrase_set")
@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_generated_passphrase_that_others_may_read_is_refused_with_the_mend(tmp_path: Path, mode: int) -> None:
    find_passphrase(tmp_path)
    (tmp_path / "passphrase").chmod(mode)

    with pytest.raises(BadInput, match=f"chmod 600 {tmp_path / 'passphrase'}"):
        find_passphrase(tmp_path)


@pytest.mark.usefixtures("no_passphrase_set")
def test_an_emptied_passphrase_file_is_refused_and_not_generated_anew(tmp_path: Path) -> None:
    find_passphrase(tmp_path)
    (tmp_path / "passphrase").write_text("")

    with pytest.raises(BadInput, match="is empty"):
        find_passphrase(tmp_path)
