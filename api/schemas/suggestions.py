"""What is suggested to a person who is typing."""

from pydantic import BaseModel, Field


class Suggestion(BaseModel):
    """A value of a field: `text` as it is shown, and how many pictures have it; `label` is what the field is called.

    Of a folder (field `path`) all pictures below it are counted, of a word of file names (field `name`) those whose
    name has it as a word.
    """

    text: str
    field: str
    label: str
    count: int
    where: str = Field(description="The condition that leaves these pictures alone")


class Suggestions(BaseModel):
    """What may be meant, the likeliest first; nothing before the library has been counted, which begins when asked."""

    suggestions: list[Suggestion]
