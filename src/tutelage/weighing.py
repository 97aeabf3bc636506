"""The commands that ask models and weigh their answers: parse, call, print, as in `tutelage.cli`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tutelage.arguments import Json, Model, latest, loaded_model, parted, print_json, recipe_of
from tutelage.errors import UsageError

app = typer.Typer()


@app.command()
def generate(
    model: Model,
    things: Annotated[list[str], typer.Argument(help="PROMPTS.jsonl (id and prompt or messages); settings.")],
    out: Annotated[Path, typer.Option(help="Answers as JSONL: id, answer, stopped, tokens.")],
    as_json: Json = False,
) -> None:
    """Answer every prompt of a file; order and ids are kept."""
    from tutelage import terminal
    from tutelage.data.reading import read_prompts
    from tutelage.evaluation.answers import generate as answer_all
    from tutelage.evaluation.answers import write_answers

    files, overrides = parted(things)
    if len(files) != 1:
        raise UsageError("name one file of prompts")
    recipe = recipe_of(overrides)
    prompts = read_prompts(files[0])
    loaded, encoder = loaded_model(model, recipe)
    with terminal.counting("answering", len(prompts)) as count:
        answers = answer_all(loaded.network, encoder, prompts, recipe.decoding, count)
    write_answers(out, answers)
    stopped = sum(answer.stopped for answer in answers)
    if as_json:
        print_json({"out": str(out), "answers": len(answers), "stopped": stopped})
    terminal.say(f"{len(answers)} answers in {out}; {stopped} ended by themselves.")


@app.command()
def compare(
    run: Annotated[str, typer.Argument(help="A finished run's folder.")],
    things: Annotated[list[str] | None, typer.Argument(help="Settings as section.key=value.")] = None,
    prompts: Annotated[Path | None, typer.Option(help="Prompts to answer instead of the held-out ones.")] = None,
    system: Annotated[Path | None, typer.Option(help="A written system prompt for the base.")] = None,
    against: Annotated[str, typer.Option(help="Another model, given the same system prompt.")] = "",
    require: Annotated[str, typer.Option(help="better: exit 1 unless tuned is better.")] = "",
    as_json: Json = False,
) -> None:
    """Tuned against its base, and against the base with a written system prompt."""
    from tutelage import terminal
    from tutelage.evaluation.compare import compare as weigh
    from tutelage.evaluation.report import show
    from tutelage.recipe import build
    from tutelage.tuning.run import Run

    if require not in ("", "better"):
        raise UsageError(f"--require {require}: only `better` can be required")
    found = Run(Path(latest(run)))
    recipe = build(found.recipe().model_dump(mode="json"), parted(things or [])[1])
    with terminal.Bars() as bars:
        comparison = weigh(
            found, prompts, system, latest(against) or None, recipe.compare, recipe.decoding, terminal.say, bars
        )
    if as_json:
        print(comparison.to_json())
    else:
        show(comparison, terminal.OUT)
        terminal.say(f"Side by side: {found.folder / 'compare.html'}")
    if require and not comparison.better:
        raise typer.Exit(1)
