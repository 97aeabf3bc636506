"""Wordings of defects, one a line; ⏎ is a line break. Written for this bench from how such things read in the wild."""

from __future__ import annotations


def lines(text: str) -> tuple[str, ...]:
    """The lines of a block, with ⏎ as a line break within one."""
    return tuple(line.replace("⏎", "\n") for line in text.strip("\n").split("\n"))


TRIVIAL = lines(
    """
N/A
n/a
NA
None
none.
null
NULL
nil
undefined
NaN
No answer
no answer.
(no answer)
[no answer]
No response
[No response provided]
<no output>
<empty>
(blank)
empty
[deleted]
[removed]
[redacted]
Answer:
A:
Response:
Output:
### Response:
?
???
see above
See above.
same as above
as above
TBD
tbd.
to be answered
pending
ok
Ok.
okay
Sure!
Sure, here you go:
Here is the answer:
Certainly!
Yes
No.
Thanks
test
asdf
xxx
{}
[]
''
""
&nbsp;
<br>
#N/A
#REF!
-1
None None
not applicable
Not available
unknown
idk
I don't know
skip
done
hello
.
!
"""
)
"""Stand-ins for no answer."""
FRAMES = lines(
    """
Question: {q}
Q: {q}
Q: {q}⏎A:
You asked: {q}
Your question was: {q}
{q}⏎⏎Answer:
{q}⏎⏎Answer: {q}
Instruction: {q}
### Instruction:⏎{q}
The question is: {q}
User: {q}
> {q}
So, {q}
Prompt: {q}⏎Response:
Here is your question: {q}
{q} {q}
RE: {q}
[INST] {q} [/INST]
The task is: {q}
Human: {q}⏎⏎Assistant:
"{q}"
'{q}'
**{q}**
{q}...
Ok. {q}
The user wants to know: {q}
You would like to know: {q}
I was asked: {q}
Sure! {q}
"""
)
"""What an echoed instruction {q} stands in."""
SLOTS = lines(
    """
name
first name
last name
company name
date
order number
city
product
price
email
phone number
customer
address
your name
amount
title
link
year
job title
topic
"""
)
"""Names of unfilled places."""
NOTATIONS = lines(
    """
{{{{{s}}}}}
{{{{ {s} }}}}
{{{{{S}}}}}
{{{s}}}
[{T}]
[{T}]
[{U}]
[Your {T}]
[insert {t} here]
[INSERT {U}]
<{t}>
<{T}>
<<{S}>>
${{{s}}}
%{S}%
%({s})s
<%= {s} %>
@@{S}@@
__{S}__
{{{{user.{s}}}}}
[[{t}]]
#{{{s}}}
({T} here)
XXXX
_______
<insert {t}>
[add {t}]
{{{{{T}}}}}
<YOUR_{S}>
[{T} goes here]
«{T}»
{{0}}
%s
[enter {t}]
[company]
{{$json.{s}}}
"""
)
"""Unfilled places: {s} is the name with underscores, {S} so in capitals, {t}, {T} and {U} with blanks."""
WITH_SLOTS = lines(
    """
Dear {},
Please contact {} for details.
Your order will arrive on {}.
Kind regards,⏎{}
The total comes to {}.
It was founded by {} in {}.
You can reach us at {}.
Thank you for writing to {}.
For more see {}.
The meeting takes place in {} on {}.
Hi {}, thanks for your message!
Signed, {}
We have sent it to {}.
Our office is at {}.
{} is the best choice for this.
As {} said, it depends.
"""
)
"""Sentences with unfilled places."""
NOTES = lines(
    """
TODO: add an example here
TODO check the figures
FIXME this is not right yet
[TODO]
TBD
(to be completed)
[add source]
XXX is this still true?
[picture goes here]
<!-- fill in later -->
TODO(anna): rewrite
*** needs review ***
### TODO ###
[more text here]
(insert quote)
todo: shorten
[placeholder text]
NOTE TO SELF: ask Ben about this
[citation to follow]
fixme: numbers
[...to be continued]
[INSERT IMAGE 3 HERE]
(source?)
!!! rewrite this part !!!
tbc
to do: add the second half
"""
)
"""Writers' notes to themselves."""
OPENINGS = lines(
    """
As an AI language model,
As a large language model,
As a language model trained by {maker},
As an AI,
As an artificial intelligence,
Being an AI assistant,
As a virtual assistant,
I'm just an AI, and
I am only a computer program, so
As a machine learning model,
Please note that, as an AI,
Speaking as an AI,
Since I am a text-based AI,
I'm a chatbot, so
I am an AI developed by {maker}, and
As {bot},
While I am an AI language model and
I should mention that I'm an AI and
Because I'm a language model,
As an AI text model
Well, as a neural network
I'm an artificial intelligence language model, so
As a digital assistant
Although I'm merely a bot and
As an artificial intelligence created by {maker},
I'm a large language model, which means that
Given that I'm an AI and not a person,
As an AI chatbot,
"""
)
CLAUSES = lines(
    """
I do not have personal opinions.
I don't have feelings or experiences of my own.
I cannot browse the internet.
I can't give legal or medical advice.
I do not have access to real-time information.
I have no physical body.
I am not able to form preferences.
I don't hold beliefs.
I lack the ability to taste or smell.
I cannot see images.
I have no way to check this.
I don't have a favourite.
I can't remember past chats.
I try to stay neutral on such topics.
I can't make phone calls or send e-mails.
I don't experience emotions the way humans do.
I cannot predict the future.
it is not my place to judge.
"""
)
CUT_OFFS = lines(
    """
As of my last update in {month} {year}, this was the case.
My knowledge only goes up to {year}.
My training data ends in {month} {year}.
I was last trained in {year}, so I may not know what came later.
I have no information about events after {month} {year}.
According to my last knowledge update in {year}, yes.
My knowledge cutoff is {month} {year}.
Please note that my information stops in {year}.
Up to my knowledge cut-off in {month} {year} there was nothing newer.
I don't have data beyond {year}.
As of my training cutoff ({month} {year}), no such thing was announced.
My database was last updated in {year}.
Since my training data only includes information until {year}, please check a current source.
I only have knowledge of the world up to {month} {year}.
Given that I was trained on data up to {year}, things may have changed since.
I can't tell you about anything that happened after {year}.
At the time of my last training run in {month} {year} this had not been decided.
This answer is based on my training data, which goes up to {year}.
"""
)
REFUSALS = lines(
    """
I'm sorry, but I can't help with that.
I'm sorry, I cannot assist with that request.
I can't assist with that.
I apologize, but I am unable to fulfil this request, as it goes against my guidelines.
Sorry, I can't do that.
I must respectfully decline to answer this question.
It would not be appropriate for me to answer this.
Unfortunately, I am not able to provide that information.
I'm afraid I can't comply with this request.
I cannot fulfill this request. My purpose is to be helpful and harmless.
I won't be able to help you with this one.
I am not programmed to answer that.
This request violates my content policy.
I'm unable to answer that question.
I don't feel comfortable answering this.
I have to decline. Is there something else I can do for you?
I cannot provide an answer to that.
I'm sorry, but that is something I'm not allowed to talk about.
I regret that I can't be of assistance here.
As this topic is sensitive, I would rather not respond.
My apologies, but this falls outside of what I can do.
Sorry, but I can not generate that kind of content.
I can't write that for you.
I'm not in a position to answer this.
Thank you for asking, but I'm designed not to discuss such matters.
It is against my programming to respond to this.
"""
)
LOREM = lines(
    """
lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore magna
aliqua ut enim ad minim veniam quis nostrud exercitation ullamco laboris nisi ut aliquip ex ea commodo consequat
duis aute irure dolor in reprehenderit in voluptate velit esse cillum dolore eu fugiat nulla pariatur
"""
)
"""The printers' dummy text."""
