"""A section of the page: lines of Markdown, and the goals that were not met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Section:
    """`failed` names goals in words, for the exit status."""

    title: str
    lines: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def say(self, *lines: str) -> None:
        """A paragraph."""
        self.lines += [*lines, ""]

    def table(self, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table; cells are written as they are."""
        self.lines += ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        self.lines += ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
        self.lines.append("")

    def share(self, what: str, part: int, whole: int, least: float = 0.0, most: float = 1.0) -> str:
        """A share as per cent, in bold and entered as failed where it misses its goal; nothing of nothing is n/a."""
        if not whole:
            return "n/a"
        value = part / whole
        shown = f"{value:.1%}"
        if least <= value <= most:
            return shown
        self.failed.append(f"{what} {shown}")
        return f"**{shown}**"

    def goal(self, what: str, holds: bool, shown: str) -> str:
        """A value, in bold and entered as failed where its goal is missed."""
        if holds:
            return shown
        self.failed.append(f"{what} {shown}")
        return f"**{shown}**"


def missing(title: str, error: Exception) -> Section:
    """A section about something that the product does not have yet."""
    section = Section(title, failed=[f"not there: {error}"])
    section.say(f"**Not there yet:** {error}.")
    return section
