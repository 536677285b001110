"""A score -> how likely the hit is right."""
