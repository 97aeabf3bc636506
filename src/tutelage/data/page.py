"""The data page: one HTML file, without scripts or network, on what is in a data set and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from tutelage import pages
from tutelage.data import advice
from tutelage.data.advice import Command, Note
from tutelage.data.breadth import Breadth, survey
from tutelage.data.glance import DRAWN, MANY
from tutelage.data.overview import Overview, name_of, overview
from tutelage.data.spool import chosen
from tutelage.pages import check
from tutelage.recipe import Recipe
from tutelage.records import Dataset, Example

__all__ = ["DataPage", "check", "gather", "html", "make", "write"]

PAGE = Path(__file__).with_name("page.html")
TITLED = 3
"""File names in the title."""


@dataclass(frozen=True, slots=True)
class DataPage:
    """What stands on the page: its title, whether the data is curated, notes, commands, and all that was counted.

    Personal data is masked in every text here, so it can be shown to anybody who may see the data's topics.
    """

    title: str
    curated: bool
    notes: tuple[Note, ...]
    commands: tuple[Command, ...]
    overview: Overview

    def as_dict(self) -> dict[str, object]:
        """Everything as plain values for JSON."""
        return asdict(self)


def gather(
    dataset: Dataset,
    recipe: Recipe,
    sample: Sequence[Example] | None = None,
    breadth: Breadth | None = None,
    out: Path | None = None,
) -> DataPage:
    """Everything that the page shows.

    Args:
        dataset: what the rules left, with its findings and ledgers.
        recipe: how it was read; its files are named on the page and in the commands.
        sample: examples that languages, near duplicates, personal data and breadth are counted on; None: all, or
            some of them drawn by a seed where there are many. The page says where it was a sample.
        breadth: of the sample, where it is known already.
        out: the data set folder that was written; None where nothing was curated.

    Raises:
        DataError: as `breadth.survey`.
    """
    looked_at = drawn(dataset.examples) if sample is None else sample
    known = breadth or (survey(looked_at, of=len(dataset)) if looked_at else None)
    files = (str(out),) if out else recipe.data.files
    found = overview(dataset, files, looked_at, known, advice.longest(recipe))
    names = [name_of(Path(file).name or file) for file in files]
    more = f" and {len(names) - TITLED} more" if len(names) > TITLED else ""
    return DataPage(
        title=", ".join(names[:TITLED]) + more,
        curated=out is not None,
        notes=advice.notes(found, recipe),
        commands=advice.commands(found, recipe, out),
        overview=found,
    )


def drawn(examples: Sequence[Example], many: int = MANY, most: int = DRAWN, seed: int = 0) -> Sequence[Example]:
    """All examples; of more than `many` some, drawn by a seed, in order."""
    if len(examples) <= many:
        return examples
    places = np.random.default_rng(seed).choice(len(examples), most, replace=False)
    return tuple(chosen(examples, np.sort(places)))


def make(
    path: Path | None,
    dataset: Dataset,
    recipe: Recipe,
    say: Callable[[str], None],
    sample: Sequence[Example] | None = None,
    breadth: Breadth | None = None,
    out: Path | None = None,
) -> dict[str, object]:
    """Gather and write the page where a path is given; `page` with the same content for JSON.

    Raises:
        UsageError: as `write`.
    """
    if path is None:
        return {}
    found = gather(dataset, recipe, sample, breadth, out)
    write(found, path)
    say(f"The data page is written: {path}")
    return {"page": found.as_dict()}


def html(found: DataPage) -> str:
    """The whole page. Jinja escapes every value: what comes from data stands in it as text."""
    template, policy = _template()
    return template.render(page=found, o=found.overview, policy=policy, generator=Markup(pages.GENERATOR))


@lru_cache(1)
def _template() -> tuple[Template, str]:
    skeleton, policy = pages.skeleton(PAGE)
    environment = Environment(
        autoescape=True, finalize=_finished, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"percent": pages.percent, "size": pages.size, "n": "{:,}".format}
    return environment.from_string(skeleton), policy


def _finished(value: object) -> object:
    """What a template puts out: plain text with its unseen characters shown; what was escaped already as it is."""
    return pages.readable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def write(found: DataPage, path: Path) -> None:
    """Write the page to a file; the same data gives the same bytes.

    Raises:
        UsageError: the file is something else than such a page, or cannot be written.
    """
    pages.write(path, html(found))
