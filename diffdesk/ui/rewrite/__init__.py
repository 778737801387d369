"""The bulk rewriter: a table whose texts a model rewrites row by row, and the review of what it made."""
