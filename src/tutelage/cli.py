"""The command line: parse, call, print. No logic lives here, and nothing heavy is imported before it is needed."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tutelage import weighing
from tutelage.arguments import (
    Json,
    Model,
    follows,
    latest,
    loaded_model,
    parted,
    print_json,
    recipe_of,
    wants_to_go_on,
)
from tutelage.errors import TutelageError, UsageError

if TYPE_CHECKING:
    from tutelage.recipe import Recipe
    from tutelage.records import Dataset

app = typer.Typer(
    help="Tutelage turns a base language model into an assistant, and shows the evidence that it did.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(weighing.app)

Things = Annotated[list[str], typer.Argument(help="Files, folders, hub data sets; settings as section.key=value.")]
Perhaps = Annotated[list[str] | None, typer.Argument(help="Files with conversations; section.key=value settings.")]
Format = Annotated[str, typer.Option("--format", help="Name of the data's format, where it is not recognised.")]
Columns = Annotated[
    str, typer.Option(help="Read any table: prompt=COLUMN,response=COLUMN; tickets: ticket=,time=,role=,body=.")
]
Instruction = Annotated[str, typer.Option(help="Text put before each prompt of a table.")]
MaxBad = Annotated[float | None, typer.Option(help="Stop when more than this share of the rows is bad (0.01).")]
Html = Annotated[Path | None, typer.Option(help="Write a page on the data to this HTML file.")]
Base = Annotated[str, typer.Option(help="Base model: run, folder, hub name, GGUF file or starter.")]


@app.command()
def look(
    things: Things,
    mask: Annotated[int, typer.Option(help="Show this many conversations coloured by what is trained.")] = 0,
    html: Html = None,
    base: Base = "",
    format: Format = "",
    columns: Columns = "",
    instruction: Instruction = "",
    max_bad: MaxBad = None,
    as_json: Json = False,
) -> None:
    """What is in this data."""
    from tutelage import looking, terminal
    from tutelage.data import page, reading
    from tutelage.data.glance import glance
    from tutelage.data.profile import profile

    recipe = recipe_of(
        things, data__format=format, data__columns=columns, data__instruction=instruction, data__max_bad=max_bad,
        model__base=base,
    )  # fmt: skip
    page.check(html)
    with reading.crew_for(recipe.data.files) as crew:
        with terminal.Bars() as bars:
            dataset = reading.read(recipe.data, progress=bars, crew=crew)
            seen = glance(dataset, recipe.quality, whole=html is not None)
            dataset, found = seen.dataset, profile(seen.dataset)
        looking.tell(seen, found, recipe, html, as_json)
        if mask:
            looking.show_mask(recipe, seen.sample, mask)


@app.command()
def curate(
    things: Things,
    out: Annotated[Path, typer.Option(help="Folder for the clean data set.")],
    base: Base = "",
    prove: Annotated[bool, typer.Option("--prove", help="Tune small models: is what was selected better?")] = False,
    seeds: Annotated[int, typer.Option(help="Small models of each kind that --prove tunes, at least 3.")] = 3,
    html: Html = None,
    format: Format = "",
    columns: Columns = "",
    instruction: Instruction = "",
    max_bad: MaxBad = None,
    as_json: Json = False,
) -> None:
    """Keep what can be used, name what cannot, and write both to a data set folder."""
    from tutelage import terminal
    from tutelage.data import contamination, duplicates, page, personal, quality, reading, similar, store
    from tutelage.data.profile import profile
    from tutelage.selection import choosing

    recipe = recipe_of(
        things, data__format=format, data__columns=columns, data__instruction=instruction, data__max_bad=max_bad,
        model__base=latest(base) if base else "",
    )  # fmt: skip
    choosing.wanted(recipe.select, "--prove" if prove else "")
    page.check(html)
    with reading.crew_for(recipe.data.files, out.parent) as crew:
        with terminal.Bars() as bars:
            dataset = personal.masked(reading.read(recipe.data, progress=bars, crew=crew), recipe.personal, out)
            dataset = duplicates.drop_repeats(quality.apply(dataset, recipe.quality))
            dataset = personal.masked(dataset, recipe.personal, out)  # a repair may have uncovered more
            pool = similar.mark_near(dataset, recipe.data.near)
            dataset = choosing.selected(pool, recipe, terminal.say, bars)
            dataset, touching = contamination.check(dataset, recipe.data.benchmarks)
            store.save(dataset, out)
            contamination.write(touching, out)
            private, found = personal.count(dataset), profile(dataset)
        shown = page.make(html, dataset, recipe, terminal.say, out=out)
        proof = _proven(pool, dataset, recipe, seeds, out, as_json) if prove else {}
        if as_json:
            counts = {**dataset.ledger.counts(), **contamination.counts(touching)}
            print_json({"out": str(out), "personal": private, **counts, **proof, **shown})
        else:
            terminal.show_dataset(dataset, found)
            if touching is not None:
                terminal.say(f"{contamination.told(touching)}; each pair stands in {out / contamination.FILE}")
            if private:
                terminal.say(personal.told(private))
            terminal.say(f"Written to {out}: kept.jsonl, dropped.jsonl, manifest.json")


def _proven(pool: Dataset, chosen: Dataset, recipe: Recipe, seeds: int, out: Path, quiet: bool) -> dict[str, Any]:
    from tutelage import terminal
    from tutelage.evaluation.proving import proven

    with terminal.Bars() as bars:
        return {"proof": proven(pool, chosen, recipe, seeds, out, terminal.say, bars, None if quiet else terminal.OUT)}


@app.command()
def unmask(
    masked: Annotated[Path, typer.Argument(help="A data set's folder, or any file with stand-ins.")],
    key: Annotated[Path, typer.Option(help="The key that curate wrote beside the folder: DATASET.key.json.")],
    out: Annotated[Path, typer.Option(help="Folder or file to write.")],
    as_json: Json = False,
) -> None:
    """Put back what curate masked (personal.mask), with the key."""
    from tutelage import terminal
    from tutelage.data import personal

    found = personal.unmask_file(masked, key, out)
    if as_json:
        print_json({"out": str(out), "unmasked": found})
    else:
        terminal.say(f"{found:,} stand-ins undone; written to {out}")


@app.command()
def tune(
    things: Things,
    base: Base = "",
    out: Annotated[str, typer.Option(help="The run's folder; default runs/NAME-N.")] = "",
    held_out: Annotated[str, typer.Option(help="A file of held-out conversations.")] = "",
    mix: Annotated[list[str] | None, typer.Option(help="Other data to mix in, FILE:SHARE, e.g. general:0.2.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would take.")] = False,
    format: Format = "",
    columns: Columns = "",
    instruction: Instruction = "",
    max_bad: MaxBad = None,
    as_json: Json = False,
) -> None:
    """Tune a base model on conversations: files, a data set folder, or a recipe."""
    from tutelage import terminal

    recipe = recipe_of(
        things, model__base=latest(base) if base else "", out=out, data__held_out=held_out, data__mix=mix,
        data__format=format, data__columns=columns, data__instruction=instruction, data__max_bad=max_bad,
    )  # fmt: skip
    from tutelage.tuning.job import tune as start
    from tutelage.tuning.work import Watch

    if dry_run:
        from tutelage.tuning.estimate import estimate

        needed = estimate(recipe, terminal.say)
        if as_json:
            print_json(asdict(needed))
        else:
            terminal.show_estimate(needed)
        return
    if wants_to_go_on(recipe.out):
        resume(Path(recipe.out), as_json=as_json)
        return
    with terminal.StepBar() as bar:
        run = start(recipe, Watch(terminal.say, bar.stepped, bar.sampled))
    _tell_run(run, as_json)


def _tell_run(run: Any, as_json: bool) -> None:
    from tutelage import terminal

    if follows():
        return
    manifest, steps = run.manifest(), run.steps()
    if as_json:
        held = [step.held_out_loss for step in steps if step.held_out_loss is not None]
        last = steps[-1].loss if steps else None
        measured = {"loss": last, "held_out_loss": held[-1] if held else None}
        print_json({"run": str(run.folder), **measured, **asdict(manifest)})
        return
    speed = manifest.tokens / manifest.seconds if manifest.seconds else 0
    terminal.say(
        f"Done: {manifest.steps} steps, {manifest.seconds:,.0f} s, {speed:,.0f} tokens/s, "
        f"{manifest.peak_memory / 1e9:.1f} GB at most. The tuned model is in {run.tuned}\n"
        f"Next: tutelage compare {run.folder} · tutelage chat {run.folder}"
    )


@app.command()
def resume(
    run: Annotated[Path, typer.Argument(help="A stopped run's folder.")],
    things: Annotated[list[str] | None, typer.Argument(help="Settings that may change, e.g. tuning.epochs=3.")] = None,
    accept_changes: Annotated[
        bool, typer.Option("--accept-changes", help="Go on although data, recipe, base … are others than before.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Go on with a stopped run."""
    from tutelage import terminal
    from tutelage.tuning.job import resume as go_on
    from tutelage.tuning.work import Watch

    files, overrides = parted(things or [])
    if files:
        raise UsageError(f"{files[0]} is no setting; write section.key=value, e.g. tuning.epochs=3")
    with terminal.StepBar() as bar:
        watch = Watch(terminal.say, bar.stepped, bar.sampled)
        done = go_on(Path(latest(str(run))), watch, overrides, accept_changes)
    _tell_run(done, as_json)


@app.command()
def chat(
    model: Model,
    things: Annotated[list[str] | None, typer.Argument(help="Settings as section.key=value.")] = None,
    system: Annotated[str, typer.Option(help="System text, or a file with it.")] = "",
) -> None:
    """Talk with a model in the terminal."""
    from tutelage.serving.chat import chat as talk

    recipe = recipe_of(parted(things or [])[1])
    loaded, encoder = loaded_model(model, recipe)
    text = Path(system).read_text(encoding="utf-8").strip() if system and Path(system).is_file() else system
    talk(loaded, encoder, recipe.decoding, text)


@app.command()
def runs(
    folder: Annotated[Path | None, typer.Argument(help="One run, or a folder of runs.")] = None, as_json: Json = False
) -> None:
    """What was tuned, and how it went; a run's name shows its loss curve."""
    from tutelage import terminal
    from tutelage.tuning.standing import runs_in, standing

    top = Path(latest(str(folder))) if folder else Path("runs")
    found = [standing(path) for path in runs_in(top)]
    if as_json:
        print_json([one.as_dict() for one in found])
    elif [one.folder for one in found] == [top]:
        terminal.show_run(found[0])
    elif found:
        terminal.show_runs(found)
    else:
        terminal.say(f"There are no runs in {top}; make one with: tutelage tune FILE")


@app.command()
def selfcheck(things: Perhaps = None, base: Base = "", as_json: Json = False) -> None:
    """Prove the engine on your own model and conversations, in about a minute."""
    from tutelage import terminal
    from tutelage.evaluation.selfcheck import selfcheck as check

    with terminal.Bars() as bars:
        found = check(recipe_of(things or [], model__base=latest(base)), terminal.say, bars)
    if as_json:
        print_json(found.as_dict())
    else:
        terminal.show_checks(found)
    if not found.passed:
        raise typer.Exit(1)


@app.command()
def settings() -> None:
    """Every setting with its default and what it does."""
    from tutelage import terminal
    from tutelage.recipe import Recipe, defaults, fields

    given = defaults(Recipe())
    for name, help in fields().items():
        terminal.OUT.print(f"{name}={given[name]}\n    {help}", markup=False)


def main() -> None:
    """Entry point: errors become one sentence and an exit status (1: data, model or verdict; 2: usage)."""
    if follows():
        from tutelage import terminal

        terminal.ERRORS.quiet = terminal.OUT.quiet = True
    try:
        app(standalone_mode=True)
    except TutelageError as error:
        if not (follows() and error.shared):
            print(f"tutelage: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        print("tutelage: stopped", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)


if __name__ == "__main__":
    main()
