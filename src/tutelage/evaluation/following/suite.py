"""The suite that comes with Tutelage: prompts for instructions that a program can check.

`suite.jsonl` is a file of tasks like any other (`tutelage.evaluation.tasks`), its scorer `instructions`. Beside what
every such file holds, an item tells what stands beside its instruction to draw a model away from it (`distraction`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tutelage.errors import DataError
from tutelage.evaluation.following.checks import Check, checked
from tutelage.evaluation.taskfiles import rows_of
from tutelage.evaluation.tasks import Task, read_tasks
from tutelage.records import Prompt, Role

FILE = Path(__file__).with_name("suite.jsonl")
SCORER = "instructions"
DISTRACTIONS = ("", "long text", "quoted instruction", "later wish", "history")
"""What stands beside an instruction: nothing, a long text, an instruction in quoted material that is not to be
followed, a later wish that does not contradict it, or turns before."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """A prompt with what its answer has to keep.

    Attributes:
        category: the kind of its main instruction, such as "length".
        checks: all that are asked for.
        distraction: one of DISTRACTIONS.
    """

    prompt: Prompt
    category: str
    checks: tuple[Check, ...]
    distraction: str = ""

    @property
    def place(self) -> str:
        """`system` where the prompt begins with a system turn, which then holds the instruction; else `user`."""
        return "system" if self.prompt.turns[0].role is Role.SYSTEM else "user"

    def failures(self, answer: str) -> tuple[str, ...]:
        """What an answer fails, in words; () where it keeps all."""
        return checked(answer, self.checks)


@lru_cache(1)
def suite() -> tuple[Instruction, ...]:
    """The prompts that come with Tutelage."""
    return read_suite(FILE)


@lru_cache(1)
def suite_task() -> Task:
    """The same prompts as a task, for `tutelage evaluate`."""
    return read_tasks(FILE)[0]


def read_suite(path: Path) -> tuple[Instruction, ...]:
    """The prompts of a file of tasks in which every item has instructions.

    Raises:
        UsageError, DataError: as `read_tasks`; and at the first item that is scored by something else, or has a
            distraction that is none of DISTRACTIONS.
    """
    beside = dict[str, str]()
    for row in rows_of(path):
        given = row.value.get("distraction", "")
        if given not in DISTRACTIONS:
            raise DataError(f"{row.where}: distraction is one of {', '.join(DISTRACTIONS[1:])}, or left out")
        beside[str(row.value.get("id", row.number))] = given
    found = []
    for item in (item for task in read_tasks(path) for item in task.items):
        if item.scorers != (SCORER,):
            raise DataError(f"{path}: the item {item.id} is scored by {item.scorers[0]}, not by {SCORER}")
        found.append(Instruction(item.prompt, item.category, item.checks, beside[item.id]))
    return tuple(found)
