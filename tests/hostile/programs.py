"""What is a program or nearly one: a model's own chat template in Jinja, and recipes in YAML with overrides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hostile.drawing import Draw
from hostile.files import folder, written
from hostile.judging import Harness
from tutelage.arguments import recipe_of
from tutelage.errors import TemplateError, UsageError
from tutelage.recipe import build, read_recipe
from tutelage.records import Role, Turn
from tutelage.text import own

TURNS = (Turn(Role.USER, "Hi </s> {{ bos_token }} \ue0f00\ue0f1"), Turn(Role.ASSISTANT, "a\n\n b"))
VARIABLES = {"bos_token": "<s>", "eos_token": "</s>"}


def template(data: bytes) -> None:
    """Any source as a model's template: refused, or proven, and then what people wrote stays theirs."""
    own.SECONDS_MOST, own.OUTPUT_MOST = 0.3, 200_000
    made = own.OwnTemplate(data.decode("utf-8", "ignore"), ("<s>", "</s>", "<|im_end|>"), VARIABLES)
    proven = own.prove(made)
    assert proven.stop in made.controls
    spans = proven.spans(TURNS)
    told = [span.text for span in spans if span.turn >= 0 and not span.control]
    assert [turn.text for turn in TURNS] == told[:1] + told[1:2] or told, told
    assert not any(span.control and span.text not in made.controls for span in spans)
    start = proven.prompt(TURNS[:1])
    place = next(at for at, span in enumerate(spans) if span.turn == 1)
    assert [span.text for span in spans[:place]] == [span.text for span in start]


def recipe(data: bytes) -> None:
    """Any YAML and any overrides: refused, or a recipe that is read back as it is."""
    draw = Draw(data)
    overrides = []
    for _ in range(draw.below(3)):
        key = draw.one_of(("tuning.lr", "tuning.epochs", "data.files", "data", "out", "quality.drop", "no.such", "x"))
        overrides.append(f"{key}={draw.taken(draw.below(12)).decode('utf-8', 'ignore')}")
    files = draw.one_of((["faq.jsonl"], [], [str(folder() / "recipe.yaml")]))
    held = draw.one_of(("", "held.jsonl"))
    path = written("recipe.yaml", draw.rest())
    try:
        _same(recipe_of([str(path), *files, *overrides], data__held_out=held), path)
    except UsageError:
        _same(build({}, [each for each in overrides if each.startswith("tuning.")]), path)


def _same(found: Any, path: Path) -> None:
    path.write_text(found.to_yaml(), encoding="utf-8")
    again = build(read_recipe(path))
    assert again == found and again.hash() == found.hash()


CHATML = (
    b"{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
    b"{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
TEMPLATES = (
    CHATML,
    b"{{ bos_token }}{% for m in messages %}{{ m.role ~ ': ' ~ m.content ~ eos_token }}{% endfor %}",
    b"{% for m in messages %}{% generation %}{{ m.content | trim }}</s>{% endgeneration %}{% endfor %}",
    b"{% for i in range(10 ** 9) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}",
    b"{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
    b"{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}",
    b"{{ ''.__class__.__mro__[1].__subclasses__() }}{{ cycler.__init__.__globals__ }}",
    b"{{ 'x'.center(900000000) }}",
    b"{{ 'x' | center(900000000) }}",
    b"{{ '%900000000d' % 1 }}",
    b"{{ '{:>900000000}'.format(1) }}",
    b"{{ 'x' | indent(900000000) }}",
    b"{{ ('x' * 9000) | replace('x', 'y' * 90000) }}",
    b"{{ ['x'] | batch(900000000, 'y') | list }}",
    b"{{ ['x'] | slice(900000000) | list }}",
    b"{{ lipsum(90000000) }}",
    b"{{ 'x'.ljust(900000000) }}{{ 'x'.zfill(900000000) }}{{ 'a\\tb'.expandtabs(900000000) }}",
    b"{{ (2 ** 9) ** 9 ** 9 }}{{ 1 << 900000000 }}{{ 9 ** 9 ** 9 }}",
    b"{{ 'x' | tojson(indent=900000000) }}{{ [1] | tojson(indent=900000000) }}",
    b"{{ 'x,x' | wordwrap(1, wrapstring='y' * 900000) }}{{ 'a' | format }}{{ '%s' | format(1) }}",
    b"{{ " + b"(" * 400 + b"1" + b")" * 400 + b" }}",
    b"{{ " + b"[" * 90 + b"]" * 90 + b" }}" + b"{% if 1 %}" * 200,
    b"{{ raise_exception('no') }}{{ strftime_now('%Y' * 99) }}{{ strftime_now(1) }}{{ strftime_now('%\\ud800') }}",
)
RECIPES = (
    b"\x00\x00\x00tuning:\n  lr: 0.001\n  epochs: 2\ndata:\n  files: [a.jsonl]\n",
    b"\x00\x00\x00data: 5\n",
    b"\x00\x00\x00a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: &d [*c, *c, *c, *c]\ntuning: *d\n",
    b"\x00\x00\x00tuning: {lr: .nan, epochs: .inf, seed: 99999999999999999999, betas: [1, 2]}\n",
    b"\x00\x00\x00data: {files: [2024-99-99], hold_out: 1e400, near: no}\n",
    b"\x00\x00\x00" + b"[" * 2000,
    b"\x00\x00\x00? [1]\n: 2\n? {a: 1}\n: !!python/object/apply:os.system [echo]\n",
    b"\x00\x00\x001: 2\nnull: 3\ntrue: {}\n",
    b"\x00\x00\x01a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
    + b"".join(b"%c: &%c [%s]\n" % (n + 1, n + 1, b", ".join([b"*%c" % n] * 9)) for n in range(97, 105))
    + b"tuning: *i\ndata: {files: *i}\n",
    b"\x00\x00\x02data: {files: [!!bool x, !!int '', !!float '', !!timestamp '', !!binary '=']}\n",
    b"\x00\x01\x00data:\ntuning:\n",
    b"\x00\x00\x00--- a\n--- b\n",
    b"\x00\x00\x00tuning: {<<: [{lr: 1}, {lr: 2}], lr: 0x_}\n",
    b'\x00\x00\x00out: "\\ud800"\ndata: {instruction: "\\0\\x85\\u2028\\r"}\n',
    b"\x02\x00\x05[1, 2\x01\x02{}\x00\x00tuning: {}\n",
    b"\x02\x03\x01[\x00\x03!!x\x00\x00tuning: 7\n",
)
HARNESSES = {
    "own templates": Harness(
        template,
        TEMPLATES,
        (TemplateError,),
        (b"{{ ", b" }}", b"{% ", b" %}", b"messages", b"content", b"role", b"endfor", b"eos_token", b" | ", b"range("),
        quick=40,
    ),
    "recipes": Harness(
        recipe, RECIPES, (UsageError,), (b"tuning:", b"data:", b"lr: ", b"&a ", b"*a", b"!!", b"<<: "), 20
    ),
}
