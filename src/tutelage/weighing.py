"""The commands that ask models and weigh their answers: parse, call, print, as in `tutelage.cli`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

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
def evaluate(
    models: Annotated[list[str], typer.Argument(help="Models; settings as section.key=value.")],
    tasks: Annotated[list[Path] | None, typer.Option(help="Files or folders of tasks.")] = None,
    retention: Annotated[
        bool, typer.Option("--retention", help="What was forgotten, against the model before.")
    ] = False,
    before: Annotated[str, typer.Option(help="The model before tuning; default: a run's base.")] = "",
    harness: Annotated[list[str] | None, typer.Option(help="Tasks of lm-evaluation-harness, or YAML files.")] = None,
    most: Annotated[int, typer.Option(help="Only so many prompts of each task; 0: all.", min=0)] = 0,
    examples: Annotated[int, typer.Option(help="Super-NaturalInstructions: examples before each input.", min=0)] = 0,
    out: Annotated[Path | None, typer.Option(help="Write the scores of --tasks here too, as JSON.")] = None,
    as_json: Json = False,
) -> None:
    """Score models on tasks, on what they have forgotten, or on tasks of lm-evaluation-harness."""
    from tutelage import terminal
    from tutelage.evaluation import evaluate as scoring
    from tutelage.evaluation import forgetting
    from tutelage.evaluation import harness as harnessing
    from tutelage.evaluation.tasks import read_all

    names, overrides = parted(models)
    if not names or not (tasks or retention or harness):
        raise UsageError("name a model, and --tasks FILE, --retention or --harness TASK")
    named, recipe = [latest(name) for name in names], recipe_of(overrides)
    read, found = read_all(tasks or (), most, examples), dict[str, Any]()
    with terminal.Bars() as bars:
        if read:
            made = scoring.evaluate(named, read, recipe, terminal.say, bars, out)
            found["tasks"] = json.loads(made.to_json())
        if retention:
            asked = forgetting.everything(most)
            kept = forgetting.forgotten(named, latest(before) if before else "", recipe, terminal.say, bars, asked)
            found["retention"] = [json.loads(one.to_json()) for one in kept]
        if harness:
            results = harnessing.harness(named, harness, recipe, terminal.say, bars, most)
            found["harness"] = [json.loads(one.to_json()) for one in results]
    if as_json:
        print_json(found)
        return
    if read:
        scoring.show(made, terminal.OUT)
    if retention:
        for one in kept:
            terminal.OUT.print(forgetting.table(one))
            terminal.say(one.text)
    if harness:
        terminal.OUT.print(harnessing.table(results))


@app.command()
def compare(
    run: Annotated[str, typer.Argument(help="A finished run's folder.")],
    things: Annotated[list[str] | None, typer.Argument(help="More runs; settings as section.key=value.")] = None,
    prompts: Annotated[Path | None, typer.Option(help="Prompts to answer instead of the held-out ones.")] = None,
    tasks: Annotated[list[Path] | None, typer.Option(help="Tasks to do instead; their scorers decide.")] = None,
    system: Annotated[Path | None, typer.Option(help="A written system prompt for the base.")] = None,
    against: Annotated[str, typer.Option(help="Another model, or URL#MODEL, given the same system prompt.")] = "",
    key: Annotated[str, typer.Option(help="Variable or file that holds the key for the URL.")] = "",
    require: Annotated[str, typer.Option(help="better: exit 1 unless tuned is better.")] = "",
    as_json: Json = False,
) -> None:
    """Tuned against its base at its best: alone, with a written prompt, with examples; and against other models.

    Runs that differ only in tuning.seed count as seeds of one contender.
    """
    from tutelage import terminal
    from tutelage.evaluation.compare import compare as weigh
    from tutelage.evaluation.table import show
    from tutelage.recipe import build
    from tutelage.tuning.run import Run

    if require not in ("", "better"):
        raise UsageError(f"--require {require}: only `better` can be required")
    names, overrides = parted(things or [])
    found, *others = [Run(Path(latest(name))) for name in (run, *names)]
    recipe = build(found.recipe().model_dump(mode="json"), overrides)
    asked, how = (prompts, system, latest(against) or None), (recipe.compare, recipe.decoding)
    with terminal.Bars() as bars:
        comparison = weigh(found, *asked, *how, terminal.say, bars, others=others, tasks=tasks or (), key=key)
    if as_json:
        print(comparison.to_json())
    else:
        show(comparison, terminal.OUT)
        terminal.say(f"The report: {found.folder / 'report.html'}")
    if require and not comparison.better:
        raise typer.Exit(1)


@app.command()
def report(
    run: Annotated[str, typer.Argument(help="A run's folder.")],
    as_json: Json = False,
) -> None:
    """Write report.html, report.json and report.md into a run's folder, from all that was measured on it."""
    from tutelage import terminal
    from tutelage.evaluation.report import PAGE, in_json, write
    from tutelage.pages import readable
    from tutelage.tuning.run import Run

    found = Run(Path(latest(run)))
    made = write(found)
    if as_json:
        print(in_json(made), end="")
    else:
        terminal.say(f"{made.headline.word}. {made.headline.text}")
        terminal.say(f"The report: {readable(str(found.folder / PAGE))}")


@app.command()
def judge(
    run: Annotated[str, typer.Argument(help="A run that was compared.")],
    by: Annotated[str, typer.Option(help="URL#MODEL of an OpenAI-compatible endpoint that judges; default: you.")] = "",
    against: Annotated[list[str] | None, typer.Option(help="An opponent: its name, or base, prompt …")] = None,
    most: Annotated[int, typer.Option(help="Judge this many prompts; 0: all.", min=0)] = 0,
    seed: Annotated[int, typer.Option(help="Of the order in which you see things.")] = 0,
    name: Annotated[str, typer.Option(help="Your name, where several people judge.")] = "",
    key: Annotated[str, typer.Option(help="Variable or file that holds the endpoint's key.")] = "",
    max_tokens: Annotated[int, typer.Option(help="Most tokens of an endpoint's verdict.", min=1)] = 512,
    as_json: Json = False,
) -> None:
    """Which answers are preferred: judged blind by you, or by a model behind an endpoint."""
    from tutelage import terminal
    from tutelage.evaluation.endpoint import reach
    from tutelage.evaluation.judging.judging import judge_run, show
    from tutelage.evaluation.judging.person import key_reader
    from tutelage.tuning.run import Run

    found, ways, say = Run(Path(latest(run))), (against or (), most, seed), terminal.say
    if by:
        with terminal.Bars() as bars, reach(by, key) as endpoint:
            told = judge_run(found, *ways, endpoint=endpoint, max_tokens=max_tokens, progress=bars, say=say)
    else:
        told = judge_run(found, *ways, person=name, console=terminal.ERRORS, read_key=key_reader(), say=say)
    if as_json:
        print(told.to_json())
    else:
        show(told, terminal.OUT)
        terminal.say(f"Votes: {found.folder / 'votes.jsonl'} · numbers: {found.folder / 'judge.json'}")
