"""Read models: what pages and the API show, one module a noun. No function here changes anything."""
