"""A model's own chat template: proven, or refused with the reason."""

from __future__ import annotations

import resource
import sys
import threading
import time
from typing import Any

import pytest
from texts import examples_of, make_tokenizer, turns_of

from tutelage.errors import TemplateError
from tutelage.records import Turn
from tutelage.text import own
from tutelage.text.encode import Encoder, encode_all
from tutelage.text.own import OwnTemplate, prove

CHATML = """{% for message in messages %}
{{- '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"""
ZEPHYR = """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>\n' + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}"""
PHI = """{% for message in messages %}{{ '<|' + message['role'] + '|>' + '\n' + message['content'] + '<|end|>\n' }}
{%- endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"""
LLAMA3 = """{{ bos_token }}{% for message in messages %}
{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"""
GEMMA = """{{ bos_token }}{% if messages[0]['role'] == 'system' %}
{{- raise_exception('System role not supported') }}{% endif %}
{%- for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
{{- raise_exception('Conversation roles must alternate user/assistant') }}{% endif %}
{%- set role = 'model' if message['role'] == 'assistant' else message['role'] %}
{{- '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"""
MISTRAL = """{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}
{{- '[INST]' + message['content'] + '[/INST]' }}
{%- elif message['role'] == 'assistant' %}{{ message['content'] + eos_token }}
{%- else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"""
GOOD = {"chatml": CHATML, "zephyr": ZEPHYR, "phi": PHI, "llama3": LLAMA3, "gemma": GEMMA, "mistral": MISTRAL}

LINE = "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}"
ASK = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
THOUGHTS = """{% for m in messages %}{% set text = m['content'] %}
{%- if m['role'] == 'assistant' and not loop.last %}{% set text = text.split('</think>')[-1] %}{% endif %}
{{- '<|im_start|>' + m['role'] + '\n' + text + '<|im_end|>\n' }}{% endfor %}"""
BAD = {
    "shortens earlier answers": (THOUGHTS.replace("'</think>'", "' '") + ASK, "rewrites the texts"),
    "repeats a turn": ("{% for m in messages + messages[:1] %}" + LINE + "{% endfor %}" + ASK, "repeats"),
    "loses the first turn": ("{% for m in messages[1:] %}" + LINE + "{% endfor %}" + ASK, "loses"),
    "moves turns": ("{% for m in messages | reverse %}" + LINE + "{% endfor %}" + ASK, "moves"),
    "has no stop token": (
        "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}",
        "stop token",
    ),
    "ends only the last answer": (
        "{% for m in messages %}{{ m['role'] + ': ' + m['content'] }}{{ eos_token if loop.last and "
        "m['role'] == 'assistant' else '\n' }}{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}",
        "stop token",
    ),
    "has two stop tokens": (
        "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] }}"
        "{{ eos_token if loop.last and m['role'] == 'assistant' else '<|im_end|>' }}{% endfor %}" + ASK,
        "stop token",
    ),
    "prompts with another role": (
        "{% for m in messages %}" + LINE + "{% endfor %}{% if add_generation_prompt %}<|im_start|>bot\n{% endif %}",
        "not the start",
    ),
    "has no generation prompt": ("{% for m in messages %}" + LINE + "{% endfor %}", "not the start"),
    "writes an empty thought before the last answer": (
        "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}"
        "{% if loop.last and m['role'] == 'assistant' %}{{ '[INST]\n\n[/INST]\n\n' }}{% endif %}"
        "{{ m['content'] + '<|im_end|>\n' }}{% endfor %}" + ASK,
        "not the start",
    ),
    "says something else each time it is run": (
        "{{ range(99999) | random }}{% for m in messages %}" + LINE + "{% endfor %}" + ASK,
        "rewrites the texts",
    ),
    "is no template": ("{% for m in messages %}", "refuses these turns"),
    "needs what is not there": ("{{ tokenizer.eos }}", "refuses these turns"),
    "upper-cases": ("{% for m in messages %}{{ m['content'] | upper }}<|im_end|>{% endfor %}", "rewrites the texts"),
    "writes nothing": ("", "loses"),
}
ESCAPES = (
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ self.__init__.__globals__ }}",
    "{{ raise_exception.__globals__['jinja2'] }}",
    "{{ strftime_now.__closure__[0] }}",
    "{{ messages.append(1) }}",
    "{{ messages[0].update({'content': 'x'}) }}",
    "{{ '{0.__class__.__mro__}'.format(1).x }}",
    "{{ (messages | attr('__class__')).mro() }}",
    "{{ lipsum.__globals__['os'].system('id') }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}{{ os.name }}",
    "{{ namespace.__init__.__globals__ }}",
)


def encoder_with(jinja: str, tokenizer: Any = None) -> Encoder:
    tokenizer = tokenizer or make_tokenizer()
    tokenizer.chat_template = jinja
    return Encoder(tokenizer, "own")


@pytest.mark.parametrize("name", GOOD)
def test_templates_of_known_families_are_proven_and_equal_transformers(name: str) -> None:
    encoder = encoder_with(GOOD[name])
    jinja = encoder.portable_jinja()
    assert jinja == GOOD[name] if "bos_token" in GOOD[name] else jinja == "{{ bos_token }}" + GOOD[name]
    talks = [
        turns_of("u: What is two plus two?", "a: It is four."),
        turns_of("u: Hi", "a: Bye", "u: the quick brown fox\n\njumps", "a: over\n\nthe lazy dog"),
        turns_of("s: Be brief.", "u: Hi", "a: Bye", "u: Thanks", "a: ok"),
    ]
    for turns in talks[:2] if name in ("gemma", "mistral") else talks:
        messages = [{"role": str(turn.role), "content": turn.text} for turn in turns]
        tokens = encoder.encode(turns)
        assert (
            tokens.ids.tolist()
            == encoder.tokenizer.apply_chat_template(messages, chat_template=jinja, return_dict=True)["input_ids"]
        )
        theirs = encoder.tokenizer.apply_chat_template(
            messages[:-1], chat_template=jinja, add_generation_prompt=True, return_dict=True
        )
        assert encoder.prompt(turns[:-1]) == theirs["input_ids"]
        answers = [encoder.decode(tokens.ids[start:end].tolist()) for start, end in tokens.spans]
        assert answers == [turn.text for turn in turns if turn.is_trained]
        assert {int(tokens.ids[end - 1]) for _, end in tokens.spans} == {encoder.control[encoder.template.stop]}


@pytest.mark.parametrize("why", BAD)
def test_a_template_that_cannot_be_trusted_is_refused(why: str) -> None:
    jinja, reason = BAD[why]
    with pytest.raises(TemplateError, match=reason) as caught:
        encoder_with(jinja)
    assert "model.template=plain" in str(caught.value)


@pytest.mark.parametrize("escape", ESCAPES)
def test_a_template_cannot_leave_its_sandbox(escape: str) -> None:
    with pytest.raises(TemplateError, match="refuses these turns"):
        encoder_with(CHATML + escape)


def test_a_template_that_never_ends_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "SECONDS_MOST", 0.2)
    loops = "{% for i in range(99999) %}" * 3 + "{% endfor %}" * 3
    start = time.monotonic()
    with pytest.raises(TemplateError, match=r"ran for over 0\.2 s"):
        encoder_with(loops + CHATML)
    assert time.monotonic() - start < 5


def test_a_template_that_writes_without_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "OUTPUT_MOST", 10_000)
    with pytest.raises(TemplateError, match="wrote over 10000 characters"):
        encoder_with("{% for i in range(99999) %}a lot of text{% endfor %}" + CHATML)


def test_a_template_is_stopped_though_the_first_alarm_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python only reports what is raised while it collects garbage; then the alarm has to come again."""
    monkeypatch.setattr(own, "AGAIN", 0.05)
    lost: list[BaseException] = []

    def forever() -> str:
        while True:
            try:
                while True:
                    pass
            except BaseException as error:  # as the garbage collector does
                if lost:
                    raise
                lost.append(error)

    with pytest.raises(TemplateError, match="ran for over"):
        own._bounded(0.05, forever)
    assert len(lost) == 1


SWOLLEN = {
    "a constant": "{{ 'x' | center(9000000000) }}",
    "a method": "{% set n = 9000000000 %}{{ 'x'.center(n) }}",
    "a format": "{% set x = '%9000000000d' %}{{ x % 1 }}",
    "a batch": "{% set n = 9000000000 %}{{ ['x'] | batch(n, 'y') | list }}",
    "doubling": "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "a tree": "{% set ns = namespace(x=1) %}{% for i in range(99) %}{% set ns.x = [ns.x] * 2 %}{% endfor %}{{ ns.x }}",
}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how large a process is")
@pytest.mark.parametrize("how", SWOLLEN)
def test_a_template_that_swells_is_stopped_before_the_memory_is_full(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By no single operator, so the sandbox lets it pass; afterwards the process may grow again."""
    monkeypatch.setattr(own, "SECONDS_MOST", 1.0)
    before = resource.getrlimit(resource.RLIMIT_AS)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(TemplateError, match=r"MemoryError|ran for over|wrote over"):
        encoder_with(SWOLLEN[how] + CHATML)
    assert resource.getrlimit(resource.RLIMIT_AS) == before
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) * 1024 < 1.5 * own.MEMORY_MOST


@pytest.mark.parametrize("sum_", ["'a' * 1000000000", "10 ** 1000000000", "[0] * 99999 * 99999", "99999 * 99999 * 'a'"])
def test_a_template_cannot_fill_the_memory_in_one_step(sum_: str) -> None:
    with pytest.raises(TemplateError, match="of things this large"):
        encoder_with("{% set x = " + sum_ + " %}" + CHATML)
    encoder_with("{% set x = '-' * 3 * 2 %}" + CHATML)


def test_a_template_of_absurd_size_is_refused() -> None:
    with pytest.raises(TemplateError, match="over 200000 characters"):
        prove(OwnTemplate(CHATML + "{#" + "x" * 200_000 + "#}", ("<|im_end|>",), {}))


def test_a_template_works_outside_the_main_thread() -> None:
    """Where no timer can be set."""
    made: list[Encoder] = []
    thread = threading.Thread(target=lambda: made.append(encoder_with(CHATML)))
    thread.start()
    thread.join()
    assert made[0].template.name == "own"


def test_conversations_that_a_template_does_not_take_are_dropped_with_the_reason() -> None:
    plain, told = turns_of("u: Hi", "a: Bye"), turns_of("s: Be brief.", "u: Hi", "a: Bye")
    used = turns_of("u: Hi", "a: let me look", "t: 4", "a: four")
    for name, refused in (("gemma", [told, used]), ("mistral", [told, used]), ("zephyr", [used])):
        examples = examples_of([plain, *refused])
        encoded = encode_all(encoder_with(GOOD[name]), examples, 999)
        assert [example.id for example in encoded.examples] == [examples[0].id]
        assert [(dropped.source.rows, dropped.rule) for dropped in encoded.dropped] == [
            ((row,), "template") for row in range(2, 2 + len(refused))
        ]
    assert "System role not supported" in str(encode_all(encoder_with(GEMMA), examples_of([told]), 999).dropped[0])


def test_a_template_that_forgets_the_system_turn_is_not_used_for_it() -> None:
    encoder = encoder_with("{% for m in messages if m['role'] != 'system' %}" + LINE + "{% endfor %}" + ASK)
    encoder.encode(turns_of("u: Hi", "a: Bye"))
    with pytest.raises(TemplateError, match="loses"):
        encoder.encode(turns_of("s: Be brief.", "u: Hi", "a: Bye"))


def test_conversations_whose_earlier_thoughts_are_stripped_are_refused() -> None:
    """Their tokens would not be those that the model saw when it wrote the later answer."""
    encoder = encoder_with(THOUGHTS + ASK)
    encoder.encode(turns_of("u: Hi", "a: <think>hm</think>Bye"))
    encoder.encode(turns_of("u: Hi", "a: Bye", "u: Thanks", "a: <think>hm</think>ok"))
    with pytest.raises(TemplateError, match="rewrites"):
        encoder.encode(turns_of("u: Hi", "a: <think>hm</think>Bye", "u: Thanks", "a: ok"))


def test_a_conversation_that_ends_with_another_token_is_refused() -> None:
    line = LINE.replace("'<|im_end|>\n'", "('<|end|>' if messages | length > 8 else '<|im_end|>') + '\n'")
    encoder = encoder_with("{% for m in messages %}" + line + "{% endfor %}" + ASK)
    encoder.encode(turns_of(*["u: Hi", "a: Bye"] * 4))
    with pytest.raises(TemplateError, match="one stop token"):
        encoder.encode(turns_of(*["u: Hi", "a: Bye"] * 5))


def test_texts_that_a_template_trims_are_trimmed() -> None:
    encoder = encoder_with(LLAMA3)
    trimmed = turns_of("u: Hi", "a: Bye")
    loose = tuple(Turn(turn.role, text) for turn, text in zip(trimmed, (" Hi\n", "Bye  "), strict=True))
    assert encoder.encode(loose).ids.tolist() == encoder.encode(trimmed).ids.tolist()


def test_marks_in_peoples_text_are_text() -> None:
    """The marks that stand for texts in the first run are characters that people may write too."""
    encoder = encoder_with(CHATML)
    turns = turns_of("u: \ue0f00\ue0f1 and \ue0f01\ue0f1", "a: \ue0f00\ue0f1")
    (start, end), ids = encoder.encode(turns).spans[0], encoder.encode(turns).ids.tolist()
    assert encoder.decode(ids[start:end]) == turns[1].text


def test_generation_marks_change_nothing() -> None:
    start, end = (
        "{{- '<|im_start|>' + message['role'] + '\n' }}{% generation %}",
        "{% endgeneration %}{{ '<|im_end|>\n' }}",
    )
    line = "{% for message in messages %}" + start + "{{ message['content'] }}" + end + "{% endfor %}"
    marked = line + CHATML[CHATML.index("{%- if add_generation_prompt") :]
    assert "generation %}" in marked
    turns = turns_of("u: Hi", "a: Bye")
    assert encoder_with(marked).encode(turns).ids.tolist() == encoder_with(CHATML).encode(turns).ids.tolist()


def test_text_between_answer_and_stop_is_trained() -> None:
    jinja = CHATML.replace("+ '<|im_end|>\n'", "+ '\n<|im_end|>\n'")
    encoder = encoder_with(jinja)
    tokens = encoder.encode(turns_of("u: Hi", "a: Bye"))
    start, end = tokens.spans[0]
    assert encoder.text(tokens.ids[start:end].tolist()) == "Bye\n<|im_end|>"
    assert tokens.weights[start:end].all()


def test_of_several_named_templates_the_default_is_the_models_own() -> None:
    tokenizer = make_tokenizer()
    tokenizer.chat_template = {"default": CHATML, "tool_use": ZEPHYR}
    assert Encoder(tokenizer).template.jinja == CHATML
    tokenizer.chat_template = {"tool_use": ZEPHYR}
    assert Encoder(tokenizer).template.name == "plain"


def test_without_a_template_own_is_refused_and_auto_is_plain() -> None:
    tokenizer = make_tokenizer()
    with pytest.raises(TemplateError, match="no chat template"):
        Encoder(tokenizer, "own")
    assert Encoder(tokenizer).template.name == "plain"
