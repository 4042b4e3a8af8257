"""The pages: plain HTML that works without JavaScript; htmx swaps pieces of the same pages where there is some."""
