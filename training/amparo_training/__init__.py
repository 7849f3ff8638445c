"""Train and evaluate Amparo's model. Never imported on a device."""
