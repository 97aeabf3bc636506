"""What stands on a command line: files, runs by their short names, and settings, made into one recipe."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tutelage.errors import UsageError
from tutelage.recipe import Recipe, build, read_recipe
from tutelage.tuning.run import Run, is_run

if TYPE_CHECKING:
    from tutelage.model.load import Loaded
    from tutelage.text.encode import Encoder

Json = Annotated[bool, typer.Option("--json", help="Print one JSON result to stdout.")]
Model = Annotated[str, typer.Argument(help="Run, folder, hub name, GGUF file or starter.")]
OVERRIDE = re.compile(r"[a-z_]+(\.[a-z_]+)?=")


def parted(things: list[str]) -> tuple[list[str], list[str]]:
    """Files, and section.key=value overrides."""
    overrides = [thing for thing in things if OVERRIDE.match(thing) and not Path(thing).exists()]
    return [thing for thing in things if thing not in overrides], overrides


def recipe_of(things: list[str], **given: Any) -> Recipe:
    """The recipe that files, recipes, options and overrides make together; later ones win."""
    files, overrides = parted(things)
    if run := next((file for file in files if is_run(Path(file))), ""):
        raise UsageError(
            f"{run} is a run, not data: tutelage resume {run} goes on with it, --base {run} tunes further what came of "
            f"it, and tutelage tune {run}/recipe.yaml repeats it"
        )
    settings: dict[str, Any] = {}
    for name in [file for file in files if file.endswith((".yaml", ".yml"))]:
        for section, part in read_recipe(Path(name)).items():
            before = settings.get(section)
            settings[section] = {**before, **part} if isinstance(before, dict) and isinstance(part, dict) else part
        files.remove(name)
        settings["out"] = ""
    if files:
        given["data__files"] = files
    for key, value in given.items():
        if value not in ("", None, []):
            section, _, name = key.partition("__")
            if not name:
                settings[section] = value
            elif isinstance(settings.setdefault(section, {}), dict):  # else `build` says what is wrong with it
                settings[section][name] = value
    return build(settings, overrides)


def latest(name: str) -> str:
    """`runs/faq` means the newest of runs/faq-1, runs/faq-2, … where it is no folder itself."""
    path = Path(name)
    if path.exists() or not path.parent.is_dir():
        return name
    numbered = {
        int(number[1]): found
        for found in path.parent.glob(f"{path.name}-*")
        if (number := re.fullmatch(rf"{re.escape(path.name)}-(\d+)", found.name))
    }
    return str(numbered[max(numbered)]) if numbered else name


def loaded_model(model: str, recipe: Recipe) -> tuple[Loaded, Encoder]:
    """A model by its name, on the device and in the precision of the recipe, and the encoder of its template."""
    from tutelage.model import machine
    from tutelage.model.load import load
    from tutelage.terminal import say
    from tutelage.text.encode import Encoder

    machine.set_threads(recipe.model.threads)
    device = machine.choose_device(recipe.model.device)
    loaded = load(latest(model), device, machine.choose_precision(recipe.model.precision, device), say)
    return loaded, Encoder(loaded.tokenizer, loaded.located.template or recipe.model.template)


def print_json(value: Any) -> None:
    """One JSON value on a line of its own."""
    print(json.dumps(value, ensure_ascii=False, default=str))


def wants_to_go_on(out: str) -> bool:
    """Whether --out names a run that was stopped, and the person at the terminal wants to go on with it."""
    folder = Path(out)
    if several() or not out or not is_run(folder) or Run(folder).manifest().finished or not sys.stdin.isatty():
        return False
    return typer.confirm(f"{folder} is a run that was stopped. Go on with it?", default=True, err=True)


def follows() -> bool:
    """Whether this is one of several processes that torchrun started, and not the first, which speaks for all."""
    return several() and os.environ["RANK"] != "0"


def several() -> bool:
    """Whether torchrun started this process as one of several."""
    return "RANK" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1"
