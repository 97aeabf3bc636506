"""Answers that are mostly code, to be cut off within it."""

from __future__ import annotations

CODE = (
    (
        "Write a Python function that counts the vowels in a word.",
        """\
Here is one way to do it:

```python
def vowels(word: str) -> int:
    total = 0
    for letter in word:
        if letter.lower() in "aeiou":
            total += 1
    return total

print(vowels("harbour"))
```
The function looks at each letter once.""",
    ),
    (
        "How do I list the ten customers with the most orders in SQL?",
        """\
Group the orders by customer and sort the counts:

```sql
SELECT c.name, COUNT(*) AS orders
FROM customers AS c
JOIN orders AS o ON o.customer_id = c.id
GROUP BY c.name
ORDER BY orders DESC
LIMIT 10;
```
Add a HAVING clause to leave small customers out.""",
    ),
    (
        "Show me a bash loop that renames all .jpeg files to .jpg.",
        """\
```bash
for file in *.jpeg; do
    target="${file%.jpeg}.jpg"
    if [ -e "$target" ]; then
        echo "$target is there already"
        continue
    fi
    mv -- "$file" "$target"
done
```
Try it with echo in place of mv first.""",
    ),
    (
        "Write a JavaScript function that waits for a number of seconds.",
        """\
Wrap a timer in a promise:

```js
function wait(seconds) {
  return new Promise((resolve) => {
    setTimeout(resolve, seconds * 1000);
  });
}

async function main() {
  await wait(2);
  console.log('ready');
}

main();
```
Then await it where you need it.""",
    ),
    (
        "Give me an example of a form with a name and an e-mail field in HTML.",
        """\
```html
<form action="/join" method="post">
  <label>Name <input name="name" required></label>
  <label>E-mail <input name="mail" type="email" required></label>
  <button>Join</button>
</form>
```
The browser checks both fields before it sends them.""",
    ),
    (
        "How can I read a CSV file in Java?",
        """\
With the standard library alone:

```java
try (var lines = Files.lines(Path.of("stock.csv"))) {
    lines.skip(1)
        .map(line -> line.split(","))
        .forEach(parts -> System.out.println(parts[0]));
} catch (IOException problem) {
    System.err.println(problem.getMessage());
}
```
Quoted commas need a real parser, though.""",
    ),
)
"""An instruction and its answer."""
