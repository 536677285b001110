"""Models that write what a picture shows, on this machine."""
