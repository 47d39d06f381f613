"""The page, as a person has it: opened from disk in a browser, on a desk and on a phone."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from isostack.preview.page import page
from isostack.preview.picture import MOST, WIDTH, picture
from isostack.preview.report import Node, PropertyChange, Report, ResourceChange
from isostack.preview.text import clean
from tests.preview.browser import NoBrowser, chromium
from tests.preview.reports import HOSTILE, QUEUE, database, environment, hostile, queue, report

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}


@dataclass
class Opened:
    """An open page, and all that it asked for or complained of."""

    page: Any
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def shown(self, selector: str = ".change") -> list[str]:
        """The names of the resources that can be seen."""
        rows = self.page.locator(selector)
        return [row.locator(".name").first.text_content() for row in rows.all() if row.is_visible()]


Open = Callable[..., Opened]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    context = chromium()
    try:
        browser = context.__enter__()
    except NoBrowser as error:
        warnings.warn(f"THE PAGE IS NOT TESTED IN A BROWSER: {error}", stacklevel=1)
        pytest.skip(f"no Chromium: {error}")
    yield browser
    context.__exit__(None, None, None)


@pytest.fixture
def opens(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Opens a report's page from a file."""
    contexts = []

    def open_(one: Report, size: dict[str, int] = DESK, **options: Any) -> Opened:
        file = tmp_path / "preview.html"
        file.write_text(page(one), encoding="utf-8")
        context = browser.new_context(viewport=size, **options)
        contexts.append(context)
        opened = Opened(context.new_page())
        opened.page.on("request", lambda request: opened.asked.append(request.url))
        opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        opened.page.on("console", lambda message: opened.complaints.append(message.text))
        opened.page.on("dialog", lambda dialog: (opened.complaints.append("dialog"), dialog.dismiss()))
        opened.page.goto(file.as_uri())
        return opened

    yield open_
    for context in contexts:
        context.close()


def several() -> Report:
    """Something of everything, in two environments."""
    gone = ResourceChange("shop-old", QUEUE, ("Environment shop",), "delete", data_at_stake=True)
    alike = [
        ResourceChange(f"shop-{number}", QUEUE, ("Environment shop",), "update", (PropertyChange("tags.version", "1", "2"),))
        for number in range(6)
    ]
    return report(environment("dev", queue(), *alike), environment("production", queue(after="120"), database(), gone))


def test_it_asks_for_nothing_and_complains_of_nothing(opens: Open) -> None:
    opened = opens(several())
    assert [url.partition(":")[0] for url in opened.asked] == ["file"]
    assert opened.complaints == []


def test_environments_stand_side_by_side_with_what_changes_coloured(opens: Open) -> None:
    opened = opens(several())
    boxes = [card.bounding_box() for card in opened.page.locator(".card").all()]
    assert len(boxes) == 4
    assert len({box["x"] for box in boxes}) >= 3
    colours = {
        op: opened.page.locator(f".cell.{op}").first.evaluate("cell => getComputedStyle(cell).backgroundColor")
        for op in ("update", "replace", "delete")
    }
    assert colours["update"] != colours["replace"]
    squares = opened.page.locator(".card[data-environment='3'] .picture rect")
    assert squares.count() == 3
    assert squares.first.locator("title").text_content() == "shop-jobs (aws:sqs:Queue): update"


def test_a_change_opens_to_show_values_by_environment(opens: Open) -> None:
    opened = opens(several())
    row = opened.page.locator(".change", has_text="shop-jobs")
    row.locator("summary").click()
    values = row.locator(".value")
    assert [value.locator(".in").text_content() for value in values.all()] == ["dev", "production"]
    assert [value.locator("ins").text_content() for value in values.all()] == ["90", "120"]
    replaced = opened.page.locator(".change", has_text="shop-database")
    replaced.locator("summary").click()
    assert "replace in production, forced by storageEncrypted data is at stake" in " ".join(replaced.inner_text().split())


def test_filters_show_what_fits(opens: Open) -> None:
    opened = opens(several())
    everything = {"shop-jobs", "shop-database", "shop-old"}
    assert set(opened.shown()) == everything
    opened.page.locator("#alike").check()
    assert set(opened.shown()) == everything | {f"shop-{number}" for number in range(6)}
    opened.page.locator("#alike").uncheck()
    opened.page.locator("input[name=op][value=delete]").uncheck()
    assert set(opened.shown()) == {"shop-jobs", "shop-database"}
    opened.page.locator("#stake").check()
    assert opened.shown() == ["shop-database"]
    opened.page.locator("input[name=environment][value='3']").uncheck()
    assert opened.shown() == []
    assert opened.page.locator("#nothing").is_visible()
    assert not opened.page.locator(".card[data-environment='3']").is_visible()
    opened.page.locator("#stake").uncheck()
    opened.page.locator("#search").fill("queue JOBS")
    assert opened.shown() == ["shop-jobs"]
    assert opened.page.locator("#shown").text_content() == "1 of 9 resources"


def test_on_a_phone_nothing_is_wider_than_the_screen(opens: Open) -> None:
    for one in (several(), hostile()):
        opened = opens(one, PHONE)
        for row in opened.page.locator(".change summary").all()[:10]:
            if row.is_visible():
                row.click()
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_it_follows_a_dark_screen(opens: Open) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        opened = opens(several(), color_scheme=scheme)
        grounds.append(opened.page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds == ["rgb(246, 247, 249)", "rgb(16, 21, 28)"]


def test_without_its_script_everything_can_be_read(opens: Open) -> None:
    opened = opens(several(), java_script_enabled=False)
    rows = opened.page.locator(".change .name")
    assert rows.count() == 9
    assert all(row.is_visible() for row in rows.all())


def test_hostile_names_come_out_as_text(opens: Open) -> None:
    opened = opens(hostile())
    assert opened.complaints == []
    assert [url.partition(":")[0] for url in opened.asked] == ["file"]
    assert opened.page.title().startswith(HOSTILE[0])
    assert opened.page.locator("script").count() == 1
    assert opened.page.locator("img, iframe, a, object, embed, form").count() == 0
    assert opened.page.locator("svg:not(.picture)").count() == 0
    headings = [heading.text_content() for heading in opened.page.locator(".card h2").all()]
    assert headings[: len(HOSTILE)] == [clean(name) for name in HOSTILE]
    assert (
        opened.page.evaluate("[...document.querySelectorAll('*')].some(e => [...e.attributes].some(a => /^on/.test(a.name)))")
        is False
    )
    assert "49" not in opened.page.locator("h2", has_text="7 * 7").text_content()


def test_two_runs_give_the_same_bytes() -> None:
    assert page(several()) == page(several())
    assert page(hostile()) == page(hostile())


def test_the_picture_has_a_square_for_every_resource_and_leaves_out_what_stays_where_there_are_many() -> None:
    component = Node("shop", "shop:index:Shop", -1, "same", component=True)
    inner = Node("queues", "shop:index:Queues", 0, "same", component=True)
    few = [component, inner, Node("a", QUEUE, 1, "update"), Node("b", QUEUE, 2, "same"), Node("c", QUEUE, -1, "create")]
    drawn = picture(few)
    assert [[square.title.partition(" ")[0] for square in row.squares] for row in drawn.rows] == [[], ["a", "b"], ["c"]]
    many = [component, *(Node(f"q{number}", QUEUE, 0, "update" if number % 100 == 0 else "same") for number in range(MOST + 100))]
    (row,) = picture(many).rows
    assert (len(row.squares), row.more) == (5, MOST + 95)
    squares = [square for row in drawn.rows for square in row.squares]
    assert all(square.x < WIDTH and square.y < drawn.height for square in squares)
