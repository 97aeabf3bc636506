"""The data page: what it counts, what it hides, and that nothing in it acts."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.arguments import recipe_of
from tutelage.data import duplicates, page, quality, reading, specimens, store
from tutelage.data.breadth import Breadth, Share, survey
from tutelage.data.exchange import word_set
from tutelage.data.overview import Bar, Overview, about, histogram, name_of
from tutelage.data.page import DataPage, gather, html
from tutelage.data.topics import Topic
from tutelage.pages import readable
from tutelage.recipe import Recipe, build
from tutelage.records import Conversation, Dataset, Dropped, Example, Finding, Ledger, Role, Source, Turn, with_ids

NASTY = (
    "</td></script><script>steal()</script><img src=x onerror=steal()> \" ' & {{ 7*7 }} {% raw %} \x1b[2J\u202e🙂 שלום"
)
VOID = frozenset(("meta", "br"))
ALLOWED = word_set(
    "html head meta title style body main h1 h2 h3 p bdi strong section ul li div pre table caption thead tbody tr th"
    " td span svg rect circle text details summary br"
)
ATTRIBUTES = word_set(
    "lang charset name content http-equiv class scope viewbox preserveaspectratio aria-hidden aria-label role width"
    " height cx cy r x y dir"
)
Make = Callable[..., Dataset]


class Elements(HTMLParser):
    """Elements, attributes and text of a page; elements that are not closed in order are noted."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names, self.attributes = set[str](), set[str]()
        self.text: list[str] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def broad(name: str = "write", narrow: bool = False) -> Breadth:
    """A breadth as `survey` gives it, with one kind and one topic of a name."""
    kinds, topics = (Share(name, 2, 1.0, 0.5, (name,)),), (Topic(name, (name,), 2, 1.0, (name,), 0.3, -0.9),)
    told = name if narrow else ""
    none = survey(())
    return replace(none, kinds=kinds, topics=topics, of=2, sampled=2, narrow=narrow, warning=told, advice=told)


def made(dataset: Dataset, recipe: Recipe | None = None, **given: object) -> DataPage:
    """The page of a data set, without clustering it."""
    return gather(dataset, recipe or Recipe(), breadth=broad(), **given)  # type: ignore[arg-type]


def hostile() -> Dataset:
    """Hostile text wherever data can put some."""
    source = Source(f"/data/{NASTY.replace('/', '')}.jsonl", (1,))
    talk = Conversation((Turn(Role.SYSTEM, NASTY), Turn(Role.USER, NASTY), Turn(Role.ASSISTANT, NASTY)))
    twin = Conversation((Turn(Role.USER, NASTY * 9), Turn(Role.ASSISTANT, NASTY * 9)))
    rows = [(talk, source, NASTY, (NASTY,)), (twin, source, "", ()), (twin, replace(source, rows=(2,)), "", ())]
    return Dataset(
        with_ids(rows),
        (Dropped(source, "row", NASTY, NASTY), Dropped(source, "conversation", NASTY, NASTY)),
        (Finding(source, NASTY, "flag", NASTY), Finding(replace(source, rows=(2,)), "cut", "flag", NASTY)),
        Ledger(5, 4, 1, 4, 3, 1),
        {NASTY: 3},
        ((NASTY, NASTY),),
        {source.file: NASTY},
    )


def test_text_from_data_stays_text() -> None:
    recipe = build({"data": {"files": [NASTY], "columns": NASTY, "instruction": NASTY}})
    read = Elements(html(gather(hostile(), recipe, breadth=broad(NASTY, True))))
    assert (read.names - ALLOWED, read.attributes - ATTRIBUTES) == (set(), set())
    assert (read.wrong, read.open) == ([], [])
    text = "".join(read.text)
    assert text.count("steal()") > 40 and text.count("{{ 7*7 }}") > 20 and "49 }}" not in text
    assert "\x1b" not in text and "\u202e" not in text and readable(NASTY) in text


def test_the_policy_allows_nothing_but_the_style_sheet() -> None:
    text = html(made(hostile()))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    digest = r"style-src &#39;sha256-[A-Za-z0-9+/=]{44}&#39;"
    assert re.fullmatch(
        f"default-src &#39;none&#39;; {digest}; base-uri &#39;none&#39;; form-action &#39;none&#39;", policy[1]
    )
    assert "http://" not in text and "https://" not in text and " style=" not in text


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))  # halves of pairs are never read
def test_any_text_stays_text(text: str) -> None:
    talk = Conversation((Turn(Role.USER, text), Turn(Role.ASSISTANT, text)))
    dataset = Dataset(with_ids([(talk, Source(text, (1,)), text, (text,))]), ledger=Ledger(1, 1, 0, 1, 1, 0))
    read = Elements(html(made(dataset)))
    assert (read.names - ALLOWED, read.attributes - ATTRIBUTES, read.wrong, read.open) == (set(), set(), [], [])


def test_a_long_text_is_cut_with_a_mark(dataset: Make) -> None:
    text = html(made(dataset(("word " * 200_000, "x" * 1_000_000))))
    assert len(text) < 40_000
    assert text.count("[999,520 more characters]") >= 2


SECRETS = ("jane.roe@example.org", "hunter2-xy", "+49 170 1234567", "4111 1111 1111 1111")


def test_personal_data_is_counted_and_nowhere_shown(dataset: Make) -> None:
    asked = f"My mail is {SECRETS[0]}, password: {SECRETS[1]}, call {SECRETS[2]} or pay with {SECRETS[3]}."
    rows = dataset((asked, "Noted."), (asked + " Please!", "Noted."), ("When?", f"Write to {SECRETS[0]}.", SECRETS[0]))
    first = rows.examples[0].source
    reasons = [
        f"the answer is only “{SECRETS[1]}”",
        "asked in English, answered in French: “call +49 170 …”",
        "says again: “pay with 4111 1111 …”",
        f"“mail to jane.roe@exam …” against {SECRETS[0]}",
    ]
    examples = tuple(replace(example, tags=(SECRETS[0],)) for example in rows.examples)
    found = made(
        replace(
            rows, examples=examples, findings=tuple(Finding(first, f"r{n}", "flag", r) for n, r in enumerate(reasons))
        )
    )
    private = {each.kind: (each.pieces, each.in_answers, each.conversations) for each in found.overview.private}
    assert private == {"PASSWORD": (2, 0, 2), "EMAIL": (3, 1, 3), "CARD": (2, 0, 2), "PHONE": (2, 0, 2)}
    for text in (html(found), json.dumps(found.as_dict(), ensure_ascii=False)):
        for secret in (*SECRETS, "jane.roe", "hunter2", "+49", "170", "4111"):
            assert secret not in text, secret


def test_an_excerpt_never_ends_in_half_of_something_personal() -> None:
    assert specimens.excerpt("Call me at +49 170 …") == "Call me at …"
    assert specimens.excerpt("“Write to jane.roe@exam …”") == "“Write to …”"
    assert specimens.excerpt("Write to jane.roe@example.org today …") == "Write to [EMAIL] …"
    assert specimens.excerpt("How do I cancel?") == "How do I cancel?"


def test_everything_adds_up(dataset: Make) -> None:
    rows = [
        (f"What is the number of room {n}?", "It is " + "very " * (n % 7) + f"near, number {n}.") for n in range(60)
    ]
    rows += [rows[0], ("Wie heißt die Stadt, in der du und ich gern sind?", "Das ist die Stadt, in der wir wohnen.")]
    read = duplicates.drop_repeats(quality.apply(dataset(*rows)))
    found = made(read).overview
    assert [bar.count for bar in found.funnel] == [62, 62, 62, 61]
    assert {rule.rule: rule.count for rule in found.dropped} == {"repeat": 1}
    flags = Counter(each.rule for each in read.findings)
    assert {rule.rule: rule.count for rule in found.flagged} == dict(flags)
    for bars in (found.prompts, found.answers, found.languages_asked, found.languages_answered):
        assert sum(bar.count for bar in bars) == 61
        assert sum(bar.share for bar in bars) == pytest.approx(1)
    assert ("German", 1) in {(bar.name, bar.count) for bar in found.languages_asked}
    for each in found.repetitions:
        assert each.groups == 0 or sum(group.size for group in each.largest) <= each.surplus + each.groups


def test_near_duplicates_are_grouped(dataset: Make) -> None:
    long = "Open the settings of your account, choose the tab on security, and press the button that says reset"
    question = "How can I get a new password when I do not know the old one any more"
    read = dataset(
        (f"{question}?", f"{long}."),
        (f"{question}, please?", f"{long} now."),
        (f"{question} now?", "Ask the person who set the account up for you; she has to send you a new link by mail."),
        ("Something else?", "No."),
    )
    whole, asked, answered = made(read).overview.repetitions
    assert (whole.groups, whole.surplus, whole.largest[0].sources) == (1, 1, ("made:1", "made:2"))
    assert whole.largest[0].members[1].asked == f"{question}, please?"
    assert (asked.surplus, answered.surplus) == (0, 0)  # the third one's question is compared among those left over


@settings(deadline=None)
@given(st.lists(st.integers(0, 9000)))
def test_a_histogram_loses_nothing(lengths: list[int]) -> None:
    bars = histogram(Counter(lengths))
    assert sum(bar.count for bar in bars) == len(lengths)

    def holds(bar: Bar, length: int) -> bool:
        low, _, high = bar.name.replace(",", "").partition("–")
        if low.startswith("more than"):
            return length > int(low.split()[-1])
        return int(low) <= length <= int(high or low)

    assert [sum(holds(bar, length) for length in lengths) for bar in bars] == [bar.count for bar in bars]


def test_samples_show_what_the_reason_speaks_of() -> None:
    turns = [Turn(Role.USER, "one?"), Turn(Role.ASSISTANT, "1"), Turn(Role.USER, "two?"), Turn(Role.ASSISTANT, "2")]
    talk = Example("a", Conversation(tuple(turns)), Source("f", (7,)))
    rows = [
        Finding(talk.source, "trivial", "flag", f"the answer is only a number{where}") for where in (" in turn 2", "")
    ]
    shown = specimens.samples(Dataset((talk,)), [rows])[0]["trivial"]
    assert [(one.source, one.asked, one.answered) for one in shown] == [("f:7", "one?", "1"), ("f:7", "two?", "2")]
    lost = Dropped(Source("f", (8,)), "row", "layout", "lacks a column")
    assert specimens.samples(Dataset((talk,)), [[], [lost]])[1]["layout"] == (
        specimens.Specimen("f:8", "lacks a column"),
    )


def test_samples_are_few_and_differ_in_their_reasons() -> None:
    rows = [Finding(Source("f", (n,)), "loop", "flag", f"stands {n} times") for n in range(9)]
    rows.append(Finding(Source("f", (9,)), "loop", "flag", "goes round"))
    shown = specimens.samples(Dataset(()), [rows])[0]["loop"]
    assert [one.source for one in shown] == ["f:0", "f:9", "f:1"]


def test_every_rule_says_what_it_finds() -> None:
    assert [name for name in (*quality.RULES, *quality.SET_RULES, "repeat", "spam", "layout") if not about(name)] == []
    assert about("no such rule") == ""


def notes_of(found: DataPage, tone: str) -> str:
    return "\n".join(note.text for note in found.notes if note.tone == tone)


def test_good_data_gets_no_worry(dataset: Make, write: Callable[..., Path]) -> None:
    read = dataset(
        *((f"What is the capital of land {n}?", f"The capital of that land is town {n}.") for n in range(150))
    )
    file = write("faq.jsonl", "{}\n")
    write("LICENSE", "MIT License\n")
    found = made(replace(read, formats={str(file): "prompt and response"}))
    assert notes_of(found, "look") == ""
    assert "Every one of the 150 rows could be read." in notes_of(found, "good")
    assert [command.text for command in found.commands] == [
        "tutelage curate --out data-clean",
        "tutelage tune data-clean",
    ]


def test_what_to_look_at_and_what_to_type(dataset: Make) -> None:
    answer = "You can find all of this on the page of your account, under settings and then security" + ", or there" * 3
    read = dataset(
        ("I am jo@example.org, where is it?", answer), ("I am jo@example.org, where is it now?", f"{answer}, too")
    )
    flags = tuple(Finding(e.source, rule, "flag", "why") for e in read.examples for rule in ("html", "cut", "short"))
    recipe = build({"data": {"files": ["my faq.csv"], "columns": "prompt=q,response=a", "agents": "shop.example"}})
    found = gather(replace(read, findings=flags), recipe, breadth=broad("All of it is one task.", True))
    for told in ("2 conversations are few", "one task", "2 e-mail addresses", "nearly the same", "flag 100%"):
        assert told in notes_of(found, "look"), told
    safe, bold, tune = [shlex.split(command.text) for command in found.commands]
    assert safe == [
        *("tutelage", "curate", "my faq.csv", "--columns", "prompt=q,response=a", "--out", "my-faq-clean"),
        *("data.agents=shop.example", "personal.mask=true", "quality.repair=html"),
    ]
    assert bold == [*safe, "data.near=drop", "quality.drop=cut"]
    assert tune == ["tutelage", "tune", "my-faq-clean", "--mix", "general:0.2"]
    assert recipe_of(safe[7:]).quality.repair == ("html",)


def test_rows_that_are_left_out_on_purpose_are_no_worry(dataset: Make) -> None:
    rows = tuple(
        Dropped(Source("f", (n,)), "row", rule, "why") for n, rule in enumerate(("bot message", "spam", "layout"))
    )
    read = replace(dataset(("a?", "b.")), ledger=Ledger(4, 1, 3, 1, 1, 0))
    aside = "left out as no messages to learn from: 1 bot message, 1 spam"
    assert f"Every one of the 4 rows could be read; {aside}." in notes_of(made(replace(read, dropped=rows[:2])), "good")
    lost = "1 of 4 rows (25%) could not be used: 1 layout"
    assert f"{lost}; {aside}." in notes_of(made(replace(read, dropped=rows)), "look")


def test_own_public_addresses_are_left_alone(dataset: Make) -> None:
    found = made(dataset(("Where do I write to?", "Write to help@shop.example.")))
    assert "All stand in answers" in notes_of(found, "look")
    assert "personal.mask" not in found.commands[0].text


def test_a_curated_folder_is_tuned_next(dataset: Make, tmp_path: Path) -> None:
    read = dataset(("a?", "b."), ("c?", "d."))
    store.save(read, tmp_path / "clean")
    found = made(read, out=tmp_path / "clean")
    assert found.curated and found.title == "clean"
    assert [shlex.split(command.text)[:3] for command in found.commands] == [
        ["tutelage", "tune", str(tmp_path / "clean")]
    ] * 2
    (kept,) = found.overview.files
    assert (kept.name, kept.conversations) == (str(tmp_path / "clean" / "kept.jsonl"), 2)


def test_the_page_says_what_was_counted_on_a_sample(dataset: Make) -> None:
    read = dataset(*((f"What is {n}?", f"A number, {n}.") for n in range(20)))
    assert "on a sample of" not in html(made(read))
    found = made(read, sample=read.examples[:7])
    assert (found.overview.conversations, found.overview.looked_at) == (20, 7)
    assert sum(bar.count for bar in found.overview.languages_asked) == 7
    assert "languages, near duplicates, personal data, kinds and topics on a sample of 7" in html(found)


def test_of_many_some_are_drawn_by_a_seed(dataset: Make) -> None:
    examples = dataset(*((f"What is {n}?", f"A number, {n}.") for n in range(50))).examples
    assert page.drawn(examples, many=50) is examples
    few = page.drawn(examples, many=49, most=20)
    assert few == page.drawn(examples, many=49, most=20) != page.drawn(examples, many=49, most=20, seed=1)
    assert len(few) == 20 and list(few) == [example for example in examples if example in few]


def test_files_are_named_with_their_hash_and_licence(write: Callable[..., Path]) -> None:
    file = write("faq.jsonl", '{"prompt": "a?", "response": "b."}\n')
    write("LICENSE-NOTE.md", "# faq\nLicence: CC0-1.0, ask jo@example.org\n")
    recipe = build({"data": {"files": [str(file)]}})
    (fact,) = made(reading.read(recipe.data), recipe).overview.files
    digest = subprocess.run(["sha256sum", str(file)], capture_output=True, text=True, check=True).stdout.split()[0]
    assert (fact.bytes, fact.sha256, fact.conversations) == (file.stat().st_size, digest, 1)
    assert fact.licence is not None and fact.licence.line == "Licence: CC0-1.0, ask [EMAIL]"
    file.unlink()
    gone = Dataset((), formats={str(file): "prompt and response"})
    assert "the file is not there any more" in html(made(gone, recipe))


def test_nothing_at_all_is_a_page_too() -> None:
    found = gather(Dataset(()), Recipe())
    assert isinstance(found.overview, Overview) and found.overview.breadth is None
    assert Elements(html(found)).wrong == []


def test_names_stay_on_one_line() -> None:
    assert name_of("a\nb\t c") == "a b c"
    assert len(name_of("x" * 500)) < 250


def test_the_same_data_gives_the_same_bytes(tmp_path: Path) -> None:
    """Also in a process that orders its sets differently."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; import test_page;"
        "from tutelage.data import page; page.write(test_page.made(test_page.hostile()), Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path / "there.html")]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "1"})
    page.write(made(hostile()), tmp_path / "here.html")
    assert (tmp_path / "here.html").read_bytes() == (tmp_path / "there.html").read_bytes()
