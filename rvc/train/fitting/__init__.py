"""What a step is made of: batches, losses, updates, rates, checkpoints, and the doctor who watches."""
