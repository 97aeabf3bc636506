"""What `look` says about a data set, once its rules were asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tutelage import terminal
from tutelage.arguments import latest
from tutelage.data import breadth, page
from tutelage.data.glance import Glance
from tutelage.data.profile import Profile
from tutelage.recipe import Recipe
from tutelage.records import Example


def tell(seen: Glance, found: Profile, recipe: Recipe, html: Path | None, as_json: bool) -> None:
    """Counts, flags, kinds and topics, as tables or as one JSON object; and the page where a path is given."""
    dataset = seen.dataset
    with terminal.waiting("kinds and topics"):
        broad = breadth.survey(seen.sample, of=len(dataset))
        shown = page.make(html, dataset, recipe, terminal.say, breadth=broad)
    if as_json:
        counts = {**dataset.ledger.counts(), "findings_of": seen.asked}
        value = {**found.as_dict(), **counts, "breadth": broad.as_dict(), **shown}
        print(json.dumps(value, ensure_ascii=False, default=str))
    else:
        terminal.show_dataset(dataset, found, seen.asked if seen.drawn else None)
        terminal.show_breadth(broad)


def show_mask(recipe: Recipe, examples: Sequence[Example], mask: int) -> None:
    """Some conversations coloured by what the recipe's base would be trained on."""
    from tutelage.model.load import load_tokenizer, locate  # with torch, which nothing else here needs
    from tutelage.text.encode import Encoder
    from tutelage.text.preview import preview

    located = locate(latest(recipe.model.base), terminal.say)
    encoder = Encoder(load_tokenizer(located), located.template or recipe.model.template)
    terminal.show_preview(preview(encoder, examples, mask))
