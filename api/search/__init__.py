"""The search core: a query goes in, ranked hits come out. No web framework inside."""
