"""What the final batches really train on, checked before the first step. Tuning refuses to start when it fails."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from tutelage.errors import CertificateError
from tutelage.records import Example
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
        return (
            json.dumps({"passed": not self.problems(), **asdict(self)}, indent=2, ensure_ascii=False) + "\n"
        )


@dataclass(frozen=True)
class Seen:
    """What one walk over the batches counts."""

    examples: Counter[str]
    tokens: int
    trained_tokens: int
    stops_trained: int
    answers_equal: int
    rows_untrained: int
    crossings: int
    control_in_text: int


def walk(
    packs: Iterable[Pack], examples: Sequence[Example], tokens: Sequence[Tokens], encoder: Encoder
) -> Seen:
    """Count what the packs train on, from their arrays alone; where each answer should be comes from `tokens`."""
    by_id = {item.example: item for item in tokens}
    turns_of = {example.id: [t for t in example.conversation.turns if t.is_trained] for example in examples}
    control_of = {example.id: _template_controls(encoder, example) for example in examples}
    control_ids = np.asarray(sorted(encoder.control.values()))
    seen: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    for pack in packs:
        totals["tokens"] += len(pack)
        totals["trained_tokens"] += pack.trained
        for name, start, end in zip(pack.examples, pack.boundaries[:-1], pack.boundaries[1:], strict=True):
            seen[name] += 1
            ids, weights = pack.ids[start:end], pack.weights[start:end]
            totals["rows_untrained"] += int(not (weights > 0).any())
            totals["crossings"] += int(weights[-1] > 0) + int(
                (pack.targets[start : end - 1] != ids[1:]).sum()
            )
            totals["crossings"] += int((pack.positions[start:end] != np.arange(end - start)).sum())
            found = int(np.isin(ids, control_ids).sum())
            totals["control_in_text"] += max(0, found - control_of[name])
            for turn, (at, to) in zip(turns_of[name], by_id[name].spans, strict=False):
                whole = bool((weights[at - 1 : to - 1] == 1).all())
                totals["stops_trained"] += int(whole and int(ids[to - 1]) in encoder.stop_ids)
                totals["answers_equal"] += int(
                    encoder.decode(ids[at:to].tolist()).strip() == turn.text.strip()
                )
    return Seen(
        seen,
        totals["tokens"],
        totals["trained_tokens"],
        totals["stops_trained"],
        totals["answers_equal"],
        totals["rows_untrained"],
        totals["crossings"],
        totals["control_in_text"],
    )


def _template_controls(encoder: Encoder, example: Example) -> int:
    """How many control tokens the template writes into this conversation."""
    spans = encoder.template.spans(example.conversation.turns)
    written = sum(span.control for span in spans)
    first = next((span for span in spans), None)
    starts = first is not None and first.control and encoder.control[first.text] == encoder.bos
    return written + int(encoder.bos is not None and not starts)
