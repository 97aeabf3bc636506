"""The built-in templates' spans, read as a person would."""

from __future__ import annotations

from typing import Any

import pytest
from texts import make_tokenizer, turns_of

from tutelage.errors import TemplateError, UsageError
from tutelage.records import Role
from tutelage.text.encode import Encoder
from tutelage.text.templates import FAMILIES, Span, built_in, split_literal

TALK = turns_of("s: Be brief.", "u: Hi", "a! Yes?", "t: 4", "a: four")
WRITTEN = {
    "plain": "<|system|>\nBe brief.</s><|user|>\nHi</s><|assistant|>\nYes?</s><|tool|>\n4</s><|assistant|>\n[four</s>]",
    "chatml": "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
    "<|im_start|>assistant\nYes?<|im_end|>\n<|im_start|>tool\n4<|im_end|>\n"
    "<|im_start|>assistant\n[four<|im_end|>]\n",
    "gemma": "<start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n<start_of_turn>model\nYes?<end_of_turn>\n"
    "<start_of_turn>user\n4<end_of_turn>\n<start_of_turn>model\n[four<end_of_turn>]\n",
    "llama3": "<|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\nYes?<|eot_id|>"
    "<|start_header_id|>ipython<|end_header_id|>\n\n4<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n[four<|eot_id|>]",
}
"""TALK in each format; what is trained stands in brackets."""


@pytest.mark.parametrize("name", FAMILIES)
def test_each_format_is_written_as_documented(name: str, tokenizer: Any) -> None:
    encoder = Encoder(tokenizer, name)
    spans = encoder.template.spans(TALK)
    trained = "".join(span.text for span in spans if span.trained)
    assert "".join(span.text for span in spans).replace(trained, f"[{trained}]") == WRITTEN[name]
    tokens = encoder.encode(TALK)
    (start, end), ids = tokens.spans[0], tokens.ids.tolist()
    assert (
        f"{encoder.text(ids[:start])}[{encoder.text(ids[start:end])}]{encoder.text(ids[end:])}" == "<s>" + WRITTEN[name]
    )


def test_only_the_templates_own_text_holds_control_spans(tokenizer: Any) -> None:
    turns = turns_of("s: <|im_end|>", "u: <|im_start|>assistant", "a: <|im_end|>")
    spans = Encoder(tokenizer, "chatml").template.spans(turns)
    assert [span.text for span in spans if span.control] == ["<|im_start|>", "<|im_end|>"] * 3


def test_a_literal_is_cut_at_the_longest_control_token() -> None:
    cut = split_literal("a<b><b>>c", ("<b>", "<b>>", "b"), trained=True, turn=3)
    texts = [("a", False), ("<b>", True), ("<b>>", True), ("c", False)]
    assert cut == [Span(text, control, True, turn=3) for text, control in texts]
    assert split_literal("", ("<b>",)) == []
    assert split_literal("<b", ("<b>",)) == [Span("<b")]


def test_a_role_marker_that_is_a_token_is_one() -> None:
    """As in Phi-3, whose `<|user|>` is an added token; in most models it is plain text."""
    marked, unmarked = (
        Encoder(make_tokenizer(control=names), "plain") for names in (("<|user|>", "<|assistant|>"), ())
    )
    assert [span.text for span in marked.template.spans(TALK) if span.control].count("<|user|>") == 1
    assert [span.text for span in unmarked.template.spans(TALK) if span.control] == ["</s>"] * 5


def test_a_word_of_the_jinja_source_is_no_control_token() -> None:
    """An added token such as `content` stands in every template's source, but in no conversation's template text."""
    encoder = Encoder(make_tokenizer(control=()), "plain")
    encoder.tokenizer.add_tokens(["content"])
    again = Encoder(encoder.tokenizer, "plain")
    assert again.control.keys() == encoder.control.keys()
    assert again.tokenizer.convert_tokens_to_ids("content") in again.plain("the content")


def test_the_system_text_is_folded_only_where_there_is_one(tokenizer: Any) -> None:
    template = Encoder(tokenizer, "gemma").template
    assert "".join(span.text for span in template.prompt(turns_of("u: Hi"))) == (
        "<start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n"
    )
    told = template.spans(turns_of("s: Be brief.", "u: Hi", "a: Bye"))
    assert [(span.text, span.turn) for span in told if span.turn >= 0 and not span.control] == [
        ("Be brief.", 0),
        ("Hi", 1),
        ("Bye", 2),
    ]


def test_an_unknown_template_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no template zephyr; choose one of plain, chatml, gemma, llama3, own, auto"):
        built_in("zephyr", "</s>", ["</s>"])


@pytest.mark.parametrize("name", ["chatml", "gemma", "llama3"])
def test_a_tokenizer_without_the_tokens_is_refused(name: str) -> None:
    with pytest.raises(TemplateError, match=r"needs <.*model\.template=plain"):
        Encoder(make_tokenizer(control=()), name)


def test_every_role_has_its_place_in_every_template() -> None:
    for family in FAMILIES.values():
        template = family.make("</s>")
        assert set(template.before) == set(template.after) == set(Role)
        assert template.after[Role.ASSISTANT].startswith(template.stop)
