"""Programs as teams write them run unmodified: up, once more without a change, changed, destroyed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import CommandLine, Ran, program, project

MASK = "[secret]"


def outputs(isostack: CommandLine, folder: Path, stack: str) -> dict[str, Any]:
    """What the stack exports, secrets in the clear."""
    shown: dict[str, Any] = isostack("outputs", stack, "--show-secrets", "--json", cwd=folder).json
    return shown


def succeeded(ran: Ran) -> dict[str, Any]:
    """The document of an operation that went well."""
    assert ran.code == 0, ran.out + ran.err
    document: dict[str, Any] = ran.json
    assert document["result"] == "succeeded"
    return document


def test_a_web_shop_comes_up_stays_as_it_is_changes_and_goes(isostack: CommandLine, tmp_path: Path) -> None:
    shop = program("webshop", tmp_path)
    first = succeeded(isostack("up", "dev", "--json", cwd=shop))
    assert first["changes"]["create"] > 45
    assert first["changes"]["update"] == first["changes"]["replace"] == first["changes"]["delete"] == 0
    exported = first["outputs"]
    assert exported["url"] == "https://shop.dev.shop.example/"
    assert exported["network"]["vpc"].startswith("vpc-")
    assert exported["network"]["zones"] == ["eu-west-1a", "eu-west-1b"]
    assert exported["settings"] == {"instances": 3, "offices": ["192.0.2.0/24", "198.51.100.0/24"]}
    assert exported["payment_key"] == exported["connection_string"] == MASK
    assert exported["database"]["password"] == MASK
    assert exported["orders"]["queue"].startswith("arn:aws:sqs:eu-west-1:")

    clear = outputs(isostack, shop, "dev")
    assert clear["payment_key"] == "sk_live_staple_battery_42"
    password = clear["database"]["password"]
    assert len(password) == 24
    assert clear["connection_string"].startswith(f"postgresql://shop:{password}@")

    again = succeeded(isostack("up", "dev", "--json", cwd=shop))
    assert again["changes"] == {"create": 0, "update": 0, "replace": 0, "delete": 0, "same": first["changes"]["create"]}
    assert again["outputs"] == exported

    refreshed = succeeded(isostack("refresh", "dev", "--json", cwd=shop))
    assert refreshed["changes"]["update"] == refreshed["changes"]["delete"] == 0

    stack_file = shop / "config" / "Pulumi.dev.yaml"
    stack_file.write_text(stack_file.read_text().replace("instances: 3", "instances: 5"))
    changed = succeeded(isostack("up", "dev", "--json", cwd=shop))["changes"]
    assert (changed["create"], changed["update"], changed["replace"], changed["delete"]) == (0, 1, 0, 0)

    gone = succeeded(isostack("destroy", "dev", "--yes", "--json", cwd=shop))
    assert gone["changes"]["delete"] >= first["changes"]["create"]
    resources = isostack("export", "dev", cwd=shop).json["deployment"].get("resources") or []
    assert resources == []


def test_parents_tags_and_secrets_of_the_web_shop_are_in_its_state(isostack: CommandLine, tmp_path: Path) -> None:
    shop = program("webshop", tmp_path)
    stack_file = shop / "config" / "Pulumi.dev.yaml"
    stack_file.rename(stack_file.with_name("Pulumi.tagged.yaml"))
    succeeded(isostack("up", "tagged", "--json", cwd=shop))
    text = isostack("export", "tagged", cwd=shop).out
    by_urn = {r["urn"]: r for r in json.loads(text)["deployment"]["resources"]}

    def only(end: str) -> dict[str, Any]:
        (found,) = [r for urn, r in by_urn.items() if urn.endswith(end)]
        return dict(found)

    service = only("webshop:web:WebService$aws:ecs/service:Service::web")
    assert by_urn[service["parent"]]["type"] == "webshop:web:WebService"
    assert "aws/web-team" not in service["provider"]
    assert "pulumi:providers:aws::web-team::" in service["provider"]
    cluster = only("aws:ecs/cluster:Cluster::web")
    # The provider's default tags, and those of the transformation of the whole stack.
    assert cluster["outputs"]["tagsAll"] == {"team": "web", "costs": "4711", "project": "webshop", "stack": "tagged"}
    assert cluster["outputs"]["tags"] == {"project": "webshop", "stack": "tagged"}
    queue = only("aws:sqs/queue:Queue::orders-queue")
    assert queue["outputs"]["tags"] == {"purpose": "orders", "project": "webshop", "stack": "tagged"}
    assert "pulumi:providers:aws::default_" in queue["provider"]
    assert queue["inputs"]["name"].startswith("orders-queue-")
    # A component that is depended on stands for what is in it.
    assert queue["urn"] in by_urn[service["parent"]]["dependencies"]
    network = only("webshop:network:Network::shop")
    assert network["outputs"]["vpcId"].startswith("vpc-")
    assert "sk_live_staple_battery_42" not in text
    isostack("destroy", "tagged", "--yes", cwd=shop)


def test_one_project_uses_what_another_has_made(isostack: CommandLine, tmp_path: Path) -> None:
    network, consumer = program("network", tmp_path), program("consumer", tmp_path)
    too_early = isostack("up", "live", cwd=consumer)
    assert too_early.code == 1
    assert "network/live" in too_early.out + too_early.err

    made = succeeded(isostack("up", "live", "--json", cwd=network))["outputs"]
    used = succeeded(isostack("up", "live", "--json", cwd=consumer))
    assert used["outputs"]["first_subnet"] == made["subnet_ids"][0]
    assert used["outputs"]["token"] == MASK
    clear = outputs(isostack, consumer, "live")
    assert clear["token"] == outputs(isostack, network, "live")["peering_token"]
    text = isostack("export", "live", cwd=consumer).out
    assert clear["token"] not in text

    again = succeeded(isostack("up", "live", "--json", cwd=consumer))
    assert again["changes"]["same"] == used["changes"]["create"] + used["changes"]["same"]

    source = consumer / "__main__.py"
    source.write_text(source.read_text().replace('require_output("vpc_id")', 'require_output("vpc")'))
    missing = isostack("up", "live", cwd=consumer)
    assert missing.code == 1
    assert "'vpc'" in missing.out + missing.err
    for folder in (consumer, network):
        assert isostack("destroy", "live", "--yes", cwd=folder).code == 0


def test_a_quick_start_works_and_its_prints_and_logs_are_shown(isostack: CommandLine, tmp_path: Path) -> None:
    folder = program("serverless", tmp_path)
    ran = isostack("up", "dev", cwd=folder)
    assert ran.code == 0, ran.out + ran.err
    assert ran.out.count("deploying to dev") == 1
    assert ran.out.count("my-bucket: the bucket is private") == 1
    assert ran.out.count("warning: handler: the function has no dead-letter queue") == 1
    document = succeeded(isostack("up", "dev", "--json", cwd=folder))
    assert document["changes"]["create"] == document["changes"]["update"] == 0
    assert [d["message"] for d in document["diagnostics"] if d["severity"] == "warning"] == [
        "the function has no dead-letter queue"
    ]
    assert ":us-west-2:" in document["outputs"]["function_arn"]
    assert document["outputs"]["bucket_name"].startswith("my-bucket-")
    assert document["outputs"]["queue_url"].endswith(".fifo")

    (folder / "app" / "index.py").write_text("def handler(event, context):\n    return {'statusCode': 204}\n")
    changed = isostack("preview", "dev", cwd=folder).out
    assert "~  aws:lambda:Function handler update" in changed
    assert "~ code: ./app (changed)" in changed
    assert "1 to update" in changed
    assert isostack("destroy", "dev", "--yes", cwd=folder).code == 0


def test_look_ups_reads_and_imports_work(isostack: CommandLine, tmp_path: Path) -> None:
    folder = program("lookups", tmp_path)
    isostack("cloud", "start", cwd=folder)
    endpoint = isostack("cloud", "status", "--json", cwd=folder).json["endpoint"]
    made_before(endpoint, "adopted-queue")
    stack_file = folder / "Pulumi.dev.yaml"
    stack_file.write_text(stack_file.read_text() + f"  lookups:endpoint: {endpoint}\n")

    document = succeeded(isostack("up", "dev", "--json", cwd=folder))
    exported = document["outputs"]
    assert exported["account"] == "123456789012"
    assert exported["region"] == "eu-west-1"
    assert exported["zones"] == ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
    assert exported["partition"] == "aws"
    assert exported["seen_arn"] == exported["found_arn"]
    assert exported["seen_arn"].startswith("arn:aws:s3:::notes-")
    assert exported["own_block"] == "10.60.0.0/16"
    assert exported["adopted_arn"] == "arn:aws:sqs:eu-west-1:123456789012:adopted-queue"
    changes = succeeded(isostack("up", "dev", "--json", cwd=folder))["changes"]
    assert (changes["create"], changes["update"], changes["replace"], changes["delete"]) == (0, 0, 0, 0)

    # What was imported with retain_on_delete stays, what the program made goes.
    assert isostack("destroy", "dev", "--yes", cwd=folder).code == 0
    assert "adopted-queue" in queues(endpoint)


def test_a_program_may_be_a_coroutine(isostack: CommandLine, tmp_path: Path) -> None:
    folder = program("async_program", tmp_path)
    document = succeeded(isostack("up", "dev", "--json", cwd=folder))
    assert [url.rpartition("/")[2].rpartition("-")[0] for url in document["outputs"]["queues"]] == [
        "red-warm",
        "green-warm",
    ]
    assert ":late-" in document["outputs"]["topic"]
    assert succeeded(isostack("up", "dev", "--json", cwd=folder))["changes"]["same"] == document["changes"]["create"]
    assert isostack("destroy", "dev", "--yes", cwd=folder).code == 0


@pytest.mark.parametrize("layout", ["package", "namespace package"])
def test_modules_that_register_when_they_are_imported_do_so_in_every_run(
    isostack: CommandLine, tmp_path: Path, layout: str
) -> None:
    """The program runs twice in one process, once to see what it wants and once for real."""
    folder = project(tmp_path / "tests" / "layout", "from parts import queues\nimport top\n", name=layout.split()[0])
    (folder / "parts").mkdir()
    if layout == "package":
        (folder / "parts" / "__init__.py").write_text("")
    (folder / "parts" / "queues.py").write_text("import pulumi_aws as aws\n\naws.sqs.Queue('in-a-package')\n")
    (folder / "top.py").write_text("import pulumi_aws as aws\n\naws.sqs.Queue('at-the-top')\n")
    made = succeeded(isostack("up", "dev", "--json", cwd=folder))["changes"]
    assert made["create"] == 3
    assert isostack("destroy", "dev", "--yes", cwd=folder).code == 0


def made_before(endpoint: str, queue: str) -> None:
    """Make a queue by hand, as somebody did long ago."""
    from isostack.localcloud.client import Cloud

    Cloud(endpoint, "eu-west-1").client("sqs").create_queue(QueueName=queue)


def queues(endpoint: str) -> list[str]:
    """The names of all queues in the region."""
    from isostack.localcloud.client import Cloud

    found = Cloud(endpoint, "eu-west-1").client("sqs").list_queues().get("QueueUrls", [])
    return [url.rpartition("/")[2] for url in found]
