"""A contender behind an OpenAI-compatible endpoint: its answers, rates and scores, but no losses."""

from __future__ import annotations

from tutelage.evaluation.answers import Answer
from tutelage.evaluation.contenders import with_system
from tutelage.evaluation.endpoint import Endpoint, EndpointError, Reply
from tutelage.evaluation.losses import Losses
from tutelage.evaluation.opponents import Work
from tutelage.evaluation.results import ContenderResult
from tutelage.evaluation.table import in_words
from tutelage.evaluation.verdict import Kind

ITS_OWN = "its own"


def remote_result(work: Work, endpoint: Endpoint, name: str) -> tuple[ContenderResult, list[str]]:
    """The answers of a model behind an endpoint, which is told the written system prompt.

    Returns:
        the result, and a note where it refused prompts (too long ones, say), which count as blank answers.

    Raises:
        EndpointError: the endpoint gives no answers.
    """
    counting = work.counting(f"{name}: writing answers", len(work.prompts))
    asked = [with_system(prompt.turns, work.system) for prompt in work.prompts]
    decoding = work.decoding
    replies: dict[int, Reply | EndpointError] = {}
    for place, reply in endpoint.chats(asked, decoding.max_new_tokens, decoding.temperature, decoding.seed):
        replies[place] = reply
        if counting:
            counting(1)
    given = [replies[place] for place in range(len(asked))]
    answers = tuple(map(_answer, (prompt.id for prompt in work.prompts), given))
    refused = [str(reply) for reply in given if isinstance(reply, EndpointError)]
    counts = tuple(reply.prompt_tokens for reply in given if isinstance(reply, Reply))
    scores = work.asking.scored(answers)
    result = ContenderResult(
        name,
        endpoint.model,
        ITS_OWN,
        work.system,
        Losses(()),
        answers,
        kind=Kind.MODEL,
        prompt_tokens=counts if all(counts) else (),
        scores=tuple(score.value for score in scores),
        reasons=tuple(score.reason for score in scores),
    )
    work.say(f"{name}: {in_words(result)}")
    return result, [f"{name} refused {len(refused)} prompts: {refused[0]}"] if refused else []


def _answer(name: str, reply: Reply | EndpointError) -> Answer:
    if isinstance(reply, EndpointError):
        return Answer(name, "", False, 0)
    return Answer(name, reply.text.strip(), reply.stopped, reply.tokens)
