"""up, preview, refresh and destroy through the real command: what they print, their documents, their exit codes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from isostack.localcloud.client import Cloud
from tests.cli.mail import RESOURCES, SECRET, configure, mail_project
from tests.command_line import CommandLine, Ran, project

KEYS = {
    "stack", "engine", "operation", "result", "exit_code", "changes", "duration_seconds", "outputs", "diagnostics",
    "policy", "widening", "cost",
}  # fmt: skip
NOTHING = {"create": 0, "update": 0, "replace": 0, "delete": 0}


def document(ran: Ran, code: int = 0) -> dict[str, Any]:
    """The document of an operation, with the keys that every one has."""
    assert ran.code == code, ran.out + ran.err
    found: dict[str, Any] = ran.json
    assert set(found) == KEYS
    assert tuple(found["changes"]) == ("create", "update", "replace", "delete", "same")
    assert found["exit_code"] == code
    return found


def cloud_of(isostack: CommandLine, folder: Path) -> Cloud:
    """A client of the local cloud, to look behind the engine's back."""
    return Cloud(isostack("cloud", "status", "--json", cwd=folder).json["endpoint"])


def test_the_life_of_a_stack_as_a_person_reads_it(isostack: CommandLine, tmp_path: Path) -> None:
    folder = mail_project(tmp_path, "read")

    planned = isostack("preview", "dev", cwd=folder)
    assert planned.code == 0, planned.err
    assert planned.err == ""
    assert planned.out.startswith("Previewing dev (read)\n")
    for label in RESOURCES:
        assert re.search(rf"[├└]─ \+  {label} create$", planned.out, re.M), planned.out
    assert '+ tags: {"of": "[unknown]"}' in planned.out
    assert "+ tags: " in planned.out
    assert "[secret]" in planned.out
    assert re.search(r"^dev: would change, 5 to create, \d+\.\d s$", planned.out, re.M)
    assert isostack("status", "--json", cwd=folder).json["environments"][0]["resources"] == 0

    made = isostack("up", "dev", cwd=folder)
    assert made.code == 0, made.err
    assert "\x1b" not in made.out
    for label in RESOURCES:
        assert re.search(rf"^\+  {label} created( \d+\.\d\d s)?$", made.out, re.M), made.out
    assert re.search(r"^  inbox +mail-inbox-[0-9a-f]{7}$", made.out, re.M)
    assert re.search(r'^  nested +\{"key": "\[secret\]", "list": \[1, "two"\]\}$', made.out, re.M)
    assert re.search(r"^dev: done, 5 created, \d+\.\d s$", made.out, re.M)

    again = isostack("up", "dev", cwd=folder)
    assert "Queue" not in again.out
    assert re.search(r"^dev: no changes, 5 resources as before, \d+\.\d s$", again.out, re.M)

    configure(folder, timeout="60", short="true")
    updating = isostack("preview", "dev", cwd=folder).out
    assert re.search(r"~  aws:sqs:Queue mail-inbox update\n.*~ visibilityTimeoutSeconds: 30 => 60$", updating, re.M)
    assert "-  aws:sqs:Queue extra delete" in updating
    assert "mail-copy" not in updating
    assert re.search(r"^dev: would change, 1 to update, 1 to delete \(3 unchanged\)", updating, re.M)

    configure(folder, fifo="true")
    replacing = isostack("preview", "dev", cwd=folder).out
    assert "+- aws:sqs:Queue mail-inbox replace" in replacing
    assert re.search(r"[+~] fifoQueue: .*true  forces replacement$", replacing, re.M)
    assert "~  aws:sqs:Queue mail-copy update" in replacing
    assert re.search(r'~ tags\.of: "arn:aws:sqs:eu-west-1:\d+:mail-inbox-[0-9a-f]{7}" => \[unknown\]', replacing)
    assert "tagsAll" not in replacing
    assert re.search(r"1 to update, 1 to replace", replacing)
    replaced = isostack("up", "dev", cwd=folder)
    assert re.search(r"^dev: done, 1 updated, 1 replaced \(3 unchanged\), \d+\.\d s$", replaced.out, re.M)
    assert re.search(r"^  inbox +mail-inbox-[0-9a-f]{7}\.fifo$", replaced.out, re.M)

    asked = isostack("destroy", "dev", cwd=folder)
    assert asked.code == 2
    assert "--yes" in asked.err
    gone = isostack("destroy", "dev", "--yes", cwd=folder)
    assert gone.code == 0
    order = [gone.out.index(f"{label} deleted") for label in ("Queue mail-copy", "Queue mail-inbox", "Mail mail")]
    assert order == sorted(order)
    assert re.search(r"^dev: done, 5 deleted, \d+\.\d s$", gone.out, re.M)
    assert "nothing there" in isostack("destroy", "dev", "--yes", cwd=folder).out

    leaks = [file for file in isostack.home.rglob("*") if file.is_file() and SECRET.encode() in file.read_bytes()]
    assert leaks == []
    assert SECRET not in isostack.everything


def test_every_operation_prints_one_document(isostack: CommandLine, tmp_path: Path) -> None:
    folder = mail_project(tmp_path, "machine")
    source = folder / "__main__.py"
    source.write_text("import os\nprint('chatter')\nos.system('echo louder chatter')\n" + source.read_text())

    planned = document(isostack("preview", "dev", "--json", cwd=folder))
    assert planned["operation"] == "preview"
    assert planned["engine"] == "embedded"
    assert planned["changes"] == {**NOTHING, "create": 5, "same": 0}
    assert planned["policy"] == []

    made = document(isostack("up", "dev", "--json", cwd=folder))
    assert (made["stack"], made["operation"], made["result"]) == ("dev", "up", "succeeded")
    assert made["changes"] == {**NOTHING, "create": 5, "same": 0}
    assert made["outputs"]["nested"] == {"list": [1, "two"], "key": "[secret]"}
    assert {"urn": "", "severity": "info", "message": "chatter"} in made["diagnostics"]
    assert document(isostack("up", "dev", "--json", cwd=folder))["changes"] == {**NOTHING, "same": 5}

    refreshed = document(isostack("refresh", "dev", "--json", cwd=folder))
    assert refreshed["operation"] == "refresh"
    assert refreshed["changes"] == {**NOTHING, "same": 3}
    refused = isostack("destroy", "dev", "--json", cwd=folder)
    assert refused.code == 2
    assert refused.json["result"] == "failed"
    gone = document(isostack("destroy", "dev", "--yes", "--json", cwd=folder))
    assert gone["changes"] == {**NOTHING, "delete": 5, "same": 0}

    source.write_text("raise ValueError('no')\n")
    failed = document(isostack("up", "dev", "--json", cwd=folder), code=1)
    assert failed["result"] == "failed"
    assert failed["diagnostics"] == [{"urn": "", "severity": "error", "message": "__main__.py:1: ValueError: no"}]


def test_what_changed_behind_the_engine_is_found_and_mended(isostack: CommandLine, tmp_path: Path) -> None:
    folder = mail_project(tmp_path, "drift")
    made = document(isostack("up", "dev", "--json", cwd=folder))
    client = cloud_of(isostack, folder).client("sqs")
    resources = isostack("export", "dev", cwd=folder).json["deployment"]["resources"]
    (copy,) = [r["id"] for r in resources if r["urn"].endswith("::mail-copy")]
    client.delete_queue(QueueUrl=copy)
    inbox = client.get_queue_url(QueueName=made["outputs"]["inbox"])["QueueUrl"]
    client.set_queue_attributes(QueueUrl=inbox, Attributes={"VisibilityTimeout": "77"})

    assert document(isostack("preview", "dev", "--json", cwd=folder))["changes"] == {**NOTHING, "same": 5}
    looked = isostack("preview", "dev", "--refresh", cwd=folder).out
    assert "~ visibilityTimeoutSeconds: 77 => 30" in looked
    assert "+  aws:sqs:Queue mail-copy create" in looked
    refreshed = isostack("refresh", "dev", cwd=folder)
    assert refreshed.code == 0
    assert re.search(r"aws:sqs:Queue mail-copy deleted .*\(gone from the cloud\)", refreshed.out)
    assert re.search(r"^dev: done, 1 updated, 1 deleted \(1 unchanged\)", refreshed.out, re.M)
    mended = document(isostack("up", "dev", "--refresh", "--json", cwd=folder))
    assert mended["changes"] == {**NOTHING, "create": 1, "update": 1, "same": 3}
    isostack("destroy", "dev", "--yes", cwd=folder)


def test_targets_narrow_an_operation(isostack: CommandLine, tmp_path: Path) -> None:
    folder = mail_project(tmp_path, "aim")
    made = isostack("up", "dev", "--target", "**::extra", "--parallel", "1", cwd=folder).out
    assert "aws:sqs:Queue extra created" in made
    assert made.count("aws:sqs:Queue") == 1
    # The rest, without going through the program first.
    rest = document(isostack("up", "dev", "--skip-preview", "--json", cwd=folder))
    assert rest["changes"]["create"] + rest["changes"]["same"] == 5
    assert rest["changes"]["create"] >= 2
    wrong = isostack("up", "dev", "--target", "**::nobody", cwd=folder)
    assert wrong.code == 1
    assert "--target **::nobody" in wrong.out + wrong.err
    gone = isostack("destroy", "dev", "--yes", "--target", "**::mail-copy", "--json", cwd=folder)
    assert document(gone)["changes"]["delete"] == 1
    left = isostack("destroy", "dev", "--yes", "--target", "**::extra", "--target", "**::mail-inbox", cwd=folder)
    assert left.code == 0
    isostack("destroy", "dev", "--yes", cwd=folder)


def test_a_failure_skips_what_depends_on_it_keeps_the_rest_and_is_mended_later(isostack: CommandLine, tmp_path: Path) -> None:
    source = (
        "import pulumi\nimport pulumi_aws as aws\n"
        "bad = aws.sqs.Queue('bad', name='not a name!')\n"
        "aws.sqs.Queue('after', tags={'of': bad.arn})\n"
        "aws.sqs.Queue('beside')\n"
    )
    folder = project(tmp_path / "fails", source, name="fails")
    ran = isostack("up", "dev", cwd=folder)
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert any(line.startswith("error: bad (aws:sqs/queue:Queue) could not be created: ") for line in lines), ran.out
    assert "warning: after (aws:sqs/queue:Queue) was skipped: depends on bad, which failed" in lines
    assert "+  aws:sqs:Queue beside created" in ran.out
    assert re.match(r"dev: failed, 2 created, ", lines[-1])
    assert lines.index(next(line for line in lines if line.startswith("error:"))) == len(lines) - 3
    failed = document(isostack("up", "dev", "--json", cwd=folder), code=1)
    assert {d["severity"] for d in failed["diagnostics"]} == {"error", "warning"}
    assert all(d["urn"].startswith("urn:pulumi:dev::fails::") for d in failed["diagnostics"])

    (folder / "__main__.py").write_text(source.replace("not a name!", "a-name"))
    assert document(isostack("up", "dev", "--json", cwd=folder))["changes"] == {**NOTHING, "create": 2, "same": 2}
    isostack("destroy", "dev", "--yes", cwd=folder)
