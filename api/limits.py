"""How much may be asked at once."""

MAX_K = 500
MAX_OFFSET = 1_000_000
MAX_CLAUSES = 16
MAX_TEXT_CHARS = 500
MAX_WHERE_CHARS = 2_000
MAX_CHOICES = 32  # formats or colours in one filter
