"""Copies and near-duplicates: how pictures are grouped, and what is reported."""
