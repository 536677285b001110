"""The door of the service: who asks, whether there is room, and how much may come in, before any work is done."""
