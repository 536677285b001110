"""How much may be asked at once."""

MAX_K = 500
MAX_OFFSET = 1_000_000
MAX_HIDING = 10_000  # offset and k together, where duplicates are hidden: all better hits are compared
MAX_CLAUSES = 16
MAX_TEXT_CHARS = 500
MAX_WHERE_CHARS = 2_000
MAX_CHOICES = 32  # formats, colours or tags in one filter
