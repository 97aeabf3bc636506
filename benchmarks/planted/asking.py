"""Wordings of questions: tasks whose text is not there, and questions with two sides."""

from __future__ import annotations

from planted.wordings import lines

TASKS = lines(
    """
Summarize the following {x}:
Summarise this {x} in one sentence.
Give a short summary of the {x} below.
Translate the following {x} into French:
Translate this {x} to German.
What is the sentiment of this {x}?
Is the following {x} positive or negative?
Correct the grammar in the {x} below.
Fix the typos in this {x}:
Rewrite the following {x} in a friendlier tone.
Rewrite this {x} in the passive voice:
What is the main idea of the {x} above?
Read the {x} and answer the question.
Based on the {x} provided, who is at fault?
Extract all dates from the following {x}.
List the names that occur in the {x} below, separated by commas.
Paraphrase the given {x}.
Shorten the {x} below to fifty words.
Find a good title for this {x}.
Which language is the following {x} written in?
Classify the {x} below as spam or not spam.
According to the {x}, when did it happen?
Using the {x} given, list three reasons.
Turn the following {x} into bullet points:
Identify the verbs in the {x}:
Continue the {x} below.
Proofread this {x} for me:
Make the {x} below more formal.
Explain the following {x} to a child.
From the attached {x}, tell me the author's view.
Given the {x}, what happened first?
Pull out the key facts of the {x} that follows.
Can you tell me what this {x} is about?
Here is a {x}. Please simplify it.
Answer the question using only the {x} below.
tl;dr this {x}
What tone does the writer use in the following {x}?
Count the words in this {x}:
Does the {x} below support the claim?
How many people are mentioned in the given {x}?
Edit the {x} so that it flows better.
Who wrote this {x}?
Write a headline for the {x} below:
"""
)
OTHER_TASKS = lines(
    """
Explain what this code does:
Find the bug in the following function.
Sort the numbers below in ascending order:
What is the median of these values?
Solve the following equation for x:
Add up the figures in the table below.
Classify each of the following animals as mammal or bird:
Which of these words is misspelled?
Fill in the blank:
Given the list of ingredients below, suggest a recipe.
Choose the correct option from the list below.
Convert the following temperatures to Celsius:
Describe the picture above.
Reply to this customer:
Compare the two paragraphs below.
Combine these sentences into one:
Put the following events in order:
Rate the essay below from 1 to 10.
Which of the following is a prime number?
Write a response to this comment:
"""
)
BACK = lines(
    """
Please provide the {x} you would like me to work on.
It seems that you forgot to include the {x}.
I don't see any {x} in your message. Could you paste it?
"""
)
STUBS = (
    *("", "", "", "", "", "\n\n", " \n\n\n"),
    *lines(
        """
⏎⏎Text:
⏎⏎Input:
⏎Input: ⏎
⏎⏎""
⏎⏎```⏎⏎```
⏎<text></text>
⏎⏎Passage: 
⏎⏎---
⏎⏎Text: ''
⏎⏎###
⏎⏎Article:⏎
⏎⏎Input: N/A
⏎>
"""
    ),
)
"""What stands where the text should be."""
YES_NO = tuple(
    tuple(line.split(" | "))
    for line in lines(
        """
Is the town library open on Sundays? | the library opens on Sundays from ten to two | it stays shut on Sundays
Can I send boots back after thirty days? | boots can be sent back for ninety days | thirty days is the limit
Does the blue line stop at the harbour? | the harbour is its last stop | the line ends at the market
Is the warranty valid abroad? | it holds in every country | it only holds where you bought the device
Can dogs eat raw potatoes? | a small piece does them no harm | raw potatoes upset their stomachs
Do I need a visa for a stay of two weeks? | a visa is needed for any stay | two weeks are free of a visa
Is breakfast included in the room rate? | breakfast is part of the rate | breakfast is charged separately
Was the old bridge built before the church? | the bridge is forty years older | the church came first
Does the app work offline? | everything but sharing works offline | it needs a connection all the time
Is olive oil good for frying at high heat? | refined olive oil stands high heat | it smokes too early for that
Should tomatoes be kept in the fridge? | the cold keeps them fresh | the cold takes their taste away
Can two people share one account? | an account can be shared by up to five | each person needs one of their own
Is the museum free for students? | students get in free with a card | students pay half the price
Do whales sleep? | they sleep with half of the brain at a time | they never fall asleep
Is glass a liquid at room temperature? | it flows, only very slowly | it is an amorphous solid
Can the battery be replaced at home? | four screws hold it and no glue | it is glued in, so a workshop must do it
Is parking allowed in Mill Street at night? | parking is free from eight in the evening | it is never allowed there
Does the printer take recycled paper? | any paper up to 120 grams will do | recycled paper jams it
Will my points expire? | they lapse after two years | points never lapse
Is the lake safe to swim in? | the water is tested weekly and clean | there are strong currents and algae
Is the oven safe to clean with vinegar? | vinegar does it no harm | the acid eats at its seals
Did the team win the final in 1987? | they won it three to one | they lost it on penalties
Has the price gone up this year? | it rose by four per cent in March | it has been the same for three years
Are the seats numbered? | each ticket names a seat | you sit where you like
"""
    )
)
"""A question, and what is said where it is so and where it is not."""
