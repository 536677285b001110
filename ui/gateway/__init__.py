"""What the browser asks the page's own origin for, beside the page itself.

`/api/...` is the REST API, as far as the page needs it, asked with the page's token; `/assets/...` are the files that
the page is made of in the browser.
"""
