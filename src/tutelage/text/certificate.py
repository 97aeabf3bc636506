"""What the final batches really train on, checked before the first step. Tuning refuses to start when it fails."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from tutelage.errors import CertificateError
from tutelage.records import Example, Turn
from tutelage.text.encode import Encoder, Tokens
from tutelage.text.pack import Pack


@dataclass(frozen=True)
class Certificate:
    """Counts over every batch of an epoch, not over a sample.

    Attributes:
        rows_read, rows_used, rows_passed_over, conversations_made, conversations_kept, conversations_dropped:
            the two ledgers: read = used + passed over, made = kept + dropped.
        dropped: how many rows and conversations each rule took.
        sources: conversations in the batches by file.
        examples, tokens, trained_tokens: what the batches hold.
        trained_turns: assistant turns that should be trained; stops_trained: those whose stop token is.
        answers_equal: trained turns whose tokens decode to exactly the answer.
        rows_untrained: examples without a single trained token.
        crossings: predictions of a token of another example.
        control_in_text: control tokens in the batches that the template did not write.
        mask_errors: predictions with another weight than the place of the answers gives them.
        shortened, turns_cut: conversations that lost their first turns, and how many turns.
    """

    rows_read: int
    rows_used: int
    rows_passed_over: int
    conversations_made: int
    conversations_kept: int
    conversations_dropped: int
    dropped: Mapping[str, int]
    sources: Mapping[str, int]
    examples: int
    tokens: int
    trained_tokens: int
    trained_turns: int
    stops_trained: int
    answers_equal: int
    rows_untrained: int
    crossings: int
    control_in_text: int
    shortened: int
    turns_cut: int
    held_out: int
    template: str
    template_hash: str
    tokenizer_hash: str
    data_hash: str
    mask_errors: int = 0

    def problems(self) -> tuple[str, ...]:
        """What is wrong, in sentences; empty where tuning may start."""
        found = []
        if self.rows_read != self.rows_used + self.rows_passed_over:
            found.append(
                f"{self.rows_read} rows were read, but {self.rows_used} + {self.rows_passed_over} accounted for"
            )
        if self.conversations_made != self.conversations_kept + self.conversations_dropped:
            found.append("the conversations made are not those kept and dropped")
        if self.conversations_kept != self.examples + self.held_out:
            found.append(
                f"{self.conversations_kept} conversations were kept, but the batches hold {self.examples} "
                f"and {self.held_out} are held out"
            )
        if self.examples == 0:
            found.append("there is nothing to train on")
        if self.stops_trained != self.trained_turns:
            found.append(f"the stop token is trained in {self.stops_trained} of {self.trained_turns} answers")
        if self.rows_untrained:
            found.append(f"{self.rows_untrained} conversations have no trained token")
        if self.crossings:
            found.append(f"{self.crossings} tokens would be predicted from another conversation")
        if self.mask_errors:
            found.append(f"{self.mask_errors} predictions have the wrong weight")
        if self.control_in_text:
            found.append(f"{self.control_in_text} control tokens come from people's text")
        return tuple(found)

    def check(self) -> None:
        """
        Raises:
            CertificateError: naming every problem.
        """
        problems = self.problems()
        if problems:
            raise CertificateError("tuning does not start: " + "; ".join(problems))

    def to_json(self) -> str:
        """The certificate as indented JSON, with its verdict."""
        return json.dumps({"passed": not self.problems(), **asdict(self)}, indent=2, ensure_ascii=False) + "\n"


@dataclass(frozen=True)
class Seen:
    """What one walk over the batches counts. `examples` are those that stand in them exactly once."""

    examples: Counter[str]
    tokens: int
    trained_tokens: int
    stops_trained: int
    answers_equal: int
    rows_untrained: int
    crossings: int
    control_in_text: int
    mask_errors: int


def walk(packs: Iterable[Pack], examples: Sequence[Example], tokens: Sequence[Tokens], encoder: Encoder) -> Seen:
    """Count what the packs train on, from their arrays alone; where each answer should be comes from `tokens`."""
    by_id = {item.example: item for item in tokens}
    example_of = {example.id: example for example in examples}
    control = frozenset(encoder.control.values())
    seen: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    for pack in packs:
        totals.update(tokens=len(pack), trained_tokens=pack.trained)
        for name, start, end in zip(pack.examples, pack.boundaries[:-1], pack.boundaries[1:], strict=True):
            seen[name] += 1
            place = slice(start, end)
            rows = pack.ids[place], pack.targets[place], pack.weights[place], pack.positions[place]
            part = _Part(example_of[name], by_id[name], *rows)
            totals.update(part.mask())
            totals.update(part.answers(encoder))
            found = [number for number in part.ids.tolist() if number in control]
            written = [encoder.control[span.text] for span in encoder.spans(part.turns) if span.control]
            totals["control_in_text"] += max(int(found != written), len(found) - len(written))
    once = Counter(name for name, count in seen.items() if count == 1)
    return Seen(once, **{each.name: totals[each.name] for each in fields(Seen) if each.name != "examples"})


@dataclass(frozen=True, eq=False)
class _Part:
    """One example within a pack: (T,) arrays as in Pack."""

    example: Example
    tokens: Tokens
    ids: NDArray[np.int64]
    targets: NDArray[np.int64]
    weights: NDArray[np.float32]
    positions: NDArray[np.int64]

    @property
    def turns(self) -> tuple[Turn, ...]:
        return self.example.conversation.turns

    def mask(self) -> dict[str, int]:
        """What is predicted, and whether from this example alone."""
        expected = np.full_like(self.weights, self.tokens.weights[0])  # no answer begins with the first token
        for start, end in self.tokens.spans:
            expected[start - 1 : end - 1] = 1
        expected[-1] = 0
        crossings = int(self.weights[-1] > 0) + int((self.targets[:-1] != self.ids[1:]).sum())
        return {
            "rows_untrained": int(not (self.weights > 0).any()),
            "crossings": crossings + int((self.positions != np.arange(len(self.ids))).sum()),
            "mask_errors": int((self.weights != expected).sum()),
        }

    def answers(self, encoder: Encoder) -> dict[str, int]:
        """How many trained turns are whole, with their stop token, and read as they should."""
        stops = equal = 0
        trained = [turn for turn in self.turns if turn.is_trained]
        for turn, (start, end) in zip(trained, self.tokens.spans, strict=False):
            whole = bool((self.weights[start - 1 : end - 1] == 1).all())
            stops += int(whole and int(self.ids[end - 1]) in encoder.stop_ids)
            equal += int(encoder.decode(self.ids[start:end].tolist()).strip() == turn.text.strip())
        return {"stops_trained": stops, "answers_equal": equal}
