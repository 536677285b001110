"""Text as people type it -> text as encoders read it -> token ids."""
