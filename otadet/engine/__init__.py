"""Training, evaluation and prediction as processes: devices, precision, checkpoints, the loop."""
