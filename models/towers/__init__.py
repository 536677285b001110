"""The torch modules behind published encoders; imported only where a checkpoint is opened."""
