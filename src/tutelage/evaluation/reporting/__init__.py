"""The report on a run: gathered from the files in its folder, and written as a page, as JSON and as Markdown."""
