"""Questions asked in the page, with a real browser, of a real API on a released lake."""

from __future__ import annotations

import csv
import io
import re
import sqlite3
from pathlib import Path

from playwright.sync_api import expect

from streamlit_app.answer_tools import STEPS
from tests.api.server import Server, serving
from tests.support.lake import Lake
from tests.ui.conftest import Readers
from tests.ui.page import WAIT_MS, Reader, cells, heard, paged, words

_BY_PAYER = "billed amount by payer"
_VAGUE = "what is the cost by payer"


def test_rows_are_the_api_s(reader: Reader, server: Server) -> None:
    """Every row, in the order of the API's, in words that people read; and where it all comes from."""
    answer = reader.ask(_BY_PAYER)
    told = server.answer("/ask", question=_BY_PAYER)
    assert cells(answer) == heard(told)
    text = words(answer)
    assert f"Read as {told['interpretation']}" in text
    assert f"Release {told['release']['number']} of" in text
    assert all(notice["text"][1:] in text for notice in told["notices"])
    assert "Semantic" in text or "Certified" in text
    assert answer.locator("canvas, svg.marks").count() >= 2  # a chart beside the table
    answer.get_by_text("SQL", exact=True).click()
    shown_sql = answer.get_by_test_id("stCode").inner_text(timeout=WAIT_MS)
    assert re.sub(r"\s+", "", shown_sql) == re.sub(r"\s+", "", told["sql"])
    answer.get_by_text(f"Definitions ({len(told['definitions'])})").click()
    expect(answer.get_by_text(told["definitions"][0]["source"]).first).to_be_visible()


def test_badges(reader: Reader) -> None:
    """An approved example is certified; what was asked before is cached."""
    question = "Which payer has the highest denial rate?"
    assert "Certified" in words(reader.ask(question))
    assert "Cached" in words(reader.ask(question))
    assert reader.questions == [question, question]


def test_steps_appear(reader: Reader) -> None:
    """While the question is under way its steps stand there; afterwards each has its time."""
    reader.send("paid amount by specialty in 2025")
    expect(reader.page.get_by_text(STEPS["router"]).first).to_be_visible(timeout=WAIT_MS)
    answer = reader.answer(0)
    answer.get_by_text(re.compile(r"^Steps \(\d\)")).click()
    expect(answer.get_by_text(STEPS["suggester"])).to_be_visible()
    text = words(answer)
    assert all(STEPS[name] in text for name in ("router", "planner", "executor", "explainer"))
    assert re.search(r"\d ms", text)


def test_starter_questions_have_answers(reader: Reader, server: Server) -> None:
    """Those that the release has answered; one of them is asked by its button."""
    starter = reader.page.locator('[class*="st-key-starter-"] button').first
    expect(starter).to_have_text(re.compile(r"\w"), timeout=2 * WAIT_MS)
    first = words(starter)
    assert first in {one["question"] for one in server.client.get("/examples").json()["examples"]}
    assert cells(reader.click(first))


def test_a_choice_clarifies(reader: Reader, server: Server) -> None:
    """Each reading is a button; the chosen one's rows are those of its typed query, and then the choice is closed."""
    asked = server.answer("/ask", question=_VAGUE)
    question = reader.ask(_VAGUE)
    labels = [one["label"] for one in asked["options"]]
    assert words(question).count("by payer") >= len(labels)
    answer = reader.click(labels[-1])
    told = server.answer("/ask", typed_query=asked["options"][-1]["typed_query"])
    assert cells(answer) == heard(told)
    expect(question.get_by_role("button").filter(has_text=labels[0])).to_be_disabled()


def test_a_refusal_says_why_and_what_instead(reader: Reader, server: Server) -> None:
    """The nearest questions that can be answered are buttons, and asking one answers it."""
    told = server.answer("/ask", question="claims for Cigna")
    refusal = reader.ask("claims for Cigna")
    text = words(refusal)
    assert "The data hold no such value" in text
    assert told["explanation"][1:] in text
    assert told["nearest"]
    assert all(nearest in text for nearest in told["nearest"])
    assert not refusal.get_by_test_id("stDataFrame").count()
    assert cells(reader.click(told["nearest"][0]))


def test_a_follow_up_is_one_press_away(reader: Reader, server: Server) -> None:
    told = server.answer("/ask", question=_BY_PAYER)
    reader.ask(_BY_PAYER)
    answer = reader.click(told["follow_ups"][0])
    assert reader.questions == [_BY_PAYER, told["follow_ups"][0]]
    assert len(cells(answer)) > 1


def test_a_definition(reader: Reader) -> None:
    """Its terms with their sources; there is nothing to take away."""
    answer = reader.ask("what is a denial rate")
    assert "Denied claims divided by adjudicated claims" in words(answer)
    assert not answer.get_by_test_id("stDownloadButton").count()


def test_two_questions_in_one(reader: Reader, server: Server) -> None:
    """Each part has its own words and table, one below the other."""
    question = "How many claims are there? What is the denial rate?"
    told = server.answer("/ask", question=question)
    assert len(told["parts"]) == 2
    answer = reader.ask(question)
    expect(answer.get_by_test_id("stDataFrame")).to_have_count(2, timeout=WAIT_MS)
    assert [cells(answer, place) for place in range(2)] == [heard(part) for part in told["parts"]]
    assert words(answer).count("Read as") == 2


def test_the_download_is_the_api_s(reader: Reader, server: Server, tmp_path: Path) -> None:
    """Byte for byte, and with the rows of the answer."""
    answer = reader.ask(_BY_PAYER)
    with reader.page.expect_download(timeout=WAIT_MS) as begun:
        answer.get_by_test_id("stDownloadButton").get_by_role("button").click()
    begun.value.save_as(tmp_path / "answer.csv")
    name = re.search(r"st-key-answer-([0-9a-f]{32})", answer.get_attribute("class") or "")
    assert name
    taken = (tmp_path / "answer.csv").read_bytes()
    assert taken == server.client.get(f"/answers/{name.group(1)}/download", params={"format": "csv"}).content
    rows = list(csv.reader(io.StringIO(taken.decode("utf-8-sig"))))[1:]
    told = server.answer("/ask", question=_BY_PAYER)
    assert [row[: len(told["columns"])] for row in rows] == [[str(cell) for cell in row] for row in told["rows"]]


def test_a_rating_lands_in_the_table(reader: Reader, small: Lake) -> None:
    """The stars at once, the reason when it is sent."""
    answer = reader.ask("claims by payer")
    answer.get_by_role("radio", name="4 out of 5 stars").click()
    expect(answer.get_by_text("Kept: 4 of 5")).to_be_visible(timeout=WAIT_MS)
    answer.get_by_label("What was right or wrong?").fill("the payers are *all* there")
    answer.get_by_role("button").filter(has_text="Send reason").click()
    expect(answer.get_by_text("Your reason:")).to_be_visible(timeout=WAIT_MS)
    with sqlite3.connect(small.home / "app.db") as connection:
        kept = connection.execute("SELECT rating, reason FROM medflow_feedback").fetchall()
    assert (4, "the payers are *all* there") in kept


def test_masked_cells_say_so(small: Lake, reader_of: Readers) -> None:
    """For the role `business`: masked in its place, with the reason, and never as a number or an empty cell."""
    question = "claims by specialty and payer"
    with serving(small, role="business") as server, paged(server.url) as url:
        told = server.answer("/ask", question=question)
        masked = {(row, name) for row, name, _ in told["suppressed_cells"]}
        assert masked
        reader = reader_of(url)
        expect(reader.main.get_by_text("as business")).to_be_visible(timeout=WAIT_MS)
        answer = reader.ask(question)
        text = words(answer)
        assert f"{len(masked)} masked cell" in text
        assert "too few cases stand behind it" in text
        assert "Suppressed cells" in text
        table = answer.get_by_test_id("stDataFrame").first
        table.hover()
        reader.page.mouse.wheel(0, 100_000)
        names = [column["name"] for column in told["columns"]]
        place = f"#glide-cell-{names.index('claim_count')}-{max(row for row, _ in masked)}"
        expect(table.locator(place)).to_have_text("masked", timeout=WAIT_MS)


def test_nothing_comes_from_elsewhere(reader: Reader, page_url: str) -> None:
    """Fonts, icons, charts and scripts are all the page's own."""
    reader.ask(_BY_PAYER)
    reader.open("pipeline")
    reader.page.wait_for_timeout(1_000)
    assert reader.hosts == {page_url.removeprefix("http://")}


def test_the_conversation_stays_and_can_begin_anew(reader: Reader) -> None:
    reader.ask("claims by payer")
    reader.ask("hello")
    assert reader.questions == ["claims by payer", "hello"]
    reader.button("New conversation").click()
    expect(reader.page.get_by_role("heading", name="Ask about the data")).to_be_visible(timeout=WAIT_MS)
    expect(reader.answers).to_have_count(0, timeout=WAIT_MS)
    assert reader.questions == []


def test_on_a_narrow_screen_by_keyboard(reader_of: Readers, page_url: str) -> None:
    """At 420 px nothing is wider than the screen, and a follow-up is reached with Tab and asked with Enter."""
    reader = reader_of(page_url, width=420)
    answer = reader.ask(_BY_PAYER)
    assert reader.page.evaluate("document.documentElement.scrollWidth") <= 420
    chip = answer.locator('[class*="st-key-chip-"] button').first
    label = words(chip)
    for _ in range(60):
        reader.page.keyboard.press("Shift+Tab")
        if chip.evaluate("element => element === document.activeElement"):
            break
    reader.page.keyboard.press("Enter")
    reader.answer(1)
    assert label.endswith(reader.questions[-1])
