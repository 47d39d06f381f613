"""The comment of a pull request: one, edited in place, and nothing in an artefact is taken on trust."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from isostack.preview.markdown import LIMIT, MARK, markdown
from tests.preview.reports import hostile
from tests.workflows.github import FORK, NUMBER, REPOSITORY, SHA, TOKEN, FakeGitHub, archive, github, run

ROOT = Path(__file__).parent.parent.parent
OWN = f"https://github.com/{REPOSITORY}"


def _script() -> Any:
    spec = importlib.util.spec_from_file_location("github_comment", ROOT / ".github" / "comment.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


comment = _script()


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    with github() as served:
        yield served


def post(fake: FakeGitHub, tmp_path: Path, event: dict[str, Any] | None = None) -> int:
    """Run the script as the workflow does."""
    (tmp_path / "event.json").write_text(json.dumps({"workflow_run": event or run()}))
    environment = {
        "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
        "GITHUB_REPOSITORY": REPOSITORY,
        "GITHUB_API_URL": fake.address,
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_TOKEN": TOKEN,
    }
    code: int = comment.main(environment, lambda seconds: None)
    return code


# -- one comment --------------------------------------------------------------------------------------------------------


def test_a_preview_is_posted_and_says_of_which_commit_it_is(fake: FakeGitHub, tmp_path: Path) -> None:
    assert post(fake, tmp_path) == 0
    [body] = fake.bodies
    assert body.startswith(f"{MARK}\nhello\n")
    assert SHA in body
    assert f"{OWN}/actions/runs/77" in body


def test_the_next_push_edits_the_same_comment(fake: FakeGitHub, tmp_path: Path) -> None:
    fake.add("a person's words", "somebody")
    post(fake, tmp_path)
    fake.content = archive(number=str(NUMBER), comment="anew")
    post(fake, tmp_path)
    assert [method for method, _ in fake.calls] == ["POST", "PATCH"]
    assert len(fake.bodies) == 2
    assert "anew" in fake.bodies[1]
    assert "hello" not in fake.bodies[1]


def test_the_same_preview_again_writes_nothing(fake: FakeGitHub, tmp_path: Path) -> None:
    post(fake, tmp_path)
    post(fake, tmp_path)
    assert len(fake.calls) == 1


def test_the_comment_is_found_behind_a_hundred_others(fake: FakeGitHub, tmp_path: Path) -> None:
    for number in range(130):
        fake.add(f"words {number}", "somebody")
    fake.add(f"{MARK}\nold")
    post(fake, tmp_path)
    assert [method for method, _ in fake.calls] == ["PATCH"]


def test_a_comment_of_somebody_else_with_our_mark_is_left_alone(fake: FakeGitHub, tmp_path: Path) -> None:
    fake.add(f"{MARK}\nfake", "somebody")
    post(fake, tmp_path)
    assert fake.bodies[0] == f"{MARK}\nfake"
    assert len(fake.bodies) == 2


def test_the_playground_has_a_section_beside_the_preview(fake: FakeGitHub, tmp_path: Path) -> None:
    post(fake, tmp_path)
    fake.content = archive(number=str(NUMBER), comment="```text\naddress http://127.0.0.1:4566\n```\n")
    post(fake, tmp_path, run("playground"))
    fake.content = archive(number=str(NUMBER), comment="anew")
    post(fake, tmp_path)
    [body] = fake.bodies
    assert "address http://127.0.0.1:4566" in body
    assert "anew" in body
    assert body.index("anew") < body.index("<!-- isostack playground -->")


def test_what_another_workflow_wrote_over_is_written_again(fake: FakeGitHub, tmp_path: Path) -> None:
    fake.add(f"{MARK}\nold")

    def overwrite() -> None:
        """The other workflow read before we wrote, and writes after."""
        fake.meanwhile = lambda: fake.comments[0].update(body="<!-- isostack playground -->\nthere")

    fake.meanwhile = overwrite
    post(fake, tmp_path)
    fake.meanwhile = lambda: None
    assert set(comment.sections(fake.bodies[0])) >= {"preview"}
    assert "hello" in fake.bodies[0]


def test_two_comments_that_were_made_at_once_become_one(fake: FakeGitHub, tmp_path: Path) -> None:
    fake.meanwhile = lambda: fake.add("<!-- isostack playground -->\nthere") and None
    post(fake, tmp_path)
    [body] = fake.bodies
    assert comment.sections(body).keys() == {"preview", "playground"}


def test_a_run_that_came_to_no_preview_says_so(fake: FakeGitHub, tmp_path: Path) -> None:
    fake.content = archive(number=str(NUMBER))
    post(fake, tmp_path)
    assert "did not come to an end" in fake.bodies[0]


def test_the_longest_preview_and_a_playground_fit_into_what_github_takes() -> None:
    longest = comment.section_of(run(), "x" * (LIMIT - 1), OWN)
    assert "too long" not in longest
    assert "too long" in comment.section_of(run(), "x" * 70_000, OWN)
    parts = {name: "x" * room for name, room in comment.ROOM.items()}
    assert len(comment.joined(parts)) < 65_536


# -- hostile artefacts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "event"),
    [
        ({"sha": "0" * 40, "repo": {"full_name": FORK}}, run()),
        ({"sha": SHA, "repo": {"full_name": "another/platform"}}, run()),
        ({"sha": SHA, "repo": None}, run()),
        ({"sha": SHA, "repo": {"full_name": FORK}}, run(head_sha="0" * 40)),
    ],
)
def test_another_requests_number_is_no_way_to_its_comment(
    fake: FakeGitHub, tmp_path: Path, capsys: pytest.CaptureFixture[str], head: dict[str, Any], event: dict[str, Any]
) -> None:
    fake.head = head
    assert post(fake, tmp_path, event) == 0
    assert fake.calls == []
    assert "is not the commit that ran" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no artefact"),
        (b"this is no archive", "cannot be read"),
        (archive(comment="hello"), "cannot be read"),
        (archive(number="12/comments?x=", comment="hello"), "names no pull request"),
        (archive(number="\u0661\u0662", comment="hello"), "names no pull request"),
        (archive(number="0" * 30, comment="hello"), "more than 20 bytes"),
        (archive(number="12", comment=b"\xff\xfe"), "cannot be read"),
        (archive(number="12", comment="x" * 400_000), "more than 300,000 bytes"),
        (archive(number="12", comment="x" * 100_000_000), "more than 300,000 bytes"),
    ],
    ids=["none", "no archive", "no number", "a path", "digits of another script", "a long number", "no text", "long", "a bomb"],
)
def test_an_artefact_that_is_not_as_ours_is_not_posted(
    fake: FakeGitHub, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, said: str
) -> None:
    fake.content = content
    assert post(fake, tmp_path) == 0
    assert fake.calls == []
    error = capsys.readouterr().err
    assert error.startswith("nothing posted: ")
    assert said in error
    assert error.count("\n") == 1


def test_a_large_archive_is_not_fetched(fake: FakeGitHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake.size = 50_000_001
    post(fake, tmp_path)
    assert "more than 50,000,000 bytes" in capsys.readouterr().err
    assert not any("zip" in path for path in fake.told_the_token)


def test_the_host_of_the_archive_does_not_see_the_token(fake: FakeGitHub, tmp_path: Path) -> None:
    post(fake, tmp_path)
    assert fake.calls
    assert not any(path.startswith("/storage/") for path in fake.told_the_token)


def test_an_answer_of_github_that_refuses_is_a_failure(fake: FakeGitHub, tmp_path: Path) -> None:
    fake.content = archive(number="13", comment="hello")
    assert post(fake, tmp_path) == 1


# -- what works of a text -----------------------------------------------------------------------------------------------

GOLDEN = sorted((ROOT / "tests" / "preview" / "golden").glob("*.md"))


@pytest.mark.parametrize("file", GOLDEN, ids=[file.stem for file in GOLDEN])
def test_what_isostack_writes_stays_as_it_is(file: Path) -> None:
    text = file.read_text(encoding="utf-8").removeprefix(f"{MARK}\n")
    assert comment.defused(text, "https://example.com") == text


def test_names_from_programs_stay_as_isostack_writes_them() -> None:
    text = markdown(hostile(), f"{OWN}/actions/runs/77#artifacts").removeprefix(f"{MARK}\n")
    assert comment.defused(text, OWN) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("thanks, @everybody", "thanks, @&#8203;everybody"),
        ("&#64;everybody", "&#38;#&#8203;64;everybody"),
        ("see #12 and a/b#3", "see #&#8203;12 and a/b#&#8203;3"),
        ("[log in](https://evil.example)", "&#91;log in](https:&#8203;//evil.example)"),
        (f"[Everything]({OWN}.evil.example/x)", f"&#91;Everything]({OWN.replace(':', ':&#8203;')}.evil.example/x)"),
        ("![seen](https://evil.example/1.png)", "!&#91;seen](https:&#8203;//evil.example/1.png)"),
        ('<img src="x">', '&#60;img src="x">'),
        ("<details open>", "&#60;details open>"),
        ("`<code>` @everybody `</code>`", "&#96;<code>&#96; &#64;everybody &#96;</code>&#96;"),
        ("<code>[log in](//evil.example)</code>", "<code>&#91;log in&#93;(//evil.example)</code>"),
        ("<code> @everybody", "&#60;code> @&#8203;everybody"),
        ("words\n```\n@everybody", "words\n&#96;&#96;&#96;\n@&#8203;everybody"),
        ("<details>\n\u00a0\n```\n@everybody\n</details>", "<details>\n\u00a0\n&#96;&#96;&#96;\n@&#8203;everybody\n</details>"),
        ("```mermaid\n@everybody", "&#96;&#96;&#96;mermaid\n@&#8203;everybody"),
        ("```\nx\n   ````  \n@everybody", "```\nx\n   ````  \n@&#8203;everybody"),
        ("~~~\n@everybody", "&#126;&#126;&#126;\n@&#8203;everybody"),
        ("```\n<!-- isostack playground -->", "```\n <!-- isostack playground -->\n```"),
        ("<!-- isostack playground -->", "&#60;!-- isostack playground -->"),
        ("<details>\n\nhidden", "<details>\n\nhidden\n\n</details>"),
        ("a\u202eb\x00c\rd", "a\ufffdb\ufffdc\ufffdd"),
    ],
)
def test_what_could_reach_further_than_the_comment_comes_out_as_text(text: str, shown: str) -> None:
    assert comment.defused(text, OWN) == shown


class _Active(HTMLParser):
    """What of a page is a link, a picture or a mention: outside of code GitHub looks for mentions."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._code = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._code += tag == "code"
        plain = attrs in ([], [("class", "language-diff")], [("class", "language-text")])
        self.found += [tag] if tag in ("a", "img") or not plain else []

    def handle_endtag(self, tag: str) -> None:
        self._code -= tag == "code"

    def handle_data(self, data: str) -> None:
        self.found += ["mention"] if "@a" in data and not self._code else []


LINES = [
    *(
        "",
        "\u00a0",
        "```",
        "````",
        " ```",
        "``` ",
        "    ```",
        "```diff",
        "~~~",
        "- a",
        "> ```",
        "| a |",
        "<!--",
        "<pre>",
        "<details>",
    ),
    *("<summary><code>a</code></summary>", "<code>a</code> @a <code>b</code>", "`<code>` @a `</code>`", "<code>@a"),
    *("@a", "[x](//e)", "&#64;a", "&commat;a"),
]
PIECES = [
    *("`", "```", " ", "\\", "\t", "\r", "\n", "<", "<code>", "</code>", "<sub>", "<!--", "-->", "<a href=x>", "&lt;a href=x>"),
    *("@a", "&commat;a", "<b@a.example>", "[x](//e)", "![x](//e)", "[x]: //e"),
]


@settings(max_examples=600, deadline=None)
@given(st.lists(st.sampled_from(LINES), max_size=6).map("\n".join) | st.lists(st.sampled_from(PIECES), max_size=6).map("".join))
def test_no_text_has_a_link_or_a_mention_as_a_reader_of_commonmark_sees_it(text: str) -> None:
    page = _Active()
    page.feed(MarkdownIt("commonmark").enable("table").render(comment.defused(text, OWN)))
    assert page.found == []


def test_marks_in_a_text_make_no_section() -> None:
    section = comment.section_of(run(), f"{MARK}\n{MARK}\n```\n\n```\n<!-- isostack playground -->\nfake\n```", OWN)
    assert comment.sections(comment.joined({"preview": section})).keys() == {"preview"}
