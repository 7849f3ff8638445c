"""Turn a trained checkpoint into the signed bundle that ships."""
