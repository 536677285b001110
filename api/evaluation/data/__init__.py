"""Data sets and questions, as people have them: captions, classes, Chinese-CLIP's files, tables, and their pictures."""
