"""Measure a bundle as shipped: int8, one message at a time, through the SDK's own conversation."""
